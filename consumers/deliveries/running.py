"""Webhooks run: all of them by one process of the fleet, each by itself; when that process dies another takes over within seconds."""

import asyncio
from collections.abc import Callable, Iterator

import structlog

from consumers.deliveries import store
from consumers.deliveries.courier import Courier, Ground
from consumers.deliveries.delivery import Delivery
from consumers.deliveries.store import Superseded
from consumers.subscriptions.topics import Topic, UnknownTopic
from consumers.troubles.trouble import Grade, Trouble
from streams.ground.pause import pause
from streams.ground.together import until_stopped
from streams.relay.singleton import Singleton
from streams.wire.errors import Retry, SyncError

NAME = "deliveries"
LOOK_SECONDS = 0.5
"""So soon is a change by hand, or an attempt that is due, noticed."""
_FAILING_MS = 300_000
"""A receiver that has been away for so long is worth a look."""
_AGAIN_MS = 5_000
_log = structlog.get_logger("consumers.deliveries")


class Deliveries:
    """Sees to every webhook that is active and due. A fault of one is no other's."""

    def __init__(self, ground: Ground, topic_of: Callable[[str], Topic], *, look_seconds: float = LOOK_SECONDS) -> None:
        """`topic_of`: by its whole name; raises `UnknownTopic`."""
        self._ground, self._topic_of, self._look_seconds = ground, topic_of, look_seconds
        self._running: dict[int, tuple[asyncio.Task[None], int]] = {}
        """By delivery: who runs it, from which revision on."""
        self._cooling: dict[int, int] = {}
        """By delivery: until when nothing is tried, since something of ours was in the way."""
        self._failing: list[Delivery] = []
        self.trouble: str | None = None
        """Why nothing is delivered at the moment; None while all is well."""

    def troubles(self) -> Iterator[Trouble]:
        """Receivers that have been away for long, or want nothing more."""
        now = self._ground.clock()
        for each in self._failing:
            if now - each.failing_since > _FAILING_MS:
                what = f"the delivery {each.name} has failed {each.attempts} times ({each.trouble}); its messages wait"
                yield Trouble(where="deliveries", what=what, since_ms=each.failing_since, grade=Grade.ATTENTION)

    async def run(self, singleton: Singleton, stop: asyncio.Event) -> None:
        """Until `stop`, through every outage; one process at a time does, the others stand by."""
        await until_stopped(self._hold(singleton, stop), stop, grace_seconds=1.0)

    async def _hold(self, singleton: Singleton, stop: asyncio.Event) -> None:
        while not stop.is_set():
            async with singleton.hold(NAME) as lost:
                try:
                    await self._work(lost, stop)
                finally:
                    await self._end(list(self._running))
                    self._failing = []

    async def _work(self, lost: asyncio.Event, stop: asyncio.Event) -> None:
        while not stop.is_set() and not lost.is_set():
            try:
                await self._look()
                self.trouble = None
            except Retry as error:
                self.trouble = str(error)
                _log.warning("deliveries wait", error=str(error))
            await pause(self._look_seconds, stop)

    async def _look(self) -> None:
        """Begin what is due, end what was changed by hand."""
        for number in [number for number, (task, _) in self._running.items() if task.done()]:
            await self._end([number])
        now = self._ground.clock()
        async with store.lent(self._ground.pool) as connection:
            held = await store.revisions(connection, list(self._running)) if self._running else {}
            await self._end([number for number, (_, since) in self._running.items() if held.get(number) not in (since, since + 1)])
            found = await store.due(connection, now, list(self._running))
            self._failing = await store.failing(connection)
        for delivery in found:
            if self._cooling.get(delivery.id, 0) <= now:
                self._begin(delivery)

    def _begin(self, delivery: Delivery) -> None:
        task = asyncio.create_task(self._guarded(delivery), name=f"delivery {delivery.name}")
        self._running[delivery.id] = task, delivery.revision

    async def _end(self, numbers: list[int]) -> None:
        tasks = [self._running.pop(number)[0] for number in numbers]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _guarded(self, delivery: Delivery) -> None:
        try:
            await Courier(self._ground, delivery, self._topic_of(delivery.topic)).run()
        except Superseded:
            return
        except (SyncError, UnknownTopic) as error:
            self._wait(delivery, str(error))
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one of them, the others go on
            _log.error("a delivery could not be run", delivery=delivery.name, exc_info=error)
            self._wait(delivery, type(error).__name__)

    def _wait(self, delivery: Delivery, why: str) -> None:
        """Something of ours is in the way: no attempt was made, so none is counted."""
        _log.warning("deliveries.waiting", delivery=delivery.name, why=why)
        self._cooling[delivery.id] = self._ground.clock() + _AGAIN_MS

"""A first copy, run by one worker of the fleet: source after source, each through a relay, no faster than what is read is judged."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Protocol

import msgspec
import structlog

from consumers.copy.store import Copy
from streams.ground.pause import pause
from streams.ground.together import beside, together
from streams.relay.singleton import Singleton
from streams.wire.errors import Retry
from streams.wire.events import Batch, Source

LEASE = "first copy"
UNJUDGED_MAX = 400
"""So many events may wait to be judged before more is read: an edit of somebody waits behind no more than these."""
_LOOK_SECONDS, _ROOM_SECONDS = 1.0, 0.02
_log = structlog.get_logger(__name__)


class Carries(Protocol):
    """What is needed of `streams.relay.relay.Relay`."""

    def trouble(self) -> str | None:
        """Why it doesn't flow."""
        ...

    async def run(self, stop: asyncio.Event) -> None:
        """Until stopped, or the end of the source."""
        ...


class Keeps(Protocol):
    """What is needed of `consumers.copy.store.Store`."""

    async def running(self) -> Copy | None:
        """The copy that is to be worked on now."""
        ...

    async def ran(self, number: int, ms: int, trouble: str) -> None:
        """So much longer, with this trouble."""
        ...

    async def end(self, number: int, now_ms: int) -> None:
        """It is done."""
        ...

    async def marks(self) -> dict[str, str]:
        """Positions by source."""
        ...


Unjudged = Callable[[], Awaitable[int]]
"""How many events on the change topics nobody has judged yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Of one copy: steps one after the other, each of sources that run side by side."""

    steps: Sequence[Sequence[Source]]


class Throttled:
    """A source that waits, before it reads on, until what it has brought is judged."""

    def __init__(self, source: Source, unjudged: Unjudged, most: int = UNJUDGED_MAX) -> None:
        self.name, self._source, self._unjudged, self._most = source.name, source, unjudged, most

    async def batches(self, position: str | None) -> AsyncGenerator[Batch, None]:
        """Those of the source."""
        async with aclosing(self._source.batches(position)) as batches:
            async for batch in batches:
                if batch.events:
                    await drained(self._unjudged, self._most)
                yield batch


async def drained(unjudged: Unjudged, most: int = 0) -> None:
    """Wait until no more than so many events are left to be judged."""
    while await unjudged() > most:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(_ROOM_SECONDS)


class Running:
    """The role. `plan`: the steps of a copy; `relay`: what carries a source; `owed`: whether writes of the copy's lane wait."""

    def __init__(
        self,
        store: Keeps,
        plan: Callable[[Copy], Awaitable[Plan]],
        relay: Callable[[Source], Carries],
        *,
        unjudged: Unjudged,
        owed: Callable[[], Awaitable[bool]],
        now_ms: Callable[[], int],
    ) -> None:
        self._store, self._plan, self._relay, self._unjudged, self._owed, self._now_ms = store, plan, relay, unjudged, owed, now_ms
        self._carried: list[Carries] = []
        self._trouble = ""

    @property
    def trouble(self) -> str | None:
        """Why it doesn't go on."""
        return self._trouble or None

    async def run(self, singleton: Singleton, stop: asyncio.Event) -> None:
        """Stand by; as the only one of the fleet work on whatever copy is asked for, until stopped."""
        while not stop.is_set():
            async with singleton.hold(LEASE) as lost:
                while not (stop.is_set() or lost.is_set()):
                    await self._look(stop, lost)
                    await pause(_LOOK_SECONDS, stop)

    async def _look(self, stop: asyncio.Event, lost: asyncio.Event) -> None:
        try:
            copy = await self._store.running()
            if copy is not None:
                halt = asyncio.Event()
                await beside(self._carry(copy, halt), self._watch(copy, halt, stop, lost))
        except Retry as error:
            self._trouble = str(error)
            _log.warning("copy.waits", error=str(error))
            await self._tell()
        else:
            self._trouble = ""

    async def _tell(self) -> None:
        with suppress(Retry):  # the database may be what is away
            copy = await self._store.running()
            if copy is not None:
                await self._store.ran(copy.id, 0, self._trouble)

    async def _watch(self, copy: Copy, halt: asyncio.Event, stop: asyncio.Event, lost: asyncio.Event) -> None:
        """Halts it when it is paused or cancelled, when this worker stops, and when another may be the one who runs it."""
        looked = self._now_ms()
        while not halt.is_set():
            await pause(_LOOK_SECONDS, halt)
            now = self._now_ms()
            self._trouble = next((trouble for each in self._carried if (trouble := each.trouble())), "")
            try:
                await self._store.ran(copy.id, now - looked, self._trouble)
                current = await self._store.running()
            except Retry:
                continue  # what is under way waits for the database by itself
            looked = now
            if stop.is_set() or lost.is_set() or current is None or current.id != copy.id:
                halt.set()

    async def _carry(self, copy: Copy, halt: asyncio.Event) -> None:
        plan = await self._plan(copy)
        _log.info("copy.running", copy=copy.id, steps=len(plan.steps))
        for sources in plan.steps:
            await self._step(sources, halt)
            if not halt.is_set():
                await self._or_halt(drained(self._unjudged), halt)
            if halt.is_set():
                return
        while await self._owed() and not halt.is_set():
            await pause(_LOOK_SECONDS, halt)
        if not halt.is_set():
            await self._store.end(copy.id, self._now_ms())
            _log.info("copy.done", copy=copy.id)
        halt.set()

    async def _step(self, sources: Sequence[Source], halt: asyncio.Event) -> None:
        marks = await self._store.marks()
        left = [source for source in sources if not is_done(marks.get(source.name))]
        self._carried = [self._relay(Throttled(source, self._unjudged)) for source in left]
        async with together() as group:
            for carried in self._carried:
                group.create_task(carried.run(halt))
        marks = await self._store.marks()
        if not halt.is_set() and (lost := [source.name for source in left if not is_done(marks.get(source.name))]):
            raise Retry(f"another worker has taken {', '.join(lost)} over")

    @staticmethod
    async def _or_halt(waiting: Awaitable[None], halt: asyncio.Event) -> None:
        task, halting = asyncio.ensure_future(waiting), asyncio.create_task(halt.wait())
        try:
            await asyncio.wait({task, halting}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        finally:
            task.cancel()
            halting.cancel()
            await asyncio.wait({task, halting})


class _Ended(msgspec.Struct, frozen=True):
    done: bool = False


def is_done(position: str | None) -> bool:
    """Whether a source's position is behind its last record."""
    return position is not None and msgspec.json.decode(position, type=_Ended).done

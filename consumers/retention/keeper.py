"""The keeper: goes round the shelves now and then and lets go what has had its time, in small steps with long breaths between them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress

import structlog

from consumers.retention.shelf import FROM_THE_START, Shelf
from consumers.troubles.trouble import Grade, Trouble
from streams.ground import clock
from streams.ground.together import until_stopped
from streams.relay.singleton import Singleton
from streams.wire.errors import Fatal, Retry

ROUND_SECONDS = 3_600.0
AGAIN_SECONDS = 60.0
"""Where something was in the way."""
_BREATH_TIMES, _BREATH_SECONDS = 4.0, (0.02, 5.0)
"""It works for a fifth of the time at the most, so a slow database is left alone for longer."""
_log = structlog.get_logger(__name__)


class Keeper:
    """One in a fleet works, the others stand by. `pruned` is told how many of what were let go. Never in the way of anything else."""

    def __init__(
        self,
        shelves: Sequence[Shelf],
        singleton: Singleton,
        *,
        pruned: Callable[[str, int], None] = lambda _name, _count: None,
        now_ms: Callable[[], int] = clock.now_ms,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._shelves, self._singleton, self._pruned = shelves, singleton, pruned
        self._now_ms, self._monotonic, self._sleep = now_ms, monotonic, sleep
        self._wrong: dict[str, tuple[str, int]] = {}
        """By shelf: why it can't be cleared, and since when."""

    def troubles(self) -> Iterator[Trouble]:
        """What can't be let go: all else flows, and the tables grow."""
        for name, (why, since) in self._wrong.items():
            what = f"{name} older than retention allows can't be removed ({why})"
            yield Trouble(where="retention", what=what, since_ms=since, grade=Grade.ATTENTION)

    async def run(self, stop: asyncio.Event) -> None:
        """Go round until `stop`. A step under way is broken off then: it is a transaction, done whole or not at all."""
        await until_stopped(self._work(), stop)

    async def round(self, lost: asyncio.Event) -> dict[str, int]:
        """Once past every shelf, unless the right to it is lost: how many were let go, by shelf. A shelf in trouble stops no other."""
        gone: dict[str, int] = {}
        for shelf in self._shelves:
            before = shelf.before(self._now_ms())
            if before is None:
                self._wrong.pop(shelf.name, None)
                continue
            try:
                gone[shelf.name] = await self._clear(shelf, before, lost)
            except (Retry, Fatal) as error:
                since = self._wrong.get(shelf.name, ("", self._now_ms()))[1]
                self._wrong[shelf.name] = str(error), since
                _log.warning("retention.trouble", what=shelf.name, error=str(error))
            else:
                self._wrong.pop(shelf.name, None)
        if any(gone.values()):
            _log.info("retention.pruned", **{name: count for name, count in gone.items() if count})
        return gone

    async def _work(self) -> None:
        while True:
            async with self._singleton.hold("retention") as lost:
                while not lost.is_set():
                    await self.round(lost)
                    with suppress(TimeoutError):
                        async with asyncio.timeout(AGAIN_SECONDS if self._wrong else ROUND_SECONDS):
                            await lost.wait()
            self._wrong.clear()  # whoever has the right now tells what is wrong

    async def _clear(self, shelf: Shelf, before: int, lost: asyncio.Event) -> int:
        place: int | None = FROM_THE_START
        total = 0
        while place is not None and not lost.is_set():
            began = self._monotonic()
            step = await shelf.let_go(before, place)
            if step.gone:
                total += step.gone
                self._pruned(shelf.name, step.gone)
            place = step.after
            least, most = _BREATH_SECONDS
            await self._sleep(min(most, max(least, _BREATH_TIMES * (self._monotonic() - began))))
        return total

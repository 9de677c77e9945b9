"""Gaps: what a source could not deliver is read again by the reconciliation polls of its system, and closed when all of them have.

They are passed on through the database, so the relay that opened a gap, the poll that reads back over it, and whoever comes after a
crash may be different processes.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Protocol

import structlog

from streams.database import away_is_retry
from streams.errors import Retry
from streams.positions import OpenGap, Positions

POLLS = {"salesforce": ("salesforce.poll.lead", "salesforce.poll.contact"), "marketo": ("marketo.poll",)}
OPEN = "insert into gaps (source, object, since_ms, reason, opened_ms) values ($1, $2, null, $3, $4)"
READ = "insert into gap_reads (gap, poll) values ($1, $2) on conflict do nothing"
READ_BY = "select poll from gap_reads where gap = $1"
_LOOK_SECONDS = 2.0
_log = structlog.get_logger(__name__)


class ReadsBack(Protocol):
    """A polling source."""

    name: str

    def on_gap(self, since_ms: int) -> None:
        """Reach back to `since_ms` (the system's clock) with the next cycle, at once."""
        ...


def polls_of(gap: OpenGap) -> tuple[str, ...]:
    """The polls that have to read back over this gap: all of its system's, or the one of its kind of record."""
    system = next((name for name in POLLS if name in gap.source.split(".")), "")
    named = [poll for poll in POLLS.get(system, ()) if gap.object and poll.endswith(f".{gap.object}")]
    return tuple(named) or POLLS.get(system, ())


class Gaps:
    """The open gaps, for the polls of one process."""

    def __init__(self, pool: Any, positions: Positions, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._pool, self._positions, self._now_ms = pool, positions, now_ms
        self._told: dict[str, dict[int, OpenGap]] = {}

    async def open(self, source: str, obj: str, reason: str) -> None:
        """Record a gap of unknown length: everything of this kind is read again. Raises `Retry`."""
        with away_is_retry("record a gap"):
            await self._pool.execute(OPEN, source, obj, reason, self._now_ms())

    async def tell(self, poll: ReadsBack, stop: asyncio.Event) -> None:
        """Tell a poll of every gap that concerns it, until stopped."""
        told = self._told.setdefault(poll.name, {})
        while not stop.is_set():
            try:
                for gap in await self._concerning(poll.name):
                    if gap.id not in told:
                        told[gap.id] = gap
                        _log.warning("reading back over a gap", poll=poll.name, source=gap.source, since_ms=gap.since_ms, reason=gap.reason)
                        poll.on_gap(gap.since_ms)
            except Retry as error:
                _log.warning("gaps can't be read", error=str(error))
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await stop.wait()
            except TimeoutError:
                continue

    async def covered(self, poll: str, since_ms: int) -> None:
        """A cycle of this poll has read all since `since_ms`: gaps inside it are closed once every poll has. Raises `Retry`."""
        told = self._told.get(poll, {})
        for gap in [gap for gap in told.values() if since_ms <= gap.since_ms]:
            with away_is_retry("close a gap"):
                await self._pool.execute(READ, gap.id, poll)
                readers = {row[0] for row in await self._pool.fetch(READ_BY, gap.id)}
            if readers >= set(polls_of(gap)):
                await self._positions.close_gap(gap.id)
            del told[gap.id]

    async def _concerning(self, poll: str) -> list[OpenGap]:
        gaps = [gap for gap in await self._positions.open_gaps() if poll in polls_of(gap)]
        if not gaps:
            return []
        with away_is_retry("read the gaps"):
            done = {row[0] for row in await self._pool.fetch("select gap from gap_reads where poll = $1", poll)}
        return [gap for gap in gaps if gap.id not in done]

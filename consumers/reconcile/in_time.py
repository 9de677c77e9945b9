"""Whether a stream has had its time: what a poll finds before that, the stream may yet bring, and has not missed."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from streams.ground.database import away_is_retry
from streams.wire.errors import Fatal, Retry

_STREAM = """
select s.caught_ms, s.saved_ms, s.feed_ms, (extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms,
    (select p.caught_ms is not null from source_positions as p where p.source = $2) as polled_before,
    (select g.reason from gaps as g where g.closed_ms is null and g.source like '%' || $3 || '%' and g.source not like 'fields.%'
     order by g.id limit 1) as gap
from (select 1) as one left join source_positions as s on s.source = $1
"""
_OFFSETS = "select topic, partition, next_offset from partition_offsets"
_SILENT_MS = 90_000
"""A stream without events saves a sign of life every few seconds; Marketo's activities are read four times a minute, at the least."""
_LOOK_SECONDS, _AGAIN_SECONDS = 0.5, 5.0
DELIVERED_SECONDS = 15.0
"""A stream that flows has brought a change so long after it was made."""

Ends = Callable[[], Awaitable[Mapping[tuple[str, int], int]]]
"""Tells where the partitions of the change topics end."""


class Stood(StrEnum):
    """How a stream stood towards what a poll has found."""

    IN_TIME = "in time"
    """It had brought all that there was by then, and all of it was judged."""
    BEHIND = "behind"
    """It may yet bring it."""
    AWAY = "away"
    """Nobody was reading it."""
    NONE = "none"
    """There is none: the poll is the feed."""
    COPY = "copy"
    """The poll reads everything, for the first time: nobody was to have brought that."""
    GAP = "gap"
    """The stream is known to have lost something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """`since_ms`: nobody has read the stream since then (ours), 0: not so. `gap`: what it has lost, in words."""

    stood: Stood
    since_ms: int = 0
    gap: str = ""


class InTime:
    """For one poll. `stream`: the source that tells of the same records as they are changed; empty: there is none. `lag_seconds`: what
    the poll reads is at least so old."""

    def __init__(self, pool: Any, ends: Ends, *, system: str, stream: str, poll: str, lag_seconds: float, patience_seconds: float) -> None:
        """`patience_seconds`: so long at the most a stream is waited for, and what is to be judged of it."""
        self._pool, self._ends = pool, ends
        self._system, self._stream, self._poll = system, stream, poll
        self._patience_seconds = patience_seconds
        self._grace_ms = max(0, round((DELIVERED_SECONDS - lag_seconds) * 1000))

    async def now(self) -> tuple[int, Told | None]:
        """The moment (ms, the database's), and how the stream stands if no waiting is needed to tell. Raises `Retry`."""
        row = await self._look()
        return row["now_ms"], self._known(row)

    async def wait(self, found_ms: int) -> Told:
        """Wait until the stream has brought what there was when a poll has found something, and that is judged; but only for a stream that
        flows. Raises `Retry`."""
        deadline = time.monotonic() + self._patience_seconds
        while True:
            row = await self._look()
            if (known := self._known(row)) is not None:
                return known
            if (row["caught_ms"] or 0) > found_ms + self._grace_ms:
                return Told(stood=Stood.IN_TIME if await self.judged(deadline) else Stood.BEHIND)
            if time.monotonic() >= deadline:
                return Told(stood=Stood.BEHIND)
            await asyncio.sleep(_LOOK_SECONDS)

    async def judged(self, deadline: float) -> bool:
        """Wait until all that is on the system's topics now is judged, or the deadline is over. Raises `Retry`."""
        try:
            told = await self._ends()
        except Fatal as error:  # a topic that is not there for a moment: whoever reads and writes them says so, and ends where it has to
            raise Retry(f"where the topics end can't be told: {error}", after_seconds=_AGAIN_SECONDS) from error
        ends = {place: end for place, end in told.items() if place[0].split(".")[1] == self._system and end}
        while True:
            with away_is_retry("read how far the topics are judged"):
                stands = {(row["topic"], row["partition"]): row["next_offset"] for row in await self._pool.fetch(_OFFSETS)}
            if all(stands.get(place, 0) >= end for place, end in ends.items()):
                return True
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(_LOOK_SECONDS)

    def _known(self, row: Any) -> Told | None:
        """What needs no waiting."""
        if not row["polled_before"]:
            return Told(stood=Stood.COPY)
        if not self._stream or row["saved_ms"] is None:
            return Told(stood=Stood.NONE)
        if row["gap"]:
            return Told(stood=Stood.GAP, gap=row["gap"])
        if row["now_ms"] - row["saved_ms"] > _SILENT_MS:
            return Told(stood=Stood.AWAY, since_ms=row["saved_ms"])
        return None

    async def _look(self) -> Any:
        with away_is_retry("read how far a stream has come"):
            return await self._pool.fetchrow(_STREAM, self._stream, self._poll, self._system)

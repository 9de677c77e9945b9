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
_UNTOLD_SECONDS = 600.0
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
        self._pool, self._ends = pool, ends
        self._system, self._stream, self._poll = system, stream, poll
        self._patience_seconds = patience_seconds
        self._grace_ms = max(0, round((DELIVERED_SECONDS - lag_seconds) * 1000))
        self._feed_ms: int | None = None
        self._silent_at: int | None = None
        """The latest change that the stream had told of when it was found to be silent."""
        self._untold_until = 0.0

    def silent(self) -> None:
        """What was found last is missed by now: until the stream tells of something again, it is not waited for; and where it tells of
        other records only, for a while neither: these it may not tell of at all (an org streams five objects unless more were bought)."""
        self._silent_at, self._untold_until = self._feed_ms, time.monotonic() + _UNTOLD_SECONDS

    async def wait(self) -> Told:
        """Wait until the stream has brought what there is now, and it is judged; but only for a stream that flows, and only where what
        was found is older than a change takes by it: else it may yet come, and is not held up for that. Raises `Retry`."""
        first = await self._look()
        self._feed_ms = first["feed_ms"] or 0
        if (known := self._known(first)) is not None:
            return known
        if self._silent_at == self._feed_ms:
            return Told(stood=Stood.IN_TIME)
        if time.monotonic() < self._untold_until:
            return Told(stood=Stood.NONE)
        if self._grace_ms:
            return Told(stood=Stood.BEHIND)
        deadline = time.monotonic() + self._patience_seconds
        while time.monotonic() < deadline:
            row = await self._look()
            if (row["caught_ms"] or 0) > first["now_ms"]:
                return Told(stood=Stood.IN_TIME if await self.judged(deadline) else Stood.BEHIND)
            await asyncio.sleep(_LOOK_SECONDS)
        return self._known(await self._look()) or Told(stood=Stood.BEHIND)

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

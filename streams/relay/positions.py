"""Where each source has got to, and what it is known to have missed."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from streams.ground import clock
from streams.ground.database import away_is_retry
from streams.wire.errors import SyncError

TAKE = """
insert into source_positions as p (source, epoch, taken_ms, taken_by) values ($1, 1, $2, $3)
on conflict (source) do update set epoch = p.epoch + 1, taken_ms = excluded.taken_ms, taken_by = excluded.taken_by
returning epoch, position, feed_ms, saved_ms
"""
SAVE = """
update source_positions set position = $3, feed_ms = greatest(feed_ms, $4), saved_ms = $5,
       caught_ms = case when $6 then (extract(epoch from clock_timestamp()) * 1000)::bigint else caught_ms end,
       since_ms = coalesce(since_ms, case when $4 > coalesce(feed_ms, 0) then $4 else $5 end),
       since_position = coalesce(since_position, $3)
where source = $1 and epoch = $2 returning 1
"""
"""What is covered grows with the position: no statement more."""
OPEN_GAP = """
with was as materialized (
    select source, since_ms, since_position, position, feed_ms, caught_ms from source_positions where source = $1 and epoch = $2
), moved as (
    update source_positions set position = $3, saved_ms = $7, since_ms = case when $4 = '' then null else since_ms end,
        since_position = case when $4 = '' then $3 else since_position end
    where source = $1 and epoch = $2 returning source
), ended as (
    insert into coverage (source, from_ms, until_ms, from_position, until_position, ended_ms)
    select source, since_ms, greatest(since_ms, coalesce(feed_ms, caught_ms)), since_position, position, $7 from was
    where $4 = '' and since_ms is not null and exists (select from moved)
)
insert into gaps (source, object, since_ms, reason, opened_ms, cause, from_position, until_position)
select was.source, $4, $5, $6, $7, $8, was.position, $3 from was join moved on true returning id
"""
"""A gap in one kind of record breaks the stretch of no other."""
OPEN_GAPS = """
select id, source, object, since_ms, reason, opened_ms, cause from gaps where closed_ms is null and ($1 = '' or source = $1) order by id
"""
CLOSE_GAP = "update gaps set closed_ms = $2 where id = $1 and closed_ms is null"


class TakenOver(SyncError):  # noqa: N818 (as its siblings: it names what happened)
    """Another relay has taken the source over; this one must stop at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A source as the relay that took it over holds it. `epoch`: what proves that it still does."""

    source: str
    epoch: int
    position: str | None = None
    feed_ms: int | None = None
    """The latest change relayed, by the clock of the source's system."""
    saved_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenGap:
    """A stretch of a source that nobody has read: everything of `object` (empty: of all it carries) changed since `since_ms`."""

    id: int
    source: str
    object: str
    since_ms: int
    reason: str
    opened_ms: int = 0
    cause: str = ""
    """A `Cause`; empty: none of them."""


class Positions(Protocol):
    """Positions and gaps, kept for good. All raise `Retry` while the store is away; writing raises `TakenOver` for an old epoch."""

    async def take(self, source: str) -> Standing:
        """Take the source over: from now on nobody who took it before can save."""
        ...

    async def save(self, standing: Standing, position: str, feed_ms: int | None, *, caught_up: bool = False) -> None:
        """Everything up to `position` is acknowledged. Never moves anything for a relay that was taken over. `caught_up`: nothing more
        was waiting in the source then."""
        ...

    async def open_gap(self, standing: Standing, gap: OpenGap, resume: str | None) -> OpenGap:
        """Record the gap and go on from `resume`, both or neither; the gap with its id."""
        ...

    async def open_gaps(self, source: str = "") -> list[OpenGap]:
        """What is open, oldest first; of all sources or of one."""
        ...

    async def close_gap(self, gap_id: int) -> None:
        """All of it has been read again. Closing twice is the same as once."""
        ...


class PostgresPositions:
    """`Positions` in the tables `source_positions` and `gaps`. `pool`: an asyncpg pool."""

    def __init__(self, pool: Any, *, owner: str | None = None, now_ms: Callable[[], int] = clock.now_ms) -> None:
        self._pool = pool
        self._owner = owner or f"{os.uname().nodename}:{os.getpid()}"
        self._now_ms = now_ms

    async def take(self, source: str) -> Standing:
        """See `Positions`."""
        with away_is_retry(f"taking over {source}"):
            row = await self._pool.fetchrow(TAKE, source, self._now_ms(), self._owner)
        return Standing(source=source, epoch=row["epoch"], position=row["position"], feed_ms=row["feed_ms"], saved_ms=row["saved_ms"])

    async def save(self, standing: Standing, position: str, feed_ms: int | None, *, caught_up: bool = False) -> None:
        """See `Positions`."""
        with away_is_retry(f"saving the position of {standing.source}"):
            saved = await self._pool.fetchval(SAVE, standing.source, standing.epoch, position, feed_ms, self._now_ms(), caught_up)
        if saved is None:
            raise TakenOver(f"another relay has taken {standing.source} over (epoch {standing.epoch} is past)")

    async def open_gap(self, standing: Standing, gap: OpenGap, resume: str | None) -> OpenGap:
        """See `Positions`."""
        now = self._now_ms()
        with away_is_retry(f"recording a gap of {standing.source}"):
            number = await self._pool.fetchval(
                OPEN_GAP, standing.source, standing.epoch, resume, gap.object, gap.since_ms, gap.reason, now, gap.cause
            )
        if number is None:
            raise TakenOver(f"another relay has taken {standing.source} over (epoch {standing.epoch} is past)")
        return replace(gap, id=number, source=standing.source, opened_ms=now)

    async def open_gaps(self, source: str = "") -> list[OpenGap]:
        """See `Positions`."""
        with away_is_retry("reading the open gaps"):
            rows = await self._pool.fetch(OPEN_GAPS, source)
        return [
            OpenGap(
                id=row["id"],
                source=row["source"],
                object=row["object"],
                since_ms=row["since_ms"] or 0,
                reason=row["reason"],
                opened_ms=row["opened_ms"],
                cause=row["cause"],
            )
            for row in rows
        ]

    async def close_gap(self, gap_id: int) -> None:
        """See `Positions`."""
        with away_is_retry("closing a gap"):
            await self._pool.execute(CLOSE_GAP, gap_id, self._now_ms())

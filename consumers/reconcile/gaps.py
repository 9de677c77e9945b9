"""Gaps: what a source could not deliver is read again by the reconciliation polls of its system, and closed when all of them have.

They are passed on through the database, so the relay that opened a gap, the poll that reads back over it, and whoever comes after a
crash may be different processes.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from streams.ground import clock
from streams.ground.database import away_is_retry
from streams.ground.pause import pause
from streams.marketo.sources.poll import NAME as MARKETO_POLL
from streams.relay.positions import OpenGap, Positions
from streams.salesforce.sources.poll import name_of
from streams.wire.errors import Cause, Retry
from streams.wire.systems import Object

OPEN = "insert into gaps (source, object, since_ms, reason, opened_ms, cause) values ($1, $2, $3, $4, $5, $6)"
SILENT = """
with grown as (
    update gaps set closed_ms = $6, until_ms = greatest(until_ms, $4), missed = missed + $7
    where id = (
        select id from gaps where source = $1 and object = $2 and cause = 'silent' and accepted_by is null and closed_ms >= $6 - $8::bigint
        order by id desc limit 1
    ) returning id
), made as (
    insert into gaps (source, object, since_ms, until_ms, reason, opened_ms, closed_ms, missed, cause)
    select $1, $2, $3, $4, $5, $6, $6, $7, 'silent' where not exists (select from grown) returning id
)
insert into gap_reads (gap, poll, read_ms, collapsed, collapsed_ids)
select id, $9, $6, $10, $11::text[] from (select id from grown union all select id from made) as hole
on conflict (gap, poll) do update set read_ms = excluded.read_ms, collapsed = gap_reads.collapsed + excluded.collapsed,
    collapsed_ids = (gap_reads.collapsed_ids || excluded.collapsed_ids)[1:100]
"""
"""What a silent stream has missed is known by what a poll has brought: the hole is closed as it is opened, and grows while that goes on."""
READ = """
insert into gap_reads (gap, poll, read_ms, collapsed, collapsed_ids) values ($1, $2, $3, $4, $5::text[]) on conflict do nothing
"""
COLLAPSED_MAX = 100
"""Of the records whose values in between are not known, so many are named."""
READ_BY = "select poll from gap_reads where gap = $1"
_LOOK_SECONDS = 2.0
_log = structlog.get_logger(__name__)


class ReadsBack(Protocol):
    """A polling source."""

    name: str

    def on_gap(self, gap: int, since_ms: int) -> None:
        """Reach back to `since_ms` (the system's clock) with the next cycle, at once. Told of the same gap again: nothing."""
        ...


def polls(objects: Sequence[Object]) -> Mapping[str, tuple[str, ...]]:
    """By system: the names of its polls. `objects`: those of Salesforce that are kept in step."""
    return {"salesforce": tuple(name_of(obj) for obj in objects), "marketo": (MARKETO_POLL,)}


def polls_of(gap: OpenGap, objects: Sequence[Object]) -> tuple[str, ...]:
    """The polls that have to read back over this gap: all of its system's, or the one of its kind of record."""
    known = polls(objects)
    system = next((name for name in known if name in gap.source.split(".")), "")
    named = [poll for poll in known.get(system, ()) if gap.object and poll.endswith(f".{gap.object}")]
    return tuple(named) or known.get(system, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """What a stream has not told of: so many changes of these records, that the poll found between these moments (the system's clock).
    `again_ms`: one more within so long belongs to the same hole."""

    stream: str
    object: str
    poll: str
    since_ms: int
    until_ms: int
    reason: str
    changes: int
    records: Collection[str]
    again_ms: int


class Gaps:
    """The open gaps, for the polls of one process. What a poll was told lives in the poll: here is only what the database says."""

    def __init__(self, pool: Any, positions: Positions, objects: Sequence[Object], now_ms: Callable[[], int] = clock.now_ms) -> None:
        """`objects`: those of Salesforce that are kept in step."""
        self._objects = objects
        self._pool, self._positions, self._now_ms = pool, positions, now_ms
        self._logged: set[tuple[str, int]] = set()

    async def open(self, source: str, obj: str, reason: str, since_ms: int | None = None, *, cause: Cause) -> None:
        """Record a gap; of unknown length (None): everything of this kind is read again. Raises `Retry`."""
        with away_is_retry("record a gap"):
            await self._pool.execute(OPEN, source, obj, since_ms, reason, self._now_ms(), cause)

    async def silent(self, missed: "Missed") -> None:
        """Record what a stream has not told of, and a poll has brought. Raises `Retry`."""
        ids = sorted(set(missed.records))
        with away_is_retry("record what a stream has not told of"):
            await self._pool.execute(
                SILENT, missed.stream, missed.object, missed.since_ms, missed.until_ms, missed.reason, self._now_ms(), missed.changes,
                missed.again_ms, missed.poll, len(ids), ids[:COLLAPSED_MAX],
            )  # fmt: skip

    async def tell(self, poll: ReadsBack, stop: asyncio.Event) -> None:
        """Tell a poll of every gap that concerns it and that it has not read, again and again, until stopped."""
        while not stop.is_set():
            try:
                for gap in await self._concerning(poll.name):
                    self._log(poll.name, gap)
                    poll.on_gap(gap.id, gap.since_ms)
            except Retry as error:
                _log.warning("gaps can't be read", error=str(error))
            await pause(_LOOK_SECONDS, stop)

    async def covered(self, poll: str, gaps: Sequence[int], found: Collection[str] = ()) -> None:
        """This poll has read all of these, and found that `found` (ids) had changed; those that every poll has are closed. Raises `Retry`:
        then the poll is told of them again."""
        if not gaps:
            return
        concerned = {gap.id: gap for gap in await self._positions.open_gaps()}
        for number in gaps:
            with away_is_retry("close a gap"):
                await self._pool.execute(READ, number, poll, self._now_ms(), len(found), sorted(found)[:COLLAPSED_MAX])
                readers = {row[0] for row in await self._pool.fetch(READ_BY, number)}
            if number in concerned and readers >= set(polls_of(concerned[number], self._objects)):
                await self._positions.close_gap(number)
                _log.info("gap closed", source=concerned[number].source, reason=concerned[number].reason)

    def _log(self, poll: str, gap: OpenGap) -> None:
        if (poll, gap.id) not in self._logged:
            self._logged.add((poll, gap.id))
            _log.warning("reading back over a gap", poll=poll, source=gap.source, since_ms=gap.since_ms, reason=gap.reason)

    async def _concerning(self, poll: str) -> list[OpenGap]:
        gaps = [gap for gap in await self._positions.open_gaps() if poll in polls_of(gap, self._objects)]
        if not gaps:
            return []
        with away_is_retry("read the gaps"):
            done = {row[0] for row in await self._pool.fetch("select gap from gap_reads where poll = $1", poll)}
        return [gap for gap in gaps if gap.id not in done]

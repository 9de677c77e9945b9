"""What has been read without a break, by what, and the holes between: the ledger of coverage, answered as values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from consumers.reconcile.gaps import polls_of
from streams.marketo.sources.activities import NAME as ACTIVITIES
from streams.marketo.sources.poll import NAME as MARKETO_POLL
from streams.relay.positions import OpenGap
from streams.salesforce.sources.cdc import CdcSource
from streams.salesforce.sources.poll import name_of
from streams.wire.systems import PERSON, Object

_STRETCHES = """
select source, from_ms, until_ms, from_position, until_position, false as goes_on from coverage
where ended_ms >= $1 union all
select s.source, s.since_ms, greatest(s.since_ms, coalesce(
    (select c.until_ms from cycles as c where c.source = s.source and c.until_ms > 0 order by c.id desc limit 1), s.caught_ms, s.feed_ms
), s.feed_ms), s.since_position, s.position, true from source_positions as s
where s.since_ms is not null and (s.position is not null) order by 1, 2
"""
_HOLES = """
select g.id, g.source, g.object, g.cause, g.reason, g.since_ms, g.until_ms, g.from_position, g.until_position, g.missed, g.opened_ms,
    g.closed_ms, g.accepted_by, g.accepted_why
from gaps as g where g.closed_ms is null or g.closed_ms >= $1 order by g.id
"""
_READS = "select gap, poll, read_ms, collapsed, collapsed_ids from gap_reads where gap = any($1::bigint[]) order by gap, poll"


class Standing(StrEnum):
    """How a hole stands."""

    OPEN = "open"
    """Nobody knows what was changed in it."""
    CLOSED = "closed"
    """Its records have been read again: their latest values are known."""
    ACCEPTED = "accepted"
    """Somebody has said why it may stay."""


class By(StrEnum):
    """By what something was read."""

    STREAM = "stream"
    POLL = "poll"
    COPY = "copy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What a source has read without a break, by the system's clock (ms), and by its own positions. `goes_on`: until now."""

    source: str
    by: By
    from_ms: int
    until_ms: int
    from_position: str
    until_position: str
    goes_on: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A poll that has read back over a hole. `collapsed`: so many records had changed, of which only the latest values can be known; some
    of them by their ids."""

    poll: str
    read_ms: int
    collapsed: int
    records: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """What a source has not told. `since_ms` 0: everything. `until_ms`: what was made from then on is covered again. Times of what it
    holds by the system's clock, those of what was done about it by ours; 0: not yet, or not known."""

    id: int
    source: str
    object: str
    """Empty: every kind that the source tells of."""
    kinds: tuple[str, ...]
    """Those that it concerns."""
    standing: Standing
    cause: str
    reason: str
    since_ms: int
    until_ms: int
    from_position: str
    until_position: str
    missed: int
    """Changes that are known to have been missed."""
    opened_ms: int
    closed_ms: int
    accepted_by: str
    accepted_why: str
    waits_for: tuple[str, ...]
    """The polls that have not read back over it."""
    readings: tuple[Reading, ...]

    @property
    def collapsed(self) -> int:
        """Records of which only the latest values are known."""
        return sum(each.collapsed for each in self.readings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The whole ledger, since a moment. `sources`: by kind of record, those that tell of it."""

    at_ms: int
    since_ms: int
    sources: Mapping[str, tuple[str, ...]]
    stretches: tuple[Stretch, ...]
    holes: tuple[Hole, ...]

    @property
    def open(self) -> int:
        """How many holes are open."""
        return sum(each.standing is Standing.OPEN for each in self.holes)


async def coverage(connection: Any, sources: Mapping[str, tuple[str, ...]], now_ms: int, since_ms: int) -> Coverage:
    """What was read since then, and the holes that are open, or were closed since then."""
    stretches = [_stretch(row) for row in await connection.fetch(_STRETCHES, since_ms)]
    rows = await connection.fetch(_HOLES, since_ms)
    readings: dict[int, list[Reading]] = {}
    for row in await connection.fetch(_READS, [each["id"] for each in rows]):
        reading = Reading(poll=row["poll"], read_ms=row["read_ms"], collapsed=row["collapsed"], records=tuple(row["collapsed_ids"]))
        readings.setdefault(row["gap"], []).append(reading)
    holes = [_hole(row, readings.get(row["id"], ()), sources) for row in rows]
    return Coverage(at_ms=now_ms, since_ms=since_ms, sources=sources, stretches=tuple(stretches), holes=tuple(holes))


def sources_by_kind(salesforce: Mapping[Object, bool]) -> dict[str, tuple[str, ...]]:
    """By kind of record, who tells of it. `salesforce`: its sorts that are kept in step, and whether the stream tells of each. Pure."""
    told = {str(obj): (*((CdcSource.name,) if streamed else ()), name_of(obj)) for obj, streamed in salesforce.items()}
    return {**told, str(PERSON): (ACTIVITIES, MARKETO_POLL)}


def _stretch(row: Any) -> Stretch:
    by = By.STREAM if row["source"] in (CdcSource.name, ACTIVITIES) else By.COPY if ".copy" in row["source"] else By.POLL
    return Stretch(
        source=row["source"],
        by=by,
        from_ms=row["from_ms"],
        until_ms=row["until_ms"],
        from_position=row["from_position"] or "",
        until_position=row["until_position"] or "",
        goes_on=row["goes_on"],
    )


def _hole(row: Any, readings: Sequence[Reading], sources: Mapping[str, tuple[str, ...]]) -> Hole:
    standing = Standing.ACCEPTED if row["accepted_by"] else Standing.OPEN if row["closed_ms"] is None else Standing.CLOSED
    gap = OpenGap(id=row["id"], source=row["source"], object=row["object"], since_ms=row["since_ms"] or 0, reason=row["reason"])
    polls = polls_of(gap, [Object(kind) for kind, names in sources.items() if any(name.startswith("salesforce.poll") for name in names)])
    return Hole(
        id=row["id"],
        source=row["source"],
        object=row["object"],
        kinds=tuple(kind for kind, names in sources.items() if set(polls) & set(names)),
        standing=standing,
        cause=row["cause"],
        reason=row["reason"],
        since_ms=row["since_ms"] or 0,
        until_ms=row["until_ms"] or 0,
        from_position=row["from_position"] or "",
        until_position=row["until_position"] or "",
        missed=row["missed"],
        opened_ms=row["opened_ms"],
        closed_ms=row["closed_ms"] or 0,
        accepted_by=row["accepted_by"] or "",
        accepted_why=row["accepted_why"] or "",
        waits_for=tuple(each for each in polls if each not in {reading.poll for reading in readings}) if standing is Standing.OPEN else (),
        readings=tuple(readings),
    )

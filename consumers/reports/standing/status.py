"""How things stand: pairs, what is owed, what is held, the sources, the calls spent, the verdicts of the last minutes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from consumers.ledger.spent import Spent, spent
from consumers.ledger.tallies import Due, Pairs, Waiting, due, pairs, recent_of, waiting
from consumers.troubles.arrivals import NONE_ARRIVED, Arrivals, told_apart
from consumers.troubles.ledger import Expected, ledger_troubles
from consumers.troubles.recent import MINUTES
from consumers.troubles.trouble import Grade, Trouble, worst_first
from consumers.troubles.workers import RECENT, worker_troubles

_LETTERS_MAX = 1_000
_TOP = 5
_SOURCES = """
select source, epoch, position is not null as begun, feed_ms, saved_ms, taken_ms, taken_by,
       (extract(epoch from now()) * 1000)::bigint as now_ms
from source_positions where source not like 'copy.%' order by source
"""
_GAPS = "select source, object, since_ms, reason, opened_ms from gaps where closed_ms is null order by opened_ms"
_OFFSETS = "select topic, partition, next_offset from partition_offsets order by topic, partition"
_CYCLES = """
select c.* from source_positions as p
cross join lateral (
    select source, object, at, read, known, relayed, missed, repaired, held, why, calls, seconds, next_ms, judged_ms
    from cycles where source = p.source order by id desc limit 1
) as c order by c.source
"""
_LETTERS = """
select stage, reason, count(*) as letters
from (select stage, reason from dead_letters where closed_ms is null order by id desc limit $1) as newest
group by 1, 2 order by 3 desc, 1, 2 limit $2
"""
_WORKERS = "select worker from workers where beat_at > clock_timestamp() - interval '30 seconds' order by worker"
_HEARD = "select (extract(epoch from clock_timestamp() - max(beat_at)) * 1000)::bigint from workers"
_LETTER_COUNT = "select count(*) from (select from dead_letters where closed_ms is null limit $1) as counted"


class State(StrEnum):
    """How things stand, in a word."""

    IN_STEP = "in step"
    ATTENTION = "attention"
    """All flows; a person should look at something."""
    DEGRADED = "degraded"
    """Something doesn't flow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """Where a source has got to. Ages in ms; None: never."""

    source: str
    relay: str
    begun: bool
    saved_ago_ms: int | None
    feed_ago_ms: int | None
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """How far the ledger stands behind a partition's end; `behind` is None when Kafka wasn't asked or didn't answer."""

    topic: str
    partition: int
    next_offset: int
    behind: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cycle:
    """A cycle of a reconciliation poll: what it read, what of it was known, what the stream had missed (`why`: as far as can be known),
    what of it the ledger knows now, what is held."""

    source: str
    object: str
    """Empty: of a cycle of an earlier version."""
    ago_ms: int
    read: int
    known: int
    relayed: int
    missed: int
    repaired: int
    held: int
    why: str
    calls: int
    seconds: float
    next_ms: int
    """In how long the next one is due, at the latest; below 0: it is late."""
    judged: bool
    """Whether what was relayed is judged: before that nobody knows what of it was missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Everything `tandem status` tells, at the same cost whatever the ledger's size. `state`: in a word."""

    state: State
    at_ms: int
    troubles: tuple[Trouble, ...] = ()
    """Worst first."""
    pairs: Pairs
    """People."""
    others: tuple[Pairs, ...]
    """The other kinds of record."""
    due: tuple[Due, ...]
    waiting: Waiting
    sources: tuple[SourceState, ...]
    partitions: tuple[Partition, ...]
    spent: tuple[Spent, ...]
    cycles: tuple[Cycle, ...]
    recent: Mapping[str, int]
    """Verdicts and writes of the last `recent_minutes`, or some more for a worker that died in them."""
    recent_minutes: int
    dead_letters: int
    """Those that wait for somebody; counted to 1,000."""
    dead_reasons: Mapping[str, int]
    arrivals: Arrivals = NONE_ARRIVED
    """Edits of the same minutes that arrived on the other side, and how long they took."""
    workers: tuple[str, ...] = ()
    """Those that are heard of, by name."""
    heard_ago_ms: int | None = None
    """How long ago a worker last said how it is; None: none has, or all have taken their leave."""

    @property
    def away(self) -> bool:
        """Whether something that Tandem needs can't be reached."""
        return any(each.away for each in self.troubles)


async def status(
    connection: Any, expected: Expected, *, ends: Mapping[tuple[str, int], int] | None = None, found: tuple[Trouble, ...] = ()
) -> Status:
    """The status from the ledger; `ends` are Kafka's end offsets where they could be had, `found` what the asker found wrong itself."""
    now_ms = expected.now_ms
    waits, letters = await waiting(connection), await connection.fetchval(_LETTER_COUNT, _LETTERS_MAX)
    wrong = (*found, *await worker_troubles(connection, expected.groups), *await ledger_troubles(connection, expected))
    troubles = worst_first((*wrong, *_for_a_person(waits, letters)))
    people, *others = await pairs(connection, expected.kinds)
    recent, arrivals = told_apart(recent_of([row["recent"] for row in await connection.fetch(RECENT)]))
    return Status(
        state=_state(troubles),
        at_ms=now_ms,
        troubles=troubles,
        pairs=people,
        others=tuple(others),
        due=await due(connection, now_ms),
        waiting=waits,
        sources=await _sources(connection),
        partitions=await _partitions(connection, ends),
        spent=await spent(connection, now_ms, expected.limits),
        cycles=tuple([cycle_told(row, now_ms) for row in await connection.fetch(_CYCLES)]),
        recent=dict(Counter(recent).most_common()),
        recent_minutes=MINUTES,
        dead_letters=letters,
        dead_reasons={f"{row['stage']}: {row['reason']}": row["letters"] for row in await connection.fetch(_LETTERS, _LETTERS_MAX, _TOP)},
        arrivals=arrivals,
        workers=tuple([row["worker"] for row in await connection.fetch(_WORKERS)]),
        heard_ago_ms=await connection.fetchval(_HEARD),
    )


def impersonal(told: Status) -> Status:
    """Without the systems' own words, which may quote a value: for whoever has not shown that they may see them."""
    refused = tuple(replace(each, reason="") for each in told.waiting.why_refused)
    stages: dict[str, int] = {}
    for why, letters in told.dead_reasons.items():
        stages[why.partition(":")[0]] = stages.get(why.partition(":")[0], 0) + letters
    return replace(told, waiting=replace(told.waiting, why_refused=refused), dead_reasons=stages)


def _state(troubles: Sequence[Trouble]) -> State:
    if any(each.grade is Grade.DEGRADED for each in troubles):
        return State.DEGRADED
    return State.ATTENTION if troubles else State.IN_STEP


def _for_a_person(waits: Waiting, letters: int) -> list[Trouble]:
    """What flows by, and waits for a person to look at it."""
    told = (
        ("refused", waits.refused, "refused by a system, see tandem list refused", ("field is", "fields are")),
        ("held", waits.held, "held, see tandem list held", ("record is", "records are")),
        ("contested", waits.contested, "held for single fields, see tandem list contested", ("record is", "records are")),
        ("dead letters", letters, "not usable, see tandem dead-letters list", ("change was", "changes were")),
    )
    since = min((each.since_ms for each in waits.why_refused), default=0)
    return [
        Trouble(
            where=where,
            what=f"{count:,} {forms[count > 1]} {what}",
            since_ms=since if where == "refused" else 0,
            grade=Grade.ATTENTION,
        )
        for where, count, what, forms in told
        if count
    ]


def cycle_told(row: Any, now_ms: int) -> Cycle:
    """A row of `cycles`."""
    told = dict(row)
    judged, next_ms = told.pop("judged_ms") is not None, told.pop("next_ms")
    return Cycle(ago_ms=now_ms - told.pop("at"), next_ms=next_ms - now_ms if next_ms else 0, judged=judged, **told)


async def _sources(connection: Any) -> tuple[SourceState, ...]:
    gaps: dict[str, list[str]] = {}
    for row in await connection.fetch(_GAPS):
        gaps.setdefault(row["source"], []).append(f"{row['object']}: {row['reason']}" if row["object"] else row["reason"])
    rows = await connection.fetch(_SOURCES)
    known = {row["source"] for row in rows}
    states = [_source(row, gaps.get(row["source"], [])) for row in rows]
    orphans = [
        SourceState(source=name, relay="", begun=False, saved_ago_ms=None, feed_ago_ms=None, gaps=tuple(reasons))
        for name, reasons in gaps.items()
        if name not in known
    ]
    return (*states, *orphans)


def _source(row: Any, gaps: list[str]) -> SourceState:
    now = row["now_ms"]
    return SourceState(
        source=row["source"],
        relay=row["taken_by"],
        begun=row["begun"],
        saved_ago_ms=None if row["saved_ms"] is None else max(0, now - row["saved_ms"]),
        feed_ago_ms=None if row["feed_ms"] is None else max(0, now - row["feed_ms"]),
        gaps=tuple(gaps),
    )


async def _partitions(connection: Any, ends: Mapping[tuple[str, int], int] | None) -> tuple[Partition, ...]:
    stands = {(row["topic"], row["partition"]): row["next_offset"] for row in await connection.fetch(_OFFSETS)}
    places = sorted(set(stands) | set(ends or {}))
    return tuple(
        Partition(
            topic=topic,
            partition=number,
            next_offset=stands.get((topic, number), 0),
            behind=None if ends is None else max(0, ends.get((topic, number), 0) - stands.get((topic, number), 0)),
        )
        for topic, number in places
    )

"""How things stand: pairs, what is owed, what is held, the sources, the calls spent, the verdicts of the last minutes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import msgspec

from consumers.ledger.port import Kind
from consumers.merge import decision as decisions
from consumers.merge.state import PairState
from consumers.merge.stored import unpack
from consumers.troubles.ledger import Expected, ledger_troubles
from consumers.troubles.trouble import Grade, Trouble, worst_first
from consumers.troubles.workers import worker_troubles
from streams.budget import Lane
from streams.budget_state import BudgetState
from streams.systems import System

RECENT_MS = 300_000
_DECISIONS_MAX = 20_000
_PAGE = 2_000
_SAMPLE = 500
_TOP = 5

_PAIRS = """
select coalesce(salesforce_object, '') as object, count(*) as pairs,
       count(*) filter (where salesforce_id is not null and marketo_id is not null) as linked,
       count(*) filter (where salesforce_id is not null and marketo_id is null) as only_salesforce,
       count(*) filter (where salesforce_id is null and marketo_id is not null) as only_marketo,
       count(*) filter (where held is not null) as held, count(*) filter (where contested) as contested
from pairs group by 1 order by 1
"""
_DUE = (
    "select kind, lane, count(*) as pairs, count(*) filter (where at <= $1) as due, min(at) as oldest from due group by 1, 2 order by 1, 2"
)
_HELD = "select split_part(held, ':', 1) as reason, count(*) as pairs from pairs where held is not null group by 1 order by 2 desc limit $1"
_CONTESTED = "select state from pairs where contested order by id desc limit $1"
_SOURCES = """
select source, epoch, position is not null as begun, feed_ms, saved_ms, taken_ms, taken_by,
       (extract(epoch from now()) * 1000)::bigint as now_ms
from source_positions order by source
"""
_GAPS = "select source, object, since_ms, reason, opened_ms from gaps where closed_ms is null order by opened_ms"
_OFFSETS = "select topic, partition, next_offset from partition_offsets order by topic, partition"
_BUDGETS = "select system, state from budgets order by system"
_SPENT = """
select system, lane, purpose, calls from budget_spent where day = (now() at time zone 'utc')::date order by system, lane, purpose
"""
_CYCLES = """
select distinct on (source) source, at, read, known, missed, calls, seconds from cycles order by source, id desc
"""
_LETTERS = "select stage, reason, count(*) as letters, max(at) as newest from dead_letters group by 1, 2 order by 3 desc limit $1"
_LETTER_COUNT = "select count(*) from dead_letters"
_DECISIONS = "select id, at, body from decisions where id < $1 order by id desc limit $2"


class State(StrEnum):
    """How things stand, in a word."""

    IN_STEP = "in step"
    ATTENTION = "attention"
    """All flows; a person should look at something."""
    DEGRADED = "degraded"
    """Something doesn't flow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Counts of one kind of pair."""

    object: str
    pairs: int
    linked: int
    only_salesforce: int
    only_marketo: int
    held: int
    contested: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """What is to be done: writes owed to a system, or looks at it. `due` of them now, the others later."""

    what: str
    system: str
    lane: str
    pairs: int
    due: int
    oldest_ms: int
    """How long the oldest has been due; negative: not yet."""


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
    """The last cycle of a reconciliation poll: what it read, what of it was known, what the stream had missed."""

    source: str
    ago_ms: int
    read: int
    known: int
    missed: int
    calls: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """The calls of a system's day. `limit`: as the system tells it, else as configured. `by_purpose` is the UTC day's."""

    system: str
    used: int
    limit: int
    blocked_ms: int
    by_purpose: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Everything `tandem status` tells. `state`: in a word."""

    state: State
    at_ms: int
    pairs: tuple[Pairs, ...]
    due: tuple[Due, ...]
    held: Mapping[str, int]
    contested: Mapping[str, int]
    sources: tuple[SourceState, ...]
    partitions: tuple[Partition, ...]
    spent: tuple[Spent, ...]
    cycles: tuple[Cycle, ...]
    verdicts: Mapping[str, int]
    writes: Mapping[str, int]
    recent_seconds: int
    recent_partial: bool
    dead_letters: int
    dead_reasons: Mapping[str, int]
    troubles: tuple[Trouble, ...] = ()
    """Worst first."""

    @property
    def away(self) -> bool:
        """Whether something that Tandem needs can't be reached."""
        return any(each.away for each in self.troubles)


async def status(
    connection: Any, expected: Expected, *, ends: Mapping[tuple[str, int], int] | None = None, found: tuple[Trouble, ...] = ()
) -> Status:
    """The status from the ledger; `ends` are Kafka's end offsets where they could be had, `found` what the asker found wrong itself."""
    now_ms = expected.now_ms
    recent = await _recent(connection, now_ms)
    troubles = worst_first((*found, *await worker_troubles(connection), *await ledger_troubles(connection, expected)))
    return Status(
        state=_state(troubles),
        at_ms=now_ms,
        pairs=tuple([Pairs(**dict(row)) for row in await connection.fetch(_PAIRS)]),
        due=tuple([_due(row, now_ms) for row in await connection.fetch(_DUE, now_ms)]),
        held={row["reason"]: row["pairs"] for row in await connection.fetch(_HELD, _TOP)},
        contested=_contested([unpack(row["state"]) for row in await connection.fetch(_CONTESTED, _SAMPLE)]),
        sources=await _sources(connection),
        partitions=await _partitions(connection, ends),
        spent=await _spent(connection, expected),
        cycles=tuple([_cycle(row, now_ms) for row in await connection.fetch(_CYCLES)]),
        verdicts=dict(recent.verdicts.most_common()),
        writes=dict(recent.writes.most_common()),
        recent_seconds=RECENT_MS // 1000,
        recent_partial=recent.partial,
        dead_letters=await connection.fetchval(_LETTER_COUNT),
        dead_reasons={f"{row['stage']}: {row['reason']}": row["letters"] for row in await connection.fetch(_LETTERS, _TOP)},
        troubles=troubles,
    )


def _state(troubles: Sequence[Trouble]) -> State:
    if any(each.grade is Grade.DEGRADED for each in troubles):
        return State.DEGRADED
    return State.ATTENTION if troubles else State.IN_STEP


@dataclass(slots=True)
class _Recent:
    verdicts: Counter[str] = field(default_factory=Counter)
    writes: Counter[str] = field(default_factory=Counter)
    partial: bool = False


async def _recent(connection: Any, now_ms: int) -> _Recent:
    """The newest decisions, by their ids: the table has no index on time, and needs none for this."""
    found, before, read = _Recent(), 2**63 - 1, 0
    while True:
        rows = await connection.fetch(_DECISIONS, before, _PAGE)
        for row in rows:
            if row["at"] < now_ms - RECENT_MS:
                return found
            _count(found, decisions.decode(row["body"]))
        read += len(rows)
        if len(rows) < _PAGE:
            return found
        if read >= _DECISIONS_MAX:
            found.partial = True
            return found
        before = rows[-1]["id"]


def _count(found: _Recent, decision: decisions.Decision) -> None:
    if decision.kind == "judged":
        found.verdicts.update(str(ruling.verdict) for ruling in decision.fields)
    elif decision.outcome:
        found.writes[f"{decision.kind} {decision.system}: {decision.outcome}"] += 1
    else:
        found.writes[f"{decision.kind} {decision.system}"] += 1


def _due(row: Any, now_ms: int) -> Due:
    kind = Kind(row["kind"])
    return Due(
        what="write" if kind.writes else "look",
        system=kind.system,
        lane=Lane(row["lane"]).name.lower(),
        pairs=row["pairs"],
        due=row["due"],
        oldest_ms=now_ms - row["oldest"],
    )


def _contested(states: list[PairState]) -> dict[str, int]:
    """Why fields are held, from a sample of the newest pairs."""
    reasons = Counter(f"{key}: {item.hold}" for state in states for key, item in state.fields.items() if item.hold)
    return dict(reasons.most_common(_TOP))


def _cycle(row: Any, now_ms: int) -> Cycle:
    told = dict(row)
    return Cycle(ago_ms=now_ms - told.pop("at"), **told)


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


async def _spent(connection: Any, expected: Expected) -> tuple[Spent, ...]:
    purposes: dict[str, dict[str, int]] = {str(system): {} for system in System}
    for row in await connection.fetch(_SPENT):
        purposes.setdefault(row["system"], {})[f"{Lane(row['lane']).name.lower()} {row['purpose']}"] = row["calls"]
    states = {row["system"]: row["state"] for row in await connection.fetch(_BUDGETS)}
    return tuple(_spent_by(system, states.get(system), by, expected) for system, by in purposes.items() if by or system in states)


def _spent_by(system: str, stored: str | None, by_purpose: Mapping[str, int], expected: Expected) -> Spent:
    now_ms = expected.now_ms
    state = msgspec.json.decode(stored, type=BudgetState) if stored else BudgetState()
    over = 0 < state.day_ends <= now_ms
    used = 0 if over else state.day_used
    blocked = max(0, state.blocked_until - now_ms)
    return Spent(
        system=system, used=used, limit=state.day_limit or expected.day_calls[System(system)], blocked_ms=blocked, by_purpose=by_purpose
    )

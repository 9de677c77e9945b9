"""What waits for a person, grouped by its cause, and one of them in full: the candidates of an ambiguous match side by side, a conflict
with what both sides say and what stood before."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from consumers.desk.causes import Cause, of_field, of_hold, of_refusal
from consumers.desk.letters import Letter
from consumers.desk.undoing import NOTHING_PICKED, steps_of
from consumers.judging.meeting.candidates import ALIKE_MAX, AMBIGUOUS
from consumers.mapping.fields import SyncRules
from consumers.merge.pair.state import PairState
from consumers.merge.pair.stored import unpack
from consumers.reports.records.called import name_of
from consumers.reports.records.record import wins
from consumers.reports.records.story import decisions_about
from consumers.reports.standing.lists import Listed, Queue, listed
from streams.wire.events import Value
from streams.wire.systems import System

_ALIKE = """
select id, state from pairs where match_key = $1 and not gone and id <> $2 order by id limit $3
"""
_WITH_RECORD = "select id, state from pairs where (salesforce_id = $1 or marketo_id = $1) and id <> $2 order by id limit $3"
_PAIR = "select id, state, match_key from pairs where id = $1"
_EXAMPLES = 3
_DECISIONS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Things that wait for one cause. `since_ms`: of the oldest, 0 where it isn't known; `examples`: the first few, in words."""

    cause: str
    what: str
    remedy: str
    count: int
    since_ms: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that waits, with its cause."""

    cause: Cause
    listed: Listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A pair that an ambiguous match may be. `values`: what is agreed of it, by field."""

    pair: int
    name: str
    salesforce_id: str
    marketo_id: str
    values: dict[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambiguity:
    """A held pair, and those that it may be, side by side: the fields in which they differ or that tell who they are."""

    held: Candidate
    candidates: tuple[Candidate, ...]
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A field that waits for a person: what each side says, and what both had agreed on before
    (`base_known`: whether that is kept still)."""

    pair: int
    name: str
    object: str
    field: str
    salesforce: Value
    base: Value
    base_known: bool
    marketo: Value
    rule: str
    why: str
    cause: str


async def holds(connection: Any, rules: SyncRules, *, cause: str = "", most: int) -> list[Line]:
    """Pairs that are held, and what systems refuse, newest first. `cause`: only those of that one."""
    held = [Line(cause=of_hold(each.why), listed=each) for each in await listed(connection, Queue.HELD, rules, most=most)]
    refused = await listed(connection, Queue.REFUSED, rules, most=most)
    lines = [*held, *(Line(cause=of_refusal(each.system, each.why), listed=each) for each in refused)]
    return [line for line in lines if not cause or line.cause.name == cause]


async def conflicts(connection: Any, rules: SyncRules, *, cause: str = "", field: str = "", most: int) -> list[Line]:
    """Fields that are held, newest first."""
    lines = [Line(cause=of_field(each.why), listed=each) for each in await listed(connection, Queue.CONTESTED, rules, most=most)]
    return [line for line in lines if (not cause or line.cause.name == cause) and (not field or line.listed.field == field)]


def grouped(lines: Iterable[Line]) -> list[Group]:
    """By cause, the most frequent first."""
    return _grouped([(line.cause, line.listed.since_ms, _worded(line.listed)) for line in lines])


def letters_grouped(letters: Iterable[Letter]) -> list[Group]:
    """The same of dead letters."""
    return _grouped([(each.cause, each.at, f"{each.number}: {each.key or each.topic or each.stage}") for each in letters])


async def ambiguity(connection: Any, pair: int) -> Ambiguity | None:
    """The pair and those that it may be; None: it is not held for an ambiguous match."""
    row = await connection.fetchrow(_PAIR, pair)
    state = unpack(row["state"]) if row is not None else PairState()
    if row is None or not state.hold.startswith(AMBIGUOUS):
        return None
    rows = await connection.fetch(_ALIKE, state.waits, pair, ALIKE_MAX)
    if not rows and state.waits:
        rows = await connection.fetch(_WITH_RECORD, state.waits, pair, ALIKE_MAX)
    held, others = _candidate(pair, state), tuple(_candidate(each["id"], unpack(each["state"])) for each in rows)
    keys = dict.fromkeys(key for each in (held, *others) for key, value in each.values.items() if value not in (None, "", False))
    return Ambiguity(held=held, candidates=others, fields=tuple(sorted(keys)))


async def conflict(connection: Any, rules: SyncRules, pair: int, field: str) -> Conflict | None:
    """A field that is held, from the ledger; None: it isn't held."""
    row = await connection.fetchrow(_PAIR, pair)
    state = unpack(row["state"]) if row is not None else PairState()
    held = state.fields.get(field)
    mapping = rules.objects[state.object].by_key.get(field)
    if held is None or not held.hold or mapping is None:
        return None
    base, known = await _before(connection, pair, field, held.version)
    return Conflict(
        pair=pair,
        name=name_of(state),
        object=str(state.object),
        field=field,
        salesforce=held.side(System.SALESFORCE).seen,
        base=base,
        base_known=known,
        marketo=held.side(System.MARKETO).seen,
        rule=wins(mapping.rule),
        why=held.hold,
        cause=of_field(held.hold).name,
    )


async def _before(connection: Any, pair: int, field: str, version: int) -> tuple[Value, bool]:
    """What was agreed before the agreement of this version; whether that is still known."""
    if version <= 1:
        return None, True
    for _, decision in await decisions_about(connection, pair, field, most=_DECISIONS):
        step = steps_of(decision, NOTHING_PICKED).get(field)
        if step is not None and step.version < version:
            return step.value, True
    return None, False


def _candidate(pair: int, state: PairState) -> Candidate:
    return Candidate(
        pair=pair,
        name=name_of(state),
        salesforce_id=state.salesforce.id,
        marketo_id=state.marketo.id,
        values={key: field.value for key, field in state.fields.items()},
    )


def _worded(each: Listed) -> str:
    told = f"{each.person} ({each.salesforce_id or each.marketo_id})"
    return f"{told} {each.field}" if each.field else told


def _grouped(told: Sequence[tuple[Cause, int, str]]) -> list[Group]:
    by_name: dict[str, list[tuple[Cause, int, str]]] = {}
    for each in told:
        by_name.setdefault(each[0].name, []).append(each)
    groups = [
        Group(
            cause=name,
            what=some[0][0].what,
            remedy=some[0][0].remedy,
            count=len(some),
            since_ms=min((since for _, since, _ in some if since), default=0),
            examples=tuple(example for _, _, example in some[:_EXAMPLES]),
        )
        for name, some in by_name.items()
    ]
    return sorted(groups, key=lambda group: (-group.count, group.cause))

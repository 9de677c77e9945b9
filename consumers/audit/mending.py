"""What mends a pair: what was read is judged like any other reading, so that nothing newer is overwritten. Pure.

Only where the ledger has it that both sides show the agreement, and they don't, is something undone first: that field meets anew, as if
nobody had seen anybody, and its rule decides.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from consumers.audit.compare import Cause, Class, Difference, Readings, compare, contradicted
from consumers.merge.edits.values import Unfit, neutral
from consumers.merge.events.reading import judge_reading
from consumers.merge.pair.decision import Ruling
from consumers.merge.pair.state import NEVER, Field, PairState, Side, shallow
from consumers.merge.terms import Terms
from consumers.merge.writing.plan import Create, Delete, Merge, Nothing, Update, plan
from streams.wire.events import Value
from streams.wire.systems import MARKETO, SALESFORCE, System

REREAD = frozenset({Cause.GONE, Cause.BACK, Cause.UNWRITTEN})
"""Of the record as a whole: its reading anew tells what it has come to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What would be written to one side: `do` in a word, and the fields with their values."""

    system: System
    do: str
    fields: Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """A pair afterwards, what was ruled, and what its sides are owed by that."""

    state: PairState
    rulings: tuple[Ruling, ...]
    writes: tuple[Written, ...]


def mended(state: PairState, readings: Readings, terms: Terms, now: int) -> Mended | None:
    """The pair, judged by these readings. None: there is no true drift (any more)."""
    true = [each for each in compare(state, readings, terms) if each.klass is Class.TRUE_DRIFT]
    if not true:
        return None
    state = reopened(state, readings, contradicted(state, true, terms), terms)
    rulings: list[Ruling] = []
    for system in System:
        reading = readings.get(system)
        if reading is not None:
            state, told = judge_reading(state, reading, terms)
            rulings += told
    state = terms.with_due(state, now)
    return Mended(state=state, rulings=tuple(rulings), writes=tuple(owed_now(state, terms)))


def reopened(state: PairState, readings: Readings, keys: Collection[str], terms: Terms) -> PairState:
    """The pair with fields that meet anew: Salesforce's value is what is agreed at first, and Marketo's side was never seen.

    Fields of which a write is under way are let be: the feed tells of them.
    """
    changed: dict[str, Field] = {}
    for key in keys:
        field, item = state.fields.get(key), terms.mapping(state).by_key.get(key)
        reading = readings.get(SALESFORCE)
        if field is None or item is None or field.salesforce.writes or field.marketo.writes:
            continue
        if reading is None or item.salesforce not in reading.fields:
            changed[key] = field.with_side(MARKETO, _unseen(field.marketo))
            continue
        try:
            value = neutral(item.type, reading.fields[item.salesforce])
        except Unfit:
            continue
        new = shallow(field)
        new.value, new.version, new.agreed_at = value, field.version + 1, reading.at
        new.salesforce, new.marketo = shallow(field.salesforce), _unseen(field.marketo)
        new.salesforce.seen, new.salesforce.shows, new.salesforce.learnt = value, new.version, False
        changed[key] = new
    return state.with_fields(changed) if changed else state


def _unseen(side: Side) -> Side:
    new = shallow(side)
    new.known, new.shows, new.seen_at, new.ahead_at, new.learnt, new.undone = False, NEVER, 0, 0, False, 0
    return new


def to_reread(differences: Collection[Difference]) -> bool:
    """Whether the records themselves are to be read by those who look."""
    return any(each.klass is Class.TRUE_DRIFT and not each.field and each.cause in REREAD for each in differences)


def owed_now(state: PairState, terms: Terms) -> list[Written]:
    """What would be written of this pair now, to either side."""
    found = []
    for system in System:
        match plan(state, system, terms.rules, exact=terms.exact_on(system)):
            case Create() as order:
                found.append(Written(system=system, do="create", fields={out.name: out.value for out in order.fields}))
            case Update() as order:
                found.append(Written(system=system, do="update", fields={out.name: out.value for out in order.fields}))
            case Delete():
                found.append(Written(system=system, do="delete", fields={}))
            case Merge():
                found.append(Written(system=system, do="merge", fields={}))
            case Nothing():
                pass
    return found

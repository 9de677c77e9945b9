"""What two readings of a pair say against its state: a difference for each field that does not stand as the ledger has it, with its class.

Pure. Whether a value is news is asked of the judge itself, so nothing is called a difference that a repair would not act on.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from consumers.mapping.fields import FieldMapping, ObjectMapping
from consumers.merge.edits.values import Unfit, clipped, equal, neutral
from consumers.merge.edits.values import wire as on_the_wire
from consumers.merge.edits.verdicts import same
from consumers.merge.events.reading import judge_reading
from consumers.merge.lives.aside import in_sight_of
from consumers.merge.pair.decision import Ruling, Verdict
from consumers.merge.pair.state import Field, PairState, Record
from consumers.merge.terms import Terms
from consumers.merge.writing.plan import may_create, owed, row_mark
from consumers.merge.writing.witness import WAITS
from streams.wire.events import ChangeEvent, Value
from streams.wire.systems import SALESFORCE, System

WHOLE = ""
"""`field` of a difference that is about the record as a whole."""
Readings = Mapping[System, ChangeEvent | None]
"""By side: what was read; None: the record can't be found there. Absent: that side was not read."""


class Class(StrEnum):
    """Why two sides differ."""

    IN_FLIGHT = "in_flight"
    """Something is under way that will end it; or it was not read often enough to say."""
    HELD = "held"
    """It waits for a person, or for a parent."""
    REFUSED = "refused"
    """A system doesn't take it."""
    RULE_BLOCKED = "rule_blocked"
    """The configuration wants it so."""
    UNMAPPED = "unmapped"
    """Nothing keeps it in step: it was never copied, or its kind is switched off."""
    HIDDEN = "hidden"
    """Tandem's user doesn't see it."""
    TRUE_DRIFT = "true_drift"
    """Nothing explains it: it escaped, or something is damaged."""


class Cause(StrEnum):
    """What speaks for true drift."""

    NONE = ""
    UNTOLD = "untold"
    """A side shows what no event, stamp or reading has told."""
    UNEQUAL = "unequal"
    """The ledger has it that both sides show the agreement, and they don't."""
    UNWRITTEN = "unwritten"
    """A side is owed a write that nobody is going to make."""
    DAMAGED = "damaged"
    """What the ledger has of it can't be read."""
    GONE = "gone"
    """A record is not there any more."""
    BACK = "back"
    """A record is there that was taken for deleted."""
    UNKNOWN = "unknown"
    """A record of which the ledger has never heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One field that differs (`WHOLE`: the record). `why` is a sentence without a full stop and without values."""

    field: str
    klass: Class
    why: str
    cause: Cause = Cause.NONE
    salesforce: Value = None
    marketo: Value = None
    agreed: Value = None


def compare(state: PairState, readings: Readings, terms: Terms) -> tuple[Difference, ...]:
    """Every difference, the record's own first. Empty: both sides are proven to stand as the ledger has it."""
    mapping = terms.mapping(state)
    if mapping.left_out:
        return (Difference(field=WHOLE, klass=Class.UNMAPPED, why=f"{state.object} records are not kept in step"),)
    whole = _whole(state, readings, mapping, terms)
    if whole is not None and whole.cause in (Cause.GONE, Cause.BACK):
        return (whole,)
    rulings: dict[System, dict[str, Ruling]] = {}
    for system, reading in readings.items():
        if reading is not None:
            rulings[system] = {each.field: each for each in judge_reading(state, reading, terms)[1]}
    each = (_field(state, item, readings, rulings, terms) for item in mapping.fields if not item.fixed)
    found = [difference for difference in (whole, *each) if difference is not None]
    return tuple(_settling(difference) for difference in found) if _is_settling(state) else tuple(found)


def _settling(found: Difference) -> Difference:
    if found.klass is not Class.TRUE_DRIFT:
        return found
    return replace(found, klass=Class.IN_FLIGHT, why="a call, a reading or a change of the record is under way")


def _is_settling(state: PairState) -> bool:
    """Whether something is under way for the pair as a whole that will tell more."""
    if state.waiting or state.retract or state.merges:
        return True
    return any(record.calling or record.creating or record.reread or record.heir for record in (state.salesforce, state.marketo))


def _whole(state: PairState, readings: Readings, mapping: ObjectMapping, terms: Terms) -> Difference | None:
    for system, reading in readings.items():
        record = state.record(system)
        if record.id and not record.deleted and reading is None:
            return _missing(state, system)
        if record.deleted and reading is not None and reading.at > record.at:
            return _differs(state, WHOLE, Class.TRUE_DRIFT, f"{system}'s record is there, and was taken for deleted", Cause.BACK)
    for system in System:
        source = state.record(system)
        if source.id and not source.deleted and readings.get(system) is not None and not state.record(system.other).id:
            return _alone(state, system.other, mapping, terms)
    return None


def _missing(state: PairState, system: System) -> Difference:
    if not in_sight_of(state, system):
        return _differs(state, WHOLE, Class.HIDDEN, state.hold)
    if state.hold:
        return _differs(state, WHOLE, Class.HELD, state.hold)
    if _is_settling(state):
        return _differs(state, WHOLE, Class.IN_FLIGHT, f"{system}'s record is being looked for")
    return _differs(state, WHOLE, Class.TRUE_DRIFT, f"{system}'s record can't be found, and nothing told of its end", Cause.GONE)


def _alone(state: PairState, target: System, mapping: ObjectMapping, terms: Terms) -> Difference | None:
    """Why there is no record on this side."""
    record, due = state.record(target), state.due[0 if target is SALESFORCE else 1]
    if state.hold:
        return _differs(state, WHOLE, Class.HELD, state.hold)
    if record.refused and record.refused_mark == row_mark(state, terms.rules):
        return _differs(state, WHOLE, *_refusal(record.refused))
    if not state.record(target.other).complete or record.creating or record.calling or state.record(target.other).reread:
        return _differs(state, WHOLE, Class.IN_FLIGHT, f"it is being made in {target}")
    if not may_create(state, target, terms.rules):
        why = "nothing links them" if mapping.linked else f"by the rules it is not to be in {target}"
        return _differs(state, WHOLE, Class.RULE_BLOCKED, why)
    if due:
        return _differs(state, WHOLE, Class.IN_FLIGHT, f"it is going to be made in {target}")
    return _differs(state, WHOLE, Class.TRUE_DRIFT, f"it should be in {target}, and nobody is going to make it", Cause.UNWRITTEN)


def _refusal(reason: str) -> tuple[Class, str]:
    return (Class.HELD, reason) if reason.startswith(WAITS) else (Class.REFUSED, reason)


_PASSING = frozenset({Verdict.WAITING, Verdict.SUPERSEDED})


@dataclass(frozen=True, slots=True)
class _Case:
    """One field of a pair, with what was read of it."""

    state: PairState
    item: FieldMapping
    field: Field
    values: Mapping[System, Value]
    """By side that shows it."""
    readings: Readings

    def differs(self, klass: Class, why: str, cause: Cause = Cause.NONE) -> Difference:
        """The difference, with all values."""
        one, other = _clip(self.values.get(System.SALESFORCE)), _clip(self.values.get(System.MARKETO))
        agreed = _clip(self.field.value)
        return Difference(field=self.item.key, klass=klass, why=why, cause=cause, salesforce=one, marketo=other, agreed=agreed)

    def counts(self, system: System) -> bool:
        """Whether this side is to show the field at all."""
        record = self.state.record(system)
        return bool(record.id) and not record.deleted and self.readings.get(system) is not None and bool(self.item.name_on(system))


def _field(
    state: PairState, item: FieldMapping, readings: Readings, rulings: Mapping[System, Mapping[str, Ruling]], terms: Terms
) -> Difference | None:
    told = dict(_told(item, readings))
    values = {system: value for system, value in told.items() if not isinstance(value, Unfit)}
    case = _Case(state, item, state.fields.get(item.key) or Field(), values, readings)
    for system, value in told.items():
        if isinstance(value, Unfit):
            return _unfit(case, system, value)
        ruling = rulings.get(system, {}).get(item.key)
        if ruling is not None and (news := _news(case, system, ruling)) is not None:
            return news
    return _standing(case, exact=terms.exact)


def _told(item: FieldMapping, readings: Readings) -> Iterator[tuple[System, Value | Unfit]]:
    for system, reading in readings.items():
        name = item.name_on(system)
        if reading is None or not name or name not in reading.fields:
            continue
        try:
            yield system, neutral(item.type, reading.fields[name])
        except Unfit as error:
            yield system, error


def _unfit(case: _Case, system: System, why: Unfit) -> Difference:
    if known := case.field.side(system).unusable:
        return case.differs(Class.REFUSED, f"{system}'s value can't be taken: {known}")
    return case.differs(Class.TRUE_DRIFT, f"{system} shows a value that can't be taken, and nothing has told of it: {why}", Cause.UNTOLD)


def _news(case: _Case, system: System, ruling: Ruling) -> Difference | None:
    """What the judge would make of a value that the ledger doesn't expect."""
    if ruling.verdict in _PASSING:
        return case.differs(Class.IN_FLIGHT, f"{system}: {ruling.reason}")
    if case.state.hold:
        return case.differs(Class.HELD, case.state.hold)
    if ruling.verdict is Verdict.LEFT:
        return case.differs(Class.RULE_BLOCKED, ruling.reason)
    return case.differs(Class.TRUE_DRIFT, f"{system} shows a value that nothing has told of", Cause.UNTOLD)


def _standing(case: _Case, *, exact: bool) -> Difference | None:
    """What the ledger itself has of a field whose values are no news."""
    field, values = case.field, case.values
    target = next((system for system in System if case.counts(system) and field.side(system).shows != field.version), None)
    if target is None:
        return _as_agreed(case)
    if len(values) == len(System) and equal(case.item, *values.values()):
        return None
    if (known := _known_why(case, target)) is not None:
        return case.differs(*known)
    if target not in values:
        return case.differs(Class.HIDDEN, f"{target} doesn't show {case.item.name_on(target)} to Tandem's user")
    if case.state.due[0 if target is SALESFORCE else 1] or not owed(field, target, case.item, exact=exact):
        return case.differs(Class.IN_FLIGHT, f"it is on its way to {target}")
    return case.differs(Class.TRUE_DRIFT, f"{target} is owed it, and nobody is going to write it", Cause.UNWRITTEN)


def _known_why(case: _Case, target: System) -> tuple[Class, str] | None:
    field, side, record = case.field, case.field.side(target), case.state.record(target)
    if side.refused == field.version:
        return _refusal(side.reason or f"{target} refused it")
    if record.refused:
        return _refusal(record.refused)
    if why := field.hold or case.state.hold:
        return Class.HELD, why
    if not case.item.direction.reaches(target):
        return Class.RULE_BLOCKED, f"{case.item.direction}: nothing is written to {target}"
    if case.state.record(target.other).deleted:
        return Class.RULE_BLOCKED, f"its record in {target.other} is deleted"
    return None


def _as_agreed(case: _Case) -> Difference | None:
    """Every side shows the agreement, says the ledger: do they?"""
    for system, value in case.values.items():
        if _stands_for(case, system, value):
            continue
        if not case.item.direction.reaches(system.other):
            return case.differs(Class.RULE_BLOCKED, f"{case.item.direction}: the value stays on {system} alone")
        if case.field.salesforce.writes or case.field.marketo.writes:
            return case.differs(Class.IN_FLIGHT, "a write of it is under way")
        return case.differs(
            Class.TRUE_DRIFT, "the ledger has it that both sides show what was agreed, and they don't", Cause.UNEQUAL
        )  # fmt: skip
    return None


def _stands_for(case: _Case, system: System, value: Value) -> bool:
    """Whether a value is what this side makes of the agreement."""
    item, field = case.item, case.field
    side = field.side(system)
    if same(item, side, value, field.value):
        return True
    if item.parent and isinstance(side.seen, int):  # Marketo's own number of the agreed parent: whoever read it has looked it up
        return str(side.seen) == value
    try:
        sent = neutral(item.type, on_the_wire(item, system, field.value))
    except Unfit:
        return False
    return same(item, side, value, sent) or (field.value is None and equal(item, value, item.required_default))


def contradicted(state: PairState, differences: Iterable[Difference], terms: Terms) -> list[str]:
    """Of fields in true drift those that have to meet anew: a side shows the agreement, says the ledger, and it saw another value there."""
    found, mapping = [], terms.mapping(state)
    for each in differences:
        item, field = mapping.by_key.get(each.field), state.fields.get(each.field)
        if each.klass is not Class.TRUE_DRIFT or item is None or field is None:
            continue
        case = _Case(state, item, field, {}, {})
        sides = [system for system in System if field.side(system).shows == field.version and item.direction.reaches(system.other)]
        if each.cause is Cause.UNEQUAL or any(not _stands_for(case, system, field.side(system).seen) for system in sides):
            found.append(each.field)
    return found


def _clip(value: Value) -> Value:
    return clipped(value) if isinstance(value, str) else value


def _differs(state: PairState, field: str, klass: Class, why: str, cause: Cause = Cause.NONE) -> Difference:
    one, other = state.salesforce, state.marketo
    return Difference(field=field, klass=klass, why=why, cause=cause, salesforce=_id_of(one), marketo=_id_of(other))


def _id_of(record: Record) -> Value:
    return record.id or None

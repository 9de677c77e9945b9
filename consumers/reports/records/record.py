"""One record on both sides, with the agreement between them: what differs, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from consumers.mapping.fields import FieldMapping, ObjectMapping, Rule, RuleName, SyncRules
from consumers.merge.edits.values import Unfit, equal, neutral
from consumers.merge.pair.state import NEVER, Field, PairState, Record
from consumers.merge.writing.plan import qualifies
from consumers.merge.writing.refused import RECORD, refusals
from consumers.merge.writing.witness import WAITS
from consumers.pauses.pauses import Pause
from consumers.reports.records.called import agreed, name_of
from consumers.reports.records.parents import NOTHING
from consumers.reports.records.relations import Relations
from streams.wire.events import Value
from streams.wire.systems import System

NO_RELATIONS = Relations()


class Mark(StrEnum):
    """How one side of a field stands to the agreement."""

    SAME = "same"
    UNDER_WAY = "under way"
    OWED = "owed"
    LOST = "lost"
    HELD = "held"
    REFUSED = "refused"
    WAITS = "waits"
    """For its parent."""
    LEFT = "left"
    ALTERED = "altered"
    """In step: the system makes this of what is agreed."""
    NEWS = "news"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class SideShown:
    """One field on one side. `value`: as the system shows it now where it was asked, else as its feed last told."""

    value: Value
    mark: Mark
    why: str = ""
    set_ms: int = 0
    """When its feed says that the value was set, by the system's clock; 0: not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldShown:
    """One field of a record."""

    field: str
    salesforce_name: str
    salesforce: SideShown
    agreed: Value
    version: int
    marketo: SideShown
    rule: str

    @property
    def differs(self) -> bool:
        """Whether it is not in step."""
        return bool({self.salesforce.mark, self.marketo.mark} - {Mark.SAME, Mark.ABSENT, Mark.ALTERED})

    @property
    def of_interest(self) -> bool:
        """Whether there is something to say of it."""
        return bool({self.salesforce.mark, self.marketo.mark} - {Mark.SAME, Mark.ABSENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordShown:
    """One pair. `person`: what it is called, whatever it is; `salesforce_note`, `marketo_note`: how that record itself stands."""

    pair: int
    object: str
    person: str
    email: str
    salesforce_id: str
    marketo_id: str
    salesforce_note: str
    marketo_note: str
    hold: str
    waiting: int
    live: bool
    fields: tuple[FieldShown, ...]
    relations: Relations = NO_RELATIONS
    pauses: tuple[Pause, ...] = ()
    """That keep it from being written to one side or the other: of it, of its kind, or of all."""

    @property
    def differences(self) -> int:
        """Fields that are not the same on both sides."""
        return sum(1 for each in self.fields if each.differs)


_NAMES = {System.SALESFORCE: "Salesforce", System.MARKETO: "Marketo"}
_WINS = {
    RuleName.NEWEST: "the newest wins",
    RuleName.NON_BLANK: "a value beats no value",
    RuleName.MAX: "the greater wins",
    RuleName.MIN: "the smaller wins",
    RuleName.SUM_DELTAS: "both changes are added",
    RuleName.UNION: "the choices of both",
    RuleName.TRUE_WINS: "true wins",
    RuleName.NEVER_BACKWARDS: "never backwards",
    RuleName.REVIEW: "a person decides",
    RuleName.FUNCTION: "your function decides",
}
Live = Mapping[System, Mapping[str, Value] | None]
"""What the systems show now, by API name. A system that is absent was not asked; None: it has no such record (any more)."""


def shown(
    pair: int,
    state: PairState,
    rules: SyncRules,
    live: Live,
    keeping: Mapping[str, str] = NOTHING,
    *,
    relations: Relations = NO_RELATIONS,
    pauses: Sequence[Pause] = (),
) -> RecordShown:
    """The record side by side. `keeping`: what keeps the parents that it waits for, by the fields that name them; `relations`: what it
    belongs to, and what belongs to it; `pauses`: all that there are.
    """
    mapping = rules.objects[state.object]
    return RecordShown(
        pair=pair,
        object=state.object,
        person=name_of(state),
        email=str(agreed(state, "email") or ""),
        salesforce_id=state.salesforce.id,
        marketo_id=state.marketo.id,
        salesforce_note=_record_note(state, System.SALESFORCE, rules, live),
        marketo_note=_record_note(state, System.MARKETO, rules, live),
        hold=state.hold,
        waiting=len(state.waiting),
        live=bool(live),
        fields=tuple(_with_parent(_field(item, state, live), keeping) for item in _order(mapping, state)),
        relations=relations,
        pauses=tuple(each for each in pauses if each.keeps(each.system, state.object, pair)),
    )


def _with_parent(field: FieldShown, keeping: Mapping[str, str]) -> FieldShown:
    if field.field not in keeping or field.marketo.mark is not Mark.WAITS:
        return field
    return replace(field, marketo=replace(field.marketo, why=f"{field.marketo.why}; {keeping[field.field]}"))


def fields_to_read(mapping: ObjectMapping, system: System) -> list[str]:
    """API names of the mapped fields on a system."""
    return sorted(mapping.by_name(system))


def wins(rule: Rule) -> str:
    """What a rule says of a conflict, in a few words."""
    return _WINS.get(rule.name) or f"{_NAMES[System(rule.name.value)]} wins"


def _order(mapping: ObjectMapping, state: PairState) -> list[FieldMapping]:
    return [item for item in mapping.fields if item.salesforce or item.key in state.fields]


def _field(item: FieldMapping, state: PairState, live: Live) -> FieldShown:
    field = state.fields.get(item.key) or Field()
    return FieldShown(
        field=item.key,
        salesforce_name=item.salesforce,
        salesforce=_side(item, field, state, System.SALESFORCE, live),
        agreed=field.value,
        version=field.version,
        marketo=_side(item, field, state, System.MARKETO, live),
        rule=wins(item.rule),
    )


def _side(item: FieldMapping, field: Field, state: PairState, system: System, live: Live) -> SideShown:
    side = field.side(system)
    value = _value(item, side.seen, system, live)
    record = state.record(system)
    if not record.id or record.deleted or not item.name_on(system):
        return SideShown(value=value, mark=Mark.ABSENT)
    mark, why = _stands(item, field, system)
    told = equal(item, value, side.seen)
    if not told and mark in (Mark.SAME, Mark.ALTERED, Mark.OWED, Mark.LOST) and not equal(item, value, field.value):
        return SideShown(value=value, mark=Mark.NEWS, set_ms=side.seen_at, why=f"changed in {system}; its feed has not told yet")
    return SideShown(value=value, mark=mark, why=why, set_ms=side.seen_at)


def _stands(item: FieldMapping, field: Field, system: System) -> tuple[Mark, str]:
    side = field.side(system)
    reaches = item.direction.reaches(system)
    if side.unusable:
        return Mark.REFUSED, f"{system} has a value that can't be taken: {side.unusable} ({side.unusable_value})"
    if field.hold and side.shows != field.version:
        return Mark.HELD, field.hold
    if side.shows == field.version:
        alone = not reaches and not equal(item, side.seen, field.value)
        if not alone and side.learnt and not equal(item, side.seen, field.value):
            return Mark.ALTERED, f"{_NAMES[system]} stores “{side.seen}” for “{field.value}”"
        return (Mark.LEFT, f"{item.direction}: a value of {system}'s own") if alone else (Mark.SAME, "")
    if side.refused == field.version:
        return Mark.WAITS if side.reason.startswith(WAITS) else Mark.REFUSED, side.reason
    if any(write.version == field.version for write in side.writes):
        return Mark.UNDER_WAY, "written; its feed has not shown it yet"
    if not reaches:
        return Mark.LEFT, f"{item.direction}: {system} is not written to"
    if side.shows == NEVER and side.known:
        return Mark.LOST, "its value lost; the agreement is owed"
    return Mark.OWED, f"owed: shows version {side.shows}, agreed is {field.version}" if side.shows != NEVER else "not met yet"


def _value(item: FieldMapping, seen: Value, system: System, live: Live) -> Value:
    """As the system shows it where it was asked, else as its feed last told. A parent that Marketo names by a number of its own can't be
    held against the Salesforce id by which we know it."""
    row = live.get(system)
    name = item.name_on(system)
    numbered = row is not None and bool(item.parent) and str(row.get(name)).isdecimal()
    if row is None or name not in row or numbered:
        return seen
    try:
        return neutral(item.type, row[name])
    except Unfit:
        return row[name]


def _record_note(state: PairState, system: System, rules: SyncRules, live: Live) -> str:
    record = state.record(system)
    if record.id and system in live and live[system] is None:
        return "not there any more, or not visible to Tandem's user"
    if record.deleted:
        return "deleted"
    if record.id:
        notes = ["created by Tandem"] if record.origin else []
        notes += ["a call is under way"] if record.calling else []
        stays = refusals(state).get((system, RECORD), "")
        notes += [f"stays: {stays}"] if stays else []
        notes += ["to be read"] if record.reread or not record.complete else []
        return ", ".join(notes)
    return _absence(state, record, system, rules)


def _absence(state: PairState, record: Record, system: System, rules: SyncRules) -> str:
    if record.refused.startswith(WAITS):
        return f"not created yet: {record.refused}"
    if record.refused:
        return f"creation refused: {record.refused}"
    if record.creating:
        return "creation under way"
    if state.hold:
        return f"not created: {state.hold}"
    if not rules.objects[state.object].is_person:
        return "not created yet" if rules.objects[state.object].flow.reaches(system) else f"{_NAMES[system]} is not written to"
    if system is System.SALESFORCE and not qualifies(state, rules.qualification):
        return "not in Salesforce: the person does not qualify (people.qualify)"
    return "not created yet"

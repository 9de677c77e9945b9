"""What to write to one side's record now. Pure: a value comes out, nothing is done."""

from dataclasses import dataclass

from consumers.mapping.fields import Clause, FieldMapping, ObjectMapping, Qualification, SyncRules
from consumers.merge.edits.values import NOBODY, Unfit, blank, wire
from consumers.merge.pair.state import Field, PairState, Record
from streams.wire.events import Value
from streams.wire.systems import MARKETO, PERSON, SALESFORCE, Object, System


@dataclass(frozen=True, slots=True, kw_only=True)
class Out:
    """One field of a write: its name on the target, the value sent, the version it carries."""

    key: str
    name: str
    value: Value
    version: int
    parent: str = ""
    """Of a reference: the kind of record that it names."""
    parent_required: bool = False

    @property
    def names(self) -> str:
        """Of a reference: the Salesforce id of the record that `value` names; empty where that is nobody."""
        return str(self.value) if self.parent and self.value not in (None, NOBODY) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """A record to be made on the target."""

    object: Object
    fields: tuple[Out, ...]
    refused: tuple[tuple[str, str], ...] = ()
    mark: int = 0
    """What it was planned from (`row_mark`): a refusal of the row holds as long as that is the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Fields to be written to an existing record."""

    object: Object
    id: str
    fields: tuple[Out, ...]
    refused: tuple[tuple[str, str], ...] = ()
    """Fields that the target can't take, each with the reason."""
    mark: int = 0
    """As of a creation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """A record of ours that turned out to be a second one of the same person, or one that the configuration deletes."""

    object: Object
    id: str
    spare: bool = False
    """A second one of ours: it goes only if nothing hangs on it, which the system is asked right before."""
    why: str = ""
    """What speaks for it, for the decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Records of the same person that are to end in one."""

    object: Object
    id: str
    losers: tuple[str, ...]
    mark: int = 0
    """As of a creation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """Nothing to send now; `refused` as above."""

    refused: tuple[tuple[str, str], ...] = ()
    uncreatable: str = ""
    """Of a record that is to be made: why it can't be now."""


WRITTEN_ONCE = "Marketo changes no activity: it stays as it was when it was written"
_LOSERS_MAX = {SALESFORCE: 2, MARKETO: 25}
"""In one merge (Salesforce, SOAP API guide; Marketo, Merge Leads)."""
_PREFIX = 3
MAPPING_MARK = 0xFFFF_FFFF
Plan = Create | Update | Delete | Merge | Nothing


def plan(state: PairState, target: System, rules: SyncRules, *, exact: bool) -> Plan:
    """What to write to the target's record of this pair.

    `exact`: own changes on the target name the call that made them, so that a field may be written again before its last write
    came back. Otherwise at most one write of a field is under way.
    """
    if state.record(target).calling or rules.objects[state.object].left_out:
        return Nothing()
    for system, record_id in state.retract:
        if system is target:
            return Delete(object=sort_of_spare(state, target, record_id, rules), id=record_id, spare=True)
    if state.hold:
        return Nothing()
    mapping = rules.objects[state.object]
    record = state.record(target)
    if follows_deletion(state, target, rules):
        return Delete(object=state.named_on(target), id=record.id, why=_why_deleted(state, target))
    if losers := merges_owed(state, target, rules):
        return Merge(object=state.named_on(target), id=record.id, losers=losers, mark=row_mark(state, rules))
    if is_there(record, mapping):
        return _change(state, target, rules, exact=exact) if is_known(record) else Nothing()
    if spare := left_alone(state, target, mapping):
        return Delete(object=state.named_on(target), id=spare, why=_why_left(state))
    if not may_create(state, target, rules):
        return Nothing()
    outs, refused = _filled(state, target, mapping)
    return Create(object=state.named_on(target), fields=outs, refused=refused, mark=row_mark(state, rules))


def sort_of_spare(state: PairState, target: System, record_id: str, rules: SyncRules) -> Object:
    """What a record of ours is that is to go: the pair's own may be of another sort since (a lead was made for a contact's person)."""
    return rules.person_of(record_id, state.object) if target is SALESFORCE else state.counterpart


def _change(state: PairState, target: System, rules: SyncRules, *, exact: bool) -> Plan:
    """What a record is owed that is there, and known. One whose name there is to be another one can only go; it is made again then."""
    mapping, record = rules.objects[state.object], state.record(target)
    outs, refused = _outs(state, target, mapping, exact=exact)
    if target is MARKETO and mapping.written_once:
        return Nothing(refused=tuple((key, WRITTEN_ONCE) for key in (*(out.key for out in outs), *(key for key, _ in refused))))
    if target is MARKETO and any(mapping.by_key[out.key].is_key for out in outs):
        return Delete(object=state.named_on(target), id=record.id, why="what names it there has changed: it is made again")
    if outs:
        return Update(object=state.named_on(target), id=record.id, fields=outs, refused=refused, mark=row_mark(state, rules))
    if not refused and (spare := left_behind(state, target, mapping)):
        return Delete(object=state.named_on(target), id=spare, why=_why_left(state))
    return Nothing(refused=refused)


def merges_owed(state: PairState, target: System, rules: SyncRules) -> tuple[str, ...]:
    """The records that are to be merged into the target's now: as many as a call takes, of the object that it has.

    A call is refused as a whole. So whoever was among those of one that was refused is tried alone, and where that is refused, again once
    anything of the pair, its mapping or the rules has changed.
    """
    record = state.record(target)
    if not state.merges or not record.id or record.deleted or not rules.objects[state.object].is_person:
        return ()
    losers = [each for system, each in state.merges if system is target and each and mergeable(target, record.id, each)]
    if not state.unmerged:
        return tuple(losers[: _LOSERS_MAX[target]])
    refused, mark = {each: mark for each, _, mark in state.unmerged}, row_mark(state, rules)
    fresh = [each for each in losers if each not in refused]
    again = [each for each in losers if each in refused and refused[each] != mark]
    return tuple(fresh[: _LOSERS_MAX[target]] or again[:1])


def left_behind(state: PairState, target: System, mapping: ObjectMapping) -> str:
    """A record of one that was merged into this one, which Marketo doesn't merge: it goes once nobody belongs to it."""
    if not state.merges or mapping.is_person:
        return ""
    return next((each for system, each in state.merges if system is target and each), "")


def left_alone(state: PairState, target: System, mapping: ObjectMapping) -> str:
    """The same where the one it was merged into is gone as well, so that nothing else is to be done there first."""
    return left_behind(state, target, mapping) if state.merges and state.record(target.other).deleted else ""


def _why_left(state: PairState) -> str:
    return f"its {state.object} was merged into {state.salesforce.id}"


def mergeable(system: System, winner: str, loser: str) -> bool:
    """Whether the system merges these two: Salesforce only records of one object, which the first three characters of an id tell."""
    return system is MARKETO or winner[:_PREFIX] == loser[:_PREFIX]


def row_mark(state: PairState, rules: SyncRules) -> int:
    """A number that changes with every agreement of this pair, and (in the bits of `MAPPING_MARK`) with the mapping and its rules."""
    return (state.mark() & 0x3FFF_FFFF) << 32 | rules.objects[state.object].print


def qualifies(state: PairState, rule: Qualification) -> bool:
    """Whether a Marketo person may be created in Salesforce."""
    if rule.everyone:
        return True
    return any(all(_holds(state, clause) for clause in group) for group in rule.groups)


def _holds(state: PairState, clause: Clause) -> bool:
    field = state.fields.get(clause.field)
    value = field.marketo.seen if field else None
    if clause.filled and value in (None, ""):
        return False
    if clause.at_least is not None and not (isinstance(value, (int, float)) and value >= clause.at_least):
        return False
    if clause.any_of:
        wanted = {_folded(choice) for choice in clause.any_of}
        return _folded(value) in wanted or (value is None and False in wanted)
    return True


def _folded(value: Value) -> Value:
    return value.strip().casefold() if isinstance(value, str) else value


def may_create(state: PairState, target: System, rules: SyncRules) -> bool:
    """Whether the target's record is to be made."""
    source, record = state.record(target.other), state.record(target)
    if not source.id or source.deleted or not source.complete or record.creating:
        return False
    if record.refused and record.refused_mark == row_mark(state, rules):
        return False
    mapping = rules.objects[state.object]
    if not mapping.flow.reaches(target) or mapping.linked:
        return False
    if target is MARKETO:
        return _belongs_there(state, mapping, rules.own_user)
    return mapping.is_derived or state.wanted != 0 or qualifies(state, rules.qualification)


def _belongs_there(state: PairState, mapping: ObjectMapping, own_user: str) -> bool:
    """Whether Marketo is to have such a record at all: it is of the sort that goes there, and belongs to those it can't be without."""
    if any(_agreed(state, name) for name in mapping.unless):
        return False
    if mapping.author and own_user and _agreed(state, mapping.author) == own_user:
        return False
    return all(_agreed(state, item.key) for item in mapping.references if item.parent_required and not item.parent_may_lack)


def _agreed(state: PairState, key: str) -> Value:
    field = state.fields.get(key)
    return field.value if field is not None else None


def is_there(record: Record, mapping: ObjectMapping) -> bool:
    """Whether there is a record to update. One that is known by a key of ours, and gone, can be made again under that key."""
    return bool(record.id) and not (record.deleted and mapping.is_made_again)


def is_known(record: Record) -> bool:
    """Whether what stands in this record is known; one that is to be read is written to after that, else a change might go unread."""
    return record.complete and not record.deleted and not record.reread


def follows_deletion(state: PairState, target: System, rules: SyncRules) -> bool:
    """Whether the target's record is to be deleted since the other side's was."""
    mapping, record = rules.objects[state.object], state.record(target)
    if target is SALESFORCE:
        follows = mapping.delete_in_salesforce or (rules.delete_in_salesforce and mapping.is_person)
    else:
        follows = mapping.delete_in_marketo
    return follows and state.record(target.other).deleted and bool(record.id) and not record.deleted


def _why_deleted(state: PairState, target: System) -> str:
    if target is SALESFORCE:
        if state.counterpart != PERSON:
            return f"{state.counterpart} {state.marketo.id} was deleted in Marketo"
        return f"person {state.marketo.id} was deleted in Marketo, which the configuration follows (people.delete_in_salesforce)"
    setting = ", which the configuration follows (people.delete_in_marketo)" if state.counterpart == PERSON else ""
    return f"{state.object} {state.salesforce.id} was deleted in Salesforce{setting}"


def owed(field: Field, target: System, mapping: FieldMapping, *, exact: bool) -> bool:
    """Whether the target's side of this field is owed a write now."""
    side = field.side(target)
    if side.shows == field.version or field.hold or side.refused == field.version or not side.known or mapping.fixed:
        return False
    if not mapping.direction.reaches(target) or not mapping.name_on(target):
        return False
    return not side.writes or all((exact or entry.read) and entry.version != field.version for entry in side.writes)


def _outs(state: PairState, target: System, mapping: ObjectMapping, *, exact: bool) -> tuple[tuple[Out, ...], tuple[tuple[str, str], ...]]:
    outs: list[Out] = []
    refused: list[tuple[str, str]] = []
    for key, field in state.unsettled().items():
        item = mapping.by_key.get(key)
        if item is None or not owed(field, target, item, exact=exact):
            continue
        _put(item, field, target, outs, refused)
    return tuple(outs), tuple(refused)


def _filled(state: PairState, target: System, mapping: ObjectMapping) -> tuple[tuple[Out, ...], tuple[tuple[str, str], ...]]:
    """All fields of a new record that hold a value, and the defaults that the target demands where they don't."""
    outs: list[Out] = []
    refused: list[tuple[str, str]] = []
    for item in mapping.fields:
        field = state.fields.get(item.key) or Field()
        wanted = item.direction.reaches(target) and bool(item.name_on(target))
        if wanted and (not blank(item, field.value) or (target is MARKETO and _told_blank(mapping, item))) and not field.hold:
            _put(item, field, target, outs, refused)
        elif wanted and item.required_default and target is SALESFORCE:
            outs.append(Out(key=item.key, name=item.salesforce, value=item.required_default, version=field.version))
    return tuple(outs), tuple(refused)


def _told_blank(mapping: ObjectMapping, item: FieldMapping) -> bool:
    """Whether a new record is told that a field is blank: under a key of ours another one may stand already."""
    return mapping.resource is not None and not mapping.is_derived and not item.parent


def _put(item: FieldMapping, field: Field, target: System, outs: list[Out], refused: list[tuple[str, str]]) -> None:
    try:
        value = wire(item, target, field.value)
    except Unfit as error:
        refused.append((item.key, str(error)))
    else:
        parent, required = (item.parent, item.parent_required) if target is MARKETO else ("", False)
        outs.append(
            Out(key=item.key, name=item.name_on(target), value=value, version=field.version, parent=parent, parent_required=required)
        )

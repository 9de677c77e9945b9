"""What to write to one side's record now. Pure: a value comes out, nothing is done.

`due` tells when there is something to do for a pair, `plan` what; `intend` and `settle_*` are the states before and after the call.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from consumers.mapping import Clause, FieldMapping, ObjectMapping, Qualification, SyncRules
from consumers.merge.state import FAILED, PENDING, Field, PairState, Record, Side, Write, copy
from consumers.merge.values import Unfit, blank, wire
from streams.events import Value
from streams.systems import MARKETO, SALESFORCE, Object, System


@dataclass(frozen=True, slots=True, kw_only=True)
class Out:
    """One field of a write: its name on the target, the value sent, the version it carries."""

    key: str
    name: str
    value: Value
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """A record to be made on the target."""

    object: Object
    fields: tuple[Out, ...]
    refused: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Fields to be written to an existing record."""

    object: Object
    id: str
    fields: tuple[Out, ...]
    refused: tuple[tuple[str, str], ...] = ()
    """Fields that the target can't take, each with the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """A record of ours that turned out to be a second one of the same person, or one that the configuration deletes."""

    object: Object
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """Nothing to send now; `refused` as above."""

    refused: tuple[tuple[str, str], ...] = ()


Plan = Create | Update | Delete | Nothing

_REREAD_MS = 2_000
"""A record that is to be read waits no longer than this for a look that was due later (a lease, a silent write)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long calls and feeds are waited for, ms."""

    call_ms: int = 120_000
    silent_ms: int = 60_000
    """After a write: when to look, if the feed has not shown it."""
    lost_ms: int = 600_000
    """After a write: from when on the feed is taken to have lost it."""


def plan(state: PairState, target: System, rules: SyncRules, *, exact: bool) -> Plan:
    """What to write to the target's record of this pair.

    `exact`: own changes on the target name the call that made them, so that a field may be written again before its last write
    came back. Otherwise at most one write of a field is under way.
    """
    if state.record(target).calling:
        return Nothing()
    for system, record_id in state.retract:
        if system is target:
            return Delete(object=state.object if target is SALESFORCE else Object.PERSON, id=record_id)
    if state.hold:
        return Nothing()
    mapping = rules.objects[state.object]
    record = state.record(target)
    if _follows_deletion(state, target, rules):
        return Delete(object=_object(state, target), id=record.id)
    if record.id:
        if record.deleted or not record.complete:
            return Nothing()
        outs, refused = _outs(state, target, mapping, exact=exact)
        return Update(object=_object(state, target), id=record.id, fields=outs, refused=refused) if outs else Nothing(refused=refused)
    if not _may_create(state, target, rules):
        return Nothing()
    outs, refused = _filled(state, target, mapping)
    return Create(object=_object(state, target), fields=outs, refused=refused)


def due(state: PairState, rules: SyncRules, now: int, *, exact: bool) -> tuple[int, int, int, int]:
    """From when on there is something to do: write to Salesforce, write to Marketo, look at Salesforce, look at Marketo (0: not)."""
    salesforce: list[tuple[str, Field]] = []
    marketo: list[tuple[str, Field]] = []
    silent_salesforce = silent_marketo = 0
    for key, field in state.unsettled().items():
        one, other, version = field.salesforce, field.marketo, field.version
        if one.shows != version:
            salesforce.append((key, field))
        if other.shows != version:
            marketo.append((key, field))
        if one.writes:
            silent_salesforce = _earliest(silent_salesforce, one.writes)
        if other.writes:
            silent_marketo = _earliest(silent_marketo, other.writes)
    return (
        _write_due(state, SALESFORCE, rules, now, salesforce, exact=exact),
        _write_due(state, MARKETO, rules, now, marketo, exact=exact),
        _look_due(state, SALESFORCE, now, silent_salesforce),
        _look_due(state, MARKETO, now, silent_marketo),
    )


def _earliest(before: int, writes: tuple[Write, ...]) -> int:
    """When the first of these writes is to be looked for, or what came before that; 0 is never."""
    first = min(entry.look_at for entry in writes)
    return first if not before else min(first, before)


def contested(state: PairState) -> bool:
    """Whether a field of this pair waits for a person."""
    for field in state.unsettled().values():  # noqa: SIM110 - twice as fast as any(), for every pair of every batch
        if field.hold:
            return True
    return False


def intend(state: PairState, target: System, planned: Create | Update, *, write: int, now: int, patience: Patience) -> PairState:
    """The state with the intent: to be committed before the call is made."""
    changed: dict[str, Field] = {}
    for out in planned.fields:
        field = state.fields.get(out.key) or Field()
        side = copy(field.side(target))
        entry = Write(id=write, version=out.version, value=out.value, sent=now, look_at=now + patience.silent_ms)
        side.writes = (*side.writes, entry)
        changed[out.key] = field.with_side(target, side)
    record = copy(state.record(target))
    record.calling, record.calling_until = write, now + patience.call_ms
    if isinstance(planned, Create):
        record.creating, record.refused, record.refused_mark = write, "", state.mark()
    return refuse(state.with_fields(changed).with_record(target, record), target, planned.refused)


def refuse(state: PairState, target: System, refused: tuple[tuple[str, str], ...]) -> PairState:
    """The state with fields that the target won't take: not owed again until their value changes."""
    changed: dict[str, Field] = {}
    for key, reason in refused:
        field = state.fields.get(key) or Field()
        side = copy(field.side(target))
        side.refused, side.reason = field.version, reason
        changed[key] = field.with_side(target, side)
    return state.with_fields(changed) if changed else state


def answered(state: PairState, target: System, write: int, at: int, done_by: int = 0) -> PairState:
    """The call was answered: the system has taken the write, at `done_by` by its own clock at the latest (0: it didn't tell)."""
    return _over(_each_write(state, target, write, lambda side: _answer(side, write, at, done_by)), target, write)


def failed(state: PairState, target: System, write: int) -> PairState:
    """No answer that says yes or no: the write is in doubt until the feed tells, or a look once the feed has had its time.

    A look before that proves nothing: what stands there may be an older value come back, of which the feed has yet to tell.
    """
    return _over(_each_write(state, target, write, lambda side: _answer(side, write, FAILED)), target, write)


def withdrawn(state: PairState, target: System, write: int) -> PairState:
    """The write was certainly not made: it is owed again."""
    state = _over(_each_write(state, target, write, lambda side: _drop(side, write)), target, write)
    record = state.record(target)
    if record.creating == write:
        record = copy(record)
        record.creating = 0
        state = state.with_record(target, record)
    return state


def rejected(state: PairState, target: System, write: int, reason: str, only: frozenset[str]) -> PairState:
    """The system refused the write in its own words; `only` names the fields it blames (none of those written: all that were).

    What was refused is the version that was sent: where the agreement has moved on meanwhile, the field is owed again at once.
    """
    fields = state.unsettled().items()
    sent = {key: entry.version for key, field in fields for entry in field.side(target).writes if entry.id == write}
    blamed = (only & sent.keys()) or frozenset(sent)
    creating = state.record(target).creating == write
    state = withdrawn(state, target, write)
    if creating:
        record = copy(state.record(target))
        record.refused = reason
        return state.with_record(target, record)
    changed: dict[str, Field] = {}
    for key in blamed:
        field = state.fields[key]
        side = copy(field.side(target))
        side.refused, side.reason = sent[key], reason
        changed[key] = field.with_side(target, side)
    return state.with_fields(changed)


def uncreatable(state: PairState, target: System, reason: str) -> PairState:
    """The system won't even say whether it has such a record: no creation until anything changes."""
    record = copy(state.record(target))
    record.refused, record.refused_mark = reason, state.mark()
    return state.with_record(target, record)


def born(state: PairState, target: System, record_id: str, write: int, *, witnessed: bool) -> PairState:
    """The target's record exists now, created by `write`: fields that were blank are shown blank.

    `witnessed`: the answer is the witness that its fields show what was written (nothing can stand before a creation in the
    record's order); otherwise they wait for the feed.
    """
    changed: dict[str, Field] = {}
    for key, field in state.unsettled().items():
        side = copy(field.side(target))
        mine = next((entry for entry in side.writes if entry.id == write), None)
        if mine and witnessed:
            side.known, side.seen, side.shows = True, mine.value, mine.version
            side.writes = tuple(entry for entry in side.writes if entry.version > mine.version)
        elif not mine and (field.value is None or field.value is False) and side.shows != field.version and not side.seen:
            side.known, side.shows = True, field.version
        else:
            continue
        changed[key] = field.with_side(target, side)
    record = copy(state.record(target))
    record.id, record.complete, record.creating, record.origin, record.refused = record_id, True, 0, "tandem", ""
    return state.with_fields(changed).with_record(target, record)


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


def _object(state: PairState, target: System) -> Object:
    return state.object if target is SALESFORCE else Object.PERSON


def _may_create(state: PairState, target: System, rules: SyncRules) -> bool:
    source, record = state.record(target.other), state.record(target)
    if not source.id or source.deleted or not source.complete or record.creating:
        return False
    if record.refused and record.refused_mark == state.mark():
        return False
    return target is MARKETO or qualifies(state, rules.qualification)


def _follows_deletion(state: PairState, target: System, rules: SyncRules) -> bool:
    if target is not SALESFORCE or not rules.delete_in_salesforce or not state.marketo.deleted:
        return False
    return bool(state.salesforce.id) and not state.salesforce.deleted


def owed(field: Field, target: System, mapping: FieldMapping, *, exact: bool) -> bool:
    """Whether the target's side of this field is owed a write now."""
    side = field.side(target)
    if side.shows == field.version or field.hold or side.refused == field.version or not side.known:
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
        if wanted and not blank(item, field.value) and not field.hold:
            _put(item, field, target, outs, refused)
        elif wanted and item.required_default and target is SALESFORCE:
            outs.append(Out(key=item.key, name=item.salesforce, value=item.required_default, version=field.version))
    return tuple(outs), tuple(refused)


def _put(item: FieldMapping, field: Field, target: System, outs: list[Out], refused: list[tuple[str, str]]) -> None:
    try:
        value = wire(item, target, field.value)
    except Unfit as error:
        refused.append((item.key, str(error)))
    else:
        outs.append(Out(key=item.key, name=item.name_on(target), value=value, version=field.version))


def _write_due(state: PairState, target: System, rules: SyncRules, now: int, behind: Sequence[tuple[str, Field]], *, exact: bool) -> int:
    """`behind`: the fields whose agreement this side doesn't show."""
    record = state.record(target)
    if record.calling:
        return 0
    if state.retract and any(system is target for system, _ in state.retract):
        return state.due[_place(target)] or now
    if state.hold:
        return 0
    if rules.delete_in_salesforce and _follows_deletion(state, target, rules):
        wanted = True
    elif record.id:
        wanted = bool(behind) and not record.deleted and record.complete and _any_owed(state, target, rules, behind, exact=exact)
    else:
        wanted = _may_create(state, target, rules)
    return (state.due[_place(target)] or now) if wanted else 0


def _any_owed(state: PairState, target: System, rules: SyncRules, behind: Sequence[tuple[str, Field]], *, exact: bool) -> bool:
    mapping = rules.objects[state.object].by_key
    for key, field in behind:
        item = mapping.get(key)
        if item is not None and owed(field, target, item, exact=exact):
            return True
    return False


def _place(target: System) -> int:
    return 0 if target is SALESFORCE else 1


def _look_due(state: PairState, system: System, now: int, silent: int) -> int:
    """`silent`: when the first write under way is to be looked for; 0: none is."""
    record = state.record(system)
    if record.deleted:
        return 0
    if not (record.calling or record.reread or silent or state.waiting):
        return 0
    moments: list[int] = []
    if record.calling:
        moments.append(record.calling_until)
    if record.id and record.reread:
        moments.append(min(state.due[2 + _place(system)] or now, now + _REREAD_MS))
    if state.waiting:
        moments += [entry.until for entry in state.waiting if entry.event.system is system]
    if silent and (record.id or record.creating):
        moments.append(silent)
    return min(moments) if moments else 0


def _each_write(state: PairState, target: System, write: int, change: Callable[[Side], Side]) -> PairState:
    changed: dict[str, Field] = {}
    for key, field in state.unsettled().items():
        side = field.side(target)
        if any(entry.id == write for entry in side.writes):
            changed[key] = field.with_side(target, change(side))
    return state.with_fields(changed) if changed else state


def _answer(side: Side, write: int, at: int, done_by: int = 0) -> Side:
    new = copy(side)
    entries = []
    for entry in side.writes:
        mine = copy(entry)
        if mine.id == write and mine.answered == PENDING:
            mine.answered, mine.done_by = at, done_by
        entries.append(mine)
    new.writes = tuple(entries)
    return new


def _drop(side: Side, write: int) -> Side:
    new = copy(side)
    new.writes = tuple(entry for entry in side.writes if entry.id != write)
    return new


def _over(state: PairState, target: System, write: int) -> PairState:
    record = state.record(target)
    if record.calling != write:
        return state
    record = _uncalled(record)
    return state.with_record(target, record)


def _uncalled(record: Record) -> Record:
    new = copy(record)
    new.calling = new.calling_until = 0
    return new


def unclaimed(state: PairState, target: System, now: int) -> PairState:
    """After a call that nobody finished (a crash): its writes are in doubt, the record may be written to again."""
    record = state.record(target)
    if not record.calling or record.calling_until > now:
        return state
    return failed(state, target, record.calling)

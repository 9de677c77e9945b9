"""One event against one pair: every field judged, the record's own life told. Pure.

The first thing is whether the event is news at all (a redelivery is superseded as a whole), then whose it is: our own changes are
told apart field by field, since a flow or a trigger adds changes of its own to our transaction.
"""

from dataclasses import dataclass

import msgspec

from consumers.mapping import FieldMapping, LinkFields, ObjectMapping
from consumers.merge.decision import Ruling, Verdict
from consumers.merge.judge import UNORDERED, UNTOLD, Edit, judge_echo, judge_feed, judge_look, judge_read, latest
from consumers.merge.state import NEVER, Field, PairState, Record, Waiting, Write, copy
from consumers.merge.values import Unfit, equal, neutral
from streams.events import ChangeEvent, Kind, Value
from streams.systems import Object, System

_REFS_KEPT = 48
_FOREIGN = frozenset({Verdict.ACCEPTED, Verdict.WON, Verdict.LOST, Verdict.REVIEW, Verdict.PUT_BACK})


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """How our own changes are told: our user on each side, and the stamp field where Marketo doesn't name users."""

    salesforce_user: str
    marketo_user: str
    stamp: str | None = None

    def owns(self, event: ChangeEvent) -> bool:
        """Whether the feed names our user as the author. Marketo's users are e-mail addresses, whatever their case."""
        if event.author is None:
            return False
        if event.system is System.SALESFORCE:
            return event.author == self.salesforce_user
        return event.author.casefold() == self.marketo_user.casefold()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What folding needs besides state and event."""

    mapping: ObjectMapping
    links: LinkFields
    identity: Identity
    lateness_ms: int
    """How long a missing link in Marketo's feed is waited for."""


Folded = tuple[PairState, tuple[Ruling, ...]]


def fold(state: PairState, event: ChangeEvent, setting: Setting, now: int) -> Folded:
    """The pair after one event, and a ruling for each field that the event told of. `now`: ms, ours."""
    if not event.is_read and _is_old(state.record(event.system), event):
        return state, (Ruling(field="*", verdict=Verdict.SUPERSEDED, reason="told before"),)
    if event.kind is Kind.READ:
        return _after_waiting(state, event, setting, now)
    alive = _is_alive(state.record(event.system), event)
    state = state.with_record(event.system, _noted(state.record(event.system), event))
    if event.kind is Kind.GAP:
        return _ask(state, event.system), (
            Ruling(field="*", verdict=Verdict.WAITING, reason="the feed can't say what changed; it is read"),
        )
    if event.kind is Kind.DELETED:
        return _deleted(state, event, setting)
    if alive:
        state = _undeleted(state, event.system)
    return _changes(state, event, setting, now)


def rejudge(state: PairState, setting: Setting, now: int) -> tuple[PairState, list[tuple[ChangeEvent, tuple[Ruling, ...]]]]:
    """The events that waited for a link, in their own order: again, and for good where their time, or that of one after them, is up.

    Those of a record that nobody knows yet go on waiting for its reading.
    """
    told: list[tuple[ChangeEvent, tuple[Ruling, ...]]] = []
    waiting = _in_order(state.waiting)
    state = copy(state)
    state.waiting = ()
    for entry in waiting:
        if _is_strange(state, entry.event.system):
            until = entry.until if now < entry.until else now + setting.lateness_ms
            state = copy(state)
            state.waiting = (*state.waiting, Waiting(event=entry.event, until=until))
            continue
        later = waiting[waiting.index(entry) :]
        patient = all(now < other.until for other in later if other.event.fields.keys() & entry.event.fields.keys())
        state, rulings = _fields(state, entry.event, setting, patient=patient)
        still = _unlinked(entry.event, rulings, setting)
        if still:
            state = copy(state)
            state.waiting = (*state.waiting, Waiting(event=still, until=entry.until))
        settled = tuple(ruling for ruling in rulings if ruling.verdict is not Verdict.WAITING)
        if settled:
            told.append((entry.event, settled))
    return state, told


def _in_order(waiting: tuple[Waiting, ...]) -> list[Waiting]:
    """By time; within one stamp by what stood before each, as far as the values tell: an event comes after the one that left that."""
    rest = sorted(waiting, key=lambda entry: entry.event.at)
    ordered: list[Waiting] = []
    while rest:
        peers = [entry for entry in rest if entry.event.at == rest[0].event.at]
        first = next((entry for entry in peers if not any(_leads_to(other, entry) for other in peers if other is not entry)), rest[0])
        rest.remove(first)
        ordered.append(first)
    return ordered


def _leads_to(one: Waiting, other: Waiting) -> bool:
    """Whether the first event left in some field what stood there before the second."""
    before = other.event.before or {}
    return any(name in before and before[name] == value for name, value in one.event.fields.items())


def link_values(links: LinkFields, obj: Object, record_id: str, *, deleted: bool) -> dict[str, Value]:
    """What Tandem's own fields of a Marketo person should say about its Salesforce record."""
    return {
        links.lead_id: record_id if obj is Object.LEAD else None,
        links.contact_id: record_id if obj is Object.CONTACT else None,
        links.type: obj.value.capitalize(),
        links.is_deleted: deleted,
    }


def agree_link(state: PairState, setting: Setting, at: int) -> PairState:
    """The link fields brought in line with the Salesforce record, as edits of the Salesforce side."""
    record = state.salesforce
    if not record.id:
        return state
    changed: dict[str, Field] = {}
    for key, value in link_values(setting.links, state.object, record.id, deleted=record.deleted).items():
        mapping = setting.mapping.by_key.get(key)
        if mapping is None:
            continue
        field = state.fields.get(key) or Field()
        if not equal(mapping, field.value, value) or field.salesforce.shows != field.version:
            changed[key] = _linked(mapping, field, value, at)
    return state.with_fields(changed) if changed else state


def _linked(mapping: FieldMapping, field: Field, value: Value, at: int) -> Field:
    new = field.with_side(System.SALESFORCE, copy(field.salesforce))
    new.value, new.version, new.agreed_at = value, field.version + 1, at
    new.salesforce.seen, new.salesforce.shows, new.salesforce.known = value, new.version, True
    if field.marketo.known and not field.marketo.writes and equal(mapping, field.marketo.seen, value):
        new.marketo = copy(field.marketo)
        new.marketo.shows = new.version
    return new


def _is_old(record: Record, event: ChangeEvent) -> bool:
    if event.seq:
        return event.seq <= record.seq
    return bool(event.ref) and all(ref in record.refs for ref in event.ref.split(","))


def _noted(record: Record, event: ChangeEvent) -> Record:
    new = copy(record)
    new.id = record.id or event.id
    new.seq, new.at = max(record.seq, event.seq), max(record.at, event.at)
    if event.ref:
        new.refs = (*record.refs, *event.ref.split(","))[-_REFS_KEPT:]
    return new


def _ask(state: PairState, system: System) -> PairState:
    record = copy(state.record(system))
    record.reread = True
    return state.with_record(system, record)


def _after_waiting(state: PairState, event: ChangeEvent, setting: Setting, now: int, at: "Look | None" = None) -> Folded:
    """A reading comes after what waits, as far as that can be judged now; one from before a deletion tells nothing any more."""
    record = state.record(event.system)
    if record.deleted and event.at <= latest(record.at):
        return state, (Ruling(field="*", verdict=Verdict.SUPERSEDED, reason="read before it was deleted"),)
    late: list[tuple[ChangeEvent, tuple[Ruling, ...]]] = []
    if state.waiting:
        state, late = rejudge(state, setting, now)
    state, rulings = _read(state, event, setting, at)
    return state, (*(ruling for _, told in late for ruling in told), *rulings)


def _deleted(state: PairState, event: ChangeEvent, setting: Setting) -> Folded:
    record = copy(state.record(event.system))
    record.deleted, record.reread = True, False
    state = copy(state.with_record(event.system, record))
    state.waiting = tuple(entry for entry in state.waiting if entry.event.system is not event.system)
    state.fields = {key: _without_writes(field, event.system) for key, field in state.fields.items()}
    if event.system is System.SALESFORCE:
        state = agree_link(state, setting, event.at)
    return state, (Ruling(field="*", verdict=Verdict.ACCEPTED, reason=f"deleted in {event.system}"),)


def _without_writes(field: Field, system: System) -> Field:
    side = field.side(system)
    if not side.writes:
        return field
    new = copy(side)
    new.writes = ()
    return field.with_side(system, new)


def _is_alive(record: Record, event: ChangeEvent) -> bool:
    """Whether a record that was taken for deleted (or could not be read) has been restored, or has changed after that."""
    later = bool(event.seq) or event.at > latest(record.at)
    return event.kind is Kind.UNDELETED or (record.deleted and later and event.kind in (Kind.CREATED, Kind.UPDATED))


def _undeleted(state: PairState, system: System) -> PairState:
    record = copy(state.record(system))
    record.deleted, record.reread = False, True
    return state.with_record(system, record)


def _changes(state: PairState, event: ChangeEvent, setting: Setting, now: int) -> Folded:
    """A creation or an update in the feed; what it brings may also be the link that others waited for."""
    record = state.record(event.system)
    born: tuple[Ruling, ...] = ()
    if event.kind is Kind.CREATED:
        state, born = _created(state, event, setting)
    elif not record.complete:
        state = state if record.reread else _ask(state, event.system)
        if _is_strange(state, event.system):
            return _strange(state, event, setting, now)
    state, rulings = _fields(state, event, setting, patient=True)
    if any(ruling.verdict in _FOREIGN for ruling in rulings):
        state = _touched(state, event.system)
    still = _unlinked(event, rulings, setting)
    if still:
        state = copy(state)
        state.waiting = (*state.waiting, Waiting(event=still, until=now + setting.lateness_ms))
    elif state.waiting:
        state, late = rejudge(state, setting, now)
        rulings = (*rulings, *(ruling for _, told in late for ruling in told))
    if event.system is System.SALESFORCE:
        state = agree_link(state, setting, event.at)
    return state, (*born, *rulings)


def _is_strange(state: PairState, system: System) -> bool:
    """Whether this is a record that the feed tells of before anything has told what it is, or whose."""
    return not state.record(system).complete and not state.record(system.other).id


def _strange(state: PairState, event: ChangeEvent, setting: Setting, now: int) -> Folded:
    """A change of a record that nobody knows yet: it waits for the reading that tells to which pair it belongs."""
    state = copy(state)
    state.waiting = (*state.waiting, Waiting(event=event, until=now + setting.lateness_ms))
    return state, (Ruling(field="*", verdict=Verdict.WAITING, reason="the record is read first, to know whose it is"),)


def _touched(state: PairState, system: System) -> PairState:
    """Somebody else has worked on this record: it is not only ours any more, and what it refused may be welcome now."""
    if state.record(system).origin:
        record = copy(state.record(system))
        record.origin = ""
        state = state.with_record(system, record)
    changed: dict[str, Field] = {}
    for key, field in state.unsettled().items():
        if field.side(system).refused != NEVER:
            side = copy(field.side(system))
            side.refused, side.reason = NEVER, ""
            changed[key] = field.with_side(system, side)
    return state.with_fields(changed) if changed else state


def _created(state: PairState, event: ChangeEvent, setting: Setting) -> Folded:
    """Salesforce tells all non-empty fields of a new record, Marketo none: there our own creation is known by its author."""
    record = copy(state.record(event.system))
    ours = record.creating != 0 and setting.identity.owns(event)
    if event.system is System.SALESFORCE:
        record.complete = True
    record.creating = 0
    if ours:
        record.origin, record.complete = "tandem", True
    state = state.with_record(event.system, record)
    if not ours or event.fields:
        return state, ()
    changed: dict[str, Field] = {}
    rulings: list[Ruling] = []
    for key, field in state.fields.items():
        side, mapping = field.side(event.system), setting.mapping.by_key.get(key)
        if not side.writes or mapping is None:
            continue
        edit = Edit(side=event.system, object=state.object, value=side.writes[0].value, at=event.at)
        changed[key], ruling = judge_echo(mapping, field, edit, side.writes[0])
        rulings.append(ruling)
    return state.with_fields(changed), tuple(rulings)


def _fields(state: PairState, event: ChangeEvent, setting: Setting, *, patient: bool) -> Folded:
    names = setting.mapping.by_name(event.system)
    changed: dict[str, Field] = {}
    rulings: list[Ruling] = []
    own = setting.identity.owns(event)
    stamped, echoed = _stamp(event, setting.identity), 0
    for name, wire in event.fields.items():
        mapping = names.get(name)
        if mapping is None:
            continue
        try:
            edit = _edit(state, event, mapping, wire, patient=patient)
        except Unfit as error:
            rulings.append(Ruling(field=mapping.key, verdict=Verdict.UNUSABLE, reason=str(error)))
            continue
        field = state.fields.get(mapping.key) or Field()
        write = _own_write(mapping, field, edit, own=own, stamped=stamped)
        new, ruling = judge_echo(mapping, field, edit, write) if write else judge_feed(mapping, field, edit)
        if write and ruling.verdict is Verdict.ECHO:
            echoed = write.id
        if new is not field:
            changed[mapping.key] = new
        rulings.append(ruling)
    if any(ruling.reason == UNORDERED for ruling in rulings):
        state = _ask(state, event.system)
    if echoed and state.record(event.system).calling == echoed:
        state = state.with_record(event.system, _answered_by_feed(state.record(event.system)))
    return (state.with_fields(changed) if changed else state), tuple(rulings)


def _answered_by_feed(record: Record) -> Record:
    """The feed was quicker than the answer, or the answer never comes: the record may be written to again."""
    new = copy(record)
    new.calling = new.calling_until = 0
    return new


def _edit(state: PairState, event: ChangeEvent, mapping: FieldMapping, wire: Value, *, patient: bool = True) -> Edit:
    before = UNTOLD
    if event.before is not None:
        name = mapping.name_on(event.system)
        before = neutral(mapping.type, event.before[name]) if name in event.before else UNTOLD  # type: ignore[assignment]
    return Edit(
        side=event.system,
        object=state.object,
        value=neutral(mapping.type, wire),
        at=event.at,
        until=event.until,
        before=before,
        patient=patient,
        alone=not state.record(event.system.other).id,
    )


def _stamp(event: ChangeEvent, identity: Identity) -> int:
    """The id of the write whose stamp this event carries; 0 if none."""
    if identity.stamp is None or event.system is not System.MARKETO:
        return 0
    text = event.fields.get(identity.stamp)
    return int(text) if isinstance(text, str) and text.isdecimal() else 0


def _own_write(mapping: FieldMapping, field: Field, edit: Edit, *, own: bool, stamped: int) -> Write | None:
    """The write that this change is: the author's word and the order of writes, or the stamp; the value settles which.

    Of our own changes, one of a field that we did not write was made by a flow or a trigger in our transaction: an edit.
    """
    writes = field.side(edit.side).writes
    if not writes or not (own or stamped):
        return None
    for write in writes:
        if (not stamped or write.id <= stamped) and equal(mapping, write.value, edit.value):
            return write
    if stamped:
        return next((write for write in writes if write.id == stamped), None)
    return writes[0]


def _unlinked(event: ChangeEvent, rulings: tuple[Ruling, ...], setting: Setting) -> ChangeEvent | None:
    """What of a feed event has to wait: the event with only those fields, and the stamp that says whose it is."""
    keys = {ruling.field for ruling in rulings if ruling.verdict is Verdict.WAITING}
    if not keys:
        return None
    fields = {name: value for name, value in event.fields.items() if name in keys or name == setting.identity.stamp}
    return msgspec.structs.replace(event, kind=Kind.UPDATED, fields=fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A reading made because the feed is silent about a write: when to look again, and what the feed has lost."""

    now: int
    again_at: int
    lost_before: int
    """Writes sent before this moment (ms, ours) that the feed has not shown: the feed has lost them."""


def look(state: PairState, event: ChangeEvent, setting: Setting, at: Look) -> Folded:
    """The pair after such a reading (`event` is of kind READ and tells every mapped field)."""
    return _after_waiting(state, event, setting, at.now, at)


def _read(state: PairState, event: ChangeEvent, setting: Setting, at: Look | None = None) -> Folded:
    """A reading of the whole record: every mapped field that it tells."""
    names = setting.mapping.by_name(event.system)
    record = copy(state.record(event.system))
    record.id, record.complete, record.reread, record.deleted = record.id or event.id, True, False, False
    changed: dict[str, Field] = {}
    rulings: list[Ruling] = []
    for name, wire in event.fields.items():
        mapping = names.get(name)
        if mapping is None:
            continue
        field = state.fields.get(mapping.key) or Field()
        try:
            new, ruling = _judge_reading(mapping, field, _edit(state, event, mapping, wire), at)
        except Unfit as error:
            rulings.append(Ruling(field=mapping.key, verdict=Verdict.UNUSABLE, reason=str(error)))
            continue
        if new is not field:
            changed[mapping.key] = new
        if ruling.reason == UNORDERED:
            record.reread = True
        if ruling.verdict is not Verdict.KNOWN:
            rulings.append(ruling)
    state = state.with_record(event.system, record)
    if changed:
        state = state.with_fields(changed)
    if any(ruling.verdict in _FOREIGN for ruling in rulings):
        state = _touched(state, event.system)
    if event.system is System.SALESFORCE:
        state = agree_link(state, setting, event.at)
    return state, tuple(rulings)


def _judge_reading(mapping: FieldMapping, field: Field, edit: Edit, at: Look | None) -> tuple[Field, Ruling]:
    writes = field.side(edit.side).writes
    if at is not None and any(write.look_at <= at.now for write in writes):
        lost = all(write.sent <= at.lost_before for write in writes)
        return judge_look(mapping, field, edit, look_again_at=at.again_at, feed_lost=lost)
    return judge_read(mapping, field, edit)


def meet(state: PairState, event: ChangeEvent, setting: Setting) -> Folded:
    """The other side's record is found: nobody has seen anybody. `event` tells all its filled fields (a reading, or a creation)."""
    system = event.system
    fields: dict[str, Field] = {}
    for mapping in setting.mapping.fields:
        field = state.fields.get(mapping.key) or Field()
        side = copy(field.side(system))
        side.known, side.shows, side.writes, side.seen_at, side.ahead_at = False, NEVER, (), 0, 0
        fields[mapping.key] = field.with_side(system, side)
    names = setting.mapping.by_name(system)
    told = {**dict.fromkeys(names), **event.fields}
    reading = msgspec.structs.replace(event, kind=Kind.READ, fields=told, before=None, until=event.until or event.at)
    state = state.with_fields(fields).with_record(system, _noted(Record(), event))
    met, rulings = _read(state, reading, setting)
    return (met if event.is_read else _in_the_feed(met, system)), rulings


def _in_the_feed(state: PairState, system: System) -> PairState:
    """What was met was the feed itself, so nothing is ahead of it."""
    changed: dict[str, Field] = {}
    for key, field in state.fields.items():
        side = field.side(system)
        if side.ahead_at:
            new = copy(side)
            new.seen_at, new.ahead_at, new.ahead_until = side.ahead_at, 0, 0
            changed[key] = field.with_side(system, new)
    return state.with_fields(changed)

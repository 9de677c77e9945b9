"""The fields that an event in the feed tells of, judged one by one; and the events that wait for a link before them. Pure.

Our own changes are told apart field by field, since a flow or a trigger adds changes of its own to our transaction.
"""

from collections.abc import Mapping, Sequence

import msgspec

from consumers.mapping.fields import FieldMapping
from consumers.merge.edits.forgotten import may_be_of, remembered
from consumers.merge.edits.judge import accepted_at_once, accepted_from_rest, judge_echo, judge_feed, missing_link
from consumers.merge.edits.order import in_order
from consumers.merge.edits.unplaced import stood_between
from consumers.merge.edits.unusable import taken, unusable
from consumers.merge.edits.values import Unfit, equal, neutral
from consumers.merge.edits.verdicts import UNORDERED, UNTOLD, Edit, Judged
from consumers.merge.lives.late import ended
from consumers.merge.lives.record import asked_again
from consumers.merge.pair.decision import Folded, Ruling, Verdict
from consumers.merge.pair.state import Field, PairState, Waiting, Write, shallow
from consumers.merge.terms import Identity, Terms
from consumers.merge.writing.writes import made_by
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import MARKETO, SALESFORCE, System

_ECHO = Verdict.ECHO


def rejudge(state: PairState, terms: Terms, now: int) -> tuple[PairState, list[tuple[ChangeEvent, tuple[Ruling, ...]]]]:
    """The events that waited for a link, in their own order: again, and for good where their time, or that of one after them, is up.

    Those of a record that nobody knows yet go on waiting for its reading. Each that is judged at last is told with its rulings: they
    are of that event and its side, whatever event brought them about.
    """
    told: list[tuple[ChangeEvent, tuple[Ruling, ...]]] = []
    waiting = in_order(state.waiting)
    state = shallow(state)
    state.waiting = ()
    for entry in waiting:
        if state.record(entry.event.system).deleted:
            told.append((entry.event, ended(state, entry.event, terms)))
            continue
        if is_strange(state, entry.event.system):
            until = entry.until if now < entry.until else now + terms.lateness_ms
            state = shallow(state)
            state.waiting = (*state.waiting, Waiting(event=entry.event, until=until))
            continue
        later = waiting[waiting.index(entry) :]
        patient = all(now < other.until for other in later if other.event.fields.keys() & entry.event.fields.keys())
        state, rulings = judge_fields(state, entry.event, terms, patient=patient)
        still = unlinked(entry.event, rulings, terms)
        if still:
            state = shallow(state)
            state.waiting = (*state.waiting, Waiting(event=still, until=entry.until))
        settled = tuple(ruling for ruling in rulings if ruling.verdict is not Verdict.WAITING)
        if settled:
            told.append((entry.event, settled))
    return state, told


def is_strange(state: PairState, system: System) -> bool:
    """Whether this is a record that the feed tells of before anything has told what it is, or whose."""
    return not state.record(system).complete and not state.record(system.other).id


def judge_fields(state: PairState, event: ChangeEvent, terms: Terms, *, patient: bool) -> Folded:
    """Every mapped field of a creation or an update. `patient`: whether missing links are waited for."""
    system, names = event.system, terms.mapping(state).by_name(event.system)
    changed: dict[str, Field] = {}
    rulings: list[Ruling] = []
    own = terms.identity.owns(event)
    stamped, echoed, unordered = _stamp(event, terms.identity), 0, False
    ours = own or stamped != 0
    plain = not ours and event.before is None
    for name, wire in event.fields.items():
        mapping = names.get(name)
        if mapping is None:
            continue
        key = mapping.key
        try:
            value = neutral(mapping.type, wire)
            told = _at_once(state, mapping, system, value, event.at) if plain and mapping.plain else None
            if told is not None:
                changed[key] = told[0]
                rulings.append(told[1])
                continue
            field = state.fields.get(key) or Field()
            edit = edit_of(state, event, mapping, value, patient=patient)
            earlier = _earlier(mapping, field, edit, ours=ours)
            if earlier is not None:
                field = changed[key] = earlier[0]
                rulings.append(earlier[1])
            write = _own_write(mapping, field, edit, stamped=stamped) if ours else None
            if write is None and ours and not stamped:
                write = _late_write(state, event, mapping, edit, names)
            new, ruling = judge_echo(mapping, field, edit, write) if write else judge_feed(mapping, field, edit)
        except Unfit as error:
            changed[key], ruling = unusable(mapping, state.fields.get(key) or Field(), system, wire, error)
            rulings.append(ruling)
            continue
        if new.side(system).unusable:
            new = taken(new, system)
        if write and ruling.verdict is _ECHO and (stamped or _is_certain(mapping, field, edit, write)):
            echoed = write.id
        unordered = unordered or ruling.reason is UNORDERED
        if new is not field:
            changed[key] = new
        rulings.append(ruling)
    if unordered:
        state = asked_again(state, system)
    if changed:
        state = state.with_fields(changed)
    return (_after_echo(state, event, echoed, rulings) if echoed else state), tuple(rulings)


def _earlier(mapping: FieldMapping, field: Field, edit: Edit, *, ours: bool) -> Judged | None:
    """An edit that this one tells of, or gives its place to: it is judged first. None: there is none."""
    if not edit.patient:
        return missing_link(mapping, field, edit)
    return stood_between(mapping, field, edit) if ours else None


def _at_once(state: PairState, mapping: FieldMapping, system: System, value: Value, at: int) -> Judged | None:
    """The plainest edit of a field, at rest or not."""
    rest = state.at_rest(mapping.key)
    if rest is not None:
        return accepted_from_rest(mapping, rest, system, value, at)
    field = state.fields.get(mapping.key)
    return accepted_at_once(mapping, field, system, value, at) if field is not None else None


def _after_echo(state: PairState, event: ChangeEvent, write: int, rulings: Sequence[Ruling]) -> PairState:
    """The feed was quicker than the answer, or the answer never comes: the record may be written to again.

    Salesforce tells a call's change in one event, so all of the write was made by then, also what changed nothing or can't be told.
    """
    system, record = event.system, state.record(event.system)
    if record.calling == write:
        record = shallow(record)
        record.calling = record.calling_until = record.caller = 0
        state = state.with_record(system, record)
    if system is not SALESFORCE:
        return state
    told = {ruling.field for ruling in rulings}
    return made_by(state, system, write, event.at, placed=event.seq == record.seq, told=told)


def edit_of(
    state: PairState, event: ChangeEvent, mapping: FieldMapping, value: Value, *, patient: bool = True, last: int | None = None
) -> Edit:
    """One field of an event, for the judge. `value`: neutral."""
    before = UNTOLD
    if event.before is not None:
        name = mapping.name_on(event.system)
        try:
            before = neutral(mapping.type, event.before[name]) if name in event.before else UNTOLD  # type: ignore[assignment]
        except Unfit:
            before = UNTOLD  # it was never taken, so nothing is said of the order
    return Edit(
        side=event.system,
        object=state.object,
        value=value,
        at=event.at,
        until=event.until,
        before=before,
        patient=patient,
        alone=not state.record(event.system.other).id,
        last=last,
    )


def _stamp(event: ChangeEvent, identity: Identity) -> int:
    """The id of the write whose stamp this event carries; 0 if none."""
    if identity.stamp is None or event.system is not MARKETO:
        return 0
    text = event.fields.get(identity.stamp)
    return int(text) if isinstance(text, str) and text.isdecimal() else 0


def _own_write(mapping: FieldMapping, field: Field, edit: Edit, *, stamped: int) -> Write | None:
    """The write that this change of ours is: the author's word and the order of writes, or the stamp; the value settles which.

    Of our own changes, one of a field that we did not write was made by a flow or a trigger in our transaction: an edit.
    """
    side = field.side(edit.side)
    writes, forgotten = side.writes, remembered(side, edit.at)
    if not writes and not forgotten:
        return None
    for write in (*writes, *reversed(forgotten)):
        if (not stamped or write.id <= stamped) and equal(mapping, write.value, edit.value):
            return write
    if stamped:
        return next((write for write in (*writes, *forgotten) if write.id == stamped), None)
    return writes[0] if writes and not forgotten else None


def _is_certain(mapping: FieldMapping, field: Field, edit: Edit, write: Write) -> bool:
    """Whether no other write of ours may have brought the same value: one that was given up, and made again since."""
    side = field.side(edit.side)
    return not any(other.id != write.id and equal(mapping, other.value, edit.value) for other in (*side.writes, *side.forgotten))


def _late_write(state: PairState, event: ChangeEvent, mapping: FieldMapping, edit: Edit, names: Mapping[str, FieldMapping]) -> Write | None:
    """The forgotten write (or the one under way) that this change of ours is though the value is another one: what the system made of it.

    Not so where the event brings another write of ours: then a flow has changed this field in that one's transaction.
    """
    told = (state.fields.get(mapping.key) or Field()).side(edit.side)
    forgotten = remembered(told, edit.at)
    if not forgotten:
        return None
    candidates = [write for write in (*forgotten, *told.writes) if may_be_of(write, edit.at)] or [*forgotten, *told.writes]
    known = {write.id for write in candidates}
    for name, value in event.fields.items():
        other = names.get(name)
        if other is None or other is mapping or (field := state.fields.get(other.key)) is None:
            continue
        side = field.side(edit.side)
        brought = {write.id for write in (*side.writes, *side.forgotten) if equal(other, write.value, value)}
        if brought and brought.isdisjoint(known):
            return None
    if len(candidates) == 1:
        return candidates[0]
    # any of them: the side is taken to show the oldest, so that the agreement is owed again, and nothing is learnt
    return msgspec.structs.replace(min(candidates, key=lambda write: write.version), id=0, value=edit.value)


def unlinked(event: ChangeEvent, rulings: tuple[Ruling, ...], terms: Terms) -> ChangeEvent | None:
    """What of a feed event has to wait: the event with only those fields, and the stamp that says whose it is."""
    keys = {ruling.field for ruling in rulings if ruling.verdict is Verdict.WAITING}
    if not keys:
        return None
    fields = {name: value for name, value in event.fields.items() if name in keys or name == terms.identity.stamp}
    return msgspec.structs.replace(event, kind=Happened.UPDATED, fields=fields)

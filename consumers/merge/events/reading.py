"""A reading of a whole record, judged field by field: ahead of the feed, without an author. Pure."""

from dataclasses import dataclass

import msgspec

from consumers.mapping.fields import FieldMapping
from consumers.merge.edits.judge_reading import judge_look, judge_read
from consumers.merge.edits.unusable import taken, unusable
from consumers.merge.edits.values import Unfit, neutral
from consumers.merge.edits.verdicts import UNORDERED, Edit
from consumers.merge.events.feed import edit_of
from consumers.merge.lives.aside import relieved
from consumers.merge.lives.identity import came_into
from consumers.merge.lives.link import agree_link
from consumers.merge.lives.record import FOREIGN, came_back, is_from_before_its_end, noted, seen_alive, touched
from consumers.merge.pair.decision import Folded, Ruling, Verdict
from consumers.merge.pair.state import NEVER, Field, PairState, Record, is_out, shallow
from consumers.merge.terms import Identity, Terms
from consumers.merge.writing.writes import lone_write
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import MARKETO, SALESFORCE, System


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A reading made because the feed is silent about a write: when to look again, and what the feed has lost."""

    now: int
    again_at: int
    lost_before: int
    """Writes sent before this moment (ms, ours) that the feed has not shown: the feed has lost them."""
    early_after: int = 0
    """Of writes sent after this moment (ms, ours) the feed has yet to be given its time; 0: there is none to wait for."""


def look(state: PairState, event: ChangeEvent, terms: Terms, at: Look) -> Folded:
    """The pair after such a reading (`event` is of kind READ and tells every mapped field)."""
    return judge_reading(state, event, terms, at)


def judge_reading(state: PairState, event: ChangeEvent, terms: Terms, at: "Look | None" = None) -> Folded:
    """A reading; one from before a deletion tells nothing any more."""
    record = state.record(event.system)
    if is_from_before_its_end(record, event):
        return state, (Ruling(field="*", verdict=Verdict.SUPERSEDED, reason="read before it was deleted"),)
    if record.heir:
        state = came_into(state, event, terms)
    return read_fields(state, event, terms, at)


def read_fields(state: PairState, event: ChangeEvent, terms: Terms, at: Look | None = None) -> Folded:
    """A reading of the whole record: every mapped field that it tells."""
    names = terms.mapping(state).by_name(event.system)
    if state.hold:
        state = relieved(state, event)
    state = came_back(state, event.system)
    record = seen_alive(state.record(event.system), event)
    last = last_write(state, event, terms.identity)
    changed: dict[str, Field] = {}
    rulings: list[Ruling] = []
    for name, wire in event.fields.items():
        mapping = names.get(name)
        if mapping is None:
            continue
        field = state.fields.get(mapping.key) or Field()
        try:
            edit = edit_of(state, event, mapping, neutral(mapping.type, wire), last=last)
            new, ruling = _judge_one(mapping, field, edit, at, record.calling)
        except Unfit as error:
            changed[mapping.key], ruling = unusable(mapping, field, event.system, wire, error)
            rulings.append(ruling)
            continue
        if new.side(event.system).unusable:
            new = taken(new, event.system)
        if new is not field:
            changed[mapping.key] = new
        if ruling.reason == UNORDERED:
            record.reread = True
        if ruling.verdict is not Verdict.KNOWN:
            rulings.append(ruling)
    state = state.with_record(event.system, record)
    if changed:
        state = state.with_fields(changed)
    if any(ruling.verdict in FOREIGN for ruling in rulings):
        state = touched(state, event.system)
    if event.system is SALESFORCE:
        state = agree_link(state, terms, event.at)
    return state, tuple(rulings)


def last_write(state: PairState, reading: ChangeEvent, identity: Identity) -> int | None:
    """The write of ours that changed the record last, as a reading of it tells; 0: somebody else did, or it can't be said which; None:
    it doesn't tell. What the feed has told already of that moment is none of those that are still waited for.
    """
    if not reading.modified_at:
        return None
    if state.record(reading.system).at >= reading.modified_at:
        return 0
    return lone_write(state, reading.system, reading.modified_at) if identity.made_last(reading) else 0


def _judge_one(mapping: FieldMapping, field: Field, edit: Edit, at: Look | None, calling: int) -> tuple[Field, Ruling]:
    """`calling`: the write whose call is out: nothing that a reading shows before its answer says what became of it."""
    writes = field.side(edit.side).writes
    if at is not None and any(write.look_at <= at.now for write in writes) and not any(is_out(write, calling) for write in writes):
        lost = all(write.sent <= at.lost_before for write in writes)
        return judge_look(mapping, field, edit, look_again_at=at.again_at, feed_lost=lost, early_after=at.early_after)
    return judge_read(mapping, field, edit)


def meet(state: PairState, event: ChangeEvent, terms: Terms) -> Folded:
    """The other side's record is found: nobody has seen anybody. `event` tells all its filled fields (a reading, or a creation)."""
    system = event.system
    fields: dict[str, Field] = {}
    for mapping in terms.mapping(state).fields:
        field = state.fields.get(mapping.key) or Field()
        side = shallow(field.side(system))
        side.known, side.shows, side.writes, side.seen_at, side.ahead_at, side.forgotten = False, NEVER, (), 0, 0, ()
        if mapping.fixed and system is MARKETO:  # it was met by this: it says the same, in Marketo's own names
            side.known, side.shows, side.seen = True, field.version, field.value
        fields[mapping.key] = field.with_side(system, side)
    names = terms.mapping(state).by_name(system)
    told = {**{name: None for name, item in names.items() if not (item.fixed and system is MARKETO)}, **event.fields}
    reading = msgspec.structs.replace(event, kind=Happened.READ, fields=told, before=None, until=event.until or event.at)
    state = state.with_fields(fields).with_record(system, noted(Record(), event))
    met, rulings = read_fields(state, reading, terms)
    return (met if event.is_read else _in_the_feed(met, system)), rulings


def _in_the_feed(state: PairState, system: System) -> PairState:
    """What was met was the feed itself, so nothing is ahead of it."""
    changed: dict[str, Field] = {}
    for key, field in state.fields.items():
        side = field.side(system)
        if side.ahead_at:
            new = shallow(side)
            new.seen_at, new.ahead_at, new.ahead_until = side.ahead_at, 0, 0
            changed[key] = field.with_side(system, new)
    return state.with_fields(changed)

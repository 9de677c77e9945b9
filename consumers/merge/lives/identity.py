"""Changes of identity: a pair's record on a side is another one now. Pure.

A converted lead's contact, a person made again, the winner of a merge that nobody had heard of. What was owed stays owed; what the new
record holds is told by its reading, before which nothing is written to it.
"""

from consumers.mapping.fields import FieldMapping, RuleName
from consumers.merge.edits.values import Unfit, blank, equal, neutral
from consumers.merge.lives.link import agree_link
from consumers.merge.lives.record import asked_again
from consumers.merge.pair.state import NEVER, PENDING, Field, PairState, Record, Side, Write, shallow
from consumers.merge.terms import Terms
from streams.wire.events import ChangeEvent, Value
from streams.wire.systems import MARKETO, SALESFORCE, Object, System

Named = tuple[System, Object, str]
"""What names a record: its system, its object and its id there."""


SECOND, CONVERTED, WINNER = 0, 1, 2
"""How a record comes to be a pair's: one that was known for another of the same person; one that was made of the former one (a converted
lead's contact); one that won a merge and that nobody had heard of."""


def rebind(state: PairState, named: Named, terms: Terms, at: int, *, came: int) -> PairState:
    """The pair with another record on that record's side, which is to be read. The same state where it is that record's already.

    `at`: when that was, by the system's clock (ms). `came`: how. A winner's values win, a blank takes what stands, what adds up is added.
    Otherwise nobody has seen what the record holds; but where a value was owed to the former record it is owed to one that was made of it,
    and what is added there since is added here.
    """
    system, obj, record_id = named
    if state.record(system).id == record_id:
        return state
    obj = obj if system is SALESFORCE else state.object
    if system is SALESFORCE and not terms.mapping(state).is_person:
        state = _named_anew(state)
    known = state.fields
    new_fields = state.object != obj
    state = shallow(state.with_record(system, Record(id=record_id, reread=True, heir=came)))
    state.object = obj
    state.waiting = tuple(entry for entry in state.waiting if entry.event.system is not system)
    state.merges = tuple(entry for entry in state.merges if entry != (system, record_id))
    changed: dict[str, Field] = {}
    for mapping in terms.mapping(state).fields:
        field = known.get(mapping.key)
        if field is not None:
            changed[mapping.key] = field.with_side(system, _unread(mapping, field, field.side(system), came))
        elif new_fields:
            changed[mapping.key] = Field(salesforce=Side(known=False, shows=NEVER), marketo=Side(known=False, shows=NEVER))
    new_fields = new_fields and any(key not in known for key in changed)
    state = state.with_fields(changed)
    if new_fields and state.record(system.other).id and not state.record(system.other).deleted:
        state = asked_again(state, system.other)  # fields that only this object has may be filled there: nobody has looked
    return agree_link(state, terms, at) if state.salesforce.id else state


def _named_anew(state: PairState) -> PairState:
    """Its Marketo record has its name from the former record (a company): it goes, and one of the new name is made."""
    before = state.marketo
    if not (before.id or before.creating):
        return state
    fields = {key: field.with_side(MARKETO, Side()) for key, field in state.fields.items()}
    state = shallow(state.with_record(MARKETO, Record()).with_fields(fields))
    if not before.deleted:
        state.merges = (*state.merges, (MARKETO, before.id or state.salesforce.id))
    return state


def came_into(state: PairState, event: ChangeEvent, terms: Terms) -> PairState:
    """The state before this event of such a record is judged, so that what it tells for the first time is judged as it should be."""
    changed: dict[str, Field] = {}
    names, winner = terms.mapping(state).by_name(event.system), state.record(event.system).heir == WINNER
    for name, wire in event.fields.items():
        mapping = names.get(name)
        field = state.fields.get(mapping.key) if mapping is not None else None
        if mapping is None or field is None:
            continue
        before = field.side(event.system)
        try:
            value = neutral(mapping.type, wire)
        except Unfit:
            continue
        side = _won(mapping, field, before, value) if winner else _made(mapping, field, before, value)
        if event.is_read:
            side = _dated(mapping, side, value, event)
        if side is not before:
            changed[mapping.key] = field.with_side(event.system, side)
    return state.with_fields(changed) if changed else state


def _won(mapping: FieldMapping, field: Field, before: Side, value: Value) -> Side:
    """A winner's value is an edit that has seen the agreement; its blank is one that has not been told of it."""
    if before.known:
        return before
    wins = not blank(mapping, value) or blank(mapping, field.value)
    return Side(known=True, seen=False if value is False else None, shows=field.version if wins else NEVER)


def _made(mapping: FieldMapping, field: Field, before: Side, value: Value) -> Side:
    """Our write to the former record may have been taken along. What adds up was not, where it is blank: nothing was taken from it."""
    if not before.known or before.seen_at or before.ahead_at:
        return before
    ours = next((write for write in reversed(before.forgotten) if equal(mapping, write.value, value)), None)
    if ours is not None:
        return Side(known=True, seen=value, shows=ours.version)
    if adds_up(mapping) and blank(mapping, value) and not blank(mapping, field.value):
        return Side(known=True, seen=value, shows=NEVER)
    return before


def _dated(mapping: FieldMapping, side: Side, value: Value, reading: ChangeEvent) -> Side:
    """What is taken for seen already, and which this reading shows, is seen by it: an older reading that comes later tells nothing."""
    if not side.known or side.seen_at or side.ahead_at or side.writes or not equal(mapping, side.seen, value):
        return side
    new = shallow(side)
    new.ahead_at, new.ahead_until = reading.at, reading.until or reading.at
    return new


def adds_up(mapping: FieldMapping) -> bool:
    """Whether what both have is added, rather than one of them chosen."""
    return mapping.rule.name in (RuleName.SUM_DELTAS, RuleName.UNION)


def _unread(mapping: FieldMapping, field: Field, side: Side, came: int) -> Side:
    """The side of a field, now that it is another record's. Writes under way were the former record's: whether they got there, and whether
    this one was made from it before or after, its reading tells."""
    at_rest = side.shows == field.version
    if came != CONVERTED or (at_rest and not adds_up(mapping)):
        return Side(known=False, shows=NEVER)
    new = Side(known=side.known, seen=side.seen, shows=field.version if at_rest else NEVER)
    new.learnt, new.sent, new.shown = side.learnt, side.sent, side.shown
    new.forgotten = tuple(_over(write) for write in (*side.forgotten, *side.writes))
    made = next((write for write in reversed(side.writes) if write.answered > PENDING), None)
    if made is not None:
        new.seen, new.shows = made.value, made.version
    return new


def _over(write: Write) -> Write:
    """The write, which can't arrive any more: it did before this record was made of the former one, or never."""
    if write.answered > PENDING:
        return write
    new = shallow(write)
    new.answered = max(1, write.sent)
    return new

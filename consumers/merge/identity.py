"""Changes of identity: a pair's record on a side is another one now. Pure.

A converted lead's contact, a person made again, the winner of a merge that nobody had heard of. What was owed stays owed; what the new
record holds is told by its reading, before which nothing is written to it.
"""

from consumers.mapping.fields import FieldMapping, RuleName
from consumers.merge.link import agree_link
from consumers.merge.record import asked_again
from consumers.merge.state import NEVER, Field, PairState, Record, Side, shallow
from consumers.merge.terms import Terms
from consumers.merge.values import Unfit, blank, neutral
from streams.wire.events import ChangeEvent
from streams.wire.systems import SALESFORCE, Object, System

Named = tuple[System, Object, str]
"""What names a record: its system, its object and its id there."""


def rebind(state: PairState, named: Named, terms: Terms, at: int, *, heir: bool = False) -> PairState:
    """The pair with another record on that record's side, which is to be read. The same state where it is that record's already.

    `at`: when that was, by the system's clock (ms). `heir`: the record is
    somebody else's, who won a merge: its values win, a blank takes what stands, what adds up is added. Otherwise it is the same person's:
    nobody has seen what it holds where both sides agreed, and where a value was owed to the former record it is owed to this one.
    """
    system, obj, record_id = named
    if state.record(system).id == record_id:
        return state
    obj = obj if system is SALESFORCE else state.object
    known = state.fields
    new_fields = state.object != obj
    state = shallow(state.with_record(system, Record(id=record_id, reread=True, heir=heir)))
    state.object = obj
    state.waiting = tuple(entry for entry in state.waiting if entry.event.system is not system)
    state.merges = tuple(entry for entry in state.merges if entry != (system, record_id))
    changed: dict[str, Field] = {}
    for mapping in terms.mapping(state).fields:
        field = known.get(mapping.key)
        if field is not None:
            changed[mapping.key] = field.with_side(system, _unread(field, field.side(system), heir=heir))
        elif new_fields:
            changed[mapping.key] = Field(salesforce=Side(known=False, shows=NEVER), marketo=Side(known=False, shows=NEVER))
    new_fields = new_fields and any(key not in known for key in changed)
    state = state.with_fields(changed)
    if new_fields and state.record(system.other).id and not state.record(system.other).deleted:
        state = asked_again(state, system.other)  # fields that only this object has may be filled there: nobody has looked
    return agree_link(state, terms, at) if state.salesforce.id else state


def came_into(state: PairState, event: ChangeEvent, terms: Terms) -> PairState:
    """The state before this event of an heir is judged, so that what it tells for the first time is judged as the winner's value."""
    changed: dict[str, Field] = {}
    names = terms.mapping(state).by_name(event.system)
    for name, wire in event.fields.items():
        mapping = names.get(name)
        field = state.fields.get(mapping.key) if mapping is not None else None
        if mapping is None or field is None or field.side(event.system).known:
            continue
        try:
            held = blank(mapping, neutral(mapping.type, wire))
        except Unfit:
            continue
        wins = not held or blank(mapping, field.value)
        side = Side(known=True, seen=False if wire is False else None, shows=field.version if wins else NEVER)
        changed[mapping.key] = field.with_side(event.system, side)
    return state.with_fields(changed) if changed else state


def adds_up(mapping: FieldMapping) -> bool:
    """Whether what both have is added, rather than one of them chosen."""
    return mapping.rule.name in (RuleName.SUM_DELTAS, RuleName.UNION)


def _unread(field: Field, side: Side, *, heir: bool) -> Side:
    """The side of a field, now that it is another record's. Writes under way were the former record's: whether they got there, and whether
    this one was made from it before or after, its reading tells."""
    if heir or side.shows == field.version:
        return Side(known=False, shows=NEVER)
    return Side(known=side.known, seen=side.seen, shows=NEVER, learnt=side.learnt, sent=side.sent, shown=side.shown)

"""Who was restored after the other side's record had been deleted, of which Tandem hears only then: the feeds of two systems come in no
common order, so the record remembers when it was restored, and an older deletion heard later is judged against that. Pure."""

from consumers.merge.lives.naming import anew
from consumers.merge.pair.state import PairState, Record, Side
from consumers.merge.terms import Terms
from streams.wire.systems import MARKETO, PERSON, System


def outlived(state: PairState, system: System, at: int, terms: Terms) -> PairState:
    """The pair, whose record on `system` was deleted at this moment (ms, that side's clock; 0: before whatever the other side has told).

    Where the other side's was restored since, it gets a new one there: a person in Marketo, and what is deleted in both systems together.
    What is known by a key of ours is made again under that, and whoever is gone in Salesforce is made again by nobody. The same state
    where it was not restored, or where the deletion is the younger.
    """
    other = state.record(system.other)
    if not other.restored or other.deleted or at > other.restored:
        return state
    if terms.mapping(state).delete_in_salesforce:
        return anew(state, system, terms)
    if system is not MARKETO or state.counterpart != PERSON:
        return state
    fields = {key: field.with_side(MARKETO, Side()) for key, field in state.fields.items()}
    state = state.with_fields(fields).with_record(MARKETO, Record())
    state.waiting = tuple(entry for entry in state.waiting if entry.event.system is not MARKETO)
    return state

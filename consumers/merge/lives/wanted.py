"""Somebody asks for a person to be in Salesforce, whatever the rule of the configuration says (a flow step, a command). Pure."""

from consumers.merge.edits.values import blank
from consumers.merge.pair.state import Field, PairState, Record, Side, shallow
from consumers.merge.terms import Terms
from streams.wire.systems import SALESFORCE


def is_in_salesforce(state: PairState) -> bool:
    """Whether the person has a record there that is alive, as far as is known."""
    return bool(state.salesforce.id) and not state.salesforce.deleted


def wanted(state: PairState, terms: Terms, now: int) -> PairState:
    """The pair, which qualifies from now on; the same state where it is in Salesforce already.

    What Salesforce refused is tried again as it is. A record that was deleted there is made again: it is another one, to which all
    that was agreed is owed (the former one's id is the caller's to remember).
    """
    if is_in_salesforce(state):
        return state
    state = _made_again(state, terms) if state.salesforce.deleted else shallow(state)
    state.wanted = now
    if state.salesforce.refused:
        record = shallow(state.salesforce)
        record.refused, record.refused_mark = "", 0
        state = state.with_record(SALESFORCE, record)
    return state


def _made_again(state: PairState, terms: Terms) -> PairState:
    """Without the record that is gone. A new one shows nothing, so what is blank is in step with it."""
    changed: dict[str, Field] = {}
    for mapping in terms.mapping(state).fields:
        field = state.fields.get(mapping.key)
        if field is not None and mapping.salesforce:
            shows = field.version if blank(mapping, field.value) else 0
            changed[mapping.key] = field.with_side(SALESFORCE, Side(shows=shows))
    state = shallow(state.with_record(SALESFORCE, Record()).with_fields(changed))
    state.waiting = tuple(entry for entry in state.waiting if entry.event.system is not SALESFORCE)
    return state

"""What an errand needs next, from what the ledger knows of its person. Pure: a value comes out, nothing is done.

Whatever is asked for, the person has to be in Salesforce first: made there by the same plan as everybody who qualifies, with its required
fields and defaults. Then the request itself is carried out on that record.
"""

from dataclasses import dataclass

from consumers.errands.errand import Done, Errand, Failed, Later, Push, Ready
from consumers.mapping.fields import SyncRules
from consumers.merge.lives.wanted import is_in_salesforce
from consumers.merge.pair.state import PairState
from consumers.merge.terms import Terms
from consumers.merge.writing.plan import row_mark
from streams.wire.systems import SALESFORCE

NO_SUCH_PERSON, HELD, REFUSED, DELETED, GAVE_UP = "NO_SUCH_PERSON", "HELD", "REFUSED_BY_SALESFORCE", "DELETED_IN_SALESFORCE", "NOT_IN_TIME"
FIELDS_REFUSED, NOT_KEPT = "FIELDS_REFUSED", "NOT_KEPT_IN_STEP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduce:
    """The ledger is to be told that this person is wanted in Salesforce."""

    errand: Errand


Step = Introduce | Ready | Done | Failed | Later


def next_step(errand: Errand, state: PairState | None, terms: Terms) -> Step:
    """What to do for an errand now. `state`: the pair of its person, None where the ledger doesn't know one."""
    if state is None:
        return Introduce(errand=errand)
    if state.marketo.deleted:
        return Failed(code=NO_SUCH_PERSON, reason=f"person {errand.person} is not in Marketo (any more)")
    if terms.mapping(state).left_out:
        return Failed(code=NOT_KEPT, reason=f"Tandem keeps no {state.object} in step: its users can't see them, or it is switched off")
    if not is_in_salesforce(state):
        return _outside(errand, state, terms.rules)
    record = state.salesforce
    if record.reread or not record.complete:
        return Later(reason="its Salesforce record is being read")
    if isinstance(errand.request, Push):
        return _pushed(errand, state)
    return Ready(errand=errand, object=state.object, record=record.id)


def _outside(errand: Errand, state: PairState, rules: SyncRules) -> Step:
    """The person has no record there that is alive."""
    record = state.salesforce
    if not errand.introduced:
        return Introduce(errand=errand)
    if state.hold:
        return Failed(code=HELD, reason=f"held: {state.hold}")
    if record.deleted:
        return Failed(code=DELETED, reason=f"{state.object} {record.id} was deleted in Salesforce")
    if record.refused and record.refused_mark == row_mark(state, rules):
        return Failed(code=REFUSED, reason=record.refused)
    return Later(reason="it is being made in Salesforce" if state.marketo.complete else "its Marketo record is being read")


def _pushed(errand: Errand, state: PairState) -> Step:
    """In Salesforce, and in step there as far as can be: what is still owed is written first."""
    refused = [
        f"{key}: {field.salesforce.reason}"
        for key, field in state.unsettled().items()
        if field.salesforce.refused == field.version and field.salesforce.reason
    ]
    if refused:
        return Failed(
            code=FIELDS_REFUSED, reason=f"{state.object} {state.salesforce.id} is there, but not whole; {'; '.join(sorted(refused))}"
        )
    if state.hold:
        return Failed(code=HELD, reason=f"held: {state.hold}")
    if state.due[0] or state.record(SALESFORCE).calling:
        return Later(reason="it is being written to Salesforce")
    made = "made" if errand.introduced and state.salesforce.origin else "there"
    return Done(reason=f"{made}: {state.object} {state.salesforce.id}", id=state.salesforce.id)

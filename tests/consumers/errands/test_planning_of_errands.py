"""What an errand needs next, from what is known of its person."""

import msgspec
import pytest

from consumers.errands.errand import ChangeOwner, Done, Errand, Failed, Later, Push, Ready, Request
from consumers.errands.planning import Introduce, next_step
from consumers.mapping.fields import Qualification
from consumers.merge.lives.wanted import wanted
from consumers.merge.pair.state import PairState, Record, Side
from consumers.merge.writing.plan import row_mark
from streams.wire.systems import LEAD
from tests.consumers.merge.person_pair import MK, MK_ID, SF, SF_ID, T, agreed, paired, terms
from tests.consumers.pairs_in_memory import lone

NOBODY = terms(qualification=Qualification())
OWNER = ChangeOwner("otto")


def errand(request: Request = OWNER, **changes: object) -> Errand:
    made = Errand(id=7, name="n", person=MK_ID, request=request, asked_at=T)
    return msgspec.structs.replace(made, **changes)


def record(state: PairState, system: object, **changes: object) -> PairState:
    side = SF if system is SF else MK
    return state.with_record(side, msgspec.structs.replace(state.record(side), **changes))


ASKED = wanted(lone(1, MK), NOBODY, T)
REFUSED = record(ASKED, SF, refused="FIELD_CUSTOM_VALIDATION_EXCEPTION: no", refused_mark=row_mark(ASKED, NOBODY.rules))
OUTSIDE = {
    "unknown": (None, Introduce),
    "not in Salesforce": (lone(1, MK), Introduce),
    "deleted there": (record(paired(), SF, deleted=True), Introduce),
    "refused before anybody asked": (REFUSED, Introduce),
}


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("request_", [OWNER, Push()])
def test_whoever_is_not_in_salesforce_is_introduced_first(name: str, request_: Request) -> None:
    state, step = OUTSIDE[name]
    assert isinstance(next_step(errand(request_), state, NOBODY), step)


WAITS = {
    "it is being made": ASKED,
    "its Marketo record was never read": record(ASKED, MK, complete=False),
    "the record is being read": record(paired(), SF, reread=True),
    "the record was never read whole": record(paired(), SF, complete=False),
}


@pytest.mark.parametrize("name", WAITS)
def test_what_is_under_way_is_waited_for(name: str) -> None:
    assert isinstance(next_step(errand(introduced=True), WAITS[name], NOBODY), Later)


FAILS = {
    "NO_SUCH_PERSON": (record(lone(1, MK), MK, deleted=True), "is not in Marketo"),
    "HELD": (msgspec.structs.replace(ASKED, hold="ambiguous match: two"), "held: ambiguous match: two"),
    "REFUSED_BY_SALESFORCE": (REFUSED, "FIELD_CUSTOM_VALIDATION_EXCEPTION: no"),
    "DELETED_IN_SALESFORCE": (record(paired(), SF, deleted=True), f"lead {SF_ID} was deleted"),
}


@pytest.mark.parametrize("code", FAILS)
def test_what_can_not_be_is_told_in_words(code: str) -> None:
    state, told = FAILS[code]
    step = next_step(errand(introduced=True), state, NOBODY)
    assert isinstance(step, Failed)
    assert step.code == code
    assert told in step.reason


def test_what_was_refused_is_waited_for_once_it_is_another_row() -> None:
    state = REFUSED.with_fields({"title": agreed("another", 9)})
    assert isinstance(next_step(errand(introduced=True), state, NOBODY), Later)


def test_the_request_is_carried_out_on_the_record_that_is_there() -> None:
    assert next_step(errand(), paired(), NOBODY) == Ready(errand=errand(), object=LEAD, record=SF_ID)


def test_a_push_is_done_once_the_person_is_there_in_step() -> None:
    assert next_step(errand(Push()), paired(), NOBODY) == Done(reason=f"there: lead {SF_ID}", id=SF_ID)
    made = record(paired(), SF, origin="tandem")
    assert next_step(errand(Push(), introduced=True), made, NOBODY) == Done(reason=f"made: lead {SF_ID}", id=SF_ID)


def test_a_push_waits_for_what_is_owed_to_salesforce() -> None:
    owing = paired(title=agreed("b", 2, salesforce=Side(seen="a", seen_at=T, shows=1)))
    assert isinstance(next_step(errand(Push()), NOBODY.with_due(owing, T), NOBODY), Later)


def test_a_push_tells_what_salesforce_refuses_of_it() -> None:
    state = paired(title=agreed("b", 2, salesforce=Side(seen="a", seen_at=T, shows=1, refused=2, reason="STRING_TOO_LONG: no")))
    step = next_step(errand(Push()), NOBODY.with_due(state, T), NOBODY)
    assert isinstance(step, Failed)
    assert (step.code, step.reason) == ("FIELDS_REFUSED", f"lead {SF_ID} is there, but not whole; title: STRING_TOO_LONG: no")


def test_a_stub_waits_to_be_read() -> None:
    stub = PairState(object=LEAD, wanted=T).with_record(MK, Record(id=MK_ID, reread=True))
    step = next_step(errand(introduced=True), stub, NOBODY)
    assert isinstance(step, Later)
    assert "Marketo" in step.reason

"""Somebody asks for a person to be in Salesforce: it qualifies from now on, and one that was deleted there is made again."""

import msgspec

from consumers.mapping.fields import Qualification
from consumers.merge.lives.joining import join
from consumers.merge.lives.wanted import is_in_salesforce, wanted
from consumers.merge.pair.state import Field, PairState, Record, Side
from consumers.merge.pair.stored import pack, unpack
from consumers.merge.writing.due import due
from consumers.merge.writing.plan import Create, Nothing, plan, row_mark
from consumers.merge.writing.writes import born, intend
from streams.wire.systems import System
from tests.consumers.merge.person_pair import LINKS, MK, SF, SF_ID, T, agreed, paired, terms
from tests.consumers.pairs_in_memory import lone

NOBODY = terms(qualification=Qualification())


def told(state: PairState, target: System = SF) -> object:
    return plan(state, target, NOBODY.rules, exact=False)


def test_who_does_not_qualify_is_made_once_somebody_asks() -> None:
    state = lone(1, MK)
    assert isinstance(told(state), Nothing)
    assert due(state, NOBODY.rules, T, exact=False)[0] == 0
    asked = wanted(state, NOBODY, T)
    assert isinstance(told(asked), Create)
    assert NOBODY.with_due(asked, T).due[0] == T
    assert state.wanted == 0, "the state that was given is not changed"


def test_whoever_is_there_already_is_left_alone() -> None:
    state = paired()
    assert wanted(state, NOBODY, T) is state
    assert is_in_salesforce(state)


def test_what_was_refused_is_tried_again_once_more() -> None:
    state = wanted(lone(1, MK), NOBODY, T)
    refused = state.with_record(SF, msgspec.structs.replace(state.salesforce, refused="no", refused_mark=row_mark(state, NOBODY.rules)))
    assert isinstance(told(refused), Nothing)
    assert isinstance(told(wanted(refused, NOBODY, T + 1)), Create)


def test_one_that_was_deleted_is_made_again_with_all_that_was_agreed_and_nothing_that_is_blank() -> None:
    gone = Record(id=SF_ID, complete=True, deleted=True, seq=1, at=T)
    state = paired(phone=Field(value=None, version=3, salesforce=Side(shows=3), marketo=Side(shows=3))).with_record(SF, gone)
    assert isinstance(told(state), Nothing)
    again = wanted(state, NOBODY, T)
    assert not is_in_salesforce(again)
    order = told(again)
    assert isinstance(order, Create)
    assert {out.name: out.value for out in order.fields} == {
        "Email": "ada@example.com", "LastName": "Lovelace", "Title": "a", "Score__c": 10,
    }  # fmt: skip
    made = intend(again, SF, order, write=7, now=T, patience=NOBODY.patience(SF))
    made = born(made, SF, "00Q000000000009EAA", 7, witnessed=False, made_until=T)
    assert isinstance(told(made), Nothing), "what is blank on both sides is not written"


def test_the_links_of_one_made_again_name_the_new_record() -> None:
    gone = Record(id=SF_ID, complete=True, deleted=True, seq=1, at=T)
    flagged = agreed(True, 2)
    state = wanted(paired(**{LINKS.is_deleted: flagged}).with_record(SF, gone), NOBODY, T)
    assert state.fields[LINKS.is_deleted] == flagged, "Tandem's own fields change with the record"


def test_of_two_who_are_joined_one_that_was_asked_for_is_enough() -> None:
    one, other = lone(1, MK), wanted(lone(2, MK), NOBODY, T)
    for winner, loser in ((one, other), (other, one)):
        state = join(winner, loser, MK, NOBODY, T)
        assert isinstance(told(state), Create)


def test_the_wish_is_stored() -> None:
    assert unpack(pack(wanted(lone(1, MK), NOBODY, T))).wanted == T

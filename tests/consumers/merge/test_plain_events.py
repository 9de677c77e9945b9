"""The short way of the plainest event says what is said in full, or nothing; and it is the way that most events take."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.merge.decision import Verdict
from consumers.merge.fold import fold, in_full
from consumers.merge.plain import plainly
from consumers.merge.state import NEVER, Field, PairState, Record, Side
from consumers.merge.stored import pack, unpack
from streams.wire.events import Happened, Value
from tests.consumers.merge.person_pair import LINKS, MK, MK_ID, SF, SF_ID, SF_USER, T, agreed, event, paired, terms
from tests.consumers.merge.test_judge_at_once import nearly_plain

TERMS = terms()
VALUES: st.SearchStrategy[Value] = st.sampled_from(["a", "b", " b", "", None, "+49 30 1234567", 7, True])
NAMES = ("Email", "LastName", "Title", "Phone", "Score__c", "HasOptedOutOfEmail", "Website", "Unmapped__c")
RECORDS: dict[str, st.SearchStrategy[object]] = {
    "seq": st.sampled_from([0, 9_000, 9_001]),
    "epoch": st.just(2),
    "complete": st.just(False),
    "deleted": st.just(True),
    "heir": st.sampled_from([1, T]),
    "reread": st.just(True),
    "refused": st.just("no"),
    "origin": st.just("tandem"),
    "calling": st.just(3),
    "creating": st.just(3),
    "lately": st.lists(st.integers(0, 20_000), max_size=8, unique=True).map(lambda told: tuple(sorted(told))),
    "at": st.sampled_from([0, T + 20_000]),
    "id": st.just(""),
}
EVENTS: dict[str, st.SearchStrategy[object]] = {
    "kind": st.sampled_from(Happened),
    "author": st.sampled_from([SF_USER, None]),
    "before": st.just({"Title": "a"}),
    "epoch": st.just(1),
    "seq": st.sampled_from([0, 1, 5_000]),
    "ref": st.just("g7"),
    "at": st.sampled_from([0, T, T + 50_000]),
}


@st.composite
def told(draw: st.DrawFn) -> tuple[PairState, Any]:
    """A stored pair and an event of it, each nearly plain."""
    keys = st.sampled_from(["email", "lastName", "title", "phone", LINKS.lead_id, LINKS.type, LINKS.is_deleted])
    state = paired(**draw(st.dictionaries(keys, nearly_plain(), max_size=2)))
    state = state.with_record(MK, Record(id=draw(st.sampled_from([MK_ID, MK_ID, ""])), complete=True))
    name = draw(st.sampled_from([None, None, *RECORDS]))
    if name is not None:
        state = state.with_record(SF, msgspec.structs.replace(state.salesforce, **{name: draw(RECORDS[name])}))
    if draw(st.integers(0, 9)) == 0:
        state = msgspec.structs.replace(state, hold=draw(st.sampled_from(["ambiguous match", "a fault of Tandem: x"])))
    fields = draw(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3))
    change = event(SF, fields)
    name = draw(st.sampled_from([None, None, *EVENTS]))
    if name is not None:
        change = msgspec.structs.replace(change, **{name: draw(EVENTS[name])})
    return (unpack(pack(state)) if draw(st.integers(0, 9)) else state), change


@given(told())
@settings(max_examples=500, deadline=None)
def test_what_is_said_plainly_is_what_is_said_in_full(case: tuple[PairState, Any]) -> None:
    state, change = case
    short = plainly(state, change, TERMS)
    if short is not None:
        assert short == in_full(state, change, TERMS, T)


def test_an_edit_of_what_is_at_rest_or_was_edited_before_takes_the_short_way() -> None:
    state = unpack(pack(paired(phone=agreed("1"))))
    first = plainly(state, event(SF, {"Title": "b", "Unmapped__c": "x"}), TERMS)
    assert first is not None
    assert [(ruling.field, ruling.verdict) for ruling in first[1]] == [("title", Verdict.ACCEPTED)]
    again = plainly(unpack(pack(first[0])), event(SF, {"Title": "c", "Phone": "2"}, at=T + 10_000), TERMS)
    assert again is not None
    assert [again[0].fields[key].value for key in ("title", "phone", "email")] == ["c", "2", "ada@example.com"]
    assert again[0].salesforce.lately == (1, 9_000, 10_000)
    assert fold(state, event(SF, {"Title": "b"}), TERMS, T) == in_full(state, event(SF, {"Title": "b"}), TERMS, T)


@pytest.mark.parametrize("links", [{LINKS.type: agreed("Contact")}, {LINKS.lead_id: agreed(None)}, {LINKS.is_deleted: agreed(True)}])
def test_a_link_that_says_something_else_is_put_right_on_the_way(links: dict[str, Field]) -> None:
    state = unpack(pack(paired(**links)))
    short = plainly(state, event(SF, {"Title": "b"}), TERMS)
    assert short is not None
    assert [short[0].fields[key].value for key in (LINKS.lead_id, LINKS.type, LINKS.is_deleted)] == [SF_ID, "Lead", False]
    assert short == in_full(state, event(SF, {"Title": "b"}), TERMS, T)


def test_a_link_that_is_owed_stays_owed() -> None:
    owed = Field(
        value="Lead", version=2, agreed_at=T, salesforce=Side(seen="Lead", seen_at=T, shows=2), marketo=Side(seen="x", shows=NEVER)
    )
    state = unpack(pack(paired(**{LINKS.type: owed})))
    short = plainly(state, event(SF, {"Title": "b"}), TERMS)
    assert short is not None
    assert short[0].fields[LINKS.type] == owed
    assert short == in_full(state, event(SF, {"Title": "b"}), TERMS, T)

"""Where a stream tells nothing, readings are the feed: who changed the record last says whether what stands there is ours.

What our write had replaced stands there again: the write changed nothing, or somebody has put it back.
"""

from typing import Any

import pytest

from consumers.merge.events.fold import fold
from consumers.merge.events.reading import Look, look
from consumers.merge.pair.decision import Verdict
from consumers.merge.pair.state import PairState, Side, Write
from consumers.merge.terms import Terms
from consumers.reconcile.unseen import is_news
from streams.wire.events import Value
from tests.consumers.merge.person_pair import SF, SF_USER, T, agreed, event, paired, reading, terms

V = Verdict
TERMS: Terms = terms()
SOMEBODY = "0055f000000009zAAA"
MADE = T + 4_000
"""The second in which our write was made."""


def written(**changes: Any) -> PairState:
    """A pair with a title that we have written to Salesforce over `a`; the call was answered, the stream has told nothing."""
    made: dict[str, Any] = {"answered": T + 4_200, "done_by": MADE + 1_000} | changes
    sent = Write(id=7, version=2, value="b", sent=T + 4_000, look_at=T + 60_000, **made)
    return paired(title=agreed("b", 2, salesforce=Side(seen="a", seen_at=T - 9_000, shows=1, writes=(sent,))))


def row(title: str, by: str | None = SOMEBODY, changed: int = MADE + 5_000, at: int = T + 90_000) -> Any:
    whole: dict[str, Value] = {"Email": "ada@example.com", "LastName": "Lovelace", "Title": title, "Score__c": 10}
    return reading(SF, whole, at, until=at + 100, modified_by=by, modified_at=changed if by else 0)


def looked(state: PairState, found: Any, *, lost: bool = True) -> tuple[PairState, V | None]:
    """The pair after a look at the silence of its stream, and the verdict on its title; None: nothing that was not known."""
    at = Look(now=found.at, again_at=found.at + 60_000, lost_before=T + 80_000 if lost else 0)
    state, rulings = look(state, found, TERMS, at)
    return state, next((ruling.verdict for ruling in rulings if ruling.field == "title"), None)


def test_what_our_write_replaced_was_put_back_where_somebody_was_the_last_to_change_the_record() -> None:
    state, early = looked(written(), row("a"), lost=False)
    state, late = looked(state, row("a", at=T + 160_000))
    title = state.fields["title"]
    assert (early, late, title.value, title.salesforce.shows) == (V.WAITING, V.ACCEPTED, "a", title.version)


@pytest.mark.parametrize(
    ("by", "changed"),
    [
        (SF_USER, MADE),  # our write was the last: it changed nothing
        (None, 0),  # the system doesn't say
    ],
)
def test_a_write_after_which_nobody_changed_the_record_has_changed_nothing(by: str | None, changed: int) -> None:
    title = looked(written(), row("a", by, changed))[0].fields["title"]
    assert (title.value, title.salesforce.shows, title.salesforce.writes) == ("b", 2, ())


def test_a_later_write_of_ours_hides_nobodys_hand() -> None:
    """Of another field: the record was changed last by ourselves, after the write of this one."""
    state, verdict = looked(written(), row("a", SF_USER, MADE + 20_000))
    assert (verdict, state.fields["title"].value) == (V.ACCEPTED, "a")


def test_of_two_writes_of_ours_in_one_second_nobody_can_say_which_was_the_last() -> None:
    other = Write(id=8, version=2, value=20, sent=T + 4_300, look_at=T + 60_000, answered=T + 4_500, done_by=MADE + 1_000)
    score = agreed(20, 2, salesforce=Side(seen=10, seen_at=T - 9_000, shows=1, writes=(other,)))
    state = written().with_fields({"leadScore": score})
    assert looked(state, row("a", SF_USER, MADE))[1] is V.ACCEPTED


def test_a_write_that_may_never_have_been_made_is_made_again() -> None:
    state, _ = looked(written(answered=-1, done_by=0), row("a"))
    title = state.fields["title"]
    assert (title.value, title.salesforce.shows, title.salesforce.writes) == ("b", 1, ())


def test_what_a_working_stream_has_told_since_is_not_told_by_a_look() -> None:
    assert looked(written(moved=True), row("a"))[0].fields["title"].value == "b"


def test_what_the_system_made_of_our_text_is_learnt_where_our_write_was_the_last() -> None:
    state, verdict = looked(written(), row("B.", SF_USER, MADE))
    side = state.fields["title"].salesforce
    assert (verdict, state.fields["title"].value) == (V.ECHO, "b")
    assert (side.learnt, side.sent, side.shown, side.shows) == (True, "b", "B.", 2)
    state, rulings = fold(state, row("B.", at=T + 200_000), TERMS, T + 200_000)
    assert (rulings, state.fields["title"].value) == ((), "b"), "it is known from then on"


def test_a_number_is_never_made_of_another_one() -> None:
    sent = Write(id=7, version=2, value=20, sent=T + 4_000, look_at=T + 60_000, answered=T + 4_200, done_by=MADE + 1_000)
    state = paired(leadScore=agreed(20, 2, salesforce=Side(seen=10, seen_at=T - 9_000, shows=1, writes=(sent,))))
    found = reading(SF, {"Score__c": 25}, T + 90_000, until=T + 90_100, modified_by=SF_USER, modified_at=MADE)
    state, _ = look(state, found, TERMS, Look(now=T + 90_000, again_at=T + 150_000, lost_before=T + 80_000))
    assert state.fields["leadScore"].value == 25


def test_once_a_look_has_found_our_value_the_poll_alone_tells_that_the_other_was_put_back() -> None:
    state, _ = looked(written(), row("b", SF_USER, MADE, at=T + 70_000), lost=False)
    found = row("a")
    assert is_news(found, state, TERMS)
    state, rulings = fold(state, found, TERMS, T + 95_000)
    assert [(ruling.field, ruling.verdict) for ruling in rulings] == [("title", V.ACCEPTED)]
    assert state.fields["title"].value == "a"


@pytest.mark.parametrize("found", [row("a", SF_USER, MADE), row("a", None)])
def test_otherwise_it_tells_nothing_new(found: Any) -> None:
    state, _ = looked(written(), row("b", SF_USER, MADE, at=T + 70_000), lost=False)
    assert not is_news(found, state, TERMS)
    assert fold(state, found, TERMS, T + 95_000)[0].fields["title"].value == "b"
    assert not is_news(row("a"), written(), TERMS), "nobody has found our value there yet"


def test_a_stream_that_is_switched_on_again_takes_up_what_the_poll_has_told() -> None:
    state, _ = looked(written(), row("a"))
    late = event(SF, {"Title": "b"}, MADE, seq=5, author=SF_USER)
    state, _ = fold(state, late, TERMS, T + 95_000)  # a place of the stream from before the reading
    assert state.fields["title"].value == "a", "our own write, told late"
    state, _ = fold(state, event(SF, {"Title": "a"}, MADE + 5_000, seq=6, author=SOMEBODY), TERMS, T + 95_000)
    state, rulings = fold(state, event(SF, {"Title": "c"}, T + 120_000, seq=7, author=SOMEBODY), TERMS, T + 121_000)
    assert [ruling.verdict for ruling in rulings] == [V.ACCEPTED]
    title = state.fields["title"]
    assert (title.value, title.salesforce.shows, title.salesforce.ahead_at) == ("c", title.version, 0)


def test_a_value_that_we_have_written_once_is_somebodys_edit_when_it_stands_there_again() -> None:
    """That write was made: it can't arrive a second time. Of values of which there are few this is no rarity."""
    state, _ = looked(written(), row("b", SF_USER, MADE))
    state, _ = fold(state, row("c", at=T + 100_000), TERMS, T + 100_100)
    state, rulings = fold(state, row("b", at=T + 200_000), TERMS, T + 200_100)
    title = state.fields["title"]
    assert ([ruling.verdict for ruling in rulings], title.value, title.salesforce.shows) == ([V.ACCEPTED], "b", title.version)

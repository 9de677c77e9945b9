"""Nightly histories in which a second, or a look before its time, hid what was known: an echo, an order, a place in the feed."""

from itertools import permutations
from typing import Any

import pytest

from consumers.merge.edits.order import in_order
from consumers.merge.events.feed import rejudge
from consumers.merge.events.fold import fold
from consumers.merge.events.reading import Look, look
from consumers.merge.pair.decision import Verdict
from consumers.merge.pair.state import FAILED, PairState, Side, Waiting, Write
from consumers.merge.terms import Terms
from streams.wire.events import Happened
from tests.consumers.merge.person_pair import MK, MK_USER, SF, SF_USER, T, agreed, event, paired, reading, terms

V = Verdict
TERMS: Terms = terms()


def score(seen: int, *writes: Write, agreement: int, **side: Any) -> PairState:
    """A pair with a score that we have written to Salesforce."""
    shown = Side(seen=seen, seen_at=T, shows=1, writes=writes, **side)
    return paired(leadScore=agreed(agreement, 2, salesforce=shown))


def looked(state: PairState, value: int, at: int, early_after: int) -> PairState:
    found = reading(SF, {"Score__c": value}, at, until=at + 100)
    return look(state, found, TERMS, Look(now=at, again_at=at + 60_000, lost_before=T - 90_000, early_after=early_after))[0]


def test_what_the_system_made_of_our_write_is_not_said_of_one_that_was_made_long_before() -> None:
    """That one was told of by a gap event, and found in place by a reading."""
    settled = Write(id=5, version=1, value="b", sent=T - 8_000, look_at=T, answered=T - 7_800, done_by=T - 7_000, placed=True)
    under_way = Write(id=7, version=2, value="c", sent=T + 4_000, look_at=T + 60_000, answered=T + 4_200, done_by=T + 5_000)
    side = Side(seen="b", seen_at=T - 7_000, shows=1, writes=(under_way,), forgotten=(settled,))
    state = paired(title=agreed("c", 2, salesforce=side))
    state, rulings = fold(state, event(SF, {"Title": "C."}, T + 4_000, author=SF_USER), TERMS, T + 9_000)
    shown = state.fields["title"].salesforce
    assert ([ruling.verdict for ruling in rulings], shown.shows, shown.learnt) == ([V.ECHO], 2, True)
    state, rulings = fold(state, event(SF, {"Title": "d"}, T + 9_000), TERMS, T + 9_500)
    assert [ruling.verdict for ruling in rulings] == [V.ACCEPTED], "who edits it then has seen our write"


def test_a_reading_that_shows_our_write_comes_after_all_that_was_told() -> None:
    """The stream told of an edit of the write's own second and lost the write; the next edit was made of what we had written."""
    write = Write(id=7, version=2, value=1_420, sent=T + 4_000, look_at=T + 60_000, answered=T + 4_200, done_by=T + 5_000)
    state = score(505, write, agreement=1_420)
    state, _ = fold(state, event(SF, {"Score__c": 885}, T + 4_000, seq=10), TERMS, T + 6_000)
    assert state.fields["leadScore"].value == 1_800
    state, _ = fold(state, reading(SF, {"Score__c": 1_420}, T + 10_900), TERMS, T + 11_000)
    state, _ = fold(state, event(SF, {"Score__c": 1_996}, T + 13_000, seq=11), TERMS, T + 14_000)
    assert state.fields["leadScore"].value == 1_800 + 576


def test_a_reading_of_the_second_of_what_was_told_says_nothing_of_their_order() -> None:
    write = Write(id=7, version=2, value=1_420, sent=T + 4_000, look_at=T + 60_000, answered=T + 4_200, done_by=T + 5_000)
    state = score(505, write, agreement=1_420)
    state, _ = fold(state, event(SF, {"Score__c": 885}, T + 4_000, seq=10), TERMS, T + 6_000)
    state, _ = fold(state, reading(SF, {"Score__c": 1_420}, T + 4_900), TERMS, T + 11_000)
    (under_way,) = state.fields["leadScore"].salesforce.writes
    assert under_way.moved


def test_a_look_before_the_feeds_time_lets_no_reading_overtake_the_feed() -> None:
    """No answer came, so it is looked for at once. The stream is late: it has yet to tell of what our write replaced."""
    write = Write(id=7, version=2, value=449, sent=T + 7_000, look_at=T + 15_000, answered=FAILED)
    state = looked(score(0, write, agreement=449), 449, T + 16_000, early_after=T - 4_000)
    state, _ = fold(state, reading(SF, {"Score__c": 492}, T + 28_000), TERMS, T + 28_100)
    told = [(125, T, "person"), (449, T + 7_000, SF_USER), (492, T + 17_000, "person")]
    for place, (value, at, author) in enumerate(told):
        state, _ = fold(state, event(SF, {"Score__c": value}, at + 1_000, seq=10 + place, author=author), TERMS, T + 37_000)
    assert state.fields["leadScore"].value == 449 + 125 + 43


def test_after_the_feeds_time_a_reading_is_taken_over_a_silent_feed() -> None:
    write = Write(id=7, version=2, value=449, sent=T + 7_000, look_at=T + 15_000, answered=FAILED)
    state = looked(score(0, write, agreement=449), 449, T + 16_000, early_after=T - 4_000)
    state = looked(state, 449, T + 76_000, early_after=T + 16_000)
    state, _ = fold(state, reading(SF, {"Score__c": 492}, T + 80_000), TERMS, T + 80_100)
    assert state.fields["leadScore"].value == 492


def change(value: int, before: int, ref: str, author: str = "person") -> Any:
    return event(MK, {"leadScore": value}, T + 14_000, before={"leadScore": before}, ref=ref, author=author)


LATE = [change(1_813, 877, "x1"), change(877, 1_813, "x2", MK_USER), change(1_244, 877, "x3")]


@pytest.mark.parametrize("arrived", list(permutations(LATE)))
def test_a_value_that_stood_there_twice_in_a_second(arrived: tuple[Any, ...]) -> None:
    """All of them waited for the change before them: none is left out when it comes."""
    waiting = tuple(Waiting(event=each, until=T + 90_000) for each in arrived)
    assert [entry.event.ref for entry in in_order(waiting)] == ["x1", "x2", "x3"]
    write = Write(id=7, version=2, value=877, sent=T + 12_500, look_at=T + 72_000, answered=T + 12_800, done_by=T + 15_000)
    state = paired(leadScore=agreed(877, 2, marketo=Side(seen=397, seen_at=T, shows=1, writes=(write,))))
    first = event(MK, {"leadScore": 877}, T + 13_000, before={"leadScore": 397}, ref="x0")
    for each in (*arrived, first):
        state, _ = fold(state, each, TERMS, T + 20_000)
    state, _ = rejudge(state, TERMS, T + 20_000)
    assert (state.fields["leadScore"].value, state.waiting) == (877 + 480 + 936 + 367, ())


def test_where_one_is_missing_each_comes_after_what_it_found_there() -> None:
    told = [change(4, 3, "x3"), change(2, 1, "x1"), change(3, 2, "x2"), change(9, 8, "x4")]
    waiting = tuple(Waiting(event=each, until=T) for each in told)
    refs = [entry.event.ref for entry in in_order(waiting)]
    assert [ref for ref in refs if ref != "x4"] == ["x1", "x2", "x3"]


def test_events_that_say_nothing_of_what_stood_there_keep_their_order() -> None:
    told = [event(SF, {"Title": str(number)}, T, seq=number, kind=Happened.UPDATED) for number in range(1, 20)]
    assert [entry.event.seq for entry in in_order([Waiting(event=each, until=T) for each in told])] == list(range(1, 20))

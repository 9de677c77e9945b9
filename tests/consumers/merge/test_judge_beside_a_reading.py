"""A change in the feed of the very second in which the record was read: before the reading or after it?

Salesforce's feed is in order, and doesn't tell what stood there before: what it tells comes before the reading until it has told what
the reading showed. Marketo's tells what stood there before: that may be a write of ours made after the reading.
"""

from typing import Any

import msgspec
import pytest

from consumers.merge.events.feed import rejudge
from consumers.merge.events.fold import fold
from consumers.merge.events.reading import Look, look
from consumers.merge.pair.decision import Verdict
from consumers.merge.pair.state import PairState, Side, Write
from consumers.merge.terms import Terms
from streams.wire.events import Happened, Value
from tests.consumers.merge.person_pair import MK, SF, SF_USER, T, agreed, event, paired, reading, terms

READ_AT, PLACE = T + 5_400, 1_000_000
V = Verdict
TERMS: Terms = terms()


def told(state: PairState, *events: Any) -> tuple[PairState, list[V]]:
    """The pair after these and what waited for them, and the verdicts on its title."""
    verdicts = list[V]()
    for each in events:
        state, rulings = fold(state, each, TERMS, T + 60_000)
        state, late = rejudge(state, TERMS, T + 60_000)
        verdicts += [ruling.verdict for told in (rulings, *(told for _, told in late)) for ruling in told if ruling.field == "title"]
    return state, verdicts


def read(value: str) -> Any:
    """The title, read in the middle of a second."""
    return reading(SF, {"Title": value}, READ_AT, until=READ_AT + 100)


def edited(value: str, at: int, seq: int) -> Any:
    """A change of the title in Salesforce's feed, stamped to the second."""
    return event(SF, {"Title": value}, at, seq=PLACE + seq)


@pytest.mark.parametrize(
    ("feed", "verdicts", "title"),
    [
        ([("b", 5), ("c", 5)], [V.SUPERSEDED, V.SUPERSEDED], "c"),  # the feed comes to what was read
        ([("c", 5), ("d", 5)], [V.SUPERSEDED, V.ACCEPTED], "d"),  # ... and goes on, within the second
        ([("c", 4), ("d", 5)], [V.SUPERSEDED, V.ACCEPTED], "d"),  # what was read was made a second earlier
        ([("c", 4), ("b", 4), ("d", 5)], [V.SUPERSEDED] * 3, "c"),  # ... but it wasn't the last of that second
        ([("b", 4), ("d", 6)], [V.SUPERSEDED, V.ACCEPTED], "d"),  # a later second is later
    ],
)
def test_salesforces_feed_in_the_second_of_a_reading(feed: list[tuple[str, int]], verdicts: list[V], title: str) -> None:
    events = [edited(value, T + second * 1_000, place + 1) for place, (value, second) in enumerate(feed)]
    state, found = told(paired(), read("c"), *events)
    assert (found[1:], state.fields["title"].value) == (verdicts, title)


VEIL = event(SF, {}, T + 5_000, kind=Happened.GAP, seq=PLACE + 1)


@pytest.mark.parametrize(
    ("feed", "total"),
    [
        ([VEIL, ("b", 2)], 23),  # the gap may have been what was read; nothing else was told before our write
        ([("b", 1)], 20),  # no gap: what was read is still to come
        ([VEIL, ("b", 2), msgspec.structs.replace(VEIL, seq=PLACE + 3)], 20),  # that may have been what was read
        ([VEIL, ("b", 2), ("a", 3)], 20),  # there it is
        ([VEIL, ("b", 2), reading(SF, {"Score__c": 12}, T + 7_000, until=T + 7_100)], 20),  # it still stands
    ],
)
def test_an_edit_of_the_second_of_a_reading_stood_between_it_and_our_write_where_the_feed_says_so(feed: list[Any], total: int) -> None:
    """12 was read; 15 is told of the same second, then our write of 20. If 15 came after the reading, 3 are to be added."""
    values = {"a": 12, "b": 15}
    sent = Write(id=7, version=3, value=20, sent=T, look_at=T + 60_000)
    side = Side(seen=12, seen_at=T, shows=2, ahead_at=READ_AT, ahead_until=READ_AT + 100, writes=(sent,))
    state = paired(leadScore=agreed(20, 3, salesforce=side))
    for each in feed:
        at = each if not isinstance(each, tuple) else event(SF, {"Score__c": values[each[0]]}, T + 5_000, seq=PLACE + each[1])
        state, _ = told(state, at)
    state, _ = told(state, event(SF, {"Score__c": 20}, T + 8_000, seq=PLACE + 9, author=SF_USER))
    score = state.fields["leadScore"]
    assert (score.value, score.salesforce.seen, score.salesforce.shows, score.salesforce.unplaced) == (total, 20, 3, None)


def test_what_can_not_be_put_in_order_is_read_again() -> None:
    state, _ = told(paired(), read("c"), edited("b", T + 5_000, 1))
    assert state.salesforce.reread


def test_what_stood_there_before_a_marketo_edit_may_be_our_write_made_after_the_reading() -> None:
    sent = Write(id=7, version=2, value="c", sent=READ_AT, look_at=T + 60_000)
    side = Side(seen="b", seen_at=T, shows=-1, ahead_at=READ_AT, ahead_until=READ_AT + 100, writes=(sent,))
    state = paired(title=agreed("c", 2, marketo=side))
    state, early = told(state, event(MK, {"title": "d"}, T + 5_000, before={"title": "c"}, ref="x2"))
    state, late = told(state, event(MK, {"title": "c"}, T + 5_000, before={"title": "b"}, ref="x1", author="tandem@example.com"))
    assert (early, late) == ([V.WAITING], [V.ECHO, V.ACCEPTED])
    assert state.fields["title"].value == "d"


def written(**changes: Any) -> PairState:
    """A pair whose title we have written to Salesforce, with no answer yet."""
    sent = Write(id=7, version=2, value="b", sent=T, look_at=T + 60_000)
    return paired(title=agreed("b", 2, salesforce=Side(seen="a", seen_at=T, shows=1, writes=(sent,))), **changes)


def test_a_reading_that_shows_our_write_proves_that_it_was_made() -> None:
    """Whoever edits the field after that has seen it, though the feed never told of the write."""
    state, verdicts = told(written(), read("b"), edited("c", T + 9_000, 1))
    assert (verdicts, state.fields["title"].value) == ([V.WAITING, V.ACCEPTED], "c")


def test_a_gap_event_of_ours_says_that_the_write_was_made() -> None:
    gap = event(SF, {}, T + 5_000, kind=Happened.GAP, seq=PLACE + 1, author=SF_USER)
    state, verdicts = told(written(), gap, edited("c", T + 9_000, 2))
    assert (verdicts, state.fields["title"].value) == ([V.ACCEPTED], "c")


def answered(by: int) -> PairState:
    """The same once the write was answered, by a second of Salesforce's clock."""
    sent = Write(id=7, version=2, value="b", sent=T, look_at=T + 60_000, answered=T + 5_200, done_by=by)
    return paired(title=agreed("b", 2, salesforce=Side(seen="a", seen_at=T, shows=1, writes=(sent,))))


def test_a_gap_event_of_ours_says_it_more_exactly_than_the_answer() -> None:
    """The answer names the end of its second; who edits the field within that second, after the gap event, has seen the write."""
    gap = event(SF, {}, T + 5_000, kind=Happened.GAP, seq=PLACE + 1, author=SF_USER)
    state, verdicts = told(answered(T + 6_000), gap, edited("c", T + 5_000, 2))
    assert (verdicts, state.fields["title"].value) == ([V.ACCEPTED], "c")


def test_a_gap_event_of_ours_stands_in_the_feed_where_the_write_was_made() -> None:
    """Before the edit that comes after it, and after the one that came before it, all in one second."""
    gap = event(SF, {}, T + 5_000, kind=Happened.GAP, seq=PLACE + 2, author=SF_USER)
    state, verdicts = told(answered(T + 6_000), edited("x", T + 5_000, 1), gap, edited("c", T + 5_000, 3))
    assert (verdicts, state.fields["title"].value) == ([V.LOST, V.ACCEPTED], "c")


def looked(state: PairState, value: Value, *, times: int = 1, lost_before: int = T - 1) -> tuple[PairState, list[V]]:
    """The pair after looks at the title, the first of them two minutes later."""
    verdicts: list[V] = []
    for at in range(T + 130_000, T + 130_000 + times * 60_000, 60_000):
        row = reading(SF, {"Title": value}, at, until=at + 100)
        state, rulings = look(state, row, TERMS, Look(now=at, again_at=at + 60_000, lost_before=lost_before))
        verdicts += [ruling.verdict for ruling in rulings if ruling.field == "title"]
    return state, verdicts


def given_up() -> PairState:
    """A write of "z" was given up; "b" was agreed and seen there before it. Another write of ours is in doubt, too."""
    late, other = (Write(id=number, version=1, value="z", sent=T - 20_000, look_at=T, answered=-1) for number in (6, 5))
    title = agreed("b", 2, salesforce=Side(seen="b", seen_at=T, shows=2, forgotten=(late,)))
    name = agreed("Lovelace", 2, salesforce=Side(seen="Lovelace", seen_at=T, shows=2, forgotten=(other,)))
    return paired(title=title, lastName=name)


@pytest.mark.parametrize(("shown", "verdicts"), [("b", [V.ECHO]), ("b, altered", [V.WAITING, V.ECHO])])
def test_what_is_read_after_a_gap_event_of_ours_alone_is_what_the_system_made_of_the_write(shown: str, verdicts: list[V]) -> None:
    gap = event(SF, {}, T + 5_000, kind=Happened.GAP, seq=PLACE + 1, author=SF_USER)
    state, _ = told(answered(T + 6_000), gap)
    state, found = looked(state, shown, times=len(verdicts))
    title = state.fields["title"]
    assert (found, title.value, title.version, title.salesforce.shows) == (verdicts, "b", 2, 2)
    assert (title.salesforce.learnt, title.salesforce.writes) == (shown != "b", ())


def test_what_is_read_after_a_gap_event_of_ours_may_be_an_edit_of_which_the_feed_has_yet_to_tell() -> None:
    gap = event(SF, {}, T + 5_000, kind=Happened.GAP, seq=PLACE + 1, author=SF_USER)
    state, _ = told(answered(T + 6_000), gap)
    state, first = looked(state, "c")
    state, second = told(state, edited("c", T + 129_000, 2))
    assert (first, second, state.fields["title"].value) == ([V.WAITING], [V.ACCEPTED], "c")


def test_what_is_read_after_somebody_elses_gap_event_may_be_an_edit() -> None:
    gap = event(SF, {}, T + 5_000, kind=Happened.GAP, seq=PLACE + 1, author=SF_USER)
    state, _ = told(answered(T + 6_000), gap, event(SF, {}, T + 5_500, kind=Happened.GAP, seq=PLACE + 2))
    assert looked(state, "c", times=2)[1] == [V.WAITING, V.WAITING]
    state, verdicts = looked(state, "c", lost_before=T)
    assert (verdicts, state.fields["title"].value) == ([V.ACCEPTED], "c")


@pytest.mark.parametrize(("shown", "verdicts", "shows"), [("z", [V.ECHO], 1), ("z, altered", [V.WAITING, V.ECHO], 1), ("b", [], 2)])
def test_a_gap_event_of_ours_may_tell_of_a_write_that_was_given_up_whatever_the_system_made_of_it(
    shown: str, verdicts: list[V], shows: int
) -> None:
    """The agreement stands, and is owed again where the write has come after all."""
    state, _ = told(given_up(), event(SF, {}, T + 5_000, kind=Happened.GAP, seq=PLACE + 1, author=SF_USER))
    state, found = looked(state, shown, times=len(verdicts) or 1)
    title = state.fields["title"]
    assert (found, title.value, title.salesforce.shows, title.salesforce.writes) == (verdicts, "b", shows, ())


def test_a_number_is_not_made_of_another() -> None:
    sent = Write(id=7, version=2, value=15, sent=T, look_at=T + 60_000, answered=T + 5_200, done_by=T + 6_000)
    state = paired(leadScore=agreed(15, 2, salesforce=Side(seen=10, seen_at=T, shows=1, writes=(sent,))))
    state, _ = told(state, event(SF, {}, T + 5_000, kind=Happened.GAP, seq=PLACE + 1, author=SF_USER))
    for at in (T + 70_000, T + 130_000):
        row = reading(SF, {"Score__c": 17}, at, until=at + 100)
        state, _ = look(state, row, TERMS, Look(now=at, again_at=at + 60_000, lost_before=T - 1))
    assert state.fields["leadScore"].value == 17


def test_a_write_told_of_late_does_not_come_after_what_was_told_before_it() -> None:
    """It says that all its fields were made, not that nobody has edited one of them since."""
    sent = Write(id=7, version=2, value="King", sent=T, look_at=T + 60_000, answered=T + 5_200, done_by=T + 6_000)
    name = agreed("King", 2, salesforce=Side(seen="Lovelace", seen_at=T, shows=1, writes=(sent,)))
    state = answered(T + 6_000).with_fields({"lastName": name})
    edits = [event(SF, {"LastName": value}, T + 5_000, seq=PLACE + place) for value, place in (("Byron", 3), ("Noel", 4))]
    late = event(SF, {"Title": "b"}, T + 4_000, seq=PLACE + 2, author=SF_USER)
    state, _ = told(state, edits[0], late, edits[1])
    assert (state.fields["lastName"].value, state.fields["lastName"].salesforce.seen) == ("King", "Noel")


def doubtful() -> PairState:
    """One write of the title was given up, the next one is under way, together with one of the name."""
    given_up = Write(id=6, version=1, value="z", sent=T - 20_000, look_at=T, answered=-1)
    state, sent = (
        answered(T + 6_000),
        Write(id=7, version=2, value="King", sent=T, look_at=T + 60_000, answered=T + 5_200, done_by=T + 6_000),
    )
    title, name = state.fields["title"], agreed("King", 2, salesforce=Side(seen="Lovelace", seen_at=T, shows=1, writes=(sent,)))
    side = msgspec.structs.replace(title.salesforce, forgotten=(given_up,))
    return state.with_fields({"title": title.with_side(SF, side), "lastName": name})


@pytest.mark.parametrize("feed", [[{"LastName": "King", "Title": "b, altered"}], [{"LastName": "King"}, {"Title": "z"}]])
def test_what_the_feed_has_brought_since_is_no_edit_when_it_is_read(feed: list[dict[str, Value]]) -> None:
    """A change of ours, whichever it is: it is not taken for somebody's who has seen the write that stands beside it."""
    events = [event(SF, fields, T + 5_000 + place, seq=PLACE + place, author=SF_USER) for place, fields in enumerate(feed)]
    state, verdicts = told(doubtful(), *events)
    shown = feed[-1]["Title"]
    row = reading(SF, {"Title": shown, "LastName": "King"}, T + 70_000, until=T + 70_100)
    state, _ = look(state, row, TERMS, Look(now=T + 70_000, again_at=T + 130_000, lost_before=T - 1))
    assert (verdicts, state.fields["title"].value) == ([V.ECHO], "b")


def test_a_reading_says_it_more_exactly_than_the_answer() -> None:
    state, _ = told(answered(T + 7_000), read("b"), edited("c", T + 6_000, 1))
    assert state.fields["title"].value == "c"


def test_a_gap_event_of_ours_may_tell_of_a_write_that_was_given_up() -> None:
    """Then the one under way may be made later: who edits the field between the two has not seen it."""
    state = answered(T + 8_000)
    field = state.fields["title"]
    late = Write(id=6, version=1, value="a", sent=T - 20_000, look_at=T, answered=-1)
    side = msgspec.structs.replace(field.salesforce, forgotten=(late,))
    gap = event(SF, {}, T + 5_000, kind=Happened.GAP, seq=PLACE + 1, author=SF_USER)
    _, verdicts = told(state.with_fields({"title": field.with_side(SF, side)}), gap, edited("c", T + 7_000, 2))
    assert verdicts == [V.LOST]


@pytest.mark.parametrize(
    ("gap_at", "verdict"),
    [(T + 14_000, V.ACCEPTED), (T + 15_000, V.LOST), (T + 16_000, V.LOST), (T + 17_000, V.ACCEPTED)],
)
def test_a_gap_event_of_ours_from_before_the_call_of_a_write_or_after_its_answer_tells_of_another_one(gap_at: int, verdict: V) -> None:
    """The other one took 300 ms and was answered in the second before 17: that call began in the second of 15 at the earliest."""
    other = Write(id=8, version=2, value="King", sent=T + 20_000, look_at=T + 90_000, answered=T + 20_300, done_by=T + 17_000)
    state = written(lastName=agreed("King", 2, salesforce=Side(seen="Lovelace", seen_at=T, shows=1, writes=(other,))))
    gap = event(SF, {}, gap_at, kind=Happened.GAP, seq=PLACE + 1, author=SF_USER)
    _, verdicts = told(state, gap, edited("c", T + 18_000, 2))
    assert verdicts == [verdict]


def test_what_is_read_once_the_feed_is_silent_for_good_was_typed_over_a_write_that_is_known_to_be_made() -> None:
    """No answer came, but a gap event said so: the edit that stands there has seen it, though the feed never told of either."""
    lost = Write(id=7, version=2, value=15, sent=T, look_at=T + 60_000, answered=-1)
    state = paired(leadScore=agreed(15, 2, salesforce=Side(seen=10, seen_at=T, shows=1, writes=(lost,))))
    gap = event(SF, {}, T + 5_000, kind=Happened.GAP, seq=PLACE + 1, author=SF_USER)
    state, _ = told(state, gap, event(SF, {}, T + 9_000, kind=Happened.GAP, seq=PLACE + 2))
    row = reading(SF, {"Score__c": 17}, T + 700_000, until=T + 700_100)
    state, _ = look(state, row, TERMS, Look(now=T + 700_000, again_at=T + 800_000, lost_before=T + 1_000))
    assert state.fields["leadScore"].value == 17


def test_a_gap_event_of_somebody_else_says_nothing_of_our_write() -> None:
    """Then neither has seen the other, and Marketo wins."""
    gap = event(SF, {}, T + 5_000, kind=Happened.GAP, seq=PLACE + 1)
    _, verdicts = told(written(), gap, edited("c", T + 9_000, 2))
    assert verdicts == [V.LOST]

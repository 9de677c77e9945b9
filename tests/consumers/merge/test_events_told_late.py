"""An event that a replay brings after later ones is judged when it never was, and is not taken for a redelivery."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from consumers.merge.events.fold import fold
from consumers.merge.pair.decision import Ruling, Verdict
from consumers.merge.pair.state import PairState, Record
from streams.wire.events import Happened, Value
from tests.consumers.merge.person_pair import MK, SF, SF_USER, T, event, paired, reading, terms

TERMS = terms()
FIRST, SECOND, THIRD = T + 9_000, T + 19_000, T + 29_000


def folded(state: PairState, *events: object) -> tuple[PairState, list[tuple[Ruling, ...]]]:
    told = []
    for each in events:
        state, rulings = fold(state, each, TERMS, T + 60_000)  # type: ignore[arg-type]
        told.append(rulings)
    return state, told


def verdicts(rulings: tuple[Ruling, ...]) -> dict[str, Verdict]:
    return {ruling.field: ruling.verdict for ruling in rulings}


def test_an_edit_of_another_field_is_judged() -> None:
    lost, heard = event(SF, {"Title": "lost"}, FIRST), event(SF, {"Phone": "5"}, SECOND)
    state, (_, late, again) = folded(paired(), heard, lost, lost)
    assert verdicts(late) == {"title": Verdict.ACCEPTED}
    assert (state.fields["title"].value, state.fields["phone"].value) == ("lost", "5")
    assert state.salesforce.seq == heard.seq
    assert again[0].reason == "told before"


def test_an_edit_that_was_made_over_is_named_and_brings_nothing_back() -> None:
    lost, heard = event(SF, {"Title": "lost", "Phone": "5"}, FIRST), event(SF, {"Title": "newer"}, SECOND)
    state, (_, late) = folded(paired(), heard, lost)
    assert verdicts(late) == {"title": Verdict.SUPERSEDED, "phone": Verdict.ACCEPTED}
    assert late[0].value == "lost"
    assert (state.fields["title"].value, state.fields["phone"].value) == ("newer", "5")


def test_what_marketo_has_agreed_meanwhile_is_a_conflict() -> None:
    lost, heard = event(SF, {"Title": "lost"}, FIRST), event(SF, {"Phone": "5"}, SECOND)
    marketo = event(MK, {"title": "theirs"}, SECOND, before={"title": "a"})
    state, told = folded(paired(), heard, marketo, lost)
    assert verdicts(told[-1]) == {"title": Verdict.LOST}
    assert state.fields["title"].value == "theirs"


def test_what_a_later_reading_has_shown_is_not_judged_twice() -> None:
    heard = event(SF, {"Phone": "5"}, SECOND)
    shown: dict[str, Value] = {
        "Email": "ada@example.com",
        "LastName": "Lovelace",
        "Title": "newest",
        "Score__c": 10,
        "HasOptedOutOfEmail": False,
        "Phone": "5",
    }
    state, told = folded(paired(), heard, reading(SF, shown, THIRD), event(SF, {"Title": "lost"}, FIRST))
    assert verdicts(told[-1]) == {"title": Verdict.SUPERSEDED}
    assert state.fields["title"].value == "newest"


def test_our_own_write_told_late_is_no_edit() -> None:
    heard = event(SF, {"Phone": "5"}, SECOND)
    state, told = folded(paired(), heard, event(SF, {"Title": "ours"}, FIRST, author=SF_USER))
    assert verdicts(told[-1]) == {"title": Verdict.SUPERSEDED}
    assert state.fields["title"].value == "a"


def test_a_deletion_told_late_does_not_delete() -> None:
    heard = event(SF, {"Phone": "5"}, SECOND)
    state, _ = folded(paired(), heard, event(SF, {}, FIRST, kind=Happened.DELETED))
    assert (state.salesforce.deleted, state.salesforce.reread) == (False, True)


def test_an_edit_from_before_a_deletion_does_not_bring_it_back() -> None:
    gone = event(SF, {}, SECOND, kind=Happened.DELETED)
    state, told = folded(paired(), gone, event(SF, {"Title": "lost"}, FIRST))
    assert verdicts(told[-1]) == {"*": Verdict.SUPERSEDED}
    assert state.salesforce.deleted


def test_what_a_previous_version_has_judged_counts_as_judged() -> None:
    state = paired().with_record(SF, msgspec.structs.replace(paired().salesforce, seq=FIRST - T))
    state, told = folded(state, event(SF, {"Phone": "5"}, SECOND), event(SF, {"Title": "old"}, FIRST - 1))
    assert [each.reason for each in told[-1]] == ["told before"]
    assert state.fields["title"].value == "a"


@given(order=st.permutations(range(1, 7)), again=st.lists(st.integers(0, 5), max_size=6))
def test_in_whatever_order_each_event_is_judged_once(order: list[int], again: list[int]) -> None:
    names = ["Title", "Phone", "LastName", "Website", "Email", "Score__c"]
    events = [event(SF, {names[number - 1]: number if number == 6 else f"v{number}"}, T + 1_000 * number) for number in order]
    start = paired().with_record(SF, Record(id=paired().salesforce.id, complete=True))
    state, told = folded(start, *events)
    assert all(ruling.reason != "told before" for rulings in told for ruling in rulings)
    assert {state.fields[key].value for key in ("title", "phone", "lastName", "website")} == {"v1", "v2", "v3", "v4"}
    repeated, told = folded(state, *(events[number] for number in again))
    assert repeated == state
    assert {ruling.reason for rulings in told for ruling in rulings} <= {"told before"}

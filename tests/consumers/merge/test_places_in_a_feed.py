"""What was told before: by the place in the feed, in the numbering that the place belongs to; a gap stands beside what could be told."""

from typing import Any

import msgspec
import pytest

from consumers.ledger.port import Duty
from consumers.merge.edits.verdicts import UNORDERED
from consumers.merge.events.fold import fold
from consumers.merge.pair.decision import Verdict
from consumers.merge.pair.state import PairState
from consumers.merge.writing.plan import Nothing, Update, plan
from streams.wire.events import Happened, Value
from streams.wire.systems import System
from tests.consumers.merge.person_pair import MK, SF, T, event, paired, reading, rules, terms

TERMS = terms()
TITLE = {SF: "Title", MK: "title"}
ROW: dict[System, dict[str, Value]] = {
    SF: {"Email": "ada@example.com", "LastName": "Lovelace", "Title": "b", "Score__c": 10, "Website": "long"},
    MK: {"email": "ada@example.com", "lastName": "Lovelace", "title": "b", "leadScore": 10},
}


def after(state: PairState, *events: Any) -> PairState:
    for told in events:
        state, _ = fold(state, told, TERMS, T + 20_000)
    return TERMS.with_due(state, T + 20_000)


@pytest.mark.parametrize("system", [SF, MK])
def test_what_could_not_be_told_whole_is_read_though_it_has_the_name_of_what_could(system: System) -> None:
    update = event(system, {TITLE[system]: "b"}, T + 9_000)
    gap = msgspec.structs.replace(update, kind=Happened.GAP, fields={})
    state = after(paired(), update, gap)
    assert (state.fields["title"].value, state.record(system).reread) == ("b", True)
    assert state.due[Duty.LOOK_SALESFORCE if system is SF else Duty.LOOK_MARKETO]
    again, rulings = fold(after(state, reading(system, ROW[system], T + 21_000)), update, TERMS, T + 30_000)
    assert (again.record(system).reread, rulings[0].verdict) == (False, Verdict.SUPERSEDED)


@pytest.mark.parametrize("system", [SF, MK])
def test_a_gap_older_than_what_was_told_asks_for_nothing_where_places_tell(system: System) -> None:
    state = after(paired(), event(system, {TITLE[system]: "c"}, T + 5_000))
    state = after(state, event(system, {TITLE[system]: "b"}, T + 9_000, before={"title": "c"} if system is MK else None))
    gap = event(system, {}, T + 5_000, kind=Happened.GAP)
    assert after(state, gap).record(system).reread is (system is MK), "Marketo's feed has no places; a reading too many does no harm"


@pytest.mark.parametrize("system", [SF, MK])
def test_a_record_that_is_to_be_read_is_not_written_to_before_that(system: System) -> None:
    """Else what the feed could not tell would be overwritten, and no decision would name it."""
    update = event(system, {TITLE[system]: "b"}, T + 9_000)
    state = after(paired(), update, msgspec.structs.replace(update, kind=Happened.GAP, fields={}))
    theirs = "Phone" if system is MK else "phone"
    state = after(state, event(system.other, {theirs: "12345"}, T + 9_500))
    assert state.fields["phone"].value == "12345"
    assert isinstance(plan(state, system, rules(), exact=True), Nothing)
    assert not state.due[Duty.WRITE_SALESFORCE if system is SF else Duty.WRITE_MARKETO]
    mine: dict[str, Value] = {**ROW[system], ("phone" if system is MK else "Phone"): "99999"}
    state = after(state, reading(system, mine, T + 21_000))
    ruled = state.fields["phone"]
    assert ruled.value in ("12345", "99999"), "a conflict, decided by its rule"
    owed = MK if ruled.value == "12345" and system is MK else SF if ruled.value == "12345" else system.other
    assert isinstance(plan(state, owed, rules(), exact=True), Update)


def told_by_channel(at: int, seq: int, epoch: int, value: str, **changes: Any) -> Any:
    return event(SF, {"Title": value}, at, seq=seq, epoch=epoch, **changes)


def test_a_lower_place_of_another_numbering_is_news() -> None:
    state = after(paired(), told_by_channel(T + 9_001, 5_000, 0, "b"), told_by_channel(T + 10_002, 7, 1, "c"))
    assert (state.fields["title"].value, state.salesforce.seq, state.salesforce.epoch) == ("c", 7, 1)
    assert after(state, told_by_channel(T + 11_003, 8, 1, "d")).fields["title"].value == "d"
    assert after(state, told_by_channel(T + 12_004, 7, 1, "d")).fields["title"].value == "c", "places of one numbering tell"


def test_what_another_numbering_tells_again_is_old_by_its_time() -> None:
    state = after(paired(), told_by_channel(T + 9_001, 5_000, 0, "b"), told_by_channel(T + 10_002, 5_001, 0, "c"))
    state = after(state, told_by_channel(T + 9_001, 1, 1, "b"), told_by_channel(T + 10_002, 2, 1, "c"))
    assert (state.fields["title"].value, state.fields["title"].version) == ("c", 3)
    assert not state.salesforce.reread


def test_within_one_second_a_reading_tells() -> None:
    """Stamps are often cut to the second."""
    state = after(paired(), told_by_channel(T + 9_000, 5_000, 0, "b"))
    state, rulings = fold(state, told_by_channel(T + 9_000, 7, 1, "c"), TERMS, T + 20_000)
    assert ([ruling.reason for ruling in rulings], state.salesforce.reread, state.fields["title"].value) == ([UNORDERED], True, "b")
    assert after(state, reading(SF, {**ROW[SF], "Title": "c"}, T + 21_000)).fields["title"].value == "c"


def test_a_state_of_before_there_were_numberings_goes_on() -> None:
    state = after(paired(), told_by_channel(T + 9_000, 5_000, 0, "b"), told_by_channel(T + 9_500, 5_001, 0, "c"))
    assert after(state, told_by_channel(T + 9_500, 5_001, 0, "x")).fields["title"].value == "c"

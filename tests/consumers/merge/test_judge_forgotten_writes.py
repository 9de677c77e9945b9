"""A write that was given up and comes back all the same: known for ours by author and value, never taken for somebody's edit."""

from typing import Any

import msgspec
import pytest

from consumers.merge.edits.forgotten import FORGOTTEN_MS
from consumers.merge.events.fold import fold
from consumers.merge.events.reading import Look, look
from consumers.merge.pair.decision import Ruling, Verdict
from consumers.merge.pair.state import PairState
from consumers.merge.pair.stored import pack, unpack
from consumers.merge.writing.due import due
from consumers.merge.writing.plan import Create, Update, plan
from consumers.merge.writing.writes import creation, failed, intend, withdrawn
from consumers.merge.writing.writes import given_up as creation_given_up
from streams.wire.events import ChangeEvent, Value
from streams.wire.systems import System
from tests.consumers.merge.person_pair import MK, MK_USER, SF, SF_USER, T, event, reading, terms
from tests.consumers.pairs_in_memory import ids, lone, owing

TERMS = terms()
STAMPED = terms(stamp="tandemStamp")
USERS = {SF: SF_USER, MK: MK_USER}
NAMES = {SF: "Title", MK: "title"}


def showing(system: System, row: dict[str, Value], at: int) -> ChangeEvent:
    """A reading of these fields alone."""
    return msgspec.structs.replace(reading(system, {}, at, id=ids(1)[system]), fields=row)


def sent(system: System, write: int = 7, value: Value = "b", state: PairState | None = None) -> PairState:
    """A pair with a write of its title under way."""
    state = state or owing(1, system, value)
    planned = plan(state, system, TERMS.rules, exact=False)
    assert isinstance(planned, Create | Update)
    return intend(state, system, planned, write=write, now=T, patience=TERMS.patience(system))


def given_up(system: System) -> PairState:
    """No answer came, and a look found what stood there before."""
    state = failed(sent(system), system, 7, T + 40_000)
    shown = showing(system, {NAMES[system]: "a"}, T + 40_000)
    state, _ = look(state, shown, TERMS, Look(now=T + 40_000, again_at=T + 80_000, lost_before=T - 1))
    assert state.fields["title"].side(system).writes == ()
    return state


def newer(state: PairState, system: System, value: Value = "c") -> PairState:
    """Somebody has edited the other side meanwhile."""
    other = system.other
    before = {NAMES[other]: "b"} if other is MK else None
    state, (ruling, *_) = fold(state, event(other, {NAMES[other]: value}, T + 50_000, id=ids(1)[other], before=before), TERMS, T)
    assert ruling.verdict is Verdict.ACCEPTED
    return state


def told(
    state: PairState, system: System, value: Value, at: int = T + 60_000, *, under: Any = TERMS, **how: Any
) -> tuple[PairState, Ruling]:
    """The feed tells of a change of the title by our own client."""
    before = {NAMES[system]: how.pop("before", state.fields["title"].side(system).seen)} if system is MK else None
    fields: dict[str, Value] = {NAMES[system]: value, **how.pop("beside", {})}
    made = {"author": USERS[system], "before": before, "id": ids(1)[system], **how}
    state, rulings = fold(state, event(system, fields, at, **made), under, T + 61_000)
    return state, next(ruling for ruling in rulings if ruling.field == "title")


@pytest.mark.parametrize("system", [SF, MK])
@pytest.mark.parametrize("value", ["b", "B~"], ids=["as it was sent", "as the system made it"])
def test_a_write_that_lands_after_it_was_given_up_reverts_nothing(system: System, value: str) -> None:
    """The newer agreement stands, and the side that shows the old value again is owed it."""
    state, ruling = told(newer(given_up(system), system), system, value)
    field = state.fields["title"]
    assert ruling.verdict is Verdict.ECHO
    assert (field.value, field.version, field.side(system).shows, field.side(system.other).shows) == ("c", 3, 2, 3)
    planned = plan(state, system, TERMS.rules, exact=False)
    assert isinstance(planned, Update)
    assert [(out.key, out.value) for out in planned.fields] == [("title", "c")]


@pytest.mark.parametrize("system", [SF, MK])
def test_it_lands_while_a_newer_write_is_under_way(system: System) -> None:
    state = sent(system, 9, state=newer(given_up(system), system))
    state, ruling = told(state, system, "b")
    side = state.fields["title"].side(system)
    assert (ruling.verdict, side.shows, [write.id for write in side.writes]) == (Verdict.ECHO, 2, [9])
    state, ruling = told(state, system, "c", T + 62_000)
    assert (ruling.verdict, state.fields["title"].side(system).shows, state.fields["title"].version) == (Verdict.ECHO, 3, 3)


@pytest.mark.parametrize("system", [SF, MK])
def test_it_lands_after_a_newer_write_has_come_back(system: System) -> None:
    state, _ = told(sent(system, 9, state=newer(given_up(system), system)), system, "c")
    state, ruling = told(state, system, "b", T + 62_000)
    assert (ruling.verdict, state.fields["title"].value, state.fields["title"].side(system).shows) == (Verdict.ECHO, "c", 2)


def test_an_older_write_in_doubt_is_remembered_when_a_later_one_comes_back() -> None:
    doubtful = failed(sent(SF), SF, 7, T + 40_000)
    moved = newer(doubtful, SF)
    write = moved.fields["title"].salesforce.writes[0]
    later = type(write)(id=9, version=3, value="c", sent=T, look_at=T + 60_000)
    side = type(moved.fields["title"].salesforce)(seen="a", seen_at=T, shows=1, writes=(write, later))
    state, _ = told(moved.with_fields({"title": moved.fields["title"].with_side(SF, side)}), SF, "c")
    state, ruling = told(state, SF, "b", T + 62_000)
    assert (ruling.verdict, state.fields["title"].value) == (Verdict.ECHO, "c")


@pytest.mark.parametrize("system", [SF, MK])
def test_the_same_value_typed_by_somebody_is_an_edit(system: System) -> None:
    _, ruling = told(newer(given_up(system), system), system, "b", author="person")
    assert ruling.verdict in (Verdict.WON, Verdict.LOST)


def test_a_change_that_a_flow_makes_in_the_transaction_of_another_write_is_an_edit() -> None:
    """Another field of the event is what that other write brought, so this one is not the write that was given up."""
    state = given_up(SF)
    state, _ = told(state, SF, "b", beside={})  # the late one has come back: nothing is left to be remembered
    assert told(state, SF, "z", T + 62_000)[1].verdict is Verdict.ACCEPTED
    state = owing(1, SF)
    phone = type(state.fields["title"])(
        value="1", version=2, salesforce=state.fields["title"].salesforce, marketo=state.fields["title"].marketo
    )
    state = given_up(SF).with_fields({"phone": phone})
    planned = plan(state, SF, TERMS.rules, exact=False)
    assert isinstance(planned, Update)
    only = Update(object=planned.object, id=planned.id, fields=tuple(out for out in planned.fields if out.key == "phone"))
    state = intend(state, SF, only, write=9, now=T, patience=TERMS.patience(SF))
    state, ruling = told(state, SF, "flow", beside={"Phone": "1"})
    assert ruling.verdict is not Verdict.ECHO


def test_by_its_stamp_it_is_known_whatever_became_of_its_value() -> None:
    state = newer(given_up(MK), MK)
    state, ruling = told(state, MK, "B~", under=STAMPED, author=None, beside={"tandemStamp": "7"})
    assert (ruling.verdict, state.fields["title"].value, state.fields["title"].marketo.shows) == (Verdict.ECHO, "c", 2)
    state, ruling = told(newer(given_up(MK), MK), MK, "x", under=STAMPED, author=None, beside={"tandemStamp": "9"})
    assert ruling.verdict is not Verdict.ECHO, "the stamp of another write"


@pytest.mark.parametrize("value", ["b", "B~"])
def test_a_reading_that_may_show_it_waits_for_the_feed_to_say_whose_it_is(value: str) -> None:
    state = newer(given_up(SF), SF)
    state, rulings = fold(state, showing(SF, {"Title": value}, T + 60_000), TERMS, T + 61_000)
    assert [(ruling.field, ruling.verdict) for ruling in rulings] == [("title", Verdict.WAITING)]
    assert told(state, SF, value, T + 59_000)[1].verdict is Verdict.ECHO


def test_a_reading_is_its_only_witness_when_the_feed_never_tells() -> None:
    state = newer(given_up(SF), SF)
    state, (ruling,) = fold(state, showing(SF, {"Title": "b"}, T + 1_000_000), TERMS, T)
    assert (ruling.verdict, state.fields["title"].value, state.fields["title"].salesforce.shows) == (Verdict.ECHO, "c", 2)


def test_it_is_forgotten_for_good_once_the_feed_is_past_it() -> None:
    state = given_up(SF)
    assert told(state, SF, "B~", T + FORGOTTEN_MS)[1].verdict is not Verdict.ECHO
    state, _ = fold(state, event(SF, {"Title": "d"}, T + FORGOTTEN_MS, id=ids(1)[SF]), TERMS, T)
    assert state.fields["title"].salesforce.forgotten == ()


def test_what_is_remembered_is_stored_and_what_was_stored_before_loads() -> None:
    state = given_up(SF)
    assert state.fields["title"].salesforce.forgotten[0].value == "b"
    assert unpack(pack(state)).fields["title"] == state.fields["title"]


def test_a_write_that_was_certainly_not_sent_is_not_remembered() -> None:
    assert withdrawn(sent(SF), SF, 7).fields["title"].salesforce.forgotten == ()


def test_nothing_is_looked_for_while_its_call_is_out() -> None:
    """The lease's end is looked at, not the write; once the call is over, the feed's time begins."""
    state = sent(MK)
    assert due(state, TERMS.rules, T, exact=False)[3] == T + TERMS.marketo.call_ms
    looked, _ = look(
        state,
        showing(MK, {"title": "a"}, T + 70_000),
        TERMS,
        Look(now=T + 70_000, again_at=T + 80_000, lost_before=T + 1),
    )
    assert looked.fields["title"].marketo.writes == state.fields["title"].marketo.writes


def test_a_creation_that_was_given_up_and_arrives_is_found_by_the_id_it_carries() -> None:

    state = creation_given_up(failed(sent(MK, state=lone(1, SF)), MK, 7, T + 8_000), MK, 7)
    assert (state.marketo.creating, creation(state, MK)) == (0, 7)


def test_where_several_were_given_up_and_the_value_is_none_of_theirs_the_agreement_is_owed_again() -> None:
    state = failed(sent(MK, 9, state=newer(given_up(MK), MK)), MK, 9, T + 55_000)
    state, _ = look(state, showing(MK, {"title": "a"}, T + 55_000), TERMS, Look(now=T + 55_000, again_at=T, lost_before=0))
    state, ruling = told(state, MK, "B~")
    side = state.fields["title"].marketo
    assert (ruling.verdict, side.shows, state.fields["title"].version, side.learnt) == (Verdict.ECHO, 2, 3, False)
    assert [write.id for write in side.forgotten] == [7, 9], "nobody knows which it was"

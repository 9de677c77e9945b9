"""What is told of a record that is part of somebody since: told once more it changes nothing, and whoever is back is somebody again."""

import msgspec
import pytest

from consumers.ledger.memory import MemoryLedger
from consumers.merge.pair.state import PairState
from consumers.merge.pair.stored import pack, unpack
from consumers.merge.writing.plan import Delete, plan
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import CONTACT, LEAD, PERSON, Object, System
from tests.consumers.merge.person_pair import MK, SF, T, event, reading
from tests.consumers.pairs_in_memory import ids, ledger_with, lone, owing
from tests.consumers.test_joins import ADA, C_ID, TERMS, contact, converted, judge, merged, one_by_one, only, two

LOSER = ids(2)[SF]


def gone(at: int, source: str = "cdc") -> ChangeEvent:
    """The record of the second pair was deleted."""
    kept = {"seq": 0, "ref": ""} if source == "poll" else {}
    return event(SF, {}, at, id=LOSER, kind=Happened.DELETED, source=source, **kept)


def seen(at: int) -> ChangeEvent:
    """A poll has found it."""
    return reading(SF, {"Email": "p2@example.com", "LastName": "Other"}, at, id=LOSER)


def pairs_of(ledger: MemoryLedger, record: str) -> list[PairState]:
    return [state for state in ledger.pairs.values() if record in (state.salesforce.id, state.marketo.id)]


async def merged_in_marketo() -> MemoryLedger:
    """Two people of Salesforce are one in Marketo; there a merge is owed."""
    ledger = two()
    await judge(ledger, merged(2, 1, MK))
    assert only(ledger).merges == ((SF, LOSER),)
    return ledger


@pytest.mark.parametrize("apart", [True, False], ids=["one by one", "at once"])
@pytest.mark.parametrize("source", ["cdc", "poll"])
async def test_who_was_deleted_while_it_was_to_be_merged_and_restored_is_to_be_merged_again(source: str, *, apart: bool) -> None:
    """Also where only a poll has seen that it is back."""
    ledger = await merged_in_marketo()
    back = event(SF, {}, T + 90_000, id=LOSER, kind=Happened.UNDELETED) if source == "cdc" else seen(T + 90_000)
    told = gone(T + 60_000, source), back
    await (one_by_one(ledger, *told) if apart else judge(ledger, *told))
    assert only(ledger).merges == ((SF, LOSER),)
    await one_by_one(ledger, told[0])
    assert only(ledger).merges == ((SF, LOSER),)


async def test_who_was_deleted_before_its_person_was_merged_is_to_be_merged_once_it_is_back() -> None:
    ledger = two()
    await one_by_one(ledger, gone(T + 10_000, "poll"), merged(2, 1, MK))
    assert only(ledger).merges == ()
    await judge(ledger, seen(T + 90_000))
    assert only(ledger).merges == ((SF, LOSER),)


async def test_who_lost_a_merge_in_salesforce_and_is_restored_is_somebody_again_though_only_a_poll_has_seen_it() -> None:
    ledger = two()
    await one_by_one(ledger, merged(2, 1, SF, source="poll", seq=0, ref=""), seen(T + 90_000))
    assert len(pairs_of(ledger, LOSER)) == 1


async def test_the_winner_is_deleted_and_whoever_was_to_be_merged_into_it_comes_back_as_that_person() -> None:
    ledger = await merged_in_marketo()
    await one_by_one(
        ledger, gone(T + 60_000, "poll"), event(SF, {}, T + 70_000, id=ids(1)[SF], kind=Happened.DELETED, source="poll", seq=0)
    )
    await judge(ledger, seen(T + 90_000))
    assert (only(ledger).salesforce.id, only(ledger).marketo.id, only(ledger).merges) == (LOSER, ids(1)[MK], ())


async def test_a_reading_from_before_its_end_brings_nobody_back() -> None:
    ledger = await merged_in_marketo()
    await one_by_one(ledger, gone(T + 60_000, "poll"), seen(T + 50_000))
    assert not pairs_of(ledger, LOSER)


@pytest.mark.parametrize("source", ["cdc", "poll"])
async def test_a_deletion_that_is_told_once_more_takes_no_merge_away_from_who_is_there(source: str) -> None:
    ledger = two()
    deleted = gone(T + 10_000, source)
    back = event(SF, {}, T + 20_000, id=LOSER, kind=Happened.UNDELETED) if source == "cdc" else seen(T + 20_000)
    await one_by_one(ledger, deleted, back)
    await one_by_one(ledger, seen(T + 25_000), merged(2, 1, MK))
    assert only(ledger).merges == ((SF, LOSER),)
    await one_by_one(ledger, deleted, back, deleted)
    assert only(ledger).merges == ((SF, LOSER),)


async def test_what_a_lead_was_before_it_was_converted_makes_nobody_of_it_when_it_is_told_once_more() -> None:
    ledger = ledger_with(lone(1, SF), told=TERMS)
    lead = ids(1)[SF]
    restored = event(SF, ADA, T + 20_000, id=lead, kind=Happened.UNDELETED)
    await one_by_one(ledger, event(SF, {}, T + 10_000, id=lead, kind=Happened.DELETED), restored, contact(), converted())
    before = only(ledger)
    assert before.salesforce.id == C_ID
    await one_by_one(ledger, restored, converted())
    assert only(ledger) == before


async def test_a_person_whom_its_pair_has_given_up_is_told_of_late_and_nobody_takes_it() -> None:
    """Restored in Salesforce after somebody had deleted its person in Marketo: it gets a new one, and never that one."""
    ledger = two()
    person = ids(2)[MK]
    await one_by_one(ledger, gone(T + 60_000), event(SF, ADA, T + 70_000, id=LOSER, kind=Happened.UNDELETED))
    await judge(ledger, event(MK, {}, T + 65_000, id=person, kind=Happened.DELETED, object=PERSON))
    assert pairs_of(ledger, LOSER)[0].marketo.id == ""
    await judge(ledger, reading(MK, {"email": "p2@example.com", "sfLeadId": LOSER}, T + 62_000, id=person))
    assert not pairs_of(ledger, person)


async def test_whoever_comes_back_for_one_who_is_gone_on_both_sides_gets_a_new_person() -> None:
    ledger = await merged_in_marketo()
    winner = event(SF, {}, T + 70_000, id=ids(1)[SF], kind=Happened.DELETED, source="poll", seq=0)
    by_hand = event(MK, {}, T + 75_000, id=ids(1)[MK], kind=Happened.DELETED, object=PERSON)
    await one_by_one(ledger, gone(T + 60_000, "poll"), winner, by_hand, seen(T + 90_000))
    assert (only(ledger).salesforce.id, only(ledger).marketo.id, only(ledger).merges) == (LOSER, "", ())
    await judge(ledger, reading(MK, {"email": "p1@example.com", "sfLeadId": LOSER}, T + 62_000, id=ids(1)[MK]))
    assert only(ledger).marketo.id == ""


async def test_an_id_that_a_merge_brought_is_put_right_once_there_is_a_record_again() -> None:
    """While its contact was gone nobody minded which one Marketo's person named."""
    ledger = two()
    winner = event(SF, {}, T + 10_000, id=ids(1)[SF], kind=Happened.DELETED, source="poll", seq=0)
    brought = event(MK, {"sfContactId": C_ID}, T + 20_000, id=ids(1)[MK])
    await one_by_one(ledger, winner, brought, merged(2, 1, MK))
    state = only(ledger)
    assert state.salesforce.id == LOSER
    assert state.fields["sfContactId"].marketo.shows != state.fields["sfContactId"].version


async def test_who_gave_way_to_somebody_made_again_is_told_of_late_and_is_nobody_else() -> None:
    ledger = two()
    again = contact(at=T + 80_000, Email="p2@example.com")
    await one_by_one(ledger, gone(T + 60_000, "poll"), again)
    assert pairs_of(ledger, ids(2)[MK])[0].salesforce.id == C_ID
    before = dict(ledger.pairs)
    await judge(ledger, event(SF, {"Title": "late", "Email": "p2@example.com"}, T + 50_000, id=LOSER, kind=Happened.CREATED))
    assert dict(ledger.pairs) == before


@pytest.mark.parametrize("system", System)
async def test_two_whose_records_are_both_about_to_be_made_are_one_and_the_second_is_looked_for(system: System) -> None:
    states = [creating(number, system) for number in (1, 2)]
    ledger = ledger_with(*states, told=TERMS)
    await judge(ledger, merged(2, 1, system.other))
    assert only(ledger).merges == ((system, ""),)


@pytest.mark.parametrize(("spare", "obj"), [(C_ID, CONTACT), (ids(7)[SF], LEAD)])
def test_a_record_of_ours_that_is_to_go_is_deleted_for_what_it_is(spare: str, obj: Object) -> None:
    """Whatever the pair's own record is."""
    for own in (LEAD, CONTACT):
        state = msgspec.structs.replace(owing(1, MK), object=own, retract=((SF, spare),))
        order = plan(state, SF, TERMS.rules, exact=True)
        assert isinstance(order, Delete)
        assert (order.object, order.id) == (obj, spare)


def creating(number: int, system: System) -> PairState:
    """On one side alone, and just being made on the other."""
    state = lone(number, system.other)
    record = msgspec.structs.replace(state.record(system), creating=7)
    return state.with_record(system, record)


async def test_what_is_remembered_of_such_records_is_stored_and_bounded() -> None:
    ledger = await merged_in_marketo()
    state = only(ledger)
    assert [each.id for each in state.ended] == [LOSER]
    assert unpack(pack(state)).ended == state.ended

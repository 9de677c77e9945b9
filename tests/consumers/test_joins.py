"""Merges and conversions as they are told: in any order, twice, late. Nobody is doubled, and whoever was part of somebody is found."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import msgspec
import pytest

from consumers.judging.batch import NOWHERE, Judging
from consumers.judging.meeting.candidates import AMBIGUOUS
from consumers.ledger.memory import MemoryLedger
from consumers.mapping.fields import ObjectMapping
from consumers.merge.events.plain import ways
from consumers.merge.pair.decision import Verdict
from consumers.merge.pair.state import PairState, Record
from consumers.merge.pair.stored import unpack
from consumers.merge.writing.plan import Create, Nothing, plan
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import CONTACT, LEAD, PERSON, System
from tests.consumers.merge.person_pair import LINKS, MK, SF, T, agreed, event, reading, terms
from tests.consumers.merge.test_changes_of_identity import CONTACT_FIELDS, LEAD_FIELDS
from tests.consumers.pairs_in_memory import ids, ledger_with, lone, owing

OBJECTS = {
    LEAD: ObjectMapping(object=LEAD, fields=LEAD_FIELDS, prefix="00Q"),
    CONTACT: ObjectMapping(object=CONTACT, fields=CONTACT_FIELDS, prefix="003"),
}
TERMS = terms(objects=OBJECTS)
C_ID = "003000000000001EAA"
ADA: dict[str, Value] = {"Email": "p1@example.com", "LastName": "Lovelace", "Title": "a", "Score__c": 10}


async def judge(ledger: MemoryLedger, *events: ChangeEvent, now: int = T + 60_000) -> None:
    """In one batch."""
    async with ledger.transaction() as tx:
        judging = Judging(tx, TERMS, now)
        await judging.load(events)
        for each in events:
            judging.judge(each, NOWHERE)
        await judging.save()


async def one_by_one(ledger: MemoryLedger, *events: ChangeEvent) -> None:
    for each in events:
        await judge(ledger, each)


def only(ledger: MemoryLedger) -> PairState:
    assert len(ledger.pairs) == 1, [(state.salesforce.id, state.marketo.id) for state in ledger.pairs.values()]
    return next(iter(ledger.pairs.values()))


def merged(loser: int, winner: int, system: System = SF, **changes: Any) -> ChangeEvent:
    """The record of one pair was merged into that of another."""
    told: dict[str, Any] = {"id": ids(loser)[system], "into": ids(winner)[system], "kind": Happened.DELETED}
    return event(system, {}, T + 30_000 + 1_000 * loser, **(told | changes))


def converted(kind: Happened = Happened.UPDATED, at: int = T + 30_000, fields: dict[str, Value] | None = None) -> ChangeEvent:
    """The lead of pair 1 was converted."""
    told: dict[str, Any] = {"id": ids(1)[SF], "into": C_ID, "into_object": CONTACT, "kind": kind}
    return reading(SF, ADA, at, **told, source="poll") if kind is Happened.READ else event(SF, fields or {}, at, **told)


def contact(kind: Happened = Happened.CREATED, at: int = T + 29_000, **fields: Value) -> ChangeEvent:
    told: dict[str, Any] = {"id": C_ID, "object": CONTACT, "kind": kind}
    return reading(SF, {**ADA, **fields}, at, **told) if kind is Happened.READ else event(SF, {**ADA, **fields}, at, **told)


def what(ledger: MemoryLedger) -> str:
    return str([(decision.kind, decision.detail, decision.fields) for decision in ledger.decisions])


def two(**fields: Any) -> MemoryLedger:
    """Two people, in step; the second with a title of its own, and these fields."""
    second = owing(2, MK)
    shown = msgspec.structs.replace(second, fields={**second.fields, "title": agreed("b"), **fields})
    first = owing(1, MK)
    return ledger_with(msgspec.structs.replace(first, fields={**first.fields, "title": agreed("a")}), shown, told=TERMS)


# -- merges -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", System)
async def test_two_pairs_are_one_and_the_other_side_is_owed_a_merge(system: System) -> None:
    ledger = two(phone=agreed("123"))
    await judge(ledger, merged(2, 1, system))
    state = only(ledger)
    assert (state.salesforce.id, state.marketo.id) == (ids(1)[SF], ids(1)[MK])
    assert state.merges == ((system.other, ids(2)[system.other]),)
    assert {key: state.fields[key].value for key in ("title", "phone", "leadScore")} == {"title": "a", "phone": "123", "leadScore": 20}


async def test_the_losers_whole_state_is_in_the_decision_and_each_value_that_lost_is_named() -> None:
    ledger = two(phone=agreed("123"))
    lost = ledger.pairs[2]
    await judge(ledger, merged(2, 1))
    told = next(decision for decision in ledger.decisions if decision.kind == "joined")
    assert told.joined is not None
    assert (told.pair, told.joined.pair, told.joined.marketo) == (1, 2, ids(2)[MK])
    assert unpack(told.joined.state) == lost
    rulings = {ruling.field: (ruling.verdict, ruling.value) for decision in ledger.decisions for ruling in decision.fields}
    assert rulings["title"] == ("lost", "b")
    assert rulings["phone"] == ("won", "123")


@pytest.mark.parametrize("system", System)
async def test_told_twice_nothing_is_added_twice(system: System) -> None:
    ledger = two()
    await judge(ledger, merged(2, 1, system), merged(2, 1, system))
    await judge(ledger, merged(2, 1, system, source="poll", seq=0))
    state = only(ledger)
    assert (state.fields["leadScore"].value, state.merges) == (20, ((system.other, ids(2)[system.other]),))


async def test_merged_on_both_sides_nothing_is_owed() -> None:
    ledger = two()
    await one_by_one(ledger, merged(2, 1, SF), merged(2, 1, MK))
    state = only(ledger)
    assert (state.merges, state.fields["leadScore"].value) == ((), 20)


async def test_merged_into_each_other_on_both_sides_one_pair_is_left_with_both_records_that_are_there() -> None:
    ledger = two()
    await one_by_one(ledger, merged(2, 1, SF), merged(1, 2, MK))
    state = only(ledger)
    assert (state.salesforce.id, state.marketo.id, state.merges) == (ids(1)[SF], ids(2)[MK], ())
    assert state.fields["leadScore"].value == 20


async def test_a_loser_that_nobody_has_heard_of_leaves_its_name() -> None:
    ledger = ledger_with(owing(1, MK), told=TERMS)
    await judge(ledger, merged(2, 1))
    await judge(ledger, event(SF, {"Title": "late"}, T + 9_000, id=ids(2)[SF]))
    assert only(ledger).merges == ()
    assert ledger.former == {(SF, LEAD, ids(2)[SF]): 1}


async def test_a_winner_that_nobody_has_heard_of_is_the_pairs_record() -> None:
    ledger = ledger_with(owing(2, MK), told=TERMS)
    await judge(ledger, merged(2, 1))
    state = only(ledger)
    assert (state.salesforce.id, state.marketo.id, state.salesforce.reread) == (ids(1)[SF], ids(2)[MK], True)
    await judge(ledger, reading(SF, {**ADA, "Title": "winner's", "Score__c": 5}, T + 50_000, id=ids(1)[SF]))
    assert {key: only(ledger).fields[key].value for key in ("title", "leadScore")} == {"title": "winner's", "leadScore": 15}


async def test_nobody_comes_of_two_that_nobody_has_heard_of() -> None:
    ledger = ledger_with(told=TERMS)
    await judge(ledger, merged(2, 1))
    assert (ledger.pairs, ledger.former) == ({}, {})


@pytest.mark.parametrize("order", list(permutations((1, 2))))
async def test_three_at_once_are_one_in_any_order(order: Sequence[int]) -> None:
    ledger = ledger_with(*(owing(number, MK) for number in (1, 2, 3)), told=TERMS)
    told = {1: merged(2, 1), 2: merged(3, 1)}
    await judge(ledger, *(told[each] for each in order))
    state = only(ledger)
    assert state.fields["leadScore"].value == 30
    assert set(state.merges) == {(MK, ids(2)[MK]), (MK, ids(3)[MK])}


@pytest.mark.parametrize("order", list(permutations((1, 2))))
@pytest.mark.parametrize("at_once", [True, False])
async def test_a_winner_that_loses_in_turn_takes_its_losers_along(order: Sequence[int], *, at_once: bool) -> None:
    ledger = ledger_with(*(owing(number, MK) for number in (1, 2, 3)), told=TERMS)
    told = {1: merged(3, 2), 2: merged(2, 1)}
    events = [told[each] for each in order]
    await (judge(ledger, *events) if at_once else one_by_one(ledger, *events))
    state = only(ledger)
    assert (state.fields["leadScore"].value, state.salesforce.id) == (30, ids(1)[SF])
    assert set(state.merges) == {(MK, ids(2)[MK]), (MK, ids(3)[MK])}
    assert {named: number for named, number in ledger.former.items() if named[0] is SF} == {
        (SF, LEAD, ids(2)[SF]): 1,
        (SF, LEAD, ids(3)[SF]): 1,
    }


async def test_a_pair_that_was_taken_for_deleted_is_joined_once_it_is_known_to_be_merged() -> None:
    ledger = two()
    await judge(ledger, event(SF, {}, T + 31_000, id=ids(2)[SF], kind=Happened.DELETED))
    assert len(ledger.pairs) == 2
    await judge(ledger, merged(2, 1, source="poll", seq=0))
    assert only(ledger).merges == ((MK, ids(2)[MK]),)


@pytest.mark.parametrize(
    "late",
    [
        event(SF, {"Title": "late", "Score__c": 99}, T + 9_000, id=ids(2)[SF]),
        event(SF, {"Title": "late"}, T + 90_000, id=ids(2)[SF], kind=Happened.CREATED),
        reading(SF, {"Title": "late", "Email": "p1@example.com"}, T + 9_000, id=ids(2)[SF]),
        reading(MK, {"title": "late", "email": "p1@example.com"}, T + 90_000, id=ids(2)[MK]),
        event(MK, {"title": "late"}, T + 9_000, id=ids(2)[MK], before={"title": "x"}),
    ],
)
async def test_what_is_told_of_a_loser_late_is_older_than_the_join(late: ChangeEvent) -> None:
    ledger = two()
    await judge(ledger, merged(2, 1))
    before = only(ledger)
    await judge(ledger, late)
    assert only(ledger) == before
    assert "late" in what(ledger)
    assert ledger.decisions[-1].pair == 1


async def test_a_loser_that_is_restored_is_somebody_again() -> None:
    ledger = two()
    await judge(ledger, merged(2, 1))
    await judge(ledger, event(SF, {}, T + 90_000, id=ids(2)[SF], kind=Happened.UNDELETED))
    assert len(ledger.pairs) == 2


@pytest.mark.parametrize("said", [{"into": ids(1)[MK]}, {}])
async def test_the_merge_that_was_owed_is_told(said: dict[str, Any]) -> None:
    ledger = two()
    await judge(ledger, merged(2, 1))
    await judge(ledger, event(MK, {}, T + 40_000, id=ids(2)[MK], kind=Happened.DELETED, **said))
    assert only(ledger).merges == ()


async def test_a_creation_under_way_for_a_loser_ends_in_the_winner() -> None:
    creating = lone(2, SF).with_record(MK, Record(creating=5))
    ledger = ledger_with(owing(1, MK), creating, told=TERMS)
    await judge(ledger, merged(2, 1))
    await judge(ledger, reading(MK, {"email": "p2@example.com", LINKS.lead_id: ids(2)[SF]}, T + 50_000, id="1999"))
    assert only(ledger).merges == ((MK, "1999"),)
    assert ledger.former[MK, PERSON, "1999"] == 1


# -- conversions --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Happened.UPDATED, Happened.READ])
@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("order", list(permutations(("contact", "lead", "lead again"))))
async def test_a_converted_lead_is_its_contact_in_any_order(order: Sequence[str], kind: Happened, *, at_once: bool) -> None:
    ledger = ledger_with(owing(1, MK), told=TERMS)
    told = {"contact": contact(), "lead": converted(kind), "lead again": converted(kind)}
    events = [told[each] for each in order]
    await (judge(ledger, *events) if at_once else one_by_one(ledger, *events))
    state = only(ledger)
    assert (state.object, state.salesforce.id, state.marketo.id, state.hold) == (CONTACT, C_ID, ids(1)[MK], "")
    assert state.fields[LINKS.contact_id].value == C_ID
    assert state.fields["leadScore"].value == 10
    assert ledger.former[SF, LEAD, ids(1)[SF]] == next(iter(ledger.pairs))


async def test_the_contact_is_held_until_the_lead_is_told_and_then_read() -> None:
    ledger = ledger_with(owing(1, MK), told=TERMS)
    await judge(ledger, contact())
    held = next(state for state in ledger.pairs.values() if state.salesforce.id == C_ID)
    assert held.hold.startswith(AMBIGUOUS)
    await judge(ledger, converted())
    assert (only(ledger).hold, only(ledger).salesforce.reread) == ("", True)


async def test_an_edit_that_is_owed_to_the_lead_is_owed_to_the_contact() -> None:
    ledger = ledger_with(owing(1, SF), told=TERMS)
    await one_by_one(ledger, contact(), converted(), contact(Happened.READ, T + 50_000))
    assert only(ledger).fields["title"].value == "b"
    assert only(ledger).fields["title"].salesforce.shows != only(ledger).fields["title"].version


async def test_a_lead_that_is_converted_into_a_contact_of_a_pair_is_joined_with_it() -> None:
    paired = ledger_with(owing(1, MK), told=TERMS).pairs[1]
    other = owing(2, MK)
    other = msgspec.structs.replace(other, object=CONTACT, fields={**other.fields, "title": agreed("contact's")})
    other = other.with_record(SF, msgspec.structs.replace(other.salesforce, id=C_ID))
    ledger = ledger_with(paired, other, told=TERMS)
    await judge(ledger, converted())
    state = only(ledger)
    assert (state.object, state.salesforce.id, state.marketo.id) == (CONTACT, C_ID, ids(2)[MK])
    assert state.merges == ((MK, ids(1)[MK]),)
    assert (state.fields["title"].value, state.fields["leadScore"].value) == ("contact's", 20)


async def test_what_the_lead_was_given_with_its_conversion_counts() -> None:
    ledger = two()
    await judge(ledger, converted(fields={"Title": "with it"}))
    assert ledger.pairs[1].fields["title"].value == "with it"


async def test_a_lead_without_an_e_mail_is_not_doubled_though_its_contact_is_being_created() -> None:
    state = owing(1, MK)
    ledger = ledger_with(msgspec.structs.replace(state, fields={**state.fields, "email": agreed(None)}), told=TERMS)
    await judge(ledger, contact(Email=None))
    stranger = next(number for number, each in ledger.pairs.items() if each.salesforce.id == C_ID)
    assert isinstance(plan(ledger.pairs[stranger], MK, TERMS.rules, exact=False), Create)
    ledger.pairs[stranger] = ledger.pairs[stranger].with_record(MK, Record(creating=7, calling=7, calling_until=T + 99_000))
    await judge(ledger, converted())
    await judge(ledger, reading(MK, {LINKS.contact_id: C_ID}, T + 50_000, id="1999"))
    assert (only(ledger).marketo.id, only(ledger).merges) == (ids(1)[MK], ((MK, "1999"),))


async def test_a_converted_lead_that_nobody_has_heard_of_makes_nobody() -> None:
    ledger = ledger_with(told=TERMS)
    await judge(ledger, converted(Happened.READ))
    assert ledger.pairs == {}
    await one_by_one(ledger, contact(), converted(Happened.READ))
    assert only(ledger).salesforce.id == C_ID
    assert not isinstance(plan(only(ledger), MK, TERMS.rules, exact=False), Nothing)


async def test_a_late_event_of_a_converted_lead_changes_nothing() -> None:
    ledger = ledger_with(owing(1, MK), told=TERMS)
    await one_by_one(ledger, converted(), contact(Happened.READ, T + 50_000))
    before = only(ledger)
    await judge(ledger, event(SF, {"Title": "late"}, T + 9_000, id=ids(1)[SF]))
    assert only(ledger) == before


async def test_a_loser_that_was_plainly_edited_in_the_same_batch_is_gone_all_the_same() -> None:
    """The edit took the short way, on what was stored of the pair; what is saved of it must not come after the end of the pair."""
    ledger = two(**{LINKS.contact_id: agreed(None)})
    events = [event(SF, {"Title": "edited"}, T + 20_000, id=ids(2)[SF]), merged(2, 1)]
    async with ledger.transaction() as tx:
        judging = Judging(tx, TERMS, T + 60_000, ways=ways(TERMS))
        await judging.load(events)
        judging.judge_all(list(enumerate(events)), "crm.salesforce.lead.v1", 0)
        assert judging.observed.verdicts[Verdict.ACCEPTED] == 2, "the edit, and the merge"
        await judging.save()
    assert only(ledger).salesforce.id == ids(1)[SF]

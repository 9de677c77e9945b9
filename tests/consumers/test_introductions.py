"""Who is whom: stored id, then e-mail, then alone; never a guess, never two people for one."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from consumers.judging.batch import NOWHERE, Judging
from consumers.judging.meeting.candidates import AMBIGUOUS
from consumers.judging.meeting.reunions import reunite
from consumers.judging.observed import Observed
from consumers.ledger.memory import MemoryLedger, MemoryTransaction
from consumers.ledger.port import Duty, Pair, Taken
from consumers.merge.pair.decision import Verdict
from consumers.merge.pair.prints import prints
from consumers.merge.pair.state import PairState, Record
from consumers.merge.writing.plan import Create, Delete, Update, plan
from consumers.merge.writing.writes import intend
from streams.wire.errors import Retry
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import LEAD, System
from tests.consumers.merge.person_pair import LINKS, MK, SF, SF_USER, T, agreed, event, reading, terms
from tests.consumers.pairs_in_memory import ids, ledger_with, lone, owing

TERMS = terms()
ADA: dict[System, dict[str, Value]] = {
    SF: {"Email": "ada@example.com", "LastName": "Lovelace", "Title": "s"},
    MK: {"email": "Ada@Example.com", "lastName": "Lovelace", "title": "m"},
}


async def judge(ledger: MemoryLedger, *events: ChangeEvent, now: int = T + 60_000) -> Observed:
    async with ledger.transaction() as tx:
        judging = Judging(tx, TERMS, now)
        await judging.load(events)
        for each in events:
            judging.judge(each, NOWHERE)
        await judging.save()
    return judging.observed


def whole(system: System, record: str, more: dict[str, Value] | None = None, at: int = T + 50_000, **fields: Value) -> ChangeEvent:
    """A reading of Ada's record."""
    return reading(system, {**ADA[system], **(more or {}), **fields}, at, id=record)


def born(record: str, more: dict[str, Value] | None = None, author: str = "person", **fields: Value) -> ChangeEvent:
    """Her creation in Salesforce, in the feed."""
    return event(SF, {**ADA[SF], **(more or {}), **fields}, T + 9_000, id=record, kind=Happened.CREATED, author=author)


def only(ledger: MemoryLedger) -> PairState:
    assert len(ledger.pairs) == 1
    return next(iter(ledger.pairs.values()))


NEW_SF, NEW_MK = "00Q000000000009AAA", "1009"


@pytest.mark.parametrize("first", System)
async def test_the_same_person_created_on_both_sides_becomes_one_pair(first: System) -> None:
    arrivals = {SF: born(NEW_SF), MK: whole(MK, NEW_MK)}
    ledger = ledger_with()
    await judge(ledger, arrivals[first])
    await judge(ledger, arrivals[first.other])
    state = only(ledger)
    assert (state.salesforce.id, state.marketo.id) == (NEW_SF, NEW_MK)
    assert (state.fields["title"].value, state.fields["lastName"].value) == ("m", "Lovelace")
    assert isinstance(plan(state, SF, TERMS.rules, exact=False), Update)
    assert "found on both sides by e-mail" in str(ledger.decisions)


async def test_both_in_one_batch_are_one_pair_too() -> None:
    ledger = ledger_with()
    await judge(ledger, born(NEW_SF), whole(MK, NEW_MK))
    assert (only(ledger).salesforce.id, only(ledger).marketo.id) == (NEW_SF, NEW_MK)


async def test_a_stored_id_says_more_than_an_e_mail() -> None:
    ledger = ledger_with(lone(1, SF), lone(2, SF))
    carrying = whole(MK, NEW_MK, more={LINKS.lead_id: ids(1)[SF]}, email="p2@example.com")
    await judge(ledger, carrying)
    assert (ledger.pairs[1].marketo.id, ledger.pairs[2].marketo.id) == (NEW_MK, "")


async def test_a_stored_id_of_fifteen_characters_is_understood() -> None:
    ledger = ledger_with(lone(1, SF))
    await judge(ledger, whole(MK, NEW_MK, {LINKS.lead_id: ids(1)[SF][:15]}))
    assert ledger.pairs[1].marketo.id == NEW_MK


@pytest.mark.parametrize("text", ["", "unknown", "0123456789"])
async def test_a_stored_id_that_is_none_is_passed_over(text: str) -> None:
    ledger = ledger_with(lone(1, SF))
    await judge(ledger, whole(MK, NEW_MK, {LINKS.lead_id: text}, email="p1@example.com"))
    assert ledger.pairs[1].marketo.id == NEW_MK


async def test_several_candidates_make_a_hold_never_a_guess() -> None:
    ledger = ledger_with(*(lone(number, SF) for number in (1, 2)))
    for number in (1, 2):
        ledger.keys[number] = "ada@example.com"
    await judge(ledger, whole(MK, NEW_MK))
    assert [ledger.pairs[number].marketo.id for number in (1, 2)] == ["", ""]
    assert ledger.pairs[3].hold.startswith(AMBIGUOUS)
    assert ledger.pairs[3].due == (0, 0, 0, 0)


async def test_a_hold_is_released_when_the_person_is_one_again() -> None:
    ledger = ledger_with(*(lone(number, SF) for number in (1, 2)))
    for number in (1, 2):
        ledger.keys[number] = "ada@example.com"
    await judge(ledger, whole(MK, NEW_MK))
    await judge(ledger, whole(MK, NEW_MK, at=T + 55_000, email="other@example.com"))
    assert ledger.pairs[3].hold == ""
    assert isinstance(plan(ledger.pairs[3], SF, TERMS.rules, exact=False), Create)


async def test_an_edited_e_mail_makes_a_held_person_be_read_again() -> None:
    ledger = ledger_with(*(lone(number, SF) for number in (1, 2)))
    for number in (1, 2):
        ledger.keys[number] = "ada@example.com"
    await judge(ledger, whole(MK, NEW_MK))
    await judge(ledger, event(MK, {"title": "x"}, T + 52_000, before={"title": "m"}, id=NEW_MK, ref="x1"))
    assert ledger.pairs[3].due == (0, 0, 0, 0), "nothing has changed about who it is"
    told = event(MK, {"email": "o@example.com"}, T + 53_000, before={"email": "Ada@Example.com"}, id=NEW_MK, ref="x2")
    observed = await judge(ledger, told)
    assert (ledger.pairs[3].marketo.reread, observed.due) == (True, {Duty.LOOK_MARKETO})


async def held_between(first: int, second: int) -> MemoryLedger:
    """Two Salesforce people of one e-mail, and a held person in Marketo that may be either."""
    ada = {"email": agreed("ada@example.com")}
    ledger = ledger_with(*(lone(number, SF).with_fields(ada) for number in (first, second)))
    for number in (first, second):
        ledger.keys[number] = "ada@example.com"
    await judge(ledger, whole(MK, NEW_MK))
    return ledger


async def test_a_held_person_is_read_again_when_one_of_the_candidates_is_deleted() -> None:
    ledger = await held_between(1, 2)
    await judge(ledger, event(SF, {}, T + 53_000, kind=Happened.DELETED, id=ids(2)[SF], seq=99))
    assert Duty.LOOK_MARKETO in await reunite(ledger, TERMS, T + 54_000)
    assert ledger.pairs[3].marketo.reread
    await judge(ledger, whole(MK, NEW_MK, at=T + 55_000))
    assert 3 not in ledger.pairs
    assert ledger.pairs[1].marketo.id == NEW_MK


async def test_a_held_person_is_read_again_when_one_of_the_candidates_turns_out_to_be_somebody_else() -> None:
    ledger = await held_between(1, 2)
    await judge(ledger, event(SF, {"Phone": "1"}, T + 52_000, id=ids(2)[SF], seq=98))
    assert not await reunite(ledger, TERMS, T + 54_000)
    assert not ledger.pairs[3].marketo.reread
    await judge(ledger, event(SF, {"Email": "grace@example.com"}, T + 53_000, id=ids(2)[SF], seq=99))
    await reunite(ledger, TERMS, T + 54_000)
    assert ledger.pairs[3].marketo.reread


async def test_somebody_with_the_same_e_mail_who_is_paired_already_makes_a_hold() -> None:
    ledger = ledger_with(owing(1, MK))
    ledger.keys[1] = "ada@example.com"
    await judge(ledger, whole(MK, NEW_MK))
    assert (ledger.pairs[1].marketo.id, ledger.pairs[2].marketo.id) == (ids(1)[MK], NEW_MK)
    assert ledger.pairs[2].hold.startswith(AMBIGUOUS)


async def test_nobody_is_matched_without_an_e_mail() -> None:
    ledger = ledger_with()
    await judge(ledger, born(NEW_SF, Email=None))
    await judge(ledger, whole(MK, NEW_MK, email=None))
    assert len(ledger.pairs) == 2


MADE_AT = T + 9_000
CREATED = "2023-11-14T22:13:29Z"
"""`MADE_AT`, as a system writes it."""


def ours_too(system: System, made_until: int) -> PairState:
    """Ada, whose record on one side is ours, and was made until that moment."""
    state = owing(1, system.other).with_fields({"email": agreed("ada@example.com")})
    ours = state.record(system)
    ours.origin, ours.made_until = "tandem", made_until
    return state


def theirs(system: System, **fields: Value) -> ChangeEvent:
    """Ada's record as somebody made it at `MADE_AT`."""
    return born(NEW_SF, fields) if system is SF else whole(MK, NEW_MK, {"createdAt": CREATED, **fields})


@pytest.mark.parametrize("system", System)
async def test_a_record_of_ours_gives_way_to_one_that_a_person_made_at_the_same_moment(system: System) -> None:
    """Theirs was there before our creation's answer came back."""
    ledger = ledger_with(ours_too(system, MADE_AT + 500))
    await judge(ledger, theirs(system))
    joined = only(ledger)
    assert joined.record(system).id == {SF: NEW_SF, MK: NEW_MK}[system]
    order = plan(joined, system, TERMS.rules, exact=False)
    assert isinstance(order, Delete)
    assert order.spare, "only if nothing hangs on it"
    assert joined.retract == ((system, ids(1)[system]),)
    assert f"{ids(1)[system]}, which Tandem had created: that one gives way" in str(ledger.decisions)


@pytest.mark.parametrize("carries", ["e-mail", "stored id"])
@pytest.mark.parametrize("made_until", [MADE_AT - 1, MADE_AT - 3 * 86_400_000, MADE_AT + 600_000, 0])
@pytest.mark.parametrize("system", System)
async def test_a_record_of_ours_stays_where_the_other_was_not_made_at_the_same_moment(
    system: System, made_until: int, carries: str
) -> None:
    """Days later, or long before, or nobody knows when: both are named, and nothing is deleted."""
    ledger = ledger_with(ours_too(system, made_until))
    link = {SF: LINKS.salesforce_key, MK: LINKS.lead_id}[system]
    await judge(ledger, theirs(system, **({link: ids(1)[system.other]} if carries == "stored id" else {})))
    assert (ledger.pairs[1].record(system).id, ledger.pairs[1].retract) == (ids(1)[system], ())
    assert ledger.pairs[2].hold.startswith(AMBIGUOUS)
    for record in ids(1).values():
        assert record in ledger.pairs[2].hold
    assert ledger.pairs[2].hold in str(ledger.decisions)


async def test_a_reading_that_does_not_say_when_a_record_was_made_makes_nobody_give_way() -> None:
    ledger = ledger_with(ours_too(MK, MADE_AT + 500))
    await judge(ledger, whole(MK, NEW_MK))
    assert ledger.pairs[1].retract == ()


async def test_what_somebody_else_makes_with_our_user_is_no_creation_of_ours() -> None:
    """A data loader that runs as Tandem's user: without the id that we would have given it, it is like anybody's."""
    ledger = ledger_with(ours_too(SF, MADE_AT - 86_400_000))
    await judge(ledger, born(NEW_SF, author=SF_USER))
    assert ledger.pairs[1].retract == ()
    assert ledger.pairs[2].hold.startswith(AMBIGUOUS)


async def test_a_record_that_is_being_withdrawn_is_not_introduced_as_somebody_new() -> None:
    state = ours_too(MK, MADE_AT + 500)
    state.retract = ((MK, "1500"),)
    ledger = ledger_with(state)
    await judge(ledger, whole(MK, "1500", {LINKS.lead_id: ids(1)[SF]}))
    assert only(ledger).retract == ((MK, "1500"),)


@pytest.mark.parametrize("seen", ["feed", "reading"])
async def test_a_record_of_ours_that_somebody_has_worked_on_does_not_give_way(seen: str) -> None:
    state = owing(1, MK).with_fields({"email": agreed("ada@example.com")})
    state.marketo.origin = "tandem"
    ledger = ledger_with(state)
    row: dict[str, Value] = {**ADA[MK], "title": "a", "leadScore": 10, LINKS.lead_id: ids(1)[SF], LINKS.type: "Lead", "phone": "1"}
    edited = {"feed": event(MK, {"phone": "1"}, T + 8_000, id=ids(1)[MK]), "reading": reading(MK, row, id=ids(1)[MK])}
    await judge(ledger, edited[seen])
    await judge(ledger, whole(MK, NEW_MK))
    assert (ledger.pairs[1].marketo.id, ledger.pairs[1].retract) == (ids(1)[MK], ())
    assert ledger.pairs[2].hold.startswith(AMBIGUOUS)


# -- our own creations --------------------------------------------------------------------------------------------------------
def creating(system: System, write: int = 7) -> PairState:
    """Pair 1 while its record on one side is being created."""
    state = lone(1, system.other)
    planned = plan(state, system, TERMS.rules, exact=False)
    assert isinstance(planned, Create)
    return intend(state, system, planned, write=write, now=T, patience=TERMS.patience(system))


async def test_our_own_creation_that_comes_back_before_its_answer_is_the_pairs_record() -> None:
    ledger = ledger_with(creating(SF))
    await judge(ledger, born(NEW_SF, {LINKS.salesforce_key: ids(1)[MK]}, SF_USER, Email="p1@example.com", Title="a", Score__c=10))
    state = only(ledger)
    assert (state.salesforce.id, state.salesforce.origin, state.salesforce.creating) == (NEW_SF, "tandem", 0)
    assert (state.fields["title"].value, state.fields["title"].version, state.fields["title"].salesforce.shows) == ("a", 1, 1)


async def test_our_own_creation_that_comes_back_after_a_persons_record_took_its_place_is_withdrawn() -> None:
    state = creating(SF)
    state = state.with_record(SF, Record(id="00Q000000000008AAA", complete=True, creating=7))
    ledger = ledger_with(state)
    await judge(ledger, born(NEW_SF, {LINKS.salesforce_key: ids(1)[MK]}, SF_USER))
    assert only(ledger).retract == ((SF, NEW_SF),)
    assert only(ledger).salesforce.id == "00Q000000000008AAA"


async def test_edits_on_a_record_of_ours_whose_creation_was_never_answered_are_no_first_meeting() -> None:
    """It carries the id that we gave it: who typed there had seen what we wrote."""
    ledger = ledger_with(creating(MK))
    await judge(ledger, event(MK, {"leadScore": 15}, T + 5_000, before={"leadScore": 10}, id=NEW_MK, ref="x1"))
    found: dict[str, Value] = {"email": "p1@example.com", "title": "a", "leadScore": 15, LINKS.lead_id: ids(1)[SF]}
    await judge(ledger, whole(MK, NEW_MK, found))
    state = only(ledger)
    assert (state.marketo.id, state.marketo.creating, state.marketo.refs) == (NEW_MK, 0, prints("x1"))
    assert (state.fields["leadScore"].value, state.fields["title"].version) == (15, 1)
    verdicts = [ruling.verdict for decision in ledger.decisions for ruling in decision.fields if ruling.field == "leadScore"]
    assert Verdict.WON not in verdicts, "the sum, not the greater of two"


# -- strangers ------------------------------------------------------------------------------------------------------------------
async def test_changes_of_an_unknown_record_wait_and_move_into_the_pair_that_its_reading_names() -> None:
    ledger = ledger_with(creating(MK))
    told = event(MK, {"title": "m"}, T + 5_000, before={"title": "a"}, id=NEW_MK, ref="x1")
    observed = await judge(ledger, told)
    assert (len(ledger.pairs), ledger.pairs[2].due[Duty.LOOK_MARKETO]) == (2, T + 60_000)
    assert observed.due == {Duty.LOOK_MARKETO}
    await judge(ledger, whole(MK, NEW_MK, {LINKS.lead_id: ids(1)[SF]}, title="m", email="p1@example.com", leadScore=10))
    assert only(ledger).fields["title"].value == "m"
    redelivered = await judge(ledger, told)
    assert redelivered.verdicts == {Verdict.SUPERSEDED: 1}


@pytest.mark.parametrize("kind", [Happened.CREATED, Happened.DELETED])
async def test_a_creation_without_values_and_the_end_of_a_stranger_make_no_pair(kind: Happened) -> None:
    ledger = ledger_with()
    observed = await judge(ledger, event(MK, {}, kind=kind, id=NEW_MK, author="person"))
    assert (ledger.pairs, observed.verdicts, ledger.decisions[0].pair) == ({}, {Verdict.SUPERSEDED: 1}, 0)


class Quicker(MemoryLedger):
    """The same pairs, but somebody else always saves first."""

    def __init__(self, ledger: MemoryLedger) -> None:
        super().__init__()
        self.pairs, self.keys, self.decisions = ledger.pairs, ledger.keys, ledger.decisions

    @asynccontextmanager
    async def transaction(self, *, durable: bool = True) -> AsyncIterator[MemoryTransaction]:
        async with super().transaction(durable=durable):
            yield _Late(self)


class _Late(MemoryTransaction):
    async def save(self, pairs: Sequence[Pair], now: int) -> None:
        raise Taken(MK, pairs[0].state.marketo.id)


async def test_a_record_that_another_transaction_was_quicker_with_is_tried_again() -> None:
    ledger = ledger_with(owing(1, MK))

    with pytest.raises(Retry):
        await judge(Quicker(ledger), event(MK, {"phone": "1"}, id=ids(1)[MK]))
    assert ledger.decisions == []


async def test_new_people_of_the_poll_go_behind_those_of_the_streams() -> None:
    ledger = ledger_with()
    await judge(ledger, whole(MK, NEW_MK))
    await judge(ledger, born(NEW_SF, Email="x@example.com"))
    assert [state.lane for state in ledger.pairs.values()] == [2, 0]
    assert all(state.object == LEAD for state in ledger.pairs.values())

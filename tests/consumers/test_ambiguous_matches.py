"""Ambiguous matches: named, looked at again when who stands in the way changes, and one person in the end. Re-created people meet anew."""

from collections.abc import Callable

import pytest

from consumers.judging.batch import NOWHERE, Judging
from consumers.judging.meeting.candidates import ALIKE_MAX, AMBIGUOUS
from consumers.judging.meeting.reunions import reunite
from consumers.judging.observed import Observed
from consumers.ledger.memory import MemoryLedger
from consumers.ledger.port import Duty
from consumers.merge.pair.state import PairState, Record, Side
from consumers.merge.writing.plan import Create, Update, plan
from consumers.settle.looks.look import Looker
from consumers.settle.rounds.settler import Settler
from consumers.settle.writers.port import Fate, Item, Outcome
from streams.wire.errors import Retry
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import System, salesforce_id
from tests.consumers.merge.person_pair import LINKS, MK, SF, T, agreed, event, reading, terms
from tests.consumers.pairs_in_memory import Clock, ids, ledger_with, owing
from tests.consumers.scripted_writer import Answer, ScriptedWriter, done

TERMS = terms()
ADA: dict[System, dict[str, Value]] = {
    SF: {"Email": "ada@example.com", "LastName": "Lovelace"},
    MK: {"email": "ada@example.com", "lastName": "Lovelace"},
}


def record(system: System, number: int) -> str:
    return salesforce_id(f"00Q{number:012d}") if system is SF else str(number)


def whole(system: System, number: int, at: int = T + 50_000, *, more: dict[str, Value] | None = None, **fields: Value) -> ChangeEvent:
    """A reading of one of Ada's records."""
    return reading(system, {**ADA[system], **(more or {}), **fields}, at, id=record(system, number))


def deleted(system: System, number: int, at: int) -> ChangeEvent:
    return event(system, {}, at, id=record(system, number), kind=Happened.DELETED, source="poll")


async def judge(ledger: MemoryLedger, *events: ChangeEvent, now: int = T + 60_000) -> Observed:
    async with ledger.transaction() as tx:
        judging = Judging(tx, TERMS, now)
        await judging.load(events)
        for each in events:
            judging.judge(each, NOWHERE)
        await judging.save()
    return judging.observed


def holds(ledger: MemoryLedger) -> list[str]:
    return [state.hold for state in ledger.pairs.values() if state.hold]


class Bench:
    """Both systems' settlers and lookers on a ledger in memory."""

    def __init__(self, ledger: MemoryLedger, answers: Callable[[Item], Answer] = done) -> None:
        self.ledger, self.clock = ledger, Clock()
        self.clock.now = T + 70_000
        self.writers = {system: ScriptedWriter(system, answers) for system in System}
        self.settlers = {system: Settler(ledger, self.writers[system], TERMS, self.clock) for system in System}
        self.lookers = {system: Looker(ledger, self.writers[system], TERMS, self.clock) for system in System}

    async def look(self) -> int:
        """Reunions and looks, until nothing is due; how many records were read."""
        before = sum(len(writer.read_ids) for writer in self.writers.values())
        await reunite(self.ledger, TERMS, self.clock())
        for looker in self.lookers.values():
            while (await looker.round()).pairs:
                pass
        return sum(len(writer.read_ids) for writer in self.writers.values()) - before


# -- named ----------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("system", System)
async def test_the_hold_and_the_decision_name_the_candidates(system: System) -> None:
    ledger = ledger_with()
    await judge(ledger, whole(system, 1), whole(system, 2))
    await judge(ledger, whole(system.other, 9))
    hold = ledger.pairs[3].hold
    name = " (Lovelace)"
    assert hold == f"{AMBIGUOUS}: the same e-mail as {system} {record(system, 1)}{name}; {system} {record(system, 2)}{name}"
    assert hold in str(ledger.decisions[-1].fields[-1].reason)


async def test_of_many_the_first_are_named_and_how_many_more_are_known() -> None:
    ledger = ledger_with()
    await judge(ledger, *(whole(SF, number) for number in range(1, 8)))
    await judge(ledger, whole(MK, 9))
    assert ledger.pairs[8].hold.count(";") == 5
    assert ledger.pairs[8].hold.endswith("; and 2 more")
    await judge(ledger, *(whole(SF, number) for number in range(20, 60)))
    await judge(ledger, whole(MK, 10))
    assert ledger.pairs[max(ledger.pairs)].hold.endswith(f"; and at least {ALIKE_MAX - 5} more")


@pytest.mark.parametrize("system", System)
async def test_those_whom_a_look_up_finds_are_named_and_known_from_then_on(system: System) -> None:
    ledger = ledger_with()
    await judge(ledger, whole(system.other, 9))
    bench = Bench(ledger)
    bench.writers[system].found = {1: [whole(system, 1, at=T + 69_000), whole(system, 2, at=T + 69_000)]}
    await bench.settlers[system].round()
    assert bench.writers[system].calls == []
    assert ledger.pairs[1].hold.startswith(AMBIGUOUS)
    assert f"{system} {record(system, 1)} (Lovelace); {system} {record(system, 2)} (Lovelace)" in ledger.pairs[1].hold
    assert [decision.detail for decision in ledger.decisions if decision.kind == "held"] == [ledger.pairs[1].hold]
    assert [state.record(system).id for state in ledger.pairs.values()] == ["", record(system, 1), record(system, 2)]
    assert len(holds(ledger)) == 3


# -- refused with 1007 ---------------------------------------------------------------------------------------------------------
async def test_a_creation_that_would_be_one_too_many_is_held_at_once_with_the_candidates() -> None:
    ledger = ledger_with()
    await judge(ledger, whole(SF, 9))
    refused = Outcome(fate=Fate.SEVERAL, reason="1007 Multiple lead match lookup criteria")
    bench = Bench(ledger, answers=lambda _: refused)
    there = [whole(MK, 1, at=T + 69_000), whole(MK, 2, at=T + 69_000)]
    bench.writers[MK].before_answer = lambda: bench.writers[MK].found.update({1: there})
    await bench.settlers[MK].round()
    assert "1007" in ledger.pairs[1].hold
    assert "marketo 1 (Lovelace); marketo 2 (Lovelace)" in ledger.pairs[1].hold
    assert ledger.pairs[1].due == (0, 0, 0, 0)
    assert ledger.decisions[-1].detail or ledger.decisions[-2].detail
    assert (await bench.settlers[MK].round()).claimed == 0
    assert len(ledger.pairs) == 3, "who is there is known from now on"


async def test_a_creation_that_would_be_one_too_many_is_held_though_nobody_can_be_seen() -> None:
    ledger = ledger_with()
    await judge(ledger, whole(SF, 9))
    bench = Bench(ledger, answers=lambda _: Outcome(fate=Fate.SEVERAL, reason="1007 several"))
    bench.writers[MK].before_answer = lambda: bench.writers[MK].refuses_to_tell.update({1: Retry("606")})
    await bench.settlers[MK].round()
    assert "none of them can be seen" in ledger.pairs[1].hold
    assert (await bench.settlers[MK].round()).claimed == 0


# -- two in the end ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("system", System)
async def test_the_two_that_are_left_in_the_end_are_made_one_and_nobody_else_is_read(system: System) -> None:
    ledger = ledger_with()
    others = range(1, 41)
    await judge(ledger, *(whole(system, number) for number in others))
    await judge(ledger, whole(system.other, 99))
    bench = Bench(ledger)
    for number in others:
        bench.writers[system].records[record(system, number)] = whole(system, number, at=T + 65_000)
    bench.writers[system.other].records[record(system.other, 99)] = whole(system.other, 99, at=T + 65_000)
    read = []
    for number in list(others)[:-1]:
        await judge(ledger, deleted(system, number, T + 61_000 + number))
        read.append(await bench.look())
    assert read == [0] * 38 + [2], "forty namesakes going one by one cost nothing until two are left"
    alive = [state for state in ledger.pairs.values() if not (state.record(system).deleted and not state.record(system.other).id)]
    assert [(state.record(system).id, state.record(system.other).id) for state in alive] == [(record(system, 40), record(system.other, 99))]
    assert holds(ledger) == []


async def test_a_record_that_carries_anothers_id_is_read_again_when_that_one_changes() -> None:
    ledger = ledger_with(owing(1, SF))
    carrying: dict[str, Value] = {"email": "somebody@else.example", LINKS.lead_id: ids(1)[SF]}
    await judge(ledger, whole(MK, 77, more=carrying))
    assert ids(1)[MK] in ledger.pairs[2].hold
    assert not await reunite(ledger, TERMS, T)
    await judge(ledger, event(MK, {}, T + 61_000, id=ids(1)[MK], kind=Happened.DELETED))
    assert Duty.LOOK_MARKETO in await reunite(ledger, TERMS, T + 62_000)
    await judge(ledger, whole(MK, 77, at=T + 63_000, more=carrying))
    assert (len(ledger.pairs), ledger.pairs[1].marketo.id, ledger.pairs[1].hold) == (1, "77", "")


async def test_a_held_record_that_is_deleted_is_held_no_longer() -> None:
    ledger = ledger_with()
    await judge(ledger, *(whole(SF, number) for number in (1, 2)))
    await judge(ledger, whole(MK, 9))
    await judge(ledger, event(MK, {}, T + 61_000, id="9", kind=Happened.DELETED))
    assert (ledger.pairs[3].hold, ledger.pairs[3].waits) == ("", "")


# -- a reading from before a write of ours -------------------------------------------------------------------------------------
def moving(system: System) -> PairState:
    """Pair 1, whose e-mail has been changed on the other side, and is still the old one on `system`."""
    state = owing(1, system)
    new = agreed("new@example.com", 2, **{system.value: Side(seen="ada@example.com", seen_at=T, shows=1)})
    return state.with_fields({"email": new, "title": agreed("a")})


def still_there(system: System, at: int) -> ChangeEvent:
    """The reading of pair 1's record that shows the old e-mail."""
    shown: dict[str, Value] = {LINKS.lead_id: ids(1)[SF], LINKS.type: "Lead", "title": "a", "leadScore": 10, "unsubscribed": False}
    row: dict[str, Value] = {**ADA[system], **(shown if system is MK else {"Title": "a", "Score__c": 10, "HasOptedOutOfEmail": False})}
    return reading(system, row, at, id=ids(1)[system])


@pytest.mark.parametrize("system", System)
async def test_who_takes_an_e_mail_that_somebody_is_leaving_is_created_a_moment_later(system: System) -> None:
    ledger = ledger_with(moving(system))
    bench = Bench(ledger)
    await judge(ledger, whole(system.other, 9))
    bench.writers[system].found = {2: [still_there(system, bench.clock.now - 2_000)]}
    await bench.settlers[system].round()
    kind = Duty.WRITE_SALESFORCE if system is SF else Duty.WRITE_MARKETO
    assert (ledger.pairs[2].hold, ledger.pairs[2].due[kind]) == ("", bench.clock.now + 3_000)
    (written,) = bench.writers[system].sent()
    assert "new@example.com" in written.values(), "first the e-mail is changed"
    fields: dict[str, Value] = {"Email": "new@example.com"} if system is SF else {"email": "new@example.com"}
    await judge(ledger, event(system, fields, T + 71_000, id=ids(1)[system], author=None if system is MK else "005000000000001AAA"))
    bench.clock.now += 3_000
    await bench.settlers[system].round()
    assert ledger.pairs[2].record(system).id, "the reading was from before our write"
    assert holds(ledger) == []


@pytest.mark.parametrize("system", System)
async def test_who_waits_for_an_e_mail_that_is_kept_is_told_by_whom_and_created_when_that_one_leaves_it(system: System) -> None:
    state = moving(system)
    email = state.fields["email"]
    email.side(system).refused, email.side(system).reason = 2, "no such domain"
    ledger = ledger_with(state)
    bench = Bench(ledger)
    await judge(ledger, whole(system.other, 9))
    bench.writers[system].found = {2: [still_there(system, bench.clock.now - 2_000)]}
    await bench.settlers[system].round()
    assert ids(1)[system] in ledger.pairs[2].hold
    assert "which keeps this e-mail there" in ledger.pairs[2].hold
    fields: dict[str, Value] = {"Email": "third@example.com"} if system is SF else {"email": "third@example.com"}
    await judge(ledger, event(system, fields, T + 71_000, id=ids(1)[system]))
    bench.writers[system].found = {}
    bench.writers[system.other].records[record(system.other, 9)] = whole(system.other, 9, at=T + 72_000)
    assert await bench.look() == 1
    await bench.settlers[system].round()
    assert ledger.pairs[2].record(system).id
    assert holds(ledger) == []


# -- made again ----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("known", [True, False])
async def test_a_person_made_again_in_marketo_meets_the_lead_again_and_its_opt_out_arrives(known: bool) -> None:
    """`known`: whether the deletion is told before the new person is; Marketo tells deletions late."""
    state = owing(1, SF).with_fields({"email": agreed("ada@example.com"), "title": agreed("a")})
    ledger = ledger_with(state)
    gone = event(MK, {}, T + 52_000, id=ids(1)[MK], kind=Happened.DELETED)
    again = whole(MK, 77, at=T + 55_000, unsubscribed=True)
    bench = Bench(ledger)
    bench.writers[MK].records["77"] = whole(MK, 77, at=T + 65_000, unsubscribed=True)
    for told in (gone, again) if known else (again, gone):
        await judge(ledger, told)
    await bench.look()
    assert len(ledger.pairs) == 1
    joined = ledger.pairs[1]
    assert (joined.marketo.id, joined.marketo.deleted, joined.hold, joined.retract) == ("77", False, "", ())
    order = plan(joined, SF, TERMS.rules, exact=False)
    assert isinstance(order, Update)
    assert {out.name: out.value for out in order.fields}["HasOptedOutOfEmail"] is True
    assert "made again, after 1001 was deleted" in str(ledger.decisions)


async def test_a_lead_made_again_for_a_purged_one_meets_the_person_again() -> None:
    ledger = ledger_with(owing(1, MK).with_fields({"email": agreed("ada@example.com"), "title": agreed("a")}))
    await judge(ledger, event(SF, {}, T + 52_000, id=ids(1)[SF], kind=Happened.DELETED, source="poll"))
    assert ledger.pairs[1].fields[LINKS.is_deleted].value is True
    fields: dict[str, Value] = {**ADA[SF], "HasOptedOutOfEmail": True}
    await judge(ledger, event(SF, fields, T + 55_000, id=record(SF, 77), kind=Happened.CREATED))
    assert len(ledger.pairs) == 1
    order = plan(ledger.pairs[1], MK, TERMS.rules, exact=False)
    assert isinstance(order, Update)
    sent = {out.name: out.value for out in order.fields}
    assert (sent[LINKS.lead_id], sent["unsubscribed"]) == (record(SF, 77), True)
    assert ledger.pairs[1].fields[LINKS.is_deleted].value is False


async def test_who_is_gone_on_both_sides_is_met_by_nobody() -> None:
    ledger = ledger_with(owing(1, SF).with_fields({"email": agreed("ada@example.com")}))
    for system in System:
        await judge(ledger, event(system, {}, T + 52_000, id=ids(1)[system], kind=Happened.DELETED))
    await judge(ledger, whole(MK, 77))
    assert ledger.pairs[2].hold == ""
    assert isinstance(plan(ledger.pairs[2], SF, TERMS.rules, exact=False), Create)


async def test_a_record_that_was_deleted_is_never_deleted_again_by_us() -> None:
    """Ours was deleted by a person, another one made at the same moment: nothing is owed to the first, should it be restored."""
    state = owing(1, SF).with_fields({"email": agreed("ada@example.com")})
    state = state.with_record(MK, Record(id=ids(1)[MK], complete=True, deleted=True, origin="tandem", made_until=T + 9_500, at=T))
    ledger = ledger_with(state)
    await judge(ledger, whole(MK, 77, createdAt="2023-11-14T22:13:29Z"))
    assert (ledger.pairs[1].marketo.id, ledger.pairs[1].retract) == ("77", ())


@pytest.mark.parametrize("before", [[], [whole(SF, 2, T + 10_000, Email="former@example.com")]], ids=["new", "known"])
@pytest.mark.parametrize("late", [False, True], ids=["held before", "held after"])
async def test_who_is_held_for_an_address_that_somebody_had_in_one_batch_alone_is_looked_at_again(
    before: list[ChangeEvent], late: bool
) -> None:
    ledger = ledger_with(told=TERMS)
    for each in before:
        await judge(ledger, each)
    had, third = whole(SF, 2, T + 20_000), whole(SF, 3, T + 24_000)
    passed_on = whole(SF, 2, T + 26_000, Email="other@example.com")
    await judge(ledger, *((had, passed_on, third) if late else (had, third, passed_on)))
    await reunite(ledger, TERMS, T + 70_000)
    state = next(each for each in ledger.pairs.values() if each.salesforce.id == record(SF, 3))
    assert not state.hold or state.salesforce.reread


# -- told once more -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("system", "kind"), [(SF, Happened.READ), (MK, Happened.READ), (SF, Happened.CREATED)])
async def test_what_was_told_of_somebody_before_he_was_deleted_meets_nobody_afterwards(system: System, kind: Happened) -> None:
    """The poll's batch is told once more after a crash; the stream, when it was behind the poll, for the first time."""
    ledger = ledger_with()
    await judge(ledger, whole(system, 1, T + 10_000), whole(system.other, 9, T + 10_000))
    gone = whole(system, 2, T + 50_000)
    ends = [
        event(system, {}, at, id=record(system, n), kind=Happened.DELETED, source="poll", seq=0)
        for n, at in ((2, T + 52_000), (1, T + 54_000))
    ]
    await judge(ledger, gone, *ends)
    told = gone if kind is Happened.READ else event(system, dict(gone.fields), T + 50_000, id=gone.id, kind=kind)
    await judge(ledger, told)
    assert ledger.pairs[1].record(system).id == record(system, 1)
    assert all(state.record(system).deleted for state in ledger.pairs.values())

"""Merges that are owed are made like any write: in batches, once, found out when the answer is lost; deletions are asked whether they were
merges before they are believed."""

from collections.abc import Iterator

import msgspec
import pytest

from consumers.merge.lives.ended import is_back
from consumers.merge.lives.joining import join
from consumers.merge.pair.state import PairState
from consumers.merge.pair.stored import pack, unpack
from consumers.merge.writing.plan import Merge
from consumers.merge.writing.refused import MERGE, refusals
from consumers.settle.conditions.reading_first import Ahead
from consumers.settle.looks.look import UNTELLABLE, Looker
from consumers.settle.rounds.settler import Settler
from consumers.settle.writers.port import Fate, Outcome
from streams.wire.errors import Unknown
from streams.wire.events import Happened
from streams.wire.systems import PERSON, System
from tests.consumers.merge.person_pair import LINKS, MK, SF, T, event, reading, terms
from tests.consumers.pairs_in_memory import Clock, ids, ledger_with, lone, owing
from tests.consumers.scripted_writer import Answer, Answering, ScriptedWriter, done
from tests.consumers.test_joins import judge, merged

TERMS = terms()


class Bench:
    """A ledger with joined pairs, and a system with its answers."""

    def __init__(self, system: System, *states: PairState, answers: Answering = done) -> None:
        self.clock, self.system = Clock(), system
        self.ledger, self.writer = ledger_with(*states, told=TERMS), ScriptedWriter(system, answers)
        self.settler = Settler(self.ledger, self.writer, TERMS, self.clock)
        self.looker = Looker(self.ledger, self.writer, TERMS, self.clock)


def joined(number: int, side: System) -> PairState:
    """A pair that has taken over another one."""
    return join(owing(number, side), owing(100 + number, side), side, TERMS, T)


@pytest.mark.parametrize("system", System)
async def test_a_merge_is_made_and_what_came_of_it_is_read(system: System) -> None:
    bench = Bench(system, joined(1, system.other), joined(2, system.other))
    await bench.settler.round()
    assert sorted(bench.writer.merged()) == [(ids(number)[system], (ids(100 + number)[system],)) for number in (1, 2)]
    assert len([call for call in bench.writer.calls if call]) == (2 if system is MK else 1)
    for state in bench.ledger.pairs.values():
        assert (state.merges, state.record(system).reread, state.record(system).calling) == ((), True, 0)
    assert "merged into" in str(bench.ledger.decisions)


async def test_who_was_merged_is_not_back_by_a_reading_from_before_that_comes_after() -> None:
    until, loser = T + 5_000, ids(101)[SF]
    bench = Bench(SF, joined(1, MK), answers=lambda _: Outcome(fate=Fate.DONE, id=ids(1)[SF], until=until))
    await bench.settler.round()
    (state,) = bench.ledger.pairs.values()
    assert not is_back(state, reading(SF, {"Title": "b"}, until - 1_000, id=loser))
    assert is_back(state, reading(SF, {"Title": "b"}, until + 10_000, id=loser))


@pytest.mark.parametrize("system", System)
async def test_a_merge_whose_answer_was_lost_is_made_again_after_a_while(system: System) -> None:
    answers: Iterator[Answer] = iter([Unknown("no answer"), Outcome(fate=Fate.DONE, id=ids(1)[system])])
    bench = Bench(system, joined(1, system.other), answers=lambda _: next(answers))
    await bench.settler.round()
    assert (await bench.settler.round()).claimed == 0
    bench.clock.now += 20_000
    await bench.settler.round()
    assert (len(bench.writer.merged()), bench.ledger.pairs[1].merges) == (2, ())


@pytest.mark.parametrize("system", System)
async def test_a_refusal_is_told_and_the_rest_goes_on(system: System) -> None:
    refused = Outcome(fate=Fate.REJECTED, reason="1079 personal URLs")
    bench = Bench(system, joined(1, system.other), answers=lambda item: refused if "losers" in repr(item.order) else done(item))
    await bench.settler.round()
    assert "1079 personal URLs" in refusals(bench.ledger.pairs[1])[system, MERGE]
    await bench.settler.round()
    assert bench.writer.sent()
    bench.clock.now += 3_600_000
    assert (len(bench.writer.merged()), bench.ledger.pairs[1].merges) == (1, ((system, ids(101)[system]),))


async def test_one_that_no_merge_takes_keeps_none_of_the_others_and_is_not_tried_for_ever() -> None:
    state = joined(1, SF)
    state.merges = tuple((MK, each) for each in ("1101", "1102", "1103"))
    refused = Outcome(fate=Fate.REJECTED, reason="1079 personal URLs")
    bench = Bench(MK, state, answers=lambda item: refused if isinstance(item.order, Merge) and "1102" in item.order.losers else done(item))
    for _ in range(12):
        await bench.settler.round()
        bench.clock.now += 60_000
    assert [losers for _, losers in bench.writer.merged()] == [("1101", "1102", "1103"), ("1101",), ("1102",), ("1103",)]
    state = bench.ledger.pairs[1]
    assert state.merges == ((MK, "1102"),)
    told = refusals(state)[MK, MERGE]
    assert "1102 into 1001: 1079 personal URLs" in told
    assert "by hand" in told


async def test_an_impossible_merge_keeps_no_edit_back_and_is_tried_once_more_with_it() -> None:
    refused = Outcome(fate=Fate.REJECTED, reason="1079 personal URLs")
    bench = Bench(MK, joined(1, SF), answers=lambda item: refused if isinstance(item.order, Merge) else done(item))
    await settled(bench)
    assert len(bench.writer.merged()) == 1
    await judge(bench.ledger, event(SF, {"LastName": "z"}, T + 50_000, id=ids(1)[SF]))
    await settled(bench)
    assert len(bench.writer.merged()) == 2
    assert "z" in repr(bench.writer.sent())


async def test_what_no_merge_takes_is_told_until_it_is_done_by_hand() -> None:
    bench = Bench(MK, joined(1, SF), answers=lambda item: Outcome(fate=Fate.REJECTED, reason="1079"))
    await bench.settler.round()
    state = unpack(pack(bench.ledger.pairs[1]))
    assert refusals(state) == refusals(bench.ledger.pairs[1]) != {}
    bench.ledger.former[MK, PERSON, ids(101)[MK]] = 1
    await judge(bench.ledger, event(MK, {}, T + 40_000, id=ids(101)[MK], into=ids(1)[MK], kind=Happened.DELETED))
    state = bench.ledger.pairs[1]
    assert (state.merges, state.unmerged, (MK, MERGE) in refusals(state)) == ((), (), False)


async def settled(bench: Bench) -> None:
    for _ in range(6):
        await bench.settler.round()
        bench.clock.now += 60_000


async def test_a_winner_that_is_gone_is_read() -> None:
    bench = Bench(MK, joined(1, SF), answers=lambda _: Outcome(fate=Fate.GONE, reason="1004"))
    await bench.settler.round()
    assert bench.ledger.pairs[1].marketo.reread


async def test_a_creation_that_was_under_way_at_the_join_is_merged_in_when_its_answer_comes() -> None:
    bench = Bench(MK, lone(1, SF))

    def meanwhile() -> None:
        bench.ledger.pairs[1] = join(bench.ledger.pairs[1], owing(101, MK), SF, TERMS, T)

    bench.writer.before_answer = meanwhile
    await bench.settler.round()
    state = bench.ledger.pairs[1]
    assert (state.marketo.id, state.merges, state.retract) == (ids(101)[MK], ((MK, "901"),), ())


async def test_a_pair_that_is_found_to_be_part_of_another_one_while_it_is_asked_about_is_not_written_for() -> None:
    bench = Bench(SF, owing(1, SF), owing(2, MK))
    told = reading(SF, {"Email": "p1@example.com"}, T + 10_000, id=ids(1)[SF], into=ids(2)[SF])
    bench.writer.records = {ids(1)[SF]: told}
    settler = Settler(bench.ledger, bench.writer, TERMS, bench.clock, read_first=Ahead.ALL)
    await settler.round()
    assert list(bench.ledger.pairs) == [2]
    assert ids(1)[SF] not in [getattr(item.order, "id", "") for call in bench.writer.calls for item in call]


# -- deletions --------------------------------------------------------------------------------------------------------------------


async def told(bench: Bench) -> None:
    for number in (1, 2):
        await judge(bench.ledger, event(SF, {}, T + 30_000, id=ids(number)[SF], kind=Happened.DELETED))
    bench.clock.now = T + 70_000


def both() -> Bench:
    return Bench(SF, owing(1, MK), owing(2, MK), owing(3, MK))


async def test_a_deletion_is_asked_whether_it_was_a_merge_before_marketo_is_told_all_in_one_call() -> None:
    bench = both()
    await told(bench)
    assert bench.ledger.pairs[1].fields[LINKS.is_deleted].value is False
    bench.writer.merged_into = {ids(2)[SF]: ids(3)[SF]}
    looked = await bench.looker.round()
    assert (looked.read, sorted(bench.writer.asked_masters)) == (0, [ids(1)[SF], ids(2)[SF]])
    assert sorted(bench.ledger.pairs) == [1, 3]
    assert bench.ledger.pairs[1].fields[LINKS.is_deleted].value is True
    assert bench.ledger.pairs[3].merges == ((MK, ids(2)[MK]),)
    assert (await bench.looker.round()).pairs == 0


async def test_what_nobody_can_tell_any_more_is_deleted_and_the_decision_says_so() -> None:
    bench = both()
    await told(bench)
    bench.writer.purged = {ids(1)[SF]}
    await bench.looker.round()
    assert bench.ledger.pairs[1].fields[LINKS.is_deleted].value is True
    reasons = [ruling.reason for decision in bench.ledger.decisions for ruling in decision.fields if decision.pair == 1]
    assert any(UNTELLABLE in reason for reason in reasons)


async def test_a_record_that_a_look_does_not_find_is_asked_about_too() -> None:
    state = owing(1, MK)
    bench = Bench(SF, state.with_record(SF, msgspec.structs.replace(state.salesforce, reread=True)), owing(2, MK))
    bench.writer.merged_into = {ids(1)[SF]: ids(2)[SF]}
    await bench.looker.round()
    assert list(bench.ledger.pairs) == [2]


@pytest.mark.parametrize("first", ["stream", "poll"])
async def test_the_stream_and_the_poll_say_the_same_in_any_order(first: str) -> None:
    bench = both()
    deleted = event(SF, {}, T + 30_000, id=ids(2)[SF], kind=Happened.DELETED)
    merge = merged(2, 3, source="poll", seq=0)
    for each in (deleted, merge) if first == "stream" else (merge, deleted):
        await judge(bench.ledger, each)
    bench.clock.now += 5_000
    await bench.looker.round()
    assert sorted(bench.ledger.pairs) == [1, 3]
    assert bench.ledger.pairs[3].fields["leadScore"].value == 20

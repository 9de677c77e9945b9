"""A killed worker's calls are found as soon as its beat is missed, and not at the end of their leases."""

import pytest

from consumers.ledger.callers import Caller
from consumers.ledger.port import Duty
from consumers.merge.pair.state import FAILED, PairState
from consumers.merge.pair.stored import pack, unpack
from consumers.settle.looks.abandoned import Abandoned
from consumers.settle.looks.look import Looker
from consumers.settle.rounds.answers import Settled
from consumers.settle.rounds.settler import Settler
from streams.wire.events import Value
from streams.wire.systems import System
from tests.consumers.merge.person_pair import LINKS, MK, SF, T, reading, terms
from tests.consumers.pairs_in_memory import Clock, ids, ledger_with, lone, owing
from tests.consumers.scripted_writer import ScriptedWriter

TERMS = terms()
NAMES = {SF: ("Title", "Email", "LastName", "Score__c"), MK: ("title", "email", "lastName", "leadScore")}


class Now:
    """Monotonic seconds, set by hand."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


class Bench:
    """Two workers on one ledger: `gone` claims and is killed, `stays` finds out."""

    def __init__(self, *states: PairState, system: System = MK) -> None:
        self.clock, self.now, self.system = Clock(), Now(), system
        self.ledger = ledger_with(*states)
        self.gone, self.stays = Caller("a:1:x", self.now), Caller("b:2:y", self.now)
        self.alive = {self.gone.number, self.stays.number}
        self.rung: set[Duty] = set()
        self.abandoned = Abandoned(self.ledger, TERMS, self.clock, self._alive, me=self.stays.number, found=self.rung.update)
        self.writer = ScriptedWriter(system)

    async def _alive(self) -> frozenset[int]:
        return frozenset(self.alive)

    def settler(self, caller: Caller) -> Settler:
        return Settler(self.ledger, self.writer, TERMS, self.clock, caller=caller)

    def stands(self, value: Value) -> None:
        """What a reading shows."""
        record, names = ids(1)[self.system], NAMES[self.system]
        row: dict[str, Value] = dict(zip(names, (value, "p1@example.com", "Lovelace", 10), strict=True))
        if self.system is MK:
            row |= {LINKS.lead_id: ids(1)[SF], LINKS.type: "Lead"}
        self.writer.records = {record: reading(self.system, row, self.clock.now, id=record)}


@pytest.mark.parametrize("system", [SF, MK])
@pytest.mark.parametrize("arrived", [False, True])
async def test_a_killed_workers_write_is_settled_by_a_look_at_once(system: System, *, arrived: bool) -> None:
    bench = Bench(owing(1, system), system=system)
    await bench.settler(bench.gone).claim()
    await bench.abandoned.round()
    assert bench.ledger.pairs[1].record(system).calling, "its beat is still heard"
    bench.alive.discard(bench.gone.number)
    bench.clock.now += 13_000
    assert await bench.abandoned.round() == 1
    assert bench.rung == {Duty.LOOK_SALESFORCE, Duty.LOOK_MARKETO}
    state = bench.ledger.pairs[1]
    assert (state.record(system).calling, state.fields["title"].side(system).writes[0].answered) == (0, FAILED)
    bench.stands("b" if arrived else "a")
    looked = await Looker(bench.ledger, bench.writer, TERMS, bench.clock).round()
    assert looked.read == 1
    settled = await bench.settler(bench.stays).round()
    assert settled.records == (0 if arrived else 1), "what has not arrived is written again, within seconds"


async def test_those_who_were_gone_before_are_found_at_the_start() -> None:
    bench = Bench(owing(1, MK))
    await bench.settler(bench.gone).claim()
    bench.alive.discard(bench.gone.number)
    assert await bench.abandoned.round() == 1


async def test_a_creation_is_looked_for_before_it_is_made_again() -> None:
    bench = Bench(lone(1, SF))
    work = await bench.settler(bench.gone).claim()
    await bench.settler(bench.gone)._questions.ask(work.asking, Settled())
    assert bench.ledger.pairs[1].marketo.creating
    bench.alive.discard(bench.gone.number)
    assert await bench.abandoned.round() == 1
    state = bench.ledger.pairs[1]
    assert (state.marketo.calling, bool(state.marketo.creating), state.due[Duty.WRITE_MARKETO]) == (0, True, 0)
    assert state.due[Duty.LOOK_MARKETO]


async def test_a_lease_for_a_question_is_given_back() -> None:
    bench = Bench(lone(1, SF))
    await bench.settler(bench.gone).claim()
    bench.alive.discard(bench.gone.number)
    assert await bench.abandoned.round() == 1
    assert bench.ledger.pairs[1].due[Duty.WRITE_MARKETO] == T


async def test_nothing_is_concluded_while_our_own_beat_is_not_heard() -> None:
    bench = Bench(owing(1, MK))
    await bench.settler(bench.gone).claim()
    bench.alive.clear()
    assert await bench.abandoned.round() == 0
    bench.alive.update({bench.gone.number, bench.stays.number})
    assert await bench.abandoned.round() == 0, "the ledger was away, not they"


async def test_a_worker_that_was_frozen_begins_no_call_that_it_had_claimed() -> None:
    bench = Bench(owing(1, MK))
    settler = bench.settler(bench.gone)
    work = await settler.claim()
    bench.now.seconds += 60
    await settler.finish(work)
    assert bench.writer.calls == []
    assert not bench.ledger.pairs[1].marketo.calling
    bench.gone.beaten()
    await settler.round()
    assert len(bench.writer.calls) == 1


async def test_whose_call_it_is_is_stored_and_is_nobodys_afterwards() -> None:
    bench = Bench(owing(1, MK))
    await bench.settler(bench.gone).claim()
    assert unpack(pack(bench.ledger.pairs[1])).marketo.caller == bench.gone.number
    await bench.settler(bench.stays).round()
    bench.alive.discard(bench.gone.number)
    await bench.abandoned.round()
    assert bench.ledger.pairs[1].marketo.caller == 0

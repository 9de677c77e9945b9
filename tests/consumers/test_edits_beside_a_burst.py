"""What a person has just typed goes before a burst that still waits; and a burst does not wait for ever."""

import pytest

from consumers.judging.bursts import AHEAD_MS, Bursts
from consumers.ledger.memory import MemoryLedger
from consumers.observe.observer import Observer
from consumers.settle.rounds.settler import Settler
from streams.wire.events import ChangeEvent
from streams.wire.systems import System
from tests.consumers.merge.person_pair import MK, SF, T, event, paired, terms
from tests.consumers.pairs_in_memory import Clock, ids, ledger_with, renamed
from tests.consumers.scripted_writer import ScriptedWriter
from tests.consumers.test_observe_batches import TOPIC_OF, messages

TERMS = terms()
MANY, CALL = 600, 50
NAME = {SF: "Title", MK: "title"}


def typed(number: int, system: System, at: int, author: str = "person") -> ChangeEvent:
    return event(system, {NAME[system]: "typed"}, at, id=ids(number)[system], author=author)


class Bench:
    """A ledger of many pairs, with a burst observed on one side."""

    def __init__(self, system: System) -> None:
        self.system, self.clock = system, Clock()
        self.ledger: MemoryLedger = ledger_with(*(renamed(paired(), number) for number in range(1, MANY + 100)))
        self.observer = Observer(self.ledger, TERMS, self.clock)
        self.writer = ScriptedWriter(system.other)
        self.settler = Settler(self.ledger, self.writer, TERMS, self.clock, batch_max=CALL)
        self.offset = 0

    async def observe(self, *events: ChangeEvent) -> None:
        told = messages(*events, start=self.offset)
        await self.observer.observe(TOPIC_OF[events[0].system], 0, self.offset, told)
        self.offset += len(told)

    async def burst(self, first: int, last: int, at: int) -> None:
        for begin in range(first, last, 200):
            await self.observe(*(typed(number, self.system, at, "import") for number in range(begin, min(begin + 200, last))))

    async def call(self) -> list[int]:
        """The pairs of the next call."""
        before = len(self.writer.calls)
        await self.settler.round()
        return [item.pair for made in self.writer.calls[before:] for item in made]


@pytest.mark.parametrize("system", [SF, MK])
@pytest.mark.parametrize("author", ["person", "import"])
async def test_an_edit_after_a_burst_goes_with_the_next_call(system: System, author: str) -> None:
    bench = Bench(system)
    await bench.burst(1, MANY, T + 10_000)
    bench.clock.now = T + 30_000
    await bench.observe(typed(MANY + 7, system, T + 29_000, author))
    assert MANY + 7 in await bench.call(), "also one of the same author, if it was not made together with the burst"


async def test_an_edit_amid_a_burst_goes_before_most_of_it() -> None:
    bench = Bench(SF)
    await bench.burst(1, 400, T + 10_000)
    await bench.observe(typed(MANY + 7, SF, T + 10_000))
    await bench.burst(400, MANY, T + 10_000)
    bench.clock.now += 1_000
    assert MANY + 7 in await bench.call()


async def test_a_burst_does_not_wait_for_ever() -> None:
    """Fresh edits that fill every call: what has waited longest comes through all the same."""
    bench = Bench(SF)
    await bench.burst(1, 31, T)
    await bench.burst(31, MANY, T + 10_000)
    written: set[int] = set()
    for turn in range(200):
        bench.clock.now = T + 20_000 + turn * 2_000
        fresh = [MANY + (turn * CALL + place) % 99 for place in range(CALL)]
        await bench.observe(*(typed(number, SF, bench.clock.now) for number in fresh))
        written.update(await bench.call())
        if bench.clock.now > T + 20_000 + AHEAD_MS and written.issuperset(range(1, MANY)):
            return
    assert not sorted(set(range(1, MANY)) - written)[:5], "these have waited for too long"


async def test_nothing_is_dated_back_where_there_is_no_burst() -> None:
    bench = Bench(SF)
    await bench.observe(*(typed(number, SF, T + number * 1_000) for number in range(1, 60)))
    assert {state.due[1] for number, state in bench.ledger.pairs.items() if number < 60} == {T}


def test_what_is_remembered_of_bursts_is_bounded() -> None:
    bursts = Bursts()
    for turn in range(10_000):
        bursts.told([typed(1, SF, T + turn * 10_000)], T)
    assert len(bursts._edits) < 5_000

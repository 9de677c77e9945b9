"""Driving: work is claimed when a call is allowed, calls run beside it, and trouble is waited out and shown."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from consumers.ledger.memory import MemoryLedger
from consumers.ledger.port import Duty
from consumers.settle.conditions.feed_lag import Lag
from consumers.settle.conditions.prepaid import PrepaidBudget, pay
from consumers.settle.conditions.reading_first import Ahead
from consumers.settle.driving.bell import Bell
from consumers.settle.driving.dispatch import Dispatcher
from consumers.settle.driving.looking import look_after
from consumers.settle.looks.look import Looked
from consumers.settle.rounds.answers import Settled
from consumers.settle.rounds.settler import Settler
from streams.budget.port import Lane
from streams.marketo.sources.activities import LAG_MAX_MS
from streams.wire.errors import Retry
from streams.wire.systems import System
from tests.consumers.merge.person_pair import MK, terms
from tests.consumers.pairs_in_memory import Clock, ledger_with, owing
from tests.consumers.scripted_writer import ScriptedWriter

DEADLINE = 10


class CountingBudget:
    """Leave for everything, counted; `gate` holds everybody back until it is set."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.lanes: list[Lane] = []
        self.held = self.most = 0
        self.away: list[Retry] = []

    @asynccontextmanager
    async def call(self, lane: Lane) -> AsyncIterator[None]:
        if self.away:
            raise self.away.pop()
        await self.gate.wait()
        self.lanes.append(lane)
        self.held += 1
        self.most = max(self.most, self.held)
        try:
            yield
        finally:
            self.held -= 1

    async def used_up(self, seconds: float) -> None:
        """Not asked here."""

    async def seen(self, used: int, limit: int) -> None:
        """Not asked here."""


class NoPace:
    """Calls go at once."""

    def wait(self, now: float) -> float:
        return 0.0

    def spend(self, now: float, records: int = 1, lane: Lane = Lane.LIVE) -> None:
        """Not counted."""

    def easy(self, now: float) -> bool:
        return True


async def nothing_first(flood: bool) -> Ahead:
    return Ahead.NOTHING


class Bench:
    """A dispatcher on a ledger in memory."""

    def __init__(self, ledger: MemoryLedger, writer: ScriptedWriter, *, at_once: int = 2, full: int = 2, lag: Lag | None = None) -> None:
        self.clock, self.bell, self.budget = Clock(), Bell(), CountingBudget()
        self.settled: list[Settled] = []
        self.stop = asyncio.Event()
        settler = Settler(ledger, writer, terms(), self.clock, batch_max=full)
        self.dispatcher = Dispatcher(
            MK,
            ledger,
            settler,
            self.budget,
            self.bell,
            clock=self.clock,
            at_once=at_once,
            pace=NoPace(),
            read_first=nothing_first,
            on_settled=self._settled,
            lag=lag,
        )

    def _settled(self, system: System, settled: Settled) -> None:
        assert system is MK
        self.settled.append(settled)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Runs until it holds; then stops and waits for the end."""
        running = asyncio.create_task(self.dispatcher.run(self.stop))
        try:
            async with asyncio.timeout(DEADLINE):
                while not condition():
                    await asyncio.sleep(0.005)
        finally:
            self.stop.set()
            await asyncio.wait_for(running, DEADLINE)


async def test_everything_due_is_drained_in_full_calls() -> None:
    ledger, writer = ledger_with(*(owing(number, MK) for number in range(1, 6))), ScriptedWriter(MK)
    bench = Bench(ledger, writer)
    await bench.until(lambda: sum(each.records for each in bench.settled) == 5)
    assert sorted(len(call) for call in writer.calls) == [1, 2, 2]
    assert bench.budget.held == 0
    assert bench.budget.most <= 2
    assert bench.dispatcher.trouble is None


async def test_a_flood_is_over_when_nothing_is_left_though_the_last_call_was_full() -> None:
    ledger, writer = ledger_with(*(owing(number, MK) for number in range(1, 5))), ScriptedWriter(MK)
    bench = Bench(ledger, writer)
    seen: list[bool] = []
    writer.before_answer = lambda: seen.append(bench.dispatcher.flood)
    await bench.until(lambda: sum(each.records for each in bench.settled) == 4 and not bench.dispatcher.flood)
    assert any(seen)


async def test_full_calls_stand_behind_a_feed_that_has_fallen_too_far_behind() -> None:
    ledger, writer = ledger_with(*(owing(number, MK) for number in range(1, 8))), ScriptedWriter(MK)
    lags = iter([LAG_MAX_MS + 1, LAG_MAX_MS])

    async def lag() -> int:
        return next(lags, 0)

    bench = Bench(ledger, writer, lag=lag)
    await bench.until(lambda: sum(each.records for each in bench.settled) == 7)
    assert bench.budget.lanes[:4] == [Lane.LIVE, Lane.COPY, Lane.LIVE, Lane.LIVE]


async def test_nothing_is_claimed_before_a_call_is_allowed() -> None:
    """So edits pile up and coalesce while calls are short, and a batch is never older than its leave."""
    ledger, writer = ledger_with(owing(1, MK)), ScriptedWriter(MK)
    bench = Bench(ledger, writer)
    bench.budget.gate.clear()
    running = asyncio.create_task(bench.dispatcher.run(bench.stop))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert ledger.pairs[1].marketo.calling == 0
    newer = ledger_with(owing(1, MK, "c")).pairs[1]
    ledger.pairs[1] = newer
    bench.budget.gate.set()
    async with asyncio.timeout(DEADLINE):
        while not bench.settled:
            await asyncio.sleep(0.005)
    bench.stop.set()
    await asyncio.wait_for(running, DEADLINE)
    assert writer.sent() == [{"title": "c"}]


async def test_no_leave_is_waited_out_and_shown() -> None:
    ledger, writer = ledger_with(owing(1, MK)), ScriptedWriter(MK)
    bench = Bench(ledger, writer)
    bench.budget.away = [Retry("the day's calls are spent", after_seconds=0.05)]
    shown: list[str | None] = []

    def done() -> bool:
        shown.append(bench.dispatcher.trouble)
        return bool(bench.settled)

    await bench.until(done)
    assert "the day's calls are spent" in shown
    assert bench.dispatcher.trouble is None


async def test_a_bell_ends_the_wait_and_a_stop_too() -> None:
    bell, stop = Bell(), asyncio.Event()
    async with asyncio.timeout(DEADLINE):
        waiting = asyncio.create_task(bell.wait(Duty.WRITE_MARKETO, 60, stop))
        other = asyncio.create_task(bell.wait(Duty.WRITE_SALESFORCE, 60, stop))
        await asyncio.sleep(0)
        bell.ring({Duty.WRITE_MARKETO})
        await waiting
        assert not other.done()
        stop.set()
        await other
        await bell.wait(Duty.LOOK_MARKETO, 60, stop)


async def test_a_look_rings_for_what_it_has_made_due_and_waits_where_the_system_is_away() -> None:
    bell, stop, ledger = Bell(), asyncio.Event(), ledger_with()

    class Scripted:
        duty = Duty.LOOK_MARKETO

        def __init__(self) -> None:
            self.answers: list[Any] = [Retry("away", after_seconds=0.01), Looked(pairs=1, due={Duty.WRITE_SALESFORCE}), Looked()]

        async def reunited(self) -> set[Duty]:
            return set()

        async def round(self) -> Looked:
            answer = self.answers.pop(0)
            if not self.answers:
                stop.set()
            if isinstance(answer, Retry):
                raise answer
            return answer  # type: ignore[no-any-return]

    async def always(duty: Duty, now: int) -> int | None:
        return 0

    ledger.waiting = always  # type: ignore[method-assign]
    heard = asyncio.create_task(bell.wait(Duty.WRITE_SALESFORCE, 60, asyncio.Event()))
    async with asyncio.timeout(DEADLINE):
        await look_after(Scripted(), ledger, bell, Clock(), stop)  # type: ignore[arg-type]
        await heard


async def test_leave_that_was_paid_for_is_good_for_one_call_of_one_task() -> None:
    inner = CountingBudget()
    budget = PrepaidBudget(inner)

    class Ticket:
        told = 0

        def taken(self) -> None:
            raise AssertionError("nobody has asked")

        def sent(self) -> None:
            self.told += 1

    async def calls(*, paid: Ticket | None) -> None:
        if paid is not None:
            pay(paid)
        for _ in range(2):
            async with budget.call(Lane.LIVE):
                pass

    ticket = Ticket()

    await asyncio.create_task(calls(paid=ticket))
    assert (inner.lanes, ticket.told) == ([Lane.LIVE], 1)
    await asyncio.create_task(calls(paid=None))
    assert len(inner.lanes) == 3


class Outage:
    """The ledger can't be asked until it can."""

    def __init__(self, ledger: MemoryLedger, times: int) -> None:
        self.waiting, self.times = ledger.waiting, times
        ledger.waiting = self  # type: ignore[method-assign]

    async def __call__(self, duty: Duty, now: int) -> int | None:
        if self.times:
            self.times -= 1
            raise Retry("look for work: the ledger is away", after_seconds=0.01, everyone=True)
        return await self.waiting(duty, now)


async def test_trouble_ends_when_the_ledger_is_back_though_there_is_nothing_to_write() -> None:
    bench = Bench(ledger_with(), ScriptedWriter(MK))
    Outage(bench.dispatcher._ledger, 1)  # type: ignore[arg-type]
    seen: list[str | None] = []

    def well() -> bool:
        seen.append(bench.dispatcher.trouble)
        return any(seen) and bench.dispatcher.trouble is None

    await bench.until(well)
    assert "the ledger is away" in str(next(each for each in seen if each))


async def test_trouble_with_the_system_ends_when_nothing_is_to_be_written_any_more() -> None:
    """Whoever was owed it was corrected by hand meanwhile, say."""
    ledger = ledger_with(owing(1, MK))
    bench = Bench(ledger, ScriptedWriter(MK, lambda _: Retry("no connection", after_seconds=0.05)))
    seen: list[str | None] = []

    def well() -> bool:
        seen.append(bench.dispatcher.trouble)
        if bench.settled:
            ledger.pairs.clear()
        return any(seen) and bench.dispatcher.trouble is None

    await bench.until(well)
    assert "no connection" in seen, "a call that could not be made is shown, though nothing was raised"


async def test_a_defect_in_a_call_ends_the_dispatcher_and_says_why() -> None:
    bench = Bench(ledger_with(owing(1, MK)), ScriptedWriter(MK, lambda _: ZeroDivisionError("ours")))
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(bench.dispatcher.run(bench.stop), DEADLINE)
    assert bench.dispatcher.trouble == "a defect of Tandem's stopped the writing to marketo (ZeroDivisionError: ours)"
    assert bench.budget.held == 0


async def test_a_defect_in_a_claim_ends_the_dispatcher_too() -> None:
    ledger = ledger_with(owing(1, MK))
    bench = Bench(ledger, ScriptedWriter(MK))

    async def broken() -> int:
        raise ZeroDivisionError("ours")

    ledger.write_id = broken  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(bench.dispatcher.run(bench.stop), DEADLINE)

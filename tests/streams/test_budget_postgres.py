"""The shared budget on a real PostgreSQL, several workers in one process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any, TypeVar

import asyncpg
import msgspec
import pytest

from streams.budget.port import Budget, Lane
from streams.budget.reckoning.limits import MARKETO, Limits
from streams.budget.reckoning.state import BudgetState
from streams.budget.shared.postgres import PostgresBudget
from streams.wire.errors import Retry
from streams.wire.systems import System

pytestmark = pytest.mark.integration

T = TypeVar("T")
TERMINATE_OTHERS = "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()"
Make = Callable[[Limits], PostgresBudget]
ROOMY = Limits(calls=100_000, window_ms=1_000, places=10, reserve=0.0)


@pytest.fixture
async def make(postgres: str) -> AsyncIterator[Make]:
    made: list[PostgresBudget] = []

    def one(limits: Limits) -> PostgresBudget:
        made.append(PostgresBudget(postgres, System.MARKETO, limits))
        return made[-1]

    yield one
    for budget in made:
        await budget.close()


@pytest.fixture
async def database(postgres: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(postgres)
    yield connection
    await connection.close()


class Meter:
    """What the system would count: calls in flight at once, calls in all."""

    def __init__(self) -> None:
        self.flying = 0
        self.widest = 0
        self.calls = 0

    async def call(self, budget: Budget, lane: Lane = Lane.LIVE, *, turns: int = 3) -> None:
        async with budget.call(lane):
            self.flying += 1
            self.calls += 1
            self.widest = max(self.widest, self.flying)
            for _ in range(turns):
                await asyncio.sleep(0)
            self.flying -= 1


async def state_of(database: Any) -> BudgetState:
    return msgspec.json.decode(await database.fetchval("select state from budgets where system = 'marketo'"), type=BudgetState)


async def until(look: Callable[[], Awaitable[T]], right: Callable[[T], bool]) -> T:
    """What a look shows once it is right; the caller sets the deadline."""
    while not right(shown := await look()):
        await asyncio.sleep(0.01)
    return shown


async def refused_call(budget: PostgresBudget) -> None:
    async with budget.call(Lane.LIVE):
        await budget.used_up(5 * 3600)
        raise Retry("607", everyone=True)


async def test_workers_together_never_have_more_in_flight_than_allowed_and_all_get_through(make: Make, database: Any) -> None:
    meter = Meter()
    budgets = [make(ROOMY) for _ in range(4)]
    async with asyncio.timeout(30):
        await asyncio.gather(*(meter.call(budget, Lane(number % 3), turns=20) for number in range(100) for budget in budgets))
    assert meter.calls == 400
    assert meter.widest <= 10
    assert (await state_of(database)).day_used == 400


async def test_the_window_is_shared_and_what_does_not_fit_waits_for_it(make: Make) -> None:
    meter = Meter()
    limits = Limits(calls=20, window_ms=500, places=50, reserve=0.0)
    loop = asyncio.get_running_loop()
    started = loop.time()
    budgets = [make(limits), make(limits)]
    async with asyncio.timeout(30):
        await asyncio.gather(*(meter.call(budgets[number % 2]) for number in range(60)))
    assert loop.time() - started >= 2 * 0.5 - 0.05, "60 calls at 20 a window leave two whole windows between the first and the last"


async def test_the_places_of_a_dead_worker_come_back(make: Make) -> None:
    limits = replace(ROOMY, places=2, lease_ms=400)
    dead, alive = make(limits), make(limits)
    for _ in range(2):
        await dead.call(Lane.LIVE).__aenter__()
    waiting = asyncio.create_task(Meter().call(alive))
    await dead.close()  # its heartbeat ends here, its calls never do
    async with asyncio.timeout(10):
        await waiting


async def test_a_long_call_of_a_living_worker_keeps_its_place(make: Make) -> None:
    limits = replace(ROOMY, places=1, lease_ms=150)
    living, other = make(limits), make(limits)
    async with living.call(Lane.LIVE):
        waiting = asyncio.create_task(Meter().call(other))
        done, _ = await asyncio.wait({waiting}, timeout=0.6)  # four leases
        assert not done
    async with asyncio.timeout(10):
        await waiting


async def test_a_place_freed_elsewhere_is_told(make: Make) -> None:
    holder, waiter = make(replace(ROOMY, places=1)), make(replace(ROOMY, places=1))
    async with asyncio.timeout(10):
        for _ in range(20):
            async with holder.call(Lane.LIVE):
                waiting = asyncio.create_task(Meter().call(waiter))
                await asyncio.sleep(0)
            await waiting


async def test_a_short_no_of_the_system_is_waited_out_by_all(make: Make, database: Any) -> None:
    first, second = make(ROOMY), make(ROOMY)
    await Meter().call(second)
    async with asyncio.timeout(10):
        async with first.call(Lane.LIVE):
            await first.used_up(0.5)
        await until(lambda: state_of(database), lambda state: state.blocked_until > 0)
        await Meter().call(second)
    state = await state_of(database)
    assert max(state.live) >= state.blocked_until


async def test_a_long_no_is_told_to_callers_and_ends_when_a_trial_gets_through(make: Make) -> None:
    budget = make(replace(ROOMY, probe_ms=60_000))
    async with asyncio.timeout(10):
        with pytest.raises(Retry):
            await refused_call(budget)
        with pytest.raises(Retry) as told:
            await Meter().call(budget)
    assert told.value.everyone
    assert 59.0 <= told.value.after_seconds <= 60.0

    trial = make(replace(ROOMY, probe_ms=1))
    async with asyncio.timeout(10):
        await trial.used_up(3600)
        await Meter().call(trial)
        await asyncio.gather(*(Meter().call(trial) for _ in range(20)))


async def _with_an_old_token(budget: PostgresBudget) -> None:
    async with budget.call(Lane.LIVE) as ticket:
        ticket.taken()
        raise Retry("the token has expired")


async def test_a_trial_whose_credentials_have_expired_meanwhile_got_through(make: Make) -> None:
    budget = make(replace(ROOMY, probe_ms=1))
    async with asyncio.timeout(10):
        await budget.used_up(3600)
        with pytest.raises(Retry, match="expired"):
            await _with_an_old_token(budget)
        await asyncio.gather(*(Meter().call(budget) for _ in range(20)))


async def test_a_trial_that_was_refused_did_not_get_through_however_its_block_ends(make: Make, database: Any) -> None:
    budget = make(replace(ROOMY, probe_ms=1, probe_ms_max=3_600_000))
    async with asyncio.timeout(10):
        await budget.used_up(3600)
        async with budget.call(Lane.LIVE):
            await budget.used_up(3600)
            while (await state_of(database)).blocked_until < (await state_of(database)).probe_at:
                await asyncio.sleep(0.01)
        await budget.seen(1, 1_000_000)
        budget._nudge()
        while (await state_of(database)).day_limit is None:
            await asyncio.sleep(0.01)
        assert (await state_of(database)).blocked_until, "it is still refused"


async def test_the_day_is_shared_and_its_end_is_told(make: Make) -> None:
    limits = replace(ROOMY, day_calls=30, day_zone="America/Chicago", day_reserve=0.0)
    budgets = [make(limits), make(limits)]
    meter = Meter()
    async with asyncio.timeout(10):
        outcomes = await asyncio.gather(*(meter.call(budgets[number % 2]) for number in range(40)), return_exceptions=True)
    assert meter.calls == 30
    refused = [outcome for outcome in outcomes if outcome is not None]
    assert len(refused) == 10
    assert all(isinstance(outcome, Retry) and outcome.everyone for outcome in refused)


async def test_what_the_system_tells_of_the_day_counts(make: Make, database: Any) -> None:
    budget = make(replace(ROOMY, day_calls=30))
    async with asyncio.timeout(10):
        async with budget.call(Lane.LIVE):
            await budget.seen(7, 1_000)
        await Meter().call(budget)
    state = await state_of(database)
    assert (state.day_used, state.day_limit) == (8, 1_000)


async def test_a_caller_that_goes_away_leaves_nothing_behind(make: Make, database: Any) -> None:
    limits = replace(ROOMY, places=1)
    budget = make(limits)
    async with asyncio.timeout(10):
        for rounds in range(30):
            task = asyncio.create_task(Meter().call(budget, turns=rounds))
            for _ in range(rounds):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await Meter().call(budget)
        await Meter().call(make(limits))


async def test_a_lost_connection_is_made_again(make: Make, database: Any) -> None:
    budget, meter = make(ROOMY), Meter()
    async with asyncio.timeout(20):
        await meter.call(budget)
        await database.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()"
        )
        await asyncio.gather(*(meter.call(budget) for _ in range(5)))
    assert meter.calls == 6
    assert budget.trouble is None


async def test_calls_are_counted_by_lane_and_purpose(make: Make, database: Any) -> None:
    budget = make(ROOMY)
    async with asyncio.timeout(20):
        for _ in range(3):
            await Meter().call(budget.for_purpose("activities"), Lane.LIVE)
        await Meter().call(budget.for_purpose("describe"), Lane.COPY)
        query = "select lane, purpose, calls from budget_spent order by lane, purpose"
        rows = await until(lambda: database.fetch(query), lambda rows: sum(row["calls"] for row in rows) == 4)
    assert [tuple(row) for row in rows] == [(0, "activities", 3), (2, "describe", 1)]


async def test_asking_costs_a_round_trip_a_call_at_the_most(make: Make, database: Any) -> None:
    budget, meter = make(MARKETO), Meter()
    async with asyncio.timeout(10):
        for _ in range(10):
            await asyncio.gather(*(meter.call(budget, turns=0) for _ in range(9)))
    assert meter.calls == 90
    assert await database.fetchval("select version from budgets") <= 90

"""The shared budget on PostgreSQL: one row a system, replaced where its version still fits; timers and notifications, no polling."""

import asyncio
import os
import random
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import asyncpg
import msgspec
import structlog

from streams.budget.port import LANES, Lane, Ticket
from streams.budget.reckoning.forecast import Forecast, forecast
from streams.budget.reckoning.limits import Limits
from streams.budget.reckoning.rule import NONE, Asking, Leave, ask
from streams.budget.reckoning.state import BudgetState
from streams.budget.shared.row import StoredBudget, Told
from streams.budget.shared.sql import CHANNEL, CREATE, SAVE, SPEND
from streams.budget.shared.waiting import Granted, Waiter
from streams.ground.database import AWAY
from streams.wire.errors import Retry
from streams.wire.systems import System

_PATIENCE_MS = 60_000
_LATE_MS = 20
"""A call that goes out so long after its leave is counted from when it goes out."""
_FLUSH_SECONDS = 5.0
_LAZY_RELEASE_SECONDS = 0.25

_state_decoder = msgspec.json.Decoder(BudgetState)
_log = structlog.get_logger("streams.budget.port")


class PostgresBudget:
    """The `Budget` of one system in one process, shared with all other processes through PostgreSQL.

    Callers of this process wait in one queue a lane; one task asks for all of them together, on a connection of its own. A call
    costs a round trip at the most: places are given back with the next question, and at once only when they are scarce. While
    PostgreSQL is away everybody waits.
    """

    def __init__(self, dsn: str, system: System, limits: Limits, *, worker: str | None = None) -> None:
        self._dsn = dsn
        self._system = system
        self._limits = limits
        self._worker = worker or f"{os.uname().nodename}:{os.getpid()}:{random.getrandbits(32):08x}"
        self._waiters: tuple[deque[Waiter], ...] = tuple(deque() for _ in LANES)
        self._holding = 0
        self._stored = StoredBudget()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closed = False
        self._told = Told()
        self._spent: Counter[tuple[int, str]] = Counter()
        self._flush_at = 0.0
        self._last = Leave(granted=NONE)
        self._reported = 0
        self._refusals = 0
        self.trouble: str | None = None
        """Why nobody gets leave at the moment; None while all is well."""

    def call(self, lane: Lane) -> AbstractAsyncContextManager[Ticket]:
        """Wait for leave, hold it for one call."""
        return self._hold(lane, "")

    def for_purpose(self, purpose: str) -> "PurposeBudget":
        """The same budget, with its calls counted under a purpose (for `tandem status`)."""
        return PurposeBudget(self, purpose)

    @property
    def window_seconds(self) -> float:
        """How long a call counts against the limit of calls."""
        return self._limits.window_ms / 1000

    def leaving_seconds(self) -> list[float]:
        """In how many seconds each call of the window leaves it, whoever made it; as this process knows since its last question."""
        state, gone = self._stored.state, self._stored.now_ms() - self._limits.window_ms
        return [(at - gone) / 1000 for at in (*state.live, *state.other) if at > gone]

    def forecast(self) -> Forecast:
        """How the day will go, as this process knows since its last question."""
        return forecast(self._stored.state, self._limits, self._stored.now_ms())

    def wrote(self, at_once: float) -> None:
        """A call wrote edits, where it would have taken `at_once` calls to write each by itself; goes along with the next question."""
        self._told.written += 1
        self._told.at_once += at_once

    async def used_up(self, seconds: float) -> None:
        """The system itself said no: nobody calls for that long (but for a trial now and then, when it is long)."""
        self._refusals += 1
        self._told.block_ms = max(self._told.block_ms, int(seconds * 1000))
        self._nudge()

    async def seen(self, used: int, limit: int) -> None:
        """The system told how much of the day is spent; goes along with the next question."""
        self._told.seen = (used, limit)

    def others_used(self, day: str, calls: int) -> None:
        """The system told how many calls of a day (ISO date) others on the account have used."""
        self._told.others = day, calls
        self._nudge()

    async def close(self) -> None:
        """Stop asking, for good: whoever waits is cancelled, who asks later is refused. Places in flight come back when the lease ends."""
        self._closed = True
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for queue in self._waiters:
            while queue:
                queue.popleft().leave.cancel()

    @asynccontextmanager
    async def _hold(self, lane: Lane, purpose: str) -> AsyncIterator[Ticket]:
        leave = await self._leave(lane)
        self._spent[lane, purpose] += 1
        refusals = self._refusals

        def got_through() -> None:
            if leave.probe and self._refusals == refusals:
                self._told.unblock = True
                self._nudge()

        try:
            yield Granted(leave.at, self._sent, got_through)
            got_through()
        finally:
            self._release(urgent=leave.probe)

    def _sent(self, allowed_at: int) -> None:
        """Goes along with the next question, long before the call would have left the window."""
        now = self._stored.now_ms()
        if now - allowed_at > _LATE_MS:
            self._told.moved = (*self._told.moved, (allowed_at, now))

    async def _leave(self, lane: Lane) -> Leave:
        if self._closed:
            raise Retry(f"no leave for calls to {self._system}: this budget is closed, its worker ends or failed to start")
        waiter = Waiter(lane=lane, leave=asyncio.get_running_loop().create_future())
        first = not any(self._waiters[each] for each in LANES[: LANES.index(lane) + 1])
        self._waiters[lane].append(waiter)
        if first:
            self._nudge()  # those in front know already when to ask again
        try:
            return await waiter.leave
        except asyncio.CancelledError:
            if waiter in self._waiters[lane]:
                self._waiters[lane].remove(waiter)
            elif waiter.leave.done() and not waiter.leave.cancelled() and waiter.leave.exception() is None:
                self._release(urgent=False)
            raise

    def _release(self, *, urgent: bool) -> None:
        self._holding -= 1
        if urgent or self._last.in_flight * 2 >= self._limits.places:
            self._nudge()
        elif self._task is not None:
            asyncio.get_running_loop().call_later(_LAZY_RELEASE_SECONDS, self._nudge_for_release)

    def _nudge_for_release(self) -> None:
        if self._reported > self._holding:
            self._nudge()

    def _nudge(self) -> None:
        if self._closed:
            return
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"budget {self._system}")
            self._task.add_done_callback(self._ended)
        self._wake.set()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A defect ended the asking: whoever waits hears of it, and the next call starts anew."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        self._task = None
        for queue in self._waiters:
            while queue:
                waiter = queue.popleft()
                if not waiter.leave.done():
                    waiter.leave.set_exception(error)

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                await self._work()
            except AWAY as error:
                failures += 1
                self.trouble = f"no leave for calls to {self._system}: PostgreSQL is away ({type(error).__name__})"
                _log.warning("budget out of reach", system=str(self._system), error=str(error), failures=failures)
                await asyncio.sleep(random.uniform(0.1, min(10.0, 0.2 * 2.0 ** min(failures, 10))))

    async def _work(self) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=10, command_timeout=30, server_settings={"synchronous_commit": "off"})
        try:
            await connection.add_listener(CHANNEL, self._notified)
            await connection.execute(CREATE, self._system)
            self._stored.forget()
            while True:
                self._wake.clear()
                await self._ask(connection)
                await self._spend(connection)
                await self._pause()
        finally:
            connection.terminate()

    async def _pause(self) -> None:
        """Until somebody wants something, or a time has come."""
        if any(self._waiters) and not self._last.wait_ms:
            return  # they came while the question was under way
        waits = [self._last.wait_ms / 1000] if any(self._waiters) and self._last.wait_ms else []
        if self._holding or any(self._waiters):
            waits.append(self._limits.lease_ms / 3000)
        if self._spent:
            waits.append(max(0.0, self._flush_at - time.monotonic()))
        try:
            async with asyncio.timeout(min(waits) if waits else None):
                await self._wake.wait()
        except TimeoutError:
            pass  # the time has come

    async def _ask(self, connection: Any) -> None:
        live, repair, copy, reconcile, audit = self._waiters
        want = len(live), len(repair), len(copy), len(reconcile), len(audit)
        holding, told, self._told = self._holding, self._told, Told()
        asking = Asking(
            worker=self._worker,
            holding=holding,
            want=want,
            seen=told.seen,
            block_ms=told.block_ms,
            unblock=told.unblock and not told.block_ms,
            moved=told.moved,
            written=told.written,
            at_once=told.at_once,
            others=told.others,
        )
        try:
            leave = await self._exchange(connection, asking)
        except BaseException:
            self._told.keep(told)
            raise
        self._reported = holding + sum(leave.granted)
        self._last = leave
        self.trouble = None
        self._hand_out(leave)

    async def _exchange(self, connection: Any, asking: Asking) -> Leave:
        """Save what the rule says, where nobody was quicker; else again with what they left."""
        while True:
            state, leave = ask(self._stored.state, self._limits, asking, self._stored.now_ms())
            notice = f"freed {self._system}" if leave.freed else f"short {self._system}" if leave.short else ""
            version = self._stored.version
            sent = time.monotonic()
            row = await connection.fetchrow(SAVE, self._system, version, msgspec.json.encode(state).decode(), notice)
            self._stored.clock(row["now_ms"], sent)
            if row["saved"] is not None:
                self._stored.version, self._stored.state = row["saved"], state
                return leave
            self._stored.version, self._stored.state = row["version"], _state_decoder.decode(row["state"])

    def _hand_out(self, leave: Leave) -> None:
        for lane in LANES:
            queue = self._waiters[lane]
            for _ in range(leave.granted[lane]):
                self._holding += 1
                waiter = queue.popleft() if queue else None
                if waiter is None or waiter.leave.done():
                    self._release(urgent=False)  # whoever wanted it went away meanwhile
                else:
                    waiter.leave.set_result(leave)
            if leave.quota_ms[lane] > _PATIENCE_MS - 1:
                self._refuse(lane, leave.quota_ms[lane] / 1000)

    def _refuse(self, lane: Lane, seconds: float) -> None:
        queue = self._waiters[lane]
        while queue:
            waiter = queue.popleft()
            if not waiter.leave.done():
                waiter.leave.set_exception(
                    Retry(
                        f"{self._system}: the day's calls are used up for the {lane.name.lower()} lane; again in {seconds:.0f} s",
                        after_seconds=seconds,
                        everyone=lane is Lane.LIVE,
                    )
                )

    async def _spend(self, connection: Any) -> None:
        """Store the counters now and then; a crash loses seconds of statistics, nothing else."""
        if not self._spent or time.monotonic() < self._flush_at:
            return
        self._flush_at = time.monotonic() + _FLUSH_SECONDS
        spent, self._spent = self._spent, Counter()
        await connection.executemany(SPEND, [(self._system, lane, purpose, calls) for (lane, purpose), calls in sorted(spent.items())])

    def _notified(self, _connection: Any, _pid: int, _channel: str, payload: str) -> None:
        word, _, system = payload.partition(" ")
        if system == self._system and ((word == "freed" and any(self._waiters)) or (word == "short" and self._reported > self._holding)):
            self._wake.set()


class PurposeBudget:
    """A `Budget` that counts its calls under one purpose."""

    def __init__(self, budget: PostgresBudget, purpose: str) -> None:
        self._budget = budget
        self._purpose = purpose

    def call(self, lane: Lane) -> AbstractAsyncContextManager[Ticket]:
        """As of the budget."""
        return self._budget._hold(lane, self._purpose)  # noqa: SLF001 (a view on it, in its own module)

    async def used_up(self, seconds: float) -> None:
        """As of the budget."""
        await self._budget.used_up(seconds)

    async def seen(self, used: int, limit: int) -> None:
        """As of the budget."""
        await self._budget.seen(used, limit)

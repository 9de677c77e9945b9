"""Driving: what is due on a system is claimed the moment a call is allowed, and not before.

One dispatcher a system and process: it waits for work, then for leave, then claims, and lets the call run beside it. So edits pile
up and coalesce while calls are short, and a batch is never older than its leave.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress

import structlog

from consumers.ledger.port import Duty, Ledger
from consumers.settle.conditions.feed_lag import Lag, too_far
from consumers.settle.conditions.later import quiet_seconds
from consumers.settle.conditions.pace import Pacing
from consumers.settle.conditions.prepaid import pay
from consumers.settle.conditions.reading_first import Choice
from consumers.settle.driving.bell import Bell
from consumers.settle.rounds.answers import Settled
from consumers.settle.rounds.settler import Settler
from consumers.settle.rounds.work import Work
from streams.budget.port import Budget, Lane
from streams.wire.errors import Retry, SyncError
from streams.wire.systems import System

_IDLE_SECONDS = 0.25
_CLAIMS_AT_ONCE = 3
"""While one full call follows the other, so many are prepared side by side: a claim is mostly waiting."""
_log = structlog.get_logger(__name__)


class Dispatcher:
    """Settles one system until stopped."""

    def __init__(
        self,
        system: System,
        ledger: Ledger,
        settler: Settler,
        budget: Budget,
        bell: Bell,
        *,
        clock: Callable[[], int],
        at_once: int,
        pace: Pacing,
        read_first: Choice,
        on_settled: Callable[[System, Settled], None],
        lag: Lag | None = None,
        paused: Callable[[], bool] = lambda: False,
    ) -> None:
        """`lag`: how far behind the system's feed is read, which full calls fill faster than it can be read. `paused`: whether somebody
        has asked that nothing be written there for a while."""
        self._system, self._ledger, self._settler, self._budget, self._bell = system, ledger, settler, budget, bell
        self._clock, self._pace, self._on_settled = clock, pace, on_settled
        self._read_first, self._lag, self._paused = read_first, lag, paused
        self._room = asyncio.Semaphore(at_once)
        self._duty = Duty.write_on(system)
        self._looks = Duty.look_on(system)
        self._quiet_until = 0.0
        self._claims: set[asyncio.Future[int]] = set()
        self._flood = False
        """The last call was full, so that the next one will be, too: nothing is gained by waiting for more."""
        self._away = False
        """The ledger could not be asked, so that its next answer ends the trouble."""
        self._defect: BaseException | None = None
        self.trouble: str | None = None
        """Why nothing is written at the moment; None while all is well, and again as soon as it is, also with nothing to write."""

    @property
    def flood(self) -> bool:
        """Whether one full call follows the other."""
        return self._flood

    async def run(self, stop: asyncio.Event) -> None:
        """Dispatch until `stop`; then wait for the calls under way. What a call raises that is no `SyncError` is a defect, and raised."""
        calls: set[asyncio.Task[None]] = set()
        try:
            while not stop.is_set():
                if self._defect is not None:
                    raise self._defect
                try:
                    busy = await self._dispatch(calls, stop)
                except Retry as error:
                    await self._trouble(error, error.after_seconds, stop)
                    continue
                if not busy:
                    await self._bell.wait(self._duty, _IDLE_SECONDS, stop)
        finally:
            if calls:
                with suppress(asyncio.CancelledError):
                    await asyncio.wait(calls, timeout=8)
            for call in calls:
                call.cancel()

    async def _dispatch(self, calls: set[asyncio.Task[None]], stop: asyncio.Event) -> bool:
        loop = asyncio.get_running_loop()
        if loop.time() < self._quiet_until:
            await self._bell.wait(self._duty, min(_IDLE_SECONDS, self._quiet_until - loop.time()), stop)
            return True
        if self._paused():
            await self._bell.wait(self._duty, _IDLE_SECONDS, stop)
            return True
        self._bell.quiet(self._duty)
        lane = await self._first_lane()
        if lane is None:
            self._flood = False
            return False
        if lane == Lane.LIVE and not self._flood:
            wait = self._pace.wait(loop.time())
            if wait > 0:
                await asyncio.sleep(min(wait, _IDLE_SECONDS))
                return True
        await self._room.acquire()
        flood = self._flood
        claimed: asyncio.Future[int] = loop.create_future()
        call = asyncio.create_task(self._call(lane, claimed), name=f"settle {self._system}")
        calls.add(call)
        call.add_done_callback(calls.discard)
        call.add_done_callback(self._ended)
        self._claims.add(claimed)
        if len(self._claims) >= (_CLAIMS_AT_ONCE if flood else 1):
            await asyncio.wait(self._claims, return_when=asyncio.FIRST_COMPLETED)
        done = {each for each in self._claims if each.done()}
        self._claims -= done
        ended = [each for each in done if not each.cancelled()]
        for error in [error for each in ended if (error := each.exception()) is not None]:
            raise error
        return all(each.result() > 0 for each in ended)

    async def _first_lane(self) -> int | None:
        """The first lane in which something is due. An answer ends the trouble of having none; nothing due ends any other."""
        try:
            lane = await self._ledger.waiting(self._duty, self._clock())
        except Retry:
            self._away = True
            raise
        if self._away or lane is None:
            self._away, self.trouble = False, None
        return lane

    def _ended(self, call: asyncio.Task[None]) -> None:
        """Every call's end is looked at: what is no error of the system or the ledger is a defect of ours, and ends the dispatcher."""
        if call.cancelled() or (error := call.exception()) is None:
            return
        self._defect = self._defect or error
        self.trouble = f"a defect of Tandem's stopped the writing to {self._system} ({type(error).__name__}: {error})"
        _log.error("settle.defect", system=self._system, exc_info=error)

    async def _lane(self, lane: int) -> Lane:
        """The lane in which to ask for leave: full calls stand behind the feed when it has fallen too far behind."""
        late = self._flood and self._lag is not None and too_far(await self._lag())
        return Lane.COPY if late else Lane(lane)

    async def _call(self, lane: int, claimed: "asyncio.Future[int]") -> None:
        """Leave, claim, call. `claimed`: how many records were, or why none could be."""
        try:
            async with AsyncExitStack() as stack:
                try:
                    ticket = await stack.enter_async_context(self._budget.call(await self._lane(lane)))
                    work = await self._settler.claim(read_first=await self._read_first(self._flood))
                except Exception as error:  # noqa: BLE001 - told to the dispatcher, who raises it
                    self._flood = False
                    if not claimed.done():
                        claimed.set_exception(error)
                    return
                self._flood = work.more
                if not claimed.done():
                    claimed.set_result(work.claimed)
                if work.claimed:
                    self._pace.spend(asyncio.get_running_loop().time(), work.claimed, Lane(lane))
                    pay(ticket)
                    await self._finish(work)
        finally:
            claimed.cancel()
            self._room.release()

    async def _finish(self, work: Work) -> None:
        try:
            settled = await self._settler.finish(work)
        except SyncError as error:
            self._quiet(error)
        else:
            self.trouble = settled.trouble or None
            if settled.wait_seconds:
                self._quiet_until = asyncio.get_running_loop().time() + settled.wait_seconds
            self._on_settled(self._system, settled)
            self._bell.ring({self._duty, self._looks})

    def _quiet(self, error: SyncError) -> None:
        seconds = quiet_seconds(error)
        self._quiet_until = asyncio.get_running_loop().time() + seconds
        self.trouble = str(error)
        _log.warning("settle.failed", system=self._system, error=str(error), again_seconds=seconds)

    async def _trouble(self, error: SyncError, seconds: float, stop: asyncio.Event) -> None:
        self.trouble = str(error)
        _log.warning("settle.waits", system=self._system, error=str(error), again_seconds=seconds)
        await self._bell.wait(self._duty, seconds, stop)

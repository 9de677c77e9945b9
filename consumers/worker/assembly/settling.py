"""The ledger onto the systems: what is owed is written, what is in doubt looked for, on each system by roles of its own."""

import asyncio
from collections.abc import Mapping
from functools import partial

import structlog

from consumers.ledger.callers import Callers
from consumers.settle.conditions.feed_lag import Lag
from consumers.settle.conditions.lasting import Lasting
from consumers.settle.conditions.pace import BucketPace, Pacing, WindowPace
from consumers.settle.conditions.reading_first import SalesforceFeed, reading_first
from consumers.settle.driving.dispatch import Dispatcher
from consumers.settle.driving.looking import look_after
from consumers.settle.driving.reconsider import reconsider
from consumers.settle.looks.abandoned import Abandoned
from consumers.settle.looks.look import Looked, Looker
from consumers.settle.rounds.answers import Settled
from consumers.settle.rounds.settler import Settler
from consumers.troubles.arrivals import counted
from consumers.worker.process.process import Process, Work
from consumers.worker.tools.opening import Tools
from streams.ground.clock import now_ms
from streams.wire.systems import System

_SALESFORCE_RATE = 20.0
_log = structlog.get_logger(__name__)


class Settling:
    """One process's part in writing to the two systems."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._dispatchers: dict[System, Dispatcher] = {}

    def works(self) -> Mapping[str, Work]:
        """By role: what it does."""
        works: dict[str, Work] = {}
        for system in System:
            works[f"settle.{system}"] = partial(self._settle, system)
            works[f"look.{system}"] = partial(self._look, system)
        return {**works, "look.abandoned": self._abandoned}

    def flooded(self, system: System) -> bool:
        """Whether full calls to this system follow each other."""
        return system in self._dispatchers and self._dispatchers[system].flood

    async def _settle(self, system: System, tools: Tools, stop: asyncio.Event) -> None:
        dispatcher = self._dispatcher(system, tools)
        if count := await reconsider(tools.ledger, tools.terms, now_ms):
            _log.info("tried again under other rules", pairs=count)
        self._dispatchers[system] = dispatcher
        self._process.troubles[f"settle.{system}"] = lambda: dispatcher.trouble
        await dispatcher.run(stop)

    def _dispatcher(self, system: System, tools: Tools) -> Dispatcher:
        settings = tools.settings.settle
        salesforce = system is System.SALESFORCE
        full = settings.salesforce_records_max if salesforce else settings.marketo_records_max
        lag, pace = _lag(tools, system), _pace(tools, system)
        settler = Settler(
            tools.ledger,
            tools.writers[system],
            tools.terms,
            now_ms,
            batch_max=full,
            lag=lag,
            caller=self._process.caller,
            fitting=partial(tools.sight.fitting, system),
            paused=lambda pair: tools.pauses.keeping(system, pair.state.object, pair.id),
        )
        proven = SalesforceFeed(tools.pool, tools.settings.intervals.poll_seconds, tuple(tools.terms.rules.objects)).proven
        return Dispatcher(
            system,
            tools.ledger,
            settler,
            tools.leave[system],
            self._process.bell,
            clock=now_ms,
            at_once=settings.salesforce_calls_at_once if salesforce else settings.marketo_calls_at_once,
            pace=pace,
            read_first=reading_first(settings.read_salesforce if salesforce else settings.read_marketo, system, pace, proven),
            on_settled=self._settled,
            lag=lag,
            paused=partial(tools.pauses.whole, system),
        )

    async def _look(self, system: System, tools: Tools, stop: asyncio.Event) -> None:
        looker = Looker(tools.ledger, tools.writers[system], tools.terms, now_ms, _lag(tools, system))
        told, troubled = partial(self._looked, system), partial(self._process.says, f"look.{system}")
        await look_after(looker, tools.ledger, self._process.bell, now_ms, stop, on_looked=told, troubled=troubled)

    async def _abandoned(self, tools: Tools, stop: asyncio.Event) -> None:
        alive, me = Callers(tools.pool).alive, self._process.caller.number
        await Abandoned(tools.ledger, tools.terms, now_ms, alive, me=me, found=self._process.bell.ring).run(stop)

    def _looked(self, system: System, looked: Looked) -> None:
        if looked.held:
            self._process.metrics.dead_letters.labels(f"look.{system}").inc(looked.held)

    def _settled(self, system: System, settled: Settled) -> None:
        metrics = self._process.metrics
        metrics.write_batch.labels(system).observe(settled.records)
        if settled.held:
            metrics.dead_letters.labels(f"settle.{system}").inc(settled.held)
        for fate, count in settled.fates.items():
            metrics.writes.labels(system, fate).inc(count)
        self._process.recent.add({f"written to {system}: {fate}": count for fate, count in settled.fates.items()})
        now = now_ms()
        took = [max(0, now - since) for since in settled.since if since]
        for each in took:
            metrics.latency.labels(system).observe(each / 1000)
        if took:
            self._process.recent.add(counted(took))


def _lag(tools: Tools, system: System) -> Lag | None:
    """Only Marketo's feed is paid for in calls: Salesforce's comes by itself."""
    return None if system is System.SALESFORCE else tools.feed_lag.ms


def _pace(tools: Tools, system: System) -> Pacing:
    """How calls that aren't full are paced."""
    budget = tools.budgets[system]
    if system is System.SALESFORCE:
        return Lasting(pace=BucketPace(burst=50, per_second=_SALESFORCE_RATE), day=budget, calls_per_second=_SALESFORCE_RATE)
    calls, seconds = tools.settings.marketo.calls_per_20_seconds, budget.window_seconds
    pace = WindowPace(calls=calls, window_seconds=seconds, leaving=budget.leaving_seconds)
    return Lasting(pace=pace, day=budget, calls_per_second=calls / seconds)

"""The worker: its roles, put together from the configuration and run in the shell."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import structlog

from consumers.configuration.access import kafka_access
from consumers.configuration.loading import Settings
from consumers.configuration.settings import LogFormat
from consumers.fitting.sight import LOOK_SECONDS
from consumers.judging.observed import Observed
from consumers.ledger.callers import Caller, Callers
from consumers.observe.intake import Intake
from consumers.observe.observer import Observer
from consumers.publish.outbox import Outbox
from consumers.reconcile.confirmation import keeping, release
from consumers.reconcile.gaps import POLLS, Gaps
from consumers.reconcile.unseen import unseen_by
from consumers.reports.status import impersonal, status
from consumers.settle.abandoned import Abandoned
from consumers.settle.answers import Settled
from consumers.settle.dispatch import Bell, Dispatcher, look_after
from consumers.settle.feed_lag import FeedLag, Lag
from consumers.settle.look import Looked, Looker
from consumers.settle.reading_first import SalesforceFeed, reading_first
from consumers.settle.reconsider import reconsider
from consumers.settle.settler import Settler
from consumers.troubles.beat import Beat
from consumers.troubles.board import Board
from consumers.troubles.ledger import expected
from consumers.troubles.recent import Recent
from consumers.troubles.workers import name_of_worker
from consumers.worker.broker_watch import BrokerWatch
from consumers.worker.logs import configure
from consumers.worker.metrics import Metrics
from consumers.worker.parts import marketo_feed, pace_of, salesforce_fields
from consumers.worker.roles import Role
from consumers.worker.shell import ShellSettings
from consumers.worker.shell import run as run_shell
from consumers.worker.tools import Toolbox, Tools, now_ms
from streams.ground.database import away_is_retry
from streams.ground.together import beside
from streams.marketo.activities import NAME as ACTIVITIES
from streams.marketo.activities import ActivitySource
from streams.marketo.pace import Pace as FeedPace
from streams.marketo.poll import CycleReport as MarketoCycle
from streams.marketo.poll import MarketoPollSource
from streams.relay.positions import PostgresPositions
from streams.relay.publisher import Publisher, kafka_producer
from streams.relay.relay import Relay
from streams.relay.singleton import PostgresSingleton
from streams.salesforce.cdc import CdcSource
from streams.salesforce.poll import CycleReport as SalesforceCycle
from streams.salesforce.poll import PollSource
from streams.wire.errors import Fatal, Retry
from streams.wire.events import Source
from streams.wire.systems import CONTACT, LEAD, Object, System

RELAY, OBSERVE, SETTLE, RECONCILE = "relay", "observe", "settle", "reconcile"
ROLES = (RELAY, OBSERVE, SETTLE, RECONCILE)
SOURCES = (CdcSource.name, ACTIVITIES, *(poll for polls in POLLS.values() for poll in polls))
_CYCLE = "insert into cycles (source, at, read, known, missed, calls, seconds) values ($1, $2, $3, $4, $5, $6, $7)"
_SIDES_SECONDS = 12.0
"""Deletions in Marketo are asked for this far apart at the least."""
_AGAIN_SECONDS = 1.0
_log = structlog.get_logger(__name__)


class Worker:
    """One process's worth of roles."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.metrics = Metrics(now_ms)
        self.board = Board(now_ms)
        self.recent = Recent(now_ms)
        self.toolbox = Toolbox(settings, self.metrics)
        self.broker = BrokerWatch(kafka_access(settings))
        self.bell: Bell | None = None
        self.caller = Caller(name_of_worker())
        self._troubles: dict[str, Callable[[], str | None]] = {}
        self._gaps: Gaps | None = None
        self._feed_lag: FeedLag | None = None
        self._singleton: PostgresSingleton | None = None
        self._said: set[str] = set()
        self._dispatchers: dict[System, Dispatcher] = {}

    def roles(self, wanted: frozenset[str]) -> list[Role]:
        """The roles asked for, each under its own supervision."""
        roles: list[Role] = []
        if RELAY in wanted:
            roles += [self._role("relay.salesforce", self._cdc), self._role("relay.marketo", self._activities)]
        if OBSERVE in wanted:
            roles += [self._role("observe", self._observe), self._role("outbox", self._outbox)]
        if SETTLE in wanted:
            for system in System:
                roles.append(self._role(f"settle.{system}", partial(self._settle, system)))
                roles.append(self._role(f"look.{system}", partial(self._look, system)))
            roles.append(self._role("look.abandoned", self._abandoned))
        if RECONCILE in wanted:
            for obj in (LEAD, CONTACT):
                roles.append(self._role(f"reconcile.{obj}", partial(self._poll_salesforce, obj)))
            roles.append(self._role("reconcile.person", self._poll_marketo))
        roles.append(self._role("fields", self._fields))
        names = [role.name for role in roles]
        self.metrics.expect(names, SOURCES)
        roles.append(self._role("beat", partial(self._beat, names)))
        if any(self._needs_kafka(name) for name in names):
            roles.append(self._role("kafka", self._watch_kafka))
        return roles

    async def status(self, *, personal: bool) -> dict[str, Any]:
        """For `/status.json`: what `tandem status` shows, from the ledger; `personal`: with the systems' own words."""
        tools = self.toolbox.tools
        if tools is None:
            return {"open": False}
        async with tools.pool.acquire() as connection:
            told = await status(connection, expected(self.settings, now_ms()))
            return {"open": True, **asdict(told if personal else impersonal(told))}

    def _role(self, name: str, work: Callable[[Tools, asyncio.Event], Awaitable[None]]) -> Role:
        async def run(stop: asyncio.Event) -> None:
            tools = await self._tools(name, stop)
            if tools is not None:
                await work(tools, stop)

        def ready() -> str | None:
            return self._troubles.get(name, lambda: "not open yet")()

        return Role(name=name, run=run, ready=ready)

    async def _tools(self, name: str, stop: asyncio.Event) -> Tools | None:
        """The tools, as soon as everything needed can be reached; None when told to stop before."""
        self.bell = self.bell or Bell()
        while not stop.is_set():
            try:
                tools = await self.toolbox.open()
                if self._needs_kafka(name):
                    await self.broker.opened()
            except Retry as error:
                self._troubles[name] = lambda reason=str(error): reason  # type: ignore[misc]
                self._say_once(name, str(error))
                await _pause(max(error.after_seconds, _AGAIN_SECONDS), stop)
                continue
            self._troubles[name] = lambda: None
            return tools
        return None

    @staticmethod
    def _needs_kafka(name: str) -> bool:
        return name.partition(".")[0] in (RELAY, OBSERVE, RECONCILE, "outbox", "kafka")

    def _say_once(self, name: str, reason: str) -> None:
        """What keeps all roles from starting is logged once, not by each of them every second."""
        if reason not in self._said:
            self._said.add(reason)
            _log.warning("not open yet", role=name, error=reason)

    async def _watch_kafka(self, tools: Tools, stop: asyncio.Event) -> None:
        del tools
        self._troubles["kafka"] = self.broker.trouble
        await self.broker.run(stop)

    async def _fields(self, tools: Tools, stop: asyncio.Event) -> None:
        self.board.also(tools.sight.troubles)
        await tools.sight.run(stop, min(LOOK_SECONDS, tools.settings.intervals.poll_seconds))

    async def _beat(self, names: list[str], tools: Tools, stop: asyncio.Event) -> None:
        now = partial(expected, self.settings)
        beat = Beat(
            tools.pool,
            self.board,
            roles=names,
            recent=self.recent,
            stands=self.metrics.stands,
            expected=lambda: now(now_ms()),
            caller=self.caller,
        )
        await beat.run(stop)

    # -- relay, reconcile ------------------------------------------------------------------------------------------------
    async def _cdc(self, tools: Tools, stop: asyncio.Event) -> None:
        source = CdcSource(tools.session, fields={obj: salesforce_fields(tools, obj) for obj in tools.terms.rules.objects})
        await self._relay("relay.salesforce", source, tools, stop)

    async def _activities(self, tools: Tools, stop: asyncio.Event) -> None:
        intervals = tools.settings.intervals
        pace = FeedPace(
            min_seconds=intervals.activities_min_seconds,
            max_seconds=intervals.activities_max_seconds,
            calls_per_day_max=tools.settings.marketo.polling_calls_per_day,
        )
        source = ActivitySource(
            await marketo_feed(tools, "activities"), pace=pace, side_seconds=_SIDES_SECONDS, flooded=lambda: self._flooded(System.MARKETO)
        )
        await self._relay("relay.marketo", source, tools, stop)

    async def _poll_salesforce(self, obj: Object, tools: Tools, stop: asyncio.Event) -> None:
        async def report(cycle: SalesforceCycle) -> None:
            await self._cycle(tools, f"salesforce.poll.{obj}", cycle)

        intervals = tools.settings.intervals
        source = PollSource(
            tools.salesforce,
            obj,
            salesforce_fields(tools, obj),
            interval_seconds=intervals.poll_seconds,
            lag_seconds=_poll_lag(intervals.poll_seconds),
            overlap_seconds=intervals.overlap_seconds,
            unseen=unseen_by(tools.ledger, tools.terms),
            report=report,
            on_brake=keeping(tools.pool, obj),
            visible=partial(tools.sight.visible, System.SALESFORCE, obj),
            unseen_fields=tools.sight.doubts,
        )
        await beside(self._polled(f"reconcile.{obj}", source, tools, stop), release(tools.pool, obj, source, stop))

    async def _poll_marketo(self, tools: Tools, stop: asyncio.Event) -> None:
        reports: asyncio.Queue[MarketoCycle] = asyncio.Queue()

        async def keep() -> None:
            while True:
                cycle = await reports.get()
                await self._cycle(tools, "marketo.poll", cycle)

        intervals = tools.settings.intervals
        source = MarketoPollSource(
            await marketo_feed(tools, "poll"),
            unseen=unseen_by(tools.ledger, tools.terms),
            interval_seconds=intervals.poll_seconds,
            lag_seconds=_poll_lag(intervals.poll_seconds),
            overlap_seconds=round(max(intervals.overlap_seconds, 60)),
            report=reports.put_nowait,
            live_behind=self._feed_lag_of(tools).behind,
        )
        await beside(self._polled("reconcile.person", source, tools, stop), keep())

    async def _polled(self, role: str, source: PollSource | MarketoPollSource, tools: Tools, stop: asyncio.Event) -> None:
        await beside(self._relay(role, source, tools, stop), self._gaps_of(tools).tell(source, stop))

    def _gaps_of(self, tools: Tools) -> Gaps:
        self._gaps = self._gaps or Gaps(tools.pool, PostgresPositions(tools.pool), now_ms)
        return self._gaps

    def _singleton_of(self, tools: Tools) -> PostgresSingleton:
        self._singleton = self._singleton or PostgresSingleton(tools.settings.postgres.dsn.reveal())
        return self._singleton

    async def _relay(self, role: str, source: Source, tools: Tools, stop: asyncio.Event) -> None:
        make = partial(kafka_producer, kafka_access(tools.settings))
        publisher = Publisher(make, keep_dead=tools.bury)
        relay = Relay(source, publisher, PostgresPositions(tools.pool), self._singleton_of(tools), watch=self.metrics)
        self._troubles[role] = relay.trouble
        await relay.run(stop)

    async def _cycle(self, tools: Tools, source: str, cycle: SalesforceCycle | MarketoCycle) -> None:
        self.metrics.cycles.labels(source).inc()
        for found, rows in (("read", cycle.read), ("known", cycle.known), ("missed", cycle.relayed)):
            self.metrics.cycle_rows.labels(source, found).inc(rows)
        try:
            await self._gaps_of(tools).covered(source, cycle.covered)
            with away_is_retry("keep the report of a cycle"):
                await tools.pool.execute(_CYCLE, source, now_ms(), cycle.read, cycle.known, cycle.relayed, cycle.calls, cycle.seconds)
        except Retry as error:
            _log.warning("a cycle's report is lost, its gaps stay open", source=source, error=str(error))

    # -- observe, settle -------------------------------------------------------------------------------------------------
    async def _observe(self, tools: Tools, stop: asyncio.Event) -> None:
        async def gap(topic: str, partition: int, stood: int, begins: int) -> None:
            self.metrics.gap(topic)
            reason = f"offsets {stood} to {begins} of partition {partition} are no longer on the topic"
            if begins < stood:
                reason = f"partition {partition} is another one than was read up to {stood}; it is read from {begins}"
            _log.error("gap", topic=topic, reason=reason)
            await self._gaps_of(tools).open(topic, "", reason)

        kafka = tools.settings.kafka
        observer = Observer(tools.ledger, tools.terms, now_ms)
        intake = Intake(kafka_access(tools.settings), tools.ledger, observer, self._observed, gap, group=kafka.group)
        self.metrics.lag_of = intake.behind
        self._troubles["observe"] = intake.trouble
        while not stop.is_set():
            try:
                await intake.run(stop)
            except Retry as error:
                self._troubles["observe"] = lambda reason=str(error): reason  # type: ignore[misc]
                _log.warning("observe waits", error=str(error))
                await _pause(error.after_seconds, stop)
                self._troubles["observe"] = intake.trouble

    def _observed(self, topic: str, partition: int, observed: Observed) -> None:
        del partition
        self.metrics.events_judged.labels(topic).inc(observed.events)
        if observed.dead:
            self.metrics.dead_letters.labels("observe").inc(observed.dead)
        system = topic.split(".")[1]
        for verdict, count in observed.verdicts.items():
            self.metrics.verdicts.labels(system, verdict).inc(count)
        self.recent.add({str(verdict): count for verdict, count in observed.verdicts.items()})
        for altering, count in observed.altered.items():
            self.metrics.verdicts.labels(altering, "altered").inc(count)
        for repaired, count in observed.repaired.items():
            self.metrics.cycle_rows.labels(f"{repaired}.poll", "repaired").inc(count)
        if observed.due and self.bell is not None:
            self.bell.ring(observed.due)

    async def _outbox(self, tools: Tools, stop: asyncio.Event) -> None:
        make = partial(kafka_producer, kafka_access(tools.settings))
        postgres = tools.settings.postgres
        outbox = Outbox(tools.pool, self._singleton_of(tools), make, retention_days=postgres.decisions_days)
        self._troubles["outbox"] = lambda: outbox.trouble
        await outbox.run(stop)

    async def _settle(self, system: System, tools: Tools, stop: asyncio.Event) -> None:
        settings = tools.settings.settle
        salesforce = system is System.SALESFORCE
        reads = settings.read_salesforce if salesforce else settings.read_marketo
        full = settings.salesforce_records_max if salesforce else settings.marketo_records_max
        lag = self._lag(tools, system)
        settler = Settler(
            tools.ledger,
            tools.writers[system],
            tools.terms,
            now_ms,
            batch_max=full,
            lag=lag,
            caller=self.caller,
            fitting=partial(tools.sight.fitting, system),
        )
        pace = pace_of(tools, system)
        assert self.bell is not None  # noqa: S101 - `_tools` made it
        dispatcher = Dispatcher(
            system,
            tools.ledger,
            settler,
            tools.leave[system],
            self.bell,
            clock=now_ms,
            at_once=settings.salesforce_calls_at_once if salesforce else settings.marketo_calls_at_once,
            full=full,
            pace=pace,
            read_first=reading_first(reads, system, pace, SalesforceFeed(tools.pool, tools.settings.intervals.poll_seconds).proven),
            on_settled=self._settled,
            lag=lag,
        )
        if count := await reconsider(tools.ledger, tools.terms, now_ms):
            _log.info("tried again under other rules", pairs=count)
        self._dispatchers[system] = dispatcher
        self._troubles[f"settle.{system}"] = lambda: dispatcher.trouble
        await dispatcher.run(stop)

    async def _look(self, system: System, tools: Tools, stop: asyncio.Event) -> None:
        assert self.bell is not None  # noqa: S101 - `_tools` made it
        looker = Looker(tools.ledger, tools.writers[system], tools.terms, now_ms, self._lag(tools, system))

        def troubled(why: str | None) -> None:
            self._troubles[f"look.{system}"] = lambda: why

        told = partial(self._looked, system)
        await look_after(looker, tools.ledger, self.bell, now_ms, stop, on_looked=told, troubled=troubled)

    async def _abandoned(self, tools: Tools, stop: asyncio.Event) -> None:
        assert self.bell is not None  # noqa: S101 - `_tools` made it
        alive, me = Callers(tools.pool).alive, self.caller.number
        await Abandoned(tools.ledger, tools.terms, now_ms, alive, me=me, found=self.bell.ring).run(stop)

    def _flooded(self, system: System) -> bool:
        return system in self._dispatchers and self._dispatchers[system].flood

    def _lag(self, tools: Tools, system: System) -> Lag | None:
        """Only Marketo's feed is paid for in calls: Salesforce's comes by itself."""
        if system is System.SALESFORCE:
            return None
        return self._feed_lag_of(tools).ms

    def _feed_lag_of(self, tools: Tools) -> FeedLag:
        self._feed_lag = self._feed_lag or FeedLag(tools.pool, now_ms)
        return self._feed_lag

    def _looked(self, system: System, looked: Looked) -> None:
        if looked.held:
            self.metrics.dead_letters.labels(f"look.{system}").inc(looked.held)

    def _settled(self, system: System, settled: Settled) -> None:
        self.metrics.write_batch.labels(system).observe(settled.records)
        if settled.held:
            self.metrics.dead_letters.labels(f"settle.{system}").inc(settled.held)
        for fate, count in settled.fates.items():
            self.metrics.writes.labels(system, fate).inc(count)
        self.recent.add({f"written to {system}: {fate}": count for fate, count in settled.fates.items()})
        now = now_ms()
        for since in settled.since:
            if since:
                self.metrics.latency.labels(system).observe(max(0, now - since) / 1000)


def run(settings: Settings, roles: frozenset[str] = frozenset(ROLES)) -> int:
    """Run the roles until SIGTERM or SIGINT; the exit code of the process. Blocks."""
    styles = {LogFormat.JSON: True, LogFormat.TEXT: False, LogFormat.AUTO: None}
    configure(level=settings.log.level.value.upper(), json=styles[settings.log.format])
    worker = Worker(settings)
    token = settings.web.token
    web = ShellSettings(host=settings.web.host, port=settings.web.port, token=token.reveal() if token else "")
    try:
        return run_shell(
            worker.roles(roles),
            settings=web,
            metrics=worker.metrics,
            board=worker.board,
            status=worker.status,
            close=worker.toolbox.close,
        )
    except Fatal as error:
        raise SystemExit(f"tandem: {error}") from error


def _poll_lag(poll_seconds: float) -> float:
    """How long after its stamp a change may become visible: a gap is closed only by a cycle that ends so much after it was opened."""
    return min(60.0, poll_seconds / 2)


async def _pause(seconds: float, stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass

"""The worker: the roles that were asked for, each as soon as what it needs is open, run in the shell."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import structlog

from consumers.configuration.access import kafka_access
from consumers.configuration.groups.upkeep import LogFormat
from consumers.configuration.loading import Settings
from consumers.configuration.mapping.defaults import synced
from consumers.configuration.mapping.registered import registry_of
from consumers.fitting.sight import LOOK_SECONDS
from consumers.reconcile.out_of_sight import look_for_them
from consumers.reports.standing.status import impersonal, status
from consumers.retention.shelves import NAMES as KEPT
from consumers.troubles.beat import Beat
from consumers.troubles.ledger import expected
from consumers.worker.assembly.allowances import ROLE as ALLOWANCES
from consumers.worker.assembly.allowances import Allowances
from consumers.worker.assembly.asked import AtYourService, running_errands
from consumers.worker.assembly.auditing import Auditing
from consumers.worker.assembly.copying import Copying
from consumers.worker.assembly.delivering import Delivering
from consumers.worker.assembly.observing import Observing
from consumers.worker.assembly.pushed import TakingIn, journal_of
from consumers.worker.assembly.relaying import Relaying
from consumers.worker.assembly.settling import Settling
from consumers.worker.process.process import Process, Work
from consumers.worker.process.roles import Role
from consumers.worker.process.shell import ShellSettings
from consumers.worker.process.shell import run as run_shell
from consumers.worker.telemetry.broker_watch import BrokerWatch
from consumers.worker.telemetry.logs import configure
from consumers.worker.tools.opening import Tools
from consumers.worker.tools.toolbox import Toolbox
from streams.ground.clock import now_ms
from streams.ground.pause import pause
from streams.ground.together import beside
from streams.wire.errors import Fatal, Retry

RELAY, OBSERVE, SETTLE, RECONCILE, COPY, AUDIT = "relay", "observe", "settle", "reconcile", "copy", "audit"
FLOW_STEPS, INTAKE, DELIVER = "flow-steps", "intake", "deliver"
ROLES = (RELAY, OBSERVE, SETTLE, RECONCILE, COPY, AUDIT, FLOW_STEPS, INTAKE, DELIVER)
_AGAIN_SECONDS = 1.0
_log = structlog.get_logger(__name__)


class Worker:
    """One process's worth of roles."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.process = Process()
        self.toolbox = Toolbox(settings, self.process.metrics)
        self.broker = BrokerWatch(kafka_access(settings), registry_of(settings).objects)
        settling = Settling(self.process)
        relaying = Relaying(self.process, settling.flooded, synced(settings))
        self._works: Mapping[str, Callable[[], Mapping[str, Work]]] = {
            RELAY: lambda: {**relaying.live(), **journal_of(settings, relaying)},
            OBSERVE: Observing(self.process).works,
            SETTLE: lambda: {**settling.works(), **running_errands(self.process)},
            RECONCILE: lambda: {**relaying.polls(), ALLOWANCES: Allowances(self.process).run},
            COPY: Copying(self.process).works,
            AUDIT: Auditing(self.process).works,
            FLOW_STEPS: AtYourService(self.process, settings).works,
            INTAKE: TakingIn(self.process, settings).works,
            DELIVER: Delivering(self.process).works,
        }
        self._sources = relaying.sources()
        self._said: set[str] = set()

    def roles(self, wanted: frozenset[str]) -> list[Role]:
        """The roles asked for, each under its own supervision."""
        works = {name: work for role in ROLES if role in wanted for name, work in self._works[role]().items()}
        works["fields"], works["links"], works["pauses"] = self._fields, self._links, self._pauses
        names = list(works)
        self.process.metrics.expect(names, self._sources, KEPT, synced(self.settings))
        works["beat"] = partial(self._beat, names)
        if any(self._needs_kafka(name) for name in names):
            works["kafka"] = self._watch_kafka
        return [self._role(name, work) for name, work in works.items()]

    async def status(self, *, personal: bool) -> dict[str, Any]:
        """For `/status.json`: what `tandem status` shows, from the ledger; `personal`: with the systems' own words."""
        tools = self.toolbox.tools
        if tools is None:
            return {"open": False}
        async with tools.pool.acquire() as connection:
            told = await status(connection, expected(self.settings, now_ms()))
            return {"open": True, **asdict(told if personal else impersonal(told))}

    def _role(self, name: str, work: Work) -> Role:
        async def run(stop: asyncio.Event) -> None:
            tools = await self._tools(name, stop)
            if tools is not None:
                await work(tools, stop)

        def ready() -> str | None:
            return self.process.troubles.get(name, lambda: "not open yet")()

        return Role(name=name, run=run, ready=ready)

    async def _tools(self, name: str, stop: asyncio.Event) -> Tools | None:
        """The tools, as soon as everything needed can be reached; None when told to stop before."""
        while not stop.is_set():
            try:
                tools = await self.toolbox.open()
                if self._needs_kafka(name):
                    await self.broker.opened()
            except Retry as error:
                self.process.says(name, str(error))
                self._say_once(name, str(error))
                await pause(max(error.after_seconds, _AGAIN_SECONDS), stop)
                continue
            self.process.says(name, None)
            return tools
        return None

    @staticmethod
    def _needs_kafka(name: str) -> bool:
        return name.partition(".")[0] in (RELAY, OBSERVE, RECONCILE, COPY, DELIVER, "outbox", "seals", "states", "conflicts", "kafka")

    def _say_once(self, name: str, reason: str) -> None:
        """What keeps all roles from starting is logged once, not by each of them every second."""
        if reason not in self._said:
            self._said.add(reason)
            _log.warning("not open yet", role=name, error=reason)

    async def _watch_kafka(self, tools: Tools, stop: asyncio.Event) -> None:
        del tools
        self.process.troubles["kafka"] = self.broker.trouble
        await self.broker.run(stop)

    async def _fields(self, tools: Tools, stop: asyncio.Event) -> None:
        self.process.board.also("fields", tools.sight.troubles)
        intervals = tools.settings.intervals
        soon = min(LOOK_SECONDS, intervals.poll_seconds, intervals.describe_seconds)
        await beside(
            tools.sight.run(stop, soon, every_seconds=intervals.describe_seconds),
            look_for_them(tools.pool, tools.ledger, tools.terms, stop, now_ms=now_ms, seconds=intervals.describe_seconds),
        )

    @staticmethod
    async def _links(tools: Tools, stop: asyncio.Event) -> None:
        await tools.links.follow(stop)

    @staticmethod
    async def _pauses(tools: Tools, stop: asyncio.Event) -> None:
        await tools.pauses.follow(stop)

    async def _beat(self, names: list[str], tools: Tools, stop: asyncio.Event) -> None:
        now = partial(expected, self.settings)
        beat = Beat(
            tools.pool,
            self.process.board,
            roles=names,
            recent=self.process.recent,
            stands=self.process.metrics.stands,
            expected=lambda: now(now_ms()),
            caller=self.process.caller,
        )
        await beat.run(stop)


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
            metrics=worker.process.metrics,
            board=worker.process.board,
            status=worker.status,
            close=worker.toolbox.close,
        )
    except Fatal as error:
        raise SystemExit(f"tandem: {error}") from error

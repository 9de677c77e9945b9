"""The Faust shell of a worker: its service tree, signals, and health pages. The data path is in the roles, not in Faust's agents.

Faust's own producer and consumer stay off: they would carry nothing, and a broker that is away for a minute would end the process
(the roles wait for it instead). Importing this module imports Faust, which takes most of a second: only `tandem run` does.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hmac import compare_digest
from itertools import chain
from typing import Any, Protocol

import faust
import orjson
import structlog
import uvloop
from aiohttp.web import Request, Response
from faust.app.base import BootStrategy as FaustBoot
from faust.worker import Worker

from consumers.troubles.board import Board
from consumers.troubles.trouble import unready
from consumers.worker.process.roles import STOP_SECONDS, Role, Supervisor
from consumers.worker.telemetry.collector import calm
from consumers.worker.telemetry.metrics import CONTENT_TYPE, Metrics
from streams.ground.clock import now_ms
from streams.wire.errors import Unprepared

EXIT_PROBLEMS, EXIT_CONFIGURATION = 1, 2
CLOSE_SECONDS = 1.0
_log = structlog.get_logger("consumers.worker.process.shell")

Closing = Callable[[], Awaitable[None]]
"""Gives back what the roles have shared, after their end."""


class StatusPage(Protocol):
    """What `/status.json` shows: no secrets; personal data only where the asker may see it."""

    def __call__(self, *, personal: bool) -> Awaitable[dict[str, Any]]:
        """The status as of now."""
        ...


async def _no_status(*, personal: bool) -> dict[str, Any]:
    del personal
    return {}


async def _nothing_to_close() -> None:
    """Roles that share nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellSettings:
    """Where the health pages are. `port` 0 is not a free port but none: no pages. `token`: who shows it may see personal data."""

    host: str = "127.0.0.1"
    port: int = 6066
    token: str = field(default="", repr=False)
    stop_seconds: float = STOP_SECONDS


class Boot(FaustBoot):
    """Sensors, the web pages, then the roles: nothing of Faust's that talks to Kafka."""

    enable_kafka = False

    def server(self) -> Iterable[Any]:
        """What starts, in this order, and stops in the reverse one."""
        return chain(self.sensors(), self.web_server(), [self.app.roles])


class Shell(faust.App):
    """The worker as a Faust app."""

    BootStrategy = Boot
    roles: "RolesService"

    async def on_first_start(self) -> None:
        """Faust would make a directory for tables in the working directory; there are none."""

    async def on_started(self) -> None:
        """Faust would wait for its tables to recover."""
        await self.on_startup_finished()


class RolesService(faust.Service):
    """All roles as one service of Faust's tree, so that they stop at the same time."""

    def __init__(self, supervisor: Supervisor, board: Board, stop_seconds: float, close: Closing, **options: Any) -> None:
        super().__init__(**options)
        self.supervisor, self.board = supervisor, board
        self._stop_seconds, self._close = stop_seconds, close
        self.stopping = False

    async def on_start(self) -> None:
        """Start every role."""
        calm()
        self.supervisor.start()

    async def on_stop(self) -> None:
        """Let every role finish what it has in hand, then give back what they share."""
        self.stopping = True
        await self.supervisor.stop(self._stop_seconds)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._close()
        except TimeoutError:
            _log.warning("not everything could be closed in time; it ends with the process")

    def unready(self) -> dict[str, str]:
        """Why the worker isn't ready, by what is concerned: the same list as in its beat, so in `tandem status`."""
        return {"worker": "stopping"} if self.stopping else unready(self.board.all())


class ShellWorker(Worker):
    """Faust's worker with our logs; ends by itself when the roles have ended."""

    @faust.Service.task
    async def _end_with_the_roles(self) -> None:
        await self.app.roles.supervisor.ended.wait()
        self._schedule_shutdown(_Ended())


class _Ended:
    """Stands where Faust expects the signal that ends a worker."""

    value = 0

    def __str__(self) -> str:
        return "roles ended"


def run(
    roles: Sequence[Role],
    *,
    settings: ShellSettings,
    metrics: Metrics,
    board: Board | None = None,
    status: StatusPage = _no_status,
    close: Closing = _nothing_to_close,
) -> int:
    """Run the roles until SIGTERM or SIGINT, or until all are done; the exit code of the process (2: a person has
    to correct the configuration or a right; 1: a step of setting up is missing).

    Blocks. Makes the event loop (uvloop): `run` of a role must create what belongs to a loop, not whoever builds it.
    """
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    supervisor = Supervisor(roles, restarted=lambda name: metrics.roles_restarted.labels(name).inc())
    board = board or Board(now_ms)
    board.watch(supervisor.unready)
    app = _app(RolesService(supervisor, board, settings.stop_seconds, close), settings, metrics, status)
    worker = ShellWorker(app, loop=loop, override_logging=False, redirect_stdouts=False, quiet=True)
    worker.spinner = None
    code: object = None
    try:
        worker.execute_from_commandline()
    except SystemExit as done:
        code = done.code
    if supervisor.fatal is not None:
        sys.stderr.write(f"tandem: {supervisor.fatal}\n")
        return EXIT_PROBLEMS if isinstance(supervisor.fatal, Unprepared) else EXIT_CONFIGURATION
    return code if isinstance(code, int) else int(code is not None)


def _app(roles: RolesService, settings: ShellSettings, metrics: Metrics, status: StatusPage) -> Shell:
    app = Shell(
        "tandem",
        broker="kafka://127.0.0.1:9092",  # never connected to
        autodiscover=False,
        topic_disable_leader=True,
        web_enabled=settings.port > 0,
        web_bind=settings.host,
        web_port=settings.port or 6066,
        web_host=settings.host,
        web_router_enabled=False,
        web_tables_enabled=False,
        web_graph_enabled=False,
        web_stats_enabled=False,
        web_metrics_enabled=False,
    )
    app.roles = roles
    _pages(app, metrics, status, settings.token)
    return app


def _pages(app: Shell, metrics: Metrics, status: StatusPage, token: str) -> None:
    async def livez(_: Any, __: Request) -> Response:
        return _json({"alive": True})

    async def readyz(_: Any, __: Request) -> Response:
        reasons = app.roles.unready()
        return _json({"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200)

    async def page(_: Any, __: Request) -> Response:
        return Response(body=metrics.page(), headers={"Content-Type": CONTENT_TYPE})

    async def status_page(_: Any, request: Request) -> Response:
        return _json(await status(personal=_shows(request, token)))

    for path, view in (("/livez", livez), ("/readyz", readyz), ("/metrics", page), ("/status.json", status_page)):
        app.page(path)(view)


def _shows(request: Request, token: str) -> bool:
    """Whether the token was shown, as RFC 6750 has it. Without one in the configuration, nobody can."""
    return bool(token) and compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {token}".encode())


def _json(body: dict[str, Any], *, status: int = 200) -> Response:
    return Response(body=orjson.dumps(body, default=str), status=status, content_type="application/json")

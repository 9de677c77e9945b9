"""The shell of a system's process: settings from a file, the server, the ready line, an orderly stop.

The supervisor starts `python -m infra.sandbox.<system> --config FILE` with the control token in the environment (TOKEN_VARIABLE). The
child answers with one JSON line on stdout when it serves: `{"ready": {"port": N, ...facts}}`. SIGTERM stops it, and so does the end of
its stdin (the supervisor is gone).
"""

import argparse
import asyncio
import os
import signal
import ssl
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from aiohttp import web

from infra.sandbox.kernel.control import PREFIX, control_app
from infra.sandbox.kernel.system import System
from infra.sandbox.pages.console import Console

TOKEN_VARIABLE = "TANDEM_SANDBOX_CONTROL_TOKEN"  # noqa: S105 - the name of a variable


class ChildSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the supervisor writes to the child's settings file (mode 0600)."""

    data: str
    """Folder of this system: its journal lives there."""
    host: str = "127.0.0.1"
    port: int = 0
    """0: a free one."""
    latency_ms: float = 0.0
    fsync: bool = False
    certificate: str = ""
    """PEM file of a certificate: with it and `key` the system serves https."""
    key: str = ""
    credentials: dict[str, dict[str, str]] = msgspec.field(default_factory=dict)
    """`{"user": {...}, "tandem": {...}}`: of the ordinary user and of Tandem's own, as the system needs them."""
    options: dict[str, str] = msgspec.field(default_factory=dict)
    """What only this system knows (Marketo: `zone`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What a system's builder returns."""

    system: System
    app: web.Application
    """The system's own routes, without the control routes."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Told to the supervisor with the ready line, e.g. the id of Tandem's user."""
    console: Console | None = None
    """Pages for people, when the system has them."""
    served: Callable[[str], None] | None = None
    """Told the system's own address when it serves."""
    stop: Callable[[], Awaitable[None]] | None = None


Build = Callable[[ChildSettings], Awaitable[Running]]


def main(name: str, build: Build) -> None:
    """Entry point of `infra.sandbox.<name>.__main__`."""
    parser = argparse.ArgumentParser(
        prog=f"python -m infra.sandbox.{name}", description="One system of the sandbox; started by tandem-sandbox."
    )
    parser.add_argument("--config", required=True, type=Path, metavar="FILE", help="JSON settings file (see kernel/process.py)")
    settings = msgspec.json.decode(parser.parse_args().config.read_bytes(), type=ChildSettings)
    token = os.environ.pop(TOKEN_VARIABLE, "")
    if not token:
        parser.error(f"{TOKEN_VARIABLE} is not set")
    uvloop.run(_serve(settings, token, build))


async def _serve(settings: ChildSettings, token: str, build: Build) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    running = await build(settings)
    runner, port = await start_server(running, token, settings.host, settings.port, tls_of(settings))
    sys.stdout.write(msgspec.json.encode({"ready": {"port": port, **running.facts}}).decode() + "\n")
    sys.stdout.flush()
    watch = loop.run_in_executor(None, _wait_for_end_of_stdin)
    watch.add_done_callback(lambda _: stopping.set())
    await stopping.wait()
    await runner.cleanup()
    if running.stop is not None:
        await running.stop()
    running.system.journal.close()
    os._exit(0)  # the thread that watches stdin can't be interrupted


def tls_of(settings: ChildSettings) -> ssl.SSLContext | None:
    """The server side of TLS, when there is a certificate."""
    if not settings.certificate:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.certificate, settings.key)
    return context


async def start_server(running: Running, token: str, host: str, port: int, tls: ssl.SSLContext | None = None) -> tuple[web.AppRunner, int]:
    """Serves the system with its control routes; returns the runner and the port. Tests use it inside their own loop."""
    running.app.add_subapp(PREFIX, control_app(running.system, token, running.console))
    runner = web.AppRunner(running.app, access_log=None, shutdown_timeout=1.0, max_line_size=1 << 16, max_field_size=1 << 16)
    await runner.setup()
    site = web.TCPSite(runner, host, port, backlog=1024, ssl_context=tls)
    await site.start()
    address = runner.addresses[0]
    if running.served is not None:
        running.served(f"{'http' if tls is None else 'https'}://{host}:{address[1]}")
    return runner, int(address[1])


def _wait_for_end_of_stdin() -> None:
    try:
        while os.read(0, 4096):
            pass
    except OSError:
        return  # no stdin at all: only signals stop this process

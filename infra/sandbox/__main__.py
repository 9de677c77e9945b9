"""Command line of the sandbox: `tandem-sandbox`."""

import argparse
import asyncio
import secrets
import signal
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import msgspec
import uvloop
from aiohttp import web

from infra.sandbox import credentials
from infra.sandbox.certificate import certificate_of
from infra.sandbox.gateway import Child, Gateway
from infra.sandbox.kernel.process import ChildSettings
from infra.sandbox.numbering import Numbering
from infra.sandbox.supervisor import ChildProcess, StartError, side_by_side

SYSTEMS = ("salesforce", "marketo")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    data: Path
    endpoints: Path | None
    host: str
    ports: dict[str, int]
    latency_ms: float
    fsync: bool
    zone: str
    grpc_port: int
    tls: bool
    only: tuple[str, ...]


def main(argv: Sequence[str] | None = None) -> None:
    """Runs until SIGTERM or Ctrl-C. Exit code 1 when a system can't be started."""
    options = parse(argv)
    try:
        uvloop.run(run(options))
    except StartError as error:
        sys.exit(f"tandem-sandbox: {error}")


def parse(argv: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(
        prog="tandem-sandbox",
        description="A Salesforce org and a Marketo Engage instance to run against, with durable data, and a control API to edit, break "
        "and inspect them.",
        epilog="Port 0 picks a free one. Everything lives in the data folder: the same folder brings the same data, users and secrets "
        "back. When all parts serve, the endpoints file is written (mode 0600) and its path printed. More: infra/sandbox/README.md.",
    )
    parser.add_argument("--data", type=Path, default=Path(".run/sandbox"), metavar="DIR", help="data folder (default: %(default)s)")
    parser.add_argument("--endpoints", type=Path, metavar="FILE", help="where to write addresses and secrets (default: DIR/endpoints.json)")
    parser.add_argument("--host", default="127.0.0.1", help="address to bind (default: %(default)s)")
    for name in (*SYSTEMS, "control"):
        parser.add_argument(f"--{name}-port", type=int, default=0, metavar="PORT")
    parser.add_argument("--salesforce-grpc-port", type=int, default=0, metavar="PORT", help="port of the Pub/Sub API")
    parser.add_argument("--tls", action="store_true", help="serve https with a certificate of its own (DIR/certificate.pem)")
    parser.add_argument("--latency-ms", type=float, default=0.0, metavar="MS", help="how long an API call takes (half before, half after)")
    parser.add_argument("--fsync", action="store_true", help="survive a power cut too, not only a killed process (slower)")
    parser.add_argument("--marketo-zone", default="America/Chicago", metavar="ZONE", help="time zone of the Marketo instance")
    parser.add_argument("--only", choices=SYSTEMS, action="append", help="run only this system (for tests)")
    found = parser.parse_args(argv)
    if found.latency_ms < 0:
        parser.error("--latency-ms must not be negative")
    ports = {name: getattr(found, f"{name}_port") for name in (*SYSTEMS, "control")}
    for name, port in {**ports, "salesforce-grpc": found.salesforce_grpc_port}.items():
        if not 0 <= port <= 65535:
            parser.error(f"--{name}-port must be between 0 and 65535")
    return Options(
        data=found.data.absolute(),
        endpoints=found.endpoints.absolute() if found.endpoints else None,
        host=found.host,
        ports=ports,
        latency_ms=found.latency_ms,
        fsync=found.fsync,
        zone=found.marketo_zone,
        grpc_port=found.salesforce_grpc_port,
        tls=found.tls,
        only=tuple(found.only or SYSTEMS),
    )


async def run(options: Options) -> None:
    """Starts the systems, then the gateway, writes the endpoints, waits for the end, stops in reverse order."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    options.data.mkdir(parents=True, exist_ok=True)
    known = credentials.load(options.data / "credentials.json")
    children = [_child(options, known, name) for name in SYSTEMS if name in options.only]
    try:
        await side_by_side(*(child.start() for child in children))
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(ssl=_trust(options))) as session:
            gateway, port = await _serve(options, children, session)
            target = options.endpoints or options.data / "endpoints.json"
            ready = {child.name: child.ready for child in children}
            made = credentials.endpoints(known, ready, f"http://localhost:{port}", certificate=_certificate(options))
            credentials.write_private(target, made)
            print(target, flush=True)
            await _until(stopping, children)
            await gateway.cleanup()
    finally:
        for child in reversed(children):
            await child.stop()


def _certificate(options: Options) -> str:
    """The path of the certificate with which the systems serve https; nothing without `--tls`."""
    return str(certificate_of(options.data)[0]) if options.tls else ""


def _trust(options: Options) -> ssl.SSLContext | bool:
    return ssl.create_default_context(cafile=_certificate(options)) if options.tls else True


def _child(options: Options, known: credentials.Credentials, name: str) -> ChildProcess:
    folder = options.data / name
    own = {"zone": options.zone} if name == "marketo" else {"grpc_port": str(options.grpc_port)}
    settings = ChildSettings(
        data=str(folder),
        host=options.host,
        port=options.ports[name],
        latency_ms=options.latency_ms,
        fsync=options.fsync,
        credentials=known[name],
        certificate=_certificate(options),
        key=str(certificate_of(options.data)[1]) if options.tls else "",
        options=own,
    )
    return ChildProcess(name, settings, folder / "settings.json", secrets.token_urlsafe(32))


async def _serve(options: Options, children: Sequence[ChildProcess], session: aiohttp.ClientSession) -> tuple[web.AppRunner, int]:
    scheme = "https" if options.tls else "http"
    addresses = {child.name: Child(child.name, f"{scheme}://{options.host}:{child.ready['port']}", child.token) for child in children}
    gateway = Gateway(addresses, Numbering(options.data / "numbering", SYSTEMS), session)
    runner = web.AppRunner(gateway.app(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, options.host, options.ports["control"]).start()
    return runner, int(runner.addresses[0][1])


async def _until(stopping: asyncio.Event, children: Sequence[ChildProcess]) -> None:
    """Waits for the signal; StartError when a system keeps dying."""
    watchers = [asyncio.ensure_future(child.watch()) for child in children]
    waiter = asyncio.ensure_future(stopping.wait())
    done, _ = await asyncio.wait({waiter, *watchers}, return_when=asyncio.FIRST_COMPLETED)
    others = {waiter, *watchers} - done
    for one in others:
        one.cancel()
    await asyncio.wait(others)
    for one in done:
        one.result()


if __name__ == "__main__":
    main()

"""Real servers for tests marked `integration`: started when the first test asks, once a session, and stopped at its end whatever happened.

`kafka` is the address of a broker with no topics of ours (tests make their own, with names of their own); `postgres` is the address of a
database of the test's own, with every migration applied; `sandbox` is what the sandbox systems wrote about themselves.
"""

import asyncio
import logging
import secrets
import signal
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import asyncpg
import pytest
import structlog
from hypothesis import HealthCheck, settings

from infra.kafka.broker import Broker
from infra.postgres.migrate import migrate
from infra.postgres.server import Server
from infra.stack.sandbox import Sandbox

TEMPLATE = "tandem_template"

settings.register_profile("tandem", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tandem")
"""No property fails for the machine being busy."""


def pytest_configure() -> None:
    """Being asked to end (`timeout`, CI) is taken like Ctrl-C, so that the servers are stopped then too."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """What a test does to logging ends with it: a stream that a test gave and closed must not fail the next one."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """The session's broker. A test that stops it starts it again; its port stays the same."""
    broker = Broker(tmp_path_factory.mktemp("kafka"))
    try:
        broker.start()
        yield broker
    finally:
        broker.remove()


@pytest.fixture
def kafka(kafka_broker: Broker) -> str:
    """`bootstrap_servers` of a running broker."""
    if not kafka_broker.running():
        kafka_broker.start()
    return kafka_broker.bootstrap


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The session's server, with a migrated template database."""
    server = Server(tmp_path_factory.mktemp("postgres"))
    try:
        server.start()
        _run(_execute(server.dsn("postgres"), f"CREATE DATABASE {TEMPLATE}"))
        _run(migrate(server.dsn(TEMPLATE)))
        yield server
    finally:
        server.remove()


@pytest.fixture
def postgres(postgres_server: Server) -> Iterator[str]:
    """The DSN of a fresh, migrated database; it is dropped after the test."""
    if not postgres_server.running():
        postgres_server.start()
    yield from _database(postgres_server)


@pytest.fixture(scope="module")
def postgres_module(postgres_server: Server) -> Iterator[str]:
    """As `postgres`, shared by the tests of one file."""
    yield from _database(postgres_server)


@pytest.fixture(scope="session")
def sandbox_part(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The session's sandbox systems as a process: to restart or kill them."""
    part = Sandbox(tmp_path_factory.mktemp("sandbox"))
    try:
        part.start()
        yield part
    finally:
        part.remove()


@pytest.fixture
def sandbox(sandbox_part: Sandbox) -> dict[str, Any]:
    """Addresses and credentials of the sandbox systems: `salesforce`, `marketo`, `sandbox` and, for Tandem's own users, `tandem`."""
    if not sandbox_part.process.running():
        sandbox_part.start()
    return sandbox_part.endpoints()


def _database(server: Server) -> Iterator[str]:
    name = f"test_{secrets.token_hex(6)}"
    _run(_execute(server.dsn("postgres"), f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}"))
    try:
        yield server.dsn(name)
    finally:
        if server.running():
            _run(_execute(server.dsn("postgres"), f"DROP DATABASE {name} WITH (FORCE)"))


async def _execute(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def _run(coroutine: Coroutine[Any, Any, object]) -> None:
    """Runs it on a loop and in a thread of its own, beside whatever loop the test has."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        executor.submit(asyncio.run, coroutine).result()

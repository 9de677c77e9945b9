"""What keeps Tandem from starting is said by every command alike: what, where, what to do, and the documented exit code."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner

from consumers.cli.application import app
from consumers.fitting.grounds import MIGRATIONS
from consumers.kinds.registry import BY_NAME, OBJECTS
from infra.kafka.admin import ensure_topics
from infra.kafka.broker import Broker
from infra.setup.found import ROOT
from streams.wire.topics import all_topics

pytestmark = pytest.mark.integration
COMMANDS = {
    "run": ["run"],
    "check": ["check"],
    "status": ["status"],
    "confirm-deletes": ["confirm-deletes", "lead"],
    "record": ["record", "7", "--no-live"],
}
SECONDS = 240.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """What the file says; the secrets come by the environment."""

    salesforce: dict[str, str]
    marketo: dict[str, str]
    kafka: str
    dsn: str
    more: str = ""
    secrets: dict[str, str] = field(default_factory=dict)

    def told(self, folder: Path) -> tuple[Path, dict[str, str]]:
        file = folder / "tandem.yaml"
        file.write_text(
            f"salesforce: {{url: '{self.salesforce['url']}', client_id: '{self.salesforce['client_id']}', client_secret: {{env: SF}}}}\n"
            f"marketo: {{url: '{self.marketo['url']}', client_id: '{self.marketo['client_id']}', client_secret: {{env: MK}}}}\n"
            f"kafka: {{bootstrap_servers: '{self.kafka}'}}\npostgres: {{dsn: {{env: DSN}}}}\nweb: {{port: 0}}\n{self.more}"
        )
        own = {"SF": self.salesforce["client_secret"], "MK": self.marketo["client_secret"], "DSN": self.dsn}
        return file, {**os.environ, "PYTHONPATH": str(ROOT), **own, **self.secrets}


@pytest.fixture
def place(sandbox: dict[str, Any], postgres: str, kafka: str) -> Place:
    asyncio.run(ensure_topics(kafka, all_topics(OBJECTS, kinds=BY_NAME)))
    return Place(salesforce=sandbox["tandem"]["salesforce"], marketo=sandbox["tandem"]["marketo"], kafka=kafka, dsn=postgres)


def tandem(place: Place, folder: Path, name: str) -> tuple[int, str]:
    """The exit code, and all that was said, in one line. A worker is a process of its own."""
    config, environ = place.told(folder)
    if name != "run":
        result = CliRunner().invoke(app, [*COMMANDS[name], "--config", str(config)], env=environ)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, " ".join((result.stdout + result.stderr).split())
    command = [sys.executable, "-m", "consumers.cli", "run", "--config", str(config)]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def set_up(place: Place, folder: Path) -> None:
    config, environ = place.told(folder)
    CliRunner().invoke(app, ["setup", "--yes", "--config", str(config)], env=environ)


def run_until(place: Place, folder: Path, said: str) -> str:
    """A worker that waits, until it says why; then it is told to stop. What it said."""
    config, environ = place.told(folder)
    log = folder / "log"
    with log.open("w") as output:
        worker = subprocess.Popen(
            [sys.executable, "-m", "consumers.cli", "run", "--config", str(config)], cwd=folder, env=environ, stderr=output
        )
        try:
            asyncio.run(_appears(log, said, worker))
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(timeout=SECONDS) == 0
        finally:
            worker.kill()
            worker.wait()
    return log.read_text()


async def _appears(log: Path, said: str, worker: "subprocess.Popen[bytes]") -> None:
    async with asyncio.timeout(SECONDS):
        while said not in log.read_text():
            assert worker.poll() is None, log.read_text()
            await asyncio.sleep(0.05)


async def _statement(dsn: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def _wrong_password(place: Place) -> Place:
    return replace(place, dsn=f"postgresql://tandem:wr0ng@{place.dsn.rpartition('@')[2]}")


def _no_such_database(place: Place) -> Place:
    return replace(place, dsn=f"{place.dsn.rpartition('/')[0]}/nowhere")


def _unmigrated(place: Place) -> Place:
    asyncio.run(_statement(place.dsn, "drop table schema_migrations"))
    return place


def _half_migrated(place: Place) -> Place:
    asyncio.run(_statement(place.dsn, "delete from schema_migrations where number = (select max(number) from schema_migrations)"))
    return place


def _unreadable_address(place: Place) -> Place:
    return replace(place, dsn="postgresql://tandem:wr0ng@[broken/x")


REFUSED: dict[str, tuple[Callable[[Place], Place], int, list[str]]] = {
    "wrong password": (_wrong_password, 2, ["PostgreSQL refuses (InvalidPasswordError", "Check user, password"]),
    "no such database": (_no_such_database, 2, ["PostgreSQL refuses (InvalidCatalogNameError", "Create the database"]),
    "no migration": (_unmigrated, 1, ["has no tables of Tandem's yet", "Run tandem-migrate."]),
    "a migration short": (_half_migrated, 1, [f"lacks the migration {MIGRATIONS:04}", "Run tandem-migrate."]),
    "unreadable address": (
        _unreadable_address,
        2,
        ["postgres.dsn: the address of the database can't be read", "postgresql://user:password@"],
    ),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("why", REFUSED)
def test_a_database_that_can_not_be_used(place: Place, tmp_path: Path, why: str, command: str) -> None:
    change, code, said = REFUSED[why]
    ended, told = tandem(change(place), tmp_path, command)
    assert ended == code, told
    for words in said:
        assert words in told
    assert "wr0ng" not in told


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "run"])
def test_a_database_that_is_not_there(place: Place, tmp_path: Path, command: str) -> None:
    ended, told = tandem(replace(place, dsn="postgresql://tandem:s3cret@127.0.0.1:1/tandem"), tmp_path, command)
    assert ended == 3, told
    assert "PostgreSQL at 127.0.0.1:1/tandem can't be reached" in told
    assert "Check that it runs there and that postgres.dsn is right." in told
    assert "s3cret" not in told


@pytest.mark.parametrize("secret", ["SF", "MK"])
@pytest.mark.parametrize("command", ["run", "check"])
def test_a_wrong_secret(place: Place, tmp_path: Path, secret: str, command: str) -> None:
    ended, told = tandem(replace(place, secrets={secret: "wr0ng"}), tmp_path, command)
    assert ended == 2, told
    assert "Check" in told
    assert "wr0ng" not in told


def test_a_worker_waits_for_a_database_and_says_so_once(place: Place, tmp_path: Path) -> None:
    said = "PostgreSQL at 127.0.0.1:1/tandem can't be reached"
    told = run_until(replace(place, dsn="postgresql://tandem:s3cret@127.0.0.1:1/tandem"), tmp_path, said)
    assert told.count(said) == 1
    assert "Traceback" not in told


def test_a_worker_waits_for_kafka_and_says_so_once(place: Place, tmp_path: Path) -> None:
    set_up(place, tmp_path)
    said = "Kafka at 127.0.0.1:1 can't be reached"
    told = run_until(replace(place, kafka="127.0.0.1:1"), tmp_path, said)
    assert told.count(said) == 1
    assert "Traceback" not in told


def test_kafka_without_topics(place: Place, tmp_path: Path, bare_kafka: str) -> None:
    set_up(place, tmp_path)
    bare = replace(place, kafka=bare_kafka)
    for command in ("check", "status", "run"):
        ended, told = tandem(bare, tmp_path, command)
        assert ended == 1, (command, told)
        assert "lacks the topics" in told, command
        assert "Run tandem-topics" in told, command


@pytest.fixture
def bare_kafka(tmp_path: Path) -> Iterator[str]:
    """A broker of its own, without topics."""
    broker = Broker(tmp_path / "kafka", heap_mib=256)
    try:
        broker.start()
        yield broker.bootstrap
    finally:
        broker.remove()


def test_check_tells_everything_at_once(place: Place, tmp_path: Path) -> None:
    ended, told = tandem(replace(_unmigrated(place), kafka="127.0.0.1:1"), tmp_path, "check")
    assert ended == 3
    assert "has no tables of Tandem's yet" in told
    assert "Kafka at 127.0.0.1:1 can't be reached" in told
    assert "mapped fields compared" in told

"""tandem-migrate and tandem-topics read tandem.yaml, and end as every command does."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from consumers.fitting.grounds import look_at_database, look_at_kafka
from consumers.kinds.registry import BY_NAME, OBJECTS
from infra.kafka.broker import Broker
from infra.postgres.server import Server
from infra.setup.found import ROOT
from streams.wire.topics import all_topics

pytestmark = pytest.mark.integration
STEPS = {"migrate": "infra.postgres.migrate", "topics": "infra.kafka.admin"}


def step(name: str, folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    own = {key: value for key, value in os.environ.items() if not key.startswith("TANDEM_")}
    command = [sys.executable, "-c", f"from {STEPS[name]} import main; main()", *arguments]
    return subprocess.run(command, cwd=folder, env={**own, "PYTHONPATH": str(ROOT), **environ}, capture_output=True, text=True, check=False)


def configuration(folder: Path, kafka: str = "127.0.0.1:1") -> Path:
    """A whole file whose other secrets are not to be had here."""
    file = folder / "tandem.yaml"
    file.write_text(
        "salesforce: {url: https://a.my.salesforce.com, client_id: a, client_secret: {env: NOT_SET}}\n"
        f"kafka: {{bootstrap_servers: '{kafka}'}}\npostgres: {{dsn: {{env: DSN}}}}\n"
    )
    return file


async def test_both_steps_from_the_configuration_alone(tmp_path: Path, postgres_server: Server) -> None:
    dsn = postgres_server.dsn("fresh_for_steps")
    broker = Broker(tmp_path / "kafka", heap_mib=256)
    subprocess.run([sys.executable, "-c", _CREATE], env={**os.environ, "DSN": postgres_server.dsn("postgres")}, check=True)
    try:
        await asyncio.to_thread(broker.start)
        file = configuration(tmp_path, broker.bootstrap)
        here = await asyncio.to_thread(step, "migrate", tmp_path, DSN=dsn)
        assert (here.returncode, here.stdout.startswith("tandem-migrate: 0001_ledger")) == (0, True), here.stderr
        named = await asyncio.to_thread(step, "migrate", ROOT, "--config", str(file), DSN=dsn)
        assert named.stdout == "tandem-migrate: nothing to do\n"
        await look_at_database(dsn)
        topics = await asyncio.to_thread(step, "topics", ROOT, TANDEM_CONFIG=str(file), DSN=dsn)
        assert (
            topics.returncode,
            topics.stdout.startswith(f"tandem-topics: {len(all_topics(OBJECTS, kinds=BY_NAME))} made, 0 differences"),
        ) == (
            0,
            True,
        ), topics.stderr
        await look_at_kafka(broker.bootstrap)
    finally:
        await asyncio.to_thread(broker.remove)


_CREATE = """
import asyncio, os, asyncpg
async def go():
    connection = await asyncpg.connect(os.environ["DSN"])
    await connection.execute("create database fresh_for_steps")
    await connection.close()
asyncio.run(go())
"""


@pytest.mark.parametrize("name", STEPS)
def test_without_any_source_they_say_what_to_do_with_2(tmp_path: Path, name: str) -> None:
    done = step(name, tmp_path)
    assert done.returncode == 2
    assert "there is no tandem.yaml here; name the configuration with --config" in done.stderr


def test_what_is_away_is_said_with_3(tmp_path: Path) -> None:
    configuration(tmp_path)
    migrate = step("migrate", tmp_path, DSN="postgresql://u:s3cret@127.0.0.1:1/tandem")
    assert (migrate.returncode, migrate.stderr.splitlines()[-1][:54]) == (3, "tandem-migrate: PostgreSQL at 127.0.0.1:1/tandem can't")
    topics = step("topics", tmp_path, DSN="postgresql://u:s3cret@127.0.0.1:1/tandem")
    assert topics.returncode == 3
    assert "tandem-topics: Kafka at 127.0.0.1:1 can't be reached" in topics.stderr
    assert "s3cret" not in migrate.stderr + topics.stderr


def test_a_wrong_password_is_said_with_2(tmp_path: Path, postgres: str) -> None:
    configuration(tmp_path)
    done = step("migrate", tmp_path, DSN=f"postgresql://tandem:wr0ng@{postgres.rpartition('@')[2]}")
    assert done.returncode == 2
    assert "PostgreSQL refuses (InvalidPasswordError" in done.stderr
    assert "Traceback" not in done.stderr
    assert "wr0ng" not in done.stderr


def test_an_address_that_is_none_is_said_with_its_place(tmp_path: Path) -> None:
    file = configuration(tmp_path)
    done = step("migrate", tmp_path, DSN="nonsense")
    assert done.returncode == 2
    assert f"{file.name}:3:17: postgres.dsn: the address of the database does not begin with postgresql://" in done.stderr

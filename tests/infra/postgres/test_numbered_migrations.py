"""Migrations: in order, once, whole or not at all, and never against a database that knows better."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from infra.postgres.migrate import Migration, MigrationError, migrate, pending, read_migrations
from infra.postgres.server import Server

ONE = Migration(number=1, name="0001_one", sql="CREATE TABLE one (n integer)")
TWO = Migration(number=2, name="0002_two", sql="INSERT INTO one VALUES (7)")


def _write(directory: Path, **files: str) -> Path:
    for name, sql in files.items():
        (directory / f"{name.removeprefix('m')}.sql").write_text(sql)
    return directory


def test_ours_are_numbered_without_a_gap() -> None:
    assert [migration.number for migration in read_migrations()] == list(range(1, len(read_migrations()) + 1))


def test_they_are_read_in_order(tmp_path: Path) -> None:
    _write(tmp_path, m0002_b="SELECT 2", m0001_a="SELECT 1")
    assert [(m.number, m.name, m.sql) for m in read_migrations(tmp_path)] == [(1, "0001_a", "SELECT 1"), (2, "0002_b", "SELECT 2")]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"m1_a": "SELECT 1"}, "named NNNN_name.sql"),
        ({"m0001_A": "SELECT 1"}, "named NNNN_name.sql"),
        ({"m0001_a": "SELECT 1", "m0003_c": "SELECT 1"}, "number 0002 is expected"),
        ({"m0001_a": "SELECT 1", "m0001_b": "SELECT 1"}, "number 0002 is expected"),
        ({"m0001_a": "-- later\n;\n/* or\nnever */"}, "holds no statement"),
        ({"m0001_a": ""}, "holds no statement"),
    ],
)
def test_wrong_files_are_refused(tmp_path: Path, files: dict[str, str], words: str) -> None:
    with pytest.raises(MigrationError, match=words):
        read_migrations(_write(tmp_path, **files))


def test_only_what_is_missing_is_pending() -> None:
    assert pending([ONE, TWO], {}) == [ONE, TWO]
    assert pending([ONE, TWO], {1: (ONE.name, ONE.sha256)}) == [TWO]


def test_a_changed_one_and_an_unknown_one_are_refused() -> None:
    with pytest.raises(MigrationError, match="0001_one has been changed since"):
        pending([ONE], {1: (ONE.name, TWO.sha256)})
    with pytest.raises(MigrationError, match="has migration 0002_two"):
        pending([ONE], {1: (ONE.name, ONE.sha256), 2: (TWO.name, TWO.sha256)})


@pytest.mark.integration
async def test_each_is_applied_once_however_many_migrate_at_once(bare: str) -> None:
    done = await asyncio.gather(*(migrate(bare, migrations=[ONE, TWO]) for _ in range(4)))
    assert sorted(done) == [[], [], [], [ONE.name, TWO.name]]
    connection = await asyncpg.connect(bare)
    assert await connection.fetchval("SELECT count(*) FROM one") == 1
    await connection.close()


@pytest.mark.integration
async def test_one_that_fails_leaves_nothing_and_the_ones_before_it_stay(bare: str) -> None:
    broken = Migration(number=2, name="0002_broken", sql="CREATE TABLE two (n integer); SELECT 1 / 0")
    with pytest.raises(MigrationError, match="0002_broken failed and left nothing behind: division by zero"):
        await migrate(bare, migrations=[ONE, broken])
    connection = await asyncpg.connect(bare)
    assert await connection.fetchval("SELECT to_regclass('two')") is None
    assert await connection.fetchval("SELECT to_regclass('one')") is not None
    await connection.close()
    assert await migrate(bare, migrations=[ONE, TWO]) == [TWO.name]


@pytest.mark.integration
async def test_a_lock_held_by_another_is_waited_for_and_then_told(bare: str) -> None:
    holder = await asyncpg.connect(bare)
    await holder.execute("SELECT pg_advisory_lock($1)", 0x74616E64_656D0001)
    with pytest.raises(MigrationError, match="somebody else has been migrating"):
        await migrate(bare, migrations=[ONE], lock_timeout_seconds=0.1)
    waiting = asyncio.create_task(migrate(bare, migrations=[ONE]))
    await holder.close()
    assert await waiting == [ONE.name]


@pytest.mark.integration
async def test_ours_apply_to_an_empty_database(bare: str) -> None:
    assert await migrate(bare) == [migration.name for migration in read_migrations()]
    assert await migrate(bare) == []


@pytest.fixture
async def bare(postgres_server: Server) -> str:
    """A database without any migration."""
    connection = await asyncpg.connect(postgres_server.dsn("postgres"))
    await connection.execute("DROP DATABASE IF EXISTS bare WITH (FORCE)")
    await connection.execute("CREATE DATABASE bare TEMPLATE template0")
    await connection.close()
    return postgres_server.dsn("bare")

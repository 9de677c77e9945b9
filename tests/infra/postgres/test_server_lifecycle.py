"""The database as a process: only with the password, only on loopback, and what was committed survives a restart and `kill -9`."""

import asyncio
import os
import stat
from pathlib import Path

import asyncpg
import pytest

from infra.postgres import server as server_module
from infra.postgres.server import ELSEWHERE, Server
from infra.process import StartError
from infra.setup import found

pytestmark = pytest.mark.integration


async def _ask(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_what_was_committed_survives_a_restart_and_a_kill(postgres: str, postgres_server: Server) -> None:
    connection = await asyncpg.connect(postgres)
    await connection.execute("CREATE TABLE kept (n integer); INSERT INTO kept VALUES (1)")
    await asyncio.to_thread(postgres_server.restart)
    assert connection.is_closed()
    connection = await asyncpg.connect(postgres)
    await connection.execute("INSERT INTO kept VALUES (2)")
    await asyncio.to_thread(postgres_server.kill)
    await asyncio.to_thread(postgres_server.start)
    assert await _ask(postgres, "SELECT sum(n) FROM kept") == 3


async def test_commits_are_on_disk_before_they_are_answered(postgres: str) -> None:
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        assert await _ask(postgres, f"SHOW {setting}") == "on"
    assert await _ask(postgres, "SELECT lower('ÄÉ')") == "äé"


async def test_nobody_gets_in_without_the_password(postgres: str, postgres_server: Server) -> None:
    wrong = postgres.replace(postgres.split(":")[2].split("@", maxsplit=1)[0], "guessed")
    assert wrong != postgres
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(wrong)
    assert stat.S_IMODE((postgres_server.home / "password").stat().st_mode) == 0o600


async def test_it_listens_on_loopback_alone_and_has_no_unix_socket(postgres: str) -> None:
    assert await _ask(postgres, "SHOW listen_addresses") == "127.0.0.1"
    assert await _ask(postgres, "SHOW unix_socket_directories") == ""


def test_the_password_is_in_no_command_line(postgres: str, postgres_server: Server) -> None:
    identity = postgres_server.process.identity()
    assert identity is not None
    password = postgres.split(":")[2].split("@", maxsplit=1)[0]
    assert password.encode() not in Path(f"/proc/{identity.pid}/cmdline").read_bytes()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has the power to run it as somebody else")
def test_a_home_that_the_servers_user_cannot_reach_is_no_hindrance(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = Server(closed / "a" / ("long" * 30) / "home")
    try:
        server.start()
        place = Path((server.home / "data-is-in").read_text())
        assert place.is_relative_to(ELSEWHERE)
        assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
        identity = server.process.identity()
        assert identity is not None
        assert Path(f"/proc/{identity.pid}").stat().st_uid != 0
    finally:
        server.remove()
    assert not place.parent.exists()
    assert not server.home.exists()


def test_a_creation_that_failed_is_begun_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(tmp_path / "pg")
    with monkeypatch.context() as patch:
        patch.setattr(server_module, "DATABASE", "postgres")  # createdb finds it there already
        with pytest.raises(StartError, match="createdb failed"):
            server.start()
    server.stop()
    try:
        server.start()
        assert asyncio.run(_ask(server.dsn(), "SELECT current_database()")) == "tandem"
    finally:
        server.remove()


def test_without_postgresql_a_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found, "postgres", lambda: None)
    with pytest.raises(StartError, match="make setup"):
        Server(tmp_path / "pg").start()

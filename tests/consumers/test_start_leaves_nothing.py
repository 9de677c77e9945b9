"""A start that fails gives back whatever it had opened."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from consumers.configuration.loading import Settings, load
from consumers.worker.telemetry.metrics import Metrics
from consumers.worker.tools.toolbox import Toolbox
from streams.ground.clock import now_ms
from streams.wire.errors import SyncError
from streams.wire.systems import System

pytestmark = pytest.mark.integration
STARTS = {System.SALESFORCE: 1, System.MARKETO: 8}
"""Signing in to Salesforce is tried again for 20 s before it is given up."""
CONNECTIONS = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
NOWHERE = "http://127.0.0.1:1"


def settings_of(folder: Path, sandbox: dict[str, Any], dsn: str, urls: dict[System, str]) -> Settings:
    own, file = sandbox["tandem"], folder / "tandem.yaml"
    told = {
        system: f"{system}: {{url: '{urls.get(system, own[system]['url'])}', client_id: '{own[system]['client_id']}', "
        f"client_secret: {{env: {system.upper()}_SECRET}}}}\n"
        for system in System
    }
    file.write_text("".join(told.values()) + "kafka: {bootstrap_servers: '127.0.0.1:1'}\npostgres: {dsn: {env: DSN}}\n")
    return load(file, {"DSN": dsn} | {f"{system.upper()}_SECRET": own[system]["client_secret"] for system in System})


async def connections(watcher: Any) -> int:
    found: int = await watcher.fetchval(CONNECTIONS)
    return found


async def none_left(watcher: Any) -> None:
    """The server notices within moments that a connection was cut."""
    async with asyncio.timeout(20):
        while await connections(watcher):
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("away", System)
async def test_starts_while_a_system_refuses_connections(tmp_path: Path, sandbox: dict[str, Any], postgres: str, away: System) -> None:
    settings = settings_of(tmp_path, sandbox, postgres, {away: NOWHERE})
    toolbox = Toolbox(settings, Metrics(now_ms))
    watcher = await asyncpg.connect(postgres)
    before = {task for task in asyncio.all_tasks() if not task.done()}
    most = 0
    try:
        for _ in range(STARTS[away]):
            with pytest.raises(SyncError):
                await toolbox.open()
            most = max(most, await connections(watcher))
        await none_left(watcher)
        assert {task for task in asyncio.all_tasks() if not task.done()} <= before
        assert most <= 6, "no start adds to what the one before has left"
    finally:
        await toolbox.close()
        await watcher.close()


async def test_what_was_opened_is_given_back_at_the_end(tmp_path: Path, sandbox: dict[str, Any], postgres: str) -> None:
    toolbox = Toolbox(settings_of(tmp_path, sandbox, postgres, {}), Metrics(now_ms))
    watcher = await asyncpg.connect(postgres)
    before = {task for task in asyncio.all_tasks() if not task.done()}
    try:
        with suppress(SyncError):  # `tandem setup` may not have been run against these systems: then nothing was kept open
            await toolbox.open()
            assert await connections(watcher)
        await toolbox.close()
        await none_left(watcher)
        assert {task for task in asyncio.all_tasks() if not task.done()} <= before
    finally:
        await watcher.close()

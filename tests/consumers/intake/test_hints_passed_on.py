"""Hints from one process to another, over a real PostgreSQL that cuts connections."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest

from consumers.intake.passing import Passing, hear
from streams.marketo.sources.push.hints import Hint, Hints
from streams.wire.errors import Retry

pytestmark = pytest.mark.integration

LISTENER = "select pg_terminate_backend(pid) from pg_stat_activity where query = 'select 1' and pid <> pg_backend_pid()"


@pytest.fixture
async def pool(postgres: str) -> AsyncIterator[Any]:
    async with asyncpg.create_pool(postgres, min_size=1, max_size=3) as made:
        yield made


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


async def test_hints_are_heard_elsewhere_also_after_the_connection_was_cut(postgres: str, pool: Any) -> None:
    hints, stop, passing = Hints(quiet_seconds=30.0), asyncio.Event(), Passing(pool)
    hearing = asyncio.create_task(hear(postgres, hints, stop, alive_seconds=0.05))
    await until(lambda: hints.hearing)
    await passing([Hint(str(number), f"g{number}") for number in range(120)])
    await until(lambda: hints.wanted == 120)
    await pool.execute(LISTENER)
    await until(lambda: not hints.hearing)
    await until(lambda: hints.hearing)
    await passing([Hint("another")])
    await until(lambda: hints.wanted == 121)
    stop.set()
    async with asyncio.timeout(60):
        await hearing
    assert not hints.hearing


async def test_what_can_not_be_passed_on_is_said(postgres: str) -> None:
    async with asyncpg.create_pool(postgres, min_size=0, max_size=1) as pool:
        await pool.expire_connections()
        pool.terminate()
        with pytest.raises(Retry):
            await Passing(pool)([Hint("1")])

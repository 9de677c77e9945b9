"""Positions, gaps and the singleton on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from streams.errors import Retry
from streams.positions import OpenGap, PostgresPositions, TakenOver
from streams.singleton import PostgresSingleton

pytestmark = pytest.mark.integration

CUT = """
select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()
    and pid in (select pid from pg_locks where locktype = 'advisory')
"""
WAITING = "select count(*) from pg_locks where locktype = 'advisory' and not granted"


@pytest.fixture
async def pool(postgres: str) -> AsyncIterator[Any]:
    async with asyncpg.create_pool(postgres, min_size=1, max_size=3) as made:
        yield made


def gap(**changes: Any) -> OpenGap:
    values: dict[str, Any] = {"id": 0, "source": "salesforce.cdc", "object": "lead", "since_ms": 5, "reason": "expired"}
    return OpenGap(**(values | changes))


async def test_a_saved_position_is_found_again(pool: Any) -> None:
    positions = PostgresPositions(pool, now_ms=lambda: 99)
    standing = await positions.take("salesforce.cdc")
    assert (standing.epoch, standing.position) == (1, None)
    await positions.save(standing, "17", 1_000)
    await positions.save(standing, "18", None)
    await positions.save(standing, "19", 900)
    again = await positions.take("salesforce.cdc")
    assert (again.epoch, again.position, again.feed_ms, again.saved_ms) == (2, "19", 1_000, 99)


async def test_an_older_relay_can_neither_save_nor_open_gaps(pool: Any) -> None:
    positions = PostgresPositions(pool)
    zombie = await positions.take("salesforce.cdc")
    current = await positions.take("salesforce.cdc")
    await positions.save(current, "100", None)
    with pytest.raises(TakenOver):
        await positions.save(zombie, "1", None)
    with pytest.raises(TakenOver):
        await positions.open_gap(zombie, gap(), "1")
    assert (await positions.take("salesforce.cdc")).position == "100"
    assert await positions.open_gaps() == []


async def test_sources_do_not_touch_each_other(pool: Any) -> None:
    positions = PostgresPositions(pool)
    one, other = await positions.take("one"), await positions.take("other")
    await positions.save(one, "1", None)
    await positions.save(other, "2", None)
    assert [(await positions.take(name)).position for name in ("one", "other")] == ["1", "2"]


async def test_a_gap_moves_the_position_and_stays_open_till_closed(pool: Any) -> None:
    positions = PostgresPositions(pool)
    standing = await positions.take("salesforce.cdc")
    await positions.save(standing, "17", None)
    opened = await positions.open_gap(standing, gap(), None)
    assert await positions.open_gaps() == [opened]
    assert await positions.open_gaps("another") == []
    assert (await positions.take("salesforce.cdc")).position is None
    await positions.close_gap(opened.id)
    await positions.close_gap(opened.id)
    assert await positions.open_gaps("salesforce.cdc") == []


async def test_the_database_away_is_a_retry(pool: Any, postgres: str) -> None:
    positions = PostgresPositions(pool)
    standing = await positions.take("salesforce.cdc")
    await pool.close()
    with pytest.raises(Retry, match="PostgreSQL is away"):
        await positions.save(standing, "1", None)


async def waiting(pool: Any, count: int) -> None:
    async with asyncio.timeout(10):
        while await pool.fetchval(WAITING) != count:
            await asyncio.sleep(0.01)


async def test_the_second_waits_till_the_first_lets_go(pool: Any, postgres: str) -> None:
    entered: list[str] = []

    async def second() -> None:
        async with PostgresSingleton(postgres).hold("relay a"):
            entered.append("second")

    async with PostgresSingleton(postgres).hold("relay a"):
        task = asyncio.create_task(second())
        await waiting(pool, 1)
        assert entered == []
        async with asyncio.timeout(5), PostgresSingleton(postgres).hold("relay b"):
            entered.append("another name")
    async with asyncio.timeout(5):
        await task
    assert entered == ["another name", "second"]


async def test_who_gives_up_waiting_leaves_the_queue(pool: Any, postgres: str) -> None:
    async def second() -> None:
        async with PostgresSingleton(postgres).hold("relay a"):
            raise AssertionError("it was taken")

    async with PostgresSingleton(postgres).hold("relay a"):
        task = asyncio.create_task(second())
        await waiting(pool, 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        await waiting(pool, 0)


async def test_a_cut_connection_is_noticed_and_the_lock_is_free(pool: Any, postgres: str) -> None:
    async with PostgresSingleton(postgres).hold("relay a") as lost:
        assert not lost.is_set()
        await pool.execute(CUT)
        async with asyncio.timeout(10):
            await lost.wait()
            async with PostgresSingleton(postgres).hold("relay a"):
                pass

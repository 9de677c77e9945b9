"""Positions, gaps and the singleton on a real PostgreSQL."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from streams.relay.positions import OpenGap, PostgresPositions, TakenOver
from streams.relay.singleton import KEEP, TAKE, PostgresSingleton
from streams.wire.errors import Retry

pytestmark = pytest.mark.integration

CUT = "select pg_terminate_backend(backend) from leases"
HOLDER = Path(__file__).with_name("lease_holder.py")


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


async def test_when_a_source_was_caught_up_is_kept(pool: Any) -> None:
    positions = PostgresPositions(pool)
    standing = await positions.take("salesforce.cdc")
    await positions.save(standing, "17", None)
    assert await pool.fetchval("select caught_ms from source_positions") is None
    await positions.save(standing, "18", None, caught_up=True)
    caught = await pool.fetchval("select caught_ms from source_positions")
    await positions.save(standing, "19", None)
    assert await pool.fetchval("select caught_ms from source_positions") == caught > 0


async def refused(singleton: PostgresSingleton, name: str, monkeypatch: pytest.MonkeyPatch) -> asyncio.Task[str]:
    """Somebody who has asked for the lease, and was told that another has it."""
    told = asyncio.Event()
    ask = singleton._ask

    async def asked(sql: str, *values: object) -> Any:
        answer = await ask(sql, *values)
        if sql is TAKE and answer is None:
            told.set()
        return answer

    monkeypatch.setattr(singleton, "_ask", asked)

    async def standing_by() -> str:
        async with singleton.hold(name):
            return "had it"

    task = asyncio.create_task(standing_by())
    async with asyncio.timeout(30):
        await told.wait()
    return task


async def test_the_second_waits_till_the_first_lets_go(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with PostgresSingleton(postgres).hold("relay a"):
        second = await refused(PostgresSingleton(postgres), "relay a", monkeypatch)
        async with asyncio.timeout(30), PostgresSingleton(postgres).hold("relay b"):
            assert not second.done()
    async with asyncio.timeout(30):
        assert await second == "had it"


async def test_a_lease_is_kept_beyond_its_term(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first, beats, enough = PostgresSingleton(postgres, term_seconds=1.0), 0, asyncio.Event()
    ask = first._ask

    async def counted(sql: str, *values: object) -> Any:
        nonlocal beats
        answer = await ask(sql, *values)
        beats += sql is KEEP
        if beats > 8:  # four a term
            enough.set()
        return answer

    monkeypatch.setattr(first, "_ask", counted)
    async with first.hold("relay a") as lost:
        second = await refused(PostgresSingleton(postgres), "relay a", monkeypatch)
        async with asyncio.timeout(30):
            await enough.wait()
        assert not lost.is_set()
        assert not second.done()
    async with asyncio.timeout(30):
        await second


async def test_who_gives_up_waiting_leaves_nothing_behind(pool: Any, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with PostgresSingleton(postgres).hold("relay a"):
        second = await refused(PostgresSingleton(postgres), "relay a", monkeypatch)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert second.cancelled()
    assert await pool.fetch("select * from leases") == []


async def test_one_singleton_holds_many_leases_on_one_connection(pool: Any, postgres: str) -> None:
    singleton = PostgresSingleton(postgres)
    async with singleton.hold("relay a"), singleton.hold("relay b"):
        rows = await pool.fetch("select name, backend from leases order by name")
    assert [row["name"] for row in rows] == ["relay a", "relay b"]
    assert len({row["backend"] for row in rows}) == 1
    assert singleton._connection is None, "and gives it back"


async def test_a_cut_connection_frees_the_lease_and_the_holder_notices_once_another_has_it(pool: Any, postgres: str) -> None:
    async with PostgresSingleton(postgres).hold("relay a") as lost:
        assert not lost.is_set()
        async with asyncio.timeout(60):
            other = PostgresSingleton(postgres).hold("relay a")
            while True:
                await pool.execute(CUT)
                try:
                    async with asyncio.timeout(1):
                        await other.__aenter__()
                        break
                except TimeoutError:
                    other = PostgresSingleton(postgres).hold("relay a")
            await lost.wait()
            await other.__aexit__(None, None, None)


async def test_who_cannot_reach_the_database_for_a_term_has_lost_the_lease(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    singleton = PostgresSingleton(postgres, term_seconds=1.0)
    async with singleton.hold("relay a") as lost:

        async def away(sql: str, *values: object) -> Any:
            raise ConnectionRefusedError("nobody listens")

        monkeypatch.setattr(singleton, "_ask", away)
        async with asyncio.timeout(30):
            await lost.wait()


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
async def test_what_a_frozen_or_killed_process_held_is_taken_over(how: signal.Signals, postgres: str) -> None:
    holder = await asyncio.create_subprocess_exec(
        sys.executable, str(HOLDER), postgres, stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.PIPE
    )
    assert holder.stdout is not None
    try:
        async with asyncio.timeout(60):
            assert await holder.stdout.readline() == b"holds\n"
            holder.send_signal(how)
            async with PostgresSingleton(postgres).hold("relay salesforce.cdc") as lost:
                if how is signal.SIGSTOP:
                    holder.send_signal(signal.SIGCONT)
                    assert await holder.stdout.readline() == b"lost\n", "it has noticed, and stops"
                assert not lost.is_set()
    finally:
        if holder.returncode is None:
            holder.kill()
        await holder.wait()

"""Many people with one e-mail, on a real database: they are held, and cost their neighbours nothing: no lock of theirs, no deadlock."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import asyncpg
import pytest

from consumers.judging.batch import NOWHERE, Judging
from consumers.judging.meeting.candidates import ALIKE_MAX
from consumers.judging.meeting.reunions import reunite
from consumers.ledger.port import Duty
from consumers.ledger.postgres import sql
from consumers.ledger.postgres.ledger import PostgresLedger
from streams.wire.errors import Retry
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import System, salesforce_id
from tests.consumers.merge.person_pair import MK, SF, T, event, reading, terms

pytestmark = pytest.mark.integration

TERMS = terms()
NAMESAKES = 300


def record(system: System, number: int) -> str:
    return salesforce_id(f"00Q{number:012d}") if system is SF else str(number)


def person(system: System, number: int, email: str) -> ChangeEvent:
    fields: dict[str, Value] = {"Email": email, "LastName": "L"} if system is SF else {"email": email, "lastName": "L"}
    return reading(system, fields, T + 1_000, id=record(system, number))


@pytest.fixture
async def watcher(emptied: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test's own."""
    connection = await asyncpg.connect(emptied)
    try:
        yield connection
    finally:
        await connection.close()


async def observe(ledger: PostgresLedger, events: Sequence[ChangeEvent], tried: Counter[str], size: int = 50) -> None:
    """As a partition does: batch by batch, each again until it is judged."""
    for start in range(0, len(events), size):
        while True:
            try:
                async with ledger.transaction(durable=False) as tx:
                    judging = Judging(tx, TERMS, T + 60_000)
                    await judging.load(events[start : start + size])
                    for each in events[start : start + size]:
                        judging.judge(each, NOWHERE)
                    await judging.save()
            except Retry as error:
                tried["deadlocks" if "another transaction" in str(error) else "met"] += 1
                await asyncio.sleep(0.01)
                continue
            break


async def namesakes(ledger: PostgresLedger, tried: Counter[str]) -> None:
    """As many on each side, told by two partitions a side at once."""
    people = {system: [person(system, number, "one@example.com") for number in range(1, NAMESAKES + 1)] for system in System}
    parts = [people[system][place::2] for system in System for place in (0, 1)]
    await asyncio.gather(*(observe(ledger, part, tried) for part in parts))


async def test_namesakes_are_held_and_nobody_waits_for_a_deadlock(postgres_ledger: PostgresLedger, watcher: asyncpg.Connection) -> None:
    tried: Counter[str] = Counter()
    await namesakes(postgres_ledger, tried)
    assert tried["deadlocks"] == 0
    held, free = await watcher.fetchrow("select count(*) filter (where held is not null), count(*) filter (where held is null) from pairs")
    linked = await watcher.fetchval("select count(*) from pairs where salesforce_id is not null and marketo_id is not null")
    assert linked <= 1, "who was first on each side may have met"
    assert held >= 2 * NAMESAKES - 4, "the rest can't be told apart"
    assert held + free + linked == 2 * NAMESAKES


async def test_deletions_among_namesakes_wait_for_nobody_and_the_last_two_are_one(
    postgres_ledger: PostgresLedger, watcher: asyncpg.Connection
) -> None:
    tried: Counter[str] = Counter()
    await namesakes(postgres_ledger, tried)
    gone = {
        system: [
            event(system, {}, T + 100_000 + number, id=record(system, number), kind=Happened.DELETED, ref=f"d{number}")
            for number in range(1, NAMESAKES)
        ]
        for system in System
    }
    parts = [gone[system][place::2] for system in System for place in (0, 1)]
    await asyncio.gather(*(observe(postgres_ledger, part, tried) for part in parts))
    assert tried["deadlocks"] == 0
    due = await reunite(postgres_ledger, TERMS, T + 200_000)
    assert due >= {Duty.LOOK_SALESFORCE, Duty.LOOK_MARKETO}
    there = "select count(distinct pair) from due join pairs on id = pair where kind in (2, 3) and not gone"
    assert await watcher.fetchval(there) == 2, "only the two that are left; of the others it is asked whether they were merged"
    last = [person(system, NAMESAKES, "one@example.com") for system in System]
    for one in last:
        await observe(postgres_ledger, [one], tried)
    rows = await watcher.fetch("select salesforce_id, marketo_id, held from pairs where not gone")
    assert [tuple(row) for row in rows] == [(record(SF, NAMESAKES), record(MK, NAMESAKES), None)]


async def test_a_batch_of_newcomers_takes_one_lock_beside_those_of_its_pairs(
    postgres_ledger: PostgresLedger, watcher: asyncpg.Connection
) -> None:
    """One advisory lock per e-mail would fill the database's lock table during a first copy."""
    people = [person(SF, number, f"p{number}@example.com") for number in range(1, 501)]
    async with postgres_ledger.transaction() as tx:
        judging = Judging(tx, TERMS, T + 60_000)
        await judging.load(people)
        for each in people:
            judging.judge(each, NOWHERE)
        await judging.save()
        assert await watcher.fetchval("select count(*) from pg_locks where locktype = 'advisory'") == 1
    assert await watcher.fetchval("select count(*) from pairs") == 500


async def test_of_two_thousand_namesakes_a_few_are_loaded(postgres_ledger: PostgresLedger, watcher: asyncpg.Connection) -> None:
    await watcher.execute(
        "insert into pairs (salesforce_object, salesforce_id, match_key, state, updated_at)"
        " select 'lead', 'x' || n, 'one@example.com', '\\x', 0 from generate_series(1, 2000) as n"
    )
    rows = await watcher.fetch(sql.GATHER.replace("state,", "''::bytea as state,"), [], [], [], ["one@example.com"], [], ALIKE_MAX, [])
    assert len(rows) == ALIKE_MAX

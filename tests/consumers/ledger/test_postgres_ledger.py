"""What only the ledger on PostgreSQL can show: two transactions at once, a database that goes away, rows that stay on their page."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from consumers.ledger.faults import Fault
from consumers.ledger.port import Duty, Fenced, Ledger, Pair, Taken
from consumers.ledger.postgres import sql
from consumers.ledger.postgres.border import border, commit_border
from consumers.ledger.postgres.ledger import PostgresLedger, open_ledger
from consumers.merge.pair.decision import Decision
from consumers.merge.pair.state import PairState, Record
from infra.postgres.server import Server
from streams.wire.errors import Fatal, Retry, Unknown
from streams.wire.systems import PERSON, System

pytestmark = pytest.mark.integration

NOW = 1_700_000_000_000
DEADLINE_SECONDS = 20.0


def pair(marketo: str, *, key: str | None = None, due: tuple[int, int, int, int] = (0, 0, 0, 0)) -> Pair:
    return Pair(id=0, state=PairState(marketo=Record(id=marketo), due=due), loaded=None, match_key=key)


async def add(ledger: Ledger, *pairs: Pair) -> list[int]:
    async with ledger.transaction() as tx:
        await tx.save(pairs, NOW)
    return [one.id for one in pairs]


@pytest.fixture
async def watcher(emptied: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test's own."""
    connection = await asyncpg.connect(emptied)
    try:
        yield connection
    finally:
        await connection.close()


async def somebody_waits(watcher: asyncpg.Connection) -> None:
    """Returns once a session of the ledger waits for a lock."""
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await watcher.fetchval(waiting):
            await asyncio.sleep(0)


async def test_a_pair_is_for_one_at_a_time_and_the_second_sees_what_the_first_made_of_it(
    postgres_ledger: PostgresLedger, watcher: asyncpg.Connection
) -> None:
    [number] = await add(postgres_ledger, pair("17"))

    async def count() -> None:
        async with postgres_ledger.transaction() as tx:
            one = (await tx.by_record(System.MARKETO, PERSON, ["17"]))["17"]
            record = Record(id="17", seq=one.state.marketo.seq + 1)
            one.state = one.state.with_record(System.MARKETO, record)
            await tx.save([one], NOW)

    async with postgres_ledger.transaction() as tx:
        await tx.by_id([number])
        others = [asyncio.create_task(count()) for _ in range(4)]
        await somebody_waits(watcher)
    await asyncio.gather(*others)
    async with postgres_ledger.transaction() as tx:
        assert (await tx.by_id([number]))[number].state.marketo.seq == 4


async def test_a_claim_leaves_out_what_somebody_holds_and_takes_others_instead(postgres_ledger: PostgresLedger) -> None:
    numbers = await add(postgres_ledger, *(pair(str(at), due=(NOW - 9 + at, 0, 0, 0)) for at in range(4)))
    async with postgres_ledger.transaction() as first, postgres_ledger.transaction() as second, postgres_ledger.transaction() as third:
        assert [one.id for one in await first.claim(Duty.WRITE_SALESFORCE, NOW, 2, 0)] == numbers[:2]
        assert [one.id for one in await second.claim(Duty.WRITE_SALESFORCE, NOW, 2, 2)] == numbers[2:]
        assert await third.claim(Duty.WRITE_SALESFORCE, NOW, 2, 2) == []


async def test_what_was_settled_while_the_claim_looked_is_not_claimed(postgres_ledger: PostgresLedger, watcher: asyncpg.Connection) -> None:
    """The claim's snapshot still shows the row of `due`, its lock brings the pair as it is now."""
    [number] = await add(postgres_ledger, pair("17", due=(NOW, 0, 0, 0)))
    await watcher.execute("update due set at = $1", NOW - 1)
    async with postgres_ledger.transaction() as tx:
        one = (await tx.by_id([number]))[number]
        one.state = PairState(marketo=one.state.marketo, due=(NOW + 5, 0, 0, 0))
        await tx.save([one], NOW)
    await watcher.execute("update due set at = $1", NOW - 1)
    async with postgres_ledger.transaction() as tx:
        assert await tx.claim(Duty.WRITE_SALESFORCE, NOW, 5, 2) == []
        assert [one.id for one in await tx.claim(Duty.WRITE_SALESFORCE, NOW + 5, 5, 2)] == [number]


async def test_two_newcomers_with_one_key_meet(postgres_ledger: PostgresLedger, watcher: asyncpg.Connection) -> None:
    """Who comes to the meeting second sees whom the first has saved."""
    met: list[list[str]] = []

    async def arrive(name: str) -> None:
        async with postgres_ledger.transaction() as tx:
            one = pair(name, key="ada@example.com")
            await tx.save([one], NOW)
            met.append(await tx.others_with(["ada@example.com"], [one.id]))

    async with postgres_ledger.transaction() as tx:
        await tx.others_with(["somebody@else.example"], [])
        arrivals = [asyncio.create_task(arrive(name)) for name in ("1", "2")]
        await somebody_waits(watcher)
    await asyncio.gather(*arrivals)
    assert met == [[], ["ada@example.com"]]


async def test_two_newcomers_with_one_record_are_told_apart_by_taken(postgres_ledger: PostgresLedger, watcher: asyncpg.Connection) -> None:
    async def arrive() -> None:
        async with postgres_ledger.transaction() as tx:
            await tx.save([pair("17")], NOW)

    async with postgres_ledger.transaction() as tx:
        await tx.save([pair("17")], NOW)
        late = asyncio.create_task(arrive())
        await somebody_waits(watcher)
    with pytest.raises(Taken, match="17"):
        await late


async def test_a_zombie_is_fenced_after_it_has_waited(postgres_ledger: PostgresLedger, watcher: asyncpg.Connection) -> None:
    async def late() -> None:
        async with postgres_ledger.transaction(durable=False) as tx:
            await tx.advance("topic", 0, 10, 20)

    async with postgres_ledger.transaction() as tx:
        await tx.advance("topic", 0, 0, 10)
    async with postgres_ledger.transaction() as tx:
        await tx.advance("topic", 0, 10, 15)
        zombie = asyncio.create_task(late())
        await somebody_waits(watcher)
    with pytest.raises(Fenced):
        await zombie
    assert await postgres_ledger.offset("topic", 0) == 15


async def test_of_two_that_wait_for_each_other_one_tries_again(postgres_ledger: PostgresLedger) -> None:
    first, second = await add(postgres_ledger, pair("1"), pair("2"))
    both = asyncio.Barrier(2)

    async def take(one: int, other: int) -> None:
        async with postgres_ledger.transaction() as tx:
            await tx.by_id([one])
            await both.wait()
            await tx.by_id([other])

    results = await asyncio.gather(take(first, second), take(second, first), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["NoneType", "Retry"]


async def test_the_database_goes_away_in_the_middle_and_nothing_is_half_done(
    postgres_ledger: PostgresLedger, postgres_server: Server
) -> None:
    [number] = await add(postgres_ledger, pair("17", due=(NOW, 0, 0, 0)))

    async def step() -> None:
        async with postgres_ledger.transaction(durable=False) as tx:
            await tx.advance("topic", 0, 0, 10)
            one = (await tx.by_id([number]))[number]
            one.state = PairState(marketo=one.state.marketo)
            await tx.save([one, pair("18")], NOW)
            await asyncio.to_thread(postgres_server.restart)
            await tx.by_id([number])

    with pytest.raises(Retry):
        await step()
    assert await postgres_ledger.offset("topic", 0) is None
    async with postgres_ledger.transaction() as tx:
        assert await tx.by_record(System.MARKETO, PERSON, ["18"]) == {}
        assert [one.id for one in await tx.claim(Duty.WRITE_SALESFORCE, NOW, 5, 2)] == [number]


async def test_a_commit_without_an_answer_is_in_doubt(postgres_ledger: PostgresLedger, postgres_server: Server) -> None:
    async def step() -> None:
        async with postgres_ledger.transaction() as tx:
            await tx.advance("topic", 0, 0, 10)
            await asyncio.to_thread(postgres_server.restart)

    with pytest.raises(Unknown):
        await step()
    async with postgres_ledger.transaction() as tx:
        await tx.advance("topic", 0, 0, 10)


async def test_while_it_is_away_everything_says_so(postgres_ledger: PostgresLedger, postgres_server: Server, emptied: str) -> None:
    await asyncio.to_thread(postgres_server.stop)
    try:
        with pytest.raises(Retry):
            async with postgres_ledger.transaction():
                pass
        with pytest.raises(Retry):
            await postgres_ledger.offset("topic", 0)
        with pytest.raises(Retry):
            await postgres_ledger.write_id()
        with pytest.raises(Retry):
            await open_ledger(emptied)
    finally:
        await asyncio.to_thread(postgres_server.start)
    assert await postgres_ledger.write_id() > 0


async def test_who_is_cancelled_while_waiting_leaves_no_lock(postgres_ledger: PostgresLedger, watcher: asyncpg.Connection) -> None:
    numbers = await add(postgres_ledger, pair("1"), pair("2"))

    async def wait() -> None:
        async with postgres_ledger.transaction() as tx:
            await tx.by_id(numbers)

    async with postgres_ledger.transaction() as tx:
        await tx.by_id(numbers[1:])
        waiting = asyncio.create_task(wait())
        await somebody_waits(watcher)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await tx.by_id(numbers[:1])
    async with asyncio.timeout(DEADLINE_SECONDS):
        await wait()


async def stand_still(ledger: PostgresLedger, watcher: asyncpg.Connection, record: str) -> None:
    """A transaction that goes to sleep with a pair locked, until the server has lost patience; another has the pair; it wakes up."""
    async with ledger.transaction() as tx:
        await tx.by_record(System.MARKETO, PERSON, [record])
        session = await tx._connection.fetchval("select pg_backend_pid()")
        assert await tx._connection.fetchval("show idle_in_transaction_session_timeout") == "10s"
        await tx._connection.execute("set idle_in_transaction_session_timeout = '50ms'")
        async with asyncio.timeout(DEADLINE_SECONDS):
            while await watcher.fetchval("select 1 from pg_stat_activity where pid = $1", session):
                await asyncio.sleep(0)
            async with ledger.transaction() as other:
                assert list(await other.by_record(System.MARKETO, PERSON, [record])) == [record]
        await tx.by_record(System.MARKETO, PERSON, [record])


async def test_what_a_stopped_process_has_locked_is_let_go(postgres_ledger: PostgresLedger, watcher: asyncpg.Connection) -> None:
    await add(postgres_ledger, pair("17"))
    with pytest.raises(Retry):
        await stand_still(postgres_ledger, watcher, "17")


async def test_all_transactions_may_ask_for_write_ids_at_once(emptied: str) -> None:
    ledger = await open_ledger(emptied, transactions_max=3)
    everyone_in = asyncio.Barrier(3)

    async def work() -> int:
        async with ledger.transaction():
            await everyone_in.wait()
            return await ledger.write_id()

    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert len({*(await asyncio.gather(*(work() for _ in range(3))))}) == 3
    finally:
        await ledger.close()


async def test_write_ids_grow_along_a_pair_whoever_claims_it(emptied: str) -> None:
    workers = [await open_ledger(emptied) for _ in range(2)]
    await add(workers[0], pair("1", due=(NOW, 0, 0, 0)))
    given: list[int] = []
    try:
        for turn in range(6):
            worker = workers[turn % 2]
            async with worker.transaction() as tx:
                assert await tx.claim(Duty.WRITE_SALESFORCE, NOW, 5, 2)
                given.append(await worker.write_id())
    finally:
        for worker in workers:
            await worker.close()
    assert given == sorted(set(given))


async def test_a_change_of_fields_alone_touches_no_index(postgres_ledger: PostgresLedger) -> None:
    numbers = await add(postgres_ledger, *(pair(str(at), key=f"{at}@example.com") for at in range(20)))
    async with postgres_ledger.transaction() as tx:
        found = await tx.by_id(numbers)
        for one in found.values():
            one.state = one.state.with_record(System.MARKETO, Record(id=one.state.marketo.id, seq=1))
        await tx.save(list(found.values()), NOW)
        await tx.record([Decision(kind="judged", at=NOW, pair=number, system=System.MARKETO, record="17") for number in numbers * 2])
        await tx.finish()
        assert await tx._connection.fetchval("select pg_stat_get_xact_tuples_hot_updated('pairs'::regclass)") == 20, "each once"


@pytest.mark.parametrize("moved", ["update pairs set told_in = told_in where id = $1", "update pairs set held = 'x' where id = $1", None])
async def test_rows_are_written_where_they_were_found_or_else_by_their_ids(postgres_ledger: PostgresLedger, moved: str | None) -> None:
    [number, _] = await add(postgres_ledger, pair("17"), pair("18"))
    for turn in (1, 2):
        async with postgres_ledger.transaction() as tx:
            found = await tx.by_record(System.MARKETO, PERSON, ["17", "18"])
            for one in found.values():
                assert one.place
                one.state = one.state.with_record(System.MARKETO, Record(id=one.state.marketo.id, seq=turn))
            await tx.save(list(found.values()), NOW)
            if moved:
                await tx._connection.execute(moved, number)
            await tx.finish()
            assert not any(one.place for one in found.values()), "they are elsewhere now"
            found["17"].state = found["17"].state.with_record(System.MARKETO, Record(id="17", seq=10 * turn))
            await tx.save([found["17"]], NOW)
    async with postgres_ledger.transaction() as tx:
        found = await tx.by_record(System.MARKETO, PERSON, ["17", "18"])
        assert [found[record].state.marketo.seq for record in ("17", "18")] == [20, 2]


async def test_what_is_due_and_noted_already_though_its_pair_says_nothing_of_it_is_noted_anew(
    postgres_ledger: PostgresLedger, watcher: asyncpg.Connection
) -> None:
    [number] = await add(postgres_ledger, pair("17"))
    await watcher.execute("insert into due (kind, pair, lane, at) values (1, $1, 2, 7)", number)

    async def owe() -> None:
        async with postgres_ledger.transaction() as tx:
            one = (await tx.by_id([number]))[number]
            one.state = PairState(marketo=Record(id="17"), due=(0, NOW, 0, 0))
            await tx.save([one], NOW)

    with pytest.raises(Retry):
        await owe()
    await owe()
    assert [tuple(row) for row in await watcher.fetch("select kind, pair, lane, at from due")] == [(1, number, 0, NOW)]


async def test_the_columns_say_what_the_state_says(postgres_ledger: PostgresLedger, watcher: asyncpg.Connection) -> None:
    one = pair("17")
    [number] = await add(postgres_ledger, one)
    async with postgres_ledger.transaction() as tx:
        known = (await tx.by_id([number]))[number]
        state = known.state.with_record(System.SALESFORCE, Record(id="003000000000000001"))
        state.hold, state.waits = "ambiguous match: two", "ada@example.com"
        known.state, known.match_key = state, "ada@example.com"
        await tx.save([known], NOW + 1)
    row = dict(await watcher.fetchrow("select * from pairs"))
    del row["state"], row["told_in"]
    assert row == {
        "id": number,
        "salesforce_object": "lead",
        "salesforce_id": "003000000000000001",
        "marketo_id": "17",
        "marketo_object": "person",
        "match_key": "ada@example.com",
        "held": "ambiguous match: two",
        "contested": False,
        "gone": False,
        "gone_in_marketo": False,
        "waits_for": "ada@example.com",
        "updated_at": NOW + 1,
    }


async def test_a_migration_under_way_is_no_reason_to_stop(postgres_ledger: PostgresLedger, watcher: asyncpg.Connection) -> None:
    await add(postgres_ledger, pair("17"))

    async def load() -> list[str]:
        async with postgres_ledger.transaction() as tx:
            return list(await tx.by_record(System.MARKETO, PERSON, ["17"]))

    assert await load() == ["17"]
    await watcher.execute('alter table pairs alter column marketo_id type varchar collate "C"')
    try:
        with pytest.raises(Retry):
            await load()
        assert await load() == ["17"]
    finally:
        await watcher.execute("alter table pairs alter column marketo_id type text")


@pytest.mark.parametrize(
    "statement",
    [
        sql.BY_SALESFORCE,
        sql.BY_MARKETO,
        sql.BY_ID,
        sql.GATHER,
        sql.OTHERS_WITH,
        sql.NOTE_LEFT,
        sql.UPDATE_STATES,
        sql.UPDATE_STATES_THERE,
        sql.CLAIM,
        sql.DROP_DUE,
        sql.IN_MARKETO,
        sql.RELEASED,
        sql.WAITS_NO_MORE,
        sql.UNRELATE,
        sql.AWAITED,
    ],
)
async def test_no_statement_is_ever_planned_for_a_small_table(postgres_ledger: PostgresLedger, statement: str) -> None:
    async with postgres_ledger._pool.acquire() as connection:
        await connection.execute(f"prepare asked as {statement}")
        many = "'{1}', '{a}', '{a}', '{a}', '{a}', 1, '{b}'"
        told = {
            sql.GATHER: many,
            sql.UPDATE_STATES_THERE: "'{1}', '{a}', 1, 1, '{\"(0,1)\"}'",
            sql.BY_MARKETO: "'{a}', 'b'",
            sql.IN_MARKETO: "'{a}', '{b}'",
            sql.RELEASED: "'{a}', 9",
            sql.WAITS_NO_MORE: "'{1}', '{a}', '{b}'",
            sql.UNRELATE: "'{1}', '{a}'",
            sql.AWAITED: "'', 9, '{b}'",
            sql.OTHERS_WITH: "'{a}', '{1}'",
        }
        made = told | {sql.UPDATE_STATES: "'{1}', '{a}', 1, '{1}'", sql.CLAIM: "0, 1, 1, 1", sql.DROP_DUE: "'{1}', '{1}'"}
        arguments = made.get(statement, "'{1}'")
        plan = "\n".join(row[0] for row in await connection.fetch(f"explain execute asked ({arguments})"))
    assert "Seq Scan" not in plan
    assert "Hash" not in plan


def test_other_errors_are_told_in_our_words() -> None:
    with pytest.raises(Fatal, match="tandem-migrate"), border("load"):
        raise asyncpg.UndefinedTableError("relation pairs does not exist")
    with pytest.raises(Fault), border("load"):
        raise asyncpg.DataError("value out of int64 range")
    with pytest.raises(Retry), border("load"):
        raise asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")
    with pytest.raises(Unknown), commit_border():
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
    with pytest.raises(Retry) as caught, commit_border():
        raise asyncpg.exceptions.SerializationError("could not serialize access")
    assert not isinstance(caught.value, Unknown)

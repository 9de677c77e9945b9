# ruff: noqa: S608 - rows made by the thousand, of our own words
"""Every shelf on a real database: what goes, what stays, and that nobody is kept waiting by it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
import pytest

from consumers.configuration.groups.upkeep import RetentionSettings
from consumers.ledger.port import Pair
from consumers.ledger.postgres.blocks import INSERT, PREPARE, packed, unpacked
from consumers.ledger.postgres.ledger import PostgresLedger, open_ledger
from consumers.merge.pair.decision import Decision, decode, encode
from consumers.merge.pair.state import PairState
from consumers.retention.keeper import Keeper
from consumers.retention.shelf import DAY_MS, Shelf, Step
from consumers.retention.shelves import NAMES, shelves
from consumers.retention.tables import DECISIONS, ROWS_MAX
from streams.relay.singleton import PostgresSingleton
from streams.wire.events import DeadLetter
from streams.wire.systems import LEAD, System
from tests.consumers.merge.person_pair import MK, SF, paired
from tests.consumers.pairs_in_memory import renamed
from tests.consumers.retention.test_keeper import DEADLINE_SECONDS, Alone, soon

pytestmark = pytest.mark.integration

NOW = 1_700_000_000_000
SETTINGS = RetentionSettings()
ASKING = "select count(*) from pg_stat_activity where query like '%insert into leases%' and pid <> pg_backend_pid()"
TABLES = ("pairs", "decisions", "dead_letters", "cycles", "gaps", "budget_spent")


@pytest.fixture
async def ledger(postgres: str) -> AsyncIterator[PostgresLedger]:
    opened = await open_ledger(postgres)
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
async def pool(postgres: str) -> AsyncIterator[Any]:
    async with asyncpg.create_pool(postgres, min_size=1, max_size=4) as opened:
        yield opened


def keeper(pool: Any, ledger: PostgresLedger, settings: RetentionSettings = SETTINGS) -> Keeper:
    return Keeper(shelves(pool, ledger, settings, lambda: NOW), Alone(), now_ms=lambda: NOW, sleep=soon)


async def cleared(pool: Any, ledger: PostgresLedger, settings: RetentionSettings = SETTINGS) -> dict[str, int]:
    kept = keeper(pool, ledger, settings)
    gone = await kept.round(asyncio.Event())
    assert list(kept.troubles()) == []
    return {name: count for name, count in gone.items() if count}


async def column(pool: Any, query: str) -> list[Any]:
    return [row[0] for row in await pool.fetch(query)]


def deleted(number: int) -> Pair:
    state = renamed(paired(), number)
    for system in (SF, MK):
        state = state.with_record(system, msgspec.structs.replace(state.record(system), deleted=True))
    return Pair(id=0, state=state, loaded=None, match_key=f"p{number}@example.com")


def with_state(pair: Pair, **changes: Any) -> Pair:
    return Pair(id=0, state=msgspec.structs.replace(pair.state, **changes), loaded=None, match_key=pair.match_key)


def decision(pair: int, at: int) -> Decision:
    return Decision(kind="judged", at=at, pair=pair, system=System.MARKETO, record="17")


def letter(offset: int, at: int) -> DeadLetter:
    return DeadLetter(stage="observe", reason="x", original=b"", topic="t", partition=0, offset=offset, at=at)


async def save(ledger: PostgresLedger, *pairs: Pair, at: int) -> list[int]:
    async with ledger.transaction() as tx:
        await tx.save(pairs, at)
    return [pair.id for pair in pairs]


def test_the_shelves_have_the_names_that_metrics_know() -> None:
    assert [shelf.name for shelf in shelves(None, None, SETTINGS, lambda: NOW)] == list(NAMES)  # type: ignore[arg-type]


async def rows_of_earlier_versions(pool: Any, *decided: Decision) -> None:
    rows = [(each.at, each.pair, each.kind, encode(each)) for each in decided]
    await pool.executemany("insert into decisions (at, pair, kind, body) values ($1, $2, $3, $4)", rows)


async def test_decisions_of_earlier_versions_go_when_they_are_old_and_published(pool: Any, ledger: PostgresLedger) -> None:
    old, young = NOW - 91 * DAY_MS, NOW - 89 * DAY_MS
    await rows_of_earlier_versions(pool, *(decision(pair, old) for pair in range(1, 2_101)), decision(5_000, young), decision(5_001, old))
    assert await cleared(pool, ledger) == {}, "nothing is published yet"
    await pool.execute("insert into outbox values ('decisions', 2101, 0)")
    assert await cleared(pool, ledger) == {"decisions": 2_100}
    assert await column(pool, "select pair from decisions order by id") == [5_000, 5_001]


DAYS = "select relname::text from pg_class where relname like 'decision_blocks_2%' and relkind = 'r' order by relname"


async def blocks_of(pool: Any, day: int, *decided: Decision) -> int:
    """A block of that day, and its id."""
    await pool.execute(PREPARE, day)
    block = (day << 40) + day
    await pool.execute(INSERT, block, NOW, len(decided), packed(decided, {}))
    return block


async def test_decisions_go_by_the_day_when_it_is_old_and_published(pool: Any, ledger: PostgresLedger) -> None:
    today = NOW // DAY_MS
    await rows_of_earlier_versions(pool, decision(1, NOW - 91 * DAY_MS))
    await blocks_of(pool, today - 93, decision(2, NOW), decision(3, NOW))
    last = await blocks_of(pool, today - 91, decision(4, NOW))
    stays = await blocks_of(pool, today - 90, decision(5, NOW))
    assert await cleared(pool, ledger) == {}, "nothing is published yet"
    await pool.execute("insert into outbox values ('decisions', 1, 0), ('decision_blocks', $1, 0)", last - 1)
    assert await cleared(pool, ledger) == {"decisions": 3}
    assert len(await column(pool, DAYS)) == 3, "one that is not published whole, those after it"
    await pool.execute("update outbox set published = $1 where relation = 'decision_blocks'", stays)
    assert await cleared(pool, ledger) == {"decisions": 1}
    assert await column(pool, "select id from decision_blocks") == [stays]
    assert len(await column(pool, DAYS)) == 2


async def test_a_day_that_somebody_is_reading_stays_for_the_next_round(pool: Any, ledger: PostgresLedger) -> None:
    last = await blocks_of(pool, NOW // DAY_MS - 93, decision(1, NOW))
    await pool.execute("insert into outbox values ('decision_blocks', $1, 0)", last)
    async with pool.acquire() as reading, reading.transaction():
        await reading.fetch("select from decision_blocks")
        assert await cleared(pool, ledger) == {}
    assert await cleared(pool, ledger) == {"decisions": 1}


async def test_dead_letters_go_when_they_are_old_and_published(pool: Any, ledger: PostgresLedger) -> None:
    letters = [(1, 91), (2, 91), (3, 89), (4, 91)]
    async with ledger.transaction() as tx:
        await tx.bury([letter(offset, NOW - days * DAY_MS) for offset, days in letters])
    assert await cleared(pool, ledger) == {}
    await pool.execute("insert into outbox values ('dead_letters', 3, 0), ('decisions', 9, 0)")
    assert await cleared(pool, ledger) == {"dead_letters": 2}
    assert await column(pool, 'select "offset" from dead_letters order by id') == [3, 4]


async def test_of_cycles_the_last_of_each_poll_stays(pool: Any, ledger: PostgresLedger) -> None:
    cycles = [("a", 40), ("b", 40), ("a", 35), ("a", 20), ("b", 35)]
    rows = [(source, NOW - days * DAY_MS, 0, 0, 0, 0, 0.1) for source, days in cycles]
    await pool.executemany("insert into cycles (source, at, read, known, missed, calls, seconds) values ($1, $2, $3, $4, $5, $6, $7)", rows)
    assert await cleared(pool, ledger) == {"cycles": 3}
    assert await column(pool, "select source from cycles order by id") == ["a", "b"]


async def test_an_open_gap_stays_however_old_and_a_closed_one_goes_with_its_readers(pool: Any, ledger: PostgresLedger) -> None:
    gap = "insert into gaps (source, reason, opened_ms, closed_ms) values ($1, 'x', 0, $2)"
    await pool.executemany(gap, [("open", None), ("long ago", NOW - 91 * DAY_MS), ("lately", NOW - 89 * DAY_MS)])
    await pool.execute("insert into gap_reads select id, 'marketo.poll' from gaps")
    assert await cleared(pool, ledger) == {"gaps": 1}
    assert await column(pool, "select source from gaps order by id") == ["open", "lately"]
    assert await column(pool, "select gap from gap_reads order by gap") == [1, 3]


async def test_counts_of_calls_and_rows_of_workers_and_leases_long_gone_go(pool: Any, ledger: PostgresLedger) -> None:
    now = "to_timestamp($1::bigint / 1000.0)"
    day = f"({now} at time zone 'utc')::date"
    await pool.execute(f"insert into budget_spent values ('marketo', {day} - 401, 0, 'write', 7), ('marketo', {day} - 399, 0, 'x', 8)", NOW)
    worker = f"insert into workers (worker, roles, troubles, beat_at) values ($2, '{{}}', '[]', {now} - make_interval(hours => $3))"
    lease = f"insert into leases (name, holder, until, backend) values ($2, 'h', {now} - make_interval(hours => $3), 1)"
    for statement in (worker, lease):
        for name, hours in (("gone", 25), ("silent", 23)):
            await pool.execute(statement, NOW, name, hours)
    assert await cleared(pool, ledger) == {"calls": 1, "workers": 1, "leases": 1}
    assert await column(pool, "select calls from budget_spent") == [8]
    assert await column(pool, "select worker from workers") == await column(pool, "select name from leases") == ["silent"]


async def test_deleted_people_go_with_all_that_is_theirs_and_the_held_the_owed_and_the_living_stay(
    pool: Any, ledger: PostgresLedger
) -> None:
    old = NOW - 91 * DAY_MS
    alive = Pair(id=0, state=renamed(paired(), 1), loaded=None, match_key="p1@example.com")
    stay = [alive, with_state(deleted(2), hold="somebody must look"), with_state(deleted(3), due=(0, NOW, 0, 0))]
    stays = await save(ledger, *stay, at=old) + await save(ledger, deleted(4), at=NOW - 89 * DAY_MS)
    goes = await save(ledger, deleted(5), at=old)
    await pool.execute("insert into refusals select id, 'marketo', 'title', 'too long', 1 from pairs")
    assert await cleared(pool, ledger) == {"deleted_people": 1}
    assert await column(pool, "select id from pairs order by id") == stays
    assert await column(pool, "select pair from refusals order by pair") == stays
    told = [decode(entry.told) for body in await column(pool, "select body from decision_blocks") for entry in unpacked(body)]
    assert [(each.pair, each.kind) for each in told] == [(goes[0], "forgotten"), (goes[0], "forgotten")]


async def test_zero_days_keep_everything_for_ever(pool: Any, ledger: PostgresLedger) -> None:
    ever = RetentionSettings(decisions_days=0, dead_letters_days=0, cycles_days=0, gaps_days=0, calls_days=0, deleted_people_days=0)
    await save(ledger, deleted(1), at=1)
    async with ledger.transaction() as tx:
        await tx.bury([letter(1, at=1)])
    await rows_of_earlier_versions(pool, decision(1, 1))
    last = await blocks_of(pool, 1, decision(1, 1))
    await pool.execute("insert into outbox values ('decisions', 9, 0), ('dead_letters', 9, 0), ('decision_blocks', $1, 0)", last)
    await pool.execute("insert into gaps (source, reason, opened_ms, closed_ms) values ('x', 'x', 0, 1)")
    await pool.execute("insert into budget_spent values ('marketo', '1999-12-31', 0, 'write', 7)")
    assert await cleared(pool, ledger, ever) == {}


async def test_a_second_worker_waits_until_the_first_is_done_for(postgres: str) -> None:
    holds = [PostgresSingleton(postgres) for _ in range(2)]
    at_it, stop_first, stop_second = asyncio.Event(), asyncio.Event(), asyncio.Event()
    busy: list[str] = []

    def one(name: str) -> Shelf:
        async def let_go(before: int, after: int) -> Step:
            busy.append(name)
            at_it.set()
            if name == "first":
                await asyncio.Event().wait()
            return Step(gone=0, after=None)

        return Shelf(name="decisions", days=1, let_go=let_go)

    first = asyncio.create_task(Keeper([one("first")], holds[0], now_ms=lambda: NOW).run(stop_first))
    async with asyncio.timeout(DEADLINE_SECONDS):
        await at_it.wait()
        at_it.clear()
        second = asyncio.create_task(Keeper([one("second")], holds[1], now_ms=lambda: NOW).run(stop_second))
        connection = await asyncpg.connect(postgres)
        while await connection.fetchval(ASKING) < 2:
            await asyncio.sleep(0)
        assert busy == ["first"], "it has asked for the right, and does nothing without it"
        await connection.close()
        stop_first.set()
        await first
        await at_it.wait()
        stop_second.set()
        await second
    assert busy == ["first", "second"]


async def many(pool: Any, table: str, columns: str, values: str, count: int) -> None:
    await pool.execute(f"insert into {table} ({columns}) select {values} from generate_series(1, {count}) as n")


async def test_a_hundred_thousand_rows_go_in_small_steps_past_those_in_somebodys_hands(pool: Any, ledger: PostgresLedger) -> None:
    await many(pool, "decisions", "at, pair, kind, body", "1, n, 'judged', '{}'", 100_000)
    await pool.execute("insert into outbox values ('decisions', 100000, 0)")
    steps: list[int] = []
    kept = Keeper(
        shelves(pool, ledger, SETTINGS, lambda: NOW), Alone(), pruned=lambda _, count: steps.append(count), now_ms=lambda: NOW, sleep=soon
    )
    async with pool.acquire() as theirs, theirs.transaction():
        await theirs.execute("select from decisions where id in (7, 70000) for update")
        async with asyncio.timeout(120):
            gone = await kept.round(asyncio.Event())
    assert gone["decisions"] == sum(steps) == 99_998
    assert len(steps) == 100
    assert max(steps) == ROWS_MAX
    assert await column(pool, "select id from decisions order by id") == [7, 70_000]


async def test_what_a_step_locks_is_in_nobodys_way(pool: Any, ledger: PostgresLedger) -> None:
    """While its transaction is open nobody waits: not for the tables, nor for any row that stays."""
    await many(pool, "decisions", "at, pair, kind, body", f"case when n <= 1000 then 1 else {NOW} end, n, 'judged', '{{}}'", 1_500)
    await pool.execute("insert into outbox values ('decisions', 1500, 0)")
    one, two = await save(ledger, deleted(1), deleted(2), at=1)
    living = Pair(id=0, state=renamed(paired(), 3), loaded=None, match_key="p3@example.com")
    await save(ledger, living, at=1)
    async with pool.acquire() as pruning, pruning.transaction(), ledger.transaction() as forgetting:
        assert (await pruning.fetchrow(DECISIONS, NOW - DAY_MS, 0, ROWS_MAX))["gone"] == 1_000
        assert [pair.id for pair in await forgetting.idle([one], NOW)] == [one]
        await forgetting.remove([one])
        async with pool.acquire() as others, others.transaction():
            await others.execute("set local lock_timeout = '5s'")
            assert len(await others.fetch("select from decisions where at > 1 for update")) == 500
        async with ledger.transaction() as tx:
            await tx._connection.execute("set local lock_timeout = '5s'")
            found = await tx.gather(ids=[two], records={(SF, LEAD): [living.state.salesforce.id]}, keys=["p1@example.com"], most=9)
            assert [pair.id for pair in found] == [two, living.id]
            found[1].state = msgspec.structs.replace(found[1].state, lane=2)
            await tx.advance("t", 0, 0, 1)
            await tx.save([*found, Pair(id=0, state=PairState(), loaded=None)], NOW)
            await tx.record([decision(3, NOW)])
            await tx.bury([letter(1, at=1)])


async def test_a_round_with_nothing_to_do_reads_no_table(pool: Any, ledger: PostgresLedger) -> None:
    young = f"{NOW} - n % 1000"
    alive = "'lead', 's' || n, 'm' || n, 'k' || n, 'x', " + young
    await many(pool, "pairs", "salesforce_object, salesforce_id, marketo_id, match_key, state, updated_at", alive, 30_000)
    await pool.execute("update pairs set gone = true where id % 3000 = 0")
    await many(pool, "decisions", "at, pair, kind, body", f"{young}, n, 'judged', '{{}}'", 30_000)
    await many(pool, "dead_letters", "at, stage, reason, original", f"{young}, 'observe', 'x', ''", 30_000)
    await many(pool, "cycles", "source, at, read, known, missed, calls, seconds", f"'s' || n % 3, {young}, 1, 1, 1, 1, 1", 30_000)
    await many(pool, "gaps", "source, reason, opened_ms, closed_ms", f"'s', 'x', 1, {young}", 30_000)
    day = f"(to_timestamp({NOW} / 1000) at time zone 'utc')::date - n % 300, n % 3, 'p' || n / 300, n"
    await pool.execute(f"insert into budget_spent select 'marketo', {day} from generate_series(1, 9000) as n on conflict do nothing")
    await pool.execute("insert into outbox values ('decisions', 30000, 0), ('dead_letters', 30000, 0)")
    await pool.execute("vacuum analyze")
    before = await rows_read(pool)
    assert await cleared(pool, ledger) == {}
    await pool.fetch("select pg_stat_force_next_flush()")
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (read := {name: count - before[name] for name, count in (await rows_read(pool)).items()})["decisions"] == 0:
            await pool.fetch("select pg_stat_force_next_flush()")
    assert read.pop("decisions") <= 2 * ROWS_MAX, "it looks at the oldest ones"
    assert read.pop("pairs") <= 20
    assert all(count <= 1 for count in read.values()), f"the planner looks at the end of an index, nobody else at any: {read}"


async def test_a_change_of_a_pair_pays_for_no_index(ledger: PostgresLedger) -> None:
    """What finds the deleted people is not written when somebody alive is changed."""
    (one,) = await save(ledger, Pair(id=0, state=renamed(paired(), 1), loaded=None, match_key="p1@example.com"), at=1)
    async with ledger.transaction() as tx:
        pair = (await tx.by_id([one]))[one]
        for turn in range(1, 4):
            pair.state = msgspec.structs.replace(pair.state, lane=turn % 3)
            await tx.save([pair], NOW + turn)
            await tx.finish()
        counts = (
            "select pg_stat_get_xact_tuples_updated(oid), pg_stat_get_xact_tuples_hot_updated(oid) from pg_class where relname = 'pairs'"
        )
        assert tuple(await tx._connection.fetchrow(counts)) == (3, 3)


async def rows_read(pool: Any) -> dict[str, int]:
    """How many rows of each table have been read by now, through indexes or not."""
    rows = await pool.fetch(
        "select relname, seq_tup_read + coalesce(idx_tup_fetch, 0) as read from pg_stat_user_tables where relname = any($1)", list(TABLES)
    )
    return {row["relname"]: row["read"] for row in rows}

"""Families in PostgreSQL: however many wait, a step reads little; nobody who waits is forgotten, and nobody stands in another's way."""

import asyncio
import json
from typing import Any

import pytest

from consumers.judging.families.families import Families
from consumers.ledger.port import Duty, Ledger, Pair
from consumers.ledger.postgres import sql
from consumers.ledger.postgres.ledger import PostgresLedger
from consumers.merge.pair.state import Field, PairState, Record, Side
from consumers.merge.pair.stored import pack
from consumers.merge.writing.parents import Reference
from consumers.merge.writing.witness import WAITS
from streams.wire.errors import Retry
from streams.wire.systems import CONTACT, Object, System
from tests.consumers.families.family import ACCOUNT, terms
from tests.consumers.pairs_in_memory import Clock

pytestmark = pytest.mark.integration
TERMS, ROLE, COMPANY = terms(), "externalCompanyId", Object("company")
KEPT = [str(obj) for obj in TERMS.rules.objects]
ROWS_OF_A_STEP = 10_000


def account(number: int, *, born: bool = False) -> PairState:
    name = f"001{number:012d}AAA"
    return PairState(object=ACCOUNT, counterpart=COMPANY, salesforce=Record(id=name), marketo=Record(id=name if born else ""))


def child(number: int, parent: str) -> PairState:
    shown = Side(seen=parent, shows=1)
    field = Field(value=parent, version=1, salesforce=shown, marketo=Side(shows=0, refused=1, reason=f"{WAITS}account {parent}"))
    return PairState(
        object=CONTACT,
        fields={ROLE: field},
        salesforce=Record(id=f"003{number:012d}AAA", complete=True),
        marketo=Record(id=str(number), complete=True),
    )


async def connected(ledger: PostgresLedger) -> Any:
    return await ledger._pool.acquire()


async def waiting(connection: Any) -> int:
    return int(await connection.fetchval("select count(*) from relations where waiting"))


async def add_children(connection: Any, parent: str, many: int) -> None:
    """So many, straight into the tables."""
    body = pack(child(0, parent))
    rows = [(f"003{number:012d}AAA", str(number + 1), body) for number in range(many)]
    pairs = "insert into pairs (salesforce_object, salesforce_id, marketo_id, state, updated_at) values ('contact', $1, $2, $3, 0)"
    await connection.executemany(pairs, rows)
    children = "insert into relations select id, $1, $2, true from pairs where salesforce_object = 'contact'"
    await connection.execute(children, ROLE, parent)
    await connection.execute("analyze relations, pairs")


async def rows_read(connection: Any, statement: str, *arguments: Any) -> int:
    """How many rows the parts of a statement have brought."""
    told = json.loads(await connection.fetchval(f"explain (analyze, format json) {statement}", *arguments))

    def of(node: dict[str, Any]) -> int:
        removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Join Filter", 0)
        return int((node["Actual Rows"] + removed) * node["Actual Loops"]) + sum(map(of, node.get("Plans", ())))

    return of(told[0]["Plan"])


async def test_a_step_reads_little_however_many_wait_for_one_parent(postgres_ledger: PostgresLedger) -> None:
    connection = await connected(postgres_ledger)
    parent = account(1, born=True)
    async with postgres_ledger.transaction() as tx:
        await tx.save([Pair(id=0, state=parent, loaded=None)], 1)
    await add_children(connection, parent.salesforce.id, 100_000)
    assert await rows_read(connection, sql.AWAITED, "", 500, KEPT) < 50
    assert await rows_read(connection, sql.RELEASED, [parent.salesforce.id], 300) < 2_000
    families, clock = Families(postgres_ledger, TERMS), Clock()
    assert Duty.WRITE_MARKETO in await families.release(clock())
    assert await waiting(connection) == 100_000 - 10 * 300, "ten pages a step"
    assert await families.release(clock())
    assert await waiting(connection) == 100_000 - 20 * 300
    assert await connection.fetchval("select count(*) from due where kind = 1") == 20 * 300
    await postgres_ledger._pool.release(connection)


async def test_a_step_reads_little_however_many_parents_are_not_born(postgres_ledger: PostgresLedger) -> None:
    connection = await connected(postgres_ledger)
    rows = [(state.salesforce.id, pack(state)) for state in map(account, range(20_000))]
    await connection.executemany(
        "insert into pairs (salesforce_object, salesforce_id, state, updated_at, marketo_object) values ('account', $1, $2, 0, 'company')",
        rows,
    )
    await connection.execute("insert into relations select 1000000 + id, $1, salesforce_id, true from pairs", ROLE)
    await connection.execute("analyze relations, pairs")
    assert await rows_read(connection, sql.AWAITED, "", 500, KEPT) < ROWS_OF_A_STEP
    assert await rows_read(connection, sql.AWAITED, rows[19_000][0], 500, KEPT) < ROWS_OF_A_STEP
    seen, after = 0, ""
    while True:
        awaited = await postgres_ledger.awaited(after, 500, list(TERMS.rules.objects))
        assert not awaited.there
        assert not awaited.unknown
        seen, after = seen + 1, awaited.last
        if not after:
            break
    assert seen == 20_000 // 500 + 1
    await postgres_ledger._pool.release(connection)


async def test_who_finds_a_parent_missing_while_it_is_born_is_released_all_the_same(postgres_ledger: PostgresLedger) -> None:
    born = account(1)
    name = born.salesforce.id
    one, parent = Pair(id=0, state=child(1, name), loaded=None), Pair(id=0, state=born, loaded=None)
    async with postgres_ledger.transaction() as tx:
        await tx.save([one, parent], 1)
    families = Families(postgres_ledger, TERMS)
    async with postgres_ledger.transaction() as claiming:
        assert await claiming.in_marketo([name], [ACCOUNT]) == {}
        async with postgres_ledger.transaction() as answering:
            (known,) = (await answering.by_id([parent.id])).values()
            known.state = known.state.with_record(System.MARKETO, Record(id=name, complete=True))
            await answering.save([known], 2)
        assert await families.release(3) == set(), "nobody is known to wait"
        await claiming.relate({one.id: [Reference(role=ROLE, parent=name, waiting=True)]})
    assert Duty.WRITE_MARKETO in await families.release(4)


async def test_claims_births_and_releases_at_once_stand_in_nobodys_way(postgres_ledger: PostgresLedger) -> None:
    parents = [Pair(id=0, state=account(number), loaded=None) for number in range(20)]
    children = [Pair(id=0, state=child(number + 1, f"001{number % 20:012d}AAA"), loaded=None) for number in range(200)]
    async with postgres_ledger.transaction() as tx:
        await tx.save([*parents, *children], 1)
    waited = {"retries": 0}

    async def patiently(ledger: Ledger, step: Any) -> None:
        while True:
            try:
                await step(ledger)
            except Retry:
                waited["retries"] += 1
                continue
            return

    async def relates(ledger: Ledger, part: list[Pair]) -> None:
        async with ledger.transaction() as tx:
            pairs = await tx.by_id([pair.id for pair in part])
            named = {number: str(pair.state.fields[ROLE].value) for number, pair in pairs.items()}
            there = await tx.in_marketo(sorted(set(named.values())), [ACCOUNT])
            await tx.relate({n: [Reference(role=ROLE, parent=name, waiting=name not in there)] for n, name in named.items()})

    async def bears(ledger: Ledger, part: list[Pair]) -> None:
        async with ledger.transaction() as tx:
            for pair in (await tx.by_id([each.id for each in part])).values():
                pair.state = pair.state.with_record(System.MARKETO, Record(id=pair.state.salesforce.id, complete=True))
                await tx.save([pair], 2)

    steps: list[Any] = [lambda ledger, part=children[start::10]: relates(ledger, part) for start in range(10)]
    steps += [lambda ledger, part=parents[start::5]: bears(ledger, part) for start in range(5)]
    several = [Families(postgres_ledger, TERMS) for _ in range(3)]
    steps += [lambda _, each=each: each.release(3) for each in several for _ in range(4)]
    await asyncio.gather(*(patiently(postgres_ledger, step) for step in steps))
    for each in several:
        await each.release(4)
    connection = await connected(postgres_ledger)
    assert await waiting(connection) == 0
    deadlocks = "select deadlocks from pg_stat_database where datname = current_database()"
    assert await connection.fetchval(deadlocks) == 0
    assert await connection.fetchval("select count(*) from relations") == 200
    await postgres_ledger._pool.release(connection)

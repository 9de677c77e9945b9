"""Decisions in blocks: each pair's chain, whatever was done with the pair; days; numbers."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from consumers.ledger.port import Pair
from consumers.ledger.postgres import blocks
from consumers.ledger.postgres.blocks import DECISIONS_MAX, Entry, day_of, draw, number, packed, told_of, unpacked
from consumers.ledger.postgres.ledger import PostgresLedger
from consumers.merge.pair.decision import Decision, decode, encode
from consumers.merge.pair.state import PairState, Record
from streams.wire.systems import System

pytestmark = pytest.mark.integration

NOW = 1_700_000_000_000


@pytest.fixture
async def watcher(emptied: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(emptied)
    try:
        yield connection
    finally:
        await connection.close()


def told(pair: int, detail: str) -> Decision:
    return Decision(kind="judged", at=NOW, pair=pair, system=System.MARKETO, record="17", detail=detail)


def new(marketo: str) -> Pair:
    return Pair(id=0, state=PairState(marketo=Record(id=marketo)), loaded=None)


async def added(ledger: PostgresLedger, *pairs: Pair) -> list[int]:
    async with ledger.transaction() as tx:
        await tx.save(pairs, NOW)
    return [pair.id for pair in pairs]


async def newest_first(watcher: asyncpg.Connection, pair: int) -> list[str]:
    found = [(place, decode(body)) async for place, body in told_of(watcher, pair)]
    assert [place for place, _ in found] == sorted({place for place, _ in found}, reverse=True)
    assert {decision.pair for _, decision in found} <= {pair}
    return [decision.detail for _, decision in found]


def test_a_block_gives_back_what_was_put_in() -> None:
    decisions = [told(3, "a"), told(0, "b"), told(3, "c"), told(4, "d")]
    assert unpacked(packed(decisions, {3: 77})) == [
        Entry(pair=decision.pair, before=77 if decision.pair == 3 else 0, told=encode(decision)) for decision in decisions
    ]


def test_numbers_grow_from_block_to_block_and_within_each() -> None:
    day = 20_000 << 40
    places = [number(day + 1, 0), number(day + 1, DECISIONS_MAX - 1), number(day + 2, 0), number(((20_001) << 40) + 3, 0)]
    assert places == sorted(set(places))


async def test_a_pairs_decisions_are_found_whatever_else_was_done_with_it(
    postgres_ledger: PostgresLedger, watcher: asyncpg.Connection
) -> None:
    one, other = new("17"), new("18")
    async with postgres_ledger.transaction() as tx:
        await tx.save([one, other], NOW)
        await tx.record([told(one.id, "new"), told(other.id, "of the other"), told(0, "of nobody"), told(one.id, "new, too")])
    async with postgres_ledger.transaction() as tx:
        pair = (await tx.by_id([one.id]))[one.id]
        pair.state = pair.state.with_record(System.MARKETO, Record(id="17", seq=2))
        await tx.save([pair], NOW)
        await tx.record([told(one.id, "with its state")])
    async with postgres_ledger.transaction() as tx:
        await tx.by_id([one.id])
        await tx.record([told(one.id, "nothing changed")])
    async with postgres_ledger.transaction() as tx:
        await tx.record([told(one.id, "not even loaded")])
        pair = (await tx.by_id([one.id]))[one.id]
        pair.state = pair.state.with_record(System.SALESFORCE, Record(id="00Q000000000000001"))
        await tx.save([pair], NOW)
        await tx.record([told(one.id, "found")])
        await tx.record([told(one.id, "and once more")])
    async with postgres_ledger.transaction() as tx:
        pair = (await tx.by_id([one.id]))[one.id]
        pair.state = pair.state.with_record(System.MARKETO, Record(id="17", seq=3))
        await tx.record([told(one.id, "before it is saved")])
        await tx.save([pair], NOW)
    async with postgres_ledger.transaction() as tx:
        await tx.record([told(other.id, "the end")])
    assert await newest_first(watcher, other.id) == ["the end", "of the other"]
    assert await newest_first(watcher, one.id) == [
        "before it is saved", "and once more", "found", "not even loaded", "nothing changed", "with its state", "new, too", "new"
    ]  # fmt: skip
    assert await newest_first(watcher, 99) == []


async def test_a_state_without_a_decision_is_saved_all_the_same(postgres_ledger: PostgresLedger, watcher: asyncpg.Connection) -> None:
    [one] = await added(postgres_ledger, new("17"))
    async with postgres_ledger.transaction() as tx:
        pair = (await tx.by_id([one]))[one]
        pair.state = pair.state.with_record(System.MARKETO, Record(id="17", seq=2))
        await tx.save([pair], NOW)
        assert (await tx.by_id([one]))[one] is pair
        pair.state = pair.state.with_record(System.MARKETO, Record(id="17", seq=3))
        await tx.save([pair], NOW + 1)
    async with postgres_ledger.transaction() as tx:
        assert (await tx.by_id([one]))[one].state.marketo.seq == 3
    assert await watcher.fetchval("select updated_at from pairs") == NOW + 1
    assert await newest_first(watcher, one) == []


async def test_a_pair_that_is_saved_and_then_removed_is_gone(postgres_ledger: PostgresLedger, watcher: asyncpg.Connection) -> None:
    [one] = await added(postgres_ledger, new("17"))
    async with postgres_ledger.transaction() as tx:
        pair = (await tx.by_id([one]))[one]
        pair.state = pair.state.with_record(System.MARKETO, Record(id="17", seq=2))
        await tx.save([pair], NOW)
        await tx.remove([one])
        await tx.record([told(one, "part of another now")])
    assert await watcher.fetchval("select count(*) from pairs") == 0
    [body] = await watcher.fetchrow("select body from decision_blocks")
    assert [entry.pair for entry in unpacked(body)] == [one]


async def test_more_decisions_than_a_block_has_numbers_for(postgres_ledger: PostgresLedger, watcher: asyncpg.Connection) -> None:
    one, other = await added(postgres_ledger, new("17"), new("18"))
    async with postgres_ledger.transaction() as tx:
        await tx.by_id([one, other])
        await tx.record([told(one if place % 3 else other, str(place)) for place in range(2_500)])
    assert await watcher.fetchval("select count(*) from decision_blocks") == 3
    assert await newest_first(watcher, one) == [str(place) for place in range(2_499, -1, -1) if place % 3]
    assert await newest_first(watcher, other) == [str(place) for place in range(2_499, -1, -1) if not place % 3]


async def test_a_chain_ends_where_its_day_was_forgotten(postgres_ledger: PostgresLedger, watcher: asyncpg.Connection) -> None:
    [one] = await added(postgres_ledger, new("17"))
    for detail in ("old", "middle", "young"):
        async with postgres_ledger.transaction() as tx:
            await tx.record([told(one, detail)])
    await watcher.execute("delete from decision_blocks where id = (select id from decision_blocks order by id offset 1 limit 1)")
    assert await newest_first(watcher, one) == ["young"]


async def test_days_are_made_ahead_and_never_go_back(postgres_ledger: PostgresLedger, watcher: asyncpg.Connection) -> None:
    today = day_of(await drawn(postgres_ledger))
    names = "select to_regclass('decision_blocks_' || to_char(date '1970-01-01' + $1::integer, 'YYYYMMDD')) is not null"
    assert [await watcher.fetchval(names, day) for day in (today, today + 1, today + 2)] == [True, True, False]
    await watcher.execute(blocks.PREPARE, today + 1)
    assert day_of(await drawn(postgres_ledger)) == today + 1, "a clock that was put back"
    async with postgres_ledger.transaction() as tx:
        await tx.record([told(0, "tomorrow")])
    assert day_of(await watcher.fetchval("select id from decision_blocks")) == today + 1
    await watcher.execute("select setval('decision_block_days', $1)", today)


async def drawn(ledger: PostgresLedger) -> int:
    async with ledger.transaction() as tx:
        return await draw(tx._connection, ledger._days)

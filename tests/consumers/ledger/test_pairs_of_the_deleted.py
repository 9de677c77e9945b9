"""Pairs without a living record: how both ledgers find them, and whom they leave alone."""

import asyncpg
import msgspec
import pytest

from consumers.ledger.port import Ledger, Pair
from consumers.ledger.postgres.ledger import PostgresLedger
from tests.consumers.ledger.test_ledger_contract import NOW, add, changed, pair, stored


def gone(number: int, **changes: object) -> Pair:
    """A pair whose only record was deleted."""
    one = pair(number)
    one.state = changed(one.state, salesforce=msgspec.structs.replace(one.state.salesforce, deleted=True), **changes)
    return one


async def test_they_are_found_page_by_page_with_the_time_of_their_last_change(ledger: Ledger) -> None:
    one, _, three, four = await add(ledger, gone(1), pair(2), gone(3), gone(4))
    assert await ledger.gone(0, 2) == {one: NOW, three: NOW}
    assert await ledger.gone(three, 2) == {four: NOW}
    assert await ledger.gone(four, 2) == {}


async def test_a_change_is_a_sign_of_life(ledger: Ledger) -> None:
    (one,) = await add(ledger, gone(1))
    async with ledger.transaction() as tx:
        found = (await tx.by_id([one]))[one]
        found.state = changed(found.state, lane=2)
        await tx.save([found], NOW + 5)
    assert await ledger.gone(0, 9) == {one: NOW + 5}
    async with ledger.transaction() as tx:
        assert await tx.idle([one], NOW + 5) == []
        assert [idle.id for idle in await tx.idle([one], NOW + 6)] == [one]


async def test_idle_are_those_without_a_record_that_nobody_holds_up(ledger: Ledger) -> None:
    numbers = await add(ledger, gone(1), pair(2), gone(3, hold="somebody must look"), gone(4))
    async with ledger.transaction() as tx:
        assert [idle.id for idle in await tx.idle([*numbers, 999_999], NOW + 1)] == [numbers[0], numbers[3]]
        await tx.remove([numbers[0]])
    assert set(await stored(ledger, *numbers)) == set(numbers[1:])


@pytest.mark.integration
async def test_who_is_in_somebodys_hands_is_passed_over_not_waited_for(postgres_ledger: PostgresLedger, emptied: str) -> None:
    one, two = await add(postgres_ledger, gone(1), gone(2))
    async with postgres_ledger.transaction() as theirs:
        await theirs.by_id([one])
        async with postgres_ledger.transaction() as ours:
            assert [idle.id for idle in await ours.idle([one, two], NOW + 1)] == [two]


@pytest.mark.integration
async def test_an_unreadable_state_is_left_where_it_is(postgres_ledger: PostgresLedger, emptied: str) -> None:
    one, two = await add(postgres_ledger, gone(1), gone(2))
    connection = await asyncpg.connect(emptied)
    await connection.execute("update pairs set state = 'x' where id = $1", one)
    await connection.close()
    async with postgres_ledger.transaction() as tx:
        assert [idle.id for idle in await tx.idle([one, two], NOW + 1)] == [two]

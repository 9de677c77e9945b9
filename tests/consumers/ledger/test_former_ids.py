"""Ids that were somebody's once find the pair that they are part of since: on both ledgers."""

import pytest

from consumers.ledger.port import Ledger, Named
from streams.wire.systems import CONTACT, LEAD, PERSON, System
from tests.consumers.ledger.test_ledger_contract import Changed, add, pair

LOST: Named = (System.SALESFORCE, LEAD, "00Q000000000099EAA")
PERSON_LOST: Named = (System.MARKETO, PERSON, "1099")


async def remember(ledger: Ledger, ids: dict[Named, int], instead: dict[int, int] | None = None) -> None:
    async with ledger.transaction() as tx:
        await tx.remember(ids, instead or {})


async def found(ledger: Ledger, *wanted: Named) -> dict[Named, int]:
    async with ledger.transaction() as tx:
        return {each: one.id for each, one in (await tx.former(wanted)).items()}


async def test_a_record_that_was_somebodys_finds_its_pair(ledger: Ledger) -> None:
    one, two = await add(ledger, pair(1), pair(2))
    await remember(ledger, {LOST: one, PERSON_LOST: two})
    assert await found(ledger, LOST, PERSON_LOST) == {LOST: one, PERSON_LOST: two}


async def test_nobody_is_found_who_was_never_anybody_or_was_of_another_object_or_system(ledger: Ledger) -> None:
    (one,) = await add(ledger, pair(1))
    await remember(ledger, {LOST: one})
    others: list[Named] = [(LOST[0], CONTACT, LOST[2]), (System.MARKETO, PERSON, LOST[2]), (*LOST[:2], "00Q000000000098EAA")]
    assert await found(ledger, *others) == {}
    assert await found(ledger) == {}


async def test_what_was_part_of_a_pair_is_part_of_the_one_that_it_was_joined_into(ledger: Ledger) -> None:
    one, two = await add(ledger, pair(1), pair(2))
    await remember(ledger, {LOST: one})
    await remember(ledger, {PERSON_LOST: two}, {one: two})
    assert await found(ledger, LOST, PERSON_LOST) == {LOST: two, PERSON_LOST: two}


async def test_told_twice_the_last_word_counts(ledger: Ledger) -> None:
    one, two = await add(ledger, pair(1), pair(2))
    await remember(ledger, {LOST: one})
    await remember(ledger, {LOST: two})
    assert await found(ledger, LOST) == {LOST: two}


async def test_nobody_is_part_of_a_pair_that_is_gone(ledger: Ledger) -> None:
    one, two = await add(ledger, pair(1), pair(2))
    await remember(ledger, {LOST: one, PERSON_LOST: two})
    async with ledger.transaction() as tx:
        await tx.remove([one], for_good=True)
        await tx.remove([two])
    assert await found(ledger, LOST, PERSON_LOST) == {}


async def test_what_is_part_of_a_removed_pair_can_still_be_passed_on(ledger: Ledger) -> None:
    one, two = await add(ledger, pair(1), pair(2))
    await remember(ledger, {LOST: one})
    async with ledger.transaction() as tx:
        await tx.remove([one])
        await tx.remember({}, {one: two})
    assert await found(ledger, LOST) == {LOST: two}


async def test_a_pair_found_twice_is_the_same_and_may_be_changed(ledger: Ledger) -> None:
    (one,) = await add(ledger, pair(1))
    await remember(ledger, {LOST: one, PERSON_LOST: one})
    async with ledger.transaction() as tx:
        told = await tx.former([LOST, PERSON_LOST])
        assert told[LOST] is told[PERSON_LOST] is (await tx.by_id([one]))[one]


async def test_nothing_is_remembered_of_what_was_rolled_back(ledger: Ledger) -> None:
    (one,) = await add(ledger, pair(1))

    async def undone() -> None:
        async with ledger.transaction() as tx:
            await tx.remember({LOST: one}, {})
            raise Changed

    with pytest.raises(Changed):
        await undone()
    assert await found(ledger, LOST) == {}

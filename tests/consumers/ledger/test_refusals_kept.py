"""What is refused stands beside the pairs, row by row, as their states have it."""

from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from consumers.ledger.port import Pair
from consumers.ledger.postgres.ledger import PostgresLedger
from consumers.merge.pair.state import NEVER, Field, PairState, Record, Side
from consumers.merge.writing.refused import RECORD, refusals
from streams.wire.systems import System

NOW = 1_700_000_000_000
SF, MK = System.SALESFORCE, System.MARKETO


def title(*, refused: int = NEVER, shows: int = 1, version: int = 2, reason: str = "too long") -> Field:
    salesforce = Side(seen="a", shows=shows, refused=refused, reason=reason)
    return Field(value="b", version=version, salesforce=salesforce, marketo=Side(seen="b", shows=version))


def person(*, marketo: Record | None = None, **fields: Field) -> PairState:
    return PairState(salesforce=Record(id="00QA0000001tXYZMA2"), marketo=marketo or Record(id="7"), fields=fields)


@dataclass(frozen=True)
class Case:
    state: PairState
    refused: dict[tuple[System, str], str]


CASES = {
    "a field that was refused": Case(person(title=title(refused=2)), {(SF, "title"): "too long"}),
    "corrected since: it is owed": Case(person(title=title(refused=1)), {}),
    "the system shows it all the same": Case(person(title=title(refused=2, shows=2)), {}),
    "never refused": Case(person(title=title()), {}),
    "a value that can't be taken from the other side": Case(
        person(
            title=Field(value="a", version=1, salesforce=Side(seen="a", shows=1), marketo=Side(seen="a", shows=1, unusable="30 digits"))
        ),
        {(SF, "title"): "marketo has a value that can't be taken: 30 digits"},
    ),
    "a record that may not be made": Case(person(marketo=Record(refused="1007 many")), {(MK, RECORD): "1007 many"}),
    "made in spite of it": Case(person(marketo=Record(id="7", refused="1007 many")), {}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_counts_as_refused(case: Case) -> None:
    assert refusals(case.state) == case.refused


async def rows(dsn: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(dsn)
    try:
        return [tuple(row) for row in await connection.fetch("select pair, system, field, reason, since_ms from refusals order by 1, 2, 3")]
    finally:
        await connection.close()


async def become(ledger: PostgresLedger, number: int, state: PairState, now: int) -> None:
    async with ledger.transaction() as tx:
        pair = (await tx.by_id([number]))[number]
        pair.state = state
        await tx.save([pair], now)


@pytest.mark.integration
async def test_rows_follow_the_state_of_a_pair(postgres_ledger: PostgresLedger, emptied: str) -> None:
    pair = Pair(id=0, state=person(title=title(refused=2), city=title(refused=2, reason="no \x00 city")), loaded=None)
    async with postgres_ledger.transaction() as tx:
        await tx.save([pair], NOW)
    assert await rows(emptied) == [
        (pair.id, "salesforce", "city", "no \ufffd city", NOW),
        (pair.id, "salesforce", "title", "too long", NOW),
    ]
    await become(postgres_ledger, pair.id, person(title=title(refused=2), city=title(refused=3, version=3, reason="no")), NOW + 1)
    assert await rows(emptied) == [(pair.id, "salesforce", "city", "no", NOW + 1), (pair.id, "salesforce", "title", "too long", NOW)]
    await become(postgres_ledger, pair.id, person(title=title(refused=2, shows=2)), NOW + 2)
    assert await rows(emptied) == []


@pytest.mark.integration
async def test_a_pair_that_is_forgotten_leaves_no_row(postgres_ledger: PostgresLedger, emptied: str) -> None:
    pair = Pair(id=0, state=person(title=title(refused=2)), loaded=None)
    async with postgres_ledger.transaction() as tx:
        await tx.save([pair], NOW)
    async with postgres_ledger.transaction() as tx:
        await tx.remove([pair.id])
    assert await rows(emptied) == []

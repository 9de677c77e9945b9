"""One ledger for each kind of it, empty: the contract is the same."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from consumers.ledger.memory import MemoryLedger
from consumers.ledger.port import Ledger
from consumers.ledger.postgres.ledger import PostgresLedger, open_ledger

EMPTY = "truncate pairs, former, relations, due, refusals, partition_offsets, decisions, decision_blocks, dead_letters restart identity"


async def empty(dsn: str) -> None:
    """Quicker than a new database for each test."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(EMPTY)
    finally:
        await connection.close()


@pytest.fixture
async def emptied(postgres_module: str) -> str:
    """The DSN of the file's database, without a row in it."""
    await empty(postgres_module)
    return postgres_module


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.integration)])
async def ledger(request: pytest.FixtureRequest) -> AsyncIterator[Ledger]:
    """Each contract test runs on both."""
    if request.param == "memory":
        yield MemoryLedger()
        return
    dsn = request.getfixturevalue("postgres_module")
    await empty(dsn)
    opened = await open_ledger(dsn)
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
async def postgres_ledger(emptied: str) -> AsyncIterator[PostgresLedger]:
    """The one on PostgreSQL, for what only it can show."""
    opened = await open_ledger(emptied)
    try:
        yield opened
    finally:
        await opened.close()

"""Salesforce is read before it is written to unless its feed is proven fresh and calls are short; each doubt alone is enough to read."""

from typing import Any

import asyncpg
import pytest

from consumers.configuration.groups.pace import Reads
from consumers.settle.conditions.reading_first import Ahead, SalesforceFeed, reading_first
from streams.budget.port import Lane
from streams.wire.errors import Retry
from streams.wire.systems import CONTACT, LEAD, System

SF, MK = System.SALESFORCE, System.MARKETO
# ruff: noqa: S608 - the statements are made up here
NOW = "(extract(epoch from clock_timestamp()) * 1000)::bigint"


class Calls:
    def __init__(self, *, easy: bool) -> None:
        self.plenty = easy

    def easy(self, now: float) -> bool:
        return self.plenty


@pytest.mark.parametrize(
    ("system", "reads", "easy", "flood", "proven", "ahead"),
    [
        (SF, Reads.AUTO, True, False, True, Ahead.ALL),
        (SF, Reads.AUTO, True, False, False, Ahead.ALL),
        (SF, Reads.AUTO, False, False, True, Ahead.NOTHING),
        (SF, Reads.AUTO, False, False, False, Ahead.ALL),
        (SF, Reads.AUTO, True, True, True, Ahead.NOTHING),
        (SF, Reads.AUTO, True, True, False, Ahead.ALL),
        (SF, Reads.ALWAYS, False, True, True, Ahead.ALL),
        (SF, Reads.NEVER, True, False, False, Ahead.NOTHING),
        (MK, Reads.AUTO, True, False, False, Ahead.LIVE),
        (MK, Reads.AUTO, False, False, False, Ahead.NOTHING),
        (MK, Reads.AUTO, True, True, False, Ahead.NOTHING),
        (MK, Reads.ALWAYS, False, True, False, Ahead.ALL),
        (MK, Reads.NEVER, True, False, False, Ahead.NOTHING),
    ],
)
async def test_what_is_read_first(system: System, reads: Reads, ahead: Ahead, *, easy: bool, flood: bool, proven: bool) -> None:
    async def fresh() -> bool:
        return proven

    assert await reading_first(reads, system, Calls(easy=easy), fresh)(flood) is ahead


def test_lanes() -> None:
    assert [[ahead.covers(lane) for lane in (Lane.LIVE, Lane.REPAIR, Lane.COPY)] for ahead in Ahead] == [
        [False, False, False],
        [True, False, False],
        [True, True, True],
    ]


SOURCES = "unnest(array['salesforce.cdc', 'salesforce.poll.lead', 'salesforce.poll.contact']) as source"
CARRIED = "insert into source_positions (source, epoch, taken_ms, taken_by, saved_ms, caught_ms)"
GOOD = [
    f"{CARRIED} select source, 1, 0, 'me', {NOW}, {NOW} from {SOURCES}",
    f"insert into gaps (source, reason, opened_ms, closed_ms) values ('salesforce.cdc', 'old', 1, {NOW} - 120000)",
    f"insert into gaps (source, reason, opened_ms) values ('marketo.activities', 'of the other system', {NOW})",
]


@pytest.mark.integration
@pytest.mark.parametrize(
    "doubt",
    [
        "delete from source_positions where source = 'salesforce.cdc'",
        f"update source_positions set caught_ms = {NOW} - 20000 where source = 'salesforce.cdc'",
        "update source_positions set caught_ms = null where source = 'salesforce.cdc'",
        "delete from source_positions where source = 'salesforce.poll.lead'",
        f"update source_positions set saved_ms = {NOW} - 310000 where source = 'salesforce.poll.contact'",
        f"insert into gaps (source, reason, opened_ms) values ('salesforce.cdc', 'expired', {NOW})",
        f"insert into gaps (source, object, reason, opened_ms) values ('crm.salesforce.lead.v1', 'lead', 'offsets are gone', {NOW})",
        f"insert into gaps (source, reason, opened_ms, closed_ms) values ('salesforce.cdc', 'just closed', 1, {NOW} - 1000)",
        """insert into findings (name, value, at) values ('allowance.salesforce.events', '{"saving": true}', 1)""",
    ],
)
async def test_one_doubt_is_enough(doubt: str, postgres: str) -> None:
    async with asyncpg.create_pool(postgres, min_size=1, max_size=1) as pool:
        assert not await SalesforceFeed(pool, 300.0, (LEAD, CONTACT)).proven(), "an empty database proves nothing"
        for statement in GOOD:
            await pool.execute(statement)
        assert await SalesforceFeed(pool, 300.0, (LEAD, CONTACT)).proven()
        await pool.execute(doubt)
        assert not await SalesforceFeed(pool, 300.0, (LEAD, CONTACT)).proven()


async def test_a_database_that_is_away_is_waited_for() -> None:
    class Away:
        async def fetchval(self, *_: Any) -> Any:
            raise ConnectionRefusedError("nobody listens")

    with pytest.raises(Retry, match="how fresh"):
        await SalesforceFeed(Away(), 300.0, (LEAD, CONTACT)).proven()

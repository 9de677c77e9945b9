"""A source whose position was not saved for several of its intervals is a trouble."""

from typing import Any

import asyncpg
import pytest

from consumers.troubles.ledger import Expected, ledger_troubles
from consumers.troubles.sources import late, limits_ms
from consumers.troubles.trouble import unready
from streams.budget.reckoning.limits import MARKETO, SALESFORCE
from streams.relay.positions import PostgresPositions
from streams.wire.systems import CONTACT, LEAD, System

NOW = 1_900_000_000_000
POLL, ACTIVITIES = 300.0, 15.0


def row(source: str, silent_seconds: float) -> dict[str, Any]:
    return {"source": source, "saved_ms": NOW - round(silent_seconds * 1000), "taken_by": "host:7"}


@pytest.mark.parametrize(
    ("source", "on_time", "too_late"),
    [
        ("salesforce.cdc", 60, 91),
        ("marketo.activities", 60, 91),
        ("salesforce.poll.lead", 900, 950),
        ("salesforce.poll.contact", 900, 950),
        ("marketo.poll", 2_700, 2_750),
        ("somebody's own", 1e9, None),
    ],
)
def test_each_source_has_its_time(source: str, on_time: float, too_late: float | None) -> None:
    limits = limits_ms(POLL, ACTIVITIES, (LEAD, CONTACT))
    assert late([row(source, on_time)], now_ms=NOW, limits_ms=limits) == []
    if too_late is not None:
        (trouble,) = late([row(source, too_late)], now_ms=NOW, limits_ms=limits)
        assert (trouble.where, trouble.since_ms) == (f"source.{source}", NOW - too_late * 1000)
        assert "host:7" in trouble.what


@pytest.mark.integration
async def test_every_worker_and_status_see_it_in_the_ledger(postgres: str) -> None:
    async with asyncpg.create_pool(postgres, min_size=1, max_size=1) as pool:
        positions = PostgresPositions(pool, owner="host:7", now_ms=lambda: NOW)
        standing = await positions.take("salesforce.cdc")

        async def unready_at(now_ms: int) -> dict[str, str]:
            limits = {System.SALESFORCE: SALESFORCE, System.MARKETO: MARKETO}
            async with pool.acquire() as connection:
                return unready(await ledger_troubles(connection, Expected(now_ms=now_ms, limits=limits)))

        assert await unready_at(NOW + 60_000) == {}
        assert list(await unready_at(NOW + 120_000)) == ["source.salesforce.cdc"], "taken over, and nothing since"
        alive = PostgresPositions(pool, owner="host:7", now_ms=lambda: NOW + 110_000)
        await alive.save(standing, "17", None)
        assert await unready_at(NOW + 120_000) == {}

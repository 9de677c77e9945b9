"""What others on the account use, and Salesforce's events: asked of the systems, and seen by everybody."""

from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import asyncpg
import pytest

from consumers.configuration.systems import limits_of
from consumers.ledger.allowances import events_of, told_events
from consumers.ledger.spent import spent
from consumers.troubles.events import events_scarce
from consumers.troubles.ledger import Expected
from consumers.worker.assembly.allowances import ask
from consumers.worker.tools.opening import Tools
from streams.budget.port import Lane
from streams.budget.reckoning import day
from streams.budget.reckoning.limits import MARKETO
from streams.budget.shared.postgres import PostgresBudget
from streams.ground.clock import now_ms
from streams.marketo.api.wire import Usage
from streams.wire.errors import Reject, SyncError
from streams.wire.systems import System
from tests.consumers.configuration.test_default_mapping import SETTINGS

pytestmark = pytest.mark.integration


@dataclass
class Told:
    """Both systems, as far as they tell what a day allows."""

    usage_now: Usage
    limits_now: dict[str, Any] = field(default_factory=dict)
    trouble: SyncError | None = None
    lanes: set[Lane] = field(default_factory=set)

    async def usage(self, lane: Lane) -> Usage:
        self.lanes.add(lane)
        if self.trouble:
            raise self.trouble
        return self.usage_now

    async def limits(self, lane: Lane) -> dict[str, Any]:
        self.lanes.add(lane)
        return self.limits_now


@pytest.fixture
async def pool(postgres: str) -> AsyncIterator[Any]:
    async with asyncpg.create_pool(postgres, min_size=1, max_size=2) as made:
        yield made


async def test_others_and_events_are_counted(postgres: str, pool: Any) -> None:
    limits = limits_of(SETTINGS)
    today = day.today(MARKETO, now_ms()).isoformat()
    told = Told(Usage(date=today, total=9_000, users={"us": 2_000}), {"DailyDeliveredPlatformEvents": {"Max": 50_000, "Remaining": 0}})
    budget = PostgresBudget(postgres, System.MARKETO, limits[System.MARKETO])
    tools = cast(
        Tools,
        SimpleNamespace(
            marketo=told,
            salesforce=told,
            budgets={System.MARKETO: budget},
            pool=pool,
            settings=SETTINGS,
            terms=SimpleNamespace(identity=SimpleNamespace(marketo_user="us")),
        ),
    )
    try:
        await ask(tools)
        async with budget.call(Lane.LIVE):
            pass
        async with pool.acquire() as connection:
            (calls,) = await spent(connection, now_ms(), limits)
            assert (calls.used, calls.others, calls.reserved) == (7_001, 7_000, 0)
            assert calls.forecast.left == 42_999
            events = await events_of(connection, now_ms())
            assert events is not None
            assert (events.used, events.most) == (50_000, 50_000)
            (trouble,) = await events_scarce(connection, Expected(now_ms=now_ms(), limits=limits))
            assert "by the polls alone" in trouble.what
            assert await events_of(connection, now_ms() + 7_200_000) is None, "told too long ago"
        told.trouble, told.limits_now = (
            Reject("no right to see it", code="603"),
            {"DailyDeliveredPlatformEvents": {"Max": 60_000, "Remaining": 9}},
        )
        await ask(tools)
        async with pool.acquire() as connection:
            events = await events_of(connection, now_ms())
            shown = await told_events(connection, now_ms())
        assert events is not None
        assert shown is not None
        told_of = {"most": 60_000, "used": 59_991, "left": 9, "rate": events.rate, "used_up_ms": events.used_up_ms, "saving": False}
        assert asdict(shown) == told_of
        assert (events.left, events.most) == (9, 60_000), "one that doesn't tell is in nobody's way"
        assert told.lanes == {Lane.RECONCILE}
    finally:
        await budget.close()


async def test_the_share_of_others_is_kept_and_shown(postgres: str, pool: Any) -> None:
    limits = limits_of(SETTINGS)
    budget = PostgresBudget(postgres, System.MARKETO, limits[System.MARKETO])
    try:
        async with budget.call(Lane.LIVE):
            pass
        async with pool.acquire() as connection:
            (calls,) = await spent(connection, now_ms(), limits)
        assert (calls.limit, calls.reserved, calls.forecast.left) == (50_000, 5_000, 44_999)
    finally:
        await budget.close()

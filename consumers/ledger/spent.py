"""The calls of each system's day, as all workers together have counted them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from streams.budget.port import Lane
from streams.budget.reckoning import day
from streams.budget.reckoning.forecast import Forecast, forecast
from streams.budget.reckoning.limits import Limits
from streams.budget.reckoning.state import BudgetState
from streams.wire.systems import System

_BUDGETS = "select system, state from budgets order by system"
_SPENT = """
select system, lane, purpose, calls from budget_spent where day = (now() at time zone 'utc')::date order by system, lane, purpose
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """The calls of a system's day. `limit`: as the system tells it, else as configured. `by_purpose` is the UTC day's."""

    system: str
    used: int
    limit: int
    others: int = 0
    """Of `used`, by others on the account, as far as the system has told."""
    reserved: int = 0
    """Of the rest, left to others."""
    blocked_ms: int
    by_purpose: Mapping[str, int] = field(default_factory=dict)
    forecast: Forecast = field(default_factory=Forecast)


async def spent(connection: Any, now_ms: int, limits: Mapping[System, Limits]) -> tuple[Spent, ...]:
    """By system. `limits`: what the configuration says of each."""
    purposes: dict[str, dict[str, int]] = {str(system): {} for system in System}
    for row in await connection.fetch(_SPENT):
        lane, purpose = Lane(row["lane"]).name.lower(), row["purpose"]
        purposes.setdefault(row["system"], {})[purpose if purpose == lane else f"{lane} {purpose}"] = row["calls"]
    states = {row["system"]: row["state"] for row in await connection.fetch(_BUDGETS)}
    return tuple(
        _spent_by(system, states.get(system), by, now_ms, limits[System(system)])
        for system, by in purposes.items()
        if by or system in states
    )


def _spent_by(system: str, stored: str | None, by_purpose: Mapping[str, int], now_ms: int, limits: Limits) -> Spent:
    state = msgspec.json.decode(stored, type=BudgetState) if stored else BudgetState()
    over = 0 < state.day_ends <= now_ms
    used = 0 if over else state.day_used
    blocked = max(0, state.blocked_until - now_ms)
    state = msgspec.structs.replace(state, day_used=used, day_others=0 if over else state.day_others)
    return Spent(
        system=system,
        used=used,
        limit=day.whole(state, limits) or 0,
        others=state.day_others,
        reserved=day.reserved(state, limits),
        blocked_ms=blocked,
        by_purpose=by_purpose,
        forecast=forecast(state, limits, now_ms),
    )

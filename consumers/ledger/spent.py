"""The calls of each system's day, as all workers together have counted them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from streams.budget.forecast import Forecast, forecast
from streams.budget.limits import MARKETO, SALESFORCE, Limits
from streams.budget.port import Lane
from streams.budget.state import BudgetState
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
    blocked_ms: int
    by_purpose: Mapping[str, int] = field(default_factory=dict)
    forecast: Forecast = field(default_factory=Forecast)


def limits_of(system: System, day_calls: int, gather_seconds: float) -> Limits:
    """What a forecast needs to know of a system's limits."""
    known = SALESFORCE if system is System.SALESFORCE else MARKETO
    return replace(known, day_calls=day_calls, gather_ms_max=round(gather_seconds * 1000))


async def spent(connection: Any, now_ms: int, day_calls: Mapping[System, int], gather_seconds: float = 0.0) -> tuple[Spent, ...]:
    """By system. `day_calls`, `gather_seconds`: what the configuration says that a day allows, and for how long edits may be gathered;
    who asks for no forecast may leave that out."""
    purposes: dict[str, dict[str, int]] = {str(system): {} for system in System}
    for row in await connection.fetch(_SPENT):
        purposes.setdefault(row["system"], {})[f"{Lane(row['lane']).name.lower()} {row['purpose']}"] = row["calls"]
    states = {row["system"]: row["state"] for row in await connection.fetch(_BUDGETS)}
    return tuple(
        _spent_by(system, states.get(system), by, now_ms, limits_of(System(system), day_calls[System(system)], gather_seconds))
        for system, by in purposes.items()
        if by or system in states
    )


def _spent_by(system: str, stored: str | None, by_purpose: Mapping[str, int], now_ms: int, limits: Limits) -> Spent:
    state = msgspec.json.decode(stored, type=BudgetState) if stored else BudgetState()
    over = 0 < state.day_ends <= now_ms
    used = 0 if over else state.day_used
    blocked = max(0, state.blocked_until - now_ms)
    limit, told = state.day_limit or limits.day_calls or 0, forecast(state, limits, now_ms)
    return Spent(system=system, used=used, limit=limit, blocked_ms=blocked, by_purpose=by_purpose, forecast=told)

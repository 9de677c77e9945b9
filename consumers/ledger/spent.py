"""The calls of each system's day, as all workers together have counted them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

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


async def spent(connection: Any, now_ms: int, day_calls: Mapping[System, int]) -> tuple[Spent, ...]:
    """By system. `day_calls`: what the configuration says that a day allows."""
    purposes: dict[str, dict[str, int]] = {str(system): {} for system in System}
    for row in await connection.fetch(_SPENT):
        purposes.setdefault(row["system"], {})[f"{Lane(row['lane']).name.lower()} {row['purpose']}"] = row["calls"]
    states = {row["system"]: row["state"] for row in await connection.fetch(_BUDGETS)}
    return tuple(_spent_by(system, states.get(system), by, now_ms, day_calls) for system, by in purposes.items() if by or system in states)


def _spent_by(system: str, stored: str | None, by_purpose: Mapping[str, int], now_ms: int, day_calls: Mapping[System, int]) -> Spent:
    state = msgspec.json.decode(stored, type=BudgetState) if stored else BudgetState()
    over = 0 < state.day_ends <= now_ms
    used = 0 if over else state.day_used
    blocked = max(0, state.blocked_until - now_ms)
    return Spent(system=system, used=used, limit=state.day_limit or day_calls[System(system)], blocked_ms=blocked, by_purpose=by_purpose)

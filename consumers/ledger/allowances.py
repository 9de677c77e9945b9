"""What the systems told last of allowances that are not of calls."""

from typing import Any

import msgspec

from streams.budget.allowance import Allowance

_READ = "select value from findings where name = $1"
_SAVE = """
insert into findings (name, value, at) values ($1, $2, $3) on conflict (name) do update set value = excluded.value, at = excluded.at
"""
_EVENTS = "allowance.salesforce.events"
_OLD_MS = 3_600_000
"""Nobody has asked for so long: nothing is known any more."""


async def events_of(connection: Any, now_ms: int) -> Allowance | None:
    """Salesforce's delivered events of any 24 hours; None where nothing is known of them."""
    stored = await connection.fetchval(_READ, _EVENTS)
    known = msgspec.json.decode(stored, type=Allowance) if stored else None
    return known if known is not None and known.at_ms > now_ms - _OLD_MS else None


async def save_events(connection: Any, told: Allowance) -> None:
    """Keep it."""
    await connection.execute(_SAVE, _EVENTS, msgspec.json.encode(told).decode(), told.at_ms)

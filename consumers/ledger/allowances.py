"""What the systems told last of allowances that are not of calls."""

from dataclasses import dataclass
from typing import Any

import msgspec

from streams.budget.reckoning.allowance import Allowance

_READ = "select value from findings where name = $1"
_SAVE = """
insert into findings (name, value, at) values ($1, $2, $3) on conflict (name) do update set value = excluded.value, at = excluded.at
"""
SAVING = "select coalesce((value::jsonb ->> 'saving')::boolean, false) from findings where name = $1"
EVENTS = "allowance.salesforce.events"
_OLD_MS = 3_600_000
"""Nobody has asked for so long: nothing is known any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Change events that Salesforce delivers in 24 hours, to everybody.

    `rate`: so many more each second; `used_up_ms`: when none is left at this rate (None: they last); `saving`: the channel without our own
    writes is followed.
    """

    most: int
    used: int
    left: int
    rate: float
    used_up_ms: int | None
    saving: bool


async def told_events(connection: Any, now_ms: int) -> Events | None:
    """As people and programs are told."""
    known = await events_of(connection, now_ms)
    if known is None:
        return None
    return Events(most=known.most, used=known.used, left=known.left, rate=known.rate, used_up_ms=known.used_up_ms, saving=known.saving)


async def events_of(connection: Any, now_ms: int) -> Allowance | None:
    """Salesforce's delivered events of any 24 hours; None where nothing is known of them."""
    stored = await connection.fetchval(_READ, EVENTS)
    known = msgspec.json.decode(stored, type=Allowance) if stored else None
    return known if known is not None and known.at_ms > now_ms - _OLD_MS else None


async def saves_events(connection: Any) -> bool:
    """Whether they run short, and are saved; told by whoever looked last, however long ago."""
    return bool(await connection.fetchval(SAVING, EVENTS))


async def save_events(connection: Any, told: Allowance) -> None:
    """Keep it."""
    await connection.execute(_SAVE, EVENTS, msgspec.json.encode(told).decode(), told.at_ms)

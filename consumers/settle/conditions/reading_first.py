"""Whether records are read before they are written to: a courtesy where the feed tells all, a safety where it may have lost something.

Marketo's feed tells what stood there before a change, so an edit that we overwrote unawares is found there by our own write. Salesforce's
doesn't: an edit whose event is lost and that we overwrite is gone, and no poll finds it any more. So Salesforce is read first, unless
its feed is proven fresh *and* calls are short.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Any, Protocol

from consumers.configuration.groups.pace import Reads
from consumers.ledger.allowances import EVENTS
from streams.budget.port import Lane
from streams.ground.database import away_is_retry
from streams.salesforce.sources.cdc import CdcSource
from streams.salesforce.sources.poll import name_of
from streams.wire.systems import Object, System

PROVEN = """
with clock as (select (extract(epoch from clock_timestamp()) * 1000)::bigint as now_ms)
select exists (select 1 from source_positions where source = $1 and caught_ms > now_ms - $4)
   and not exists (select 1 from gaps where $2 = any(string_to_array(source, '.')) and (closed_ms is null or closed_ms > now_ms - $5))
   and (select count(*) from source_positions where source = any($3) and saved_ms > now_ms - $6) = cardinality($3)
   and not exists (select 1 from findings where name = $7 and (value::jsonb ->> 'saving')::boolean)
from clock
"""
"""Connected and caught up; no gap is open, or was closed just now; no poll is due that has not run; our own writes come
back, too: while Salesforce's events are saved they don't."""
_HEARD_MS, _CLOSED_MS, _DUE_MS = 15_000, 60_000, 5_000
_FRESH_SECONDS = 1.0


class Ahead(Enum):
    """Which records are read before they are written to, by the lane of their pair."""

    NOTHING = "nothing"
    LIVE = "live"
    ALL = "all"

    def covers(self, lane: Lane) -> bool:
        """Whether records of this lane are."""
        return self is Ahead.ALL or (self is Ahead.LIVE and lane is Lane.LIVE)


Choice = Callable[[bool], Awaitable[Ahead]]
"""What to read first in the call that is made now. Asked with whether full calls follow each other. Raises `Retry`."""


class Easy(Protocol):
    """Who knows whether calls are plenty."""

    def easy(self, now: float) -> bool:
        """Whether they are at the moment (monotonic)."""
        ...


class SalesforceFeed:
    """What the database says of Salesforce's stream and polls, whoever carries them; asked once a second at most."""

    def __init__(self, pool: Any, poll_seconds: float, objects: Sequence[Object]) -> None:
        """`pool`: an asyncpg pool. `objects`: those that are polled."""
        self._polls = [name_of(obj) for obj in objects]
        self._pool, self._due_ms = pool, round(poll_seconds * 1000) + _DUE_MS
        self._proven, self._until = False, 0.0

    async def proven(self) -> bool:
        """Whether it is certain that the stream has told of all but the last seconds. Raises `Retry`."""
        if time.monotonic() >= self._until:
            with away_is_retry("read how fresh Salesforce's feed is"):
                self._proven = await self._pool.fetchval(
                    PROVEN, CdcSource.name, System.SALESFORCE.value, self._polls, _HEARD_MS, _CLOSED_MS, self._due_ms, EVENTS
                )
            self._until = time.monotonic() + _FRESH_SECONDS
        return self._proven


def reading_first(reads: Reads, system: System, pace: Easy, proven: Callable[[], Awaitable[bool]]) -> Choice:
    """As configured; by itself as this module says, and in Marketo only for what a person has just typed, while calls are plenty."""

    async def salesforce(flood: bool) -> Ahead:
        short = flood or not pace.easy(time.monotonic())
        return Ahead.NOTHING if short and await proven() else Ahead.ALL

    async def marketo(flood: bool) -> Ahead:
        return Ahead.LIVE if pace.easy(time.monotonic()) and not flood else Ahead.NOTHING

    async def fixed(flood: bool) -> Ahead:
        del flood
        return Ahead.ALL if reads is Reads.ALWAYS else Ahead.NOTHING

    if reads is not Reads.AUTO:
        return fixed
    return salesforce if system is System.SALESFORCE else marketo

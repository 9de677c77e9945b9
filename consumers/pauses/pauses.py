"""What is paused, as values; and as a process knows it, read from the database once a second at most.

What is owed meanwhile is not lost and not judged otherwise: it is parked, and is due again when the pause ends.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from streams.ground.database import away_is_retry
from streams.ground.pause import pause
from streams.wire.errors import Retry
from streams.wire.systems import Object, System

ALL = "select id, system, object, pair, who, why, since_ms from pauses order by id"
_FRESH_SECONDS = 1.0
_NAMES = {System.SALESFORCE: "Salesforce", System.MARKETO: "Marketo"}
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Nothing is written to `system` (of `object` records, of one `pair`: empty and 0 stand for all) since `since_ms` (ms)."""

    number: int
    system: System
    object: Object
    pair: int
    who: str
    why: str
    since_ms: int

    @property
    def whole(self) -> bool:
        """Whether nothing at all is written there."""
        return not self.object and not self.pair

    def keeps(self, system: System, obj: Object, pair: int) -> bool:
        """Whether it keeps a record from being written there."""
        return self.system is system and self.object in ("", obj) and self.pair in (0, pair)

    def __str__(self) -> str:
        what = f"of pair:{self.pair} " if self.pair else f"of {self.object} records " if self.object else ""
        return f"writing {what}to {_NAMES[self.system]} is paused (by {self.who}: {self.why})"


class Pauses:
    """What is paused. Raises `Retry` while the database is away; then what was known stands."""

    def __init__(self, pool: Any, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._pool, self._monotonic = pool, monotonic
        self._until = 0.0
        self.now: tuple[Pause, ...] = ()
        """As last read."""

    async def all(self) -> tuple[Pause, ...]:
        """As they are, or were a moment ago."""
        if self._monotonic() >= self._until:
            with away_is_retry("read what is paused"):
                self.now = pauses_in(await self._pool.fetch(ALL))
            self._until = self._monotonic() + _FRESH_SECONDS
        return self.now

    def whole(self, system: System) -> bool:
        """Whether nothing is written to a system."""
        return any(each.whole and each.system is system for each in self.now)

    def keeping(self, system: System, obj: Object, pair: int) -> int:
        """The number of the pause that keeps a record from being written; 0: none does."""
        return next((each.number for each in self.now if each.keeps(system, obj, pair)), 0)

    async def follow(self, stop: asyncio.Event) -> None:
        """Keep `now` fresh, until stopped."""
        while not stop.is_set():
            try:
                await self.all()
            except Retry as error:
                _log.warning("what is paused can't be read", error=str(error))
            await pause(_FRESH_SECONDS, stop)


def pauses_in(rows: Sequence[Any]) -> tuple[Pause, ...]:
    """Rows as `ALL` gives them."""
    return tuple(
        Pause(number=row[0], system=System(row[1]), object=Object(row[2]), pair=row[3], who=row[4], why=row[5], since_ms=row[6])
        for row in rows
    )

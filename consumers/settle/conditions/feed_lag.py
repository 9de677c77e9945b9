"""How far behind its feed a system's changes are read: what our own writes need before they come back, beside the usual time."""

import time
from collections.abc import Awaitable, Callable
from typing import Any

from streams.ground.database import away_is_retry
from streams.marketo.sources.activities import LAG_MAX_MS, NAME, behind_ms

Lag = Callable[[], Awaitable[int]]
"""Milliseconds."""

_SAVED = "select position, saved_ms from source_positions where source = $1"
_FRESH_SECONDS = 1.0
_BEHIND_MS, _READ_MS, _IDLE_MS = 30_000, 120_000, 20_000
"""A position is saved at every poll; one older than the longest usual wait between polls is the relay's delay, too."""


class FeedLag:
    """The lag of Marketo's activities, as the relay (of whatever process) saved it last; asked for once a second at most."""

    def __init__(self, pool: Any, now_ms: Callable[[], int], source: str = NAME) -> None:
        """`pool`: an asyncpg pool."""
        self._pool, self._now_ms, self._source = pool, now_ms, source
        self._told, self._until, self._read_ago_ms = 0, 0.0, 0

    async def ms(self) -> int:
        """The age of the oldest change that may not have been read. Raises `Retry`."""
        if time.monotonic() >= self._until:
            with away_is_retry("read how far the feed has been read"):
                row = await self._pool.fetchrow(_SAVED, self._source)
            self._told = self._lag(row) if row is not None and row["position"] else 0
            self._until = time.monotonic() + _FRESH_SECONDS
        return self._told

    async def behind(self) -> bool:
        """Whether it is being read, and far from its end; not where nobody reads it. Raises `Retry`."""
        lag_ms = await self.ms()
        return self._read_ago_ms < _READ_MS and lag_ms > _BEHIND_MS

    def _lag(self, row: Any) -> int:
        self._read_ago_ms = self._now_ms() - row["saved_ms"] if row["saved_ms"] else 0
        return behind_ms(row["position"]) + max(0, self._read_ago_ms - _IDLE_MS)


def too_far(lag_ms: int) -> bool:
    """Whether the feed goes before what fills it."""
    return lag_ms > LAG_MAX_MS

"""The sandbox's clock: real time plus an offset that only grows. Everything that expires reads it."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache


class Clock:
    """`now_ms()` is real time plus the offset. The offset is durable: `kernel.system.System` journals each advance."""

    __slots__ = ("_moved", "_offset_ms", "_real")

    def __init__(self, real: Callable[[], float] = time.time) -> None:
        self._real = real
        self._offset_ms = 0
        self._moved: asyncio.Event | None = None

    @property
    def offset_ms(self) -> int:
        return self._offset_ms

    def now_ms(self) -> int:
        return int(self._real() * 1000) + self._offset_ms

    def restore(self, offset_ms: int) -> None:
        """Sets the offset as journaled."""
        self._offset_ms = offset_ms

    def advance(self, seconds: float) -> int:
        """Moves the clock forward and returns the new offset. ValueError for a negative number: time does not run backwards."""
        if seconds < 0:
            raise ValueError("the clock only moves forward")
        self._offset_ms += int(seconds * 1000)
        if self._moved is not None:
            self._moved.set()
            self._moved = None
        return self._offset_ms

    async def wait_until(self, at_ms: float) -> None:
        """Returns when the clock shows that time: by itself, or because it was moved forward."""
        while (left_ms := at_ms - self.now_ms()) > 0:
            if self._moved is None:
                self._moved = asyncio.Event()
            try:
                async with asyncio.timeout(left_ms / 1000):
                    await self._moved.wait()
            except TimeoutError:
                continue  # its time has come by itself


def iso_ms(at_ms: int) -> str:
    """ISO-8601 in UTC with milliseconds, as the history writes it."""
    return f"{_second(at_ms // 1000)}.{at_ms % 1000:03d}Z"


@lru_cache(maxsize=64)
def _second(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")

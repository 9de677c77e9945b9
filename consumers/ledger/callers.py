"""Whose calls are under way: each process has a number, and is alive as long as its beat is heard."""

import time
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from streams.ground.database import away_is_retry

SILENT_SECONDS = 12.0
"""A process that has not beaten for so long makes no call any more, and the calls that it had under way are found out."""
_TRUSTED_SECONDS = 60.0
ALIVE = f"select worker from workers where beat_at > clock_timestamp() - interval '{SILENT_SECONDS:g} seconds'"  # noqa: S608 - ours


def number_of(worker: str) -> int:
    """A process by a number: never 0, which stands for nobody known."""
    return int.from_bytes(blake2b(worker.encode(), digest_size=4).digest()) | 1


class Caller:
    """This process as one that makes calls. `beaten` is called whenever its beat was taken."""

    def __init__(self, worker: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.worker, self.number = worker, number_of(worker)
        self._monotonic, self._heard = monotonic, monotonic()

    def beaten(self) -> None:
        """Others know now that it lives."""
        self._heard = self._monotonic()

    def lively(self) -> bool:
        """Whether it may still begin a call that it has claimed: not once it has been stopped, or out of the ledger's reach, for long."""
        return self._monotonic() - self._heard < _TRUSTED_SECONDS


class Callers:
    """Those that are alive, by the ledger's own clock. `pool`: an asyncpg pool."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def alive(self) -> frozenset[int]:
        """Their numbers. Raises `Retry`."""
        with away_is_retry("ask who is alive"):
            rows = await self._pool.fetch(ALIVE)
        return frozenset(number_of(row["worker"]) for row in rows)

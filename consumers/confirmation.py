"""The brake for the absurd: a poll that finds most of an object deleted waits until a person confirms that they are meant."""

import asyncio
import time
from typing import Any, Protocol

import asyncpg
import structlog

from streams.database import away_is_retry
from streams.errors import Retry
from streams.systems import Object

CONFIRM = """
insert into confirmed_deletes (object, until_ms) values ($1, $2)
on conflict (object) do update set until_ms = greatest(confirmed_deletes.until_ms, excluded.until_ms), at = now()
"""
CONFIRMED = "select until_ms from confirmed_deletes where object = $1"
_LOOK_SECONDS = 5.0
_log = structlog.get_logger(__name__)


class Brakes(Protocol):
    """A polling source with a brake."""

    def confirm_deletes(self, until_ms: int) -> None:
        """Deletes up to this moment (the system's clock) are meant."""
        ...


async def confirm_deletes(dsn: str, obj: Object, until_ms: int = 0) -> int:
    """Keep the confirmation of all deletes up to `until_ms` (0: now) for the polls to find; that moment. Raises `Retry`."""
    until_ms = until_ms or time.time_ns() // 1_000_000
    with away_is_retry("keep the confirmation"):
        connection = await asyncpg.connect(dsn, timeout=10)
        try:
            await connection.execute(CONFIRM, str(obj), until_ms)
        finally:
            await connection.close()
    return until_ms


async def release(pool: Any, obj: Object, poll: Brakes, stop: asyncio.Event) -> None:
    """Tell a poll of confirmations, until stopped."""
    told = 0
    while not stop.is_set():
        try:
            with away_is_retry("look for a confirmation"):
                until_ms = await pool.fetchval(CONFIRMED, str(obj)) or 0
            if until_ms > told:
                told = until_ms
                poll.confirm_deletes(until_ms)
        except Retry as error:
            _log.warning("confirmations can't be read", error=str(error))
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                await stop.wait()
        except TimeoutError:
            continue

"""Hints from whoever hears them to whoever reads Marketo's activities: they may be different processes, so PostgreSQL passes them on.

Nothing is kept: a hint that nobody hears costs time, never a change, which stands in the activity log.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec
import structlog

from streams.ground.database import AWAY, away_is_retry
from streams.ground.pause import pause
from streams.marketo.sources.push.hints import Hint, Hints

CHANNEL = "tandem_hints"
_AT_ONCE = 50
"""A notification holds 8,000 bytes."""
_ALIVE_SECONDS, _ANSWER_SECONDS = 15.0, 10.0
_NOTIFY = "select pg_notify($1, $2)"
_encoder, _decoder = msgspec.json.Encoder(), msgspec.json.Decoder(list[Hint])
_log = structlog.get_logger(__name__)


class Passing:
    """Passes hints on by the pool's connections."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def __call__(self, hints: Sequence[Hint]) -> None:
        """Returns when whoever listens has them. Raises `Retry` while PostgreSQL is away."""
        with away_is_retry("pass a hint on"):
            for start in range(0, len(hints), _AT_ONCE):
                await self._pool.execute(_NOTIFY, CHANNEL, _encoder.encode(hints[start : start + _AT_ONCE]).decode())


async def hear(dsn: str, hints: Hints, stop: asyncio.Event, *, alive_seconds: float = _ALIVE_SECONDS) -> None:
    """Tell `hints` of whatever is passed on, until told to stop; while PostgreSQL is away nothing is, and `hints` knows it.
    `alive_seconds`: between two proofs that the connection is good."""
    failures = 0
    while not stop.is_set():
        try:
            connection = await asyncpg.connect(dsn, timeout=_ANSWER_SECONDS, command_timeout=_ANSWER_SECONDS)
            try:
                await connection.add_listener(CHANNEL, lambda *told: hints.told(_decoder.decode(told[-1])))
                hints.hearing, failures = True, 0
                while not stop.is_set():
                    await connection.execute("select 1")
                    await pause(alive_seconds, stop)
            finally:
                hints.hearing = False
                connection.terminate()
        except AWAY as error:
            failures += 1
            _log.warning("hints can't be heard", error=type(error).__name__, failures=failures)
            await pause(random.uniform(0.1, min(10.0, 0.2 * 2.0 ** min(failures, 10))), stop)

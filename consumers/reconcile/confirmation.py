"""The brake for the absurd: a poll that finds most of an object deleted waits until a person confirms that they are meant."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import structlog

from consumers.fitting.grounds import look_at_migrations
from streams.ground import clock
from streams.ground.database import away_is_retry, connected
from streams.ground.pause import pause
from streams.salesforce.sources.brake import Braked
from streams.wire.errors import Retry
from streams.wire.systems import Object

CONFIRM = """
insert into confirmed_deletes (object, until_ms) values ($1, $2)
on conflict (object) do update set until_ms = greatest(confirmed_deletes.until_ms, excluded.until_ms), at = now()
"""
CONFIRMED = "select until_ms from confirmed_deletes where object = $1"
KEEP = """
insert into braked_deletes (object, gone, of_all, until_ms, examples, since_ms) values ($1, $2, $3, $4, $5, $6)
on conflict (object) do update
    set gone = excluded.gone, of_all = excluded.of_all, until_ms = excluded.until_ms, examples = excluded.examples
"""
DROP = "delete from braked_deletes where object = $1"
BRAKED = """
select gone, of_all, until_ms, examples from braked_deletes as b
where object = $1 and until_ms > coalesce((select until_ms from confirmed_deletes where object = b.object), 0)
"""
"""What waits, unless it has been confirmed since."""
_LOOK_SECONDS = 5.0
_log = structlog.get_logger(__name__)


class Brakes(Protocol):
    """A polling source with a brake."""

    def confirm_deletes(self, until_ms: int) -> None:
        """Deletes up to this moment (the system's clock) are meant."""
        ...


def keeping(pool: Any, obj: Object) -> Callable[[Braked | None], Awaitable[None]]:
    """Keeps what a poll says of its brake where `tandem confirm-deletes` finds it. Raises `Retry`."""

    async def keep(braked: Braked | None) -> None:
        with away_is_retry("keep what a poll has stopped before"):
            if braked is None:
                await pool.execute(DROP, str(obj))
            else:
                told = (braked.gone, braked.of_all, braked.until_ms, list(braked.examples))
                await pool.execute(KEEP, str(obj), *told, clock.now_ms())

    return keep


async def braked_deletes(connection: Any, obj: Object) -> Braked | None:
    """The deletes that wait for a confirmation."""
    row = await connection.fetchrow(BRAKED, str(obj))
    if row is None:
        return None
    return Braked(gone=row["gone"], of_all=row["of_all"], until_ms=row["until_ms"], examples=tuple(row["examples"]))


async def confirm_deletes(dsn: str, obj: Object, until_ms: int) -> None:
    """Keep the confirmation of all deletes up to `until_ms` (the system's clock) for the polls to find. Raises as `look_at_database`."""
    with away_is_retry("keep the confirmation"):
        connection = await connected(dsn)
        try:
            await look_at_migrations(connection, dsn)
            await connection.execute(CONFIRM, str(obj), until_ms)
        finally:
            await connection.close()


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
        await pause(_LOOK_SECONDS, stop)

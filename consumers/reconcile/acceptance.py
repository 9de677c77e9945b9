"""A hole that can't, or need not, be read again: a named person says why it may stay. It is kept, and told of as accepted."""

import structlog

from consumers.fitting.grounds import look_at_migrations
from streams.ground import clock
from streams.ground.database import away_is_retry, connected
from streams.wire.errors import Reject

ACCEPT = """
update gaps set closed_ms = $2, accepted_by = $3, accepted_why = $4 where id = $1 and closed_ms is null returning source, reason
"""
STANDS = "select closed_ms, accepted_by from gaps where id = $1"
_log = structlog.get_logger(__name__)


async def accept(dsn: str, hole: int, *, by: str, why: str) -> str:
    """Accept an open hole; what it was, in words. Raises `Reject` where there is none that is open, else as `look_at_database`."""
    by, why = by.strip(), why.strip()
    if not by or not why:
        raise Reject("a hole is accepted by somebody, and for a reason: neither --by nor --reason may be empty; nothing was done")
    with away_is_retry("accept a hole"):
        connection = await connected(dsn)
        try:
            await look_at_migrations(connection, dsn)
            row = await connection.fetchrow(ACCEPT, hole, clock.now_ms(), by, why)
            if row is None:
                raise _refusal(hole, await connection.fetchrow(STANDS, hole))
        finally:
            await connection.close()
    _log.warning("coverage.accepted", hole=hole, by=by, why=why, source=row["source"], reason=row["reason"])
    return f"{row['source']}: {row['reason']}"


def _refusal(hole: int, stands: object) -> Reject:
    if stands is None:
        return Reject(f"there is no hole {hole}; `tandem coverage` names those that there are; nothing was done")
    return Reject(f"hole {hole} is open no more; `tandem coverage` says who closed it; nothing was done")

"""A connection to the ledger for reports: read only, and a clear word when it can't be had."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from consumers.fitting.grounds import look_at_migrations
from streams.ground.database import connected

_PATIENCE_SECONDS = 10.0
_STATEMENT_MS = "30000"


@asynccontextmanager
async def ledger_connection(dsn: str) -> AsyncIterator[Any]:
    """A read-only connection to a ledger with every migration. Raises as `consumers.fitting.grounds.look_at_database`."""
    connection = await connected(dsn, seconds=_PATIENCE_SECONDS, default_transaction_read_only="on", statement_timeout=_STATEMENT_MS)
    try:
        await look_at_migrations(connection, dsn)
        yield connection
    finally:
        await connection.close(timeout=_PATIENCE_SECONDS)

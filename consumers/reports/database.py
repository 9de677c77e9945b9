"""A connection to the ledger for reports: read only, and a clear word when it can't be had."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

_PATIENCE_SECONDS = 10.0
_STATEMENT_MS = "30000"


class Unreachable(Exception):  # noqa: N818 - a state of the world, told to the operator
    """Something that the report needs can't be reached; the message says what and what to do, without secrets."""


@asynccontextmanager
async def ledger_connection(dsn: str) -> AsyncIterator[Any]:
    """A read-only connection. Raises `Unreachable`."""
    try:
        connection = await asyncpg.connect(
            dsn, timeout=_PATIENCE_SECONDS, server_settings={"default_transaction_read_only": "on", "statement_timeout": _STATEMENT_MS}
        )
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise Unreachable(f"PostgreSQL can't be reached ({_said(error)}); check that it runs and that postgres.dsn is right") from error
    try:
        yield connection
    except asyncpg.UndefinedTableError as error:
        raise Unreachable("the database has no ledger yet; run tandem-migrate") from error
    finally:
        await connection.close(timeout=_PATIENCE_SECONDS)


def _said(error: Exception) -> str:
    """The reason, without what a driver might quote of the DSN."""
    if isinstance(error, asyncpg.PostgresError):
        return f"{type(error).__name__}: {error}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__

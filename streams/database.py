"""When PostgreSQL is away: what asyncpg raises then, as one `Retry`."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from streams.errors import Retry

AWAY: tuple[type[Exception], ...] = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,  # a connection that is closed
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # stopping, starting, a terminated session
    asyncpg.InsufficientResourcesError,  # too many connections, disk full
    asyncpg.InternalClientError,
)
"""A later attempt on a new connection may succeed; what was under way may or may not have been committed."""


@contextmanager
def away_is_retry(what: str) -> Iterator[None]:
    """Raise `Retry` for whatever says that PostgreSQL is away. `what`: what could not be done."""
    try:
        yield
    except AWAY as error:
        raise Retry(f"{what}: PostgreSQL is away ({type(error).__name__}: {error})", after_seconds=1.0) from error

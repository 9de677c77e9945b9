"""PostgreSQL's border: what asyncpg raises, as `Retry` where it passes by itself, as `Fatal` where a person has to act."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from streams.wire.errors import Fatal, Retry, SyncError, Unprepared

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

REFUSED: tuple[type[Exception], ...] = (
    asyncpg.InvalidAuthorizationSpecificationError,  # no such user, a wrong password, no entry in pg_hba.conf
    asyncpg.InvalidCatalogNameError,  # no such database
    asyncpg.InsufficientPrivilegeError,
    asyncpg.ClientConfigurationError,  # the address itself
    ssl.SSLCertVerificationError,
)
"""No later attempt succeeds by itself. Some of them are kinds of `AWAY`: these are to be looked at first."""

_UNDEFINED = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.UndefinedFunctionError, asyncpg.UndefinedObjectError)
MIGRATE = "Run tandem-migrate."
_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_FORM = "Write postgres.dsn as postgresql://user:password@host:port/database; files that it names (sslrootcert, ...) must exist."


@contextmanager
def away_is_retry(what: str) -> Iterator[None]:
    """Raise `Retry` for whatever says that PostgreSQL is away, `Fatal` where it refuses. `what`: what could not be done."""
    try:
        yield
    except (*REFUSED, *_UNDEFINED, *AWAY) as error:
        raise told(what, error) from error


def told(what: str, error: Exception) -> SyncError:
    """One of the errors above, in the words of the design. Never holds what stands in an address beside host and database."""
    if isinstance(error, _UNDEFINED):
        return Unprepared(f"{what}: the database lacks a migration ({type(error).__name__}).", remedy=MIGRATE)
    if isinstance(error, REFUSED):
        return Fatal(f"{what}: PostgreSQL refuses ({_said(error)}).", remedy=_remedy(error))
    return Retry(f"{what}: PostgreSQL is away ({_said(error)})", after_seconds=1.0)


def address(dsn: str) -> str:
    """Where an address leads, without the user and the password: `host:port/database`."""
    try:
        parts = urlsplit(dsn)
        return f"{parts.netloc.rpartition('@')[2]}{parts.path}" or "its default address"
    except ValueError:
        return "an address that can't be read"


async def connected(dsn: str, *, seconds: float = 10.0, **settings: str) -> Any:
    """A connection of one's own; `settings` are the session's. Raises `Retry` while nothing answers there, `Fatal` where it refuses."""
    try:
        return await asyncpg.connect(dsn, timeout=seconds, server_settings=settings)
    except REFUSED as error:
        raise told(f"PostgreSQL at {address(dsn)}", error) from error
    except ValueError:  # of the parser of addresses; it may quote the password
        raise Fatal("PostgreSQL's address can't be read.", remedy=_FORM) from None
    except AWAY as error:
        if isinstance(error, FileNotFoundError | PermissionError) and any(name in dsn for name in _FILES):
            raise Fatal("A file that postgres.dsn names can't be read.", remedy=_FORM) from error
        remedy = "Check that it runs there and that postgres.dsn is right."
        raise Retry(f"PostgreSQL at {address(dsn)} can't be reached ({_said(error)}). {remedy}", after_seconds=1.0) from error


def _said(error: Exception) -> str:
    """The reason, without what a driver might quote of the address."""
    if isinstance(error, asyncpg.PostgresError):
        return f"{type(error).__name__}: {error}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate: {error.verify_message}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def _remedy(error: Exception) -> str:
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return "Create the database, or correct its name in postgres.dsn."
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        return "Grant the user of postgres.dsn its rights on Tandem's tables, or use the user who ran tandem-migrate."
    if isinstance(error, ssl.SSLCertVerificationError):
        return "Name the authority's certificate with sslrootcert in postgres.dsn, and the server by the name in its certificate."
    if isinstance(error, asyncpg.ClientConfigurationError):
        return _FORM
    return "Check user, password and client certificate in postgres.dsn, and the server's pg_hba.conf."

"""Where PostgreSQL's errors become ours: `Retry` for what passes, `Unknown` for a commit without an answer, `Fault` for a value of ours
that does not fit, `Fatal` for the rest."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from consumers.ledger.faults import Fault
from consumers.ledger.port import Taken
from streams.wire.errors import Fatal, Retry, Unknown
from streams.wire.systems import System

LOST = (TimeoutError, OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises of a connection that was cut: the last one where the server cut it while a statement was being sent."""
_CLASHES = ("40001", "40P01", "55P03")
"""Serialization failure, deadlock, lock not available (PostgreSQL, appendix A)."""
_MISFITS = ("22", "23")
"""Classes of errors: a value of ours that the column, or what it promises, does not allow."""
_PASSING = ("08", "25P03", "53", "57", "58")
"""Classes of errors: connection, a transaction that stood still for too long (a stopped process), resources, an operator's intervention
(shutdown, crash of another session), the system's own."""
_UNIQUE = {"pairs_salesforce": System.SALESFORCE, "pairs_marketo": System.MARKETO}
_KEY = re.compile(r"=\((?P<id>[^,)]*)[,)]")
_CLASH_SECONDS, _AWAY_SECONDS = 0.05, 0.5


@contextmanager
def border(doing: str) -> Iterator[None]:
    """Translates what the database and its connection raise inside. The transaction, if any, can only be rolled back then.

    `doing` says what was attempted. Raises `Taken` where a record belongs to another pair already, `Fault` for a value that doesn't fit.
    """
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise _taken(doing, error) from error
    except (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError) as error:
        raise Retry(f"{doing}: the tables were changed by a migration; it is asked anew", after_seconds=_CLASH_SECONDS) from error
    except asyncpg.PostgresError as error:
        raise _told(doing, error) from error
    except LOST as error:
        if isinstance(error, ValueError):  # asyncpg.DataError: a value of ours that is none of the parameter's type
            raise Fault(f"{doing}: fitting a value into the ledger", error) from error
        raise Retry(f"{doing}: the ledger is away ({type(error).__name__})", after_seconds=_AWAY_SECONDS, everyone=True) from error


@contextmanager
def commit_border() -> Iterator[None]:
    """As `border`, for the commit itself: without an answer it may have happened or not."""
    try:
        with border("commit to the ledger"):
            yield
    except Retry as error:
        if error.everyone:
            raise Unknown(f"{error}; it may have been kept or not", after_seconds=error.after_seconds, everyone=True) from error
        raise


def _told(doing: str, error: asyncpg.PostgresError) -> Exception:
    code = str(error.sqlstate or "")
    if code in _CLASHES:
        return Retry(f"{doing}: in the way of another transaction ({type(error).__name__})", after_seconds=_CLASH_SECONDS)
    if code.startswith(_PASSING) or isinstance(error, asyncpg.PostgresConnectionError):
        return Retry(f"{doing}: the ledger is away ({type(error).__name__})", after_seconds=_AWAY_SECONDS, everyone=True)
    if code.startswith(_MISFITS):
        return Fault(f"{doing}: fitting a value into the ledger ({code})", error)
    return Fatal(
        f"{doing}: the database refuses ({code} {type(error).__name__}).", remedy="Has `tandem-migrate` been run with this version?"
    )


def _taken(doing: str, error: asyncpg.UniqueViolationError) -> Exception:
    system = _UNIQUE.get(error.constraint_name or "")
    key = _KEY.search(error.detail or "")
    if system is None or key is None:
        what = f"{doing}: the database refuses ({error.sqlstate} on {error.constraint_name})."
        return Fatal(
            what, remedy="Has somebody changed the ledger's tables by hand? Tandem starts again by itself; if it comes back, report it."
        )
    return Taken(system, key["id"])

"""Acts by hand go into the audit log before they are done: one that fails, or is refused, is there as well, as what was asked for."""

import time
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from consumers.audit_log.deeds import Deed, who_acts, write_down
from consumers.configuration.loading import Settings
from consumers.fitting.grounds import look_at_migrations
from streams.ground.database import connected

_T = TypeVar("_T")
_PATIENCE_SECONDS = 10.0


async def note(settings: Settings, act: str, what: Mapping[str, Any], why: str = "") -> None:
    """Write it down, with the name of whoever acts. Raises as `consumers.fitting.grounds.look_at_database`: then nothing may be done."""
    await note_in(settings.postgres.dsn.reveal(), act, what, why)


async def note_in(dsn: str, act: str, what: Mapping[str, Any], why: str = "") -> None:
    """The same in the audit log of the ledger behind `dsn`."""
    connection = await connected(dsn, seconds=_PATIENCE_SECONDS, application_name="tandem-audit-log")
    try:
        await look_at_migrations(connection, dsn)
        await write_down(connection, Deed(at=round(time.time() * 1000), who=who_acts(), act=act, what=what, why=why.strip()))
    finally:
        connection.terminate()


async def noted(settings: Settings, act: str, what: Mapping[str, Any], work: Coroutine[Any, Any, _T], why: str = "") -> _T:
    """What the work returns, once it is written down. Raises as `note`, and what the work raises."""
    try:
        await note(settings, act, what, why)
    except BaseException:
        work.close()
        raise
    return await work

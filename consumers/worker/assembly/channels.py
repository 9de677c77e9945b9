"""Which channel of Salesforce's change events is followed: the usual one, or, while the day's events run short, the one without our writes.

Two numberings of events are never mixed: each turn opens a gap from the last event on, which the polls read back.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog

from consumers.configuration.systems import salesforce_settings
from consumers.ledger.allowances import saves_events
from consumers.worker.tools.opening import Tools
from streams.ground.database import away_is_retry
from streams.ground.pause import pause
from streams.ground.together import beside
from streams.salesforce.api.access.session import Session
from streams.wire.errors import Retry

_LOOK_SECONDS = 5.0
_log = structlog.get_logger(__name__)


async def by_either_channel(tools: Tools, follow: Callable[[Session, asyncio.Event], Awaitable[None]], stop: asyncio.Event) -> None:
    """Follow one after the other, each for as long as it is the right one, until stopped. `follow` ends when its event is set."""
    if tools.settings.salesforce.quiet_channel is None:
        await follow(tools.session, stop)
        return
    while not stop.is_set():
        saving, turned = await _saving(tools), asyncio.Event()
        async with _session(tools, saving=saving) as session:
            await beside(_awaited(follow(session, turned)), _turn(tools, turned, stop, saving=saving))


async def _awaited(work: Awaitable[None]) -> None:
    await work


async def _turn(tools: Tools, turned: asyncio.Event, stop: asyncio.Event, *, saving: bool) -> None:
    """Tell when the other one is due, or all of it ends."""
    while not stop.is_set():
        await pause(_LOOK_SECONDS, stop)
        try:
            if await _saving(tools) != saving:
                _log.warning("the other channel of Salesforce's events is followed", quiet=not saving)
                break
        except Retry as error:
            _log.warning("nobody knows which channel is due", error=str(error))
    turned.set()


async def _saving(tools: Tools) -> bool:
    with away_is_retry("read whether Salesforce's events run short"):
        async with tools.pool.acquire() as connection:
            return await saves_events(connection)


@asynccontextmanager
async def _session(tools: Tools, *, saving: bool) -> AsyncIterator[Session]:
    """One that follows the channel that is due."""
    quiet = tools.settings.salesforce.quiet_channel
    if not saving or quiet is None:
        yield tools.session
        return
    async with Session(replace(salesforce_settings(tools.settings), channel=quiet)) as session:
        yield session

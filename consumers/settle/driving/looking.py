"""Driving looks: what is in doubt on a system is looked for as soon as it is due."""

import asyncio
from collections.abc import Callable

import structlog

from consumers.ledger.port import Ledger
from consumers.settle.conditions.later import quiet_seconds
from consumers.settle.driving.bell import Bell
from consumers.settle.looks.look import Looked, Looker
from streams.wire.errors import SyncError

_LOOK_SECONDS = 0.5
_log = structlog.get_logger(__name__)


async def look_after(
    looker: Looker,
    ledger: Ledger,
    bell: Bell,
    clock: Callable[[], int],
    stop: asyncio.Event,
    *,
    on_looked: Callable[[Looked], None] = lambda _: None,
    troubled: Callable[[str | None], None] = lambda _: None,
) -> None:
    """Look at one system until stopped, and bring those together who were held because of somebody who has changed.

    `on_looked` is told of each round, `troubled` why nothing can be looked at, and None as soon as it can.
    """
    duty = looker.duty
    while not stop.is_set():
        bell.quiet(duty)
        try:
            bell.ring(await looker.reunited())
            if await ledger.waiting(duty, clock()) is None:
                troubled(None)
                await bell.wait(duty, _LOOK_SECONDS, stop)
                continue
            looked = await looker.round()
            troubled(None)
            bell.ring(looked.due)
            on_looked(looked)
            if not looked.pairs:
                await bell.wait(duty, _LOOK_SECONDS, stop)
        except SyncError as error:
            seconds = quiet_seconds(error)
            troubled(str(error))
            _log.warning("look.waits", kind=duty.name, error=str(error), again_seconds=seconds)
            await bell.wait(duty, seconds, stop)

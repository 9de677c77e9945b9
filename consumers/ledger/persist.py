"""A step on the ledger that must not be lost: tried again while others are in its way, and while the database is away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from streams.wire.errors import Retry

_T = TypeVar("_T")
_PAUSE_SECONDS, _PAUSE_SECONDS_MAX = 0.05, 5.0
_log = structlog.get_logger(__name__)


async def persistently(
    step: Callable[[], Awaitable[_T]], *, doing: str, seconds: float, passes: Callable[[Retry], bool] = lambda _: True
) -> _T:
    """What `step` returns, as soon as it can be done. After `seconds` without success what stood in the way is raised, and at once
    what does not pass. Whoever is asked again must do no harm where the step before it was kept without an answer (`Unknown`)."""
    loop = asyncio.get_running_loop()
    end, pause = loop.time() + seconds, _PAUSE_SECONDS
    while True:
        try:
            return await step()
        except Retry as error:
            if loop.time() >= end or not passes(error):
                raise
            _log.warning("tried again", doing=doing, error=str(error))
            await asyncio.sleep(max(pause, error.after_seconds))
            pause = min(2 * pause, _PAUSE_SECONDS_MAX)

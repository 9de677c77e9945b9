"""A step on the ledger taken again. `unhindered`: at once, while other transactions stand in its way, so that what was found out is not
asked for twice; whoever called has nothing to lose and passes an outage on. `persistently`: it must not be lost, so also while the
database is away, for as long as it is of use.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from streams.wire.errors import Retry

_T = TypeVar("_T")
_TRIES = 8
_PAUSE_SECONDS, _PAUSE_SECONDS_MAX = 0.05, 5.0
_log = structlog.get_logger(__name__)


async def unhindered(step: Callable[[], Awaitable[_T]]) -> _T:
    """What the step returns. Raises its `Retry` when the ledger is away, or when it was hindered eight times in a row.

    The step must be a whole transaction: nothing of it has happened when it raises.
    """
    for _ in range(_TRIES - 1):
        try:
            return await step()
        except Retry as error:
            if error.everyone:
                raise
            await asyncio.sleep(error.after_seconds)
    return await step()


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

"""A step on the ledger that another transaction stood in the way of is taken again at once: what was found out is not asked for twice."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from streams.wire.errors import Retry

_Result = TypeVar("_Result")
_TRIES = 8


async def unhindered(step: Callable[[], Awaitable[_Result]]) -> _Result:
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

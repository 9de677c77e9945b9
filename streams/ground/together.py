"""Tasks that belong together: none outlives the block that started it, and none fails unseen."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from streams.wire.errors import Fatal, SyncError

_T = TypeVar("_T")


@asynccontextmanager
async def together() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group that fails with one error instead of a group of them.

    When one task fails the others are cancelled and awaited before anything is raised, so nothing goes on with what the caller then closes.
    Of several errors a defect is raised first, then `Fatal`, then whatever came first; all of them are in its cause.
    """
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        raise _foremost(failures) from failures


async def beside(work: Coroutine[Any, Any, _T], *others: Coroutine[Any, Any, object]) -> _T:
    """What `work` returns; `others` run beside it and are cancelled when it ends. One that fails ends the work with its error."""
    async with together() as group:
        running = [group.create_task(other) for other in others]
        result = await work
        for task in running:
            task.cancel()
    return result


async def until_stopped(work: Coroutine[Any, Any, None], stop: asyncio.Event, *, grace_seconds: float = 0.0) -> None:
    """Run `work` until it ends, or `stop` is set; then it has so long to come to its end by itself. Raises what it has raised."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({working}, timeout=grace_seconds)
    finally:
        stopping.cancel()
        working.cancel()
        await asyncio.wait({working})
    if not working.cancelled():
        working.result()


def _foremost(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    found = list(_leaves(failures))
    return min(found, key=_rank)


def _leaves(failure: BaseException) -> list[BaseException]:
    if isinstance(failure, BaseExceptionGroup):
        return [leaf for each in failure.exceptions for leaf in _leaves(each)]
    return [failure]


def _rank(error: BaseException) -> int:
    if not isinstance(error, SyncError):
        return 0
    return 1 if isinstance(error, Fatal) else 2

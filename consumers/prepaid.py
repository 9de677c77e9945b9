"""Leave that was taken before the work was claimed: what is due piles up behind the leave, not behind a claim that has grown old."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar

from streams.budget import Budget, Lane

_paid: ContextVar[bool] = ContextVar("tandem_leave_paid", default=False)


def pay() -> None:
    """The next call of this task has its leave already."""
    _paid.set(True)


class PrepaidBudget:
    """A budget whose first call after `pay` passes at once; its place in flight is held by whoever paid."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def call(self, lane: Lane) -> AbstractAsyncContextManager[None]:
        """Leave for one call."""
        return self._call(lane)

    async def used_up(self, seconds: float) -> None:
        """Told on."""
        await self._budget.used_up(seconds)

    async def seen(self, used: int, limit: int) -> None:
        """Told on."""
        await self._budget.seen(used, limit)

    @asynccontextmanager
    async def _call(self, lane: Lane) -> AsyncIterator[None]:
        if _paid.get():
            _paid.set(False)
            yield
            return
        async with self._budget.call(lane):
            yield

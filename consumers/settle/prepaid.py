"""Leave that was taken before the work was claimed: what is due piles up behind the leave, not behind a claim that has grown old."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar

from streams.budget.port import Budget, Lane, Ticket

_paid: ContextVar[tuple[Ticket | None] | None] = ContextVar("tandem_leave_paid", default=None)


def pay(ticket: Ticket | None = None) -> None:
    """The next call of this task has its leave already; its ticket is told when the call goes out."""
    _paid.set((ticket,))


class PrepaidBudget:
    """A budget whose first call after `pay` passes at once; its place in flight is held by whoever paid."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def call(self, lane: Lane) -> AbstractAsyncContextManager[Ticket | None]:
        """Leave for one call."""
        return self._call(lane)

    async def used_up(self, seconds: float) -> None:
        """Told on."""
        await self._budget.used_up(seconds)

    async def seen(self, used: int, limit: int) -> None:
        """Told on."""
        await self._budget.seen(used, limit)

    @asynccontextmanager
    async def _call(self, lane: Lane) -> AsyncIterator[Ticket | None]:
        paid = _paid.get()
        if paid is not None:
            _paid.set(None)
            if paid[0] is not None:
                paid[0].sent()
            yield None
            return
        async with self._budget.call(lane) as ticket:
            yield ticket

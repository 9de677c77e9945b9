"""Leave that was taken before the work was claimed: what is due piles up behind the leave, not behind a claim that has grown old."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar

from streams.budget.passing import PassingBudget
from streams.budget.port import Lane, Ticket

_paid: ContextVar[tuple[Ticket | None] | None] = ContextVar("tandem_leave_paid", default=None)


def pay(ticket: Ticket | None = None) -> None:
    """The next call of this task has its leave already; its ticket is told when the call goes out."""
    _paid.set((ticket,))


class PrepaidBudget(PassingBudget):
    """A budget whose first call after `pay` passes at once; its place in flight is held by whoever paid."""

    @asynccontextmanager
    async def call(self, lane: Lane) -> AsyncIterator[Ticket | None]:
        """Leave for one call."""
        paid = _paid.get()
        if paid is not None:
            _paid.set(None)
            if paid[0] is not None:
                paid[0].sent()
            yield paid[0]
            return
        async with self._budget.call(lane) as ticket:
            yield ticket

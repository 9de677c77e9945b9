"""A budget that stands before another one and does something about each call."""

from contextlib import AbstractAsyncContextManager

from streams.budget.port import Budget, Lane, Ticket


class PassingBudget:
    """Passes everything on. Whoever has something to do before, after or instead of a call's leave overrides `call`."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def call(self, lane: Lane) -> AbstractAsyncContextManager[Ticket | None]:
        """Leave for one call."""
        return self._budget.call(lane)

    async def used_up(self, seconds: float) -> None:
        """Told on."""
        await self._budget.used_up(seconds)

    async def seen(self, used: int, limit: int) -> None:
        """Told on."""
        await self._budget.seen(used, limit)

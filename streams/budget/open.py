"""A budget that allows everything: for tools that make a few calls by hand, and for tests."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from streams.budget.port import Lane


class OpenBudget:
    """No limit at all."""

    def call(self, lane: Lane) -> AbstractAsyncContextManager[None]:
        """Leave at once."""
        del lane
        return self._allowed()

    @asynccontextmanager
    async def _allowed(self) -> AsyncIterator[None]:
        yield

    async def used_up(self, seconds: float) -> None:
        """Nothing to hold back."""

    async def seen(self, used: int, limit: int) -> None:
        """Nothing to remember."""

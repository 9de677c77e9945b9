"""A ledger before whose commits, and after them, the worker may die."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from consumers.ledger.port import Ledger, Transaction


class Dead(BaseException):
    """The worker dies here."""


class Dying:
    """`Ledger` around another one, for one worker. `strikes` is asked before and after every commit."""

    def __init__(self, ledger: Ledger, strikes: Callable[[], bool]) -> None:
        self._ledger, self._strikes, self._dead = ledger, strikes, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def transaction(self, *, durable: bool = True) -> AbstractAsyncContextManager[Transaction]:
        """As the port says."""
        return self._mortal(durable=durable)

    @asynccontextmanager
    async def _mortal(self, *, durable: bool) -> AsyncIterator[Transaction]:
        self._passes()
        async with self._ledger.transaction(durable=durable) as tx:
            yield tx
            self._passes()
        self._passes()

    def _passes(self) -> None:
        self._dead = self._dead or self._strikes()
        if self._dead:
            raise Dead

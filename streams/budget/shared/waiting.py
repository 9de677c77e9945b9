"""Who waits for leave to call a system, and what they get."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from streams.budget.port import Lane
from streams.budget.reckoning.rule import Leave


@dataclass(slots=True, eq=False)
class Waiter:
    """A call that waits for its leave."""

    lane: Lane
    leave: "asyncio.Future[Leave]"
    """Resolves to the leave that the call is part of."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A ticket. `at`: when the call was allowed, by the database's clock."""

    at: int
    sent_at: Callable[[int], None]
    got_through: Callable[[], None]

    def sent(self) -> None:
        """See `Ticket`."""
        self.sent_at(self.at)

    def taken(self) -> None:
        """See `Ticket`."""
        self.got_through()

"""What one process keeps between two questions to the shared budget."""

import time
from dataclasses import dataclass, field

from streams.budget.reckoning.state import BudgetState


@dataclass(slots=True)
class Told:
    """What the system said since the last question."""

    block_ms: int = 0
    seen: tuple[int, int] | None = None
    unblock: bool = False
    moved: tuple[tuple[int, int], ...] = ()
    written: int = 0
    at_once: float = 0.0
    others: tuple[str, int] | None = None

    def keep(self, earlier: "Told") -> None:
        """Say again what an unanswered question said."""
        self.block_ms = max(self.block_ms, earlier.block_ms)
        self.seen = self.seen or earlier.seen
        self.unblock = self.unblock or earlier.unblock
        self.moved = (*earlier.moved, *self.moved)
        self.written += earlier.written
        self.at_once += earlier.at_once
        self.others = self.others or earlier.others


@dataclass(slots=True)
class StoredBudget:
    """The row as this process saw it last, and PostgreSQL's clock as seen from here."""

    version: int = -1
    state: BudgetState = field(default_factory=BudgetState)
    _ahead_ms: float = 0.0
    _trip: float = float("inf")
    _measured: float = 0.0

    def forget(self) -> None:
        """After a new connection nothing is known: the first attempt only reads."""
        self.version, self._trip = -1, float("inf")

    def now_ms(self) -> int:
        return int(time.monotonic() * 1000 + self._ahead_ms)

    def clock(self, their_ms: float, sent: float) -> None:
        """Believe the quickest answer of the last half minute: it is off by less than its trip."""
        received = time.monotonic()
        if received - sent <= self._trip or received - self._measured > 30.0:
            self._trip, self._measured = received - sent, received
            self._ahead_ms = their_ms - (sent + received) / 2 * 1000

"""What the roles of one process share beside their tools: what they count into, the bell they ring, what each says is wrong."""

import asyncio
from collections.abc import Awaitable, Callable

from consumers.ledger.callers import Caller
from consumers.settle.driving.bell import Bell
from consumers.troubles.board import Board
from consumers.troubles.recent import Recent
from consumers.troubles.workers import name_of_worker
from consumers.worker.telemetry.metrics import Metrics
from consumers.worker.tools.opening import Tools
from streams.ground.clock import now_ms

Work = Callable[[Tools, asyncio.Event], Awaitable[None]]
"""What a role does with the tools, until it is told to stop."""


class Process:
    """One process, for all of its roles."""

    def __init__(self) -> None:
        self.metrics = Metrics(now_ms)
        self.board = Board(now_ms)
        self.recent = Recent(now_ms)
        self.bell = Bell()
        self.caller = Caller(name_of_worker())
        self.troubles: dict[str, Callable[[], str | None]] = {}
        """By role: says why it can't do its work, None while it can. A role that works by itself puts its own here."""

    def says(self, role: str, trouble: str | None) -> None:
        """Until it says otherwise, this keeps a role from its work; None: nothing does."""
        self.troubles[role] = lambda: trouble

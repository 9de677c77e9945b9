"""Budgets that tell how long leave was waited for, and how each call ended: what the metrics of calls are made of."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from streams.budget.passing import PassingBudget
from streams.budget.port import Budget, Lane, Ticket
from streams.wire.errors import Fatal, Gap, Reject, Retry, SyncError, Unknown
from streams.wire.systems import System

OUTCOMES = {Gap: "gap", Unknown: "unknown", Retry: "retry", Reject: "reject", Fatal: "fatal"}
"""How a call may end beside `done`; the most special first."""


class CallWatch(Protocol):
    """Who is told of calls."""

    def waited(self, system: System, lane: Lane, seconds: float) -> None:
        """Leave was given after so long."""
        ...

    def called(self, system: System, purpose: str, outcome: str, seconds: float) -> None:
        """A call ended. `outcome`: `done`, one of `OUTCOMES`, `other`, `cancelled` or `defect`."""
        ...


class WaitWatched(PassingBudget):
    """A budget that tells how long leave was waited for."""

    def __init__(self, budget: Budget, system: System, watch: CallWatch) -> None:
        super().__init__(budget)
        self._system, self._watch = system, watch

    @asynccontextmanager
    async def call(self, lane: Lane) -> AsyncIterator[Ticket | None]:
        """Leave for one call."""
        asked = time.perf_counter()
        async with self._budget.call(lane) as ticket:
            self._watch.waited(self._system, lane, time.perf_counter() - asked)
            yield ticket


class CallWatched(PassingBudget):
    """A budget that tells how each call ended and how long it took, without the wait for leave."""

    def __init__(self, budget: Budget, system: System, purpose: str, watch: CallWatch) -> None:
        super().__init__(budget)
        self._system, self._purpose, self._watch = system, purpose, watch

    @asynccontextmanager
    async def call(self, lane: Lane) -> AsyncIterator[Ticket | None]:
        """Leave for one call."""
        async with self._budget.call(lane) as ticket:
            begun, outcome = time.perf_counter(), "defect"
            try:
                yield ticket
                outcome = "done"
            except SyncError as error:
                outcome = next((name for kind, name in OUTCOMES.items() if isinstance(error, kind)), "other")
                raise
            except asyncio.CancelledError:
                outcome = "cancelled"
                raise
            finally:
                self._watch.called(self._system, self._purpose, outcome, time.perf_counter() - begun)

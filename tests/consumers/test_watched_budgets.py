"""What budgets tell of calls: the wait for leave, the duration, and the end of each."""

import asyncio
from dataclasses import dataclass, field

import pytest

from consumers.settle.conditions.prepaid import PrepaidBudget, pay
from consumers.worker.tools.watched import CallWatched, WaitWatched
from streams.budget.open import OpenBudget
from streams.budget.port import Lane
from streams.wire.errors import Fatal, Gap, Reject, Retry, SyncError, Unknown
from streams.wire.systems import System

MK = System.MARKETO


@dataclass
class Watch:
    waits: list[tuple[System, Lane]] = field(default_factory=list)
    calls: list[tuple[System, str, str]] = field(default_factory=list)

    def waited(self, system: System, lane: Lane, seconds: float) -> None:
        assert seconds >= 0
        self.waits.append((system, lane))

    def called(self, system: System, purpose: str, outcome: str, seconds: float) -> None:
        assert seconds >= 0
        self.calls.append((system, purpose, outcome))


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Unknown("x"), "unknown"),
        (Retry("x"), "retry"),
        (Reject("x"), "reject"),
        (Fatal("x"), "fatal"),
        (Gap("x"), "gap"),
        (SyncError("x"), "other"),
        (ZeroDivisionError(), "defect"),
        (asyncio.CancelledError(), "cancelled"),
    ],
)
async def test_a_call_that_fails_is_told_by_its_end_and_fails_all_the_same(error: BaseException, outcome: str) -> None:
    watch = Watch()
    budget = CallWatched(OpenBudget(), MK, "read", watch)
    with pytest.raises(type(error)):
        async with budget.call(Lane.LIVE):
            raise error
    assert watch.calls == [(MK, "read", outcome)]


async def test_a_write_whose_leave_was_taken_before_counts_once_as_a_wait_and_once_as_a_call() -> None:
    watch = Watch()
    leave = WaitWatched(OpenBudget(), MK, watch)
    paid = CallWatched(PrepaidBudget(leave), MK, "write", watch)
    async with leave.call(Lane.REPAIR) as ticket:
        pay(ticket)
        async with paid.call(Lane.LIVE):
            pass
    assert (watch.waits, watch.calls) == ([(MK, Lane.REPAIR)], [(MK, "write", "done")])
    async with paid.call(Lane.LIVE):
        pass
    assert (watch.waits[1:], watch.calls[1:]) == ([(MK, Lane.LIVE)], [(MK, "write", "done")])

"""The rolling window of a system's calls: what it leaves to each lane, and when there will be more. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import msgspec

from streams.budget.port import Lane
from streams.budget.reckoning.limits import Limits
from streams.budget.reckoning.state import BudgetState


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How many calls one limit has room for, and when there will be more."""

    free: int
    wait_ms: int


def rooms(state: BudgetState, limits: Limits, lane: Lane, ahead: int, now: int) -> list[Room]:
    """What the rolling window leaves: to all; to the lanes after the live one; to those by their pace."""
    if limits.calls is None:
        return []
    calls = sorted((*state.live, *state.other))
    left = [_window_room(limits.calls - len(calls), calls, limits, ahead, now)]
    if lane is not Lane.LIVE:
        live = len(state.live)
        reserve = min(kept(limits.calls, limits), max(1, ceil(1.5 * live)))
        left.append(_window_room(limits.calls - max(live, reserve) - len(state.other), sorted(state.other), limits, ahead, now))
        left.append(Room(free=_unpaced(state, limits) + _due(state, limits, now) + ahead, wait_ms=max(1, ceil(state.pace - now))))
    return left


def kept(whole: int, limits: Limits) -> int:
    """The live lane's share at most; something is left to the others."""
    return min(whole - 1, ceil(whole * limits.reserve))


def _window_room(free: int, calls: Sequence[int], limits: Limits, ahead: int, now: int) -> Room:
    """`calls` ascending. One more fits when as many have left the window as are ahead of it."""
    leaving = ahead - free
    wait_ms = calls[min(leaving, len(calls) - 1)] + limits.window_ms - now if calls and leaving >= 0 else 0
    return Room(free=free, wait_ms=max(0, wait_ms))


def _unpaced(state: BudgetState, limits: Limits) -> int:
    return max(0, (limits.calls or 0) // 2 - len(state.live) - len(state.other))


def _due(state: BudgetState, limits: Limits, now: int) -> int:
    return max(0, floor((now - state.pace) / _gap_ms(limits)) + 1)


def _gap_ms(limits: Limits) -> float:
    return limits.window_ms / (limits.calls or 1)


def paced(state: BudgetState, limits: Limits, lane: Lane, granted: int, now: int) -> BudgetState:
    """The state after so many calls of a lane, as far as its pace is concerned."""
    if lane is Lane.LIVE or not granted or limits.calls is None:
        return state
    hurried = granted - _unpaced(state, limits)
    pace = state.pace + hurried * _gap_ms(limits) if hurried > 0 else max(state.pace, float(now))
    return msgspec.structs.replace(state, pace=pace)


def less_share(state: BudgetState, limits: Limits, ahead: int, now: int) -> Room:
    """What the window leaves to the live lane where the repair lane has not had its share yet."""
    calls = sorted((*state.live, *state.other))
    spared = max(0, floor((limits.calls or 0) * limits.repair_share) - len(state.other))
    return _window_room((limits.calls or 0) - len(calls) - spared, calls, limits, ahead, now)


def repair_room(state: BudgetState, limits: Limits, now: int, *, wanted: bool) -> Room | None:
    """The one call that the repair lane may make now by its share, whoever waits beside it; None: it needs no share.

    It does when a call of it waits (`wanted`), and when one was made a moment ago: the next will follow its answer.
    """
    if limits.calls is None or limits.calls * limits.repair_share < 1:
        return None
    gap_ms = ceil(limits.window_ms / (limits.calls * limits.repair_share))
    last = max(state.other, default=0)
    if not wanted and now - last > gap_ms:
        return None
    calls = sorted((*state.live, *state.other))
    window = _window_room(limits.calls - len(calls), calls, limits, 0, now)
    due_ms = last + gap_ms - now if last else 0
    return Room(free=int(due_ms <= 0 and window.free > 0), wait_ms=max(1, due_ms, window.wait_ms))

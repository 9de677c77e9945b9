"""Who may call a system now: the rule behind the shared budget, as a pure function of its state and the time.

Times are ms since the epoch, on one clock for all workers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import ceil

import msgspec

from streams.budget.port import LANES, MISSED, Lane
from streams.budget.reckoning import day, hour
from streams.budget.reckoning.limits import Limits
from streams.budget.reckoning.state import BudgetState, Worker
from streams.budget.reckoning.window import Room, kept, less_share, paced, repair_room, rooms

ByLane = tuple[int, int, int, int, int]
"""A number for each lane, by the lane's number."""
NONE: ByLane = (0, 0, 0, 0, 0)
_CATCH_UP_MS = 1_000
_AHEAD_MS = 5_000
_SHARE_MS = 25
_NEVER_MS = 1_000
_FAR_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What one worker says and wants. `holding`: its calls in flight. `want`: calls by lane."""

    worker: str
    holding: int = 0
    want: ByLane = NONE
    seen: tuple[int, int] | None = None
    """(used, limit) of the day, as the system told it."""
    block_ms: int = 0
    """The system said that a limit is reached: nobody calls for so long."""
    unblock: bool = False
    """A probe got through."""
    moved: tuple[tuple[int, int], ...] = ()
    """Calls that went out later than they were allowed: when that was, and when they did."""
    written: int = 0
    """Calls since the last question that wrote edits."""
    at_once: float = 0.0
    """Those that it would have taken to write each of these edits by itself."""
    others: tuple[str, int] | None = None
    """(date, calls) that others on the account have used, as the system told it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """The answer: calls allowed now, by lane; and for those that are not, when to ask again."""

    granted: ByLane
    probe: bool = False
    """The one call granted tries whether the system still says no."""
    wait_ms: int = 0
    """Ask again after so long, or when told that a place is free. 0: nothing is left to wait for."""
    quota_ms: ByLane = NONE
    """By lane: how long the day's quota (or the system's word) keeps it from going. 0: it doesn't."""
    at: int = 0
    """When: these calls count from here."""
    in_flight: int = 0
    """Of all workers, with these."""
    freed: bool = False
    """Others wait, and this worker gave places back."""
    short: bool = False
    """Places are missing: others should give back what they don't use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Others:
    holding: int
    waiting: ByLane
    rivals: ByLane
    """Workers that wait, by lane."""


def ask(state: BudgetState, limits: Limits, asking: Asking, now: int) -> tuple[BudgetState, Leave]:
    """What the asking worker may do, and the state with that counted.

    Never more than `calls` in any window nor more than `places` in flight, whoever asks. The live lane goes before the others,
    also before those of other workers; within a lane, workers that wait share what is free. For the live lane are kept: of the
    window as many calls as it used lately and half as many again (one at least, `reserve` of all at most); of the places and of
    the day their shares. But where the lanes of what was missed wait, the first of them gets `repair_share` of the window, evenly
    spread: what it reads may be what others have edited. The other lanes may use half a window at once and go evenly after, so that a
    slot opens every `window_ms / calls` rather than all of them together.
    """
    state = _told(_aged(state, limits, now), limits, asking, now)
    others = _others(state, asking.worker, now)
    refusal = _refused_ms(state, limits, now)
    state, leave = _probe(state, limits, asking, refusal, now) if refusal else _share(state, limits, asking, others, now)
    before = state.workers.get(asking.worker)
    holding, waiting = asking.holding + sum(leave.granted), _minus(asking.want, leave.granted)
    me = Worker(
        holding=holding,
        waiting=waiting[:3],
        further=waiting[3:],
        waiting_until=now + leave.wait_ms + 500 if leave.wait_ms else 0,
        alive_until=now + limits.lease_ms,
    )
    alive = {name: worker for name, worker in state.workers.items() if worker.alive_until > now}
    freed = before is not None and holding < before.holding and sum(others.waiting) > 0
    answer = replace(leave, at=now, in_flight=holding + others.holding, freed=freed, short=leave.short and others.holding > 0)
    return msgspec.structs.replace(state, workers={**alive, asking.worker: me}), answer


def _aged(state: BudgetState, limits: Limits, now: int) -> BudgetState:
    """Without the calls that left the window; a new day starts at nothing. A clock set back loses what it puts into the future."""
    return msgspec.structs.replace(
        day.aged(hour.kept(state, now), limits, now),
        live=_recent(state.live, limits, now),
        other=_recent(state.other, limits, now),
        pace=min(max(state.pace, now - _CATCH_UP_MS), now + limits.window_ms),
    )


def _recent(calls: tuple[int, ...], limits: Limits, now: int) -> tuple[int, ...]:
    if limits.calls is None:
        return ()
    return tuple(at for at in calls if now - limits.window_ms < at <= now + _AHEAD_MS)


def _told(state: BudgetState, limits: Limits, asking: Asking, now: int) -> BudgetState:
    """With what the system said to the worker that asks."""
    if asking.moved:
        state = msgspec.structs.replace(state, live=_moved(state.live, asking.moved), other=_moved(state.other, asking.moved))
    if asking.unblock:
        state = msgspec.structs.replace(state, blocked_until=0, trials=0)
    if asking.block_ms:
        trials = state.trials if now < state.blocked_until else 0
        until = max(state.blocked_until, now + asking.block_ms)
        trial_at = now + min(asking.block_ms, _trial_ms(limits, trials))
        state = msgspec.structs.replace(state, blocked_until=until, probe_at=trial_at, trials=trials)
    if asking.seen is not None:
        state = day.seen(state, limits, *asking.seen, now)
    if asking.others is not None:
        state = day.others_used(state, limits, *asking.others, now)
    if asking.written:
        state = hour.noted(state, now, written=asking.written, at_once=asking.at_once)
        state = msgspec.structs.replace(state, writers={**state.writers, asking.worker: now})
    return state


def _moved(calls: tuple[int, ...], moved: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """The calls with those that went out late where they belong."""
    left = list(calls)
    for allowed, sent in moved:
        if allowed in left:
            left[left.index(allowed)] = sent
    return tuple(sorted(left))


def _others(state: BudgetState, me: str, now: int) -> _Others:
    alive = [worker for name, worker in state.workers.items() if name != me and worker.alive_until > now]
    waiting = [(*worker.waiting, *worker.further) for worker in alive if worker.waiting_until > now]
    return _Others(
        holding=sum(worker.holding for worker in alive),
        waiting=_by_lane(lambda lane: sum(each[lane] for each in waiting)),
        rivals=_by_lane(lambda lane: sum(1 for each in waiting if each[lane])),
    )


def _refused_ms(state: BudgetState, limits: Limits, now: int) -> int:
    """How long the system itself, or the count of the day, refuses every call; 0: it doesn't."""
    if now < state.blocked_until:
        return max(1, min(state.blocked_until, state.probe_at) - now)
    allowed = day.allowed(state, limits)
    if allowed is None or state.day_used < allowed:
        return 0
    return max(1, (state.day_ends if limits.day_zone else state.probe_at) - now)


def _probe(state: BudgetState, limits: Limits, asking: Asking, refused_ms: int, now: int) -> tuple[BudgetState, Leave]:
    """Nobody goes, but for one call now and then that tries whether the refusal still holds."""
    lane = next((lane for lane in LANES if asking.want[lane]), None)
    counted_to_midnight = now >= state.blocked_until and limits.day_zone is not None
    if lane is None or now < state.probe_at or counted_to_midnight:
        wait_ms = refused_ms if lane is not None else 0
        return state, Leave(granted=NONE, wait_ms=wait_ms, quota_ms=_by_lane(lambda _: refused_ms))
    trial_ms = _trial_ms(limits, state.trials + 1)
    state = msgspec.structs.replace(_counted(state, lane, 1, now), probe_at=now + trial_ms, trials=state.trials + 1)
    granted = _by_lane(lambda each: int(each == lane))
    return state, Leave(granted=granted, probe=True, wait_ms=trial_ms, quota_ms=_by_lane(lambda _: trial_ms))


def _trial_ms(limits: Limits, trials: int) -> int:
    """How long after so many trials the next one is made."""
    return min(limits.probe_ms_max, limits.probe_ms << min(trials, 20))


def _share(state: BudgetState, limits: Limits, asking: Asking, others: _Others, now: int) -> tuple[BudgetState, Leave]:
    granted, quotas, waits, short = [0] * len(LANES), [0] * len(LANES), [], False
    ahead = 0
    wanted = sum(asking.want[lane] + others.waiting[lane] for lane in MISSED)
    share = repair_room(state, limits, now, wanted=bool(wanted))
    for lane in LANES:
        spots = limits.places - others.holding - asking.holding - sum(granted)
        places = spots - (0 if lane is Lane.LIVE else kept(limits.places, limits))
        today = _day_room(state, limits, lane, now)
        left = [Room(free=places, wait_ms=_NEVER_MS), today, *rooms(state, limits, lane, ahead, now)]
        if share is not None and lane is Lane.LIVE:
            left.append(less_share(state, limits, ahead, now))
        free = max(0, min(room.free for room in left) - ahead)
        if share is not None and lane in MISSED and not (ahead and _in_turn(state, limits)):
            free = max(free, min(share.free, spots, today.free, (limits.calls or 0) - len(state.live) - len(state.other)))
        granted[lane] = min(asking.want[lane], ceil(free / (others.rivals[lane] + 1)))
        state = _counted(paced(state, limits, lane, granted[lane], now), lane, granted[lane], now)
        if lane in MISSED and granted[lane] + others.waiting[lane]:
            share = replace(share, free=0) if share is not None else None
        missing = asking.want[lane] - granted[lane]
        if missing:
            quotas[lane] = today.wait_ms if today.free <= granted[lane] else 0
            short = short or places <= ahead
            waits.append(max([_SHARE_MS, *(room.wait_ms for room in left if room.free <= ahead)]))
            if lane in MISSED and min(spots, today.free) > granted[lane]:
                waits.append(_share_ms(state, limits, now))
        ahead += others.waiting[lane] + missing
    return state, Leave(
        granted=_by_lane(lambda lane: granted[lane]),
        wait_ms=min(waits, default=0),
        quota_ms=_by_lane(lambda lane: quotas[lane]),
        short=short,
    )


def _in_turn(state: BudgetState, limits: Limits) -> bool:
    """Whether it is the live lane's turn where both want the only place that there is: calls may take longer than the share's gap."""
    return limits.places == 1 and max(state.other, default=0) > max(state.live, default=0)


def _share_ms(state: BudgetState, limits: Limits, now: int) -> int:
    """When the lanes of what was missed may make their next call by their share."""
    share = repair_room(state, limits, now, wanted=True)
    return _FAR_MS if share is None else max(_SHARE_MS, share.wait_ms)


def _day_room(state: BudgetState, limits: Limits, lane: Lane, now: int) -> Room:
    allowed, every = day.allowed(state, limits), day.whole(state, limits)
    if allowed is None or every is None:
        return Room(free=1_000_000, wait_ms=0)
    left = (state.day_ends - now) / day.DAY_MS if limits.day_zone else 1.0
    reserve = ceil(every * limits.day_reserve * left) if lane is not Lane.LIVE else 0
    return Room(free=allowed - state.day_used - reserve, wait_ms=60_000)


def _counted(state: BudgetState, lane: Lane, granted: int, now: int) -> BudgetState:
    times = (now,) * granted
    if granted and lane is not Lane.COPY:
        state = hour.noted(state, now, calls=granted)
    if granted:
        state = day.made(state, now, granted)
    if lane is Lane.LIVE:
        return msgspec.structs.replace(state, live=state.live + times)
    return msgspec.structs.replace(state, other=state.other + times)


def _by_lane(count: Callable[[Lane], int]) -> ByLane:
    return count(Lane.LIVE), count(Lane.REPAIR), count(Lane.COPY), count(Lane.RECONCILE), count(Lane.AUDIT)


def _minus(left: ByLane, right: ByLane) -> ByLane:
    return _by_lane(lambda lane: left[lane] - right[lane])

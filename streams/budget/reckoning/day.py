"""The day's calls of a system: how many there are for us, and how many are left to other applications on the account. Pure."""

from datetime import UTC, date, datetime, time, timedelta
from math import ceil
from zoneinfo import ZoneInfo

import msgspec

from streams.budget.reckoning import hour
from streams.budget.reckoning.limits import Limits
from streams.budget.reckoning.state import BudgetState

DAY_MS = 86_400_000
_STRETCH_MS = 3_600_000


def ends(limits: Limits, now: int) -> int:
    """When the day ends; 0: it rolls."""
    if limits.day_zone is None:
        return 0
    return int(datetime.combine(today(limits, now) + timedelta(days=1), time(), ZoneInfo(limits.day_zone)).timestamp() * 1000)


def today(limits: Limits, now: int) -> date:
    """The date of the system's day."""
    return datetime.fromtimestamp(now / 1000, UTC).astimezone(ZoneInfo(limits.day_zone or "UTC")).date()


def whole(state: BudgetState, limits: Limits) -> int | None:
    """What the day allows everybody on the account; None: no limit is known."""
    return limits.day_calls if state.day_limit is None else state.day_limit


def reserved(state: BudgetState, limits: Limits) -> int:
    """What of the rest is left to others: their share, less what they have used of the day."""
    return max(0, ceil((whole(state, limits) or 0) * limits.others_share) - state.day_others)


def allowed(state: BudgetState, limits: Limits) -> int | None:
    """Up to how many used calls we go on, whoever used them."""
    every = whole(state, limits)
    return None if every is None else max(0, every - reserved(state, limits))


def aged(state: BudgetState, limits: Limits, now: int) -> BudgetState:
    """At another moment: a new day begins at nothing."""
    day_ends = ends(limits, now)
    new_day = limits.day_zone is not None and day_ends != state.day_ends
    kept = () if new_day else tuple(each for each in state.ours if now - DAY_MS - _STRETCH_MS < each[0] <= now)
    return msgspec.structs.replace(
        state,
        day_ends=day_ends,
        day_used=0 if new_day else state.day_used,
        day_others=0 if new_day else state.day_others,
        ours=kept,
    )


def made(state: BudgetState, now: int, calls: int) -> BudgetState:
    """With calls of our own."""
    began = now - now % _STRETCH_MS
    *before, last = state.ours or ((began, 0),)
    if last[0] < began:
        before, last = [*before, last], (began, 0)
    return msgspec.structs.replace(state, day_used=state.day_used + calls, ours=(*before, (last[0], last[1] + calls)))


def seen(state: BudgetState, limits: Limits, used: int, limit: int, now: int) -> BudgetState:
    """The system told how many calls of the day are used, whoever made them."""
    more = used - state.day_used
    if state.day_limit is not None and more > limits.places:  # fewer may be our own, told out of order
        state = hour.noted(state, now, calls=more)
    others = max(0, used - sum(calls for _, calls in state.ours))
    return msgspec.structs.replace(state, day_used=used, day_limit=limit, day_others=others)


def others_used(state: BudgetState, limits: Limits, day: str, calls: int, now: int) -> BudgetState:
    """The system told how many calls of a day (ISO) others have used; of another day than this it says nothing."""
    more = calls - state.day_others
    if more <= 0 or day != today(limits, now).isoformat():
        return state
    state = hour.noted(state, now, calls=more)
    return msgspec.structs.replace(state, day_used=state.day_used + more, day_others=calls)

"""Whether the day's calls last, and how long edits have to be gathered so that they do. Pure; times in seconds, moments in ms."""

from dataclasses import dataclass
from math import inf

from streams.budget.reckoning import day
from streams.budget.reckoning.hour import STRETCH_MS
from streams.budget.reckoning.limits import Limits
from streams.budget.reckoning.state import BudgetState

_DAY_SECONDS = 86_400.0
_HOUR_SECONDS = 3_600.0
_OBSERVED_SECONDS = 600.0
"""A rate is told by no less than this: a burst after a quiet night is no rate."""
_SOON_SECONDS = 60.0
_USED = 0.98
"""Of what is left, so much is spent by plan; the rest is for whoever errs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """The day of one system's calls, as the last hour lets expect it. Rates: calls a second."""

    left: int | None = None
    """Calls that the day still allows. None: no limit is known."""
    resets_ms: int = 0
    """When the day ends; 0: it rolls on, a call comes free a day after it was made."""
    others_rate: float = 0.0
    """Of what writes no edits: looks and polls of the live and the repair lane, and others on the account as far as the system tells."""
    written_rate: float = 0.0
    """Of what writes edits."""
    at_once_rate: float = 0.0
    """What writing edits would take if each went at once."""
    gather_seconds: float = 0.0
    """Between two calls that write edits, all workers together; 0: each edit goes at once."""
    writers: int = 1
    """Workers among which these calls are shared."""
    used_up_at_once_ms: int | None = None
    """When the calls would be used up if each edit went at once; None: they last."""
    used_up_ms: int | None = None
    """When they will be used up even so; None: they last."""

    @property
    def gap_seconds(self) -> float:
        """Between two calls of one worker."""
        return self.gather_seconds * self.writers


def forecast(state: BudgetState, limits: Limits, now: int) -> Forecast:
    """The first copy and other work without hurry is not in it: those lanes stop by themselves before the live lane's share is touched.

    Edits go at once while what the hour's rates take is less than what is left, evenly spread over the rest of the day; else each call
    waits for its even share, at most `limits.gather_ms_max`. Of a rolling day, what is used comes back as it was used.
    """
    allowed = day.allowed(state, limits)
    if allowed is None:
        return Forecast()
    used, seconds = _spent(state, limits, now)
    left = max(0, allowed - used)
    sustained, coming = _sustained(allowed, left, used, seconds, limits)
    others, written, at_once = _rates(state, now)
    gather = _gather(sustained - others, at_once, limits.gather_ms_max / 1000)
    soon = min(at_once, 1 / gather) if gather else at_once
    return Forecast(
        left=left,
        resets_ms=state.day_ends if limits.day_zone and state.day_ends > now else 0,
        others_rate=others,
        written_rate=written,
        at_once_rate=at_once,
        gather_seconds=gather,
        writers=max(1, len(state.writers)),
        used_up_at_once_ms=_used_up(left, others + at_once - coming, seconds, now),
        used_up_ms=_used_up(left, others + soon - coming, seconds, now),
    )


def _spent(state: BudgetState, limits: Limits, now: int) -> tuple[int, float]:
    """Calls used of the day that `now` is in, and its rest."""
    if limits.day_zone is None:
        return state.day_used, _DAY_SECONDS
    if state.day_ends <= now:
        return 0, _DAY_SECONDS
    return state.day_used, max(_SOON_SECONDS, (state.day_ends - now) / 1000)


def _sustained(allowed: int, left: int, used: int, seconds: float, limits: Limits) -> tuple[float, float]:
    """Calls a second that may be made all the time, and that come back meanwhile."""
    if limits.day_zone is not None:
        return _USED * left / seconds, 0.0
    coming = used / _DAY_SECONDS
    return _USED * min(allowed / _DAY_SECONDS, left / _HOUR_SECONDS + coming), coming


def _rates(state: BudgetState, now: int) -> tuple[float, float, float]:
    """Of other calls, of those that wrote edits, and of those it would have taken to write each at once."""
    if not state.hour:
        return 0.0, 0.0, 0.0
    observed = min(max(_OBSERVED_SECONDS, (now - state.hour[0][0]) / 1000), _HOUR_SECONDS + STRETCH_MS / 1000)
    calls, written = sum(each[1] for each in state.hour), sum(each[2] for each in state.hour)
    return max(0, calls - written) / observed, written / observed, sum(each[3] for each in state.hour) / observed


def _gather(room: float, at_once: float, longest: float) -> float:
    """Seconds between two calls; `room`: calls a second for them."""
    if at_once <= room or not longest:
        return 0.0
    return min(longest, 1 / room) if room > 0 else longest


def _used_up(left: int, rate: float, seconds: float, now: int) -> int | None:
    after = left / rate if rate > 0 else inf
    return None if after >= seconds else now + round(after * 1000)

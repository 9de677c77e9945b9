"""How long to wait before the feed is asked again: short while things change, longer while nothing does, within a share of the day."""

from dataclasses import dataclass

_DAY_SECONDS = 86_400.0
_GROWTH, _ECHO_STRETCH = 1.5, 4.0


@dataclass(slots=True, kw_only=True)
class Pace:
    """Adaptive interval. `calls_per_day_max` is the share of the instance's daily calls (50,000 by default) that polling may use.

    Calls not made are saved up to an hour's worth, so that a busy hour may be followed closely; when the savings are gone the
    interval is what the share allows, and at most `max_seconds`: the hard limit is the budget's.
    """

    min_seconds: float = 1.0
    max_seconds: float = 15.0
    calls_per_day_max: int = 20_000
    _interval: float = 0.0
    _savings: float = -1.0
    _at: float = 0.0

    def __post_init__(self) -> None:
        """Refuses what can't be."""
        if not 0 < self.min_seconds <= self.max_seconds:
            raise ValueError(f"the interval must grow from min {self.min_seconds:g} to max {self.max_seconds:g} seconds, above 0")
        if self.calls_per_day_max < _DAY_SECONDS / self.max_seconds:
            raise ValueError(
                f"calls_per_day_max {self.calls_per_day_max} does not pay for a poll every {self.max_seconds:g} s: "
                f"allow at least {int(_DAY_SECONDS / self.max_seconds) + 1}, or a longer max_seconds"
            )
        self._interval = self.min_seconds
        self._savings = self._savings_max

    @property
    def _rate(self) -> float:
        return self.calls_per_day_max / _DAY_SECONDS

    @property
    def _savings_max(self) -> float:
        return self._rate * 3600

    @property
    def debt_seconds(self) -> float:
        """Until what was spent beyond the share is made good; 0 while something is saved."""
        return max(0.0, -self._savings / self._rate)

    def after(self, *, changes: int, calls: int, now: float, echoes: int = 0) -> float:
        """Seconds until the next poll, after one that found `changes` by others and `echoes` of ours, and cost `calls`.

        `now` is a monotonic clock. Echoes alone are no news, but what comes next may wait for them: not at once, yet soon.
        """
        if self._at:
            self._savings = min(self._savings_max, self._savings + (now - self._at) * self._rate)
        self._at = now
        self._savings -= calls
        if changes:
            self._interval = self.min_seconds
        elif echoes:
            self._interval = min(self.max_seconds, self.min_seconds * _ECHO_STRETCH)
        else:
            self._interval = min(self.max_seconds, self._interval * _GROWTH)
        affordable = (calls - self._savings) / self._rate
        return min(self.max_seconds, max(self._interval, affordable))

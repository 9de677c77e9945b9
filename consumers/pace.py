"""How soon a call may go that is not full: at once while calls are plenty, evenly spread when they are not. Pure; times in seconds.

Edits wait for the next call and share it. What makes them wait long is not that calls are few but that they are spent unevenly: a
hundred within three seconds, then none for seventeen.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

_EASY, _TIGHT = 0.3, 0.6
"""Share of the window in use up to which calls are plenty; from which on they are spread evenly. In between, a part of the gap."""
_SPARE = 0.04
"""Share of the window that is left alone: whoever else calls the system finds a place at once."""
_LONGEST_SECONDS = 1.0


class Pacing(Protocol):
    """What the dispatcher asks. `now`: a monotonic clock."""

    def wait(self, now: float) -> float:
        """Seconds until the next call that isn't full may go."""
        ...

    def spend(self, now: float) -> None:
        """A call goes out now."""
        ...

    def easy(self, now: float) -> bool:
        """Whether calls are plenty at the moment."""
        ...


@dataclass(slots=True, kw_only=True)
class BucketPace:
    """Where only the day is limited: `burst` calls at once, then `per_second`."""

    burst: float
    per_second: float
    _tokens: float = -1.0
    _at: float = 0.0

    def wait(self, now: float) -> float:
        """As the port says."""
        tokens = self.burst if self._tokens < 0 else min(self.burst, self._tokens + (now - self._at) * self.per_second)
        self._tokens, self._at = tokens, now
        return max(0.0, (1.0 - tokens) / self.per_second)

    def spend(self, now: float) -> None:
        """As the port says."""
        self.wait(now)
        self._tokens = max(0.0, self._tokens - 1.0)

    def easy(self, now: float) -> bool:
        """As the port says."""
        self.wait(now)
        return self._tokens > self.burst / 2


@dataclass(slots=True, kw_only=True)
class WindowPace:
    """Where `calls` are allowed in any `window_seconds`, to everybody together.

    `leaving`: in how many seconds each call of the window, whoever made it, leaves it, as far as known. What others called is
    taken to be called again; what we called comes free for us. The gap between two of our calls is the shortest with which, kept
    up, a place is free for each of them when its time comes.
    """

    calls: int
    window_seconds: float
    leaving: Callable[[], Sequence[float]]
    _own: deque[float] = field(default_factory=deque)

    def wait(self, now: float) -> float:
        """As the port says."""
        if not self._forget(now):
            return 0.0
        used = len(self.leaving())
        share = min(1.0, max(0.0, (used / self.calls - _EASY) / (_TIGHT - _EASY)))
        if not share:
            return 0.0
        return max(0.0, self._own[-1] + self._gap(used) * share - now)

    def spend(self, now: float) -> None:
        """As the port says."""
        self._own.append(now)

    def easy(self, now: float) -> bool:
        """As the port says."""
        del now
        return len(self.leaving()) < self.calls * _EASY

    def _gap(self, used: int) -> float:
        """Even spending of what is free now and of what comes free, call by call."""
        free = self.calls * (1.0 - _SPARE) - used
        last = self._own[-1]
        gap = self.window_seconds / max(1.0, free + len(self._own))
        for place, at in enumerate(self._own):
            gap = max(gap, (at + self.window_seconds - last) / max(1.0, free + place + 1))
            if gap >= _LONGEST_SECONDS:
                return _LONGEST_SECONDS
        return gap

    def _forget(self, now: float) -> bool:
        """Drop our calls that have left the window; whether any are left."""
        while self._own and self._own[0] + self.window_seconds <= now:
            self._own.popleft()
        return bool(self._own)

"""How soon a call may go that is not full: at once while calls are plenty, evenly spread when they are not. Pure; times in seconds.

Edits wait for the next call and share it. What makes them wait long is not that calls are few but that they are spent unevenly: a
hundred within three seconds, then none for seventeen.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from streams.budget.port import Lane

_EASY, _TIGHT = 0.3, 0.6
"""Share of the window in use up to which calls are plenty; from which on they are spread evenly. In between, a part of the gap."""
_SPARE = 0.02
"""Share of the window that is left alone: whoever else calls the system finds a place soon."""
_LONGEST_SECONDS = 1.0
_RECENT, _AS_FAST = 40, 1.15
"""Edits that come hardly faster than calls may go, by the last so many calls, can have one each, most of them."""
_SAVED_LOW, _SAVED_HIGH, _SAVING = 0.02, 0.05, 1.05
"""Then calls go at once until so little of the window is left, and are stretched by so much until there is more again."""


class Pacing(Protocol):
    """What the dispatcher asks. `now`: a monotonic clock."""

    def wait(self, now: float) -> float:
        """Seconds until the next call that isn't full may go."""
        ...

    def spend(self, now: float, records: int = 1, lane: Lane = Lane.LIVE) -> None:
        """A call goes out now, with so many records of such a lane."""
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

    def spend(self, now: float, records: int = 1, lane: Lane = Lane.LIVE) -> None:
        """As the port says."""
        del records, lane
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

    Where edits come about as fast as calls, most of them go at once: the calls that this takes are saved by others that share one,
    a stretch of time each. The median edit then does not wait, and the longest waits are hardly longer.
    """

    calls: int
    window_seconds: float
    leaving: Callable[[], Sequence[float]]
    _own: deque[float] = field(default_factory=deque)
    _records: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_RECENT))
    _saving: bool = False

    def wait(self, now: float) -> float:
        """As the port says."""
        if not self._forget(now):
            return 0.0
        used = len(self.leaving())
        if self._slow(used, now):
            self._saving = self.calls - used < self.calls * (_SAVED_HIGH if self._saving else _SAVED_LOW) + 1
            return max(0.0, self._own[-1] + self._saving_gap(used) - now) if self._saving else 0.0
        share = min(1.0, max(0.0, (used / self.calls - _EASY) / (_TIGHT - _EASY)))
        if not share:
            return 0.0
        return max(0.0, self._own[-1] + self._gap(used) * share - now)

    def spend(self, now: float, records: int = 1, lane: Lane = Lane.LIVE) -> None:
        """As the port says."""
        del lane
        self._own.append(now)
        self._records.append((now, records))

    def easy(self, now: float) -> bool:
        """As the port says."""
        del now
        return len(self.leaving()) < self.calls * _EASY

    def _slow(self, used: int, now: float) -> bool:
        """Whether edits have come hardly faster, lately, than calls are left by others."""
        seconds = now - self._records[0][0]
        ours = self.calls - (used - len(self._own))
        edits = sum(records for _, records in self._records) - self._records[0][1]
        return edits * self.window_seconds <= _AS_FAST * ours * seconds

    def _saving_gap(self, used: int) -> float:
        even = self.window_seconds / max(1, self.calls - (used - len(self._own)))
        return min(self._gap(used), even * _SAVING) * _SAVING

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

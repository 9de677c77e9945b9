"""The day must last: while its calls do, an edit goes at once; else edits are gathered as long as the rest of the day demands."""

from dataclasses import dataclass
from typing import Protocol

from consumers.settle.conditions.pace import Pacing
from streams.budget.port import Lane
from streams.budget.reckoning.forecast import Forecast


class Day(Protocol):
    """What all workers together know of a system's day."""

    def forecast(self) -> Forecast:
        """How it will go."""
        ...

    def wrote(self, at_once: float) -> None:
        """A call wrote edits, where it would have taken `at_once` calls to write each by itself."""
        ...


@dataclass(slots=True, kw_only=True)
class Lasting:
    """A pace that looks at the day, too. `calls_per_second`: as fast as single edits could go."""

    pace: Pacing
    day: Day
    calls_per_second: float
    _last: float | None = None

    def wait(self, now: float) -> float:
        """As the port says."""
        held = 0.0 if self._last is None else self._last + self.day.forecast().gap_seconds - now
        return max(self.pace.wait(now), held)

    def spend(self, now: float, records: int = 1, lane: Lane = Lane.LIVE) -> None:
        """As the port says. What is copied is no edit."""
        self.pace.spend(now, records, lane)
        if lane is Lane.COPY:
            return
        most = float(records) if self._last is None else max(1.0, (now - self._last) * self.calls_per_second)
        self._last = now
        self.day.wrote(min(float(records), most))

    def easy(self, now: float) -> bool:
        """As the port says: not while edits are gathered."""
        return not self.day.forecast().gather_seconds and self.pace.easy(now)

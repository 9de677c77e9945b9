"""The instance's limits, shared by all API users (REST API overview): calls in 20 s, calls at once, calls a day; and the usage
statistics.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from infra.sandbox.kernel.meters import Meters
from infra.sandbox.marketo.border.errors import MESSAGES, ApiError

_CENTRAL = ZoneInfo("America/Chicago")
_WINDOW_MS = 20_000
LIMITS = ("calls_per_20s", "concurrency", "daily")


@dataclass(slots=True, kw_only=True)
class Limits:
    """Refused calls use up neither the window nor the concurrency; 606 and 615 do count for the day."""

    meters: Meters
    calls_per_20s: int = 100
    concurrency: int = 10
    daily: int = 50_000
    _window: deque[int] = field(default_factory=deque)
    _running: int = 0
    _calls: Counter[tuple[date, str]] = field(default_factory=Counter)
    _errors: Counter[tuple[date, str]] = field(default_factory=Counter)

    def set(self, wanted: Mapping[str, int]) -> None:
        """Other limits, by their names in LIMITS."""
        for name, value in wanted.items():
            setattr(self, name, value)

    def enter(self, user: str, now_ms: int) -> None:
        """Admits a call; `leave()` must follow. ApiError 607, 606 or 615 instead when a limit is reached."""
        day = central_day(now_ms)
        while self._window and self._window[0] <= now_ms - _WINDOW_MS:
            self._window.popleft()
        if self._day_total(day) >= self.daily:
            raise ApiError("607", MESSAGES["607"] % self.daily)
        self._calls[day, user] += 1
        self.meters.gauge("calls_today", self._day_total(day))
        if len(self._window) >= self.calls_per_20s:
            raise ApiError("606", MESSAGES["606"] % self.calls_per_20s)
        if self._running >= self.concurrency:
            raise ApiError("615", MESSAGES["615"] % self.concurrency)
        self._window.append(now_ms)
        self._running += 1
        self.meters.gauge("calls_in_20s", len(self._window))
        self.meters.gauge("concurrency", self._running)

    def leave(self) -> None:
        self._running -= 1
        self.meters.gauge("concurrency", self._running)

    def error(self, code: str, now_ms: int) -> None:
        self._errors[central_day(now_ms), code] += 1

    def report(self, now_ms: int) -> dict[str, Any]:
        in_window = sum(at > now_ms - _WINDOW_MS for at in self._window)
        limits = {"calls_per_20s": self.calls_per_20s, "concurrency": self.concurrency, "daily": self.daily}
        return {
            "limits": limits,
            "now": {"calls_in_20s": in_window, "concurrency": self._running, "calls_today": self._day_total(central_day(now_ms))},
        }

    def usage(self, now_ms: int, days: int) -> list[dict[str, Any]]:
        """As `stats/usage.json` shows it, the latest day first."""
        rows = []
        for day in _days(now_ms, days):
            users = [{"userId": user, "count": count} for (on, user), count in sorted(self._calls.items()) if on == day]
            rows.append({"date": day.isoformat(), "total": self._day_total(day), "users": users})
        return rows

    def errors(self, now_ms: int, days: int) -> list[dict[str, Any]]:
        """As `stats/errors.json` shows it."""
        rows = []
        for day in _days(now_ms, days):
            found = [{"errorCode": code, "count": count} for (on, code), count in sorted(self._errors.items()) if on == day]
            total = sum(count for (on, _), count in self._errors.items() if on == day)
            rows.append({"date": day.isoformat(), "total": total, "errors": found})
        return rows

    def _day_total(self, day: date) -> int:
        return sum(count for (on, _), count in self._calls.items() if on == day)


def central_day(now_ms: int) -> date:
    """The day by which quotas go."""
    return datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(_CENTRAL).date()


def _days(now_ms: int, days: int) -> list[date]:
    today = central_day(now_ms)
    return [today - timedelta(days=back) for back in range(days)]

"""Counts of what the system was asked for: by actor and endpoint, with high-water marks."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Row:
    calls: int = 0
    records: int = 0
    errors: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Meters:
    """Counters since the start of the process or the last `reset()`."""

    _rows: dict[tuple[str, str], Row] = field(default_factory=dict)
    _gauges: dict[str, float] = field(default_factory=dict)
    _high: dict[str, float] = field(default_factory=dict)

    def count(self, actor: str, endpoint: str, *, calls: int = 0, records: int = 0, error: str | None = None) -> None:
        """Adds to the row of (actor, endpoint). `endpoint` is a route pattern, never a path with ids in it."""
        row = self._rows.setdefault((actor, endpoint), Row())
        row.calls += calls
        row.records += records
        if error is not None:
            row.errors[error] += 1

    def gauge(self, name: str, value: float) -> None:
        """Sets a gauge and lifts its high-water mark."""
        self._gauges[name] = value
        if value > self._high.get(name, float("-inf")):
            self._high[name] = value

    def reset(self) -> None:
        self._rows.clear()
        self._high = dict(self._gauges)

    def report(self) -> dict[str, Any]:
        rows = [
            {"actor": actor, "endpoint": endpoint, "calls": row.calls, "records": row.records, "errors": dict(row.errors)}
            for (actor, endpoint), row in sorted(self._rows.items())
        ]
        total = {"calls": sum(row.calls for row in self._rows.values()), "records": sum(row.records for row in self._rows.values())}
        return {"rows": rows, "total": total, "gauges": dict(self._gauges), "high": dict(self._high)}

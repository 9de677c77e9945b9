"""Relative date literals as half-open ranges of days (SOQL guide, date formats and date literals).

Days are UTC days; weeks begin on Sunday; fiscal quarters and years are calendar ones.
"""

from __future__ import annotations

import re
from datetime import date, timedelta

from infra.sandbox.salesforce.soql.grammar.query import Span

DAY = timedelta(days=1)
_DAYS = {"TODAY": (0, 1), "YESTERDAY": (-1, 0), "TOMORROW": (1, 2), "LAST_90_DAYS": (-90, 1), "NEXT_90_DAYS": (1, 91)}
_UNITS = ("WEEK", "MONTH", "QUARTER", "YEAR", "FISCAL_QUARTER", "FISCAL_YEAR")
PLAIN = frozenset(_DAYS) | {f"{which}_{unit}" for which in ("LAST", "THIS", "NEXT") for unit in _UNITS}
"""Literals without a number."""
COUNTED = frozenset(name.format(unit=unit) for unit in ("DAY", *_UNITS) for name in ("LAST_N_{unit}S", "NEXT_N_{unit}S", "N_{unit}S_AGO"))
"""Literals with a number, such as LAST_N_DAYS:30."""
_COUNTED = re.compile(r"(?:(LAST|NEXT)_N_(\w+)S|N_(\w+)S_AGO)")


def days_of(span: Span, today: date) -> tuple[date, date]:
    """First day of the span and first day after it. A span too far away ends at the calendar's edge."""
    try:
        return _range(span, today)
    except (OverflowError, ValueError):
        past = span.name.startswith("LAST") or span.name.endswith("AGO")
        return (date.min, date.min) if past else (date.max, date.max)


def _range(span: Span, today: date) -> tuple[date, date]:
    if span.name in _DAYS:
        first, end = _DAYS[span.name]
        return today + first * DAY, today + end * DAY
    counted = _COUNTED.fullmatch(span.name)
    if counted is None:
        which, _, unit = span.name.partition("_")
        step = {"LAST": -1, "THIS": 0, "NEXT": 1}[which]
        return _start(today, unit, step), _start(today, unit, step + 1)
    which, unit, ago = counted.groups()
    if ago:
        end = 1 - span.n
        return _start(today, ago, -span.n), _start(today, ago, end)
    if which == "LAST":
        return _start(today, unit, -span.n), _start(today, unit, 1 if unit == "DAY" else 0)
    return _start(today, unit, 1), _start(today, unit, span.n + 1)


def _start(today: date, unit: str, step: int) -> date:
    """The first day of the unit that is so many units after the present one."""
    match unit.removeprefix("FISCAL_"):
        case "DAY":
            return today + step * DAY
        case "WEEK":
            return today - timedelta(days=(today.weekday() + 1) % 7) + step * 7 * DAY
        case "MONTH":
            return _month(today.year, today.month - 1 + step)
        case "QUARTER":
            return _month(today.year, (today.month - 1) // 3 * 3 + 3 * step)
        case _:
            return date(today.year + step, 1, 1)


def _month(year: int, month: int) -> date:
    """The first of the month, counted from 0 in that year."""
    years, rest = divmod(month, 12)
    return date(year + years, rest + 1, 1)

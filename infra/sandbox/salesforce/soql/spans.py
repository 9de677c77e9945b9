"""Relative date literals as half-open ranges of days (SOQL guide, date formats and date literals).

Days are UTC days; weeks begin on Sunday.
"""

from __future__ import annotations

from datetime import date, timedelta

from infra.sandbox.salesforce.soql.query import Span

DAY = timedelta(days=1)


def days_of(span: Span, today: date) -> tuple[date, date]:
    """First day of the span and first day after it. A span too far away ends at the calendar's edge."""
    try:
        return _range(span, today)
    except OverflowError:
        return (date.min, date.min) if span.name in ("LAST_N_DAYS", "N_DAYS_AGO") else (date.max, date.max)


def _range(span: Span, today: date) -> tuple[date, date]:
    counted = {
        "TODAY": (0, 1),
        "YESTERDAY": (-1, 0),
        "TOMORROW": (1, 2),
        "LAST_N_DAYS": (-span.n, 1),
        "NEXT_N_DAYS": (1, span.n + 1),
        "N_DAYS_AGO": (-span.n, 1 - span.n),
        "LAST_90_DAYS": (-90, 1),
        "NEXT_90_DAYS": (1, 91),
    }
    if span.name in counted:
        first, end = counted[span.name]
        return today + first * DAY, today + end * DAY
    step = {"LAST": -1, "THIS": 0, "NEXT": 1}[span.name.partition("_")[0]]
    if span.name.endswith("_WEEK"):
        start = today - timedelta(days=(today.weekday() + 1) % 7) + step * 7 * DAY
        return start, start + 7 * DAY
    if span.name.endswith("_MONTH"):
        start = _month(today, step)
        return start, _month(start, 1)
    return date(today.year + step, 1, 1), date(today.year + step + 1, 1, 1)


def _month(day: date, step: int) -> date:
    months = day.year * 12 + day.month - 1 + step
    return date(months // 12, months % 12 + 1, 1)

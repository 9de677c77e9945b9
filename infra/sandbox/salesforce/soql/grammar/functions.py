"""Functions of one field: of its date (SOQL guide, date functions), and of how it is shown (toLabel, FORMAT, convertCurrency)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from infra.sandbox.salesforce.schema.types import NUMERIC, Field, Kind, Value

_DATES: dict[str, Callable[[datetime], int]] = {
    "CALENDAR_MONTH": lambda at: at.month,
    "CALENDAR_QUARTER": lambda at: (at.month + 2) // 3,
    "CALENDAR_YEAR": lambda at: at.year,
    "DAY_IN_MONTH": lambda at: at.day,
    "DAY_IN_WEEK": lambda at: at.isoweekday() % 7 + 1,
    "DAY_IN_YEAR": lambda at: at.timetuple().tm_yday,
    "FISCAL_MONTH": lambda at: at.month,
    "FISCAL_QUARTER": lambda at: (at.month + 2) // 3,
    "FISCAL_YEAR": lambda at: at.year,
    "HOUR_IN_DAY": lambda at: at.hour,
    "WEEK_IN_MONTH": lambda at: (at.day - 1) // 7 + 1,
    "WEEK_IN_YEAR": lambda at: (at.timetuple().tm_yday - 1) // 7 + 1,
}
DAY_ONLY = "DAY_ONLY"
DATE_FUNCTIONS = frozenset(_DATES) | {DAY_ONLY}
SHOWING = frozenset({"TOLABEL", "FORMAT", "CONVERTCURRENCY"})
ZONE = "CONVERTTIMEZONE"
"""Stands within a date function; the org's users are in GMT, so it changes nothing."""


def result_of(function: str, field: Field) -> Field | None:
    """What the function of the field is; None where there is none: of a field that is no date, or an hour of one without time."""
    if field.kind not in (Kind.DATE, Kind.DATETIME) or (function in (DAY_ONLY, "HOUR_IN_DAY") and field.kind is Kind.DATE):
        return None
    kind = Kind.DATE if function == DAY_ONLY else Kind.INT
    return Field(name=field.name, kind=kind, label=field.label)


def worked_out(function: str, value: Value) -> Value:
    if value is None:
        return None
    text = str(value)
    return text[:10] if function == DAY_ONLY else _DATES[function](datetime.fromisoformat(text[:19]))


def shown_as(function: str, field: Field, value: Any) -> Any:
    """The value as FORMAT and toLabel show it in an English org: labels are the values themselves."""
    if function != "FORMAT" or value is None:
        return value
    if field.kind in NUMERIC:
        text = f"{value:,.{field.scale}f}"
        return f"USD {text}" if field.kind is Kind.CURRENCY else f"{text}%" if field.kind is Kind.PERCENT else text
    if field.kind is Kind.DATE:
        day = date.fromisoformat(str(value))
        return f"{day.month}/{day.day}/{day.year}"
    if field.kind is Kind.DATETIME:
        at = datetime.fromisoformat(str(value)[:19])
        return f"{at.month}/{at.day}/{at.year}, {at.hour % 12 or 12}:{at.minute:02d} {'AM' if at.hour < 12 else 'PM'}"
    return value

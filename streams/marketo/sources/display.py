"""Marketo's activities show values as text; leads have them typed. From the one to the other, and back.

Booleans come as "True"/"False" from the user interface and flows and as "1"/"0" from elsewhere, datetimes as
`2023-01-26 18:46:00` in the instance's own zone without saying so, empty as null (recorded activity rows of real instances).
"""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from streams.wire.events import Value

_TRUE, _FALSE = frozenset({"true", "1"}), frozenset({"false", "0"})
_DATETIME = "%Y-%m-%d %H:%M:%S"
_WIRE = "%Y-%m-%dT%H:%M:%SZ"

WHOLE = frozenset({"integer", "percent", "score"})
DECIMAL = frozenset({"float", "currency"})


def decode(display: object, data_type: str, zone: ZoneInfo) -> Value:
    """The typed value, as the lead API would give it, of a value shown in an activity.

    Raises ValueError where the text is no value of the type, or could be two (a local time that the clock passes twice).
    """
    text = _text(display)
    if text is None:
        return None
    if data_type == "datetime":
        return _decode_datetime(text, zone)
    reader = _READERS.get(data_type)
    return reader(text) if reader else text


def shows(typed: Value, display: object, data_type: str, zone: ZoneInfo) -> bool:
    """Whether a typed value, as read from a lead, is the one that an activity shows."""
    text = _text(display)
    if typed is None or typed == "":
        return text is None
    if text is None:
        return False
    try:
        if data_type == "datetime":
            return _at(text) == _instant(typed).astimezone(zone).replace(tzinfo=None, microsecond=0)
        value = decode(text, data_type, zone)
    except ValueError:
        return False
    if isinstance(value, bool) or isinstance(typed, bool):
        return value is typed
    if isinstance(value, float) and isinstance(typed, int | float):
        return math.isclose(value, typed, rel_tol=1e-9, abs_tol=1e-9)
    return value == typed


def show(typed: Value, data_type: str, zone: ZoneInfo) -> str | None:
    """The text that an activity shows for a typed value; the inverse of `decode`."""
    if typed is None or typed == "":
        return None
    if isinstance(typed, bool):
        return "True" if typed else "False"
    if data_type == "datetime":
        return _instant(typed).astimezone(zone).strftime(_DATETIME)
    if isinstance(typed, float) and data_type in WHOLE:
        return str(int(typed))
    return str(typed)


def _text(display: object) -> str | None:
    """Rows hold text; some attributes come as JSON numbers or booleans."""
    if display is None or display == "":
        return None
    return display if isinstance(display, str) else str(display)


def _boolean(text: str) -> bool:
    folded = text.strip().casefold()
    if folded in _TRUE:
        return True
    if folded in _FALSE:
        return False
    raise ValueError("not a boolean")


def _whole(text: str) -> int:
    number = _decimal(text)
    if not number.is_integer():
        raise ValueError("not a whole number")
    return int(text) if text.strip().lstrip("+-").isdecimal() else int(number)


def _decimal(text: str) -> float:
    number = float(text.replace("_", "x"))
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number


def _date(text: str) -> str:
    return date.fromisoformat(text.strip()).isoformat()


@lru_cache(maxsize=4096)
def _decode_datetime(text: str, zone: ZoneInfo) -> str:
    """The instant as the lead API writes it: ISO 8601 in UTC. A local time that occurs twice or never is refused."""
    local = _at(text)
    early = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    late = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if early != late:
        raise ValueError("a local time at a change of the clock: two instants, or none")
    return early.strftime(_WIRE)


def _at(text: str) -> datetime:
    """The local time shown; `T` is taken for the space, and a fraction of a second is cut."""
    shown = datetime.fromisoformat(text.strip())
    if shown.tzinfo is not None or len(text.strip()) < len("2023-01-26 18:46"):
        raise ValueError("not a local date and time")
    if not timedelta(0) <= shown - datetime(1900, 1, 1) <= timedelta(days=3_000_000):  # noqa: DTZ001 - local by nature
        raise ValueError("a date out of range")
    return shown.replace(microsecond=0)


def _instant(typed: Value) -> datetime:
    if not isinstance(typed, str):
        raise ValueError("not a datetime")  # noqa: TRY004 - one error for every value that can't be one
    instant = datetime.fromisoformat(typed)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


_READERS: dict[str, Callable[[str], Value]] = {
    "boolean": _boolean,
    "integer": _whole,
    "percent": _whole,
    "score": _whole,
    "float": _decimal,
    "currency": _decimal,
    "date": _date,
}

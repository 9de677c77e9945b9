"""Values: neutral (one shape for both systems), canonical (what is compared), and the wire shape of each system."""

import math
import unicodedata
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

from consumers.mapping.fields import NAMING, NUMBERS, SHAPED, FieldMapping, FieldType, Overlong
from streams.salesforce.api.money import untold_rate
from streams.wire.events import Value
from streams.wire.systems import MARKETO, SALESFORCE, System

Canonical = str | float | bool | tuple[str, ...] | None
"""A comparable form: equal exactly when both systems mean the same."""

_BOOLEAN, _EMAIL, _MULTIPICKLIST, _OWNER = FieldType.BOOLEAN, FieldType.EMAIL, FieldType.MULTIPICKLIST, FieldType.OWNER
_USER = "005"
"""How a user's id begins (Salesforce, object key prefixes)."""
_DEFAULT_SCALE = 6
_DIGITS_MAX, _CHARACTERS_MAX, _SHOWN_MAX = 18, 400, 80
_BOUND = 10**_DIGITS_MAX
_TOO_BIG = f"a number of more than {_DIGITS_MAX} digits"
"""Salesforce's numbers have 18 digits at the most (object reference, field types); Marketo's fields take more, but hold a double."""
_TRUE, _FALSE = frozenset({"true", "1", "yes"}), frozenset({"false", "0", "no", ""})


NOBODY = "tandem-none"
"""The key of the Marketo record that a person belongs to who belongs to none any more: a link to a company can be changed, not taken away
(Marketo, companies)."""


class Unfit(ValueError):  # noqa: N818 - a verdict on a value, not a failure of ours
    """A value that the field's type, or the other system, can't take. The message says why; it holds no value."""


def neutral(kind: FieldType, wire: object) -> Value:
    """The one shape a value has in the ledger, from what either system sends.

    Text keeps its characters (empty is None); numbers are int or float; dates `YYYY-MM-DD`; datetimes UTC to the second,
    `YYYY-MM-DDTHH:MM:SSZ` (Marketo keeps no fractions); booleans are never None (an empty checkbox is False); several choices are
    joined by `;` in their own order. Raises `Unfit`, also for a number of more digits than can be carried.
    """
    if type(wire) is str and kind not in SHAPED:
        return wire or None
    if kind is _BOOLEAN:
        return _boolean(wire)
    if wire is None or wire == "":
        return None
    if isinstance(wire, (dict, list)):
        raise Unfit(f"a nested value where {kind} is expected")
    if kind in NAMING:
        return _named(kind, str(wire))
    if kind in NUMBERS:
        return _number(wire)
    if kind is FieldType.DATE:
        return _date(str(wire))
    if kind is FieldType.DATETIME:
        return _datetime(str(wire))
    return str(wire)


def canonical(field: FieldMapping, value: Value) -> Canonical:
    """What is compared: trimmed, NFC, one kind of line end, e-mail in lower case, numbers to the common scale, choices sorted."""
    kind = field.type
    if isinstance(value, str):
        text = value.strip()
        if not text.isascii():
            text = unicodedata.normalize("NFC", text)
        if kind is _EMAIL:
            return text.lower() or None
        if kind in NAMING:
            return _named(kind, text)
        if kind is _MULTIPICKLIST:
            return tuple(sorted(set(choices(text)))) or None
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        return text or None
    if kind is _BOOLEAN:
        return bool(value)
    if isinstance(value, (int, float)):
        if kind in NAMING:  # Marketo's own number of a record
            return str(value)
        return round(float(value), _DEFAULT_SCALE if field.scale is None else field.scale)
    return None


def _named(kind: FieldType, text: str) -> str | None:
    """The record that is named; None where that is nobody."""
    if not text or text == NOBODY or (kind is _OWNER and not text.startswith(_USER)):
        return None
    return text


def equal(field: FieldMapping, one: Value, other: Value) -> bool:
    """Whether two neutral values mean the same."""
    if one is other or (one == other and type(one) is type(other)):
        return True
    if (
        field.to_the_letter
        and type(one) is str
        and type(other) is str
        and one.isascii()
        and other.isascii()
        and "\r" not in one
        and "\r" not in other
    ):
        return one.strip() == other.strip()
    return canonical(field, one) == canonical(field, other)


def blank(field: FieldMapping, value: Value) -> bool:
    """Whether a value is no value. An unticked box is one, a zero is not."""
    form = canonical(field, value)
    return form is None or form is False


def choices(text: str) -> list[str]:
    """The choices of a multi-select value, in order, without blanks."""
    return [part.strip() for part in text.split(";") if part.strip()]


def wire(field: FieldMapping, system: System, value: Value) -> Value:
    """The value as `system` is sent it. Raises `Unfit` where it can't take it."""
    if value is None:
        if system is MARKETO and (field.placeholder or field.blank):
            return NOBODY if field.placeholder else field.blank
        return False if field.type is FieldType.BOOLEAN else None
    if field.type in NUMBERS and isinstance(value, (int, float)):
        value = bounded(value)
    if field.type in NUMBERS and field.scale is not None and isinstance(value, float):
        rounded = round(value, field.scale)
        return int(rounded) if field.scale == 0 else rounded
    if not isinstance(value, str):
        return value
    if field.type is FieldType.EMAIL and system is MARKETO and not value.isascii():
        raise Unfit("Marketo takes only ASCII in e-mail addresses")
    return _fitted(field, system, value)


def _fitted(field: FieldMapping, system: System, value: str) -> str:
    most = field.salesforce_length if system is SALESFORCE else field.marketo_length
    in_bytes = field.marketo_bytes and system is MARKETO
    if most is None or len(value) * (4 if in_bytes else 1) <= most:
        return value
    size = len(value.encode()) if in_bytes else len(value)
    if size <= most:
        return value
    if field.overlong is Overlong.CUT and field.type in (FieldType.TEXT, FieldType.URL, FieldType.PHONE):
        return value.encode()[:most].decode(errors="ignore") if in_bytes else value[:most]
    raise Unfit(f"{size} {'bytes' if in_bytes else 'characters'}, {system} takes at most {most} in {field.name_on(system)}")


def _boolean(wire: object) -> bool:
    if wire is None:
        return False
    if isinstance(wire, bool):
        return wire
    text = str(wire).strip().lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise Unfit("not a boolean")


def bounded(number: float) -> int | float:
    """The number, if it is one of at most 18 digits before its point. Raises `Unfit`."""
    if -_BOUND < number < _BOUND:
        return number
    raise Unfit(_TOO_BIG if math.isfinite(number) else "not a finite number")


def clipped(value: object) -> str:
    """A value as a person may be shown it, however long it is."""
    text = str(value) if not isinstance(value, int) or -(10**_CHARACTERS_MAX) < value < 10**_CHARACTERS_MAX else "a number without end"
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}…"


def _number(wire: object) -> int | float:
    if isinstance(wire, bool):
        return int(wire)
    if isinstance(wire, (int, float)):
        wire = bounded(wire)
        return int(wire) if isinstance(wire, float) and wire.is_integer() and abs(wire) < 2**53 else wire
    text = str(wire).strip().replace(",", "")
    if len(text) > _CHARACTERS_MAX:
        raise Unfit(_TOO_BIG)
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise Unfit(untold_rate(text) or "not a number") from error
    if not number.is_finite():
        raise Unfit("not a finite number")
    if number.adjusted() >= _DIGITS_MAX:  # before it is made an integer: 1e999999999 is a short text
        raise Unfit(_TOO_BIG)
    return int(number) if number == number.to_integral_value() else float(number)


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError as error:
        raise Unfit("not a date (YYYY-MM-DD)") from error


def _datetime(text: str) -> str:
    if text.endswith("Z+0000"):  # Marketo's assets write both
        text = text[:-5]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Unfit("not a date and time (ISO 8601)") from error
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        moment = moment.astimezone(UTC)
    except OverflowError as error:
        raise Unfit("not between the years 1 and 9999") from error
    return f"{moment.replace(tzinfo=None, microsecond=0).isoformat()}Z"

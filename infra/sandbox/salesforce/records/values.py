"""What a client sends for a field, as the org stores it, or the refusal that the org gives."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date
from typing import Any

from infra.sandbox.salesforce.schema.types import IDS, NUMERIC, TEXTUAL, Field, Kind, Value
from infra.sandbox.salesforce.wire import ids
from infra.sandbox.salesforce.wire.errors import ApiError, RecordError
from infra.sandbox.salesforce.wire.stamps import parse_stamp

_EMAIL = re.compile(
    r"[^\s@<>(),;:\"\[\]\\]+@(?:[A-Za-z0-9\u0080-\uffff](?:[A-Za-z0-9\u0080-\uffff-]*[A-Za-z0-9\u0080-\uffff])?\.)+[A-Za-z\u0080-\uffff][A-Za-z0-9\u0080-\uffff-]+"
)
_JSON_NAMES = {str: "VALUE_STRING", int: "VALUE_NUMBER_INT", float: "VALUE_NUMBER_FLOAT", list: "START_ARRAY", dict: "START_OBJECT"}


def read_json(field: Field, raw: Any) -> Value:
    """The value in the field's own type, before any rule of the org. Raises JSON_PARSER_ERROR for a JSON type that can't become it."""
    if raw is None:
        return None
    kind = field.kind
    if kind is Kind.BOOLEAN:
        if isinstance(raw, bool):
            return raw
        if isinstance(raw, str) and raw.lower() in ("true", "false"):
            return raw.lower() == "true"
    elif kind in NUMERIC:
        number = _number(raw)
        if number is not None:
            return number
    elif isinstance(raw, str):
        return raw
    raise _cannot_deserialize(kind, raw)


def checked(field: Field, value: Value) -> Value:
    """The value as stored: text trimmed, "" as null, numbers rounded to scale, ids in 18 characters. Raises `RecordError`."""
    if field.kind in TEXTUAL and isinstance(value, str):
        value = value.strip()
    if value is None or value == "":
        return _blank(field)
    check = _CHECKS.get(field.kind)
    return value if check is None else check(field, value)


def _blank(field: Field) -> Value:
    return False if field.kind is Kind.BOOLEAN else None


def _number(raw: Any) -> float | int | None:
    if isinstance(raw, bool):
        return None
    if isinstance(raw, int | float):
        return raw
    if isinstance(raw, str):
        try:
            return float(raw)
        except ValueError:
            return None
    return None


def _cannot_deserialize(kind: Kind, raw: Any) -> ApiError:
    truth = "VALUE_TRUE" if raw else "VALUE_FALSE"
    found = truth if isinstance(raw, bool) else _JSON_NAMES.get(type(raw), "VALUE_NULL")
    wanted = "double" if kind in NUMERIC else "boolean" if kind is Kind.BOOLEAN else "string"
    shown = "" if isinstance(raw, list | dict) else f" value {raw}"
    return ApiError(
        400, "JSON_PARSER_ERROR",
        f"Cannot deserialize instance of {wanted} from {found}{shown} or request may be missing a required field at [line:1, column:2]",
    )  # fmt: skip


def _text(field: Field, value: Value) -> Value:
    text = str(value)
    if len(text) > field.length:
        shown = text if len(text) <= 80 else text[:77] + "..."
        raise RecordError("STRING_TOO_LONG", f"{field.label}: data value too large: {shown} (max length={field.length})", [field.name])
    return text


def _email(field: Field, value: Value) -> Value:
    text = str(value)
    if len(text) > field.length or _EMAIL.fullmatch(text) is None:
        raise RecordError("INVALID_EMAIL_ADDRESS", f"{field.label}: invalid email address: {text}", [field.name])
    return text


def _picklist(field: Field, value: Value) -> Value:
    text = str(_text(field, value))
    if field.restricted:
        known = {each.casefold(): each for each in field.picklist}
        if text.casefold() not in known or known[text.casefold()] in field.inactive:
            raise _not_in_picklist(field, text)
        return known[text.casefold()]
    return text


def _multipicklist(field: Field, value: Value) -> Value:
    chosen = list(dict.fromkeys(part.strip() for part in str(value).split(";") if part.strip()))
    order = {each: place for place, each in enumerate(field.picklist)}
    if field.restricted:
        for each in chosen:
            if each not in order:
                raise _not_in_picklist(field, each)
    chosen.sort(key=lambda each: order.get(each, len(order)))
    return ";".join(chosen) or None


def _not_in_picklist(field: Field, text: str) -> RecordError:
    message = f"{field.label}: bad value for restricted picklist field: {text}"
    return RecordError("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, [field.name])


def _decimal(field: Field, value: Value) -> Value:
    number = float(value or 0)
    if math.isnan(number) or abs(number) >= 10.0 ** (field.precision - field.scale):
        raise RecordError(
            "NUMBER_OUTSIDE_VALID_RANGE", f"{field.label}: value outside of valid range on numeric field: {value}", [field.name]
        )
    return int(number) if field.kind is Kind.INT else round(number, field.scale)


def _date(field: Field, value: Value) -> Value:
    text = str(value)
    try:
        return date.fromisoformat(text[:10]).isoformat() if len(text) == 10 or text[10:11] == "T" else _bad(field, value)
    except ValueError:
        return _bad(field, value)


def _datetime(field: Field, value: Value) -> Value:
    return parse_stamp(str(value)) or _bad(field, value)


def _bad(field: Field, value: Value) -> Value:
    kind = "date" if field.kind is Kind.DATE else "dateTime"
    raise ApiError(400, "JSON_PARSER_ERROR", f"Cannot deserialize instance of {kind} from VALUE_STRING value {value} or request may be"
                   " missing a required field at [line:1, column:2]")  # fmt: skip


def _id(field: Field, value: Value) -> Value:
    text = str(value)
    if not ids.well_formed(text):
        raise RecordError("MALFORMED_ID", f"{field.label}: id value of incorrect type: {text}", [field.name])
    return ids.normalise(text)


_CHECKS: dict[Kind, Callable[[Field, Value], Value]] = {
    **dict.fromkeys(TEXTUAL, _text),
    **dict.fromkeys(NUMERIC, _decimal),
    **dict.fromkeys(IDS, _id),
    Kind.EMAIL: _email,
    Kind.PICKLIST: _picklist,
    Kind.MULTIPICKLIST: _multipicklist,
    Kind.DATE: _date,
    Kind.DATETIME: _datetime,
}

"""Fields of a person: what may be stored in each, and how an activity shows a value."""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, tzinfo
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import msgspec

from infra.sandbox.marketo.border.errors import RecordError

Value = str | int | float | bool | None

STRING_LENGTH_MAX = 255
TEXT_BYTES_MAX = 30_000
CUSTOM_TYPES = ("boolean", "currency", "date", "datetime", "email", "float", "integer", "percent", "phone", "score", "string", "url")
"""What `POST leads/schema/fields.json` may create (REST API, lead schema)."""

DEFAULTS: Mapping[str, Value] = dict.fromkeys(
    ("emailInvalid", "unsubscribed", "doNotCall", "marketingSuspended", "blackListed", "emailSuspended", "isAnonymous"), False
)
"""Standard flags that read false until they are set, and can't be null."""


OWNER_FIELDS: Mapping[str, str] = {
    "leadOwnerFirstName": "firstName",
    "leadOwnerLastName": "lastName",
    "leadOwnerEmailAddress": "email",
}
"""Fields of a person that its sales person fills (REST API, sales persons), with the field there."""


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """`id` is the numeric id that activities call `primaryAttributeValueId`."""

    id: int
    name: str
    display: str
    type: str
    length: int | None = None
    read_only: bool = False
    company: bool = False
    """Belongs to the company once the person is linked to one."""
    custom: bool = False
    hidden: bool = False
    description: str | None = None
    encoded: bool = True
    """HTML is encoded in e-mails."""
    sensitive: bool = False
    by_api: bool = True
    """A custom field that the API made, not an administrator."""


def schema_shown(field: Field) -> dict[str, Any]:
    """A field as the schema endpoints of people, members, companies and opportunities show it."""
    return {
        "displayName": field.display,
        "name": field.name,
        "description": field.description,
        "dataType": field.type,
        **({"length": field.length} if field.length else {}),
        "isHidden": field.hidden,
        "isHtmlEncodingInEmail": field.encoded,
        "isSensitive": field.sensitive,
        "isCustom": field.custom,
        "isApiCreated": field.custom and field.by_api,
    }


def is_score(field: Field) -> bool:
    """Scores are added up by flow steps and merges; the standard one is an integer by its describe."""
    return field.type == "score" or field.name == "leadScore"


@cache
def standard_fields() -> Mapping[str, Field]:
    """The fields of an instance without native sync, by REST name."""
    fields = {}
    for number, name, shown, kind, length, mark in json.loads(Path(__file__).with_name("standard_fields.json").read_bytes()):
        read_only, company = mark == "readonly", mark == "company"
        fields[name] = Field(id=number, name=name, display=shown, type=kind, length=length, read_only=read_only, company=company)
    return fields


def stored(field: Field, value: Any, zone: tzinfo) -> Value:
    """The value as it will be stored; null and "" are both NULL. RecordError 1001 for a value of another type, 1003 for one that does not
    fit.
    """
    if value is None or value == "":
        return DEFAULTS.get(field.name)
    match field.type:
        case "boolean":
            return _boolean(field, value)
        case "integer" | "score" | "percent":
            return _integer(field, value)
        case "float" | "currency":
            return _number(field, value)
        case "date":
            return _moment(field, value, zone).date().isoformat()
        case "datetime":
            return _moment(field, value, zone).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case _:
            return _text(field, value)


def display(field: Field, value: Value, zone: tzinfo, *, by_api: bool) -> str | None:
    """The value as an activity shows it: a string, whatever the type. Flags set by the API read "1"/"0", by people "True"/"False"; times
    carry no zone, they are in the instance's (observed in activities of real instances)."""
    if value is None:
        return None
    match field.type:
        case "boolean":
            return ("1" if value else "0") if by_api else str(bool(value))
        case "datetime":
            return _parse(str(value)).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")
        case "float" | "currency":
            return f"{float(value):.10g}" if float(value) < 1e10 else repr(float(value))
        case _:
            return str(value)


def _wrong_type(field: Field, value: Any) -> RecordError:
    shown = json.dumps(value, ensure_ascii=False, default=str)[:80]
    return RecordError("1001", f"Invalid value '{shown}'. Required of type '{field.type}' for field '{field.name}'")


def _boolean(field: Field, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower() if isinstance(value, str | int) else ""
    if text in {"true", "1"}:
        return True
    if text in {"false", "0"}:
        return False
    raise _wrong_type(field, value)


def _integer(field: Field, value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,12}", value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong_type(field, value)
    if not -(2**31) <= value < 2**31:
        raise RecordError("1003", f"Value of field '{field.name}' is out of range")
    return value


def _number(field: Field, value: Any) -> float:
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError as error:
            raise _wrong_type(field, value) from error
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _wrong_type(field, value)
    return float(value)


def _moment(field: Field, value: Any, zone: tzinfo) -> datetime:
    if not isinstance(value, str):
        raise _wrong_type(field, value)
    try:
        moment = _parse(value)
    except ValueError as error:
        raise _wrong_type(field, value) from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


@lru_cache(maxsize=4096)
def _parse(text: str) -> datetime:
    if len(text) == len("2024-01-31"):
        day = date.fromisoformat(text)
        return datetime(day.year, day.month, day.day)  # noqa: DTZ001 - the caller gives it the instance's zone
    return datetime.fromisoformat(text)


def _text(field: Field, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _wrong_type(field, value)
    text = value if isinstance(value, str) else str(value)
    if field.type == "text":
        if len(text.encode()) > TEXT_BYTES_MAX:
            raise RecordError("1003", f"Value of field '{field.name}' is longer than {TEXT_BYTES_MAX} bytes")
        return text
    limit = field.length or STRING_LENGTH_MAX
    if len(text) > limit:
        raise RecordError("1003", f"Value of field '{field.name}' is longer than {limit} characters")
    if field.type == "email" and not text.isascii():
        raise RecordError("1003", f"Value of field '{field.name}' is not a valid email address")
    return text

"""Custom fields: how those of people, members, companies and opportunities are made and changed (REST API, lead schema).

The API makes fields of people and of members; those of companies and opportunities an administrator makes.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from infra.sandbox.marketo.border.errors import RecordError
from infra.sandbox.marketo.border.origin import Origin
from infra.sandbox.marketo.state.fields import CUSTOM_TYPES, STRING_LENGTH_MAX, Field
from infra.sandbox.marketo.state.instance import Section
from infra.sandbox.marketo.state.kinds import COMPANY, OPPORTUNITY
from infra.sandbox.marketo.state.store import FIELD, MEMBER_FIELD, OPPORTUNITY_FIELD

CUSTOM_MAX = 100
_FIRST_ID = {FIELD: 1000, MEMBER_FIELD: 2000, OPPORTUNITY_FIELD: 3000}
_LONG_TYPES = {"string", "email", "phone", "url"}
_TEXT = "text"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,254}")
_CHANGEABLE = {
    "displayName": ("display", str),
    "description": ("description", str),
    "isHidden": ("hidden", bool),
    "isHtmlEncodingInEmail": ("encoded", bool),
    "isSensitive": ("sensitive", bool),
}


def create_person_field(section: Section, record: Any, origin: Origin) -> dict[str, Any]:
    """RecordError 1001 or 1002 (member wrong or missing), 1003 (bad name or type, too many), 1017 (exists)."""
    known = section.store.fields
    if sum(one.custom and one.by_api for one in known.values()) >= CUSTOM_MAX:
        raise RecordError("1003", f"At most {CUSTOM_MAX} custom fields can be created")
    made = made_field(record, known, FIELD)
    section.add("create", FIELD, made.name, origin, before=None, after=msgspec.to_builtins(made))
    return {"name": made.name, "status": "created"}


def create_by_hand(section: Section, target: str, record: Any, origin: Origin) -> dict[str, Any]:
    """What an administrator does: a field of people, companies (which people show too) or opportunities, long texts among them."""
    known: Mapping[str, Field] = section.store.kind(OPPORTUNITY).fields if target == OPPORTUNITY else section.store.fields
    table = OPPORTUNITY_FIELD if target == OPPORTUNITY else FIELD
    made = made_field(record, known, table, (*CUSTOM_TYPES, _TEXT))
    made = msgspec.structs.replace(made, company=target == COMPANY, by_api=False)
    after = msgspec.to_builtins(made)
    section.add("create", table, made.name, origin, before=None, after={"field": after} if target == OPPORTUNITY else after)
    return {"name": made.name, "status": "created"}


def update_person_field(section: Section, name: str, record: Any, origin: Origin) -> dict[str, Any]:
    """Changes the words and marks of a field; name and type stay. RecordError 1006 for an unknown field."""
    one = section.store.fields.get(name)
    changes = field_changes(one, name, record)
    if one is not None and changes:
        after = msgspec.to_builtins(msgspec.structs.replace(one, **changes))
        section.add("update", FIELD, name, origin, before=msgspec.to_builtins(one), after=after)
    return {"name": name, "status": "updated"}


def made_field(record: Any, known: Mapping[str, Field], table: str, types: tuple[str, ...] = CUSTOM_TYPES) -> Field:
    if not isinstance(record, Mapping):
        raise RecordError("1001", "Invalid value: a field must be an object")
    for member in ("displayName", "name", "dataType"):
        if not isinstance(record.get(member), str) or not record[member]:
            raise RecordError("1002", f"Missing value for required parameter '{member}'")
    name, kind = record["name"], record["dataType"]
    if not _NAME.fullmatch(name):
        raise RecordError("1003", f"Invalid field name '{name}'")
    if kind not in types:
        raise RecordError("1003", f"Invalid dataType '{kind}'")
    if name.casefold() in {other.casefold() for other in known}:
        raise RecordError("1017", f"Field '{name}' already exists")
    return Field(
        id=max((one.id + 1 for one in known.values() if one.custom), default=_FIRST_ID[table]),
        name=name,
        display=record["displayName"],
        type=kind,
        length=STRING_LENGTH_MAX if kind in _LONG_TYPES else None,
        custom=True,
        hidden=bool(record.get("isHidden", False)),
        description=record.get("description"),
        encoded=bool(record.get("isHtmlEncodingInEmail", True)),
        sensitive=bool(record.get("isSensitive", False)),
    )


def field_changes(one: Field | None, name: str, record: Any) -> dict[str, Any]:
    if one is None:
        raise RecordError("1006", f"Field '{name}' not found")
    if not isinstance(record, Mapping):
        raise RecordError("1001", "Invalid value: a field must be an object")
    changes: dict[str, Any] = {}
    for key, value in record.items():
        if key not in _CHANGEABLE:
            raise RecordError("1003", f"'{key}' can not be changed")
        member, kind = _CHANGEABLE[key]
        if not isinstance(value, kind):
            raise RecordError("1001", f"Invalid value for '{key}'")
        if getattr(one, member) != value:
            changes[member] = value
    return changes

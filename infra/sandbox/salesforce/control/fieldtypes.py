"""Another type for a custom field: what becomes of the values, and what change events tell of it (CDC guide, field type conversions)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec
import orjson

from infra.sandbox.kernel.journal import Entry
from infra.sandbox.salesforce.events.changes import Origin, gap_body, header_of
from infra.sandbox.salesforce.org.org import Org
from infra.sandbox.salesforce.schema.types import NUMERIC, TEXTUAL, Field, Kind, Value
from infra.sandbox.salesforce.setup.fields import field_of

NAME = "change_field_type"


class Told(StrEnum):
    """What the bus hears of a conversion."""

    NOTHING = "nothing"
    """Values are kept, or cut."""
    GAP = "gap"
    """Each record has a gap event."""
    WILDCARD = "wildcard"
    """Values are lost; one event without fields for all records of the object."""


def change_type(org: Org, actor: str, user_id: str, args: Mapping[str, Any]) -> Told:
    """{object, field, type, length?, picklist? ...}: values that can't be kept become null. Raises ValueError for what is no custom field,
    or one that the org works out itself."""
    kind = org.schema.objects[str(args.get("object"))]
    old = kind.fields.get(str(args.get("field")))
    if old is None or not old.custom or old.formula or old.rollup or old.auto_number or old.kind is Kind.REFERENCE:
        raise ValueError(f"{args.get('field')!r} is no custom field whose type can be changed")
    rest = {name: value for name, value in args.items() if name not in ("object", "field", "as", "late_seconds")}
    new = field_of({"name": old.name, "label": old.label, **rest})
    told, now_ms, values = told_of(old.kind, new.kind), org.clock.now_ms(), {}
    for record_id, row in org.store.tables[kind.name].rows.items():
        if old.name in row:
            values[record_id] = None if told is Told.WILDCARD else kept(row[old.name], old, new)
    rows, extra = org.store.tables[kind.name].rows, {"via": NAME}
    entries = [
        Entry(now_ms, actor, "update", kind.name, record_id, {old.name: rows[record_id].get(old.name)}, {old.name: value}, None, extra)
        for record_id, value in values.items()
    ]
    for entry in entries:
        org.store.apply(entry)
    setup = Entry(now_ms, "sandbox", "_setup", "define_field", "", None, {"object": kind.name, "field": msgspec.to_builtins(new)})
    bodies = _bodies(org, kind.name, told, list(values), user_id) if kind.name in org.selected_entities else []
    org.commit(entries, bodies, now_ms, [setup])
    return told


def told_of(old: Kind, new: Kind) -> Told:
    if old is new or (old in TEXTUAL and new in TEXTUAL and Kind.MULTIPICKLIST not in (old, new)):
        return Told.NOTHING
    if old is Kind.PICKLIST and new in (Kind.MULTIPICKLIST, Kind.BOOLEAN):
        return Told.GAP
    if old in NUMERIC and (new in NUMERIC or new in TEXTUAL):
        return Told.NOTHING
    return Told.WILDCARD


def kept(value: Value, old: Field, new: Field) -> Value:
    """The value as the new type holds it."""
    if new.kind is Kind.BOOLEAN:
        return str(value).casefold() in ("true", "yes", "1")
    if new.kind in TEXTUAL:
        text = f"{value:.15g}" if old.kind in NUMERIC and isinstance(value, int | float) else str(value)
        return text[: new.length]
    if new.kind is Kind.INT and isinstance(value, int | float):
        return int(value)
    return value


def _bodies(org: Org, entity: str, told: Told, record_ids: list[str], user_id: str) -> list[tuple[str, bytes]]:
    if told is Told.NOTHING or (told is Told.GAP and not record_ids):
        return []
    origin = Origin(
        user_id=user_id, change_origin="", transaction_key=secrets.token_hex(16), commit_ms=org.clock.now_ms(),
        commit_number=org.next_commit_number(),
    )  # fmt: skip
    if told is Told.GAP:
        return [(entity, gap_body(header_of(entity, "GAP_UPDATE", record_ids, origin)))]
    every = [f"{org.schema.objects[entity].prefix}*"]
    return [(entity, orjson.dumps({"ChangeEventHeader": header_of(entity, "UPDATE", every, origin)}))]

"""Records as clients send them: names resolved in the caller's view, writability checked, JSON types read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from infra.sandbox.salesforce.access.views import VisibleObject
from infra.sandbox.salesforce.records.values import read_json
from infra.sandbox.salesforce.schema.types import ObjectType, Value
from infra.sandbox.salesforce.wire import ids
from infra.sandbox.salesforce.wire.errors import ApiError, RecordError, not_found


def read_values(seen: VisibleObject, raw: Mapping[str, Any], occasion: Literal["create", "update"]) -> dict[str, Value]:
    """Field values by API name. Raises `RecordError` for unknown, hidden and read-only fields, `ApiError` for JSON of a wrong type."""
    writable = seen.createable if occasion == "create" else seen.updateable
    if not (seen.kind.creatable if occasion == "create" else seen.kind.editable):
        verb = "inserted" if occasion == "create" else "updated"
        raise RecordError("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type cannot be {verb}: {seen.kind.label}")
    if not (seen.right.creatable if occasion == "create" else seen.right.editable):
        raise RecordError("INSUFFICIENT_ACCESS_OR_READONLY", f"insufficient access rights on object type {seen.kind.name}")
    values: dict[str, Value] = {}
    refused = []
    for name, value in raw.items():
        if name == "attributes":
            continue
        field = seen.field(name)
        if field is None:
            raise RecordError("INVALID_FIELD", f"No such column '{name}' on sobject of type {seen.kind.name}")
        if writable(field):
            values[field.name] = read_json(field, value)
        else:
            refused.append(field.name)
    if refused:
        raise RecordError(
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            f"Unable to create/update fields: {', '.join(refused)}. Please check the security settings of this field and verify that it is"
            " read/write for your profile or permission set.",
            refused,
        )
    return values


def attributes_of(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a record says of itself: its type, its reference. Nothing when that makes no sense."""
    found = raw.get("attributes")
    return found if isinstance(found, Mapping) else {}


def row_id(kind: ObjectType, text: str) -> str:
    """The 18-character id in a row's URL. Raises NOT_FOUND for one that can't be of that object."""
    if not ids.well_formed(text):
        raise ApiError(400, "MALFORMED_ID", f"malformed id {text}")
    normal = ids.normalise(text)
    if not normal.startswith(kind.prefix):
        raise not_found()
    return normal


def item_id(raw: Mapping[str, Any]) -> str:
    """The id of an item of a batch. Raises `RecordError`."""
    found = raw.get("id", raw.get("Id"))
    if not found:
        raise RecordError("MISSING_ARGUMENT", "Id not specified in an update call")
    if not ids.well_formed(found):
        raise RecordError("MALFORMED_ID", f"malformed id {found}")
    return ids.normalise(str(found))

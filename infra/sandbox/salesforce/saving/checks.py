"""What refuses a record that is saved: required fields, validation rules, uniqueness, references, locks."""

from __future__ import annotations

from collections.abc import Mapping

from infra.sandbox.salesforce.records.store import Table
from infra.sandbox.salesforce.schema.types import Field, Kind, Row, Value
from infra.sandbox.salesforce.state.state import State
from infra.sandbox.salesforce.wire.errors import RecordError

UNLOCKABLE = "unable to obtain exclusive access to this record"


def check_saved(org: State, table: Table, proposed: Row, changed: Mapping[str, Value], record_id: str | None) -> None:
    """Raises `RecordError`. `changed` are the fields that this save touches; `record_id` is None for a new record."""
    kind = table.kind
    missing = [name for name in kind.required if name not in proposed and (record_id is None or name in changed)]
    if missing:
        raise RecordError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", missing)
    rule = org.automation.broken_rule(kind.name, proposed)
    if rule is not None:
        raise RecordError("FIELD_CUSTOM_VALIDATION_EXCEPTION", rule.message, [rule.field] if rule.field else [])
    for name, value in changed.items():
        field = kind.fields[name]
        if value is None:
            continue
        if field.unique:
            _check_unique(table, field, value, record_id)
        elif field.kind is Kind.REFERENCE and (not field.system or field.name == "OwnerId"):
            _check_reference(org, table, field, value)


def check_unlocked(org: State, record_id: str) -> None:
    """Raises UNABLE_TO_LOCK_ROW or ENTITY_IS_LOCKED for a record that someone holds (control verb `lock`)."""
    if not org.locks:
        return
    code, until_ms = org.locks.get(record_id, ("", 0))
    if until_ms and org.clock.now_ms() < until_ms:
        raise RecordError(code, UNLOCKABLE if code == "UNABLE_TO_LOCK_ROW" else "the entity is locked for editing")


def check_shared(org: State, table: Table, record_id: str, user_id: str) -> None:
    """Raises for a record that is there, but not for this user: sharing keeps it from him."""
    seen = org.view(user_id).object(table.kind.name)
    row = table.rows.get(record_id)
    if seen is not None and row is not None and not seen.sees(row):
        raise RecordError("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")


def check_person(row: Row | None, values: Mapping[str, Value]) -> None:
    """Raises for what nobody writes of a person account: its whole name, and whose contact its own one is and of which type."""
    if row is None or "IsPersonAccount" not in row:
        return
    whole = "AccountId" if "AccountId" in row else "Name"
    if whole in values:
        raise RecordError("INVALID_FIELD_FOR_INSERT_UPDATE", f"Account: bad field names on insert/update call: {whole}", [whole])
    if "AccountId" in row and "RecordTypeId" in values:
        raise RecordError("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")


def table_of(org: State, record_id: str) -> Table:
    """The table that the record is in, or would be. Raises `RecordError` for an id of no object."""
    kind = org.schema.of_id(record_id)
    if kind is None:
        raise RecordError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    return org.store.tables[kind.name]


def live_row(table: Table, record_id: str) -> Row:
    """Raises `RecordError` for a record that isn't there or is deleted."""
    row = table.rows.get(record_id)
    if row is None:
        raise RecordError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    if "IsDeleted" in row:
        raise RecordError("ENTITY_IS_DELETED", "entity is deleted")
    return row


def _check_unique(table: Table, field: Field, value: Value, record_id: str | None) -> None:
    others = [row for row in table.find(field.name, value) if row["Id"] != record_id and "IsDeleted" not in row]
    if others:
        message = f"duplicate value found: {field.name} duplicates value on record with id: {others[0]['Id']}"
        raise RecordError("DUPLICATE_VALUE", message)


def _check_reference(org: State, table: Table, field: Field, value: Value) -> None:
    target = org.store.row(str(value))
    kind = org.schema.of_id(str(value))
    if kind is None or kind.name not in field.reference_to:
        raise RecordError("MALFORMED_ID", f"{field.label}: id value of incorrect type: {value}", [field.name])
    if target is None or "IsDeleted" in target:
        raise RecordError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", [field.name])
    if field.name == "OwnerId" and kind.name == "Group" and not _takes(org, target, table.kind.name):
        raise RecordError("INVALID_OPERATION", "Queue not associated with this SObject type", [field.name])
    if field.name == "OwnerId" and kind.name == "User" and "IsActive" not in target:
        message = f"operation performed with inactive user [{value}] as owner of {table.kind.name.lower()}"
        raise RecordError("INACTIVE_OWNER_OR_USER", message, [field.name])


def _takes(org: State, group: Row, object_name: str) -> bool:
    """Whether the group is a queue for records of that object (Object Reference, QueueSobject)."""
    objects = org.store.tables["QueueSobject"].find("QueueId", group["Id"])
    return group.get("Type") == "Queue" and any(row.get("SobjectType") == object_name for row in objects)

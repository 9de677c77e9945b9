"""sObject rows: read, create, update, upsert by external id, delete (REST API guide, sObject rows)."""

from __future__ import annotations

from urllib.parse import quote

from infra.sandbox.salesforce.access.views import VisibleObject
from infra.sandbox.salesforce.records.values import checked
from infra.sandbox.salesforce.rest.call import Call, Reply, json_reply
from infra.sandbox.salesforce.rest.input import read_values, row_id
from infra.sandbox.salesforce.rest.rendering import row_record
from infra.sandbox.salesforce.saving.checks import UNLOCKABLE
from infra.sandbox.salesforce.saving.transaction import Transaction
from infra.sandbox.salesforce.schema.types import Field, Row
from infra.sandbox.salesforce.wire.errors import ApiError, RecordError, not_found
from infra.sandbox.salesforce.wire.stamps import http_ms, ms_of


def create_row(call: Call) -> Reply:
    seen = call.object(call.params["object"])
    body = call.json_object()
    _refuse_by_fault(call)
    with call.transaction() as transaction:
        try:
            record_id = transaction.create(seen.kind.name, read_values(seen, body, "create"))
        except RecordError as refused:
            raise refused.as_api_error() from refused
    return json_reply(
        {"id": record_id, "success": True, "errors": []}, 201, {"Location": f"{call.base}/sobjects/{seen.kind.name}/{record_id}"}
    )


def read_row(call: Call) -> Reply:
    seen = call.object(call.params["object"])
    row = _live_row(call, seen, row_id(seen.kind, call.params["id"]))
    return _read(call, seen, row)


def update_row(call: Call) -> Reply:
    seen = call.object(call.params["object"])
    record_id = row_id(seen.kind, call.params["id"])
    body = call.json_object()
    row = _live_row(call, seen, record_id)
    if _changed_since(row, call.headers.get("if-unmodified-since")):
        return Reply(status=412)
    if any(name.lower() == "id" for name in body):
        raise ApiError(400, "INVALID_FIELD", "The Id field should not be specified in the sobject data.", ["Id"])
    _refuse_by_fault(call)
    with call.transaction() as transaction:
        _update(transaction, seen, record_id, body)
    return Reply(status=204)


def delete_row(call: Call) -> Reply:
    seen = call.object(call.params["object"])
    record_id = row_id(seen.kind, call.params["id"])
    _live_row(call, seen, record_id)
    if not seen.kind.deletable:
        raise ApiError(405, "METHOD_NOT_ALLOWED", "HTTP Method 'DELETE' not allowed. Allowed are HEAD,GET,PATCH")
    if not seen.right.deletable:
        raise ApiError(403, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
    _refuse_by_fault(call)
    with call.transaction() as transaction:
        transaction.delete(record_id)
    return Reply(status=204)


def read_by_external_id(call: Call) -> Reply:
    seen, field = _keyed(call)
    found = matches(call, seen, field, call.params["value"])
    if not found:
        raise not_found()
    return _read(call, seen, found[0]) if len(found) == 1 else _many(call, seen, found)


def upsert_row(call: Call) -> Reply:
    """Updates the one record with that key, creates one when there is none; 300 with the rows' addresses when there are several."""
    seen, field = _keyed(call)
    body = call.json_object()
    if any(name.lower() == field.name.lower() for name in body):
        raise ApiError(400, "INVALID_FIELD", f"The {field.name} field should not be specified in the sobject data.", [field.name])
    found = matches(call, seen, field, call.params["value"])
    if len(found) > 1:
        return _many(call, seen, found)
    _refuse_by_fault(call)
    if found:
        record_id = str(found[0]["Id"])
        with call.transaction() as transaction:
            _update(transaction, seen, record_id, body)
        return json_reply({"id": record_id, "success": True, "errors": [], "created": False})
    if call.query.get("updateOnly", "").lower() == "true" or field.name == "Id":
        raise not_found()
    with call.transaction() as transaction:
        try:
            values = read_values(seen, {**body, field.name: call.params["value"]}, "create")
            record_id = transaction.create(seen.kind.name, values)
        except RecordError as refused:
            raise refused.as_api_error() from refused
    return json_reply({"id": record_id, "success": True, "errors": [], "created": True}, 201)


def matches(call: Call, seen: VisibleObject, field: Field, value: str) -> list[Row]:
    """The live records with that key, which is an external id, an id-lookup field or the id."""
    if field.name == "Id":
        row = call.org.store.row(row_id(seen.kind, value))
        return [row] if row is not None and "IsDeleted" not in row and seen.sees(row) else []
    wanted = checked(field, value)
    found = call.org.store.tables[seen.kind.name].find(field.name, wanted)
    return [row for row in found if "IsDeleted" not in row and seen.sees(row)]


def key_field(seen: VisibleObject, name: str) -> Field:
    """Raises NOT_FOUND for a field that is no key."""
    field = seen.field(name)
    if field is None or not (field.external_id or field.id_lookup):
        raise ApiError(404, "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {name}")
    return field


def _keyed(call: Call) -> tuple[VisibleObject, Field]:
    seen = call.object(call.params["object"])
    return seen, key_field(seen, call.params["field"])


def _many(call: Call, seen: VisibleObject, found: list[Row]) -> Reply:
    return json_reply([f"{call.base}/sobjects/{seen.kind.name}/{quote(str(row['Id']))}" for row in found], 300)


def _update(transaction: Transaction, seen: VisibleObject, record_id: str, body: dict[str, object]) -> None:
    try:
        transaction.update(record_id, read_values(seen, body, "update"))
    except RecordError as refused:
        raise refused.as_api_error() from refused


def _read(call: Call, seen: VisibleObject, row: Row) -> Reply:
    since = http_ms(call.headers.get("if-modified-since"))
    if since is not None and ms_of(str(row["LastModifiedDate"])) <= since:
        return Reply(status=304)
    call.records = 1
    return json_reply(row_record(seen, row, call.base, _asked_fields(call, seen)))


def _asked_fields(call: Call, seen: VisibleObject) -> list[Field] | None:
    names = call.query.get("fields")
    if names is None:
        return None
    fields = []
    for name in names.split(","):
        field = seen.field(name.strip())
        if field is None:
            raise ApiError(400, "INVALID_FIELD", f"No such column '{name.strip()}' on sobject of type {seen.kind.name}")
        fields.append(field)
    return fields


def _live_row(call: Call, seen: VisibleObject, record_id: str) -> Row:
    row = call.org.store.row(record_id)
    if row is None or not seen.sees(row):
        raise not_found()
    if "IsDeleted" in row:
        raise RecordError("ENTITY_IS_DELETED", "entity is deleted").as_api_error()
    return row


def _changed_since(row: Row, header: str | None) -> bool:
    since = http_ms(header)
    return since is not None and ms_of(str(row["LastModifiedDate"])) > since


def _refuse_by_fault(call: Call) -> None:
    call.records = 1
    if call.fault is not None and call.fault.type == "record_errors":
        action = call.fault.action
        raise RecordError(str(action.get("statusCode", "UNABLE_TO_LOCK_ROW")), str(action.get("message", UNLOCKABLE)), []).as_api_error()

"""sObject collections: up to 200 records a call, one result an item in order (REST API guide, sObject collections)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from infra.sandbox.salesforce.access.views import VisibleObject
from infra.sandbox.salesforce.rest.call import Call, Reply, json_reply
from infra.sandbox.salesforce.rest.input import attributes_of, item_id, read_values
from infra.sandbox.salesforce.rest.rendering import row_record
from infra.sandbox.salesforce.rest.rows import key_field, matches
from infra.sandbox.salesforce.saving.checks import UNLOCKABLE
from infra.sandbox.salesforce.saving.transaction import Transaction
from infra.sandbox.salesforce.wire import ids
from infra.sandbox.salesforce.wire.errors import ApiError, RecordError

BATCH_MAX = 200
READ_MAX = 2000
CHUNKS_MAX = 10
Item = dict[str, Any]
Step = Callable[[Transaction, Any], Item]


def create_batch(call: Call) -> Reply:
    def create(transaction: Transaction, raw: Item) -> Item:
        seen = _item_object(call, raw)
        record_id = transaction.create(seen.kind.name, read_values(seen, raw, "create"))
        return {"id": record_id, "success": True, "errors": []}

    return _run(call, *_records(call), create)


def update_batch(call: Call) -> Reply:
    def update(transaction: Transaction, raw: Item) -> Item:
        seen = _item_object(call, raw)
        record_id = item_id(raw)
        if not record_id.startswith(seen.kind.prefix):
            raise RecordError("MALFORMED_ID", f"{seen.kind.label} ID: id value of incorrect type: {record_id}", ["Id"])
        transaction.update(record_id, read_values(seen, _without_id(raw), "update"))
        return {"id": record_id, "success": True, "errors": []}

    return _run(call, *_records(call), update, key="id")


def upsert_batch(call: Call) -> Reply:
    seen = call.object(call.params["object"])
    key = key_field(seen, call.params["field"])

    def upsert(transaction: Transaction, raw: Item) -> Item:
        value = next((each for name, each in raw.items() if name.lower() == key.name.lower()), None)
        if value in (None, ""):
            raise RecordError("MISSING_ARGUMENT", f"{key.name} not specified")
        found = matches(call, seen, key, str(value))
        if len(found) > 1:
            raise RecordError(
                "DUPLICATE_EXTERNAL_ID", f"{key.name}: more than one record found for external id field: {[row['Id'] for row in found]}"
            )
        if not found:
            record_id = transaction.create(seen.kind.name, read_values(seen, raw, "create"))
        else:
            record_id = str(found[0]["Id"])
            rest = {name: each for name, each in raw.items() if name.lower() != key.name.lower()}
            transaction.update(record_id, read_values(seen, rest, "update"))
        return {"id": record_id, "success": True, "errors": [], "created": not found}

    return _run(call, *_records(call), upsert, key=key.name)


def delete_batch(call: Call) -> Reply:
    asked = [each.strip() for each in call.query.get("ids", "").split(",") if each.strip()]
    all_or_none = call.query.get("allOrNone", "").lower() == "true"

    def delete(transaction: Transaction, raw: str) -> Item:
        record_id = item_id({"id": raw})
        kind = call.org.schema.of_id(record_id)
        seen = call.view.object(kind.name) if kind is not None else None
        if seen is None:
            raise RecordError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if not seen.right.deletable:
            raise RecordError("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
        transaction.delete(record_id)
        return {"id": record_id, "success": True, "errors": []}

    return _run(call, asked, all_or_none, delete, key="id")


def read_batch(call: Call) -> Reply:
    """Records by id in the order asked; null for one that isn't there."""
    seen = call.object(call.params["object"])
    if call.method == "GET":
        asked, names = (call.query.get(name, "").split(",") for name in ("ids", "fields"))
    else:
        body = call.json_object()
        asked, names = body.get("ids", []), body.get("fields", [])
        if not isinstance(asked, list) or not isinstance(names, list):
            raise ApiError(400, "JSON_PARSER_ERROR", "ids and fields must be arrays of strings.")
    if len(asked) > READ_MAX:
        raise ApiError(400, "EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {READ_MAX} records into this call")
    fields = []
    for name in names:
        field = seen.field(str(name))
        if field is None:
            raise ApiError(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {seen.kind.name}")
        fields.append(field)
    records: list[Item | None] = []
    for each in asked:
        row = call.org.store.row(ids.normalise(each)) if ids.well_formed(each) else None
        alive = row is not None and "IsDeleted" not in row and str(row["Id"]).startswith(seen.kind.prefix) and seen.sees(row)
        records.append(row_record(seen, row, call.base, fields) if row is not None and alive else None)
    call.records = len(asked)
    return json_reply(records)


def _records(call: Call) -> tuple[list[Any], bool]:
    body = call.json_object()
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
        raise ApiError(400, "JSON_PARSER_ERROR", "The records member must be an array of objects.")
    return records, body.get("allOrNone") is True


def _run(call: Call, items: Sequence[Any], all_or_none: bool, step: Step, key: str | None = None) -> Reply:
    if len(items) > BATCH_MAX:
        raise ApiError(400, "EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {BATCH_MAX} records into this call")
    if _chunks(items) > CHUNKS_MAX:
        raise ApiError(400, "INVALID_INPUT", f"Cannot have more than {CHUNKS_MAX} chunks per operation. Rearrange the objects.")
    call.records = len(items)
    results: list[Item] = []
    twice = {} if key is None else repeated(items, key)
    with call.transaction() as transaction:
        start = transaction.mark
        for place, item in enumerate(items):
            try:
                _refuse_by_fault(call, place, twice)
                results.append(step(transaction, item))
            except RecordError as refused:
                results.append({"success": False, "errors": [refused.item()]})
        if all_or_none and not all(result["success"] for result in results):
            transaction.rollback(start)
            results = [_rolled_back() if result["success"] else result for result in results]
    return json_reply(results)


def _rolled_back() -> Item:
    message = "Record rolled back because not all records were valid and the request was using AllOrNone header"
    return {"success": False, "errors": [{"statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK", "message": message, "fields": []}]}


def _refuse_by_fault(call: Call, place: int, twice: Mapping[int, RecordError]) -> None:
    if place in twice:
        raise twice[place]
    fault = call.fault
    if fault is not None and fault.type == "record_errors" and place % int(fault.action.get("every", 1)) == 0:
        raise RecordError(str(fault.action.get("statusCode", "UNABLE_TO_LOCK_ROW")), str(fault.action.get("message", UNLOCKABLE)))


def _chunks(items: Sequence[Any]) -> int:
    """Runs of one type; the API takes at most ten."""
    count, last = 0, None
    for item in items:
        type_ = attributes_of(item).get("type") if isinstance(item, dict) else None
        if count == 0 or type_ != last:
            count, last = count + 1, type_
    return count


def _item_object(call: Call, raw: Item) -> VisibleObject:
    name = attributes_of(raw).get("type")
    if not name:
        raise RecordError("INVALID_TYPE", "The type attribute is required on each record")
    seen = call.view.object(str(name))
    if seen is None:
        raise RecordError("INVALID_TYPE", f"sObject type '{name}' is not supported.")
    return seen


def _without_id(raw: Item) -> Item:
    return {name: value for name, value in raw.items() if name not in ("id", "Id")}


def repeated(items: Sequence[Any], key: str) -> dict[int, RecordError]:
    """Place -> refusal of all items that name the same record as another one: none of them is carried out."""
    places: dict[str, list[int]] = {}
    for place, item in enumerate(items):
        raw = item if isinstance(item, str) else next((each for name, each in item.items() if name.lower() == key.lower()), None)
        if raw not in (None, ""):
            text = ids.normalise(str(raw)) if key == "id" and ids.well_formed(raw) else str(raw).casefold()
            places.setdefault(text, []).append(place)
    what = "duplicate id specified" if key == "id" else "Duplicate external id specified"
    fields = () if key == "id" else (key,)
    doubled = {text: found for text, found in places.items() if len(found) > 1}
    return {place: RecordError("DUPLICATE_VALUE", f"{what}: {text}", fields) for text, found in doubled.items() for place in found}

"""Changes of records of the common interface, and what refuses them. Every function works on a section, record by record."""

import uuid
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from infra.sandbox.marketo.border.errors import ApiError, RecordError
from infra.sandbox.marketo.border.origin import Origin
from infra.sandbox.marketo.state.activity_log import ADD_TO_OPPORTUNITY, REMOVE_FROM_OPPORTUNITY, UPDATE_OPPORTUNITY
from infra.sandbox.marketo.state.fields import Value, display, stored
from infra.sandbox.marketo.state.instance import Section
from infra.sandbox.marketo.state.kinds import OPPORTUNITY, ROLE, SALES_PERSON, Kind
from infra.sandbox.marketo.state.records import Row
from infra.sandbox.marketo.state.store import LEAD, Store

ACTIONS = ("createOnly", "updateOnly", "createOrUpdate")


@dataclass(slots=True, kw_only=True)
class ObjectSync:
    """One sync call. `by_id`: records are found by the id field, which only updateOnly may do."""

    kind: Kind
    action: str
    by_id: bool
    origin: Origin
    seen: set[str] = field(default_factory=set)


def sync(section: Section, request: ObjectSync, record: Any) -> dict[str, Any]:
    """Writes one record; returns its result without `seq`. RecordError when it is skipped."""
    kind = request.kind
    if not isinstance(record, Mapping):
        raise RecordError("1001", "Invalid value: a record must be an object")
    record = spelled(kind, record)
    names = (kind.id_field,) if request.by_id else kind.dedupe
    key = _key_of(record, names)
    place = "\0".join(str(part).casefold() for part in key)
    if place in request.seen:
        raise RecordError("1036", "Duplicate object found in input")
    request.seen.add(place)
    values = _checked(section.store, kind, record, names)
    found = find(section.store, kind, names, key)
    if found and request.action == "createOnly":
        raise RecordError("1017", f"{kind.display} already exists")
    if not found and request.action == "updateOnly":
        raise RecordError("1013", f"{kind.display} not found")
    _require_links(section.store, kind, values)
    if found:
        change(section, kind, found[0], values, request.origin)
        return {"status": "updated", kind.id_field: shown_id(kind, found[0])}
    key_text = create(section, kind, values, request.origin)
    return {"status": "created", kind.id_field: shown_id(kind, key_text)}


def refuse_unknown_owners(store: Store, kind: Kind, records: Sequence[Any]) -> None:
    """An opportunity with an owner that does not exist refuses the whole call (REST API, error 718)."""
    if kind.name != OPPORTUNITY:
        return
    for record in records:
        owner = record.get("externalSalesPersonId") if isinstance(record, Mapping) else None
        if owner and not store.table(SALES_PERSON).find(("externalSalesPersonId",), (owner,)):
            raise ApiError("718", f"externalSalesPersonId '{owner}' not found")


def find(store: Store, kind: Kind, names: Sequence[str], values: Sequence[Any]) -> list[str]:
    table = store.table(kind.name)
    if tuple(names) == (kind.id_field,):
        return [str(values[0])] if str(values[0]) in table else []
    return table.find(names, values)


def create(section: Section, kind: Kind, values: Mapping[str, Value], origin: Origin) -> str:
    """Creates a record and returns its key."""
    for name in (*kind.dedupe, *kind.required):
        if values.get(name) is None:
            raise RecordError("1002", f"Missing value for required parameter '{name}'")
    table = section.store.table(kind.name)
    by_number = kind.id_field == "id"
    key = str(table.next_id) if by_number else str(uuid.uuid4())
    after = {name: value for name, value in values.items() if value is not None}
    section.add("create", kind.name, key, origin, before=None, after=after, activities=_of_new(section.store, kind, key, after))
    return key


def change(section: Section, kind: Kind, key: str, values: Mapping[str, Value], origin: Origin) -> bool:
    """Changes a record; what is equal already changes nothing. Returns whether anything changed."""
    row = section.store.table(kind.name).get(key) or {}
    after = {name: value for name, value in values.items() if row.get(name) != value}
    if not after:
        return False
    before = {name: row.get(name) for name in after}
    told = _of_change(section.store, kind, key, row, after)
    section.add("update", kind.name, key, origin, before=before, after=after, activities=told)
    return True


def delete(section: Section, kind: Kind, key: str, origin: Origin) -> None:
    """Deletes a record. RecordError 1022 while others refer to it: roles go before opportunities, people before companies (white
    paper); people keep their sales people, and so does a company that was deleted (sales persons)."""
    store, row = section.store, section.store.table(kind.name).get(key) or {}
    if _in_use(store, kind, row):
        raise RecordError("1022", f"{kind.display} is in use")
    gone = [_activity(REMOVE_FROM_OPPORTUNITY, store, row)] if kind.name == ROLE else []
    section.add("delete", kind.name, key, origin, before=row, after=None, activities=gone)


def shown_id(kind: Kind, key: str) -> int | str:
    return int(key) if kind.id_field == "id" else key


def spelled(kind: Kind, record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The record with `marketoGuid`, as guides spell it in requests, under the field's own name."""
    if kind.id_field != "marketoGUID" or "marketoGuid" not in record:
        return record
    return {"marketoGUID" if name == "marketoGuid" else name: value for name, value in record.items()}


def _key_of(record: Mapping[str, Any], names: Sequence[str]) -> list[Any]:
    key = [record.get(name) for name in names]
    for name, value in zip(names, key, strict=True):
        if value is None or value == "":
            raise RecordError("1002", f"Missing value for required parameter '{name}'")
    return key


def _checked(store: Store, kind: Kind, record: Mapping[str, Any], names: Sequence[str]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for name, value in record.items():
        one = kind.fields.get(name)
        if one is None:
            raise RecordError("1006", f"Field '{name}' not found")
        if name == kind.id_field and name in names:
            continue
        if one.read_only:
            raise RecordError("1003", f"Field '{name}' is not updateable")
        values[name] = stored(one, value, store.zone)
    for name in (*kind.dedupe, *kind.required):
        if name in values and values[name] is None:
            raise RecordError("1003", f"Field '{name}' can not be null")
    return values


def _require_links(store: Store, kind: Kind, values: Mapping[str, Value]) -> None:
    for name, (target, its_field) in kind.links.items():
        value = values.get(name)
        if value is None:
            continue
        if target == LEAD:
            if not store.find(its_field, value):
                raise RecordError("1004", "Lead not found")
        elif not (str(value) in store.table(target) if its_field == "id" else store.table(target).find((its_field,), (value,))):
            raise RecordError("1013", f"{target} '{value}' not found")


def _in_use(store: Store, kind: Kind, row: Row) -> bool:
    match kind.name:
        case "SalesPerson":
            key = row["externalSalesPersonId"]
            return bool(store.find("externalSalesPersonId", key)) or key.casefold() in store.owners_of_deleted
        case "Company":
            key = row["externalCompanyId"]
            return bool(store.find("externalCompanyId", key) or store.table(OPPORTUNITY).find(("externalCompanyId",), (key,)))
        case "Opportunity":
            return bool(store.table(ROLE).find(("externalOpportunityId",), (row["externalOpportunityId"],)))
        case _:
            return False


def _of_new(store: Store, kind: Kind, key: str, row: Row) -> list[list[Any]]:
    if kind.name == ROLE:
        return [_activity(ADD_TO_OPPORTUNITY, store, row)]
    if kind.activity_type is None:
        return []
    leads = [
        lead_id
        for name, (target, its_field) in kind.links.items()
        if target == LEAD and row.get(name) is not None
        for lead_id in store.find(its_field, row[name])
    ]
    shown = str(row.get(kind.dedupe[0]))
    return [[lead_id, kind.activity_type, _number(key), shown, [["Source", "Web service API"]]] for lead_id in leads]


def _of_change(store: Store, kind: Kind, key: str, row: Row, after: Mapping[str, Value]) -> list[list[Any]]:
    if kind.name != OPPORTUNITY:
        return []
    roles = store.table(ROLE)
    found = [roles.get(one) or {} for one in roles.find(("externalOpportunityId",), (row["externalOpportunityId"],))]
    shown = [["Data Value Changes", _changes_shown(store, kind, row, after)]]
    name = after.get("name") or row.get("name")
    return [[role["leadId"], UPDATE_OPPORTUNITY, _number(key), name, shown] for role in found]


def _changes_shown(store: Store, kind: Kind, row: Row, after: Mapping[str, Value]) -> str:
    """The attribute's text: nobody has published how it is written, so this form is ours."""
    parts = []
    for name, value in after.items():
        one = kind.fields[name]
        old, new = (display(one, each, store.zone, by_api=False) or "" for each in (row.get(name), value))
        parts.append(f"{one.display}: {old} -> {new}")
    return "; ".join(parts)


def _activity(kind: int, store: Store, role: Row) -> list[Any]:
    opportunities = store.table(OPPORTUNITY)
    keys = opportunities.find(("externalOpportunityId",), (role["externalOpportunityId"],))
    name = (opportunities.get(keys[0]) or {}).get("name") if keys else None
    shown = [["Role", role.get("role")], ["Is Primary", bool(role.get("isPrimary"))]]
    return [role["leadId"], kind, _number(keys[0]) if keys else None, name, shown]


def _number(key: str) -> int:
    """The numeric id under which activities name a record that has a GUID."""
    return int(key) if key.isdecimal() else zlib.crc32(key.encode()) & 0x7FFFFFFF

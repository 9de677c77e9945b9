"""From the journal entries of one transaction to its change events (CDC guide: change event header, body fields, merged change events)."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import orjson

from infra.sandbox.kernel.journal import Entry
from infra.sandbox.salesforce.schema.compound import part_name
from infra.sandbox.salesforce.schema.types import Field, Kind, ObjectType, Row, Value
from infra.sandbox.salesforce.wire.ids import DUMMY_ID
from infra.sandbox.salesforce.wire.stamps import event_time

NEVER_SENT = frozenset({"Id", "IsDeleted", "SystemModstamp", "LastActivityDate", "MasterRecordId"})
EVENT_BYTES_MAX = 1_000_000
DIFF_FROM_CHARACTERS = 1000
_TYPES = {"create": "CREATE", "update": "UPDATE", "delete": "DELETE", "undelete": "UNDELETE"}


class Change(msgspec.Struct):
    """What a transaction did to one record in all: the first kind of change, the values before and after."""

    op: str
    object: str
    id: str
    before: dict[str, Value]
    after: dict[str, Value]


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Who changed, how, and in which transaction: the parts that all events of a transaction share."""

    user_id: str
    change_origin: str
    transaction_key: str
    commit_ms: int
    commit_number: int
    changes_max: int = 100_000
    """More changes than this in one transaction overflow: an updated field counts one (CDC guide, overflow events)."""


def fold(entries: Iterable[Entry]) -> list[Change]:
    """One change a record, in the order of first touch: several changes of a record in one transaction are one event of the first
    kind with the values at the end (CDC guide, general considerations). Created and deleted at once leaves nothing."""
    found: dict[str, Change] = {}
    for entry in entries:
        known = found.get(entry.id)
        if known is None:
            found[entry.id] = Change(entry.op, entry.object, entry.id, dict(entry.before or {}), dict(entry.after or {}))
        elif entry.op == "update":
            known.before = {**(entry.before or {}), **known.before} if known.op == "update" else known.before
            known.after.update(entry.after or {})
        elif known.op == "create":
            del found[entry.id]
        else:
            known.op = entry.op
    return list(found.values())


def event_bodies(
    changes: Sequence[Change], kinds: Mapping[str, ObjectType], rows: Mapping[str, Row], origin: Origin
) -> list[tuple[str, bytes]]:
    """(entity, payload as JSON) of each event, equal changes of several records merged into one. `rows` are the rows as they stand now."""
    groups: dict[tuple[str, str, bytes], list[str]] = {}
    contents: dict[tuple[str, str, bytes], tuple[dict[str, Any], list[str]]] = {}
    weight = 0
    overflowed: dict[str, None] = {}
    for change in changes:
        weight += len(change.after) if change.op == "update" else 1
        if weight > origin.changes_max:
            overflowed[change.object] = None
            continue
        fields, changed = _content(change, kinds[change.object], rows.get(change.id, {}))
        key = (change.object, change.op, orjson.dumps(fields, option=orjson.OPT_SORT_KEYS))
        groups.setdefault(key, []).append(change.id)
        contents.setdefault(key, (fields, changed))
    bodies = []
    for number, (key, record_ids) in enumerate(groups.items(), start=1):
        entity, op, _ = key
        fields, changed = contents[key]
        header = header_of(entity, _TYPES[op], record_ids, origin, changed=changed, number=number)
        body = orjson.dumps({**fields, "ChangeEventHeader": header})
        if len(body) > EVENT_BYTES_MAX:
            body = gap_body(header)
        bodies.append((entity, body))
    for number, entity in enumerate(overflowed, start=len(bodies) + 1):
        bodies.append((entity, gap_body(header_of(entity, "GAP_OVERFLOW", [DUMMY_ID], origin, number=number))))
    return bodies


def header_of(
    entity: str, change_type: str, record_ids: list[str], origin: Origin, *, changed: Sequence[str] = (), number: int = 1
) -> dict[str, Any]:
    return {
        "entityName": entity,
        "recordIds": record_ids,
        "changeType": change_type,
        "changeOrigin": origin.change_origin,
        "transactionKey": origin.transaction_key,
        "sequenceNumber": number,
        "commitTimestamp": origin.commit_ms // 1000 * 1000,
        "commitNumber": origin.commit_number,
        "commitUser": origin.user_id,
        "changedFields": list(changed),
    }


def gap_body(header: Mapping[str, Any]) -> bytes:
    """The event of that header as a gap: same records, no fields (CDC guide, gap events)."""
    kind = header["changeType"] if str(header["changeType"]).startswith("GAP_") else f"GAP_{header['changeType']}"
    return orjson.dumps({"ChangeEventHeader": {**header, "changeType": kind, "changeOrigin": "", "changedFields": []}})


def as_gap(body: bytes) -> bytes:
    """The event of that payload as a gap."""
    return gap_body(orjson.loads(body)["ChangeEventHeader"])


def without_fields(body: bytes, kind: ObjectType, hidden: frozenset[str]) -> bytes:
    """The payload as someone gets it who may not read the hidden fields: they are silently missing (CDC guide, field-level security)."""
    payload: dict[str, Any] = orjson.loads(body)
    header = payload["ChangeEventHeader"]
    for name in hidden:
        field = kind.fields.get(name)
        if field is None:
            continue
        if field.gathered:
            payload[field.gathered] = [each for each in payload.get(field.gathered, ()) if field.gathered + each != name]
            continue
        path = event_path(kind, field)
        inside = payload if len(path) == 1 else payload.get(path[0], {})
        if isinstance(inside, dict):
            inside.pop(path[-1], None)
        if len(path) == 2 and payload.get(path[0]) == {}:
            del payload[path[0]]
        header["changedFields"] = [each for each in header["changedFields"] if each != ".".join(path)]
    return orjson.dumps(payload)


def _content(change: Change, kind: ObjectType, row: Row) -> tuple[dict[str, Any], list[str]]:
    if change.op == "delete":
        return {}, []
    person = "IsPersonAccount" in row
    if change.op == "update":
        fields: dict[str, Any] = {}
        changed = []
        for name, value in change.after.items():
            field = kind.fields[name]
            if field.gathered:
                changed += [] if field.gathered in fields else [field.gathered]
                fields[field.gathered] = _gathered(kind, field.gathered, row)
            elif sent(kind, field) and not (person and name == "Name"):
                path = event_path(kind, field, person=person)
                _put(fields, path, _difference(field, change.before.get(name), event_value(field, value)))
                changed.append(".".join(path))
        return fields, changed
    fields = {}
    for field, path, missing in _plan(kind, kind.revision, person):
        value = row.get(field.name, missing)
        if field.gathered:
            fields[field.gathered] = _gathered(kind, field.gathered, row)
        elif value is not None:
            _put(fields, path, event_time(str(value)) if field.kind is Kind.DATETIME else value)
    return fields, []


def _gathered(kind: ObjectType, group: str, row: Row) -> list[str]:
    """The names of the flags of that group that are set."""
    return [each.name.removeprefix(group) for each in kind.fields.values() if each.gathered == group and each.name in row]


_plans: dict[tuple[str, bool], tuple[ObjectType, int, list[tuple[Field, tuple[str, ...], bool | None]]]] = {}


def _plan(kind: ObjectType, revision: int, person: bool) -> list[tuple[Field, tuple[str, ...], bool | None]]:
    """The fields that a whole record's event carries, where each stands, and what a row means that doesn't hold it."""
    known = _plans.get((kind.name, person))
    if known is None or known[0] is not kind or known[1] != revision:
        plan = [
            (field, event_path(kind, field, person=person), False if field.kind is Kind.BOOLEAN else None)
            for field in kind.fields.values() if sent(kind, field) and not (person and field.name == "Name")
        ]  # fmt: skip
        known = (kind, revision, plan)
        _plans[kind.name, person] = known
    return known[2]


def sent(kind: ObjectType, field: Field) -> bool:
    """Whether change events carry the field: derived and deletion fields never (CDC guide, change event body fields)."""
    return field.in_events and field.name not in NEVER_SENT and not field.derived and kind.captured


def event_path(kind: ObjectType, field: Field, *, person: bool = False) -> tuple[str, ...]:
    """Where a field stands in the payload. `person`: the record is a person account, whose name is a compound."""
    if field.compound is None or (field.compound == "Name" and not kind.personal and not person):
        return (field.name,)
    return (field.compound, part_name(field))


def _put(fields: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    if len(path) == 1:
        fields[path[0]] = value
    else:
        fields.setdefault(path[0], {})[path[1]] = value


def event_value(field: Field, value: Value) -> Any:
    """A value as change events write it."""
    if value is None:
        return False if field.kind is Kind.BOOLEAN else None
    return event_time(str(value)) if field.kind is Kind.DATETIME else value


def _difference(field: Field, before: Value, after: Any) -> Any:
    """A long text as a unified diff when that is shorter, else the text (CDC guide, data differences: at least 1,000 characters,
    at most half of the length and a quarter of the lines changed)."""
    if field.kind is not Kind.TEXTAREA or not isinstance(after, str) or not isinstance(before, str) or len(after) < DIFF_FROM_CHARACTERS:
        return after
    old, new = before.splitlines(), after.splitlines()
    digest = hashlib.sha256(after.encode()).hexdigest()
    lines = list(difflib.unified_diff(old, new, "", digest, lineterm=""))
    touched = [line for line in lines[2:] if line[:1] in "+-"]
    diff = "\n".join(lines)
    if len(touched) > max(len(new), 1) / 4 or sum(map(len, touched)) > len(after) / 2 or len(diff) >= len(after):
        return after
    return {"diff": diff}

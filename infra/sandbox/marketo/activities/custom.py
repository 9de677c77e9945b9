"""Custom activities: types with drafts and approval, and the write-once rows (REST API, custom activities)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from infra.sandbox.marketo.border.call import Answer, Call, parse_datetime
from infra.sandbox.marketo.border.errors import ApiError, RecordError
from infra.sandbox.marketo.border.origin import Origin
from infra.sandbox.marketo.border.routes import Routes
from infra.sandbox.marketo.objects.custom_types import ACTIVITY_TYPE, next_activity_type
from infra.sandbox.marketo.state.fields import Field, stored
from infra.sandbox.marketo.state.instance import Instance, Section
from infra.sandbox.marketo.state.records import Row
from infra.sandbox.marketo.state.store import CUSTOM_ACTIVITY, Store

TYPES_MAX, ATTRIBUTES_MAX, BYTES_MAX = 10, 20, 65_536
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,254}")
_WORDS = ("name", "triggerName", "filterName", "description")
_ATTRIBUTE_TYPES = ("string", "boolean", "integer", "float", "link", "email", "currency", "date", "datetime", "phone", "text")


@dataclass(frozen=True, slots=True)
class CustomActivityEndpoints:
    instance: Instance

    def routes(self) -> Routes:
        base = "/rest/v1/activities/external"
        one = f"{base}/type/{{name}}"
        return [
            ("POST", f"{base}.json", self.add),
            ("GET", f"{base}/types.json", self.types),
            ("POST", f"{base}/type.json", self.create),
            ("GET", f"{one}/describe.json", self.describe),
            ("POST", f"{one}/approve.json", self._step(_approve)),
            ("POST", f"{one}/discardDraft.json", self._step(_discard)),
            ("POST", f"{one}/delete.json", self._step(_delete)),
            ("POST", f"{one}/attributes/create.json", self._step(_create_attributes)),
            ("POST", f"{one}/attributes/update.json", self._step(_update_attributes)),
            ("POST", f"{one}/attributes/delete.json", self._step(_delete_attributes)),
            ("POST", f"{one}.json", self._step(_update)),
        ]

    def add(self, call: Call) -> Answer:
        """Adds activities. There is no key: the same one sent twice is there twice."""
        records, failure = call.input(call.json()), call.record_errors()
        results: list[dict[str, Any]] = []
        with self.instance.section() as section:
            for seq, record in enumerate(records):
                try:
                    failure(seq)
                    results.append(_add(section, record, call.origin("addCustomActivity")))
                except RecordError as error:
                    results.append({"status": "skipped", "errors": [{"code": error.code, "message": error.message}]})
        return {"result": results}

    def types(self, _: Call) -> Answer:
        return {"result": [_shown(row, row.get("approved") or row["draft"]) for row in self.instance.store.table(ACTIVITY_TYPE).rows()]}

    def describe(self, call: Call) -> Answer:
        row = _known(self.instance.store, call.path_args[0])
        draft = call.params.get("draft", "").lower() == "true" or row.get("approved") is None
        version = row.get("draft") if draft else row.get("approved")
        return {"result": [_shown(row, version or row["approved"])]}

    def create(self, call: Call) -> Answer:
        body = call.json()
        name, primary = body.get("apiName"), body.get("primaryAttribute")
        for member in ("apiName", "name", "triggerName", "filterName"):
            if not isinstance(body.get(member), str) or not body[member]:
                raise ApiError("1002", f"Missing value for required parameter '{member}'")
        if not isinstance(primary, Mapping) or not primary.get("apiName") or not primary.get("name"):
            raise ApiError("1002", "Missing value for required parameter 'primaryAttribute'")
        table = self.instance.store.table(ACTIVITY_TYPE)
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ApiError("1003", f"Invalid apiName '{name}'")
        if name in table:
            raise ApiError("1017", f"Activity type '{name}' already exists")
        if len(table) >= TYPES_MAX:
            raise ApiError("1027", "Maximum number of activity types reached")
        draft = {**{word: body[word] for word in _WORDS if word in body}, "primaryAttribute": dict(primary), "attributes": []}
        with self.instance.section() as section:
            after = {"apiName": name, "id": next_activity_type(section.store), "draft": draft}
            section.add("create", ACTIVITY_TYPE, name, call.origin("createActivityType"), before=None, after=after)
        return {"result": [_shown(_known(self.instance.store, name), draft)]}

    def _step(self, step: Callable[[Row, Call], Row | None]) -> Callable[[Call], Answer]:
        def run(call: Call) -> Answer:
            name = call.path_args[0]
            row = _known(self.instance.store, name)
            after, origin = step(row, call), call.origin("updateActivityType")
            with self.instance.section() as section:
                if after is None:
                    section.add("delete", ACTIVITY_TYPE, name, origin, before=row, after=None)
                else:
                    section.add("update", ACTIVITY_TYPE, name, origin, before={one: row.get(one) for one in after}, after=after)
            left = self.instance.store.table(ACTIVITY_TYPE).get(name) or row
            return {"result": [_shown(left, left.get("draft") or left.get("approved") or {})]}

        return run


def activity_types(store: Store) -> list[dict[str, Any]]:
    """The approved custom types as `activities/types.json` lists them."""
    rows = [row for row in store.table(ACTIVITY_TYPE).rows() if row.get("approved") is not None]
    return [
        {
            "id": row["id"],
            "name": row["approved"]["name"],
            "description": row["approved"].get("description"),
            "apiName": row["apiName"],
            "primaryAttribute": {**row["approved"]["primaryAttribute"], "dataType": "string"},
            "attributes": row["approved"]["attributes"],
        }
        for row in rows
    ]


def custom_activity_ids(store: Store) -> set[int]:
    return {row["id"] for row in store.table(ACTIVITY_TYPE).rows()}


def _add(section: Section, record: Any, origin: Origin) -> dict[str, Any]:
    if not isinstance(record, Mapping):
        raise RecordError("1001", "Invalid value: an activity must be an object")
    for member in ("leadId", "activityDate", "activityTypeId", "primaryAttributeValue"):
        if record.get(member) in (None, ""):
            raise RecordError("1002", f"Missing value for required parameter '{member}'")
    store = section.store
    if not store.find("id", record["leadId"]):
        raise RecordError("1004", "Lead not found")
    rows = [row for row in store.table(ACTIVITY_TYPE).rows() if row["id"] == record["activityTypeId"]]
    if not rows or rows[0].get("approved") is None:
        raise RecordError("1013", f"Activity type '{record['activityTypeId']}' not found")
    attributes = _checked(store, rows[0]["approved"], record.get("attributes") or [])
    if len(orjson.dumps(attributes)) > BYTES_MAX:
        raise RecordError("1049", f"Attributes are larger than {BYTES_MAX} bytes")
    try:
        at_s = int(parse_datetime(str(record["activityDate"])).timestamp())
    except ApiError as error:
        raise RecordError("1003", error.message) from error
    key, primary = store.next_activity, str(record["primaryAttributeValue"])
    row = [int(record["leadId"]), rows[0]["id"], None, primary, attributes, at_s]
    after = {"leadId": int(record["leadId"]), "activityTypeId": rows[0]["id"], "apiName": rows[0]["apiName"]}
    after |= {"activityDate": record["activityDate"], "primaryAttributeValue": primary, "attributes": dict(attributes)}
    section.add("create", CUSTOM_ACTIVITY, str(key), origin, before=None, after=after, activities=[row])
    return {"id": key, "marketoGUID": str(key), "status": "added"}


def _checked(store: Store, version: Mapping[str, Any], given: Any) -> list[tuple[str, Any]]:
    known = {one["apiName"]: one for one in version["attributes"]}
    if not isinstance(given, list):
        raise RecordError("1001", "Invalid value for attributes")
    found = []
    for one in given:
        name = one.get("apiName") or one.get("name") if isinstance(one, Mapping) else None
        if not isinstance(name, str) or name not in known:
            raise RecordError("1006", f"Attribute '{name}' not found")
        kind = {"link": "url"}.get(known[name]["dataType"], known[name]["dataType"])
        shape = Field(id=0, name=name, display=name, type="text" if kind == "string" else kind)
        found.append((known[name]["name"], stored(shape, one.get("value"), store.zone)))
    return found


def _known(store: Store, name: str) -> Row:
    row = store.table(ACTIVITY_TYPE).get(name)
    if row is None:
        raise ApiError("1013", f"Activity type '{name}' not found")
    return row


def _shown(row: Row, version: Mapping[str, Any]) -> dict[str, Any]:
    status = "draft" if row.get("approved") is None else "approved" if row.get("draft") is None else "approved with draft"
    return {
        **{name: row.get(name) for name in ("id", "apiName", "createdAt", "updatedAt")},
        "status": status,
        **{name: version.get(name) for name in (*_WORDS, "primaryAttribute", "attributes")},
    }


def _draft(row: Row) -> dict[str, Any]:
    found = row.get("draft") or row["approved"]
    return {**found, "attributes": [dict(one) for one in found["attributes"]]}


def _approve(row: Row, _: Call) -> Row:
    if row.get("draft") is None:
        raise ApiError("709", f"Activity type '{row['apiName']}' has no draft")
    return {"approved": row["draft"], "draft": None}


def _discard(row: Row, _: Call) -> Row | None:
    if row.get("draft") is None:
        raise ApiError("709", f"Activity type '{row['apiName']}' has no draft")
    return None if row.get("approved") is None else {"draft": None}


def _delete(_: Row, __: Call) -> None:
    return None


def _update(row: Row, call: Call) -> Row:
    body, draft = call.json(), _draft(row)
    draft.update({word: body[word] for word in _WORDS if word in body})
    if isinstance(body.get("primaryAttribute"), Mapping):
        draft["primaryAttribute"] = {**draft["primaryAttribute"], **body["primaryAttribute"]}
    return {"draft": draft}


def _attributes(call: Call) -> list[Mapping[str, Any]]:
    given = call.json().get("attributes")
    if not isinstance(given, list) or not all(isinstance(one, Mapping) and isinstance(one.get("apiName"), str) for one in given):
        raise ApiError("1002", "Missing value for required parameter 'attributes'")
    return given


def _create_attributes(row: Row, call: Call) -> Row:
    draft, primary = _draft(row), (row.get("draft") or row["approved"])["primaryAttribute"]["apiName"]
    for one in _attributes(call):
        kind = one.get("dataType", "string")
        if kind not in _ATTRIBUTE_TYPES or not _NAME.fullmatch(one["apiName"]):
            raise ApiError("1003", f"Invalid attribute '{one['apiName']}'")
        if one["apiName"] in {primary, *(known["apiName"] for known in draft["attributes"])}:
            raise ApiError("1017", f"Attribute '{one['apiName']}' already exists")
        words = {"apiName": one["apiName"], "name": one.get("name") or one["apiName"], "dataType": kind}
        draft["attributes"].append({**words, "description": one.get("description")})
    if len(draft["attributes"]) > ATTRIBUTES_MAX:
        raise ApiError("1028", f"At most {ATTRIBUTES_MAX} attributes")
    return {"draft": draft}


def _update_attributes(row: Row, call: Call) -> Row:
    draft = _draft(row)
    for one in _attributes(call):
        found = next((known for known in draft["attributes"] if known["apiName"] == one["apiName"]), None)
        if found is None:
            raise ApiError("1006", f"Attribute '{one['apiName']}' not found")
        found.update({name: one[name] for name in ("name", "description", "dataType") if name in one})
    return {"draft": draft}


def _delete_attributes(row: Row, call: Call) -> Row:
    draft, gone = _draft(row), {one["apiName"] for one in _attributes(call)}
    for name in gone - {one["apiName"] for one in draft["attributes"]}:
        raise ApiError("1006", f"Attribute '{name}' not found")
    draft["attributes"] = [one for one in draft["attributes"] if one["apiName"] not in gone]
    return {"draft": draft}

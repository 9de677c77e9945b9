"""The common interface of companies, sales people, opportunities, roles and custom objects: describe, sync, query, delete (REST API, lead
database)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.sandbox.marketo.border.call import BATCH_MAX, Answer, Call, offset, paged
from infra.sandbox.marketo.border.errors import ApiError, RecordError
from infra.sandbox.marketo.border.routes import Routes
from infra.sandbox.marketo.objects import objects
from infra.sandbox.marketo.objects.objects import ObjectSync
from infra.sandbox.marketo.state.fields import Field, schema_shown
from infra.sandbox.marketo.state.instance import Instance
from infra.sandbox.marketo.state.kinds import COMPANY, NAMED_ACCOUNT, OPPORTUNITY, ROLE, SALES_PERSON, Kind
from infra.sandbox.marketo.state.records import Row

_MATCHES_MAX = 1000


@dataclass(frozen=True, slots=True)
class ObjectEndpoints:
    """`kind_of` finds the kind by the call, and refuses what there is not."""

    instance: Instance
    kind_of: Callable[[Call], Kind]
    describe_more: Callable[[Kind], Mapping[str, Any]] = lambda _: {}

    def describe(self, call: Call) -> Answer:
        return {"result": [self.described(self.kind_of(call))]}

    def described(self, kind: Kind) -> dict[str, Any]:
        searchable = [[kind.id_field], list(kind.dedupe), *([name] for name in kind.searchable)]
        return {
            "name": kind.said or kind.name,
            "displayName": kind.display,
            "description": f"{kind.display} object",
            "createdAt": "2024-01-01T00:00:00Z",
            "updatedAt": "2024-01-01T00:00:00Z",
            "idField": kind.id_field,
            "dedupeFields": list(kind.dedupe),
            "searchableFields": [one for number, one in enumerate(searchable) if one not in searchable[:number]],
            "relationships": list(kind.relationships),
            **self.describe_more(kind),
            "fields": [described_field(kind, one) for one in kind.fields.values()],
        }

    def schema(self, call: Call) -> Answer:
        """The fields as the schema API lists them; read only. What the system keeps for itself is not among them."""
        fields, start = self._schema_fields(call), offset(call.params.get("nextPageToken"))
        size = call.batch_size()
        return paged([schema_shown(one) for one in fields[start : start + size]], start, size, len(fields))

    def schema_field(self, call: Call) -> Answer:
        found = [one for one in self._schema_fields(call) if one.name == call.path_args[-1]]
        if not found:
            raise ApiError("1006", f"Field '{call.path_args[-1]}' not found")
        return {"result": [schema_shown(found[0])]}

    def _schema_fields(self, call: Call) -> list[Field]:
        return [one for one in self.kind_of(call).fields.values() if not one.read_only]

    def sync(self, call: Call) -> Answer:
        kind, body = self.kind_of(call), call.json()
        self.refuse_under_native_sync()
        action, by = body.get("action") or "createOrUpdate", body.get("dedupeBy") or "dedupeFields"
        if action not in objects.ACTIONS:
            raise ApiError("1003", f"Invalid value for action: {action}")
        if by not in {"dedupeFields", "idField"} or (by == "idField" and action != "updateOnly"):
            raise ApiError("1003", f"Invalid value for dedupeBy: {by}")
        records = call.input(body)
        objects.refuse_unknown_owners(self.instance.store, kind, records)
        request = ObjectSync(kind=kind, action=action, by_id=by == "idField", origin=call.origin(f"sync{kind.name}"))
        failure = call.record_errors()
        results = []
        with self.instance.section() as section:
            for seq, record in enumerate(records):
                try:
                    failure(seq)
                    results.append({"seq": seq, **objects.sync(section, request, record)})
                except RecordError as error:
                    results.append({"seq": seq, **error.skipped()})
        return {"result": results}

    def delete(self, call: Call) -> Answer:
        kind, body = self.kind_of(call), call.json()
        self.refuse_under_native_sync()
        by = body.get("deleteBy") or "dedupeFields"
        if by not in ("dedupeFields", "idField"):
            raise ApiError("1003", f"Invalid value for deleteBy: {by}")
        names = (kind.id_field,) if by == "idField" else kind.dedupe
        failure = call.record_errors()
        results = []
        with self.instance.section() as section:
            for seq, record in enumerate(call.input(body)):
                try:
                    failure(seq)
                    key = self._only(kind, names, record)
                    objects.delete(section, kind, key, call.origin(f"delete{kind.name}"))
                    results.append({"seq": seq, "status": "deleted", kind.id_field: objects.shown_id(kind, key)})
                except RecordError as error:
                    results.append({"seq": seq, **error.skipped()})
        return {"result": results}

    def query(self, call: Call) -> Answer:
        kind = self.kind_of(call)
        body: Mapping[str, Any] = call.json() if call.content_type == "application/json" and call.body else {}
        names, keys = self._wanted(kind, call, body)
        fields = self._fields(kind, call, body)
        store = self.instance.store
        found = list(dict.fromkeys(key for values in keys for key in objects.find(store, kind, names, values)))
        if len(found) > _MATCHES_MAX:
            raise ApiError("1003", "Too many results match the filter")
        start, size = offset(body.get("nextPageToken") or call.params.get("nextPageToken")), call.batch_size(body.get("batchSize"))
        rows = [_shown(kind, key, store.table(kind.name).get(key) or {}, fields) for key in found[start : start + size]]
        call.records = len(rows)
        return paged([{"seq": seq, **row} for seq, row in enumerate(rows)], start, size, len(found))

    def refuse_under_native_sync(self) -> None:
        if self.instance.store.settings.native_sync:
            raise ApiError("1018", "CRM Enabled")

    def _only(self, kind: Kind, names: Sequence[str], record: Any) -> str:
        if not isinstance(record, Mapping):
            raise RecordError("1001", "Invalid value: a record must be an object")
        record = objects.spelled(kind, record)
        values = [record.get(name) for name in names]
        if any(value is None or value == "" for value in values):
            raise RecordError("1002", f"Missing value for required parameter '{', '.join(names)}'")
        found = objects.find(self.instance.store, kind, names, values)
        if not found:
            raise RecordError("1013", f"{kind.display} not found")
        return found[0]

    def _wanted(self, kind: Kind, call: Call, body: Mapping[str, Any]) -> tuple[tuple[str, ...], list[list[Any]]]:
        """The fields to look by, and the values looked for."""
        by = body.get("filterType") or call.required("filterType")
        given = body.get("input")
        if by == "dedupeFields" and (len(kind.dedupe) > 1 or given is not None):
            if not isinstance(given, list) or not given:
                raise ApiError("1002", "Missing value for required parameter 'input'")
            return kind.dedupe, [[record.get(name) for name in kind.dedupe] for record in given if isinstance(record, Mapping)]
        names = {"dedupeFields": kind.dedupe, "idField": (kind.id_field,)}.get(by, (str(by),))
        if names[0] not in {kind.id_field, *kind.dedupe, *kind.searchable}:
            raise ApiError("1011", f"Filter type '{by}' is not supported")
        values = call.listed("filterValues") or _values(body.get("filterValues")) or [
            record.get(names[0]) for record in (given if isinstance(given, list) else ()) if isinstance(record, Mapping)
        ]  # fmt: skip
        if not values:
            raise ApiError("1002", "Missing value for required parameter 'filterValues'")
        if len(values) > BATCH_MAX:
            raise ApiError("1003", f"Too many filterValues: at most {BATCH_MAX}")
        return names, [[value] for value in values]

    def _fields(self, kind: Kind, call: Call, body: Mapping[str, Any]) -> list[str]:
        names = body.get("fields") or call.listed("fields")
        names = [part.strip() for part in names.split(",")] if isinstance(names, str) else names
        for name in names:
            if name not in kind.fields:
                raise ApiError("1006", f"Field '{name}' not found")
        return list(dict.fromkeys([kind.id_field, *(names or (*kind.dedupe, "createdAt", "updatedAt"))]))


PATHS = {
    COMPANY: "companies",
    SALES_PERSON: "salespersons",
    ROLE: "opportunities/roles",
    OPPORTUNITY: "opportunities",
    NAMED_ACCOUNT: "namedaccounts",
}


def standard_routes(instance: Instance) -> Routes:
    """Of companies, sales people, opportunities, roles and named accounts."""
    table: Routes = []
    for name, path in PATHS.items():
        base, endpoints = f"/rest/v1/{path}", ObjectEndpoints(instance, lambda _, name=name: instance.store.kind(name))  # type: ignore[misc]
        table += [
            ("GET", f"{base}/describe.json", endpoints.describe),
            ("POST", f"{base}.json", endpoints.sync),
            ("GET", f"{base}.json", endpoints.query),
            ("POST", f"{base}/delete.json", endpoints.delete),
        ]
        if name in {COMPANY, OPPORTUNITY, NAMED_ACCOUNT}:
            table.append(("GET", f"{base}/schema/fields.json", endpoints.schema))
            table.append(("GET", f"{base}/schema/fields/{{name}}.json", endpoints.schema_field))
    return table


def _values(given: Any) -> list[Any]:
    """Filter values from a body: a list, or a text with commas."""
    if isinstance(given, str):
        return [part.strip() for part in given.split(",") if part.strip()]
    return [value for value in given if isinstance(value, str | int | float)] if isinstance(given, list) else []


def described_field(kind: Kind, one: Field) -> dict[str, Any]:
    """The fields that name a record are shown as not updateable (REST API: companies, sales persons, opportunities, roles)."""
    shown: dict[str, Any] = {"name": one.name, "displayName": one.display, "dataType": one.type}
    if one.length:
        shown["length"] = one.length
    fixed = not kind.custom and one.name in {*kind.dedupe, *kind.fixed}
    return {**shown, "updateable": not one.read_only and not fixed, "crmManaged": False}


def _shown(kind: Kind, key: str, row: Row, fields: Sequence[str]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name in fields:
        value = objects.shown_id(kind, key) if name == kind.id_field else row.get(name)
        if kind.name == OPPORTUNITY and kind.fields[name].type == "currency" and value is not None:
            value = f"{value:.10g}"  # amounts come back as text
        shown[name] = value
    return shown

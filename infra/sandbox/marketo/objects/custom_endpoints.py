"""Endpoints under /rest/v1/customobjects: the schema API and the records (REST API, custom objects)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from infra.sandbox.marketo.border.call import Answer, Call
from infra.sandbox.marketo.border.errors import MESSAGES, ApiError
from infra.sandbox.marketo.border.origin import Origin
from infra.sandbox.marketo.border.routes import Routes
from infra.sandbox.marketo.objects import custom_types
from infra.sandbox.marketo.objects.custom_types import DATA_TYPES, TYPE, made_kind, state_of
from infra.sandbox.marketo.objects.endpoints import ObjectEndpoints, described_field
from infra.sandbox.marketo.state.fields import Field
from infra.sandbox.marketo.state.instance import Instance, Section
from infra.sandbox.marketo.state.kinds import Kind
from infra.sandbox.marketo.state.records import Row

Change = Callable[[Section, Origin], None]


@dataclass(frozen=True, slots=True)
class CustomObjectEndpoints:
    instance: Instance

    def routes(self) -> Routes:
        records = ObjectEndpoints(self.instance, self._kind, self._words)
        base, schema = "/rest/v1/customobjects", "/rest/v1/customobjects/schema"
        return [
            ("GET", f"{base}.json", self.objects),
            ("GET", f"{schema}.json", self.types),
            ("POST", f"{schema}.json", self.save),
            ("GET", f"{schema}/fieldDataTypes.json", self.data_types),
            ("GET", f"{schema}/linkableObjects.json", self.linkable),
            ("GET", f"{schema}/{{name}}/describe.json", self.describe_type),
            ("GET", f"{schema}/{{name}}/dependentAssets.json", self.dependent),
            ("POST", f"{schema}/{{name}}/addField.json", self.add_fields),
            ("POST", f"{schema}/{{name}}/deleteField.json", self.delete_fields),
            ("POST", f"{schema}/{{name}}/{{name}}/updateField.json", self.update_field),
            ("POST", f"{schema}/{{name}}/approve.json", self._step(custom_types.approve)),
            ("POST", f"{schema}/{{name}}/discardDraft.json", self._step(custom_types.discard)),
            ("POST", f"{schema}/{{name}}/delete.json", self._step(custom_types.delete)),
            ("GET", f"{base}/{{name}}/describe.json", records.describe),
            ("POST", f"{base}/{{name}}.json", records.sync),
            ("GET", f"{base}/{{name}}.json", records.query),
            ("POST", f"{base}/{{name}}/delete.json", records.delete),
        ]

    def objects(self, call: Call) -> Answer:
        names = call.listed("names")
        kinds = [made_kind(row, row["approved"]) for row in self.instance.store.table(TYPE).rows() if row.get("approved")]
        records = ObjectEndpoints(self.instance, self._kind, self._words)
        return {"result": [records.described(kind) for kind in kinds if not names or kind.name in names]}

    def types(self, call: Call) -> Answer:
        self._available()
        names, state = call.listed("names"), call.params.get("state")
        rows = [row for name, row in self.instance.store.table(TYPE).items() if not names or name in names]
        return {"result": [_type(row, row.get("approved") or row["draft"]) for row in rows if state in {None, state_of(row)}]}

    def describe_type(self, call: Call) -> Answer:
        self._available()
        row = custom_types.known(self.instance.store, call.path_args[0])
        draft = call.params.get("state") == "draft" or row.get("approved") is None
        fields = row.get("draft") if draft else row.get("approved")
        if fields is None:
            raise ApiError("1013", f"Object '{call.path_args[0]}' has no draft")
        return {"result": [_type(row, fields)]}

    def save(self, call: Call) -> Answer:
        body = call.json()
        return self._changed(call, lambda section, origin: custom_types.save(section, body, origin))

    def add_fields(self, call: Call) -> Answer:
        name, records = call.path_args[0], call.input(call.json())
        return self._changed(call, lambda section, origin: custom_types.add_fields(section, name, records, origin))

    def delete_fields(self, call: Call) -> Answer:
        name, records = call.path_args[0], call.input(call.json())
        return self._changed(call, lambda section, origin: custom_types.delete_fields(section, name, records, origin))

    def update_field(self, call: Call) -> Answer:
        (name, field), body = call.path_args, call.json()
        return self._changed(call, lambda section, origin: custom_types.update_field(section, name, field, body, origin))

    def data_types(self, _: Call) -> Answer:
        self._available()
        return {"result": list(DATA_TYPES)}

    def linkable(self, _: Call) -> Answer:
        self._available()
        store = self.instance.store
        number = Field(id=0, name="id", display="Id", type="integer")
        lead = _linkable("lead", "Lead", [store.fields.get(name, number) for name in store.searchable()])
        kinds = [made_kind(row, row["approved"]) for row in store.table(TYPE).rows() if row.get("approved")]
        others = [_linkable(kind.name, kind.display, [kind.fields[name] for name in kind.dedupe]) for kind in kinds if not kind.links]
        return {"result": [lead, _linkable("company", "Company", [number]), *others]}

    def dependent(self, call: Call) -> Answer:
        custom_types.known(self.instance.store, call.path_args[0])
        return {"result": []}

    def _step(self, step: Callable[[Section, str, Origin], None]) -> Callable[[Call], Answer]:
        return lambda call: self._changed(call, lambda section, origin: step(section, call.path_args[0], origin))

    def _changed(self, call: Call, change: Change) -> Answer:
        self._available()
        with self.instance.section() as section:
            change(section, call.origin("customObjectSchema"))
        return {"result": []}

    def _available(self) -> None:
        if not self.instance.store.settings.object_schema_api:
            raise ApiError("616", MESSAGES["616"])

    def _kind(self, call: Call) -> Kind:
        return custom_types.kind_of(self.instance.store, call.path_args[0])

    def _words(self, kind: Kind) -> dict[str, Any]:
        return _words_of(custom_types.known(self.instance.store, kind.name))


def _words_of(row: Row) -> dict[str, Any]:
    words = {"description": row.get("description") or "", "pluralName": row.get("pluralName") or row["displayName"]}
    return {**words, "createdAt": row["createdAt"], "updatedAt": row["updatedAt"]}


def _linkable(name: str, display: str, fields: Sequence[Field]) -> dict[str, Any]:
    shown = [{"name": one.name, "displayName": one.display, "dataType": one.type} for one in fields]
    return {"name": name, "displayName": display, "fields": shown}


def _type(row: Row, fields: list[Any]) -> dict[str, Any]:
    kind = made_kind(row, fields)
    return {
        **{name: row[name] for name in ("apiName", "displayName")},
        **_words_of(row),
        "showInLeadDetail": bool(row.get("showInLeadDetail")),
        "state": state_of(row),
        "version": "draft" if fields is row.get("draft") else "approved",
        "idField": kind.id_field,
        "dedupeFields": list(kind.dedupe),
        "searchableFields": [[kind.id_field], list(kind.dedupe), *([name] for name in kind.searchable)],
        "relationships": list(kind.relationships),
        "fields": [described_field(kind, one) for one in kind.fields.values()],
    }

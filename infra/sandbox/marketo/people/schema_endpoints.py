"""Endpoints that describe people: describe, describe2, schema fields (REST API, lead schema)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.sandbox.marketo.border.call import Answer, Call, offset, paged
from infra.sandbox.marketo.border.errors import ApiError, RecordError
from infra.sandbox.marketo.border.routes import Routes
from infra.sandbox.marketo.people.custom_fields import create_person_field, update_person_field
from infra.sandbox.marketo.state.fields import Field, schema_shown
from infra.sandbox.marketo.state.instance import Instance, Section


@dataclass(frozen=True, slots=True)
class SchemaEndpoints:
    instance: Instance

    def routes(self) -> Routes:
        base = "/rest/v1/leads"
        return [
            ("GET", f"{base}/describe.json", self.describe),
            ("GET", f"{base}/describe2.json", self.describe2),
            ("GET", f"{base}/schema/fields.json", self.fields),
            ("POST", f"{base}/schema/fields.json", self.create),
            ("GET", f"{base}/schema/fields/{{name}}.json", self.field),
            ("POST", f"{base}/schema/fields/{{name}}.json", self.update),
        ]

    def describe(self, _: Call) -> Answer:
        return {"result": [_described(one) for one in self.instance.store.fields.values()]}

    def describe2(self, _: Call) -> Answer:
        fields = [
            {
                "name": one.name,
                "displayName": one.display,
                "dataType": one.type,
                **({"length": one.length} if one.length else {}),
                "updateable": not one.read_only and one.name != "id",
                "crmManaged": False,
            }
            for one in self.instance.store.fields.values()
        ]
        return {
            "result": [{"name": "API Lead", "searchableFields": [[name] for name in self.instance.store.searchable()], "fields": fields}]
        }

    def fields(self, call: Call) -> Answer:
        every, start, size = list(self.instance.store.fields.values()), offset(call.params.get("nextPageToken")), call.batch_size()
        return paged([schema_shown(one) for one in every[start : start + size]], start, size, len(every))

    def field(self, call: Call) -> Answer:
        one = self.instance.store.fields.get(call.path_args[0])
        if one is None:
            raise ApiError("1006", f"Field '{call.path_args[0]}' not found")
        return {"result": [schema_shown(one)]}

    def create(self, call: Call) -> Answer:
        return each_field(self.instance, call, lambda section, record: create_person_field(section, record, call.origin("createLeadField")))

    def update(self, call: Call) -> Answer:
        name, origin = call.path_args[0], call.origin("updateLeadField")
        return each_field(self.instance, call, lambda section, record: update_person_field(section, name, record, origin))


def each_field(instance: Instance, call: Call, act: Callable[[Section, Any], dict[str, Any]]) -> Answer:
    """The outcome of each record of the call's input; a refused one does not stop the others."""
    results: list[dict[str, Any]] = []
    with instance.section() as section:
        for record in call.input(call.json()):
            try:
                results.append(act(section, record))
            except RecordError as error:
                results.append(error.skipped())
    return {"result": results}


def _described(one: Field) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": one.id, "displayName": one.display, "dataType": one.type}
    if one.length:
        shown["length"] = one.length
    shown["rest"] = {"name": one.name, "readOnly": one.read_only}
    shown["soap"] = {"name": one.name[0].upper() + one.name[1:], "readOnly": one.read_only}
    return shown

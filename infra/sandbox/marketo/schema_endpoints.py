"""Endpoints that describe people: describe, describe2, schema fields (REST API, lead schema)."""

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from infra.sandbox.marketo.activities import Origin
from infra.sandbox.marketo.call import Answer, Call, offset, paged
from infra.sandbox.marketo.errors import ApiError, RecordError
from infra.sandbox.marketo.fields import CUSTOM_TYPES, STRING_LENGTH_MAX, Field, schema_shown
from infra.sandbox.marketo.instance import Instance, Section
from infra.sandbox.marketo.routes import Routes
from infra.sandbox.marketo.store import FIELD

CUSTOM_MAX = 100
_FIRST_CUSTOM_ID = 1000
_LONG_TYPES = {"string", "email", "phone", "url"}


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
        results: list[dict[str, Any]] = []
        with self.instance.section() as section:
            for record in call.input(call.json()):
                try:
                    results.append(create_field(section, record, call.origin("createLeadField")))
                except RecordError as error:
                    results.append(error.skipped())
        return {"result": results}


def create_field(section: Section, record: Any, origin: Origin) -> dict[str, Any]:
    """Creates a custom field. RecordError 1002 (member missing), 1003 (bad name or type, too many), 1017 (exists)."""
    if not isinstance(record, dict):
        raise RecordError("1001", "Invalid value: a field must be an object")
    for member in ("displayName", "name", "dataType"):
        if not isinstance(record.get(member), str) or not record[member]:
            raise RecordError("1002", f"Missing value for required parameter '{member}'")
    name, kind = record["name"], record["dataType"]
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,254}", name):
        raise RecordError("1003", f"Invalid field name '{name}'")
    if kind not in CUSTOM_TYPES:
        raise RecordError("1003", f"Invalid dataType '{kind}'")
    known = section.store.fields
    if name.casefold() in {other.casefold() for other in known}:
        raise RecordError("1017", f"Field '{name}' already exists")
    customs = [one for one in known.values() if one.custom]
    if len(customs) >= CUSTOM_MAX:
        raise RecordError("1003", f"At most {CUSTOM_MAX} custom fields can be created")
    made = Field(
        id=max((one.id + 1 for one in customs), default=_FIRST_CUSTOM_ID),
        name=name,
        display=record["displayName"],
        type=kind,
        length=STRING_LENGTH_MAX if kind in _LONG_TYPES else None,
        custom=True,
        hidden=bool(record.get("isHidden", False)),
        description=record.get("description"),
    )
    section.add("create", FIELD, name, origin, before=None, after=msgspec.to_builtins(made))
    return {"name": name, "status": "created"}


def _described(one: Field) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": one.id, "displayName": one.display, "dataType": one.type}
    if one.length:
        shown["length"] = one.length
    shown["rest"] = {"name": one.name, "readOnly": one.read_only}
    shown["soap"] = {"name": one.name[0].upper() + one.name[1:], "readOnly": one.read_only}
    return shown

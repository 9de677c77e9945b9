"""The Avro schema of a change event and its id: the `schema` of each event (Streaming API guide, event schema by id)."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import orjson

from infra.sandbox.salesforce.events.changes import sent
from infra.sandbox.salesforce.schema.compound import part_name
from infra.sandbox.salesforce.schema.types import NUMERIC, Field, Kind, ObjectType, Schema

_HEADER: list[dict[str, Any]] = [
    {"name": "entityName", "type": "string"},
    {"name": "recordIds", "type": {"type": "array", "items": "string"}},
    {"name": "changeType", "type": {"type": "enum", "name": "ChangeType", "symbols": [
        "CREATE", "UPDATE", "DELETE", "UNDELETE", "GAP_CREATE", "GAP_UPDATE", "GAP_DELETE", "GAP_UNDELETE", "GAP_OVERFLOW", "SNAPSHOT",
    ]}},
    {"name": "changeOrigin", "type": "string"},
    {"name": "transactionKey", "type": "string"},
    {"name": "sequenceNumber", "type": "int"},
    {"name": "commitTimestamp", "type": "long"},
    {"name": "commitNumber", "type": "long"},
    {"name": "commitUser", "type": "string"},
    {"name": "nulledFields", "type": {"type": "array", "items": "string"}},
    {"name": "diffFields", "type": {"type": "array", "items": "string"}},
    {"name": "changedFields", "type": {"type": "array", "items": "string"}},
]  # fmt: skip

_DOCS = {
    Kind.ID: "PrimaryKey:EntityId", Kind.REFERENCE: "ForeignKey:EntityId", Kind.TEXTAREA: "Data:StringPlusClob", Kind.EMAIL: "Data:Email",
    Kind.PHONE: "Data:Phone", Kind.URL: "Data:Url", Kind.DOUBLE: "Data:Double", Kind.INT: "Data:Integer", Kind.CURRENCY: "Data:Currency",
    Kind.PERCENT: "Data:Percent", Kind.BOOLEAN: "Data:Boolean", Kind.DATE: "Data:DateOnly", Kind.DATETIME: "Data:DateTime",
    Kind.PICKLIST: "Data:DynamicEnum", Kind.MULTIPICKLIST: "Data:MultiEnum",
}  # fmt: skip
_BY_NAME = {
    "CreatedById": "CreatedBy:EntityId", "CreatedDate": "CreatedDate:DateTime", "LastModifiedById": "LastModifiedBy:EntityId",
    "LastModifiedDate": "LastModifiedDate:DateTime",
}  # fmt: skip
"""As schemas of published clients show them: what the field is for, then its type in Salesforce's own words."""


def schema_of(kind: ObjectType) -> dict[str, Any]:
    """All fields that events of the object can carry, whoever reads them; each may be null."""
    header = {"type": "record", "name": "ChangeEventHeader", "fields": _HEADER}
    fields: list[dict[str, Any]] = [{"name": "ChangeEventHeader", "type": header}]
    compounds: dict[str, list[dict[str, Any]]] = {}
    for field in kind.fields.values():
        if not sent(kind, field):
            continue
        if field.gathered:
            if all(each["name"] != field.gathered for each in fields):
                fields.append({"name": field.gathered, "type": ["null", {"type": "array", "items": "string"}], "default": None})
            continue
        if field.compound is None:
            fields.append(_avro_field(field.name, field))
            continue
        if field.compound not in compounds:
            compounds[field.compound] = []
            record = {"type": "record", "name": f"{kind.name}{field.compound}", "fields": compounds[field.compound]}
            fields.append({"name": field.compound, "type": ["null", record], "default": None})
        compounds[field.compound].append(_avro_field(part_name(field), field))
    if "Name" in compounds and not kind.personal:  # person accounts: a text, or a compound
        fields = [each for each in fields if each["name"] != "Name" or isinstance(each["type"][-1], dict)]
        next(each for each in fields if each["name"] == "Name")["type"].insert(1, "string")
    return {"name": kind.change_event, "namespace": "com.sforce.eventbus", "type": "record", "fields": fields}


def schema_id(kind: ObjectType) -> str:
    """Changes when the fields of the object change."""
    digest = hashlib.md5(orjson.dumps(schema_of(kind)), usedforsecurity=False).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


class EventSchemas:
    """The schemas of an org's change events, by entity and by id; those of before a change of the type stay known by their ids."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._ids: dict[str, tuple[int, str]] = {}
        self._texts: dict[str, bytes] = {}

    def id_of(self, entity: str) -> str:
        kind = self._schema.objects[entity]
        known = self._ids.get(entity)
        if known is None or known[0] != kind.revision:
            known = (kind.revision, schema_id(kind))
            self._ids[entity] = known
            self._texts[known[1]] = orjson.dumps(schema_of(kind))
        return known[1]

    def text_of(self, wanted: str) -> bytes | None:
        """The schema of that id as JSON."""
        if wanted not in self._texts:
            for kind in self._schema.objects.values():
                if kind.captured:
                    self.id_of(kind.name)
        return self._texts.get(wanted)


def _avro_field(name: str, field: Field) -> dict[str, Any]:
    if field.kind is Kind.BOOLEAN:
        avro = "boolean"
    elif field.kind in (Kind.DATE, Kind.DATETIME):
        avro = "long"
    else:
        avro = "double" if field.kind in NUMERIC and field.kind is not Kind.INT else "int" if field.kind is Kind.INT else "string"
    return {"name": name, "type": ["null", avro], "doc": _doc(field), "default": None}


def _doc(field: Field) -> str:
    """What the type alone does not say: a date and a moment are both `long`. Of a custom field its id follows, as real schemas have it."""
    if field.name in _BY_NAME:
        return _BY_NAME[field.name]
    own = f":00N{hashlib.md5(field.name.encode(), usedforsecurity=False).hexdigest()[:12]}" if field.name.endswith("__c") else ""
    return f"{_DOCS.get(field.kind, 'Data:Text')}{own}"

"""What both systems say about their fields, in one form: from Salesforce's object describe and Marketo's describe2."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from consumers.mapping.fields import FieldType
from streams.marketo.api.wire import FieldInfo, Schema
from streams.wire.systems import PERSON, Object, System

KEPT_BY_MARKETO = frozenset({"id", "marketoGUID", "createdAt", "updatedAt"})
NO_RECORDS: Mapping[Object, Schema] = {}
MARKETO_TEXT_MAX = 30_000
"""Marketo's text areas hold 30,000 bytes (Marketo field types); describe tells no length for them."""
RECORD_TEXT_MAX = 2_000
"""Text areas of custom objects hold 2,000 characters (Marketo, custom object fields)."""
_SALESFORCE_TYPES = {
    "string": FieldType.TEXT, "textarea": FieldType.TEXT, "email": FieldType.EMAIL, "phone": FieldType.PHONE, "url": FieldType.URL,
    "int": FieldType.NUMBER, "long": FieldType.NUMBER, "double": FieldType.NUMBER, "currency": FieldType.CURRENCY,
    "percent": FieldType.PERCENT, "boolean": FieldType.BOOLEAN, "date": FieldType.DATE, "datetime": FieldType.DATETIME,
    "picklist": FieldType.PICKLIST, "combobox": FieldType.PICKLIST, "multipicklist": FieldType.MULTIPICKLIST,
    "reference": FieldType.REFERENCE, "id": FieldType.REFERENCE, "encryptedstring": FieldType.TEXT,
}  # fmt: skip
_MARKETO_TYPES = {
    "string": FieldType.TEXT, "text": FieldType.TEXT, "email": FieldType.EMAIL, "phone": FieldType.PHONE, "url": FieldType.URL,
    "integer": FieldType.NUMBER, "score": FieldType.NUMBER, "float": FieldType.NUMBER, "currency": FieldType.CURRENCY,
    "percent": FieldType.PERCENT, "boolean": FieldType.BOOLEAN, "date": FieldType.DATE, "datetime": FieldType.DATETIME,
    "reference": FieldType.REFERENCE, "lead_function": FieldType.TEXT,
}  # fmt: skip
TEXTS = frozenset({
    FieldType.TEXT, FieldType.EMAIL, FieldType.PHONE, FieldType.URL, FieldType.PICKLIST, FieldType.MULTIPICKLIST, FieldType.REFERENCE,
    FieldType.OWNER,
})  # fmt: skip
NUMBERS = frozenset({FieldType.NUMBER, FieldType.CURRENCY, FieldType.PERCENT})
FAMILIES = (TEXTS, NUMBERS, frozenset({FieldType.BOOLEAN}), frozenset({FieldType.DATE}), frozenset({FieldType.DATETIME}))
"""Types within one are carried as each other."""
_WHOLE = frozenset({"int", "long", "integer", "score"})
_DECIMAL = frozenset({"double", "currency", "percent"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldFacts:
    """One field as its system describes it to our user. What isn't visible to our user isn't described at all."""

    name: str
    wire_type: str
    type: FieldType | None
    """None for a type that can't be synced (compound addresses, base64, ...)."""
    length: int | None = None
    scale: int | None = None
    createable: bool = True
    updateable: bool = True
    required: bool = False
    """Salesforce: a record can't be created without it."""
    unique: bool = False
    external_id: bool = False
    picklist: tuple[str, ...] = ()
    restricted: bool = False
    label: str = ""
    calculated: bool = False
    """A formula: nobody writes it, and it moves without its record being stamped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Describes:
    """The fields of every object that is synced, by API name. An object that our user can't see is absent."""

    salesforce: Mapping[Object, Mapping[str, FieldFacts]] = field(default_factory=dict)
    marketo: Mapping[str, FieldFacts] = field(default_factory=dict)
    searchable: frozenset[str] = frozenset()
    """Marketo: fields by which leads can be looked up."""
    marketo_records: Mapping[Object, Mapping[str, FieldFacts]] = field(default_factory=dict)
    """Marketo: the fields of records that are no leads, by what they are called on the topics."""

    def of_marketo(self, obj: Object) -> Mapping[str, FieldFacts]:
        """The fields of one sort of Marketo's records; empty where our user can't see it."""
        return self.marketo if obj == PERSON else self.marketo_records.get(obj, {})

    def of(self, system: System, obj: Object) -> Mapping[str, FieldFacts]:
        """The fields of one sort of record; empty where our user can't see it."""
        return self.salesforce.get(obj, {}) if system is System.SALESFORCE else self.of_marketo(obj)


def described(salesforce: Mapping[Object, Mapping[str, Any]], marketo: Schema, records: Mapping[Object, Schema] = NO_RECORDS) -> Describes:
    """The describes from what the systems answered: Salesforce's describe of each object (its JSON), Marketo's describe2 of leads, and
    its describe of other records."""
    return Describes(
        salesforce={obj: salesforce_fields(answer.get("fields", ())) for obj, answer in salesforce.items()},
        marketo={field.name: marketo_field(field) for field in marketo.fields},
        searchable=frozenset(name for names in marketo.searchable for name in names),
        marketo_records={obj: {field.name: _record_field(field) for field in schema.fields} for obj, schema in records.items()},
    )


def salesforce_fields(fields: Iterable[Mapping[str, Any]]) -> dict[str, FieldFacts]:
    """Fields from Salesforce's describe (SOAP API developer guide, describeSObjects result)."""
    return {each["name"]: _salesforce_field(each) for each in fields}


def _salesforce_field(told: Mapping[str, Any]) -> FieldFacts:
    wire_type = str(told.get("type", ""))
    numeric = wire_type in _WHOLE or wire_type in _DECIMAL
    createable = bool(told.get("createable", True))
    values = (each for each in told.get("picklistValues") or () if each.get("active", True))
    return FieldFacts(
        name=told["name"],
        wire_type=wire_type,
        type=_SALESFORCE_TYPES.get(wire_type),
        length=None if numeric else (told.get("length") or None),
        scale=0 if wire_type in _WHOLE else told.get("scale") if numeric else None,
        createable=createable,
        updateable=bool(told.get("updateable", True)),
        required=createable and not told.get("nillable", True) and not told.get("defaultedOnCreate", False) and wire_type != "boolean",
        unique=bool(told.get("unique", False)),
        external_id=bool(told.get("externalId", False)),
        picklist=tuple(each["value"] for each in values),
        restricted=bool(told.get("restrictedPicklist", False)),
        label=str(told.get("label") or ""),
        calculated=bool(told.get("calculated", False)),
    )


def _record_field(told: FieldInfo) -> FieldFacts:
    """A field of a record that is no person. Marketo tells what names a record, and a sales person's e-mail, as not updateable and takes
    it all the same (REST API, sales persons); what it refuses is said in its own words."""
    facts = marketo_field(told)
    if told.type == "text":
        facts = replace(facts, length=told.length or RECORD_TEXT_MAX)
    return facts if told.name in KEPT_BY_MARKETO else replace(facts, createable=True, updateable=True)


def marketo_field(told: FieldInfo) -> FieldFacts:
    """A field from Marketo's describe2."""
    return FieldFacts(
        name=told.name,
        wire_type=told.type,
        type=_MARKETO_TYPES.get(told.type),
        length=MARKETO_TEXT_MAX if told.type == "text" else (told.length or None),
        scale=0 if told.type in _WHOLE or told.type == "percent" else None,
        createable=told.updateable,
        updateable=told.updateable,
        label=told.label,
    )


def akin(one: FieldType | None, other: FieldType | None) -> bool:
    """Whether a field of one type can be kept in step with a field of the other; None is a type that can't be synced."""
    return one is not None and other is not None and any({one, other} <= family for family in FAMILIES)

"""Objects and fields, as an administrator defines them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from infra.sandbox.salesforce.records.formulas import compiled
from infra.sandbox.salesforce.schema import personaccounts
from infra.sandbox.salesforce.schema.shapes import USER_OR_QUEUE, label_of, object_type, ref
from infra.sandbox.salesforce.schema.types import NUMERIC, Field, Kind, ObjectType, Schema
from infra.sandbox.salesforce.setup.rights import object_of
from infra.sandbox.salesforce.state.state import State

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def define_field(org: State, args: Mapping[str, Any]) -> None:
    kind = object_of(org, args)
    field = field_of(args.get("field"))
    if field.name not in kind.fields and not field.custom:
        raise ValueError(f"{field.name}: the name of a custom field ends with __c")
    if field.master and (not kind.custom or "OwnerId" in kind.fields):
        raise ValueError(f"{field.name}: the fields that an object is defined with say whether its records are details of a master")
    formula = compiled(kind, field, field.formula) if field.formula is not None else None
    if field.rollup is not None:
        _check_rollup(org, kind, field)
    if field.name not in kind.fields:
        for row in org.store.tables[kind.name].rows.values():
            row.pop(field.name, None)
    kind.put_field(field)
    org.schema.forget_details()
    if field.indexed or (field.kind is Kind.REFERENCE and field.custom):
        org.store.tables[kind.name].add_index(field.name)
    if formula is not None:
        org.store.add_formula(kind, field.name, formula)
    if field.rollup is not None:
        child = org.store.tables[field.rollup.object]
        if not child.indexed(field.rollup.field):
            child.add_index(field.rollup.field)
        org.rollups.add(kind, field)


def delete_field(org: State, args: Mapping[str, Any]) -> None:
    """{object, field}: the custom field and its values are gone; no change event tells of it."""
    kind, field = _plain_field(org, args)
    kind.drop_field(field.name)
    for row in org.store.tables[kind.name].rows.values():
        row.pop(field.name, None)


def rename_field(org: State, args: Mapping[str, Any]) -> None:
    """{object, field, name, label?}: another API name for a custom field; its values stay, no change event tells of it."""
    kind, field = _plain_field(org, args)
    name = str(args.get("name", ""))
    if not name.endswith("__c") or name in kind.fields:
        raise ValueError(f"{name!r}: the new name of a custom field ends with __c and is free")
    kind.drop_field(field.name)
    kind.put_field(msgspec.structs.replace(field, name=name, label=str(args.get("label") or field.label)))
    for row in org.store.tables[kind.name].rows.values():
        if field.name in row:
            row[name] = row.pop(field.name)


def _plain_field(org: State, args: Mapping[str, Any]) -> tuple[ObjectType, Field]:
    kind = object_of(org, args)
    field = kind.fields.get(str(args.get("field", "")))
    if field is None or not field.custom or field.indexed or field.kind is Kind.REFERENCE or field.formula or field.rollup:
        raise ValueError(f"{args.get('field')!r} is no custom field of {kind.name} that nothing else depends on")
    return kind, field


def define_object(org: State, args: Mapping[str, Any]) -> None:
    name = str(args.get("name", ""))
    if not name.endswith("__c") or name in org.schema.objects:
        raise ValueError(f"{name!r}: the name of a new custom object ends with __c")
    fields = [field_of(raw) for raw in args.get("fields", [])]
    if not any(field.name == "Name" for field in fields):
        fields.insert(0, field_of({"name": "Name", "type": "string", "length": 80}))
    masters = [field for field in fields if field.master]
    owners = () if masters else USER_OR_QUEUE
    kind: ObjectType = object_type(name, str(args.get("prefix") or _free_prefix(org.schema)), fields, owners=owners)
    kind.label = str(args.get("label") or kind.label)
    org.schema.add_object(kind)
    org.store.add_object(kind)
    for field in fields:
        if field.kind is Kind.REFERENCE or field.formula:
            define_field(org, {"object": name, "field": msgspec.to_builtins(field)})
    if args.get("activities"):
        for activity in ("Task", "Event"):
            what = org.schema.objects[activity].fields["WhatId"]
            org.schema.objects[activity].put_field(msgspec.structs.replace(what, reference_to=(*what.reference_to, name)))


def enable_person_accounts(org: State, _: Mapping[str, Any]) -> None:
    for field in personaccounts.enable(org.schema):
        if field.indexed:
            org.store.tables["Account"].add_index(field.name)


def enable_currencies(org: State, args: Mapping[str, Any]) -> None:
    """{corporate, others: [...]}: from now on each record of an object that has amounts says their currency; those that are there have the
    corporate one (object reference, CurrencyIsoCode). There is no way back."""
    codes = [str(args.get("corporate", "")), *(str(each) for each in args.get("others", ()))]
    if not all(len(each) == 3 and each.isalpha() and each.isupper() for each in codes):
        raise ValueError(f"{codes!r}: currencies are named by their ISO codes")
    for kind in org.schema.objects.values():
        if any(field.kind is Kind.CURRENCY for field in kind.fields.values()):
            currency = {"name": "CurrencyIsoCode", "label": "Currency", "type": "picklist", "length": 3, "picklist": codes}
            kind.put_field(field_of({**currency, "restricted": True, "nillable": False, "default": codes[0]}))
            for row in org.store.tables[kind.name].rows.values():
                row["CurrencyIsoCode"] = codes[0]


def use_record_types(org: State, args: Mapping[str, Any]) -> None:
    """{object}: gives the object a RecordTypeId; the types themselves are records of RecordType."""
    object_of(org, args).put_field(ref("RecordTypeId", "RecordType"))


def map_lead_fields(org: State, args: Mapping[str, Any]) -> None:
    """{"fields": {lead field: ["Contact.X__c", "Account.Y__c", ...]}}: which custom fields a conversion hands on; replaces what was."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, targets in dict(args.get("fields", {})).items():
        for target in targets:
            owner, _, there = str(target).partition(".")
            known = owner in ("Account", "Contact", "Opportunity") and there in org.schema.objects[owner].fields
            if name not in org.schema.objects["Lead"].fields or not known:
                raise ValueError(f"{name} can't be mapped to {target}")
            found.setdefault(owner, []).append((str(name), there))
    org.lead_mapping = found


def field_of(raw: Any) -> Field:
    """A field from its description: `{"name", "type" or "kind", "length", "picklist": [...], ...}`; sizes have defaults."""
    if not isinstance(raw, Mapping):
        raise ValueError("field must be an object")  # noqa: TRY004 - a refusal of input, not a bug
    values = dict(raw)
    values["kind"] = values.pop("type", values.get("kind", "string"))
    values.setdefault("label", label_of(str(values.get("name", ""))))
    kind = values["kind"]
    if kind in ("string", "textarea", "url", "picklist", "multipicklist"):
        values.setdefault("length", 255)
    elif kind in ("email", "phone"):
        values.setdefault("length", 80 if kind == "email" else 40)
    elif kind in ("double", "currency", "percent", "int"):
        values.setdefault("precision", 18 if kind != "int" else 8)
        values.setdefault("scale", 0 if kind == "int" else 2)
    elif kind == "boolean":
        values = {"nillable": False, "default": False, **values}
    elif kind == "reference":
        values.setdefault("relationship", str(values.get("name", "")).removesuffix("__c") + "__r")
        if values.get("master"):
            values = {"updateable": bool(values.get("reparentable")), **values, "nillable": False}
    if values.get("formula"):
        values = {**values, "derived": True, "createable": False, "updateable": False}
    elif values.get("rollup") or values.get("auto_number"):
        values = {**values, "createable": False, "updateable": False}
    field = msgspec.convert(values, Field)
    if field.kind is Kind.REFERENCE and not field.reference_to:
        raise ValueError(f"{field.name}: a reference names its objects in reference_to")
    if field.master and (field.kind is not Kind.REFERENCE or len(field.reference_to) != 1):
        raise ValueError(f"{field.name}: a master is a reference to one object")
    return field


def _check_rollup(org: State, kind: ObjectType, field: Field) -> None:
    rollup = field.rollup
    child = org.schema.objects.get(rollup.object) if rollup is not None else None
    reference = child.fields.get(rollup.field) if child is not None and rollup is not None else None
    if rollup is None or child is None or reference is None or kind.name not in reference.reference_to:
        raise ValueError(f"{field.name}: a roll-up names a child object and its reference to {kind.name}")
    if rollup.op != "COUNT" and (rollup.of not in child.fields or child.fields[rollup.of].kind not in NUMERIC):
        raise ValueError(f"{field.name}: {rollup.op} needs a number of {rollup.object} in `of`")


def _free_prefix(schema: Schema) -> str:
    return next(f"a{a}{b}" for a in BASE62 for b in BASE62 if f"a{a}{b}" not in schema.by_prefix)

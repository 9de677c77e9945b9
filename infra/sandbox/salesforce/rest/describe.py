"""What describe says of the objects and fields that the caller may see (SOAP API guide, describe results)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from infra.sandbox.salesforce.access.views import VisibleObject
from infra.sandbox.salesforce.schema.types import NUMERIC, TEXTUAL, Field, Kind, ObjectType, Row

_SOAP_TYPES = {
    Kind.ID: "tns:ID", Kind.REFERENCE: "tns:ID", Kind.BOOLEAN: "xsd:boolean", Kind.DATE: "xsd:date", Kind.DATETIME: "xsd:dateTime",
    Kind.INT: "xsd:int", Kind.ADDRESS: "urn:address",
}  # fmt: skip


def describe_brief(seen: VisibleObject, base: str) -> dict[str, Any]:
    """The entry of one object in the list of all."""
    kind, right = seen.kind, seen.right
    url = f"{base}/sobjects/{kind.name}"
    return {
        "activateable": False, "createable": kind.creatable and right.creatable, "custom": kind.custom, "customSetting": False,
        "deepCloneable": False, "deletable": right.deletable, "deprecatedAndHidden": False, "feedEnabled": False, "hasSubtypes": False,
        "isInterface": False, "isSubtype": False, "keyPrefix": kind.prefix, "label": kind.label, "labelPlural": kind.plural,
        "layoutable": True, "mergeable": kind.mergeable, "mruEnabled": True, "name": kind.name, "queryable": kind.queryable,
        "replicateable": _replicateable(kind),
        "retrieveable": True, "searchable": True, "triggerable": True, "undeletable": kind.undeletable,
        "updateable": right.editable,
        "urls": {"sobject": url, "describe": f"{url}/describe", "rowTemplate": f"{url}/{{ID}}"},
    }  # fmt: skip


def _replicateable(kind: ObjectType) -> bool:
    """Whether getUpdated and getDeleted work for it: not for what only an administrator's pages change."""
    return kind.captured or kind.custom or kind.deletable


MASTER_TYPE = "012000000000000AAA"


def describe_full(
    seen: VisibleObject,
    base: str,
    children: Iterable[tuple[str, str, str]] = (),
    record_types: Iterable[Row] = (),
    cascading: Collection[tuple[str, str]] = (),
) -> dict[str, Any]:
    """`cascading`: (object, reference) of the children that are deleted with a record."""
    fields = [describe_field(seen, field) for field in seen.names.values()]
    relationships = [
        {"cascadeDelete": (child, name) in cascading, "childSObject": child, "deprecatedAndHidden": False, "field": name,
         "junctionIdListNames": [], "junctionReferenceTo": [], "relationshipName": relationship, "restrictedDelete": False}
        for relationship, child, name in children
    ]  # fmt: skip
    infos = [_record_type_info(row, default=place == 0, base=base, name=seen.kind.name) for place, row in enumerate(record_types)]
    master: Row = {"Id": MASTER_TYPE, "Name": "Master", "DeveloperName": "Master", "IsActive": True}
    infos.append({**_record_type_info(master, default=not infos, base=base, name=seen.kind.name), "master": True})
    return {
        **describe_brief(seen, base), "fields": fields, "childRelationships": relationships, "recordTypeInfos": infos,
        "supportedScopes": [{"label": "All", "name": "everything"}], "namedLayoutInfos": [], "searchLayoutable": True,
    }  # fmt: skip


def _record_type_info(row: Row, *, default: bool, base: str, name: str) -> dict[str, Any]:
    return {
        "active": "IsActive" in row, "available": True, "defaultRecordTypeMapping": default, "developerName": row.get("DeveloperName"),
        "master": False, "name": row.get("Name"), "recordTypeId": row["Id"],
        "urls": {"layout": f"{base}/sobjects/{name}/describe/layouts/{row['Id']}"},
    }  # fmt: skip


_OF_RECORDS = (
    "createable", "deletable", "queryable", "replicateable", "retrieveable", "searchable", "updateable", "undeletable", "mergeable",
)  # fmt: skip


def event_brief(seen: VisibleObject, base: str) -> dict[str, Any]:
    """The change event of an object as an object of its own: neither queryable nor writable (CDC guide, change event messages)."""
    kind = seen.kind
    url = f"{base}/sobjects/{kind.change_event}"
    return {
        **describe_brief(seen, base), **dict.fromkeys(_OF_RECORDS, False), "name": kind.change_event, "keyPrefix": None,
        "label": f"{kind.label} Change Event", "labelPlural": f"{kind.label} Change Events", "associateEntityType": "ChangeEvent",
        "associateParentEntity": kind.name, "urls": {"sobject": url, "describe": f"{url}/describe", "eventSchema": f"{url}/eventSchema"},
    }  # fmt: skip


def describe_event(seen: VisibleObject, base: str) -> dict[str, Any]:
    from infra.sandbox.salesforce.events.changes import sent  # noqa: PLC0415 - changes knows nothing of describe; this is its only use here

    fields = [describe_field(seen, field) for field in seen.names.values() if sent(seen.kind, field)]
    return {**event_brief(seen, base), "fields": fields}


def describe_field(seen: VisibleObject, field: Field) -> dict[str, Any]:
    picklist = [
        {"active": each not in field.inactive, "defaultValue": each == field.default, "label": each, "validFor": None, "value": each}
        for each in field.picklist
    ]
    length = field.length if field.kind in TEXTUAL or field.kind in (Kind.ID, Kind.REFERENCE) else 0
    return {
        "aggregatable": field.filterable, "autoNumber": field.auto_number is not None,
        "byteLength": length * 3 if field.kind in TEXTUAL else length,
        "calculated": field.formula is not None or field.rollup is not None, "calculatedFormula": field.formula,
        "caseSensitive": False,
        "compoundFieldName": field.compound, "createable": seen.right.creatable and seen.createable(field), "custom": field.custom,
        "defaultValue": field.default, "defaultedOnCreate": field.default is not None or field.system or field.kind is Kind.BOOLEAN,
        "deprecatedAndHidden": False, "digits": field.precision if field.kind is Kind.INT else 0, "encrypted": False,
        "externalId": field.external_id, "filterable": field.filterable, "groupable": field.filterable and field.kind not in NUMERIC,
        "htmlFormatted": False, "idLookup": field.id_lookup or field.external_id, "inlineHelpText": None, "label": field.label,
        "length": length, "name": field.name, "nameField": field.name == "Name", "nillable": field.nillable,
        "permissionable": not field.system and field.nillable, "picklistValues": picklist,
        "polymorphicForeignKey": len(field.reference_to) > 1, "precision": field.precision if field.kind is not Kind.INT else 0,
        "queryByDistance": False, "referenceTo": list(field.reference_to), "relationshipName": field.relationship,
        "restrictedPicklist": field.restricted, "scale": field.scale, "soapType": _soap_type(field), "sortable": field.filterable,
        "type": str(field.kind), "unique": field.unique, "updateable": seen.right.editable and seen.updateable(field),
        "cascadeDelete": field.master, "relationshipOrder": 0 if field.master else None, "writeRequiresMasterRead": False,
    }  # fmt: skip


def _soap_type(field: Field) -> str:
    return _SOAP_TYPES.get(field.kind, "xsd:double" if field.kind in NUMERIC else "xsd:string")

"""What fields and objects are made of: a text, a picklist, an address, the system fields. Objects are put together of these."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from infra.sandbox.salesforce.schema.types import Field, Kind, ObjectType

SALUTATIONS = ("Mr.", "Ms.", "Mrs.", "Dr.", "Prof.", "Mx.")
GEOCODE = ("Address", "NearAddress", "Block", "Street", "ExtendedZip", "Zip", "Neighborhood", "City", "County", "State", "Unknown")


def label_of(name: str) -> str:
    """A readable label: `LastName` becomes `Last Name`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("__c")).replace("_", " ")


def field(name: str, kind: Kind, **options: Any) -> Field:
    options.setdefault("label", label_of(name.removesuffix("Id")) + " ID" if kind is Kind.REFERENCE else label_of(name))
    return Field(name=name, kind=kind, **options)


def text(name: str, length: int, **options: Any) -> Field:
    return field(name, Kind.STRING, length=length, **options)


def area(name: str, length: int, **options: Any) -> Field:
    return field(name, Kind.TEXTAREA, length=length, **options)


def email(name: str, **options: Any) -> Field:
    return field(name, Kind.EMAIL, length=80, **options)


def phone(name: str, **options: Any) -> Field:
    return field(name, Kind.PHONE, length=40, **options)


def pick(name: str, *values: str, **options: Any) -> Field:
    return field(name, Kind.PICKLIST, length=255, picklist=values, **options)


def flag(name: str, **options: Any) -> Field:
    return field(name, Kind.BOOLEAN, nillable=False, default=options.pop("default", False), **options)


def number(name: str, precision: int, scale: int = 0, kind: Kind = Kind.DOUBLE, **options: Any) -> Field:
    return field(name, kind, precision=precision, scale=scale, **options)


def ref(name: str, *targets: str, **options: Any) -> Field:
    options.setdefault("relationship", name.removesuffix("Id") if name.endswith("Id") else name.removesuffix("__c") + "__r")
    return field(name, Kind.REFERENCE, length=18, reference_to=targets, **options)


def fixed(each: Field) -> Field:
    """The field as one that only the org itself writes."""
    return msgspec.structs.replace(each, createable=False, updateable=False, system=True)


STAMPS, AUTHORS = ("CreatedDate", "LastModifiedDate", "SystemModstamp"), ("CreatedById", "LastModifiedById")
USER, USER_OR_QUEUE = ("User",), ("Group", "User")


def system_fields(*, owners: tuple[str, ...], deleted: bool, stamps: tuple[str, ...]) -> list[Field]:
    """Id, the stamps, the authors, the deletion flag; the owner where records have one (Object Reference, system fields)."""
    fields = [fixed(field("Id", Kind.ID, length=18, nillable=False, id_lookup=True))]
    if deleted:
        fields.append(fixed(flag("IsDeleted")))
    fields += [fixed(field(name, Kind.DATETIME, nillable=False)) for name in STAMPS if name in stamps]
    fields += [fixed(ref(name, "User", nillable=False)) for name in AUTHORS if name in stamps]
    if owners:
        fields.append(ref("OwnerId", *owners, nillable=False, system=True))
    return fields


def person_name() -> list[Field]:
    return [
        text("LastName", 80, nillable=False, compound="Name"),
        text("FirstName", 40, compound="Name"),
        pick("Salutation", *SALUTATIONS, compound="Name"),
        text("Name", 121, nillable=False, createable=False, updateable=False, derived=True),
    ]


def address(prefix: str) -> list[Field]:
    """The parts of an address and the compound over them; a Lead's own address has no prefix."""
    compound = f"{prefix}Address"
    parts = [area(f"{prefix}Street", 255, compound=compound)]
    for name, length in (("City", 40), ("State", 80), ("PostalCode", 20), ("Country", 80)):
        parts.append(text(prefix + name, length, compound=compound))
    parts += [number(prefix + name, 18, 15, compound=compound) for name in ("Latitude", "Longitude")]
    parts.append(pick(f"{prefix}GeocodeAccuracy", *GEOCODE, restricted=True, compound=compound))
    return [*parts, field(compound, Kind.ADDRESS, createable=False, updateable=False, derived=True)]


def worked_out(each: Field) -> Field:
    """The field as one that the org works out from others: never written, in no change event."""
    return msgspec.structs.replace(each, createable=False, updateable=False, derived=True)


def unsent(each: Field) -> Field:
    """The field as one that its object's change event doesn't have (published typings of the change events, June 2026)."""
    return msgspec.structs.replace(each, in_events=False)


def object_type(
    name: str,
    prefix: str,
    fields: list[Field],
    *,
    owners: tuple[str, ...] = USER,
    deleted: bool = True,
    stamps: tuple[str, ...] = (*STAMPS, *AUTHORS),
    **options: Any,
) -> ObjectType:
    """`owners` are the objects whose records can own it, none where it has no owner; `deleted`: whether there is an IsDeleted."""
    every = [*system_fields(owners=owners, deleted=deleted, stamps=stamps), *fields]
    return ObjectType(name=name, prefix=prefix, label=label_of(name), fields={each.name: each for each in every}, **options)

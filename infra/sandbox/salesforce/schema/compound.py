"""Name and address: the values that the org works out from their parts, for rows and for change events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.sandbox.salesforce.schema.types import Field, Kind, Value

_ADDRESS_PARTS = ("city", "country", "geocodeAccuracy", "latitude", "longitude", "postalCode", "state", "street")


def full_name(row: Mapping[str, Value]) -> str:
    """First and last name with a space (Object Reference, Name of persons)."""
    return " ".join(str(part) for part in (row.get("FirstName"), row.get("LastName")) if part)


def part_name(field: Field) -> str:
    """What a part of a compound is called inside it: `BillingStreet` is `Street` of `BillingAddress` (CDC guide, compound fields)."""
    prefix = (field.compound or "").removesuffix("Address") if field.compound != "Name" else ""
    return field.name.removeprefix(prefix)


def address_of(row: Mapping[str, Value], prefix: str) -> dict[str, Any] | None:
    """A compound address as REST writes it, or None when all its parts are blank."""
    parts = {part: row.get(prefix + part[0].upper() + part[1:]) for part in _ADDRESS_PARTS}
    return parts if any(value is not None for value in parts.values()) else None


def shown_value(field: Field, row: Mapping[str, Value]) -> Any:
    """A field as REST writes it; false for a boolean that the row doesn't hold."""
    if field.kind is Kind.ADDRESS:
        return address_of(row, field.name.removesuffix("Address"))
    value = row.get(field.name)
    return False if value is None and field.kind is Kind.BOOLEAN else value

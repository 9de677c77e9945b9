"""A list of records with Marketo's common interface: a plain value, given by whoever knows which there are."""

from dataclasses import dataclass

from streams.wire.systems import Object


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A list of records with the common interface (companies, sales persons, opportunities, roles, custom objects)."""

    object: Object
    """As on the topics: `company`."""
    path: str
    """`companies`, `salespersons`, `opportunities`, `opportunities/roles`, `customobjects/car_c`."""
    key: tuple[str, ...]
    """The dedupe fields: `externalCompanyId`."""
    id_field: str
    """`id` or `marketoGUID`."""

"""The mapping in effect: which field of one system is which of the other, as the configuration and the defaults make it."""

from dataclasses import dataclass

from consumers.configuration.loading import Settings
from consumers.configuration.mapping.defaults import build
from consumers.mapping.fields import Direction, FieldMapping
from consumers.reports.records.record import wins
from streams.wire.systems import Object


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """One field. `salesforce` is empty where Tandem itself makes the value, or Marketo's is only watched."""

    object: str
    salesforce: str
    marketo: str
    type: str
    direction: str
    conflict: str
    """Who wins one; in a field that flows one way: what becomes of an edit on the receiving side."""


def mapped(settings: Settings) -> tuple[Mapped, ...]:
    """All fields of all objects, in the order of the mapping."""
    return tuple(_mapped(obj, item) for obj, mapping in build(settings).objects.items() for item in mapping.fields)


def _mapped(obj: Object, item: FieldMapping) -> Mapped:
    return Mapped(
        object=str(obj),
        salesforce=item.salesforce,
        marketo=item.marketo,
        type=str(item.type),
        direction=str(item.direction),
        conflict=wins(item.rule) if item.direction is Direction.BOTH else item.unwanted.replace("_", " "),
    )

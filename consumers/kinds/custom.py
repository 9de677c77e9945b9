"""Custom objects of Salesforce -> custom objects of Marketo: kinds that the configuration declares, one for each object that it names.

A record is named by its Salesforce id and linked to a person, to a company, or to a custom object that has no links of its own: Marketo
allows no more (REST API, custom objects: "a custom object can't be linked to one that has a link field"). Of a person it takes the id,
of a company only the number that it gave the company itself, of a custom object the field that names it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from consumers.mapping.fields import FieldType
from consumers.mapping.kind import Default, Kind, Sort
from streams.marketo.api.resource import Resource
from streams.salesforce.api.entity import Entity
from streams.wire.systems import CONTACT, LEAD, Object

KEY = "salesforceId"
"""The field of Marketo's record with the id of Salesforce's."""
TYPES_MAX, FIELDS_MAX, FIELDS_LATER_MAX = 10, 50, 20
"""What Marketo allows: custom objects made by its API, fields of one, fields added once it has been approved."""
_SUFFIX = "__c"
_STANDARD: Mapping[str, str] = {str(LEAD): "person", str(CONTACT): "person", "account": "account"}
"""What a link may name beside custom objects, and the kind that keeps it."""
STANDARD_TARGETS = tuple(_STANDARD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One custom object as it is declared. `links`: its lookups, each with what it names (lead, contact, account, another of these)."""

    name: str
    marketo: str
    links: Mapping[str, str] = field(default_factory=dict)
    stream: bool = True


def object_of(name: str) -> Object:
    """What records of a custom object are called on the topics: `custom-subscription`. No two objects of an org share one."""
    return Object("custom-" + name.removesuffix(_SUFFIX).lower().replace("_", "-"))


def marketo_name(name: str) -> str:
    """What Marketo's custom object is called unless configured otherwise: `Subscription__c` -> `subscription_c`."""
    return name.removesuffix(_SUFFIX).lower().replace("__", "_") + "_c"


def kind_of(declared: Declared) -> Kind:
    """The kind that a declaration makes. Its fields, beside the links, come from what Salesforce describes."""
    obj = object_of(declared.name)
    return Kind(
        name=declared.name,
        plural=f"{declared.name} records",
        doc=f"{declared.name}, as custom objects in Marketo",
        section=f"custom_objects.{declared.name}",
        sorts=(
            Sort(
                entity=Entity(object=obj, name=declared.name, stream=declared.stream),
                fields=tuple(_link(lookup, target) for lookup, target in declared.links.items()),
            ),
        ),
        resource=Resource(object=obj, path=f"customobjects/{declared.marketo}", key=(KEY,), id_field="marketoGUID"),
        delete_in_marketo=True,
        described=True,
        titled=("Name",),
    )


def kinds_of(declared: Iterable[Declared]) -> tuple[Kind, ...]:
    """Their kinds: those without links to others first, as parents go before their children."""
    return tuple(kind_of(each) for each in parents_first(list(declared)))


def parents_first(declared: Sequence[Declared]) -> list[Declared]:
    """In the order in which they can be made."""
    names = {each.name for each in declared}
    return sorted(declared, key=lambda each: any(target in names for target in each.links.values()))


def related(target: str, marketo: Mapping[str, str]) -> tuple[str, str]:
    """The object in Marketo that a link to this target names, and the field there. `marketo`: names of custom objects there by ours."""
    if target in _STANDARD:
        return ("company" if _STANDARD[target] == "account" else "lead"), "id"
    return marketo[target], KEY


def _link(lookup: str, target: str) -> Default:
    parent = _STANDARD.get(target, target)
    by_number = parent == "account"
    return Default(lookup, lookup, FieldType.REFERENCE, parent=parent, required=True, may_lack=True, by_number=by_number)

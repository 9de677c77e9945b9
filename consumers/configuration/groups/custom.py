"""Custom objects as the configuration declares them: how they are read, and the kinds that they make."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, cast

from consumers.configuration.groups.rules import NAME, FieldEntries, FieldEntry
from consumers.configuration.reading.places import Invalid, Place, Reading
from consumers.configuration.reading.sections import Broken, Section, section_schema
from consumers.configuration.reading.types import Flag, Text
from consumers.kinds.custom import STANDARD_TARGETS, Declared, kinds_of, marketo_name, parents_first
from consumers.kinds.registry import STANDARD, Registry

OBJECT = r"[A-Za-z][A-Za-z0-9_]*__c"
_LOOKUP = NAME


@dataclass(frozen=True, slots=True)
class Links:
    """Lookups of a custom object, each with what it names."""

    doc: str

    def read(self, place: Place, reading: Reading) -> Mapping[str, str]:
        """By the lookup's API name. Raises `Invalid`; whether the names that it gives are there is asked when all has been read."""
        links: dict[str, str] = {}
        for name, key, value in reading.unique_items(place):
            if not re.fullmatch(_LOOKUP, name):
                raise Invalid(key, "not a Salesforce field; use the lookup's API name, such as Contact__c")
            target = value.text().strip()
            links[name] = target if target.endswith("__c") else target.lower()
        return links

    def schema(self) -> dict[str, Any]:
        """An object with any lookups."""
        targets = {"anyOf": [{"enum": list(STANDARD_TARGETS)}, {"type": "string", "pattern": f"^{OBJECT}$"}]}
        return {"type": "object", "propertyNames": {"pattern": f"^{_LOOKUP}$"}, "additionalProperties": targets}

    def words(self) -> str:
        """What may stand there."""
        named = ", ".join(f"`{name}`" for name in STANDARD_TARGETS)
        return f"lookups by their API name; each names {named} or another custom object of this section that has no links of its own"


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomObjectSettings:
    """How one custom object is kept in step."""

    sync: Annotated[bool, Flag("Whether its records are kept in step at all")] = True
    links: Annotated[Mapping[str, str], Links("Lookups that link it to people, companies or another custom object")] = field(
        default_factory=dict
    )
    marketo: Annotated[
        str | None, Text("API name of Marketo's custom object; without it `subscription_c` for `Subscription__c`", NAME, "an API name")
    ] = None
    stream: Annotated[bool, Flag("Whether Change Data Capture tells of it; else the poll brings its changes, minutes later")] = True
    all_fields: Annotated[bool, Flag("Whether all fields are kept in step that Tandem's user can read; else only those under `fields`")] = (
        True
    )
    fields: Annotated[Mapping[str, FieldEntry | None], FieldEntries("Changes of how single fields are kept; `false` leaves one out")] = (
        field(default_factory=dict)
    )


@dataclass(frozen=True, slots=True)
class CustomObjects:
    """Custom objects by their API name in Salesforce."""

    doc: str

    def read(self, place: Place, reading: Reading) -> Mapping[str, CustomObjectSettings]:
        """What is said of each. Raises `Broken` with the rest when single ones can't be used."""
        read: dict[str, CustomObjectSettings] = {}
        failed = False
        for name, key, value in reading.unique_items(place):
            try:
                read[name] = _object(name, key, value, reading)
            except Invalid as error:
                reading.complain(error.place, str(error))
                failed = True
            except Broken as broken:
                read[name] = broken.rest
                failed = True
        if failed:
            raise Broken(read)
        return read

    def schema(self) -> dict[str, Any]:
        """An object with any names of custom objects."""
        return {
            "type": "object",
            "propertyNames": {"pattern": f"^{OBJECT}$"},
            "additionalProperties": section_schema(CustomObjectSettings),
        }

    def words(self) -> str:
        """What may stand there."""
        return "custom objects by their API name in Salesforce, such as `Subscription__c`; each as below"


def _object(name: str, key: Place, value: Place, reading: Reading) -> CustomObjectSettings:
    if not re.fullmatch(OBJECT, name):
        raise Invalid(key, "not a custom object; use its API name in Salesforce, such as Subscription__c")
    return cast("CustomObjectSettings", Section("", CustomObjectSettings).read(value, reading))


def declared(objects: Mapping[str, CustomObjectSettings]) -> list[Declared]:
    """As declared, those first that others link to."""
    return parents_first([
        Declared(name=name, marketo=told.marketo or marketo_name(name), links=told.links, stream=told.stream)
        for name, told in objects.items()
    ])  # fmt: skip


def registry_with(objects: Mapping[str, CustomObjectSettings]) -> Registry:
    """The kinds that everybody has, and those that these make."""
    return STANDARD.with_kinds(kinds_of(declared(objects))) if objects else STANDARD

"""What the configuration says about who reaches Salesforce."""

import math
import re
from dataclasses import dataclass
from typing import Any

from consumers.configuration.groups.rules import NAME
from consumers.configuration.reading.places import Invalid, Place, Reading, hint
from consumers.configuration.reading.types import resolved
from consumers.mapping.fields import Clause, Qualification
from streams.wire.events import Value

_CONDITIONS = ("any_of", "at_least", "equals", "filled")


@dataclass(frozen=True, slots=True)
class QualifyType:
    """Who may be created in Salesforce: `never`, `everyone`, or a list of groups of conditions on Marketo fields."""

    doc: str

    def read(self, place: Place, reading: Reading) -> Qualification:
        """The rule: a person qualifies when every condition of any group holds."""
        if place.sequence:
            groups = tuple(_group(each, reading) for each in place.elements())
            if not groups:
                raise Invalid(place, "the list is empty; write never, everyone, or at least one group")
            return Qualification(groups=groups)
        if place.mapping:
            raise Invalid(place, "a list of groups is needed here; begin each with a dash: - {leadScore: {at_least: 50}}")
        text = place.text()
        if text not in ("never", "everyone"):
            raise Invalid(place, f"{text!r} is not never, everyone or a list of groups")
        return Qualification(everyone=text == "everyone")

    def schema(self) -> dict[str, Any]:
        """Two words, or a list of objects."""
        plain: dict[str, Any] = {"type": ["string", "number", "boolean"]}
        values = {"type": "array", "minItems": 1, "items": plain}
        named = {"any_of": values, "at_least": {"type": "number"}, "equals": plain, "filled": {"const": True}}
        told = {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": False, "properties": named}
        group = {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": f"^{NAME}$"},
            "additionalProperties": {"anyOf": [plain, values, told]},
        }
        return {"anyOf": [{"enum": ["never", "everyone"]}, {"type": "array", "minItems": 1, "items": group}]}

    def words(self) -> str:
        """What may stand there."""
        return (
            "`never`, `everyone`, or a list of groups such as `- {leadScore: {at_least: 50}, country: [FR, DE]}`: "
            "a person qualifies when every condition of any group holds (`{at_least: N}`, `{filled: true}`, a value, or a list of values)"
        )


def _group(place: Place, reading: Reading) -> tuple[Clause, ...]:
    clauses = []
    for name, key, value in reading.unique_items(place):
        if not re.fullmatch(NAME, name):
            raise Invalid(key, "not a Marketo field name; use the REST API name")
        clauses.append(_clause(name, value, reading))
    if not clauses:
        raise Invalid(place, "a group without conditions would let everyone in; write everyone if that is meant")
    return tuple(clauses)


def _clause(field: str, place: Place, reading: Reading) -> Clause:
    if place.sequence:
        return Clause(field=field, any_of=_values(place))
    if not place.mapping:
        return Clause(field=field, any_of=(_value(place),))
    entries = list(reading.unique_items(place))
    if len(entries) != 1:
        raise Invalid(place, f"exactly one condition belongs here ({', '.join(_CONDITIONS)})")
    name, key, value = entries[0]
    match name:
        case "equals":
            return Clause(field=field, any_of=(_value(value),))
        case "any_of":
            return Clause(field=field, any_of=_values(value))
        case "filled":
            if value.text() != "true":
                raise Invalid(value, "only filled: true is possible")
            return Clause(field=field, filled=True)
        case "at_least":
            return Clause(field=field, at_least=_number(value, reading))
        case _:
            raise Invalid(key, f"unknown condition; {hint(name, _CONDITIONS)}")


def _values(place: Place) -> tuple[Value, ...]:
    values = tuple(_value(each) for each in place.elements())
    if not values:
        raise Invalid(place, "at least one value is needed")
    return values


def _value(place: Place) -> Value:
    text = place.text()
    if place.is_tag("bool"):
        if text not in ("true", "false"):
            raise Invalid(place, f"{text} may mean text or true/false; put it in quotes or write true or false")
        return text == "true"
    if place.is_tag("int") and re.fullmatch(r"[-+]?(0|[1-9]\d*)", text):
        return int(text)
    if place.is_tag("float") and re.fullmatch(r"[-+]?\d+\.\d+", text):
        return float(text)
    return text


def _number(place: Place, reading: Reading) -> float:
    text = resolved(place, reading)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise Invalid(place, f"{text!r} is not a number")
    return number

"""What the configuration says about fields and conflict rules: the kinds of those settings."""

import importlib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, cast

from consumers.configuration.reading.places import Invalid, Place, Reading, hint
from consumers.configuration.reading.sections import Broken, Section, section_schema
from consumers.configuration.reading.times import Duration
from consumers.configuration.reading.types import Choice, Text
from consumers.mapping.fields import ConflictFunction, Direction, FieldType, Overlong, RuleName, Unwanted

NAME = r"[A-Za-z][A-Za-z0-9_]*"
_PLAIN_RULES = tuple(name for name in RuleName if name not in (RuleName.NEVER_BACKWARDS, RuleName.FUNCTION))
_TOLERANCE = Duration("", "0s", "1h")


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleEntry:
    """A conflict rule as the configuration names it."""

    name: RuleName
    tolerance_ms: int = 5_000
    order: tuple[str, ...] = ()
    function: ConflictFunction | None = None
    function_name: str = ""


@dataclass(frozen=True, slots=True)
class RuleType:
    """A conflict rule: a name, or one entry with what the rule needs."""

    doc: str

    def read(self, place: Place, reading: Reading) -> RuleEntry:
        """The rule; a function is imported here, so that a wrong name is told with its line."""
        if not place.mapping:
            return _plain_rule(place)
        entries = list(reading.unique_items(place))
        if len(entries) != 1:
            raise Invalid(place, "exactly one rule belongs here, such as {newest: {tolerance: 5s}}")
        name, key, value = entries[0]
        match name:
            case "newest":
                return _newest(value, reading)
            case "never_backwards":
                return RuleEntry(name=RuleName.NEVER_BACKWARDS, order=_order(value))
            case "function":
                return _function(value, reading)
            case _:
                raise Invalid(key, f"this rule takes nothing; {hint(name, ('newest', 'never_backwards', 'function'))}")

    def schema(self) -> dict[str, Any]:
        """A word, or an object with one key."""
        tolerance = {"type": "object", "additionalProperties": False, "properties": {"tolerance": _TOLERANCE.schema()}}
        order = {"type": "array", "minItems": 2, "uniqueItems": True, "items": {"type": "string"}}
        rules = {"newest": tolerance, "never_backwards": order, "function": {"type": "string", "pattern": r"^[\w.]+:\w+$"}}
        parameters = {"type": "object", "minProperties": 1, "maxProperties": 1, "additionalProperties": False, "properties": rules}
        return {"anyOf": [{"enum": [str(name) for name in _PLAIN_RULES]}, parameters]}

    def words(self) -> str:
        """What may stand there."""
        plain = ", ".join(f"`{name}`" for name in _PLAIN_RULES)
        return f'{plain}, `{{newest: {{tolerance: 5s}}}}`, `{{never_backwards: [first, …, last]}}`, `{{function: "module:name"}}`'


def _plain_rule(place: Place) -> RuleEntry:
    text = place.text()
    if text in ("never_backwards", "function"):
        wanted = "{never_backwards: [first, second, …]}" if text == "never_backwards" else '{function: "module:name"}'
        raise Invalid(place, f"{text} needs more; write {wanted}")
    if text not in _PLAIN_RULES:
        raise Invalid(place, f"{text!r} is not a conflict rule; {hint(text, RuleName)}")
    return RuleEntry(name=RuleName(text))


def _newest(place: Place, reading: Reading) -> RuleEntry:
    tolerance = 5.0
    for name, key, value in reading.unique_items(place):
        if name != "tolerance":
            raise Invalid(key, f"unknown key; {hint(name, ('tolerance',))}")
        tolerance = _TOLERANCE.read(value, reading)
    return RuleEntry(name=RuleName.NEWEST, tolerance_ms=round(tolerance * 1000))


def _order(place: Place) -> tuple[str, ...]:
    order = tuple(each.text().strip() for each in place.elements())
    if len(order) < 2 or len({each.casefold() for each in order}) != len(order):
        raise Invalid(place, "at least two different values are needed, from first to last")
    return order


def _function(place: Place, reading: Reading) -> RuleEntry:
    target = place.text().strip()
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", target):
        raise Invalid(place, f"{target!r} does not name a function; write module:name")
    module, _, name = target.partition(":")
    beside = str(reading.directory.resolve())
    if beside not in sys.path:
        sys.path.append(beside)
    try:
        function = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise Invalid(place, f"the module {module} can't be imported ({error}); put it beside this file or install it") from error
    except AttributeError as error:
        raise Invalid(place, f"the module {module} has no {name}") from error
    except Exception as error:  # the user's module may raise anything while it is imported; it is told here
        raise Invalid(place, f"the module {module} fails when imported ({type(error).__name__}: {error})") from error
    if not callable(function):
        raise Invalid(place, f"{target} is not a function")
    return RuleEntry(name=RuleName.FUNCTION, function=cast("ConflictFunction", function), function_name=target)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldEntry:
    """What the configuration says about one field; what is left out comes from the default mapping, or the usual."""

    salesforce: Annotated[str | None, Text("API name on the Salesforce object", NAME, "a Salesforce API name")] = None
    type: Annotated[FieldType | None, Choice("How values are compared and converted", FieldType)] = None
    direction: Annotated[Direction | None, Choice("Where edits flow", Direction)] = None
    rule: Annotated[RuleEntry | None, RuleType("Who wins when both sides were edited and neither had seen the other")] = None
    overlong: Annotated[Overlong | None, Choice("Text that is too long for the other side: refused (held, and said) or cut", Overlong)] = (
        None
    )
    unwanted: Annotated[Unwanted | None, Choice("An edit on the receiving side of a one-way field: put back or left", Unwanted)] = None
    default: Annotated[str | None, Text("Written to Salesforce when a record is created there and the field is blank")] = None


@dataclass(frozen=True, slots=True)
class FieldEntries:
    """Fields by their Marketo name: an entry adds to the default mapping or changes it, `false` takes a field out."""

    doc: str

    def read(self, place: Place, reading: Reading) -> Mapping[str, FieldEntry | None]:
        """The entries; None stands for a field that is taken out."""
        entries: dict[str, FieldEntry | None] = {}
        failed = False
        for name, key, value in reading.unique_items(place):
            try:
                entries[name] = self._entry(name, key, value, reading)
            except Invalid as error:
                reading.complain(error.place, str(error))
                failed = True
            except Broken as broken:
                entries[name] = broken.rest
                failed = True
        if failed:
            raise Broken(entries)
        return entries

    def _entry(self, name: str, key: Place, value: Place, reading: Reading) -> FieldEntry | None:
        if not re.fullmatch(NAME, name):
            raise Invalid(key, "not a Marketo field name; use the REST API name (a letter, then letters, digits or _)")
        if value.is_tag("bool") and value.text() == "false":
            return None
        if not value.mapping:
            raise Invalid(value, "write {salesforce: …, type: …}, or false to leave this field out")
        return cast("FieldEntry", Section("", FieldEntry).read(value, reading))

    def schema(self) -> dict[str, Any]:
        """An object with any field names."""
        entry = {"anyOf": [{"const": False}, section_schema(FieldEntry)]}
        return {"type": "object", "propertyNames": {"pattern": f"^{NAME}$"}, "additionalProperties": entry}

    def words(self) -> str:
        """What may stand there."""
        return "fields by their Marketo REST name; each `{salesforce, type, direction, rule, overlong, unwanted, default}` or `false`"

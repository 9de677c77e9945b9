"""Ties the names of a query to what a user may see: paths become getters, conditions become predicates, errors name their place.

Two-valued logic: a comparison with null is false, `!=`, NOT IN and EXCLUDES are true for a null field, `= null` and `!= null` test for it.
Text compares without case (SOQL guide, comparison operators).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import msgspec

from infra.sandbox.salesforce import ids
from infra.sandbox.salesforce.access import View, VisibleObject
from infra.sandbox.salesforce.errors import ApiError, no_such_type
from infra.sandbox.salesforce.schema import IDS, NUMERIC, TEXTUAL, Field, Kind, Row, Value
from infra.sandbox.salesforce.soql.polymorphic import NAME, TYPE, is_polymorphic
from infra.sandbox.salesforce.soql.query import (
    And,
    Comparison,
    Condition,
    Day,
    Literal,
    Moment,
    Not,
    Null,
    Number,
    Operator,
    Or,
    Path,
    Span,
    Text,
    Truth,
)
from infra.sandbox.salesforce.soql.spans import days_of
from infra.sandbox.salesforce.soql.tokens import located

Getter = Callable[[Row], Value]
Predicate = Callable[[Row], bool]
Parent = Callable[[str], Row | None]

_COMPARE: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.LT: operator.lt,
    Operator.LE: operator.le,
    Operator.GT: operator.gt,
    Operator.GE: operator.ge,
}
MAX_HOPS = 5


class Bound(msgspec.Struct, frozen=True):
    """A path found in the schema: the reference fields to follow, then the field. `shown` are its names as the schema writes them."""

    hops: tuple[Field, ...]
    field: Field
    shown: tuple[str, ...]


def is_type(bound: Bound) -> bool:
    """Whether the path asks for the type of a polymorphic parent."""
    return bool(bound.hops) and is_polymorphic(bound.hops[-1]) and bound.field.name == TYPE


class Binding:
    """Everything that turns the names of one query on one object into functions over its rows."""

    def __init__(self, source: str, view: View, name: str, parent: Parent, today: date) -> None:
        visible = view.object(name)
        if visible is None or not visible.kind.queryable:
            raise no_such_type(name)
        self.root: VisibleObject = visible
        self._source = source
        self._view = view
        self._parent = parent
        self.today = today

    def path(self, path: Path) -> Bound:
        """Raises INVALID_FIELD for what does not exist or is hidden."""
        names = path.names
        if len(names) > 1 and names[0].lower() == self.root.kind.name.lower() and names[0].lower() not in self.root.relationships:
            names = names[1:]
        here = self.root
        hops: list[Field] = []
        shown: list[str] = []
        for name in names[:-1]:
            reference = here.relationships.get(name.lower())
            if reference is None or len(hops) == MAX_HOPS:
                raise self.invalid(
                    path, f"Didn't understand relationship '{name}' in field path. If you are attempting to use a custom relationship,"
                    " be sure to append the '__r' after the custom relationship name. Please reference your WSDL or the describe call for"
                    " the appropriate names.",
                )  # fmt: skip
            target = NAME if is_polymorphic(reference) else self._view.object(reference.reference_to[0])
            if target is None:
                raise self.invalid(path, self._no_column(name, here))
            hops.append(reference)
            shown.append(reference.relationship or name)
            here = target
        field = here.field(names[-1])
        if field is None:
            raise self.invalid(path, self._no_column(names[-1], here))
        return Bound(tuple(hops), field, (*shown, field.name))

    def getter(self, bound: Bound) -> Getter:
        name = bound.field.name
        missing = False if bound.field.kind is Kind.BOOLEAN else None
        if not bound.hops:
            return lambda row: row.get(name, missing)
        hops = tuple(each.name for each in bound.hops)

        def follow(row: Row) -> Value:
            here = self.follow(row, hops)
            return None if here is None else here.get(name, missing)

        def type_of(row: Row) -> Value:
            here = self.follow(row, hops)
            return None if here is None else self.type_of(here)

        return type_of if is_type(bound) else follow

    def type_of(self, row: Row) -> str | None:
        """The name of the object that the record is of."""
        return self._view.name_of(str(row["Id"]))

    def follow(self, row: Row, hops: Sequence[str]) -> Row | None:
        here: Row | None = row
        for hop in hops:
            target = here.get(hop) if here is not None else None
            here = self._parent(target) if isinstance(target, str) else None
            if here is not None and not self._view.shows(here):
                return None
        return here

    def predicate(self, condition: Condition) -> Predicate:
        match condition:
            case Comparison():
                return self._comparison(condition)
            case Not(inner):
                test = self.predicate(inner)
                return lambda row: not test(row)
            case And(parts):
                tests = [self.predicate(part) for part in parts]
                return lambda row: all(test(row) for test in tests)
            case Or(parts):
                tests = [self.predicate(part) for part in parts]
                return lambda row: any(test(row) for test in tests)

    def invalid(self, path: Path, problem: str, code: str = "INVALID_FIELD") -> ApiError:
        return ApiError(400, code, located(self._source, path.at, problem))

    def value(self, path: Path, field: Field, literal: Literal) -> Value:
        """The literal as a stored value of that field; None for null. Raises when the types don't fit."""
        match literal:
            case Null():
                return None
            case Text(text) if field.kind in IDS:
                return self._id(path, text)
            case Text(text) if field.kind in TEXTUAL:
                return text or None
            case Number(number) if field.kind in NUMERIC:
                return number
            case Truth(truth) if field.kind is Kind.BOOLEAN:
                return truth
            case Day(day) if field.kind is Kind.DATE:
                return day
            case Moment(moment) if field.kind is Kind.DATETIME:
                return moment
            case _:
                raise self.invalid(path, _expectation(field))

    # -- comparisons

    def _comparison(self, comparison: Comparison) -> Predicate:
        bound = self.path(comparison.path)
        field = bound.field
        if not field.filterable:
            raise self.invalid(comparison.path, f"field '{field.name}' can not be filtered in a query call")
        get = self.getter(bound)
        match comparison.operator:
            case Operator.LIKE:
                return self._like(comparison, field, get)
            case Operator.IN | Operator.NOT_IN:
                return self._membership(comparison, field, get)
            case Operator.INCLUDES | Operator.EXCLUDES:
                return self._selection(comparison, field, get)
            case _:
                return self._single(comparison, field, get)

    def _single(self, comparison: Comparison, field: Field, get: Getter) -> Predicate:
        op, literal = comparison.operator, comparison.values[0]
        if isinstance(literal, Span):
            return self._span(comparison, field, get, literal)
        value = _key(field, self.value(comparison.path, field, literal))
        textual = field.kind in TEXTUAL
        if op in (Operator.EQ, Operator.NE):
            wanted = op is Operator.EQ
            if textual and isinstance(value, str):
                return lambda row: (_fold(get(row)) == value) is wanted
            return lambda row: (get(row) == value) is wanted
        if field.kind in (Kind.BOOLEAN, Kind.MULTIPICKLIST):
            raise self.invalid(comparison.path, f"invalid operator on {field.kind} field")
        if value is None:
            raise self.invalid(comparison.path, f"null is not a valid value for the operator '{op}' on field '{field.name}'")
        compare = _COMPARE[op]

        def test(row: Row) -> bool:
            here = get(row)
            return here is not None and compare(_fold(here) if textual else here, value)

        return test

    def _span(self, comparison: Comparison, field: Field, get: Getter, span: Span) -> Predicate:
        if field.kind not in (Kind.DATE, Kind.DATETIME):
            raise self.invalid(comparison.path, _expectation(field))
        low, high = (self.edge(field, day) for day in days_of(span, self.today))
        tests: dict[Operator, Callable[[str], bool]] = {
            Operator.EQ: lambda here: low <= here < high,
            Operator.LT: lambda here: here < low,
            Operator.LE: lambda here: here < high,
            Operator.GT: lambda here: here >= high,
            Operator.GE: lambda here: here >= low,
        }
        if comparison.operator is Operator.NE:
            return lambda row: not (isinstance(here := get(row), str) and low <= here < high)
        inside = tests[comparison.operator]
        return lambda row: isinstance(here := get(row), str) and inside(here)

    @staticmethod
    def edge(field: Field, day: date) -> str:
        return day.isoformat() if field.kind is Kind.DATE else f"{day.isoformat()}T00:00:00.000+0000"

    def _membership(self, comparison: Comparison, field: Field, get: Getter) -> Predicate:
        wanted = comparison.operator is Operator.IN
        spans = [literal for literal in comparison.values if isinstance(literal, Span)]
        plain = [literal for literal in comparison.values if not isinstance(literal, Span)]
        values = frozenset(_key(field, self.value(comparison.path, field, literal)) for literal in plain)
        if spans:
            ranges = [self._span(Comparison(comparison.path, Operator.EQ, (span,)), field, get, span) for span in spans]
            return lambda row: (get(row) in values or any(inside(row) for inside in ranges)) is wanted
        if field.kind in TEXTUAL:
            return lambda row: (_fold(get(row)) in values) is wanted
        return lambda row: (get(row) in values) is wanted

    def _like(self, comparison: Comparison, field: Field, get: Getter) -> Predicate:
        literal = comparison.values[0]
        if field.kind not in TEXTUAL or not isinstance(literal, Text):
            raise self.invalid(comparison.path, f"invalid operator on {field.kind} field")
        pattern = re.compile(_like_pattern(literal.value), re.DOTALL)
        return lambda row: isinstance(here := get(row), str) and pattern.fullmatch(here.casefold()) is not None

    def _selection(self, comparison: Comparison, field: Field, get: Getter) -> Predicate:
        if field.kind is not Kind.MULTIPICKLIST:
            raise self.invalid(comparison.path, f"includes or excludes operator only valid on multipicklist field, not '{field.name}'")
        wanted = comparison.operator is Operator.INCLUDES
        groups = []
        for literal in comparison.values:
            value = self.value(comparison.path, field, literal)
            groups.append(frozenset(str(value).casefold().split(";")) if value is not None else None)

        def test(row: Row) -> bool:
            here = get(row)
            if here is None:
                return (None in groups) is wanted
            chosen = frozenset(str(here).casefold().split(";"))
            return any(group is not None and group <= chosen for group in groups) is wanted

        return test

    def _id(self, path: Path, text: str) -> str | None:
        if not text:
            return None
        if not ids.well_formed(text):
            raise self.invalid(path, f"invalid ID field: {text}", code="INVALID_QUERY_FILTER_OPERATOR")
        return ids.normalise(text)

    @staticmethod
    def _no_column(name: str, owner: VisibleObject) -> str:
        return (
            f"No such column '{name}' on entity '{owner.kind.name}'. If you are attempting to use a custom field, be sure to append the"
            " '__c' after the custom field name. Please reference your WSDL or the describe call for the appropriate names."
        )


def _fold(value: Value) -> Value:
    return value.casefold() if isinstance(value, str) else value


def _key(field: Field, value: Value) -> Value:
    return _fold(value) if field.kind in TEXTUAL else value


def _expectation(field: Field) -> str:
    text = field.kind in TEXTUAL or field.kind in IDS
    kind = "string" if text else ("dateTime" if field.kind is Kind.DATETIME else str(field.kind))
    quotes = "should be enclosed in quotes" if text else "should not be enclosed in quotes"
    return f"value of filter criterion for field '{field.name}' must be of type {kind} and {quotes}"


def _like_pattern(pattern: str) -> str:
    """A regular expression for a LIKE pattern over case-folded text; `%` any run, `_` one character, both escaped by a backslash."""
    out: list[str] = []
    i = 0
    while i < len(pattern):
        if pattern[i] == "\\" and i + 1 < len(pattern) and pattern[i + 1] in "%_":
            out.append(re.escape(pattern[i + 1]))
            i += 2
            continue
        out.append({"%": ".*", "_": "."}.get(pattern[i]) or re.escape(pattern[i].casefold()))
        i += 1
    return "".join(out)

"""Conditions become predicates over rows.

Two-valued logic: a comparison with null is false, `!=`, NOT IN and EXCLUDES are true for a null field, `= null` and `!= null` test for it.
Text compares without case (SOQL guide, comparison operators).
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import date
from typing import Any

from infra.sandbox.salesforce.schema.types import TEXTUAL, Field, Kind, Row, Value
from infra.sandbox.salesforce.soql.grammar.query import And, Comparison, Condition, Not, Operator, Or, Span, Text
from infra.sandbox.salesforce.soql.grammar.spans import days_of
from infra.sandbox.salesforce.soql.likeness import like_pattern
from infra.sandbox.salesforce.soql.naming import Bound, Getter, Naming, expectation, is_type

__all__ = ["Binding", "Bound", "Getter", "Predicate", "is_type"]

Predicate = Callable[[Row], bool]
_COMPARE: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.LT: operator.lt,
    Operator.LE: operator.le,
    Operator.GT: operator.gt,
    Operator.GE: operator.ge,
}


class Binding(Naming):
    """Everything that turns the names and conditions of one query on one object into functions over its rows."""

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
            raise self.invalid(comparison.path, expectation(field))
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
        pattern = re.compile(like_pattern(literal.value), re.DOTALL)
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


def _fold(value: Value) -> Value:
    return value.casefold() if isinstance(value, str) else value


def _key(field: Field, value: Value) -> Value:
    return _fold(value) if field.kind in TEXTUAL else value

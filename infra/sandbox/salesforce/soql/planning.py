"""What a condition implies about where matching rows can be: ids, values of an indexed field, a range of (SystemModstamp, Id).

Each is a necessary condition only; the predicate still decides. LastModifiedDate and CreatedDate are never later than SystemModstamp
(Object Reference, system fields), so a lower bound of theirs is one of SystemModstamp.
"""

from __future__ import annotations

import msgspec

from infra.sandbox.salesforce.records.store import HIGHEST, LOWEST, Point, Table
from infra.sandbox.salesforce.schema.types import Field, Value
from infra.sandbox.salesforce.soql.binding import Binding
from infra.sandbox.salesforce.soql.grammar.query import And, Comparison, Condition, Inner, Not, Operator, Or, Span
from infra.sandbox.salesforce.soql.grammar.spans import days_of

_LOWER = frozenset({Operator.EQ, Operator.GT, Operator.GE})
_UPPER = frozenset({Operator.EQ, Operator.LT, Operator.LE})
_LAST_ID = "~"


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Where to look. Without `ids` and `index`, the rows between the two points (all of them by default) are walked."""

    ids: frozenset[str] | None = None
    index: tuple[str, tuple[Value, ...]] | None = None
    low: Point = LOWEST
    high: Point = HIGHEST

    @property
    def walks_stamps(self) -> bool:
        return self.ids is None and self.index is None


def access_of(condition: Condition | None, binding: Binding, table: Table) -> Access:
    return Access() if condition is None else _Implied(binding, table).of(condition)


class _Implied:
    def __init__(self, binding: Binding, table: Table) -> None:
        self._binding = binding
        self._table = table

    def of(self, condition: Condition) -> Access:
        match condition:
            case And(parts):
                return self._all([self.of(part) for part in parts], condition)
            case Or(parts):
                return self._any([self.of(part) for part in parts])
            case Not():
                return Access()
            case Comparison():
                return self._one(condition)

    def _all(self, parts: list[Access], condition: And) -> Access:
        sets = [part.ids for part in parts if part.ids is not None]
        low = max(part.low for part in parts)
        after = self._first_id(condition)
        if low[1] != _LAST_ID and after > low[1]:
            low = (low[0], after)
        return Access(
            ids=frozenset.intersection(*sets) if sets else None,
            index=next((part.index for part in parts if part.index is not None), None),
            low=low,
            high=min(part.high for part in parts),
        )

    def _any(self, parts: list[Access]) -> Access:
        if all(part.ids is not None for part in parts):
            return Access(ids=frozenset().union(*(part.ids or frozenset() for part in parts)))
        names = {part.index[0] if part.index is not None else None for part in parts}
        index = None
        if len(names) == 1 and None not in names:
            index = (names.pop() or "", tuple(value for part in parts if part.index is not None for value in part.index[1]))
        return Access(index=index, low=min(part.low for part in parts), high=max(part.high for part in parts))

    def _one(self, comparison: Comparison) -> Access:
        bound = self._binding.path(comparison.path)
        if bound.hops or bound.function:
            return Access()
        field, op = bound.field, comparison.operator
        if op in (Operator.EQ, Operator.IN) and not any(isinstance(each, Span | Inner) for each in comparison.values):
            values = tuple(self._binding.value(comparison.path, field, each) for each in comparison.values)
            if field.name == "Id":
                return Access(ids=frozenset(str(value) for value in values if value is not None))
            if self._table.indexed(field.name) and None not in values:
                return Access(index=(field.name, values))
        if field.name in ("SystemModstamp", "LastModifiedDate", "CreatedDate"):
            return self._stamp(comparison, field)
        return Access()

    def _stamp(self, comparison: Comparison, field: Field) -> Access:
        op, literal = comparison.operator, comparison.values[0]
        if op not in _LOWER | _UPPER:
            return Access()
        if isinstance(literal, Span):
            low, high = (self._binding.edge(field, day) for day in days_of(literal, self._binding.today))
            if op is Operator.GT:
                low = high
        else:
            value = self._binding.value(comparison.path, field, literal)
            if value is None:
                return Access()
            low = high = str(value)
        least = LOWEST
        if op in _LOWER:
            strict = op is Operator.GT and not isinstance(literal, Span) and field.name == "SystemModstamp"
            least = (low, _LAST_ID if strict else "")
        most = (high, _LAST_ID) if op in _UPPER and field.name == "SystemModstamp" else HIGHEST
        return Access(low=least, high=most)

    def _first_id(self, condition: And) -> str:
        """The greatest id below which the conjunction has no row, from its own `Id > x` and `Id >= x`."""
        found = ""
        for part in condition.parts:
            if isinstance(part, Comparison) and part.operator in (Operator.GT, Operator.GE):
                bound = self._binding.path(part.path)
                if bound.field.name == "Id" and not bound.hops and not bound.function:
                    found = max(found, str(self._binding.value(part.path, bound.field, part.values[0]) or ""))
        return found

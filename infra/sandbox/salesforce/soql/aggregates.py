"""GROUP BY and the aggregate functions (SOQL guide, aggregate functions)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from infra.sandbox.salesforce.schema.types import NUMERIC, Kind, Row, Value
from infra.sandbox.salesforce.soql.binding import Binding, Bound, Getter
from infra.sandbox.salesforce.soql.grammar.functions import DATE_FUNCTIONS
from infra.sandbox.salesforce.soql.grammar.query import (
    FIELDS,
    And,
    Comparison,
    Condition,
    Day,
    Moment,
    Not,
    Null,
    Number,
    Operator,
    Or,
    Path,
    Query,
    Text,
    Truth,
)
from infra.sandbox.salesforce.wire.errors import ApiError

GROUPS_MAX = 2000
_ORDERED = {
    Operator.LT: lambda a, b: a < b,
    Operator.LE: lambda a, b: a <= b,
    Operator.GT: lambda a, b: a > b,
    Operator.GE: lambda a, b: a >= b,
}
Record = dict[str, Any]


def summed_up(query: Query, binding: Binding, rows: Iterable[Row]) -> list[Record]:
    """One record a group, in the order asked for. Raises `ApiError` for a plain field that is not grouped by."""
    grouped = {_key(path): binding.getter(_groupable(binding, path)) for path in query.group}
    for path in query.select:
        if _plain_path(path) and _key(path) not in grouped:
            raise binding.invalid(path, f"Field must be grouped or aggregated: {'.'.join(path.names)}", code="MALFORMED_QUERY")
    groups: dict[tuple[Value, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(_fold(get(row)) for get in grouped.values()), []).append(row)
    if not query.group:
        groups = {(): [row for members in groups.values() for row in members]}
    works = {path: _work(binding, path, grouped) for path in (*query.select, *_paths(query.having), *(key.path for key in query.order))}
    found = []
    for members in groups.values():
        values = {path: work(members) for path, work in works.items()}
        if query.having is None or _holds(query.having, values):
            found.append(values)
    for key in reversed(query.order):
        found.sort(key=lambda values, path=key.path: _rank(values[path]), reverse=key.descending)  # type: ignore[misc]
    end = None if query.limit is None else query.offset + query.limit
    found = found[query.offset : end]
    if len(found) > GROUPS_MAX:
        raise ApiError(400, "EXCEEDED_ID_LIMIT", "Aggregate query does not support queryMore(), use LIMIT to restrict the results")
    return [_record(query.select, values) for values in found]


def _record(select: Sequence[Path], values: dict[Path, Any]) -> Record:
    record: Record = {"attributes": {"type": "AggregateResult"}}
    unnamed = 0
    for path in select:
        name = path.alias
        if not name and path.function:
            name = f"expr{unnamed}"
            unnamed += 1
        record[name or path.names[-1]] = values[path]
    return record


def _plain_path(path: Path) -> bool:
    """Whether it is no aggregate: a field, or a function of one field's date."""
    return path.function in ("", FIELDS) or path.function in DATE_FUNCTIONS


def _key(path: Path) -> tuple[str, ...]:
    return (path.function if path.function in DATE_FUNCTIONS else "", *path.names)


def _groupable(binding: Binding, path: Path) -> Bound:
    bound = binding.path(path)
    if not bound.field.filterable or (bound.field.kind in NUMERIC and not bound.function):
        raise binding.invalid(path, f"field '{bound.field.name}' can not be grouped in a query call", code="MALFORMED_QUERY")
    return bound


def _work(binding: Binding, path: Path, grouped: dict[tuple[str, ...], Getter]) -> Callable[[list[Row]], Any]:
    if _plain_path(path):
        get = grouped.get(_key(path)) or binding.getter(binding.path(path))
        return lambda members: get(members[0]) if members else None
    if not path.names:
        return len
    bound = binding.path(path)
    get = binding.getter(bound)
    function = path.function
    if function in ("SUM", "AVG") and bound.field.kind not in NUMERIC:
        raise binding.invalid(path, f"field {bound.field.name} does not support aggregate operator {function}", code="MALFORMED_QUERY")
    if function != "COUNT" and (not bound.field.filterable or bound.field.kind is Kind.BOOLEAN):
        raise binding.invalid(path, f"field {bound.field.name} does not support aggregate operator {function}", code="MALFORMED_QUERY")

    def work(members: list[Row]) -> Any:
        values: list[Any] = [value for row in members if (value := get(row)) is not None]
        match function:
            case "COUNT":
                return len(values)
            case "COUNT_DISTINCT":
                return len({_fold(value) for value in values})
            case "SUM":
                return sum(values) if values else None
            case "AVG":
                return sum(values) / len(values) if values else None
            case "MIN":
                return min(values, key=_fold) if values else None
            case _:
                return max(values, key=_fold) if values else None

    return work


def _paths(condition: Condition | None) -> list[Path]:
    match condition:
        case None:
            return []
        case Comparison(path):
            return [path]
        case Not(inner):
            return _paths(inner)
        case And(parts) | Or(parts):
            return [path for part in parts for path in _paths(part)]


def _holds(condition: Condition, values: dict[Path, Any]) -> bool:
    match condition:
        case Not(inner):
            return not _holds(inner, values)
        case And(parts):
            return all(_holds(part, values) for part in parts)
        case Or(parts):
            return any(_holds(part, values) for part in parts)
        case Comparison(path, operator, literals):
            here = _fold(values[path])
            wanted = [_plain(each) for each in literals]
            if operator in (Operator.EQ, Operator.IN):
                return here in wanted
            if operator in (Operator.NE, Operator.NOT_IN):
                return here not in wanted
            if operator not in _ORDERED:
                raise ApiError(400, "MALFORMED_QUERY", f"operator {operator} is not supported in HAVING")
            return here is not None and _ORDERED[operator](here, wanted[0])


def _plain(literal: object) -> Any:
    match literal:
        case Text(value) | Day(value) | Moment(value):
            return value.casefold()
        case Number(value):
            return value
        case Truth(value):
            return value
        case Null():
            return None
    raise ApiError(400, "MALFORMED_QUERY", "unexpected literal in HAVING")


def _fold(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def _rank(value: Any) -> tuple[int, Any]:
    return (0, 0) if value is None else (1, _fold(value))

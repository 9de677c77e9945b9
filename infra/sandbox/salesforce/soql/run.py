"""Runs a query: chooses where to begin (id, index, SystemModstamp range, all rows), filters, orders, cuts, renders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from itertools import islice
from typing import Any

from infra.sandbox.salesforce.access import View
from infra.sandbox.salesforce.errors import ApiError
from infra.sandbox.salesforce.schema import TEXTUAL, Row
from infra.sandbox.salesforce.soql.binding import Binding, Bound, Predicate
from infra.sandbox.salesforce.soql.planning import Access, access_of
from infra.sandbox.salesforce.soql.query import OrderKey, Query
from infra.sandbox.salesforce.store import Store, Table

MAX_OFFSET = 2000


class Answer:
    """The rows that a query found and how to write each of them. `count` queries have only a number."""

    __slots__ = ("binding", "columns", "count_only", "kind", "rows", "total")

    def __init__(self, binding: Binding, columns: list[Bound], rows: list[Row], *, total: int, count_only: bool) -> None:
        self.binding = binding
        self.kind = binding.root.kind.name
        self.columns = columns
        self.rows = rows
        self.total = total
        self.count_only = count_only


def run(query: Query, view: View, store: Store, today: date, *, deleted_too: bool = False) -> Answer:
    """The answer, rows in order. Raises `ApiError` for names that the view does not show and for types that don't fit."""
    binding = Binding(query.source, view, query.object, store.row, today)
    columns = [binding.path(path) for path in query.select]
    test = binding.predicate(query.where) if query.where is not None else None
    order = [_order_key(binding, key) for key in query.order]
    if query.offset > MAX_OFFSET:
        raise ApiError(400, "NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {MAX_OFFSET}")
    table = store.tables[binding.root.kind.name]
    access = access_of(query.where, binding, table)
    found = _filtered(_candidates(access, table), test, deleted_too=deleted_too)
    wanted = None if query.limit is None else query.offset + query.limit
    if access.walks_stamps and _is_stamp_order(query.order):
        rows = list(islice(found, wanted))
    else:
        rows = list(found) if order or wanted is None else list(islice(found, wanted))
        for key, descending in reversed(order):
            rows.sort(key=key, reverse=descending)
    rows = rows[query.offset : wanted]
    return Answer(binding, columns, [] if query.count else rows, total=len(rows), count_only=query.count)


def _candidates(access: Access, table: Table) -> Iterable[Row]:
    if access.ids is not None:
        return [table.rows[each] for each in sorted(access.ids) if each in table.rows]
    if access.index is not None:
        name, values = access.index
        found = {id(row): row for value in values for row in table.find(name, value)}
        return sorted(found.values(), key=lambda row: str(row["Id"]))
    if access.walks_stamps:
        return table.stamps.walk(access.low, access.high)
    return table.rows.values()


def _filtered(rows: Iterable[Row], test: Predicate | None, *, deleted_too: bool) -> Iterator[Row]:
    for row in rows:
        if (deleted_too or "IsDeleted" not in row) and (test is None or test(row)):
            yield row


def _is_stamp_order(order: Sequence[OrderKey]) -> bool:
    names = [".".join(key.path.names).lower() for key in order]
    return names in (["systemmodstamp"], ["systemmodstamp", "id"]) and not any(key.descending for key in order)


def _order_key(binding: Binding, key: OrderKey) -> tuple[Callable[[Row], Any], bool]:
    """A sort key and whether to sort backwards. Nulls come first unless NULLS LAST, in both directions (SOQL guide, ORDER BY)."""
    bound = binding.path(key.path)
    if not bound.field.filterable:
        raise binding.invalid(key.path, f"field '{bound.field.name}' can not be sorted in a query call")
    get = binding.getter(bound)
    textual = bound.field.kind in TEXTUAL
    null_rank = 1 if key.nulls_last != key.descending else -1

    def sort_key(row: Row) -> tuple[int, Any]:
        value = get(row)
        if value is None:
            return null_rank, 0
        return 0, value.casefold() if textual and isinstance(value, str) else value

    return sort_key, key.descending

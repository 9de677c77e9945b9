"""Runs a query: chooses where to begin (id, index, SystemModstamp range, all rows), filters, orders, cuts, renders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from itertools import islice
from typing import Any

import msgspec

from infra.sandbox.salesforce.access.views import View
from infra.sandbox.salesforce.records.store import Store, Table
from infra.sandbox.salesforce.schema.types import IDS, TEXTUAL, Row
from infra.sandbox.salesforce.soql.aggregates import summed_up
from infra.sandbox.salesforce.soql.binding import Binding, Bound, Predicate
from infra.sandbox.salesforce.soql.fields import spelled_out
from infra.sandbox.salesforce.soql.grammar.query import And, Comparison, Condition, Inner, Not, Operator, Or, OrderKey, Path, Query, Text
from infra.sandbox.salesforce.soql.planning import Access, access_of
from infra.sandbox.salesforce.soql.typeof import TypedParent
from infra.sandbox.salesforce.wire.errors import ApiError

MAX_OFFSET = 2000
_HIDDEN = frozenset({"IsDeleted", "IsArchived"})
"""Flags of rows that only queryAll shows (REST API guide, queryAll)."""


class Answer:
    """The rows that a query found and how to write each of them. `count` queries have only a number, aggregate ones whole `records`."""

    __slots__ = ("binding", "children", "columns", "count_only", "kind", "records", "rows", "total", "typed")

    def __init__(self, binding: Binding, columns: list[Bound], rows: list[Row], *, total: int, count_only: bool = False) -> None:
        self.binding = binding
        self.kind = binding.root.kind.name
        self.columns = columns
        self.rows = rows
        self.total = total
        self.count_only = count_only
        self.records: list[dict[str, Any]] | None = None
        self.typed: list[TypedParent] = []
        self.children: list[tuple[str, Children]] = []
        """(relationship, the answer for one parent row)"""


Children = Callable[[Row], Answer]


def run(query: Query, view: View, store: Store, today: date, *, deleted_too: bool = False, bulk: bool = False) -> Answer:
    """The answer, rows in order. Raises `ApiError` for names that the view does not show and for types that don't fit. `bulk`: for a query
    job."""
    binding = Binding(query.source, view, query.object, store.row, today, alias=query.alias)
    if query.scope == "mine" and binding.root.field("OwnerId") is not None:
        mine = Comparison(Path(("OwnerId",), 0), Operator.EQ, (Text(binding.user_id, 0),))
        query = msgspec.structs.replace(query, where=mine if query.where is None else And((mine, query.where)))
    query = spelled_out(query, binding, bulk=bulk)
    query = msgspec.structs.replace(query, where=_expanded(query.where, binding, view, store))
    if query.aggregates:
        rows = _found(msgspec.structs.replace(query, order=(), limit=None, offset=0), binding, store, deleted_too=deleted_too)
        records = summed_up(query, binding, rows)
        answer = Answer(binding, [], [], total=len(records))
        answer.records = records
        return answer
    columns = [binding.path(path) for path in query.select]
    rows = _found(query, binding, store, deleted_too=deleted_too)
    answer = Answer(binding, columns, [] if query.count else rows, total=len(rows), count_only=query.count)
    answer.typed = [TypedParent(each, binding) for each in query.typeofs]
    for child in query.children:
        answer.children.append(_children(child, binding, view, store, deleted_too=deleted_too))
    return answer


def _found(query: Query, binding: Binding, store: Store, *, deleted_too: bool) -> list[Row]:
    test = binding.predicate(query.where) if query.where is not None else None
    order = [_order_key(binding, key) for key in query.order]
    if query.offset > MAX_OFFSET:
        raise ApiError(400, "NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {MAX_OFFSET}")
    table = store.tables[binding.root.kind.name]
    access = access_of(query.where, binding, table)
    found = _filtered(_candidates(access, table), test, deleted_too=deleted_too)
    if binding.root.owner is not None:
        found = (row for row in found if binding.root.sees(row))
    wanted = None if query.limit is None else query.offset + query.limit
    if access.walks_stamps and _is_stamp_order(query.order):
        rows = list(islice(found, wanted))
    else:
        rows = list(found) if order or wanted is None else list(islice(found, wanted))
        for key, descending in reversed(order):
            rows.sort(key=key, reverse=descending)
    return rows[query.offset : wanted]


def _children(query: Query, parent: Binding, view: View, store: Store, *, deleted_too: bool) -> tuple[str, Children]:
    """A sub-query: its FROM names a child relationship of the parent's object."""
    found = next((each for each in view.children(parent.root.kind) if each[0].lower() == query.object.lower()), None)
    if found is None:
        raise parent.invalid(
            Path((query.object,), query.object_at),
            f"Didn't understand relationship '{query.object}' in FROM part of query call. If you are attempting to use a custom"
            " relationship, be sure to append the '__r' after the custom relationship name.", code="INVALID_TYPE",
        )  # fmt: skip
    name, child, reference = found
    table = store.tables[child]
    if not table.indexed(reference):
        table.add_index(reference)

    def of_parent(row: Row) -> Answer:
        mine = Comparison(Path((reference,), 0), Operator.EQ, (Text(str(row["Id"]), 0),))
        where = mine if query.where is None else And((mine, query.where))
        return run(msgspec.structs.replace(query, object=child, where=where), view, store, parent.today, deleted_too=deleted_too)

    spelled_out(query, Binding(query.source, view, child, store.row, parent.today))
    run(msgspec.structs.replace(query, object=child, limit=0), view, store, parent.today)  # refuses now what it would refuse later
    return name, of_parent


def _expanded(condition: Condition | None, binding: Binding, view: View, store: Store) -> Condition | None:
    """The condition with the values of the queries within it in their place."""
    match condition:
        case Comparison(path, operator, (Inner(inner, at),)):
            if binding.path(path).field.kind not in IDS:
                raise binding.invalid(path, "Semi join sub-selects can only be used with ID and reference fields", code="MALFORMED_QUERY")
            answer = run(inner, view, store, binding.today)
            if len(answer.columns) != 1 or inner.children:
                raise ApiError(400, "MALFORMED_QUERY", "a semi join sub-select selects one field")
            get = answer.binding.getter(answer.columns[0])
            return Comparison(path, operator, tuple(Text(str(value), at) for row in answer.rows if (value := get(row)) is not None))
        case Not(inner):
            return Not(_expanded(inner, binding, view, store) or inner)
        case And(parts):
            return And(tuple(_expanded(part, binding, view, store) or part for part in parts))
        case Or(parts):
            return Or(tuple(_expanded(part, binding, view, store) or part for part in parts))
        case _:
            return condition


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
        if (deleted_too or not _HIDDEN & row.keys()) and (test is None or test(row)):
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

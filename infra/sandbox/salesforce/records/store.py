"""The rows of the org in memory, with the indexes that keep look-ups and watermark queries fast.

A row holds no nulls and no false booleans. Rows change only through `apply` (and `revert`, its undoing within a transaction), both of
which take journal entries: replaying the journal rebuilds exactly this.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from sys import intern

from infra.sandbox.kernel.journal import Entry
from infra.sandbox.salesforce.records.formulas import Formula
from infra.sandbox.salesforce.records.tallies import TALLIED, contribution, moved
from infra.sandbox.salesforce.schema.types import ObjectType, Row, Schema, Value
from infra.sandbox.salesforce.wire import ids

Point = tuple[str, str]
LOWEST: Point = ("", "")
HIGHEST: Point = ("~", "~")


class StampIndex:
    """(SystemModstamp, id) in order. An entry whose row has moved on stays until there are as many of them as rows."""

    __slots__ = ("_points", "_rows", "_stale")

    def __init__(self, rows: Mapping[str, Row]) -> None:
        self._rows = rows
        self._points: list[Point] = []
        self._stale = 0

    def add(self, stamp: str, record_id: str) -> None:
        point = (stamp, record_id)
        if not self._points or point > self._points[-1]:
            self._points.append(point)
        else:
            insort(self._points, point)

    def leave(self) -> None:
        """One point no longer holds (its row has another stamp now, or is gone)."""
        self._stale += 1
        if self._stale > len(self._rows) + 1000:
            self._points = sorted({point for point in self._points if self._holds(point)})
            self._stale = 0

    def walk(self, low: Point, high: Point) -> Iterator[Row]:
        """The rows between the two points, ends included, in order of (stamp, id)."""
        last = LOWEST
        for position in range(bisect_left(self._points, low), len(self._points)):
            point = self._points[position]
            if point > high:
                return
            if point != last and self._holds(point):
                yield self._rows[point[1]]
            last = point

    def _holds(self, point: Point) -> bool:
        row = self._rows.get(point[1])
        return row is not None and row["SystemModstamp"] == point[0]


class Table:
    """All records of one object, deleted ones in the recycle bin included."""

    def __init__(self, kind: ObjectType) -> None:
        self.kind = kind
        self.rows: dict[str, Row] = {}
        self.made = 0
        self._next = ("", 0)
        self.stamps = StampIndex(self.rows)
        self._indexes: dict[str, dict[str, str | set[str]]] = {each.name: {} for each in kind.fields.values() if each.indexed}
        self.formulas: dict[str, Formula] = {}
        self.dependents: dict[tuple[str, str], Table] = {}
        """(child object, reference) of children whose formulas read this object."""

    def new_id(self) -> str:
        self._next = (ids.make(self.kind.prefix, self.made + 1), self.made + 1)
        return self._next[0]

    def indexed(self, name: str) -> bool:
        return name in self._indexes

    def find(self, name: str, value: Value) -> list[Row]:
        """The rows with that value (without case) in an indexed field, oldest id first."""
        found = self._indexes[name].get(_key(value))
        if found is None:
            return []
        return [self.rows[found]] if isinstance(found, str) else [self.rows[each] for each in sorted(found)]

    def add_index(self, name: str) -> None:
        self._indexes[name] = {}
        for record_id, row in self.rows.items():
            if name in row:
                self._enter(name, row[name], record_id)

    def insert(self, record_id: str, row: Row) -> None:
        self.rows[record_id] = row
        number = self._next[1] if record_id == self._next[0] else ids.number_of(record_id)
        self.made = max(self.made, number)
        for name in self._indexes:
            if name in row:
                self._enter(name, row[name], record_id)
        self.stamps.add(str(row["SystemModstamp"]), record_id)

    def remove(self, record_id: str) -> None:
        row = self.rows.pop(record_id)
        for name in self._indexes:
            if name in row:
                self._withdraw(name, row[name], record_id)
        self.stamps.leave()

    def change(self, record_id: str, values: Mapping[str, Value]) -> None:
        row = self.rows[record_id]
        before = row["SystemModstamp"]
        for name, value in values.items():
            old = row.get(name)
            if old == value and type(old) is type(value):
                continue
            if name in self._indexes:
                if old is not None:
                    self._withdraw(name, old, record_id)
                if value is not None:
                    self._enter(name, value, record_id)
            if value is None or value is False:
                row.pop(name, None)
            else:
                row[intern(name)] = value
        if row["SystemModstamp"] != before:
            self.stamps.leave()
            self.stamps.add(str(row["SystemModstamp"]), record_id)

    def _enter(self, name: str, value: Value, record_id: str) -> None:
        index, key = self._indexes[name], _key(value)
        there = index.get(key)
        if there is None:
            index[key] = record_id
        elif isinstance(there, str):
            index[key] = {there, record_id}
        else:
            there.add(record_id)

    def _withdraw(self, name: str, value: Value, record_id: str) -> None:
        index, key = self._indexes[name], _key(value)
        there = index.get(key)
        if isinstance(there, set):
            there.discard(record_id)
            if len(there) == 1:
                index[key] = there.pop()
        else:
            index.pop(key, None)


class Store:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self.tables: dict[str, Table] = {each.name: Table(each) for each in schema.objects.values()}

    def add_object(self, kind: ObjectType) -> None:
        self.tables[kind.name] = Table(kind)

    def row(self, record_id: str) -> Row | None:
        """The row with that 18-character id, of whatever object, deleted or not."""
        kind = self._schema.of_id(record_id)
        return None if kind is None else self.tables[kind.name].rows.get(record_id)

    def live(self, object_name: str) -> Iterable[Row]:
        return (row for row in self.tables[object_name].rows.values() if "IsDeleted" not in row)

    def add_formula(self, kind: ObjectType, name: str, formula: Formula) -> None:
        """From now on the field is worked out after each change of its record or of the parents that it reads."""
        table = self.tables[kind.name]
        table.formulas[name] = formula
        for reference in formula.parents:
            if not table.indexed(reference):
                table.add_index(reference)
            for parent in kind.fields[reference].reference_to:
                self.tables[parent].dependents[kind.name, reference] = table
        for record_id in table.rows:
            self._derive(table, record_id)

    def apply(self, entry: Entry) -> None:
        """Carries out one journaled change: create, update, delete, undelete."""
        if entry.object in TALLIED:
            self._tallied(entry, self._apply)
        else:
            self._apply(entry)

    def revert(self, entry: Entry) -> None:
        """Undoes an entry that was the last one applied to its record."""
        if entry.object in TALLIED:
            self._tallied(entry, self._revert)
        else:
            self._revert(entry)

    def _tallied(self, entry: Entry, change: Callable[[Entry], None]) -> None:
        """Makes the change, and brings the campaign's counts with it."""
        rows, campaigns = self.tables[entry.object].rows, self.tables["Campaign"]
        before = contribution(entry.object, rows.get(entry.id))
        change(entry)
        for campaign, values in moved(campaigns.rows, before, contribution(entry.object, rows.get(entry.id))):
            campaigns.change(campaign, values)

    def _apply(self, entry: Entry) -> None:
        table = self.tables[entry.object]
        match entry.op:
            case "create":
                table.insert(entry.id, compact(entry.after or {}))
            case "update" | "corrupt":
                table.change(entry.id, entry.after or {})
            case "delete" if "gone" in entry.extra:
                table.remove(entry.id)
                return
            case "delete" | "undelete":
                table.change(entry.id, entry.extra["after"])
            case unknown:
                raise ValueError(f"not a change of a record: {unknown}")
        if table.formulas or table.dependents:
            self._derive(table, entry.id)

    def _revert(self, entry: Entry) -> None:
        table = self.tables[entry.object]
        match entry.op:
            case "create":
                table.remove(entry.id)
                table.made = ids.number_of(entry.id) - 1
                return
            case "update":
                table.change(entry.id, entry.before or {})
            case "delete" if "gone" in entry.extra:
                table.insert(entry.id, compact(entry.before or {}))
            case "delete" | "undelete":
                table.change(entry.id, entry.extra["before"])
            case unknown:
                raise ValueError(f"can't be undone: {unknown}")
        if table.formulas or table.dependents:
            self._derive(table, entry.id)

    def _derive(self, table: Table, record_id: str) -> None:
        """Works out the formulas of a record and of the children that read it. Stamps don't move: a formula is no change of the record."""
        row = table.rows[record_id]
        for name, formula in table.formulas.items():
            table.change(record_id, {name: formula.evaluate(row, self.row)})
        for (_, reference), children in table.dependents.items():
            for child in children.find(reference, record_id):
                for name, formula in children.formulas.items():
                    if reference in formula.parents:
                        children.change(str(child["Id"]), {name: formula.evaluate(child, self.row)})


def compact(values: Mapping[str, Value]) -> Row:
    """A row of the values that are neither null nor false; names are shared between rows."""
    return {intern(name): value for name, value in values.items() if value is not None and value is not False}


def put(row: Row, values: Mapping[str, Value]) -> None:
    """Sets the values in a row, which holds neither nulls nor false."""
    for name, value in values.items():
        if value is None or value is False:
            row.pop(name, None)
        else:
            row[name] = value


def changed_names(row: Row, proposed: Row, names: Iterable[str]) -> set[str]:
    return {name for name in names if row.get(name) != proposed.get(name)}


def _key(value: Value) -> str:
    return value.casefold() if isinstance(value, str) else repr(value)

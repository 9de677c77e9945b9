"""Roll-up summary fields: a parent's count, sum, least or greatest of its children, kept up to date by updates of the parent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from infra.sandbox.salesforce.records.store import Table
from infra.sandbox.salesforce.schema.types import Field, ObjectType, Row, Value


class Rollups:
    """Which parents' fields sum up which children."""

    def __init__(self) -> None:
        self._by_child: dict[str, list[tuple[ObjectType, Field]]] = {}

    def add(self, parent: ObjectType, field: Field) -> None:
        if field.rollup is None:
            return
        known = [each for each in self._by_child.get(field.rollup.object, []) if each[1].name != field.name or each[0] is not parent]
        self._by_child[field.rollup.object] = [*known, (parent, field)]

    def due(self, tables: Mapping[str, Table], child: str, rows: Iterable[Row]) -> list[tuple[str, dict[str, Value]]]:
        """(parent id, its new values) of the parents of these rows, where they differ from what stands there."""
        found: dict[str, dict[str, Value]] = {}
        rows = list(rows)
        for parent, field in self._by_child.get(child, []):
            rollup = field.rollup
            if rollup is None:
                continue
            for record_id in dict.fromkeys(str(row[rollup.field]) for row in rows if rollup.field in row):
                above = tables[parent.name].rows.get(record_id)
                if above is None or "IsDeleted" in above:
                    continue
                value = _summed(tables, field, record_id)
                if above.get(field.name) != value:
                    found.setdefault(record_id, {})[field.name] = value
        return list(found.items())

    def __bool__(self) -> bool:
        return bool(self._by_child)


def _summed(tables: Mapping[str, Table], field: Field, parent_id: str) -> Value:
    rollup = field.rollup
    if rollup is None:
        return None
    children = [row for row in tables[rollup.object].find(rollup.field, parent_id) if "IsDeleted" not in row]
    if rollup.op == "COUNT":
        return len(children)
    values = [value for row in children if isinstance(value := row.get(rollup.of or ""), int | float)]
    if rollup.op == "SUM":
        return round(sum(values), field.scale)
    if not values:
        return None
    return min(values) if rollup.op == "MIN" else max(values)

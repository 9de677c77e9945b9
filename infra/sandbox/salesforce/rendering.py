"""Records as REST writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from infra.sandbox.salesforce.access import VisibleObject
from infra.sandbox.salesforce.compound import shown_value
from infra.sandbox.salesforce.schema import Field, Row, Schema
from infra.sandbox.salesforce.soql.binding import Bound, is_type
from infra.sandbox.salesforce.soql.run import Answer

Render = Callable[[Row], dict[str, Any]]


def attributes(kind: str, record_id: str, base: str) -> dict[str, str]:
    return {"type": kind, "url": f"{base}/sobjects/{kind}/{record_id}"}


def row_record(seen: VisibleObject, row: Row, base: str, fields: Iterable[Field] | None = None) -> dict[str, Any]:
    """A record with the fields asked for, or all that the caller sees, nulls included."""
    record: dict[str, Any] = {"attributes": attributes(seen.kind.name, str(row["Id"]), base)}
    for field in seen.names.values() if fields is None else fields:
        record[field.name] = shown_value(field, row)
    return record


def query_render(answer: Answer, schema: Schema, base: str) -> Render:
    """The function that writes one row of a query's answer: selected fields in order, parents nested, null for a missing parent."""
    kind = answer.kind
    plain = [each.field for each in answer.columns if not each.hops]
    nested = [each for each in answer.columns if each.hops]

    def put_parent(record: dict[str, Any], bound: Bound, row: Row) -> None:
        here, parent = record, row
        for hop, name in zip(bound.hops, bound.shown, strict=False):
            above = answer.binding.follow(parent, (hop.name,))
            if above is None:
                here[name] = None
                return
            parent, record_id = above, str(above["Id"])
            type_ = schema.of_id(record_id)
            here = here.setdefault(name, {"attributes": attributes(type_.name if type_ else "Name", record_id, base)})
        here[bound.field.name] = answer.binding.type_of(parent) if is_type(bound) else shown_value(bound.field, parent)

    inner_renders: dict[str, Render] = {}

    def put_children(record: dict[str, Any], name: str, found: Answer) -> None:
        if name not in inner_renders:
            inner_renders[name] = query_render(found, schema, base)
        records = [inner_renders[name](each) for each in found.rows]
        record[name] = {"totalSize": len(records), "done": True, "records": records} if records else None

    def render(row: Row) -> dict[str, Any]:
        record: dict[str, Any] = {"attributes": attributes(kind, str(row["Id"]), base)}
        for field in plain:
            record[field.name] = shown_value(field, row)
        for bound in nested:
            put_parent(record, bound, row)
        for name, of_parent in answer.children:
            put_children(record, name, of_parent(row))
        return record

    return render

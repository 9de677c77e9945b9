"""Records as REST writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from infra.sandbox.salesforce.access.views import VisibleObject
from infra.sandbox.salesforce.schema.compound import shown_value
from infra.sandbox.salesforce.schema.types import Field, Row, Schema
from infra.sandbox.salesforce.soql.binding import Bound, is_type
from infra.sandbox.salesforce.soql.grammar.functions import shown_as
from infra.sandbox.salesforce.soql.polymorphic import TYPE
from infra.sandbox.salesforce.soql.run import Answer
from infra.sandbox.salesforce.soql.typeof import TypedParent

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
    own = [(each.alias or each.field.name, each.field, each.function) for each in answer.columns if not each.hops]
    nested = [each for each in answer.columns if each.hops]
    inner: dict[str, Render] = {}

    def render(row: Row) -> dict[str, Any]:
        record: dict[str, Any] = {"attributes": attributes(kind, str(row["Id"]), base)}
        for name, field, function in own:
            value = shown_value(field, row)
            record[name] = shown_as(function, field, value) if function else value
        for bound in nested:
            _put_parent(answer, schema, base, record, bound, row)
        for typed in answer.typed:
            record[typed.name] = _typed_parent(answer, typed, row, base)
        for name, of_parent in answer.children:
            found = of_parent(row)
            if name not in inner:
                inner[name] = query_render(found, schema, base)
            records = [inner[name](each) for each in found.rows]
            record[name] = {"totalSize": len(records), "done": True, "records": records} if records else None
        return record

    return render


def _put_parent(answer: Answer, schema: Schema, base: str, record: dict[str, Any], bound: Bound, row: Row) -> None:  # noqa: PLR0917
    here, parent = record, row
    for hop, name in zip(bound.hops, bound.shown, strict=False):
        above = answer.binding.follow(parent, (hop.name,))
        if above is None:
            here[name] = None
            return
        parent, record_id = above, str(above["Id"])
        type_ = schema.of_id(record_id)
        here = here.setdefault(name, {"attributes": attributes(type_.name if type_ else "Name", record_id, base)})
    value = answer.binding.type_of(parent) if is_type(bound) else shown_value(bound.field, parent)
    here[bound.alias or bound.field.name] = shown_as(bound.function, bound.field, value)


def _typed_parent(answer: Answer, typed: TypedParent, row: Row, base: str) -> dict[str, Any] | None:
    above = answer.binding.follow(row, (typed.reference.name,))
    if above is None:
        return None
    name = answer.binding.type_of(above)
    values = {each.name: name if each.name == TYPE and each.derived else shown_value(each, above) for each in typed.fields_of(name)}
    return {"attributes": attributes(name or "Name", str(above["Id"]), base), **values}

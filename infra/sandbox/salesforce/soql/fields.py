"""FIELDS(ALL), FIELDS(STANDARD) and FIELDS(CUSTOM) in a field list (SOQL guide, FIELDS())."""

from __future__ import annotations

import msgspec

from infra.sandbox.salesforce.schema.types import Kind
from infra.sandbox.salesforce.soql.binding import Binding
from infra.sandbox.salesforce.soql.grammar.query import FIELDS, Path, Query
from infra.sandbox.salesforce.wire.errors import ApiError

ROWS_MAX = 200
UNBOUNDED = "The SOQL FIELDS function is not supported with an unbounded set of fields in this API."


def spelled_out(query: Query, binding: Binding, *, bulk: bool = False) -> Query:
    """The query with the fields' names in the place of each FIELDS(). Custom fields have no bound on their number: where they are asked
    for, a query job refuses, and a query needs a LIMIT. A query job leaves out compound fields, which CSV can't hold. Raises
    MALFORMED_QUERY, and INVALID_FIELD for a field that is selected twice."""
    select: list[Path] = []
    for path in query.select:
        if path.function != FIELDS:
            select.append(path)
            continue
        group = path.names[0]
        if group != "STANDARD" and bulk:
            raise ApiError(400, "MALFORMED_QUERY", UNBOUNDED)
        if group != "STANDARD" and (query.limit is None or query.limit > ROWS_MAX):
            raise ApiError(400, "MALFORMED_QUERY", f"The SOQL FIELDS function must have a LIMIT of at most {ROWS_MAX}")
        names = [
            name for name, field in binding.root.names.items()
            if group in ("ALL", "CUSTOM" if field.custom else "STANDARD") and not (bulk and field.kind is Kind.ADDRESS)
        ]  # fmt: skip
        select += [Path((name,), path.at) for name in names]
    if not select and query.select:
        raise ApiError(400, "MALFORMED_QUERY", "The SOQL FIELDS function found no fields")
    _refuse_twice(select)
    return msgspec.structs.replace(query, select=tuple(select))


def _refuse_twice(select: list[Path]) -> None:
    met: set[tuple[str, ...]] = set()
    for path in select:
        names = () if path.function else tuple(name.lower() for name in path.names)
        if names in met:
            raise ApiError(400, "INVALID_FIELD", f"duplicate field selected: {'.'.join(path.names)}")
        if not path.function:
            met.add(names)

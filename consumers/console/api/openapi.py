"""The OpenAPI 3.1 document, made of the documents and tables themselves. Pure."""

from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

import msgspec

from consumers.console.api.documents import DOCUMENTS, REVEAL, Document, Parameter
from consumers.console.tables.catalogue import TABLES
from consumers.console.tables.table import Column, Shape, Table

PREFIX = "/api/v1"
_TYPES: dict[Shape, dict[str, Any]] = {
    Shape.WHEN: {"type": "integer", "description": "ms since the epoch; 0: not known"},
    Shape.COUNT: {"type": ["integer", "null"]},
    Shape.VALUE: {},
}
_ANSWERS = {"401": "No token, or a wrong one.", "403": "The role doesn't suffice.", "503": "Something needed can't be reached."}


def openapi() -> dict[str, Any]:
    """The whole document."""
    schemas, components = msgspec.json.schema_components(
        [document.gives for document in DOCUMENTS], ref_template="#/components/schemas/{name}"
    )
    paths = {f"{PREFIX}{each.path}": {"get": _document(each, schema)} for each, schema in zip(DOCUMENTS, schemas, strict=True)}
    paths |= {f"{PREFIX}/{table.name}": {"get": _table(table)} for table in TABLES}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tandem",
            "version": version("tandem"),
            "description": "What Tandem knows: the answers of its command line, for programs. Each takes a token of the file "
            "`console.tokens`; personal data is masked unless a token of the role operator asks for it, which is written down.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {"schemas": dict(components), "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _document(document: Document, schema: dict[str, Any]) -> dict[str, Any]:
    parameters = (*document.parameters, *((REVEAL,) if document.personal else ()))
    return _operation(document.name, document.words, str(document.role), parameters, schema)


def _table(table: Table) -> dict[str, Any]:
    told = [Parameter(name="q", place="query", words="Only rows that hold this."), REVEAL]
    told.append(Parameter(name="sort", place="query", words="A column; - before it: downwards."))
    told += [Parameter(name=each.key, place="query", words=f"Only rows with this {each.title.lower()}.") for each in table.columns]
    row = {"type": "object", "properties": {each.key: _column(each) for each in table.columns}, "required": [c.key for c in table.columns]}
    return _operation(table.name, table.words, str(table.role), told, {"type": "array", "items": row})


def _column(column: Column) -> dict[str, Any]:
    return {"title": column.title, **_TYPES.get(column.shape, {})}


def _operation(name: str, words: str, role: str, parameters: Iterable[Parameter], schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": words,
        "x-role": role,
        "parameters": [
            {"name": each.name, "in": each.place, "required": each.required, "description": each.words, "schema": {"type": each.type}}
            for each in parameters
        ],
        "responses": {
            "200": {"description": words, "content": {"application/json": {"schema": schema}}},
            **{code: {"description": told} for code, told in _ANSWERS.items()},
        },
    }

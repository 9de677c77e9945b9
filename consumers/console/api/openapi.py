"""The OpenAPI 3.1 document, made of the documents, tables and acts themselves. Pure."""

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import msgspec

from consumers.console.access.problems import MEDIA
from consumers.console.api.acts.act import Act
from consumers.console.api.acts.registry import ACTS, NONE
from consumers.console.api.documents import DOCUMENTS, REVEAL, Document, Parameter
from consumers.console.tables.catalogue import TABLES
from consumers.console.tables.table import Column, Shape, Table

PREFIX = "/api/v1"
_TYPES: dict[Shape, dict[str, Any]] = {
    Shape.WHEN: {"type": "integer", "description": "ms since the epoch; 0: not known"},
    Shape.COUNT: {"type": ["integer", "null"]},
    Shape.VALUE: {},
}
_ANSWERS = {
    "401": "No token, or a wrong one.",
    "403": "The role doesn't suffice.",
    "404": "There is no such thing.",
    "503": "Something needed can't be reached.",
}
_OF_ACTS = {
    "409": "It can't be done as things stand; or the same is being done under this key.",
    "413": "Too long.",
    "415": "Not JSON.",
    "422": "What is asked for makes no sense, has no reason, or its key was used for something else.",
}
NO_MORE: Mapping[str, str] = {}
_KEY = Parameter(
    name="Idempotency-Key", place="header",
    words="With `apply`: a name of your own for this act. Asked again under it within a day, it is not done again; the answer is given.",
)  # fmt: skip
_PROBLEM = {
    "type": "object",
    "description": "What was not done, why, and what to do (RFC 9457).",
    "properties": {
        "type": {"type": "string", "description": "urn:tandem:problem:… stays the same"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "this time"},
        "instance": {"type": "string"},
        "remedy": {"type": "string", "description": "what to do"},
    },
    "required": ["type", "title", "status", "detail", "instance"],
}


def openapi() -> dict[str, Any]:
    """The whole document."""
    types = [document.gives for document in DOCUMENTS] + [each for act in ACTS for each in (act.takes, *act.gives)]
    told, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schemas = iter(told)
    paths: dict[str, dict[str, Any]] = {f"{PREFIX}{each.path}": {"get": _document(each, next(schemas))} for each in DOCUMENTS}
    for table in TABLES:
        paths[f"{PREFIX}/{table.name}"] = {"get": _table(table)}
    for act in ACTS:
        takes, gives = next(schemas), [next(schemas) for _ in act.gives]
        paths.setdefault(f"{PREFIX}{act.path}", {})["post"] = _act(act, takes, gives)
    without = "; ".join(f"`tandem {' '.join(command)}` ({why})" for command, why in NONE.items())
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tandem",
            "version": version("tandem"),
            "description": "What Tandem knows and does: the answers and acts of its command line, for programs. Each takes a token of the "
            "file `console.tokens`; personal data is masked unless a token of the role operator asks for it, which is written down. An "
            "act only says what it would do unless `apply` is true; then it takes a `reason`, and is in the audit log before it is done. "
            f"By the command line alone: {without}.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": _PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
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


def _act(act: Act, takes: dict[str, Any], gives: list[dict[str, Any]]) -> dict[str, Any]:
    answer = {
        "type": "object",
        "properties": {
            "act": {"const": act.name},
            "applied": {"type": "boolean"},
            "who": {"type": "string", "description": "as the audit log has it"},
            "result": gives[0] if len(gives) == 1 else {"anyOf": gives},
        },
        "required": ["act", "applied", "who", "result"],
    }
    name = f"do-{act.name.replace(' ', '-')}"
    told = _operation(name, act.words, str(act.role), (_KEY, REVEAL), answer, more=_OF_ACTS)
    told["x-command"] = f"tandem {' '.join(act.command)}"
    told["requestBody"] = {"required": True, "content": {"application/json": {"schema": takes}}}
    return told


def _column(column: Column) -> dict[str, Any]:
    return {"title": column.title, **_TYPES.get(column.shape, {})}


def _operation(
    name: str, words: str, role: str, parameters: Iterable[Parameter], schema: dict[str, Any], *, more: Mapping[str, str] = NO_MORE
) -> dict[str, Any]:
    problem = {MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}}
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
            **{code: {"description": told, "content": problem} for code, told in {**_ANSWERS, **more}.items()},
        },
    }

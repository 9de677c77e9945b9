"""One call of the data API as a value, its answer, and the routing table that leads to the handler. No I/O: composite calls nest."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import orjson

from infra.sandbox.kernel.faults import Fault
from infra.sandbox.salesforce.access.caller import Caller
from infra.sandbox.salesforce.access.views import View, VisibleObject
from infra.sandbox.salesforce.org.org import Org
from infra.sandbox.salesforce.saving.transaction import Transaction
from infra.sandbox.salesforce.wire.errors import ApiError, not_found


@dataclass(slots=True, kw_only=True)
class Call:
    """`path` is what follows `/services/data/vNN.N`, still percent-encoded; `headers` have lower-case names; `params` are the parts that
    the route caught."""

    org: Org
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    version: str
    caller: Caller
    view: View
    params: Mapping[str, str] = field(default_factory=dict)
    fault: Fault | None = None
    pattern: str = ""
    """The route that was found, for the meters."""
    records: int = 0
    """How many records the call was about, for the meters."""
    shared: Transaction | None = None
    """The transaction of the composite call that this one is a part of."""

    @property
    def base(self) -> str:
        return f"/services/data/v{self.version}"

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """A transaction that is committed at the end; that of the composite call, when this is a part of one, is left open."""
        if self.shared is not None:
            yield self.shared
            return
        transaction = self.org.transaction(self.caller)
        try:
            yield transaction
        except BaseException:
            transaction.rollback()
            raise
        transaction.commit()

    def json(self) -> Any:
        """The body. Raises JSON_PARSER_ERROR."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise ApiError(400, "JSON_PARSER_ERROR", f"{error.msg} at [line:{error.lineno}, column:{error.colno}]") from None

    def json_object(self) -> dict[str, Any]:
        body = self.json()
        if not isinstance(body, dict):
            raise ApiError(400, "JSON_PARSER_ERROR", "The HTTP entity body is required, but this request has none of the expected form.")
        return body

    def object(self, name: str) -> VisibleObject:
        """The object of that name as the caller sees it. Raises NOT_FOUND."""
        found = self.view.object(name)
        if found is None:
            raise not_found()
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def json_reply(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status=status, body=orjson.dumps(value), headers=headers or {})


Handler = Callable[[Call], Reply]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`pattern` is a regular expression that names whole segments in braces."""

    methods: tuple[str, ...]
    pattern: str
    handler: Handler


class Router:
    """Finds the handler of a method and path; 404 for an unknown path, 405 for a known one with another method."""

    def __init__(self, routes: list[Route]) -> None:
        self._routes = [(re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.pattern)), route) for route in routes]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        allowed: set[str] = set()
        for pattern, route in self._routes:
            match = pattern.fullmatch(path)
            if match is not None:
                if method in route.methods:
                    return route, {name: unquote(value) for name, value in match.groupdict().items()}
                allowed.update(route.methods)
        if allowed:
            message = f"HTTP Method '{method}' not allowed. Allowed are {','.join(sorted(allowed))}"
            raise ApiError(405, "METHOD_NOT_ALLOWED", message)
        raise not_found()

"""Answering programs."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from consumers.console.access.guard import visitor_of
from consumers.console.access.problems import Refused, answered
from consumers.console.access.roles import Role, Visitor
from consumers.console.api.acts.registry import ACTS
from consumers.console.api.documents import DOCUMENTS, Document
from consumers.console.api.doing import Doing, plain
from consumers.console.api.openapi import PREFIX, openapi
from consumers.console.api.refusals import TOLD, not_allowed, problem_of
from consumers.console.ground import Ground
from consumers.console.masking import masked
from consumers.console.tables.catalogue import TABLES
from consumers.console.tables.rows import cells_of
from consumers.console.tables.table import Table


class Api:
    """The API of one console."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    @property
    def routes(self) -> list[Route]:
        """Where everything is."""
        doing = Doing(self._ground)
        told = [Route(f"{PREFIX}{each.path}", _telling(self._answering(self._document(each)))) for each in DOCUMENTS]
        told += [Route(f"{PREFIX}/{each.name}", _telling(self._answering(self._table(each)))) for each in TABLES]
        told += [Route(f"{PREFIX}{each.path}", _telling(doing.handler(each)), methods=["POST"]) for each in ACTS]
        return [Route(f"{PREFIX}/openapi.json", self.describe), *told]

    async def describe(self, _request: Request) -> Response:
        """The OpenAPI document."""
        return _json(openapi())

    def _document(self, document: Document) -> Callable[[Request, Visitor], Awaitable[Any]]:
        async def answer(request: Request, visitor: Visitor) -> Any:
            asked = {**dict(request.query_params), **{name: str(value) for name, value in request.path_params.items()}}
            told = await document.ask(self._ground, asked)
            return told if visitor.revealed or not document.personal else masked(told)

        return self._for(document.role, answer)

    def _table(self, table: Table) -> Callable[[Request, Visitor], Awaitable[Any]]:
        async def answer(request: Request, visitor: Visitor) -> Any:
            return await cells_of(self._ground, table, dict(request.query_params), visitor)

        return self._for(table.role, answer)

    def _for(self, role: Role, answer: Callable[[Request, Visitor], Awaitable[Any]]) -> Callable[[Request, Visitor], Awaitable[Any]]:
        async def checked(request: Request, visitor: Visitor) -> Any:
            wanted = Role.OPERATOR if request.query_params.get("reveal") == "1" else role
            for needed in (role, wanted):
                if not visitor.role.may(needed):
                    raise Refused(not_allowed(needed, visitor.role))
            if request.query_params.get("reveal") == "1":
                await self._ground.note(visitor, "reveal", {"where": "api", "path": request.url.path})
                visitor = replace(visitor, revealed=True)
            return await answer(request, visitor)

        return checked

    def _answering(self, answer: Callable[[Request, Visitor], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
        async def answering(request: Request) -> Response:
            return _json(await answer(request, visitor_of(request)))

        return answering


def _telling(handle: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """What it answers, or a problem document that says what was not done, why, and what to do."""

    async def telling(request: Request) -> Response:
        try:
            return await handle(request)
        except TOLD as error:
            return answered(problem_of(error), request.url.path)

    return telling


def _json(told: Any) -> Response:
    return Response(orjson.dumps(told, option=orjson.OPT_NON_STR_KEYS, default=plain), media_type="application/json")

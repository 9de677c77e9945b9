"""The application: its pages, its HTTP API, the guard before both."""

import asyncio
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from consumers.console.access.guard import HEADERS, Guard
from consumers.console.access.problems import answered
from consumers.console.api.listening import Listening
from consumers.console.api.openapi import PREFIX
from consumers.console.api.refusals import FAULT, NOTHING_THERE, WRONG_METHOD
from consumers.console.api.routes import Api
from consumers.console.ground import Ground
from consumers.console.live import Live
from consumers.console.pages.changes import Changes
from consumers.console.pages.deciding import Deciding
from consumers.console.pages.deliveries import Deliveries
from consumers.console.pages.lists import LIST_PAGES, Lists
from consumers.console.pages.matching import Matching
from consumers.console.pages.onerecord import OneRecord
from consumers.console.pages.overview import Overview
from consumers.console.pages.record import RecordPage
from consumers.console.pages.rules import Rules
from consumers.console.pages.signing import Signing
from consumers.console.rendering import STATIC, Pages
from streams.wire.errors import Retry, SyncError

_COMPRESSED_BYTES = 500
_log = structlog.get_logger(__name__)


def application(ground: Ground) -> Starlette:
    """For one ground."""
    paths = frozenset({"/", "/record", "/changes", *(each.path for each in LIST_PAGES)})
    pages = Pages(paths)
    signing, live = Signing(ground, pages), Live(ground)
    routes: list[BaseRoute] = [
        Mount("/static", StaticFiles(directory=STATIC)),
        Route("/healthz", _healthy),
        Route("/live", live.stream),
        *signing.routes,
        *Overview(ground, pages).routes,
        *RecordPage(ground, pages).routes,
        *OneRecord(ground, pages).routes,
        *Changes(ground, pages).routes,
        *Lists(ground, pages).routes,
        *Deciding(ground, pages).routes,
        *Rules(ground, pages).routes,
        *Deliveries(ground, pages).routes,
        *Matching(ground, pages).routes,
        *Listening(ground).routes,
        *Api(ground).routes,
    ]

    async def away(request: Request, error: Exception) -> Response:
        """What a page needs can't be reached, or refuses: it says so, and what can be done."""
        status = 503 if isinstance(error, Retry) else 500
        if not hasattr(request.state, "visitor"):
            return PlainTextResponse(str(error), status)
        return pages.page(request, "away.html", {"wrong": str(error)}, status=status)

    async def unknown(request: Request, _error: Exception) -> Response:
        if request.url.path.startswith(PREFIX):
            return answered(NOTHING_THERE, request.url.path)
        if not hasattr(request.state, "visitor"):
            return PlainTextResponse("There is nothing at this address.", 404)
        return pages.page(request, "away.html", {"wrong": "There is no such page."}, status=404)

    async def in_vain(request: Request, _error: Exception) -> Response:
        if request.url.path.startswith(PREFIX):
            return answered(WRONG_METHOD, request.url.path)
        return PlainTextResponse("This page is not asked for in this way.", 405)

    async def broken(request: Request, error: Exception) -> Response:
        """A fault of ours: the log says where, and nothing of what was shown."""
        frame = traceback.extract_tb(error.__traceback__)[-1]
        _log.error("a page failed", path=request.url.path, error=type(error).__name__, where=f"{Path(frame.filename).name}:{frame.lineno}")
        if request.url.path.startswith(PREFIX):
            return answered(FAULT, request.url.path)
        return PlainTextResponse("This page failed: a fault of the console's. Its log says where.", 500, HEADERS)

    @asynccontextmanager
    async def watching(_app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(live.watch())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    return Starlette(
        routes=routes,
        middleware=[Middleware(Guard, doors=signing.doors()), Middleware(GZipMiddleware, minimum_size=_COMPRESSED_BYTES)],
        exception_handlers={SyncError: away, 404: unknown, 405: in_vain, Exception: broken},
        lifespan=watching,
    )


async def _healthy(_request: Request) -> Response:
    return PlainTextResponse("well\n")

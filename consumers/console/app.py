"""The application: its pages, its HTTP API, the guard before both."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from consumers.console.access.guard import Guard
from consumers.console.api.listening import Listening
from consumers.console.api.routes import Api
from consumers.console.faults import handlers
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
        exception_handlers=handlers(pages),
        lifespan=watching,
    )


async def _healthy(_request: Request) -> Response:
    return PlainTextResponse("well\n")

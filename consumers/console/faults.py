"""What is answered where something is not there, can't be reached, or fails: to people by a page, to programs by a problem document."""

import traceback
from pathlib import Path
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from consumers.console.access.guard import HEADERS
from consumers.console.access.problems import answered
from consumers.console.api.openapi import PREFIX
from consumers.console.api.refusals import FAULT, NOTHING_THERE, WRONG_METHOD
from consumers.console.rendering import Pages
from streams.wire.errors import Retry, SyncError

_log = structlog.get_logger(__name__)


def handlers(pages: Pages) -> dict[Any, Any]:
    """By the fault, as Starlette takes them."""

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

    return {SyncError: away, 404: unknown, 405: in_vain, Exception: broken}

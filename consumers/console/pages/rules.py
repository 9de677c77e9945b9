"""A version of the rules: what going back to it would change, tried on the log, and gone back to; and what the systems hide."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from consumers.answers.rules import GoingBack, WentBack, going_back, tried_back, went_back
from consumers.console.access.forms import Form, acting
from consumers.console.access.guard import visitor_of
from consumers.console.access.roles import Role
from consumers.console.ground import Ground
from consumers.console.rendering import Pages
from consumers.replay.planning import Planned
from consumers.subscriptions.since import moment_of
from streams.ground.clock import now_ms
from streams.wire.errors import Fatal, Reject

_TRIED = ("1d", "7d", "30d")
_PATIENCE_SECONDS = 120.0


class Rules:
    """The pages of one console."""

    def __init__(self, ground: Ground, pages: Pages) -> None:
        self._ground, self._pages = ground, pages
        self._trying = asyncio.Semaphore(1)

    @property
    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/rules/{version:int}", self.show),
            Route("/rules/{version:int}", acting(Role.ADMIN, self.go_back), methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """Against what is configured; `try`: since when it is tried on the log."""
        since = request.query_params.get("try", "")
        try:
            told = await going_back(self._ground.settings, request.path_params["version"])
        except Reject as error:
            return self._pages.page(request, "away.html", {"wrong": str(error)}, status=404)
        if since not in _TRIED:
            return self._page(request, told)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), self._trying:
                since_ms = moment_of(since, now_ms())
                tried = await tried_back(self._ground.settings, told.version, since_ms=since_ms)
        except TimeoutError:
            wrong = f"It takes longer than {_PATIENCE_SECONDS:.0f} seconds. Try a shorter time, or `tandem plan` at a terminal."
            return self._page(request, told, wrong=wrong, status=504)
        return self._page(request, told, tried=tried, since=since)

    async def go_back(self, request: Request, form: Form) -> Response:
        """Write the configuration, once it is named and written down."""
        number, why, file = request.path_params["version"], form.get("why", "").strip(), self._ground.file
        try:
            told = await going_back(self._ground.settings, number)
        except Reject as error:
            return self._pages.page(request, "away.html", {"wrong": str(error)}, status=404)
        if form.get("typed", "").strip() != f"version {number}" or not why:
            wrong = f"To go back, say why, and type version {number}."
            return self._page(request, told, wrong=wrong, status=400)
        if file is None:
            return self._page(request, told, wrong="This console doesn't know where its configuration lies.", status=409)
        await self._ground.note(visitor_of(request), "config rollback", {"version": number}, why)
        try:
            done = await went_back(self._ground.settings, number, file)
        except (Reject, Fatal) as error:
            return self._page(request, told, wrong=str(error), status=409)
        return self._page(request, told, done=done)

    def _page(
        self, request: Request, told: GoingBack, *, tried: Planned | None = None, since: str = "", done: WentBack | None = None,
        wrong: str = "", status: int = 200,
    ) -> Response:  # fmt: skip
        words: dict[str, Any] = {
            "told": told, "tried": tried, "since": since, "spans": _TRIED, "done": done, "wrong": wrong,
            "file": str(self._ground.file or ""),
        }  # fmt: skip
        return self._pages.page(request, "version.html", words, status=status)

"""What stands before every page: which host was meant, who is looking, and what each answer tells the browser it may do.

Plain ASGI, so that a stream of events passes through as it comes.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consumers.console.access.problems import Problem, answered
from consumers.console.access.roles import Visitor
from streams.wire.errors import Retry

COOKIE = "tandem_session"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Mapping[str, str] = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
OPEN = ("/static/", "/sign-in", "/healthz")
"""What is answered to whoever asks."""
_API = "/api/"
NOBODY = Problem(
    name="nobody", title="Nobody is signed in", status=401, detail="No token was sent, or one that is not known (any more).",
    remedy="Sign in, or send `Authorization: Bearer` with a token from the file console.tokens, or of the identity provider.",
    headers={"www-authenticate": "Bearer"},
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """`hosts`: the names by which the console may be called (empty: any; behind a name of its own a page elsewhere can't pose as it);
    `session`, `program`: whose token that is."""

    hosts: frozenset[str]
    session: Callable[[str], Awaitable[Visitor | None]]
    program: Callable[[str], Awaitable[Visitor | None]]


class Guard:
    """The application, behind its doors."""

    def __init__(self, app: ASGIApp, doors: Doors) -> None:
        self._app, self._doors = app, doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        answer = await self._refused(request)
        await (answer or self._app)(scope, receive, _with_headers(send, stored=scope["path"].startswith("/static/")))

    async def _refused(self, request: Request) -> Response | None:
        """None: come in; who it is stands in the request's state."""
        if self._doors.hosts and (request.url.hostname or "") not in self._doors.hosts:
            return PlainTextResponse("The console is not called by this name (console.url in its configuration).", 421)
        path = request.url.path
        if path.startswith(OPEN):
            return None
        try:
            visitor = await self._visitor(request)
        except Retry as error:
            return _away(path, error)
        if visitor is not None:
            request.state.visitor = visitor
            return None
        if path.startswith(_API):
            return answered(NOBODY, path)
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/sign-in?to={quote(path + query, safe='')}", 303)

    async def _visitor(self, request: Request) -> Visitor | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and request.url.path.startswith(_API):
            return await self._doors.program(token.strip())
        cookie = request.cookies.get(COOKIE, "")
        return await self._doors.session(cookie) if cookie else None


def _away(path: str, error: Retry) -> Response:
    """Nobody can be asked who that is."""
    if not path.startswith(_API):
        return PlainTextResponse(str(error), 503)
    told = Problem(
        name="away", title="Something needed can't be reached", status=503, detail=str(error), remedy="Ask again later.",
        headers={"retry-after": "5"},
    )  # fmt: skip
    return answered(told, path)


def _with_headers(send: Send, *, stored: bool) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers["cache-control"] = "public, max-age=3600" if stored else "no-store"
        await send(message)

    return with_headers


def visitor_of(request: Request) -> Visitor:
    """Who was let in."""
    visitor: Any = request.state.visitor
    assert isinstance(visitor, Visitor)  # noqa: S101 - the guard lets nobody else in
    return visitor

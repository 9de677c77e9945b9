"""It over HTTP: discovery, the page where people sign in, tokens, keys, signing out."""

from __future__ import annotations

import html
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlencode

from aiohttp import web

from infra.sandbox.identity.provider import Asked, Provider, Refused

COOKIE = "identity_session"
_NO_STORE = {"cache-control": "no-store"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Served:
    """A provider's pages."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._waiting: dict[str, Asked] = {}

    def app(self) -> web.Application:
        """The application."""
        app = web.Application(middlewares=[_telling])
        app.router.add_get("/.well-known/openid-configuration", self._describe)
        app.router.add_get("/jwks", self._keys)
        app.router.add_get("/authorize", self._ask)
        app.router.add_post("/authorize", self._decide)
        app.router.add_post("/token", self._tokens)
        app.router.add_get("/logout", self._leave)
        return app

    async def _describe(self, _request: web.Request) -> web.Response:
        return web.json_response(self._provider.description())

    async def _keys(self, _request: web.Request) -> web.Response:
        return web.json_response(self._provider.keys.published())

    async def _ask(self, request: web.Request) -> web.Response:
        asked = self._provider.asked(request.query)
        person = self._provider.sessions.get(request.cookies.get(COOKIE, ""))
        if person is not None and request.query.get("prompt") != "login":
            return self._back(asked, person)
        ticket = secrets.token_urlsafe(16)
        self._waiting[ticket] = asked
        people = "".join(
            f'<p><button name="person" value="{html.escape(name)}">{html.escape(name)}</button></p>' for name in self._provider.people
        )
        page = (
            f'<!doctype html><html lang="en"><title>Sign in</title><h1>Who are you?</h1>'
            f'<form method="post" action="/authorize"><input type="hidden" name="ticket" value="{ticket}">{people}</form></html>'
        )
        return web.Response(text=page, content_type="text/html", headers=_NO_STORE)

    async def _decide(self, request: web.Request) -> web.Response:
        form = await request.post()
        asked, person = self._waiting.pop(str(form.get("ticket", "")), None), str(form.get("person", ""))
        if asked is None or person not in self._provider.people:
            raise Refused("access_denied", "nobody has signed in", told_to=asked.redirect if asked else None)
        session = secrets.token_urlsafe(16)
        self._provider.sessions[session] = person
        answer = self._back(asked, person)
        answer.set_cookie(COOKIE, session, httponly=True, samesite="Lax")
        return answer

    async def _tokens(self, request: web.Request) -> web.Response:
        form = {name: str(value) for name, value in (await request.post()).items()}
        return web.json_response(self._provider.tokens(form, request.headers.get("authorization", "")), headers=_NO_STORE)

    async def _leave(self, request: web.Request) -> web.Response:
        self._provider.sessions.pop(request.cookies.get(COOKIE, ""), None)
        client = self._provider.clients.get(request.query.get("client_id", ""))
        where = request.query.get("post_logout_redirect_uri", "")
        if client is None or where not in client.leaves:
            return web.Response(text="You are signed out.")
        return web.Response(status=302, headers={"location": where})

    def _back(self, asked: Asked, person: str) -> web.Response:
        told = {"code": self._provider.code(asked, person), "state": asked.state, "iss": self._provider.issuer}
        return web.Response(status=302, headers={"location": f"{asked.redirect}?{urlencode(told)}", **_NO_STORE})


@web.middleware
async def _telling(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as error:
        if error.told_to is None:
            return web.json_response(error.body, status=error.status, headers=_NO_STORE)
        told = {**error.body, "state": request.query.get("state", "")}
        return web.Response(status=302, headers={"location": f"{error.told_to}?{urlencode(told)}"})


@asynccontextmanager
async def served(provider: Provider, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Provider]:
    """The provider, served; its issuer is its address."""
    runner = web.AppRunner(Served(provider).app())
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        provider.issuer = f"http://{host}:{runner.addresses[0][1]}"
        yield provider
    finally:
        await runner.cleanup()

"""Signing in by a one-time link or a password, signing out, having personal data shown."""

import asyncio
from pathlib import Path
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from consumers.configuration.groups.services import ConsoleSettings
from consumers.console.access.forms import Form, TooLong, acting, form_of, same_origin
from consumers.console.access.guard import COOKIE, Doors, visitor_of
from consumers.console.access.oidc.tokens import PREFIX
from consumers.console.access.roles import Role, Visitor
from consumers.console.access.sessions import (
    REVEALED_MS,
    SESSION_MS,
    Person,
    end_session,
    new_session,
    reveal,
    take_link,
)
from consumers.console.access.sessions import visitor_of as session_of
from consumers.console.access.users import read, with_password, with_token
from consumers.console.ground import Ground
from consumers.console.pages.provider import START, ByProvider
from consumers.console.rendering import Pages
from streams.ground.clock import now_ms

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_TRIES, _TRIES_MS = 10, 60_000
_HASHING = asyncio.Semaphore(2)


class Signing:
    """The pages of it, for one console."""

    def __init__(self, ground: Ground, pages: Pages) -> None:
        self._ground, self._pages = ground, pages
        self._failed: list[int] = []
        self._by_provider = ByProvider(ground, lambda request, wrong, status: self._form(request, wrong=wrong, status=status), _own_page)

    @property
    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/sign-in", self.show, methods=["GET"]),
            Route("/sign-in", self.sign_in, methods=["POST"]),
            Route("/sign-out", acting(Role.VIEWER, self.sign_out), methods=["POST"]),
            Route("/reveal", acting(Role.OPERATOR, self.reveal), methods=["POST"]),
            Route("/mask", acting(Role.VIEWER, self.mask), methods=["POST"]),
            *self._by_provider.routes(self._let_in),
        ]

    def doors(self) -> Doors:
        """For the guard."""
        return Doors(hosts=hosts_of(self._settings), session=self._session, program=self._program)

    async def show(self, request: Request) -> Response:
        """The form; of a one-time link a button, so that a preview of the link doesn't use it up."""
        out = await self._by_provider.sign_out_at() if request.query_params.get("out") == "1" else None
        return self._form(request, link=request.query_params.get("link", ""), out=out)

    async def sign_in(self, request: Request) -> Response:
        """By either, from our own page."""
        if not same_origin(request):
            return PlainTextResponse("This form was sent from another site.", 403)
        try:
            form = await form_of(request)
        except TooLong:
            return PlainTextResponse("This form is too long.", 413)
        if self._hasty():
            return self._form(request, wrong="Too many failed attempts. Wait a minute, then try again.", status=429)
        person = await self._person(form)
        if person is None:
            self._failed.append(now_ms())
            wrong = "This link has been used, or is older than a day." if form.get("link") else "No user has this name and password."
            return self._form(request, wrong=wrong, status=403)
        return await self._let_in(person, _own_page(form.get("to", "")), "link" if form.get("link") else "password")

    async def _let_in(self, person: Person, page: str, by: str) -> Response:
        """A session for the browser, once it is written down who has it."""
        async with self._ground.connection() as connection:
            token = await new_session(connection, person, now_ms())
        await self._ground.note(Visitor(who=person.who, role=person.role), "sign-in", {"by": by})
        answer = RedirectResponse(page, 303)
        secure = (self._settings.url or "").startswith("https:")
        answer.set_cookie(COOKIE, token, max_age=SESSION_MS // 1000, httponly=True, samesite="lax", secure=secure)
        return answer

    async def sign_out(self, request: Request, _form: Form) -> Response:
        """End the session; whoever came by the provider is told where that one's ends."""
        by_provider = visitor_of(request).who.startswith(PREFIX)
        async with self._ground.connection() as connection:
            await end_session(connection, request.cookies.get(COOKIE, ""))
        answer = RedirectResponse("/sign-in?out=1" if by_provider else "/sign-in", 303)
        answer.delete_cookie(COOKIE)
        return answer

    async def reveal(self, request: Request, form: Form) -> Response:
        """Show personal data for a quarter of an hour; who wanted it, where and why is written down first."""
        page = _own_page(form.get("to", ""))
        what = {"where": "console", "page": page.partition("?")[0], "minutes": REVEALED_MS // 60_000}
        await self._ground.note(visitor_of(request), "reveal", what, form.get("why", ""))
        return await self._revealed(request, now_ms() + REVEALED_MS, page)

    async def mask(self, request: Request, form: Form) -> Response:
        """Mask it again."""
        return await self._revealed(request, 0, _own_page(form.get("to", "")))

    async def _revealed(self, request: Request, until_ms: int, page: str) -> Response:
        async with self._ground.connection() as connection:
            await reveal(connection, request.cookies.get(COOKIE, ""), until_ms)
        return RedirectResponse(page, 303)

    async def _person(self, form: Form) -> Person | None:
        if form.get("link"):
            async with self._ground.connection() as connection:
                return await take_link(connection, form["link"], now_ms())
        if self._settings.users is None:
            return None
        users = read(Path(self._settings.users))
        async with _HASHING:
            return await asyncio.to_thread(with_password, users, form.get("name", "").strip(), form.get("password", ""))

    def _hasty(self) -> bool:
        self._failed = [at for at in self._failed if at > now_ms() - _TRIES_MS]
        return len(self._failed) >= _TRIES

    def _form(self, request: Request, *, link: str = "", wrong: str = "", status: int = 200, out: str | None = None) -> Response:
        to = _own_page(request.query_params.get("to", ""))
        action = "/sign-in" + (f"?{urlencode({'to': to})}" if to != "/" else "")
        start = START + (f"?{urlencode({'to': to})}" if to != "/" else "") if self._by_provider.provider else ""
        users = self._settings.users is not None
        told = {"link": link, "wrong": wrong, "to": to, "action": action, "users": users, "start": start, "out": out or ""}
        return self._pages.bare("sign_in.html", told, status=status)

    @property
    def _settings(self) -> ConsoleSettings:
        return self._ground.settings.console

    async def _session(self, token: str) -> Visitor | None:
        async with self._ground.connection() as connection:
            visitor = await session_of(connection, token, now_ms())
        return None if visitor is None else self._still(visitor)

    def _still(self, visitor: Visitor) -> Visitor | None:
        """A user who was struck off the file, or has another role now, has no session of before; nor has who came by a provider that is
        no more."""
        if visitor.who.startswith(PREFIX):
            return visitor if self._by_provider.provider is not None else None
        if self._settings.users is None or visitor.who.startswith("link:"):
            return visitor
        line = read(Path(self._settings.users)).get(visitor.who)
        return visitor if line is not None and line.person.role is visitor.role else None

    async def _program(self, token: str) -> Visitor | None:
        person = with_token(read(Path(self._settings.tokens)), token) if self._settings.tokens is not None else None
        if person is not None:
            return Visitor(who=f"program:{person.who}", role=person.role)
        return await self._by_provider.program(token)


def hosts_of(settings: ConsoleSettings) -> frozenset[str]:
    """The names by which it may be called; empty: any (behind a proxy that has not been told of)."""
    named = {settings.url.split("://", 1)[1].split("/")[0].rsplit(":", 1)[0]} if settings.url else set()
    return LOOPBACK | named if settings.host in LOOPBACK or named else frozenset()


def _own_page(to: str) -> str:
    """A page of ours, whatever was asked for."""
    return quote(to, safe="/?&=%:+,;@.-_~") if to.startswith("/") and not to.startswith(("//", "/\\")) else "/"

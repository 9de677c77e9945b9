"""Signing in by the identity provider: there, and back.

The order of effects: the sign-in is begun in the database and in the browser; coming back uses it up, whatever comes of it; the code is
exchanged and the token checked; the session is made; the audit log is written, and only then the browser has the session.
"""

import secrets
from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from consumers.configuration.groups.services import ConsoleSettings
from consumers.console.access.oidc.begun import KEPT_MS, begin, take
from consumers.console.access.oidc.provider import Provider
from consumers.console.access.oidc.tokens import Untrusted, person_of
from consumers.console.access.roles import Visitor
from consumers.console.access.sessions import Person
from consumers.console.ground import Ground
from streams.ground.clock import now_ms
from streams.wire.errors import Retry

START, BACK = "/sign-in/start", "/sign-in/back"
COOKIE = "tandem_sign_in"
_NOT_SIGNED_IN = "The identity provider did not sign you in"
_log = structlog.get_logger(__name__)
Told = Callable[[Request, str, int], Response]
"""The form to sign in, with what went wrong."""
LetIn = Callable[[Person, str, str], Awaitable[Response]]
"""Gives the browser a session: of whom, for which page, by what."""


class ByProvider:
    """The two addresses of it. `told`: the form with what went wrong; `own`: a page of ours, whatever was asked for."""

    def __init__(self, ground: Ground, told: Told, own: Callable[[str], str]) -> None:
        self._ground, self._told, self._own = ground, told, own
        oidc = ground.settings.console.oidc
        self.provider = Provider(oidc) if oidc.issuer else None

    def routes(self, let_in: LetIn) -> list[Route]:
        """Where they are; none without a provider. `let_in`: gives the browser a session."""
        if self.provider is None:
            return []

        async def back(request: Request) -> Response:
            return await self._back(request, let_in)

        return [Route(START, self.start, methods=["GET"]), Route(BACK, back, methods=["GET"])]

    async def start(self, request: Request) -> Response:
        """To the provider."""
        provider, page = self._there, self._own(request.query_params.get("to", ""))
        try:
            async with self._ground.connection() as connection:
                begun = await begin(connection, page, now_ms())
            where = await provider.sign_in_at(
                back=self._settings.address + BACK, state=begun.state, nonce=begun.nonce, challenge=begun.challenge
            )
        except Retry as error:
            return self._told(request, f"You can't be signed in now: {error}.", 503)
        answer = RedirectResponse(where, 303)
        answer.set_cookie(COOKIE, begun.state, max_age=KEPT_MS // 1000, path="/sign-in", httponly=True, samesite="lax", secure=self._secure)
        return answer

    async def _back(self, request: Request, let_in: LetIn) -> Response:
        answer = await self._finished(request, let_in)
        answer.delete_cookie(COOKIE, path="/sign-in")
        return answer

    async def _finished(self, request: Request, let_in: LetIn) -> Response:
        told, carried = request.query_params, request.cookies.get(COOKIE, "")
        if not carried or not secrets.compare_digest(carried.encode(), told.get("state", "").encode()):
            return self._told(request, "This sign-in was not begun in this browser. Begin anew.", 403)
        try:
            async with self._ground.connection() as connection:
                begun = await take(connection, carried, now_ms())
            if begun is None:
                return self._told(request, "This sign-in has been finished, or took too long. Begin anew.", 403)
            if "error" in told or not told.get("code") or ("iss" in told and not self._there.issued(told["iss"])):
                return self._told(request, f"{_NOT_SIGNED_IN}. Begin anew, or ask who keeps it.", 403)
            back = self._settings.address + BACK
            claims = await self._there.exchanged(told["code"], back=back, verifier=begun.verifier, nonce=begun.nonce)
        except Untrusted as error:
            _log.warning("a sign-in is not trusted", why=str(error))
            return self._told(request, f"What the identity provider told can't be trusted: {error}.", 403)
        except Retry as error:
            return self._told(request, f"You can't be signed in now: {error}.", 503)
        person = person_of(claims, self._settings.oidc)
        if person is None:
            return self._told(request, "The identity provider knows you, but gives you no role here. Ask an administrator.", 403)
        return await let_in(person, begun.page, "provider")

    async def program(self, token: str) -> Visitor | None:
        """Whose token of the provider's that is; None: nobody's that may come in. Raises `Retry`."""
        audience = self._settings.oidc.audience
        if self.provider is None or not audience or token.count(".") != 2:
            return None
        try:
            person = person_of(await self.provider.claims(token, audience=audience), self._settings.oidc)
        except Untrusted as error:
            _log.warning("a token is not trusted", why=str(error))
            return None
        return Visitor(who=person.who, role=person.role) if person else None

    async def sign_out_at(self) -> str | None:
        """Where the session at the provider ends; None: nowhere, or it can't be reached."""
        try:
            return await self.provider.sign_out_at(back=f"{self._settings.address}/sign-in") if self.provider else None
        except Retry:
            return None

    @property
    def _there(self) -> Provider:
        assert self.provider is not None  # noqa: S101 - without one there are no routes
        return self.provider

    @property
    def _settings(self) -> ConsoleSettings:
        return self._ground.settings.console

    @property
    def _secure(self) -> bool:
        return self._settings.address.startswith("https:")

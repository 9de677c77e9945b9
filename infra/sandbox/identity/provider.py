"""What it knows: clients, people, who is signed in, codes that were given; and what it answers to whoever exchanges one."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from infra.sandbox.identity.keys import Keys

CODE_SECONDS = 60
TOKEN_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who may have people sign in. `secret` None: a public client, which must prove by PKCE that it is itself."""

    secret: str | None
    redirects: frozenset[str]
    leaves: frozenset[str] = frozenset()
    """Where a browser may go after signing out."""
    audience: str = ""
    """Of its access tokens; empty: the provider itself."""
    claims: Mapping[str, Any] = field(default_factory=dict)
    """Of the tokens that it gets for itself (client credentials)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An authorization request, as it was checked."""

    client: str
    redirect: str
    scope: str
    state: str
    nonce: str
    challenge: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    asked: Asked
    person: str
    ends: float


class Refused(Exception):  # noqa: N818 - the protocol's own word for an answer
    """An OAuth error (RFC 6749 5.2). `told_to`: where the browser is sent with it; None: it is shown here."""

    def __init__(self, error: str, description: str, *, status: int = 400, told_to: str | None = None) -> None:
        super().__init__(f"{error}: {description}")
        self.body = {"error": error, "error_description": description}
        self.status, self.told_to = status, told_to


class Provider:
    """One of them. `people`: claims by the name that they sign in with; `issuer` is set when it is served."""

    def __init__(
        self, clients: Mapping[str, Client], people: Mapping[str, Mapping[str, Any]], *, clock: Callable[[], float] = time.time
    ) -> None:
        self.clients, self.people, self.keys, self.issuer = dict(clients), dict(people), Keys(), ""
        self.sessions: dict[str, str] = {}
        self._codes: dict[str, _Given] = {}
        self._clock = clock

    def description(self) -> dict[str, Any]:
        """The discovery document (OpenID Connect Discovery 1.0)."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "end_session_endpoint": f"{self.issuer}/logout",
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "client_credentials"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "email"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }

    def asked(self, query: Mapping[str, str]) -> Asked:
        """What a browser is sent here with. Raises `Refused`."""
        client = self.clients.get(query.get("client_id", ""))
        if client is None or query.get("redirect_uri", "") not in client.redirects:
            raise Refused("invalid_request", "unknown client_id, or a redirect_uri that is not registered for it")
        told_to = query["redirect_uri"]
        if query.get("response_type") != "code":
            raise Refused("unsupported_response_type", "only code", told_to=told_to)
        if "openid" not in query.get("scope", "").split():
            raise Refused("invalid_scope", "openid is missing", told_to=told_to)
        if query.get("code_challenge_method") != "S256" or not query.get("code_challenge"):
            raise Refused("invalid_request", "PKCE with S256 is needed", told_to=told_to)
        return Asked(
            client=query["client_id"], redirect=told_to, scope=query["scope"], state=query.get("state", ""), nonce=query.get("nonce", ""),
            challenge=query["code_challenge"],
        )  # fmt: skip

    def code(self, asked: Asked, person: str) -> str:
        """A code for somebody who has signed in; good once, for a minute."""
        made = secrets.token_urlsafe(32)
        self._codes[made] = _Given(asked=asked, person=person, ends=self._clock() + CODE_SECONDS)
        return made

    def tokens(self, form: Mapping[str, str], authorization: str) -> dict[str, Any]:
        """The token endpoint. Raises `Refused`."""
        name, client = self._client(form, authorization)
        match form.get("grant_type"):
            case "authorization_code":
                return self._exchanged(name, form)
            case "client_credentials" if client.secret is not None:
                return self._answer(self.access_token(name, name, client.claims))
            case _:
                raise Refused("unsupported_grant_type", "authorization_code, or client_credentials with a secret")

    def access_token(self, client: str, subject: str, claims: Mapping[str, Any]) -> str:
        """For whatever the client's tokens are meant (RFC 9068)."""
        audience = self.clients[client].audience or self.issuer
        return self.keys.signed({**self._times(), **claims, "sub": subject, "aud": audience, "client_id": client}, "at+jwt")

    def identity_token(self, client: str, person: str, nonce: str, **other: Any) -> str:
        """Who has signed in, for this client. `other`: claims instead of its own."""
        claims = {**self._times(), "sub": f"sub-{person}", **self.people[person], "aud": client, "nonce": nonce}
        return self.keys.signed({**claims, **other})

    def _exchanged(self, name: str, form: Mapping[str, str]) -> dict[str, Any]:
        given = self._codes.pop(form.get("code", ""), None)
        if given is None or given.ends < self._clock() or given.asked.client != name:
            raise Refused("invalid_grant", "the code is unknown, used or too old")
        if form.get("redirect_uri") != given.asked.redirect:
            raise Refused("invalid_grant", "another redirect_uri than before")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if not hmac.compare_digest(base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), given.asked.challenge):
            raise Refused("invalid_grant", "the code_verifier does not fit")
        told = self.access_token(name, f"sub-{given.person}", self.people[given.person])
        return {**self._answer(told), "id_token": self.identity_token(name, given.person, given.asked.nonce), "scope": given.asked.scope}

    def _client(self, form: Mapping[str, str], authorization: str) -> tuple[str, Client]:
        name, secret = form.get("client_id", ""), form.get("client_secret", "")
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() == "basic":
            try:
                quoted = base64.b64decode(encoded, validate=True).decode().partition(":")
                name, secret = unquote_plus(quoted[0]), unquote_plus(quoted[2])
            except (binascii.Error, UnicodeDecodeError):
                raise Refused("invalid_client", "the credentials can't be read", status=401) from None
        client = self.clients.get(name)
        if client is None or not hmac.compare_digest(secret.encode(), (client.secret or "").encode()):
            raise Refused("invalid_client", "unknown client, or another secret", status=401)
        return name, client

    def _answer(self, access_token: str) -> dict[str, Any]:
        return {"access_token": access_token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}

    def _times(self) -> dict[str, Any]:
        now = int(self._clock())
        return {"iss": self.issuer, "iat": now, "exp": now + TOKEN_SECONDS}

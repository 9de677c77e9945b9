"""The identity provider, as its own documents describe it: where people sign in, where codes are exchanged, with which keys it signs.

Its description is asked for once an hour, and its keys as well, or when a token names one that isn't among them: so a key that was put in
comes in at once, and one that was taken out is out within the hour.
"""

import asyncio
import base64
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import aiohttp
import jwt
import orjson

from consumers.configuration.groups.services import OidcSettings
from consumers.console.access.oidc.tokens import Claims, UnknownKey, Untrusted, claims_of, keys_of, signed_in
from streams.wire.errors import Retry

_KEPT_SECONDS = 3_600.0
_ASKED_MAX, _ASKED_SECONDS = 5, 60.0
"""So often at the most keys are asked for because a token names an unknown one."""
_TIMEOUT_SECONDS = 10.0
_ANSWER_BYTES_MAX = 1_048_576
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Provider:
    """One of them."""

    def __init__(self, settings: OidcSettings, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._monotonic = settings, monotonic
        self._described: tuple[float, Mapping[str, Any]] | None = None
        self._keys: tuple[float, tuple[jwt.PyJWK, ...]] | None = None
        self._asked: deque[float] = deque(maxlen=_ASKED_MAX)
        self._asking = asyncio.Lock()

    async def sign_in_at(self, *, back: str, state: str, nonce: str, challenge: str) -> str:
        """The address where somebody signs in, and comes back from. Raises `Retry`."""
        asked = {
            "response_type": "code", "client_id": self._settings.client_id or "", "redirect_uri": back, "scope": self._settings.scope,
            "state": state, "nonce": nonce, "code_challenge": challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        return _with(_place(await self._description(), "authorization_endpoint"), asked)

    async def sign_out_at(self, *, back: str) -> str | None:
        """The address that ends the session there, too; None: it has none. Raises `Retry`."""
        described = await self._description()
        if "end_session_endpoint" not in described:
            return None
        asked = {"client_id": self._settings.client_id or "", "post_logout_redirect_uri": back}
        return _with(_place(described, "end_session_endpoint"), asked)

    async def exchanged(self, code: str, *, back: str, verifier: str, nonce: str) -> Claims:
        """What the identity token says that a code is exchanged for. Raises `Untrusted`, `Retry`."""
        described, client = await self._description(), self._settings.client_id or ""
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier, "client_id": client}
        headers = {}
        if self._settings.client_secret is not None:
            secret, ways = self._settings.client_secret.reveal(), described.get("token_endpoint_auth_methods_supported", ())
            if "client_secret_post" in ways and "client_secret_basic" not in ways:
                form["client_secret"] = secret
            else:
                headers["authorization"] = _basic(client, secret)
        told = await self._ask(_place(described, "token_endpoint"), form=form, headers=headers)
        token = told.get("id_token")
        if not isinstance(token, str):
            raise Untrusted("the identity provider did not take the code")
        return signed_in(await self.claims(token, audience=client), client=client, nonce=nonce)

    async def claims(self, token: str, *, audience: str) -> Claims:
        """What a token of its says. Raises `Untrusted`, `Retry`."""
        issuer = str((await self._description())["issuer"])
        try:
            return claims_of(token, await self._known_keys(), issuer=issuer, audience=audience)
        except UnknownKey:
            if not await self._asked_again():
                raise
        return claims_of(token, await self._known_keys(), issuer=issuer, audience=audience)

    def issued(self, issuer: str) -> bool:
        """Whether an issuer that came along with an answer is this one."""
        return issuer.rstrip("/") == self._settings.issuer

    async def _description(self) -> Mapping[str, Any]:
        async with self._asking:
            if self._described is None or self._monotonic() - self._described[0] > _KEPT_SECONDS:
                told = await self._ask(f"{self._settings.issuer}/.well-known/openid-configuration")
                if str(told.get("issuer", "")).rstrip("/") != self._settings.issuer:
                    raise Retry("the identity provider describes itself as another issuer than console.oidc.issuer")
                self._described = self._monotonic(), told
            return self._described[1]

    async def _known_keys(self) -> tuple[jwt.PyJWK, ...]:
        described = await self._description()
        async with self._asking:
            if self._keys is None or self._monotonic() - self._keys[0] > _KEPT_SECONDS:
                self._keys = self._monotonic(), keys_of(await self._ask(_place(described, "jwks_uri")))
            return self._keys[1]

    async def _asked_again(self) -> bool:
        """Whether the keys may be asked for once more: whoever sends nonsense doesn't have us ask all day."""
        now = self._monotonic()
        if len(self._asked) == _ASKED_MAX and now - self._asked[0] < _ASKED_SECONDS:
            return False
        self._asked.append(now)
        async with self._asking:
            self._keys = None
        return True

    async def _ask(self, url: str, *, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as http,
                http.request("POST" if form else "GET", url, data=form, headers=headers, allow_redirects=False) as answer,
            ):
                body = await answer.content.read(_ANSWER_BYTES_MAX)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Retry(f"the identity provider ({urlsplit(url).netloc}) can't be reached ({type(error).__name__})") from error
        if answer.status >= 500 or (answer.status != 200 and form is None):
            raise Retry(f"the identity provider ({urlsplit(url).netloc}) answers {answer.status}")
        try:
            told = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Retry(f"the identity provider ({urlsplit(url).netloc}) answers something else than JSON") from error
        if answer.status != 200:
            raise Untrusted("the identity provider did not take the code")
        return told if isinstance(told, dict) else {}


def _place(described: Mapping[str, Any], name: str) -> str:
    """An address of the provider's: over TLS, or on this machine. Raises `Retry`."""
    url = str(described.get(name, ""))
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise Retry(f"the identity provider describes no {name} that is reached over https")
    return url


def _basic(client: str, secret: str) -> str:
    """Both quoted as a form has them (RFC 6749 2.3.1)."""
    told = f"{quote_plus(client)}:{quote_plus(secret)}"
    return f"Basic {base64.b64encode(told.encode()).decode()}"


def _with(url: str, asked: Mapping[str, str]) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(asked)}"

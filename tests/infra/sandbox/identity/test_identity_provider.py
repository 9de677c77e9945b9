"""The identity provider of the sandbox keeps the rules of OAuth 2.0 and OpenID Connect: by a client that knows nothing of Tandem."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import jwt
import pytest

from infra.sandbox.identity.provider import Client, Provider
from infra.sandbox.identity.server import served

BACK = "http://localhost:9/back"
BASIC = {"authorization": f"Basic {base64.b64encode(b'app:s').decode()}"}
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


class Clock:
    now = 1_780_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def provider(clock: Clock) -> AsyncIterator[Provider]:
    clients = {
        "app": Client(secret="s", redirects=frozenset({BACK}), leaves=frozenset({"http://localhost:9/out"}), audience="the-api"),
        "public": Client(secret=None, redirects=frozenset({BACK})),
    }
    async with served(Provider(clients, {"ann": {"email": "ann@example.com"}}, clock=clock)) as provider:
        yield provider


def asked(client: str = "app", **more: str) -> dict[str, str]:
    told = {"client_id": client, "redirect_uri": BACK, "response_type": "code", "scope": "openid email", "state": "st", "nonce": "no"}
    return {**told, "code_challenge": CHALLENGE, "code_challenge_method": "S256", **more}


async def code_for(http: aiohttp.ClientSession, provider: Provider, client: str = "app") -> str:
    async with http.get(f"{provider.issuer}/authorize", params=asked(client), allow_redirects=False) as page:
        found = re.search(r'name="ticket" value="([^"]+)"', await page.text())
    assert found is not None
    form = {"ticket": found[1], "person": "ann"}
    async with http.post(f"{provider.issuer}/authorize", data=form, allow_redirects=False) as answer:
        told = parse_qs(urlsplit(answer.headers["location"]).query)
    assert (told["state"], told["iss"]) == (["st"], [provider.issuer])
    return told["code"][0]


async def exchanged(http: aiohttp.ClientSession, provider: Provider, code: str, **more: str) -> tuple[int, dict[str, Any]]:
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER, **more}
    headers = {} if "client_id" in more else BASIC
    async with http.post(f"{provider.issuer}/token", data=form, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_a_code_is_exchanged_once_for_tokens_that_the_published_keys_verify(provider: Provider, clock: Clock) -> None:
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{provider.issuer}/.well-known/openid-configuration") as answer:
            described = await answer.json()
        assert described["issuer"] == provider.issuer
        code = await code_for(http, provider)
        status, told = await exchanged(http, provider, code)
        assert status == 200
        async with http.get(described["jwks_uri"]) as answer:
            (key,) = jwt.PyJWKSet.from_dict(await answer.json()).keys
        options: Any = {"verify_exp": False, "verify_iat": False}
        claims = jwt.decode(told["id_token"], key, algorithms=["RS256"], audience="app", issuer=provider.issuer, options=options)
        assert (claims["nonce"], claims["email"], claims["iat"]) == ("no", "ann@example.com", int(clock.now))
        jwt.decode(told["access_token"], key, algorithms=["RS256"], audience="the-api", options=options)
        assert (await exchanged(http, provider, code))[1]["error"] == "invalid_grant", "it was good once"


@pytest.mark.parametrize("more", [{"code_verifier": "w" * 64}, {"redirect_uri": "http://localhost:9/other"}, {"code": "guess"}])
async def test_a_code_without_what_belongs_to_it_is_worth_nothing(more: dict[str, str], provider: Provider) -> None:
    async with aiohttp.ClientSession() as http:
        code = await code_for(http, provider)
        form = {"code_verifier": VERIFIER, "redirect_uri": BACK, "code": code, **more}
        data = {"grant_type": "authorization_code", **form}
        async with http.post(f"{provider.issuer}/token", data=data, headers=BASIC) as answer:
            assert (answer.status, (await answer.json())["error"]) == (400, "invalid_grant")


async def test_codes_grow_old_secrets_are_needed_and_public_clients_have_none(provider: Provider, clock: Clock) -> None:
    async with aiohttp.ClientSession() as http:
        code = await code_for(http, provider)
        assert (await exchanged(http, provider, code, client_id="app", client_secret="wrong"))[0] == 401
        assert (await exchanged(http, provider, code, client_id="public"))[1]["error"] == "invalid_grant", "given to another client"
    async with aiohttp.ClientSession() as http:
        assert (await exchanged(http, provider, await code_for(http, provider, "public"), client_id="public"))[0] == 200
    async with aiohttp.ClientSession() as http:
        code = await code_for(http, provider)
        clock.now += 61
        assert (await exchanged(http, provider, code))[1]["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"redirect_uri": "http://localhost:9/other"}, None),
        ({"client_id": "nobody"}, None),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "email"}, "invalid_scope"),
        ({"response_type": "token"}, "unsupported_response_type"),
    ],
)
async def test_a_wrong_request_is_sent_nowhere_or_back_with_its_error(more: dict[str, str], where: str | None, provider: Provider) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{provider.issuer}/authorize", params=asked(**more), allow_redirects=False) as answer,
    ):
        if where is None:
            assert answer.status == 400
        else:
            assert parse_qs(urlsplit(answer.headers["location"]).query)["error"] == [where]


async def test_who_is_signed_in_is_not_asked_again_until_they_sign_out(provider: Provider) -> None:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        await code_for(http, provider)
        async with http.get(f"{provider.issuer}/authorize", params=asked(), allow_redirects=False) as answer:
            assert answer.status == 302
        out = {"client_id": "app", "post_logout_redirect_uri": "http://localhost:9/out"}
        async with http.get(f"{provider.issuer}/logout", params=out, allow_redirects=False) as answer:
            assert answer.headers["location"] == "http://localhost:9/out"
        async with http.get(f"{provider.issuer}/authorize", params=asked(), allow_redirects=False) as answer:
            assert answer.status == 200

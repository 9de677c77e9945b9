"""Signing in by an identity provider: people with their browser, programs with its tokens; and whoever tries to get in by the side."""

import os
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from playwright.async_api import async_playwright, expect

from consumers.configuration.groups.services import OidcSettings
from consumers.configuration.loading import ConfigurationError
from consumers.console.access.oidc.provider import Provider as Seen
from consumers.console.access.oidc.tokens import Untrusted, claims_of, keys_of, person_of, signed_in
from infra.ports import free_port
from infra.sandbox.identity.keys import Keys
from infra.sandbox.identity.provider import Client, Provider
from infra.sandbox.identity.server import served as provider_served
from infra.setup.found import chromium
from tests.consumers.console.served import Browser, served, settings_on
from tests.consumers.console.test_doors import deeds, user_file

CHROMIUM = found.path if (found := chromium()) else ""
SHOTS = os.environ.get("TANDEM_SHOTS", "")
ISSUER, AUDIENCE = "https://login.example.com", "tandem-api"
PEOPLE: Mapping[str, Mapping[str, Any]] = {
    "ann": {"email": "ann@example.com", "email_verified": True, "groups": ["staff", "tandem-admins"]},
    "olaf": {"email": "olaf@example.com", "email_verified": True, "groups": ["tandem-operators"]},
    "stranger": {"email": "stranger@example.com", "email_verified": True, "groups": ["guests"]},
}


def claims(**more: Any) -> dict[str, Any]:
    now = int(time.time())
    told = {"iss": ISSUER, "aud": "console", "sub": "1", "iat": now, "exp": now + 60, **more}
    return {name: value for name, value in told.items() if value is not None}


def test_a_token_is_believed_that_is_signed_by_a_published_key_for_us_and_now() -> None:
    keys = Keys()
    known = keys_of(keys.published())
    told = claims_of(keys.signed(claims(nonce="n")), known, issuer=ISSUER, audience="console")
    assert signed_in(told, client="console", nonce="n")["sub"] == "1"


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"exp": 1}, "expired"),
        ({"aud": "somebody else"}, "somebody else"),
        ({"iss": "https://elsewhere.example"}, "another identity provider"),
        ({"iat": 4_000_000_000}, "of the future"),
        ({"exp": None}, "lacks exp"),
        ({"sub": None}, "lacks sub"),
        ({"aud": None}, "somebody else|lacks aud"),
    ],
)
def test_a_token_that_claims_something_else_is_not_believed(more: dict[str, Any], words: str) -> None:
    keys = Keys()
    with pytest.raises(Untrusted, match=words):
        claims_of(keys.signed(claims(**more)), keys_of(keys.published()), issuer=ISSUER, audience="console")


def test_a_token_that_is_signed_otherwise_is_not_believed() -> None:
    keys, other = Keys(), rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    known = keys_of(keys.published())
    named = {"kid": "key-1"}
    modulus = keys.published()["keys"][0]["n"]
    forged = {
        "with another key": jwt.encode(claims(), other, algorithm="RS256", headers=named),
        "by nobody": jwt.encode(claims(), None, algorithm="none", headers=named),  # type: ignore[arg-type] # as a forger would
        "with the public key as a secret": jwt.encode(claims(), modulus, algorithm="HS256", headers=named),
        "not at all": "a.b.c",
    }
    good = keys.signed(claims())
    forged["and changed after"] = ".".join([good.split(".")[0], jwt.encode(claims(sub="2"), "x").split(".")[1], good.split(".")[2]])
    for how, token in forged.items():
        with pytest.raises(Untrusted):
            claims_of(token, known, issuer=ISSUER, audience="console")
        assert how


@pytest.mark.parametrize(
    ("more", "fits"),
    [
        ({"nonce": "another"}, False),
        ({}, False),
        ({"nonce": "n", "aud": ["console", "other"]}, False),
        ({"nonce": "n", "aud": ["console", "other"], "azp": "console"}, True),
        ({"nonce": "n", "azp": "other"}, False),
    ],
)
def test_an_identity_token_belongs_to_one_sign_in_of_ours(more: dict[str, Any], fits: bool) -> None:
    if fits:
        assert signed_in(claims(**more), client="console", nonce="n")
    else:
        with pytest.raises(Untrusted):
            signed_in(claims(**more), client="console", nonce="n")


@pytest.mark.parametrize(
    ("told", "settings", "who", "role"),
    [
        (
            {"groups": ["a", "ops"], "email": "ann@example.com"},
            {"operators": ("ops",), "viewers": ("*",)},
            "oidc:ann@example.com",
            "operator",
        ),
        ({"groups": ["a", "ops"]}, {"admins": ("ops",), "viewers": ("*",)}, "oidc:1", "admin"),
        ({"groups": "ops"}, {"operators": ("ops",)}, "oidc:1", "operator"),
        ({"realm_access": {"roles": ["ops"]}}, {"operators": ("ops",), "claim": "realm_access.roles"}, "oidc:1", "operator"),
        ({"https://example.com/roles": ["ops"]}, {"operators": ("ops",), "claim": "https://example.com/roles"}, "oidc:1", "operator"),
        ({"email": "boss@example.com", "email_verified": False}, {"viewers": ("*",)}, "oidc:1", "viewer"),
        ({"upn": "ann\n"}, {"viewers": ("*",), "name_claim": "upn"}, "oidc:ann", "viewer"),
        ({"groups": ["a"]}, {"operators": ("ops",)}, None, None),
        ({"groups": {"ops": 1}}, {"operators": ("ops",)}, None, None),
    ],
)
def test_a_claim_gives_the_greatest_role_that_is_mapped(
    told: dict[str, Any], settings: dict[str, Any], who: str | None, role: str | None
) -> None:
    found = person_of({"sub": "1", **told}, OidcSettings(issuer=ISSUER, client_id="c", **settings))
    assert (found and found.who, found and str(found.role)) == (who, role)


@pytest.mark.parametrize(
    ("oidc", "words"),
    [
        ({"client_id": "c"}, "issuer is missing"),
        ({"issuer": "https://a.b", "viewers": ["*"]}, "client_id is missing"),
        ({"issuer": "https://a.b", "client_id": "c"}, "nobody would have a role"),
        ({"issuer": "http://a.b", "client_id": "c", "viewers": ["*"]}, "use https"),
        ({"issuer": "https://a.b", "client_id": "c", "viewers": ["*"], "scope": "email"}, "openid is missing"),
    ],
)
def test_settings_that_could_let_nobody_in_are_refused(oidc: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=words):
        settings_on("postgresql://nowhere/x", tmp_path, oidc=oidc)


async def test_keys_are_asked_for_again_when_a_new_one_signs_and_not_all_day() -> None:
    now = 0.0
    async with provider_served(Provider({"console": Client(secret="s: 7/ü", redirects=frozenset())}, {})) as there:
        seen = Seen(OidcSettings(issuer=there.issuer, client_id="console", viewers=("*",)), monotonic=lambda: now)

        def signed() -> str:
            return there.keys.signed(claims(iss=there.issuer))

        first = signed()
        assert await seen.claims(first, audience="console")
        there.keys.rotate()
        assert await seen.claims(signed(), audience="console"), "a new key is asked for"
        assert await seen.claims(first, audience="console"), "the old one is still published"
        there.keys.rotate(drop=True)
        assert await seen.claims(signed(), audience="console")
        with pytest.raises(Untrusted):
            await seen.claims(first, audience="console")  # it was taken out
        unknown = [jwt.encode(claims(), "x" * 32, algorithm="HS256", headers={"kid": "guess"}), Keys().signed(claims(), "JWT")]
        for _ in range(20):
            for token in unknown:
                with pytest.raises(Untrusted):
                    await seen.claims(token.replace("key-1", "key-9"), audience="console")
        there.keys.rotate()
        now += 61
        assert await seen.claims(signed(), audience="console")


@asynccontextmanager
async def console(postgres: str, folder: Path, **more: Any) -> AsyncIterator[tuple[Browser, Provider]]:
    port = free_port()
    base = f"http://localhost:{port}"
    api = Client(secret="p", redirects=frozenset(), audience=AUDIENCE, claims={"groups": ["tandem-operators"]})
    clients = {
        "console": Client(secret="s: 7/ü", redirects=frozenset({f"{base}/sign-in/back"}), leaves=frozenset({f"{base}/sign-in"})),
        "warehouse": api,
    }
    secret = folder / "oidc-secret"
    secret.write_text("s: 7/ü")
    async with provider_served(Provider(clients, PEOPLE)) as there:
        oidc = {
            "issuer": there.issuer, "client_id": "console", "client_secret": {"file": str(secret)}, "audience": AUDIENCE,
            "admins": ["tandem-admins"], "operators": ["tandem-operators"],
        }  # fmt: skip
        async with served(settings_on(postgres, folder, oidc=oidc, **{"port": port, **more})) as browser:
            yield browser, there


async def signed_in_as(browser: Browser, person: str, to: str = "/record") -> tuple[int, str, Any]:
    """Goes there and back; the console's last answer."""
    status, _, headers = await browser.get(f"/sign-in/start?to={to}")
    assert status == 303, headers
    back = await chosen(browser, headers["location"], person)
    return await browser.get(back.removeprefix(browser.base))


async def chosen(browser: Browser, where: str, person: str) -> str:
    """At the provider: where the browser is sent then."""
    async with browser.http.get(where) as page:
        found = re.search(r'name="ticket" value="([^"]+)"', await page.text())
    assert found is not None
    data, url = {"ticket": found[1], "person": person}, f"{where.split('/authorize', maxsplit=1)[0]}/authorize"
    async with browser.http.post(url, data=data, allow_redirects=False) as answer:
        return str(answer.headers["location"])


@pytest.mark.integration
async def test_people_sign_in_by_the_provider_with_the_role_that_it_gives(postgres: str, tmp_path: Path) -> None:
    async with console(postgres, tmp_path) as (browser, there):
        assert "Sign in with your organisation" in (await browser.get("/sign-in"))[1]
        status, _, headers = await browser.get("/sign-in/start?to=/audit")
        asked = parse_qs(urlsplit(headers["location"]).query)
        assert asked["code_challenge_method"] == ["S256"]
        cookie = headers["set-cookie"].lower()
        assert ("httponly" in cookie, "samesite=lax" in cookie, "path=/sign-in" in cookie) == (True, True, True)
        back = await chosen(browser, headers["location"], "ann")
        status, _, headers = await browser.get(back.removeprefix(browser.base))
        assert (status, headers["location"]) == (303, "/audit")
        assert (await browser.get("/audit"))[0] == 200, "she is an administrator"
        assert await deeds(postgres) == [("oidc:ann@example.com", "sign-in")]
        again = await browser.get(back.removeprefix(browser.base))
        assert again[0] == 403, "what came back is used up"
        key = await browser.form_key()
        status, _, headers = await browser.post("/sign-out", {"form_key": key})
        assert (status, headers["location"]) == (303, "/sign-in?out=1")
        page = (await browser.get("/sign-in?out=1"))[1]
        assert f'href="{there.issuer}/logout?' in page
        assert (await browser.get("/record"))[0] == 303, "signed out"
        assert there.keys.published()["keys"][0]["kid"] == "key-1"
        there.keys.rotate(drop=True)
        browser.http.cookie_jar.clear()
        assert (await signed_in_as(browser, "olaf"))[0] == 303, "with a new key"
        assert (await browser.get("/audit"))[0] == 403, "he is an operator"


@pytest.mark.integration
async def test_who_has_no_role_or_comes_by_the_side_is_not_let_in(postgres: str, tmp_path: Path) -> None:
    async with console(postgres, tmp_path) as (browser, _):
        status, page, _ = await signed_in_as(browser, "stranger")
        assert (status, "no role" in page) == (403, True)
        _, _, headers = await browser.get("/sign-in/start")
        back = (await chosen_again(browser, headers["location"])).removeprefix(browser.base)
        state = parse_qs(urlsplit(back).query)["state"][0]
        jar = [(cookie.key, cookie.value) for cookie in browser.http.cookie_jar if cookie.key == "tandem_sign_in"]
        assert jar == [("tandem_sign_in", state)]
        assert (await browser.get(back.replace(state, "x" * len(state))))[0] == 403, "another state"
        assert (await browser.get(back))[0] == 403, "and the browser has let go of it"
        for told, word in (
            ("error=access_denied", "did not sign you in"),
            ("code=guess", "can&#39;t be trusted"),
            ("iss=https://x&code=a", "did not"),
        ):
            _, _, headers = await browser.get("/sign-in/start")
            state = parse_qs(urlsplit(headers["location"]).query)["state"][0]
            status, page, _ = await browser.get(f"/sign-in/back?state={state}&{told}")
            assert (status, word in page) == (403, True), (told, page)
        assert await deeds(postgres) == []
        assert (await browser.get("/record"))[0] == 303


async def chosen_again(browser: Browser, where: str) -> str:
    async with browser.http.get(where, allow_redirects=False) as answer:
        if answer.status == 302:
            return str(answer.headers["location"])
    return await chosen(browser, where, "stranger")


@pytest.mark.integration
async def test_a_token_of_the_providers_that_was_not_meant_for_this_sign_in_is_refused(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with console(postgres, tmp_path) as (browser, there):
        real = there.identity_token
        for other in ({"nonce": "another"}, {"aud": "warehouse"}, {"exp": 1}, {"iss": "https://elsewhere.example"}):
            monkeypatch.setattr(
                there, "identity_token", lambda client, person, nonce, other=other: real(client, person, **{"nonce": nonce, **other})
            )
            there.sessions.clear()
            browser.http.cookie_jar.clear()
            status, page, _ = await signed_in_as(browser, "ann")
            assert (status, "can&#39;t be trusted" in page) == (403, True), other
        assert await deeds(postgres) == []


@pytest.mark.integration
async def test_programs_come_in_by_access_tokens_for_the_api(postgres: str, tmp_path: Path) -> None:
    async with console(postgres, tmp_path) as (browser, there):
        good = there.access_token("warehouse", "warehouse", {"groups": ["tandem-operators"]})
        bad = {
            "for somebody else": there.access_token("console", "x", {"groups": ["tandem-admins"]}),
            "an identity token": there.identity_token("console", "ann", "n"),
            "without a role": there.access_token("warehouse", "warehouse", {}),
            "expired": there.keys.signed({**claims(iss=there.issuer, aud=AUDIENCE, groups=["tandem-admins"]), "exp": 1}),
        }
        assert (await browser.get("/api/v1/paused", authorization=f"Bearer {good}"))[0] == 200
        for how, token in bad.items():
            assert (await browser.get("/api/v1/paused", authorization=f"Bearer {token}"))[0] == 401, how
        assert (await browser.get("/record", authorization=f"Bearer {good}"))[0] == 303, "pages are for people"
        status, told, _ = await browser.get("/api/v1/audit-log", authorization=f"Bearer {good}")
        assert (status, "admin" in told) == (403, True)


@pytest.mark.integration
async def test_without_the_provider_it_says_so_and_other_ways_in_go_on(postgres: str, tmp_path: Path) -> None:
    users = await user_file(tmp_path)
    oidc = {"issuer": f"http://127.0.0.1:{free_port()}", "client_id": "console", "viewers": ["*"], "audience": AUDIENCE}
    async with served(settings_on(postgres, tmp_path, users=str(users), oidc=oidc)) as browser:
        status, page, _ = await browser.get("/sign-in/start")
        assert (status, "can&#39;t be reached" in page, 'name="password"' in page) == (503, True, True)
        status, told, _ = await browser.get("/api/v1/paused", authorization=f"Bearer {Keys().signed(claims())}")
        assert (status, "can't be reached" in told) == (503, True)
        assert (await browser.post("/sign-in", {"name": "vera", "password": "a viewer word"}))[0] == 303


@pytest.mark.integration
@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium here")
async def test_a_browser_goes_there_and_back_and_out_again(postgres: str, tmp_path: Path) -> None:
    complaints: list[str] = []
    async with console(postgres, tmp_path, users=str(await user_file(tmp_path))) as (browser, _), async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        try:
            context = await chromium.new_context(viewport={"width": 1280, "height": 800})
            context.set_default_timeout(60_000)
            page = await context.new_page()
            page.on("console", lambda said: complaints.append(f"{said.type} {said.text} {said.location['url']}"))
            await page.goto(f"{browser.base}/coverage")
            if SHOTS:
                await page.screenshot(path=f"{SHOTS}/sign-in-oidc.png", caret="initial")
            await page.get_by_role("link", name="Sign in with your organisation").click()
            await page.get_by_role("button", name="olaf").click()
            await expect(page.get_by_role("heading", name="Reconcile and coverage")).to_be_visible(timeout=60_000)
            await expect(page.get_by_text("oidc:olaf@example.com")).to_be_visible(timeout=60_000)
            await page.get_by_role("button", name="Sign out").click()
            if SHOTS:
                await page.screenshot(path=f"{SHOTS}/sign-out-oidc.png", caret="initial")
            await page.get_by_role("link", name="Sign out at the identity provider, too").click()
            await page.get_by_role("link", name="Sign in with your organisation").click()
            await expect(page.get_by_role("heading", name="Who are you?")).to_be_visible(timeout=60_000)
        finally:
            await chromium.close()
    assert [each for each in complaints if browser.base in each] == []

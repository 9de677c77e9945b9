"""The server that Marketo's webhooks and Adobe's data stream call: who is let in, and which answer makes a sender do what."""

import asyncio
import base64
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from consumers.configuration.groups.pushes import DataStream, PushSettings
from consumers.configuration.reading.types import Secret
from consumers.intake.service import DATA_STREAM, HEADER, WEBHOOK, Service
from infra.ports import LOOPBACK, free_port
from streams.marketo.sources.push.hints import Hint
from streams.wire.errors import Fatal, Retry

SECRET = "s-3cret"
PATH = f"/prod/keys/pub-key-{uuid.UUID(int=1)}.pem"


@dataclass
class Outside:
    """Adobe: its keys, and who visits it. And PostgreSQL behind us: what was passed on."""

    key: rsa.RSAPrivateKey = field(default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048))
    keys_status: int = 200
    fetched: int = 0
    visited: asyncio.Event = field(default_factory=asyncio.Event)
    passed: list[Hint] = field(default_factory=list)
    away: bool = False

    async def pass_on(self, hints: Sequence[Hint]) -> None:
        if self.away:
            raise Retry("PostgreSQL is away")
        self.passed += hints

    async def keys(self, request: web.Request) -> web.Response:
        self.fetched += 1
        if self.keys_status != 200 or request.path != PATH:
            return web.Response(status=self.keys_status if self.keys_status != 200 else 404)
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return web.Response(body=self.key.public_key().public_bytes(serialization.Encoding.PEM, form))

    async def validate(self, _: web.Request) -> web.Response:
        self.visited.set()
        return web.Response(text="validated")

    def signed(self, body: bytes, number: int = 1) -> dict[str, str]:
        right = base64.b64encode(self.key.sign(body, padding.PKCS1v15(), hashes.SHA256())).decode()
        wrong = base64.b64encode(self.key.sign(b"else", padding.PKCS1v15(), hashes.SHA256())).decode()
        found = {f"x-adobe-digital-signature-{each}": right if each == number else wrong for each in (1, 2)}
        return {**found, **{f"x-adobe-public-key{each}-path": PATH for each in (1, 2)}}


async def serve(app: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, 0).start()
    return runner, f"http://{LOOPBACK}:{runner.addresses[0][1]}"


@pytest.fixture
def outside() -> Outside:
    return Outside()


@dataclass
class Called:
    """Our server, called."""

    http: aiohttp.ClientSession
    url: str
    outcomes: list[tuple[str, str]]
    adobe: str

    async def post(self, path: str, body: Any, headers: dict[str, str]) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.http.post(self.url + path, data=data, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None) if answer.status != 413 else None


@pytest.fixture
async def called(outside: Outside) -> AsyncIterator[Called]:
    adobe = web.Application()
    adobe.router.add_get("/prod/keys/{name}", outside.keys)
    adobe.router.add_get("/csm/registrations/validate", outside.validate)
    theirs, adobe_url = await serve(adobe)
    outcomes: list[tuple[str, str]] = []
    settings = PushSettings(
        webhook_secret=Secret(SECRET, origin=""),
        data_stream=DataStream.WEBHOOK,
        munchkin_id="123-ABC-456",
        adobe_client_id="us",
        keys_url=adobe_url,
        validation_url=f"{adobe_url}/csm/registrations/validate",
        body_kilobytes_max=16,
    )
    async with aiohttp.ClientSession() as http:
        service = Service(settings, http, outside.pass_on, lambda *told: outcomes.append(told))
        ours, url = await serve(service.app())
        yield Called(http, url, outcomes, adobe_url)
        await ours.cleanup()
    await theirs.cleanup()


def event(**data: Any) -> dict[str, Any]:
    whole = {"munchkinId": "123-ABC-456", "leadId": "17", "activityTypeId": 13, **data}
    return {"id": "900", "recipientclientid": "us", "data": whole}


async def test_a_webhook_with_the_secret_is_taken_and_answered_with_a_body(called: Called, outside: Outside) -> None:
    assert await called.post(WEBHOOK, {"leadId": 17}, {HEADER: SECRET}) == (200, {"taken": 1})
    assert outside.passed == [Hint("17")]


@pytest.mark.parametrize("headers", [{}, {HEADER: ""}, {HEADER: "wrong"}, {"authorization": SECRET}])
async def test_a_webhook_without_the_secret_is_not(
    called: Called, outside: Outside, headers: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    status, told = await called.post(WEBHOOK, {"leadId": 17, "email": "ann@example.com"}, headers)
    assert (status, outside.passed, called.outcomes) == (401, [], [("webhook", "refused")])
    said = json.dumps(told) + capsys.readouterr().out
    assert not any(word in said for word in (SECRET, "ann@"))


async def test_a_body_that_is_too_large_or_says_nothing(called: Called, outside: Outside) -> None:
    assert (await called.post(WEBHOOK, b"x" * 20_000, {HEADER: SECRET}))[0] == 413
    assert (await called.post(WEBHOOK, b"nothing", {HEADER: SECRET}))[0] == 400
    assert outside.passed == []


@pytest.mark.parametrize("number", [1, 2])
async def test_either_signature_lets_events_in(called: Called, outside: Outside, number: int) -> None:
    body = json.dumps([event(), event(munchkinId="999-ZZZ-999", leadId="18"), event(leadId="19")]).encode()
    assert await called.post(DATA_STREAM, body, outside.signed(body, number)) == (200, {"taken": 2})
    assert outside.passed == [Hint("17", "900"), Hint("19", "900")]
    assert ("data_stream", "other_instance") in called.outcomes


async def test_the_header_may_be_written_as_the_kits_of_adobe_write_it(called: Called, outside: Outside) -> None:
    body = json.dumps([event()]).encode()
    headers = {name.replace("signature-", "signature"): value for name, value in outside.signed(body).items()}
    assert (await called.post(DATA_STREAM, body, headers))[0] == 200


async def test_a_key_is_fetched_once(called: Called, outside: Outside) -> None:
    body = json.dumps([event()]).encode()
    for _ in range(3):
        assert (await called.post(DATA_STREAM, body, outside.signed(body)))[0] == 200
    assert outside.fetched == 1


@pytest.mark.parametrize("path", ["/prod/keys/../x.pem", "//evil.example/prod/keys/pub-key-1.pem", "http://evil.example/k.pem", ""])
async def test_keys_come_from_the_pinned_place_alone(called: Called, outside: Outside, path: str) -> None:
    body = json.dumps([event()]).encode()
    headers = {**outside.signed(body), "x-adobe-public-key1-path": path, "x-adobe-public-key2-path": path}
    assert (await called.post(DATA_STREAM, body, headers))[0] == 401
    assert (outside.fetched, outside.passed) == (0, [])


async def test_what_is_not_signed_is_dropped(called: Called, outside: Outside) -> None:
    body = json.dumps([event()]).encode()
    assert (await called.post(DATA_STREAM, body, {}))[0] == 401
    assert (await called.post(DATA_STREAM, body, outside.signed(b"another body")))[0] == 401
    assert (await called.post(DATA_STREAM, body, {**outside.signed(body), "x-adobe-digital-signature-1": "!"}))[0] == 401
    assert outside.passed == []


async def test_events_for_another_client_are_refused(called: Called, outside: Outside) -> None:
    body = json.dumps([{**event(), "recipientclientid": "them"}]).encode()
    assert (await called.post(DATA_STREAM, body, outside.signed(body)))[0] == 403
    assert outside.passed == []


async def test_what_can_not_be_done_now_is_sent_again(called: Called, outside: Outside) -> None:
    body = json.dumps([event()]).encode()
    outside.keys_status = 503
    assert (await called.post(DATA_STREAM, body, outside.signed(body)))[0] == 503
    outside.keys_status, outside.away = 200, True
    assert (await called.post(DATA_STREAM, body, outside.signed(body)))[0] == 503
    assert (await called.post(WEBHOOK, {"leadId": 17}, {HEADER: SECRET}))[0] == 503
    outside.away = False
    assert (await called.post(DATA_STREAM, body, outside.signed(body)))[0] == 200
    assert outside.passed == [Hint("17", "900")]


async def test_a_signed_delivery_that_can_not_be_read_is_not_sent_again(called: Called, outside: Outside) -> None:
    assert await called.post(DATA_STREAM, b"{", outside.signed(b"{")) == (200, {"taken": 0})
    assert called.outcomes == [("data_stream", "unreadable")]


async def test_an_address_is_registered_by_challenge_or_by_a_visit(called: Called, outside: Outside) -> None:
    async with called.http.get(called.url + DATA_STREAM, params={"challenge": "c-1"}) as answer:
        assert (answer.status, await answer.json()) == (200, {"challenge": "c-1"})
    status, _ = await called.post(DATA_STREAM, {"validationUrl": f"{called.adobe}/csm/registrations/validate?id=1&challenge=2"}, {})
    assert status == 200
    async with asyncio.timeout(60):
        await outside.visited.wait()
    assert (await called.post(DATA_STREAM, {"validationUrl": "http://evil.example/csm/registrations/validate"}, {}))[0] == 401


async def test_what_is_not_configured_is_not_served(outside: Outside) -> None:
    async with aiohttp.ClientSession() as http:
        for settings, paths in (
            (PushSettings(webhook_secret=Secret(SECRET, origin="")), {WEBHOOK}),
            (PushSettings(data_stream=DataStream.WEBHOOK, munchkin_id="123-ABC-456", adobe_client_id="us"), {DATA_STREAM}),
        ):
            runner, url = await serve(Service(settings, http, outside.pass_on).app())
            there = set()
            for path in (WEBHOOK, DATA_STREAM):
                async with http.post(url + path, data=b"{}") as answer:
                    there |= {path} if answer.status != 404 else set()
            assert there == paths
            await runner.cleanup()


async def test_a_port_that_can_not_be_had_is_said(outside: Outside) -> None:
    async with aiohttp.ClientSession() as http:
        settings = replace(PushSettings(webhook_secret=Secret(SECRET, origin="")), host="203.0.113.1", port=free_port())
        with pytest.raises(Fatal, match="pushes"):
            await Service(settings, http, outside.pass_on).run(asyncio.Event())

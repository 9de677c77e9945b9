"""The session: tokens, errors, the wire."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from streams.budget.lease import leased
from streams.marketo.api.session import Call, Held, MarketoSession
from streams.marketo.api.settings import MarketoSettings
from streams.wire.errors import Fatal, Reject, Retry, SyncError, Unknown
from tests.streams.marketo.marketo_stub import NOW_MS, OWN, MarketoStub, failure

USAGE = Call(method="GET", path="/rest/v1/stats/usage.json")
WRITE = Call(method="POST", path="/rest/v1/leads.json", body=b"{}", write=True)
OK: dict[str, Any] = {"requestId": "r#2", "success": True, "result": []}


async def test_one_token_serves_all_who_wait_for_it(stub: MarketoStub) -> None:
    stub.scripts[USAGE.path] = [OK] * 20
    async with MarketoSession(stub.settings()) as session:
        await asyncio.gather(*(session.call(USAGE) for _ in range(20)))
        assert await session.user() == OWN
    assert len(stub.asked("/identity/oauth/token")) == 1
    assert {each.headers["Authorization"] for each in stub.asked(USAGE.path)} == {"Bearer token-1"}
    assert all("gzip" in each.headers["Accept-Encoding"] for each in stub.asked(USAGE.path))


async def test_an_expired_token_is_renewed_once_for_all_and_the_calls_repeated(stub: MarketoStub) -> None:
    stub.tokens = [{"access_token": "token-1"}, {"access_token": "token-2"}]
    stub.valid = lambda token: token == "token-2"
    stub.scripts[USAGE.path] = [OK] * 8
    async with MarketoSession(stub.settings()) as session:
        answers = await asyncio.gather(*(session.call(USAGE) for _ in range(8)))
    assert [answer.request_id for answer in answers] == ["r#2"] * 8
    assert len(stub.asked("/identity/oauth/token")) == 2


async def test_a_token_near_its_end_is_asked_for_again_once(stub: MarketoStub) -> None:
    stub.tokens = [{"access_token": "token-1", "expires_in": 0}, {"access_token": "token-1", "expires_in": 60}]
    stub.scripts[USAGE.path] = [OK] * 3
    async with MarketoSession(stub.settings()) as session:
        for _ in range(3):
            await session.call(USAGE)
    assert len(stub.asked("/identity/oauth/token")) == 2


async def test_a_token_refused_twice_and_then_taken_is_a_hiccup(stub: MarketoStub) -> None:
    refusals = iter([False, False])
    stub.valid = lambda _: next(refusals, True)
    stub.scripts[USAGE.path] = [OK]
    async with MarketoSession(stub.settings()) as session:
        with pytest.raises(Retry, match="right after asking"):
            await session.call(USAGE)
        assert (await session.call(USAGE)).request_id


async def test_the_same_refused_token_for_long_is_a_fault_of_configuration(stub: MarketoStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.marketo.api.session.REFUSED_SECONDS", 0.0)
    stub.valid = lambda _: False
    async with MarketoSession(stub.settings()) as session:
        with pytest.raises(Fatal, match=r"same access token again.*custom service"):
            await session.call(USAGE)
    assert len(stub.asked("/identity/oauth/token")) == 2
    assert len(stub.asked(USAGE.path)) == 2


async def test_wrong_credentials_are_fatal_and_not_repeated_in_the_message(stub: MarketoStub) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.json_response({"error": "invalid_client", "error_description": "Bad client credentials"}, status=401)

    stub.scripts["/identity/oauth/token"] = [refuse]
    async with MarketoSession(stub.settings()) as session:
        with pytest.raises(Fatal, match="Bad client credentials") as caught:
            await session.call(USAGE)
    assert "hush" not in str(caught.value)
    assert "hush" not in repr(stub.settings())


@pytest.mark.parametrize(
    ("code", "of_a_read", "of_a_write"),
    [
        ("500", Retry, Unknown),
        ("502", Retry, Unknown),
        ("603", Fatal, Fatal),
        ("604", Retry, Unknown),
        ("605", Reject, Reject),
        ("606", Held, Held),
        ("607", Held, Held),
        ("608", Held, Held),
        ("609", Reject, Reject),
        ("610", Reject, Reject),
        ("611", Retry, Unknown),
        ("614", Held, Held),
        ("615", Held, Held),
        ("713", Retry, Retry),
        ("718", Reject, Reject),
        ("1003", Reject, Reject),
        ("1019", Retry, Retry),
        ("1029", Retry, Retry),
        ("9999", Reject, Reject),
    ],
)
async def test_every_code_has_its_meaning(code: str, of_a_read: type[SyncError], of_a_write: type[SyncError], stub: MarketoStub) -> None:
    stub.scripts[USAGE.path] = [failure(code, "words of Marketo")]
    stub.scripts[WRITE.path] = [failure(code, "words of Marketo")]
    async with MarketoSession(stub.settings()) as session:
        for call, expected in ((USAGE, of_a_read), (WRITE, of_a_write)):
            with pytest.raises(SyncError, match="words of Marketo") as caught:
                await session.call(call)
            assert type(caught.value) is expected
            if expected is Reject:
                assert getattr(caught.value, "code", None) == code


async def test_the_daily_quota_is_held_till_midnight_in_chicago_and_asked_for_again_before(stub: MarketoStub) -> None:
    stub.scripts[USAGE.path] = [failure("607", "Daily quota reached")]
    async with MarketoSession(stub.settings()) as session:
        with pytest.raises(Held) as caught:
            await session.call(USAGE)
    assert NOW_MS % 86_400_000 == 10 * 3_600_000  # 10:00 in UTC is 04:00 in Chicago in winter
    assert (caught.value.hold_seconds, caught.value.after_seconds) == (20 * 3600, 60)
    assert caught.value.everyone


async def _html_502(_: web.Request) -> web.Response:
    return web.Response(status=502, text="<html>Bad Gateway</html>", content_type="text/html")


async def _too_large(_: web.Request) -> web.Response:
    return web.Response(status=413, text="<html>Too Large</html>", content_type="text/html")


async def _half(_: web.Request) -> web.Response:
    return web.Response(body=b'{"requestId":"r#1","succ', content_type="application/json")


async def _reset(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


@pytest.mark.parametrize(
    ("script", "of_a_read", "of_a_write"),
    [(_html_502, Retry, Unknown), (_too_large, Reject, Reject), (_half, Retry, Unknown), (_reset, Retry, Unknown)],
)
async def test_what_a_broken_answer_means(script: Any, of_a_read: type[SyncError], of_a_write: type[SyncError], stub: MarketoStub) -> None:
    stub.scripts[USAGE.path] = [script, script]  # a client may repeat an idempotent request on a connection that broke
    stub.scripts[WRITE.path] = [script]
    async with MarketoSession(stub.settings()) as session:
        for call, expected in ((USAGE, of_a_read), (WRITE, of_a_write)):
            with pytest.raises(SyncError) as caught:
                await session.call(call)
            assert type(caught.value) is expected


async def test_a_write_without_answer_in_time_is_in_doubt_and_a_read_is_not(stub: MarketoStub) -> None:
    release = asyncio.Event()

    async def late(_: web.Request) -> web.Response:
        await release.wait()
        return web.json_response(OK)

    stub.scripts[USAGE.path] = [late]
    stub.scripts[WRITE.path] = [late]
    async with MarketoSession(stub.settings(read_seconds=0.2, write_seconds=0.2)) as session:
        with pytest.raises(Unknown, match="no answer within"):
            await session.call(WRITE)
        with pytest.raises(Retry) as caught:
            await session.call(USAGE)
        assert type(caught.value) is Retry
    release.set()


async def test_a_connection_that_was_never_made_changed_nothing() -> None:
    settings = MarketoSettings(base_url="http://127.0.0.1:1", client_id="id", client_secret="hush")
    async with MarketoSession(settings) as session:
        with pytest.raises(Retry, match="no connection") as caught:
            await session.call(WRITE)
    assert type(caught.value) is Retry
    assert caught.value.everyone


async def test_the_answer_tells_the_servers_time(stub: MarketoStub) -> None:
    stub.scripts[USAGE.path] = [OK]
    async with MarketoSession(stub.settings()) as session:
        answer = await session.call(USAGE)
    assert NOW_MS - 10_000 < answer.at < NOW_MS
    assert answer.until == NOW_MS + 999


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base_url": "123.mktorest.com"}, "base_url must look like"),
        ({"client_id": ""}, "client_id is empty"),
        ({"client_secret": ""}, "client_secret is empty"),
        ({"identity_path": "identity"}, "identity_path must begin"),
        ({"time_zone": "Mars/Olympus"}, "time_zone 'Mars/Olympus'"),
        ({"read_seconds": 0}, "read_seconds must be above 0"),
    ],
)
def test_settings_that_cannot_be_right_are_refused(changes: dict[str, Any], words: str) -> None:
    right: dict[str, Any] = {"base_url": "https://123-ABC-456.mktorest.com/rest/", "client_id": "id", "client_secret": "hush"}
    assert MarketoSettings(**right).base_url == "https://123-ABC-456.mktorest.com"
    with pytest.raises(ValueError, match=words):
        MarketoSettings(**{**right, **changes})


async def test_a_write_whose_lease_ends_while_it_waits_for_a_token_is_not_sent(stub: MarketoStub) -> None:
    stub.scripts[WRITE.path], stub.scripts[USAGE.path] = [OK], [OK]
    async with MarketoSession(stub.settings()) as session:
        with leased(lambda: not stub.asked("/identity/oauth/token")):
            with pytest.raises(Retry, match="lease") as caught:
                await session.call(WRITE)
            assert (await session.call(USAGE)).request_id, "a read has no lease"
    assert not isinstance(caught.value, Unknown)
    assert stub.asked(WRITE.path) == []

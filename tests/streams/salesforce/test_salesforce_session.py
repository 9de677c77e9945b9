"""Logging in: once for all, not in a storm, without telling secrets; and what an answer's time says."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from streams.budget.lease import leased
from streams.salesforce.api.access.login import read_token, token_form
from streams.salesforce.api.access.session import Session
from streams.salesforce.api.access.settings import ClientCredentials, JwtBearer, Password, RefreshToken, SalesforceSettings
from streams.wire.errors import Fatal, Retry, Unknown

PATH = "/services/data/v66.0/limits"


class Clock:
    """Time that moves when told, or by being slept."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def clocked(settings: SalesforceSettings, clock: Clock) -> Session:
    return Session(replace(settings, login_spacing_seconds=5.0), monotonic=clock, sleep=clock.sleep)


async def fine(request: web.Request) -> web.Response:
    return web.json_response({"ok": True})


async def test_many_waiters_share_one_log_in(org: Any, session: Session) -> None:
    tokens = await asyncio.gather(*[session.token() for _ in range(20)])
    assert len(org.logins) == 1
    assert len({token.access_token for token in tokens}) == 1
    assert org.logins[0] == {"grant_type": "client_credentials", "client_id": "app", "client_secret": "s3cret-of-the-app"}
    assert await session.user_id() == "0055f000005mc66AAA"
    assert await session.org_id() == "00D5f000000abcdEAA"


async def test_a_dead_token_is_renewed_once_for_all_who_saw_it(org: Any, session: Session) -> None:
    org.on("GET", PATH, fine)
    await session.token()
    org.dead_tokens.add("token-1")
    answers = await asyncio.gather(*[session.request("GET", PATH, write=False) for _ in range(10)])
    assert {answer.status for answer in answers} == {200}
    assert len(org.logins) == 2


async def test_a_write_with_a_dead_token_is_sent_again(org: Any, session: Session) -> None:
    org.on("POST", PATH, fine)
    await session.token()
    org.dead_tokens.add("token-1")
    assert (await session.request("POST", PATH, write=True, body=b"{}")).status == 200


async def test_a_401_right_after_a_log_in_is_a_hiccup_and_a_fault_only_when_it_stays(org: Any, settings: SalesforceSettings) -> None:
    clock = Clock()
    org.on("GET", PATH, fine)
    async with clocked(settings, clock) as session:
        org.dead_tokens |= {f"token-{number}" for number in range(1, 9)}
        with pytest.raises(Retry, match="401 right after a log-in"):
            await session.request("GET", PATH, write=False)
        clock.now += 40.0
        assert (await session.request("GET", PATH, write=False)).status == 401
        org.dead_tokens.clear()
        assert (await session.request("GET", PATH, write=False)).status == 200


async def test_a_401_that_no_log_in_heals_is_left_alone(org: Any, session: Session) -> None:
    async def detached(request: web.Request) -> web.Response:
        return web.json_response([{"errorCode": "INVALID_SESSION_ID", "message": "Connected app is not attached to Agent"}], status=401)

    org.on("GET", PATH, detached)
    assert (await session.request("GET", PATH, write=False)).status == 401
    assert len(org.logins) == 1


async def test_log_ins_keep_their_distance(org: Any, settings: SalesforceSettings) -> None:
    clock = Clock()
    async with clocked(settings, clock) as session:
        token = await session.token()
        for _ in range(3):
            token = await session.refresh(token)
    assert clock.slept == [5.0, 5.0, 5.0]
    assert len(org.logins) == 4


async def test_the_breaker_opens_after_failures_and_closes_by_time(org: Any, settings: SalesforceSettings) -> None:
    clock = Clock()
    org.login_script.extend([(503, "<html>")] * 5)
    async with clocked(settings, clock) as session:
        for _ in range(5):
            with pytest.raises(Retry):
                await session.token()
        with pytest.raises(Retry, match="paused") as caught:
            await session.token()
        assert caught.value.everyone
        assert 0 < caught.value.after_seconds <= 60
        assert len(org.logins) == 5
        clock.now += 61
        await session.token()
    assert len(org.logins) == 6


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        ({"error": "invalid_client_id", "error_description": "client identifier invalid"}, "client_id"),
        ({"error": "invalid_grant", "error_description": "authentication failure"}, "credentials"),
        ({"error": "invalid_grant", "error_description": "user hasn't approved this consumer"}, "Pre-authorise"),
        ({"error": "invalid_grant", "error_description": "Audience validation failed"}, "audience"),
        ({"error": "invalid_grant", "error_description": "expired access/refresh token"}, "refresh token"),
        ({"error": "unsupported_grant_type", "error_description": "grant type not supported"}, "My Domain"),
    ],
)
async def test_refused_credentials_are_for_a_person_and_not_tried_again(
    org: Any, settings: SalesforceSettings, answer: dict[str, str], remedy: str
) -> None:  # fmt: skip
    clock = Clock()
    org.login_script.append((400, answer))
    async with clocked(settings, clock) as session:
        for _ in range(3):
            with pytest.raises(Fatal, match=remedy):
                await session.token()
    assert len(org.logins) == 1


async def test_an_overloaded_token_endpoint_is_tried_later(org: Any, session: Session) -> None:
    org.login_script.append((400, {"error": "rate_limit_exceeded", "error_description": "slow down"}))
    with pytest.raises(Retry) as caught:
        await session.token()
    assert (caught.value.after_seconds, caught.value.everyone) == (30.0, True)


async def test_lost_answers(org: Any, session: Session) -> None:
    async def vanish(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    org.on("GET", PATH, vanish)
    org.on("POST", PATH, vanish)
    with pytest.raises(Unknown):
        await session.request("POST", PATH, write=True, body=b"{}")
    with pytest.raises(Retry) as caught:
        await session.request("GET", PATH, write=False)
    assert not isinstance(caught.value, Unknown)


async def test_a_write_that_was_never_sent_is_not_unknown(unused_tcp_port_factory: Callable[[], int], settings: SalesforceSettings) -> None:
    async with Session(replace(settings, base_url=f"http://127.0.0.1:{unused_tcp_port_factory()}")) as session:
        answer = {"access_token": "t", "instance_url": session.settings.base_url, "id": "x/00D5f000000abcdEAA/0055f000005mc66AAA"}
        session._token = read_token(json.dumps(answer).encode(), 1)
        with pytest.raises(Retry) as caught:
            await session.request("POST", PATH, write=True, body=b"{}")
        assert not isinstance(caught.value, Unknown)


async def test_the_time_of_an_answer_is_the_servers(org: Any, settings: SalesforceSettings) -> None:
    stamp = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    clock = Clock()

    async def dated(request: web.Request) -> web.Response:
        clock.now += 2.0
        return web.json_response({}, headers={"Date": format_datetime(stamp, usegmt=True)})

    org.on("GET", PATH, dated)
    async with clocked(settings, clock) as session:
        answer = await session.request("GET", PATH, write=False)
        second = int(stamp.timestamp() * 1000)
        assert (answer.at, answer.until) == (second - 2001, second + 1000)
        clock.now += 10
        assert session.server_now_ms() == second + 10_000


def test_forms_of_the_other_flows() -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    form = token_form(JwtBearer(client_id="app", username="u@x.y", private_key_pem=pem), 1_900_000_000)
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    login = "https://login.salesforce.com"
    claims = jwt.decode(form["assertion"], key.public_key(), algorithms=["RS256"], audience=login, options={"verify_exp": False})
    assert claims == {"iss": "app", "sub": "u@x.y", "aud": "https://login.salesforce.com", "exp": 1_900_000_170}
    assert token_form(RefreshToken(client_id="a", refresh_token="r"), 0) == {
        "grant_type": "refresh_token", "client_id": "a", "refresh_token": "r"
    }  # fmt: skip
    assert token_form(Password(client_id="a", client_secret="b", username="c", password="d"), 0)["grant_type"] == "password"
    with pytest.raises(Fatal, match="private key"):
        token_form(JwtBearer(client_id="app", username="u", private_key_pem="nonsense"), 0)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{}", b'{"access_token":"a","instance_url":"b","id":"c"}'])
def test_a_token_answer_that_lacks_something_is_for_a_person(body: bytes) -> None:
    with pytest.raises(Fatal, match="My Domain"):
        read_token(body, 1)


async def test_secrets_stay_secret(
    org: Any, session: Session, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    token = await session.token()
    org.login_script.append((400, {"error": "invalid_grant", "error_description": "authentication failure"}))
    with pytest.raises(Fatal) as caught:
        await session.refresh(token)
    told = repr(session.settings) + repr(token) + str(caught.value) + caplog.text + capsys.readouterr().out
    assert "s3cret-of-the-app" not in told
    assert token.access_token not in told


@pytest.mark.parametrize(
    "change",
    [
        {"base_url": "acme.my.salesforce.com"},
        {"base_url": "https://x/"},
        {"api_version": "66"},
        {"api_version": "45.0"},
        {"channel": "Lead"},
        {"request_timeout_seconds": 0},
        {"read_attempts_max": 0},
    ],
)
def test_settings_that_cannot_work_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must"):
        SalesforceSettings(**{"base_url": "https://x", "credentials": ClientCredentials(client_id="a", client_secret="b"), **change})


async def test_a_write_whose_lease_ends_while_a_session_is_renewed_is_not_sent_again(org: Any, session: Session) -> None:
    seen: list[str] = []

    async def counted(request: web.Request) -> web.Response:
        seen.append(request.method)
        return web.json_response([])

    org.on("PATCH", PATH, counted)
    await session.token()
    org.dead_tokens.add("token-1")
    with leased(lambda: len(org.logins) < 2), pytest.raises(Retry, match="lease") as caught:
        await session.request("PATCH", PATH, write=True, body=b"{}")
    assert not isinstance(caught.value, Unknown)
    assert seen == []
    await session.request("PATCH", PATH, write=True, body=b"{}")
    assert seen == ["PATCH"], "without a lease nothing holds it back"

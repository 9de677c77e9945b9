"""The token endpoint: four grants and their refusals; sessions that end."""

from __future__ import annotations

import base64
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.infra.sandbox.salesforce.conftest import CREDENTIALS, Client

ANN = CREDENTIALS["user"]
APP = {"client_id": ANN["client_id"], "client_secret": ANN["client_secret"]}
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


async def ask(org: Client, form: dict[str, str], **headers: str) -> tuple[int, dict[str, Any]]:
    async with org.session.post(f"{org.url}/services/oauth2/token", data=form, headers=headers) as response:
        return response.status, await response.json()


async def test_password_and_client_credentials(org: Client) -> None:
    status, answer = await ask(org, {"grant_type": "password", **APP, "username": ANN["username"], "password": ANN["password"]})
    assert status == 200
    assert answer.keys() == {"access_token", "scope", "instance_url", "id", "token_type", "issued_at", "signature"}
    assert answer["instance_url"] == org.url
    org.token = answer["access_token"]
    user_id = answer["id"].rpartition("/")[2]
    assert (await org.call("GET", f"/sobjects/User/{user_id}")).body["Username"] == ANN["username"]
    basic = base64.b64encode(f"{APP['client_id']}:{APP['client_secret']}".encode()).decode()
    status, answer = await ask(org, {"grant_type": "client_credentials"}, Authorization=f"Basic {basic}")
    assert (status, answer["id"].rpartition("/")[2]) == (200, user_id)


async def test_refresh_token(org: Client) -> None:
    token = (await org.verb("issue_refresh_token", {"client_id": APP["client_id"], "username": ANN["username"]}))["refresh_token"]
    status, answer = await ask(org, {"grant_type": "refresh_token", "client_id": APP["client_id"], "refresh_token": token})
    assert (status, "access_token" in answer) == (200, True)


@pytest.mark.parametrize(
    ("form", "error", "description"),
    [
        ({}, "invalid_request", "grant type is missing"),
        ({"grant_type": "magic", **APP}, "unsupported_grant_type", "grant type not supported"),
        ({"grant_type": "client_credentials", "client_id": "x", "client_secret": "y"}, "invalid_client_id", "client identifier invalid"),
        ({"grant_type": "client_credentials", **APP, "client_secret": "y"}, "invalid_client", "invalid client credentials"),
        ({"grant_type": "password", **APP, "username": ANN["username"], "password": "no"}, "invalid_grant", "authentication failure"),
        ({"grant_type": "password", **APP, "username": "no", "password": "no"}, "invalid_grant", "authentication failure"),
        ({"grant_type": "refresh_token", **APP, "refresh_token": "no"}, "invalid_grant", "expired access/refresh token"),
        ({"grant_type": JWT_BEARER, "assertion": "no"}, "invalid_grant", "invalid assertion"),
    ],
)
async def test_refusals(org: Client, form: dict[str, str], error: str, description: str) -> None:
    assert await ask(org, form) == (400, {"error": error, "error_description": description})


def assertion(org: Client, key: rsa.RSAPrivateKey = KEY, algorithm: str = "RS256", **claims: Any) -> str:
    usual = {"iss": APP["client_id"], "sub": ANN["username"], "aud": "https://login.salesforce.com", "exp": int(time.time()) + 180}
    return jwt.encode({**usual, **claims}, key, algorithm=algorithm)


async def test_jwt_bearer(org: Client) -> None:
    async def bear(token: str) -> tuple[int, dict[str, Any]]:
        return await ask(org, {"grant_type": JWT_BEARER, "assertion": token})

    status, answer = await bear(assertion(org))
    assert (status, answer["error_description"]) == (400, "user hasn't approved this consumer")
    public = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    await org.verb("register_certificate", {"client_id": APP["client_id"], "pem": public})
    status, answer = await bear(assertion(org))
    assert (status, sorted(answer)) == (200, ["access_token", "id", "instance_url", "scope", "token_type"])
    assert (await bear(assertion(org, aud=org.url)))[0] == 200
    for token, description in (
        (assertion(org, OTHER_KEY), "invalid assertion"),
        (assertion(org, exp=int(time.time()) - 60), "invalid assertion"),
        (assertion(org, aud="https://elsewhere.example"), "Audience validation failed"),
        (assertion(org, sub="nobody"), "user hasn't approved this consumer"),
    ):
        status, answer = await bear(token)
        assert (status, answer["error"], answer["error_description"]) == (400, "invalid_grant", description)


async def test_sessions_end(org: Client) -> None:
    await org.control("POST", "clock", {"advance_seconds": 7100})
    assert (await org.call("GET", "/limits")).status == 200  # use keeps a session alive
    await org.control("POST", "clock", {"advance_seconds": 7100})
    assert (await org.call("GET", "/limits")).status == 200
    await org.control("POST", "clock", {"advance_seconds": 7300})
    answer = await org.call("GET", "/limits")
    assert (answer.status, answer.body) == (401, [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}])
    await org.log_in()
    await org.fault({"type": "token_expiry", "seconds": 60}, times=None)
    assert (await org.call("GET", "/limits")).status == 200
    await org.control("POST", "clock", {"advance_seconds": 61})
    assert (await org.call("GET", "/limits")).status == 401


async def test_an_inactive_user_gets_no_token(org: Client) -> None:
    user = (await org.query(f"SELECT Id FROM User WHERE Username = '{ANN['username']}'"))["records"][0]["Id"]  # noqa: S608
    assert (await org.call("PATCH", f"/sobjects/User/{user}", {"IsActive": False})).status == 204
    status, answer = await ask(org, {"grant_type": "client_credentials", **APP})
    assert (status, answer["error_description"]) == (400, "inactive user")

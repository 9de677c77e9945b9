"""The OAuth token request and its answer, as values. Pure but for the signature of the JWT.

Forms follow Salesforce's OAuth flows: client credentials, JWT bearer, refresh token, username-password.
"""

from dataclasses import dataclass, field
from typing import assert_never

import jwt
import orjson

from streams.salesforce.api.access.settings import ClientCredentials, Credentials, JwtBearer, Password, RefreshToken
from streams.wire.errors import Fatal
from streams.wire.systems import RecordId, salesforce_id

TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - a path
_ASSERTION_SECONDS = 170
"""The assertion must expire within three minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A session. There is no expiry in Salesforce's answer: it shows only as a 401. `generation` counts log-ins of this process."""

    access_token: str = field(repr=False)
    token_type: str
    instance_url: str
    user_id: RecordId
    org_id: RecordId
    generation: int

    @property
    def authorization(self) -> str:
        """The value of the Authorization header."""
        return f"{self.token_type} {self.access_token}"


def token_form(credentials: Credentials, now_seconds: float) -> dict[str, str]:
    """The form fields to POST to the token endpoint. Raises `Fatal` for an unusable private key."""
    match credentials:
        case ClientCredentials():
            return {"grant_type": "client_credentials", "client_id": credentials.client_id, "client_secret": credentials.client_secret}
        case JwtBearer():
            return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": _assertion(credentials, now_seconds)}
        case RefreshToken():
            form = {"grant_type": "refresh_token", "client_id": credentials.client_id, "refresh_token": credentials.refresh_token}
            return form if credentials.client_secret is None else {**form, "client_secret": credentials.client_secret}
        case Password():
            return {
                "grant_type": "password",
                "client_id": credentials.client_id,
                "client_secret": credentials.client_secret,
                "username": credentials.username,
                "password": credentials.password,
            }
        case _:
            assert_never(credentials)


def read_token(body: bytes, generation: int) -> Token:
    """The session in a successful answer. Raises `Fatal` when the answer lacks what a session needs.

    The identity URL `id` ends in `/<org id>/<user id>`.
    """
    try:
        answer = orjson.loads(body)
        org, user = str(answer["id"]).rstrip("/").rsplit("/", 2)[-2:]
        return Token(
            access_token=str(answer["access_token"]),
            token_type=str(answer.get("token_type") or "Bearer"),
            instance_url=str(answer["instance_url"]).rstrip("/"),
            user_id=salesforce_id(user),
            org_id=salesforce_id(org),
            generation=generation,
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ValueError) as error:
        problem = f"log-in to Salesforce: the token answer can't be used ({type(error).__name__})."
        raise Fatal(problem, remedy="Check that base_url is the org's My Domain host.") from None


def _assertion(credentials: JwtBearer, now_seconds: float) -> str:
    claims = {
        "iss": credentials.client_id,
        "sub": credentials.username,
        "aud": credentials.audience,
        "exp": int(now_seconds) + _ASSERTION_SECONDS,
    }
    try:
        return jwt.encode(claims, credentials.private_key_pem, algorithm="RS256")
    except (ValueError, TypeError, jwt.PyJWTError):
        raise Fatal("log-in to Salesforce: the private key can't sign.", remedy="Give an RSA private key in PEM form.") from None

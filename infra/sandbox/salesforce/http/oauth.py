"""The token endpoint: four grants, and the errors of each (REST API guide, authorization; RFC 6749 section 5.2)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import jwt

from infra.sandbox.salesforce.access.apps import App
from infra.sandbox.salesforce.org.org import Org
from infra.sandbox.salesforce.schema.types import Row
from infra.sandbox.salesforce.wire.ids import ORG_ID

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")
CLOCK_LEEWAY_SECONDS = 30


class GrantError(Exception):
    """A refused request: HTTP 400 with a bare object, `error` and `error_description`."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(f"{error}: {description}")
        self.body = {"error": error, "error_description": description}


def grant(org: Org, form: Mapping[str, str], authorization: str | None, instance_url: str) -> dict[str, Any]:
    """The token answer. Raises `GrantError`. `authorization` may carry the client's id and secret as HTTP Basic."""
    kind = form.get("grant_type")
    if not kind:
        raise GrantError("invalid_request", "grant type is missing")
    if kind == JWT_BEARER:
        app, user = _by_assertion(org, form.get("assertion", ""), instance_url)
        return _answer(org, app, user, instance_url, signed=False)
    handler = {"client_credentials": _by_credentials, "password": _by_password, "refresh_token": _by_refresh_token}.get(kind)
    if handler is None:
        raise GrantError("unsupported_grant_type", "grant type not supported")
    app = _app(org, *_client(form, authorization), secret_needed=kind != "refresh_token")
    if kind not in app.flows:
        raise GrantError("invalid_grant", "authentication failure")
    return _answer(org, app, _active(handler(org, app, form)), instance_url, signed=True)


def _client(form: Mapping[str, str], authorization: str | None) -> tuple[str, str]:
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise GrantError("invalid_client", "invalid client credentials") from None
        return client_id, secret
    return form.get("client_id", ""), form.get("client_secret", "")


def _app(org: Org, client_id: str, secret: str, *, secret_needed: bool) -> App:
    app = org.apps.apps.get(client_id)
    if app is None:
        raise GrantError("invalid_client_id", "client identifier invalid")
    if (secret_needed or secret) and not hmac.compare_digest(secret.encode(), app.client_secret.encode()):
        raise GrantError("invalid_client", "invalid client credentials")
    return app


def _by_credentials(org: Org, app: App, _: Mapping[str, str]) -> Row:
    user = org.user_named(app.runs_as) if app.runs_as else None
    if user is None:
        raise GrantError("invalid_grant", "no client credentials user enabled")
    return user


def _by_password(org: Org, _: App, form: Mapping[str, str]) -> Row:
    username, password = form.get("username", ""), form.get("password", "")
    user, known = org.user_named(username), org.apps.passwords.get(username)
    if user is None or known is None or not hmac.compare_digest(password.encode(), known.encode()):
        raise GrantError("invalid_grant", "authentication failure")
    return user


def _by_refresh_token(org: Org, app: App, form: Mapping[str, str]) -> Row:
    client_id, username = org.apps.refresh_tokens.get(form.get("refresh_token", ""), ("", ""))
    user = org.user_named(username) if client_id == app.client_id else None
    if user is None:
        raise GrantError("invalid_grant", "expired access/refresh token")
    return user


def _by_assertion(org: Org, assertion: str, instance_url: str) -> tuple[App, Row]:
    """The app and user of a JWT: RS256, `iss` the client id, `sub` the user name, `aud` a login host, `exp` not passed (real time)."""
    try:
        claims: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise GrantError("invalid_grant", "invalid assertion") from None
    app = org.apps.apps.get(str(claims.get("iss", "")))
    if app is None:
        raise GrantError("invalid_client_id", "client identifier invalid")
    if app.certificate is None or "jwt" not in app.flows:
        raise GrantError("invalid_grant", "user hasn't approved this consumer")
    try:
        jwt.decode(
            assertion, _public_key(app.certificate), algorithms=["RS256"], audience=[*AUDIENCES, instance_url],
            leeway=CLOCK_LEEWAY_SECONDS, options={"require": ["exp", "aud", "sub", "iss"]},
        )  # fmt: skip
    except jwt.InvalidAudienceError:
        raise GrantError("invalid_grant", "Audience validation failed") from None
    except (jwt.InvalidTokenError, ValueError):
        raise GrantError("invalid_grant", "invalid assertion") from None
    user = org.user_named(str(claims.get("sub", "")))
    if user is None:
        raise GrantError("invalid_grant", "user hasn't approved this consumer")
    return app, _active(user)


def _public_key(pem: str) -> Any:
    """The public key of a PEM certificate, or a PEM public key as it is."""
    if "BEGIN CERTIFICATE" not in pem:
        return pem
    from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415 - only here, and slow to load

    return load_pem_x509_certificate(pem.encode()).public_key()


def _active(user: Row) -> Row:
    if "IsActive" not in user:
        raise GrantError("invalid_grant", "inactive user")
    return user


def _answer(org: Org, app: App, user: Row, instance_url: str, *, signed: bool) -> dict[str, Any]:
    session = org.open_session(str(user["Id"]), app.client_id)
    identity = f"https://login.salesforce.com/id/{ORG_ID}/{user['Id']}"
    answer: dict[str, Any] = {
        "access_token": session.token,
        "scope": "api",
        "instance_url": instance_url,
        "id": identity,
        "token_type": "Bearer",
    }
    if signed:
        issued = str(session.issued_ms)
        digest = hmac.new(app.client_secret.encode(), (identity + issued).encode(), hashlib.sha256).digest()
        answer |= {"issued_at": issued, "signature": base64.b64encode(digest).decode()}
    return answer

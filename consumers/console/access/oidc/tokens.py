"""What a token of the identity provider says, once its signature and all that it claims are checked.

Signed by a key of the provider's, with an algorithm of two keys: `none`, and those with a secret of both, are taken from nobody.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jwt

from consumers.configuration.groups.services import OidcSettings
from consumers.console.access.roles import Role
from consumers.console.access.sessions import Person

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
LEEWAY_SECONDS = 60
PREFIX = "oidc:"
_WHO_MAX = 200
_ANYBODY = "*"
Claims = Mapping[str, Any]


class Untrusted(Exception):  # noqa: N818 - an answer to whoever signs in
    """The token is not to be trusted; the message says why, and holds nothing of it."""


class UnknownKey(Untrusted):
    """It names a key that is not among those that are known: the provider may have a new one."""


def keys_of(document: Mapping[str, Any]) -> tuple[jwt.PyJWK, ...]:
    """The keys of a key set that sign; others are left out."""
    found = []
    for told in document.get("keys", ()):
        if not isinstance(told, Mapping) or told.get("use", "sig") != "sig" or told.get("kty") not in ("RSA", "EC", "OKP"):
            continue
        try:
            found.append(jwt.PyJWK.from_dict(dict(told)))
        except jwt.PyJWTError:
            continue  # a kind of key that we don't know signs nothing for us
    return tuple(found)


def claims_of(token: str, keys: Sequence[jwt.PyJWK], *, issuer: str, audience: str) -> Claims:
    """What it claims. Raises `UnknownKey` where none of the keys is the one that it names, else `Untrusted`."""
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise Untrusted("it is no token") from error
    if header.get("alg") not in ALGORITHMS:
        raise Untrusted("it is not signed in a way that is taken here")
    named = [key for key in keys if header.get("kid") is None or key.key_id == header["kid"]]
    if not named:
        raise UnknownKey("it is signed with a key that the identity provider doesn't publish")
    why = Untrusted("its signature is wrong")
    for key in named:
        try:
            claims: Claims = jwt.decode(
                token, key, algorithms=list(ALGORITHMS), audience=audience, issuer=issuer, leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )  # fmt: skip
        except jwt.InvalidSignatureError:
            continue
        except jwt.PyJWTError as error:
            raise Untrusted(_words(error)) from error
        return claims
    raise why


def signed_in(claims: Claims, *, client: str, nonce: str) -> Claims:
    """An identity token is for us, and for this very sign-in. Raises `Untrusted`."""
    audience = claims["aud"]
    if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != client:
        raise Untrusted("it was given to somebody else")
    if "azp" in claims and claims["azp"] != client:
        raise Untrusted("it was given to somebody else")
    if claims.get("nonce") != nonce:
        raise Untrusted("it belongs to another sign-in")
    return claims


def person_of(claims: Claims, settings: OidcSettings) -> Person | None:
    """Who that is, with the greatest role that a value of the claim gives; None: none gives one."""
    told = _values(claims, settings.claim)
    granted = [role for role, values in _granting(settings) if _ANYBODY in values or told & set(values)]
    if not granted:
        return None
    return Person(who=PREFIX + _name(claims, settings.name_claim), role=granted[0])


def _granting(settings: OidcSettings) -> list[tuple[Role, Sequence[str]]]:
    return [(Role.ADMIN, settings.admins), (Role.OPERATOR, settings.operators), (Role.VIEWER, settings.viewers)]


def _values(claims: Claims, path: str) -> set[str]:
    """The claim's values; a dot leads into an object, as in Keycloak's `realm_access.roles`."""
    told: Any = claims.get(path)
    if told is None:
        told = claims
        for name in path.split("."):
            told = told.get(name) if isinstance(told, Mapping) else None
    return set(map(str, told)) if isinstance(told, list) else {told} if isinstance(told, str) else set()


def _name(claims: Claims, claim: str) -> str:
    told = claims.get(claim)
    if not isinstance(told, str) or not told.strip() or (claim == "email" and claims.get("email_verified") is False):
        told = str(claims["sub"])
    return "".join(each for each in told.strip() if each.isprintable())[:_WHO_MAX]


def _words(error: jwt.PyJWTError) -> str:
    match error:
        case jwt.ExpiredSignatureError():
            return "it has expired"
        case jwt.InvalidAudienceError():
            return "it is meant for somebody else"
        case jwt.InvalidIssuerError():
            return "it is of another identity provider"
        case jwt.ImmatureSignatureError():
            return "it is of the future: is a clock wrong?"
        case jwt.MissingRequiredClaimError():
            return f"it lacks {error.claim}"
        case _:
            return f"it can't be read ({type(error).__name__})"

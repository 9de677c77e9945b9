"""Signatures of webhooks, by the Standard Webhooks specification 1.0 (standardwebhooks.com), symmetric form `v1`. Pure.

What is signed is `id.timestamp.body`, with HMAC-SHA256; a secret is `whsec_` and 24 to 64 bytes in base64. While a secret is being
replaced there are two signatures, with a space between them: a receiver takes either.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

from consumers.deliveries.delivery import Secret, Unusable

PREFIX = "whsec_"
BYTES_MIN, BYTES_MAX, BYTES = 24, 64, 32
_FORM = "a secret is whsec_ and 24 to 64 random bytes in base64, such as the one that is made without --secret-file"


def new_secret(random: bytes) -> str:
    """The secret of so many random bytes."""
    return PREFIX + base64.b64encode(random).decode()


def checked_secret(text: str) -> str:
    """A secret that somebody brings, in full form. Raises `Unusable`, which never has it."""
    told = text.strip()
    if not BYTES_MIN <= len(_key(told)) <= BYTES_MAX:
        raise Unusable(_FORM)
    return told if told.startswith(PREFIX) else PREFIX + told


def headers(secrets: Iterable[Secret], *, identity: str, at_ms: int, body: bytes) -> dict[str, str]:
    """The three headers of a call at this moment: signed with each secret that is valid then."""
    seconds = at_ms // 1000
    signed = [signature(each.text, identity, seconds, body) for each in secrets if not each.until or each.until > at_ms]
    return {"webhook-id": identity, "webhook-timestamp": str(seconds), "webhook-signature": " ".join(signed)}


def signature(secret: str, identity: str, seconds: int, body: bytes) -> str:
    """`v1,` and the signature."""
    mac = hmac.new(_key(secret), f"{identity}.{seconds}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(mac.digest()).decode()}"


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise Unusable(_FORM) from None

"""The keys that it signs with: the newest signs, those before it are still published until they are dropped."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

ALGORITHM = "RS256"
_BITS = 2048


class Keys:
    """A ring of RSA keys."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._ring: dict[str, rsa.RSAPrivateKey] = {}
        self.rotate()

    def rotate(self, *, drop: bool = False) -> str:
        """A new key signs from now on; `drop`: the others are published no more. Its id."""
        name = f"key-{next(self._numbers)}"
        self._ring = {} if drop else self._ring
        self._ring[name] = rsa.generate_private_key(public_exponent=65_537, key_size=_BITS)
        return name

    def signed(self, claims: Mapping[str, Any], kind: str = "JWT") -> str:
        """A token with these claims."""
        name = next(reversed(self._ring))
        return jwt.encode(dict(claims), self._ring[name], algorithm=ALGORITHM, headers={"kid": name, "typ": kind})

    def published(self) -> dict[str, Any]:
        """The key set (RFC 7517)."""
        told = [
            {**json.loads(RSAAlgorithm.to_jwk(key.public_key())), "kid": name, "use": "sig", "alg": ALGORITHM}
            for name, key in self._ring.items()
        ]
        return {"keys": told}

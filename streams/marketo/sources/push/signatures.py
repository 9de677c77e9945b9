"""Whether Adobe has signed a delivery (Adobe I/O Events, security verification): either of two signatures over the raw body is enough."""

import base64
import binascii
import re
import time
from collections.abc import Callable, Mapping

import aiohttp
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from streams.wire.errors import Retry

_PATH = re.compile(r"/prod/keys/pub-key-[0-9A-Za-z-]{8,64}\.pem")
_KEPT_SECONDS = 86_400.0
_KEPT_MAX = 32
_WAIT = aiohttp.ClientTimeout(total=5)


class Signatures:
    """Checks deliveries. Keys are fetched from one pinned host, whatever a delivery says, and kept for a day."""

    def __init__(self, http: aiohttp.ClientSession, keys_url: str, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._http, self._keys_url, self._monotonic = http, keys_url.rstrip("/"), monotonic
        self._keys: dict[str, tuple[rsa.RSAPublicKey | None, float]] = {}

    async def hold(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether one of the signatures is right. Raises `Retry` when that can't be known now, since no key can be fetched."""
        away: Retry | None = None
        for number in (1, 2):
            path = headers.get(f"x-adobe-public-key{number}-path", "")
            names = (f"x-adobe-digital-signature-{number}", f"x-adobe-digital-signature{number}")
            signature = next((headers[name] for name in names if name in headers), "")
            if not signature or _PATH.fullmatch(path) is None:
                continue
            try:
                key = await self._key(path)
            except Retry as error:
                away = error
                continue
            if key is not None and _is_right(key, signature, body):
                return True
        if away is not None:
            raise away
        return False

    async def _key(self, path: str) -> rsa.RSAPublicKey | None:
        """The key at this path; None: there is none."""
        known = self._keys.get(path)
        if known is not None and self._monotonic() < known[1]:
            return known[0]
        try:
            async with self._http.get(self._keys_url + path, timeout=_WAIT, allow_redirects=False) as answer:
                if answer.status >= 500 or answer.status == 429:
                    raise Retry(f"Adobe's public keys can't be fetched now (HTTP {answer.status})")
                found = _key_in(await answer.read()) if answer.status == 200 else None
        except (TimeoutError, aiohttp.ClientError) as error:
            raise Retry(f"Adobe's public keys can't be fetched now ({type(error).__name__})") from error
        while len(self._keys) >= _KEPT_MAX:
            del self._keys[next(iter(self._keys))]
        self._keys[path] = found, self._monotonic() + _KEPT_SECONDS
        return found


def _key_in(pem: bytes) -> rsa.RSAPublicKey | None:
    try:
        key = serialization.load_pem_public_key(pem)
    except ValueError:
        return None
    return key if isinstance(key, rsa.RSAPublicKey) else None


def _is_right(key: rsa.RSAPublicKey, signature: str, body: bytes) -> bool:
    try:
        key.verify(base64.b64decode(signature, validate=True), body, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True

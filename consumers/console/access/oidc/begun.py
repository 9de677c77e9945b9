"""Sign-ins that were begun: what goes to the identity provider and comes back must fit, in the same browser, within ten minutes, once."""

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Any

from streams.ground.database import away_is_retry

KEPT_MS = 10 * 60_000
_SWEEP = "delete from console_sign_ins where ends_at < $1"
_KEEP = "insert into console_sign_ins (state, nonce, verifier, page, ends_at) values ($1, $2, $3, $4, $5)"
_TAKE = "delete from console_sign_ins where state = $1 and ends_at > $2 returning nonce, verifier, page"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """One of them. `state`: what the browser carries, there and back; `verifier`: what proves that it is us who exchange the code."""

    state: str
    nonce: str
    verifier: str
    page: str

    @property
    def challenge(self) -> str:
        """What the provider is told of the verifier beforehand."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


async def begin(connection: Any, page: str, now_ms: int) -> Begun:
    """A new one, that leads to this page. What was never finished is swept out. Raises `Retry`."""
    made = Begun(state=secrets.token_urlsafe(32), nonce=secrets.token_urlsafe(32), verifier=secrets.token_urlsafe(48), page=page)
    with away_is_retry("begin a sign-in"):
        await connection.execute(_SWEEP, now_ms)
        await connection.execute(_KEEP, _hashed(made.state), made.nonce, made.verifier, page, now_ms + KEPT_MS)
    return made


async def take(connection: Any, state: str, now_ms: int) -> Begun | None:
    """The one of that state; it is used up by that. None: there is none (any more). Raises `Retry`."""
    with away_is_retry("finish a sign-in"):
        row = await connection.fetchrow(_TAKE, _hashed(state), now_ms)
    return Begun(state=state, nonce=row["nonce"], verifier=row["verifier"], page=row["page"]) if row else None


def _hashed(state: str) -> bytes:
    return hashlib.sha256(state.encode()).digest()

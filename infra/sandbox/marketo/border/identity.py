"""Access tokens of the API users (REST API, authentication)."""

import hmac
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from infra.sandbox.marketo.border.errors import MESSAGES, ApiError

LIFE_SECONDS = 3600


class ApiUser(msgspec.Struct, frozen=True, kw_only=True):
    """An API-only user with its custom service."""

    client_id: str
    client_secret: str
    username: str


@dataclass(slots=True)
class _Token:
    text: str
    user: ApiUser
    expires_ms: int
    told_expired: bool = False


@dataclass(slots=True)
class Identity:
    """A service keeps the same token while it lives; tokens do not outlive the process (after a restart they are 601)."""

    users: Sequence[ApiUser]
    _current: dict[str, _Token] = field(default_factory=dict)
    _tokens: dict[str, _Token] = field(default_factory=dict)

    def user(self, client_id: str, client_secret: str) -> ApiUser | None:
        for user in self.users:
            if user.client_id == client_id and hmac.compare_digest(user.client_secret.encode(), client_secret.encode()):
                return user
        return None

    def issue(self, user: ApiUser, now_ms: int, life_seconds: float = LIFE_SECONDS) -> Mapping[str, object]:
        """The service's token with the life that is left of it; a new one only when there is none. A scripted fault may cut that life."""
        token = self._current.get(user.client_id)
        if token is None or token.expires_ms <= now_ms:
            token = _Token(f"{uuid.uuid4()}:int", user, now_ms + LIFE_SECONDS * 1000)
            self._current[user.client_id] = self._tokens[token.text] = token
        token.expires_ms = min(token.expires_ms, now_ms + int(life_seconds * 1000))
        left = max(0, (token.expires_ms - now_ms - 1) // 1000)
        return {"access_token": token.text, "token_type": "bearer", "expires_in": left, "scope": user.username}

    def authorise(self, text: str | None, now_ms: int) -> ApiUser:
        """The user behind a token. ApiError 603 without one, 602 at the first use after it expired, 601 ever after and for unknown ones."""
        if not text:
            raise ApiError("603", MESSAGES["603"])
        token = self._tokens.get(text)
        if token is None:
            raise ApiError("601", MESSAGES["601"])
        if token.expires_ms > now_ms:
            return token.user
        if not token.told_expired:
            token.told_expired = True
            raise ApiError("602", MESSAGES["602"])
        raise ApiError("601", MESSAGES["601"])

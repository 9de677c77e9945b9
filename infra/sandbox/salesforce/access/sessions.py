"""Access tokens: who they stand for and when they stop working. Time is the sandbox's clock."""

from __future__ import annotations

import secrets

import msgspec

from infra.sandbox.salesforce.wire.ids import ORG_ID

INACTIVITY_MS = 2 * 3600 * 1000
"""A session ends after two hours without use (SOAP API guide, error handling)."""


class Session(msgspec.Struct):
    token: str
    user_id: str
    client_id: str
    issued_ms: int
    used_ms: int


class Sessions:
    """Open sessions by token. `lifetime_ms` is the inactivity that ends one."""

    def __init__(self) -> None:
        self.lifetime_ms = INACTIVITY_MS
        self._open: dict[str, Session] = {}

    def open(self, user_id: str, client_id: str, now_ms: int) -> Session:
        token = f"{ORG_ID[:15]}!AQ{secrets.token_urlsafe(66).replace('-', '.')}"
        return Session(token, user_id, client_id, now_ms, now_ms)

    def add(self, session: Session) -> None:
        self._open[session.token] = session

    def of(self, token: str, now_ms: int, *, age_max_ms: int | None = None) -> Session | None:
        """The live session of that token, its inactivity timer restarted; None when it ended, was revoked or never was."""
        session = self._open.get(token)
        if session is None:
            return None
        if now_ms - session.used_ms >= self.lifetime_ms or (age_max_ms is not None and now_ms - session.issued_ms >= age_max_ms):
            del self._open[token]
            return None
        session.used_ms = now_ms
        return session

    def known(self, token: str) -> Session | None:
        """The session whether or not it is still good, for naming the caller in meters and faults."""
        return self._open.get(token)

    def revoke(self, token: str) -> None:
        self._open.pop(token, None)

    def of_user(self, user_id: str) -> list[str]:
        """The tokens of a user."""
        return [token for token, session in self._open.items() if session.user_id == user_id]


def bearer_of(header: str | None) -> str | None:
    """The token of an Authorization header; Salesforce takes `Bearer` and `OAuth` alike."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() if scheme.lower() in ("bearer", "oauth") and token.strip() else None

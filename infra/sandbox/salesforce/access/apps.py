"""Connected apps: who may ask for tokens, as whom, and with which proof."""

from __future__ import annotations

import msgspec


class App(msgspec.Struct, kw_only=True):
    """A connected app. `runs_as` is the user of its client credentials flow; `certificate` (PEM) verifies its JWT assertions."""

    client_id: str
    client_secret: str
    runs_as: str | None = None
    certificate: str | None = None
    flows: tuple[str, ...] = ("client_credentials", "jwt", "refresh_token", "password")


class Apps:
    """Apps by client id, passwords by user name, refresh tokens."""

    def __init__(self) -> None:
        self.apps: dict[str, App] = {}
        self.passwords: dict[str, str] = {}
        self.refresh_tokens: dict[str, tuple[str, str]] = {}
        """token -> (client id, user name)"""

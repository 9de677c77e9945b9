"""Who may ask for tokens: connected apps, their proofs, passwords."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from infra.sandbox.salesforce.access.apps import App
from infra.sandbox.salesforce.state.state import State


def add_app(org: State, args: Mapping[str, Any]) -> None:
    app = msgspec.convert(dict(args), App)
    org.apps.apps[app.client_id] = app


def register_certificate(org: State, args: Mapping[str, Any]) -> None:
    app = org.apps.apps.get(str(args.get("client_id", "")))
    if app is None:
        raise ValueError("no app with that client_id")
    app.certificate = str(args.get("pem", ""))


def set_password(org: State, args: Mapping[str, Any]) -> None:
    org.apps.passwords[str(args["username"])] = str(args["password"])


def add_refresh_token(org: State, args: Mapping[str, Any]) -> None:
    org.apps.refresh_tokens[str(args["token"])] = (str(args["client_id"]), str(args["username"]))

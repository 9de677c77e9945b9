"""Who may use the sandbox: per system an ordinary user (people and other integrations) and Tandem's own. Made once per data folder."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import msgspec

Credentials = dict[str, dict[str, dict[str, str]]]
"""system -> `user` | `tandem` -> names and secrets."""


def load(path: Path) -> Credentials:
    """The folder's credentials; made at the first start and kept (mode 0600)."""
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=Credentials)
    made = _made()
    write_private(path, made)
    return made


def write_private(path: Path, value: object) -> None:
    """Writes JSON that only the owner can read, all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(value), indent=2))
    part.replace(path)


def endpoints(
    credentials: Credentials, ready: Mapping[str, Mapping[str, object]], control_url: str, *, certificate: str = ""
) -> dict[str, object]:
    """What others need to connect: the ordinary users at the top, Tandem's own under `tandem`. `ready` is what each system said when it
    served. With a certificate the systems are reached over https, and `sandbox.certificate` is what to trust.
    """
    result: dict[str, object] = {"sandbox": {"url": control_url, **({"certificate": certificate} if certificate else {})}}
    own: dict[str, object] = {}
    for system, facts in ready.items():
        url = f"{'https' if certificate else 'http'}://localhost:{facts['port']}"
        known = {name: value for name, value in facts.items() if name not in {"port", "user_id"}}
        people = credentials[system]["user"] if system == "salesforce" else _without_name(credentials[system]["user"])
        result[system] = {"url": url, **known, **people}
        mine = {name: value for name, value in credentials[system]["tandem"].items() if name != "password"}
        own[system] = {"url": url, **(mine if system == "salesforce" else _without_name(mine))}
        if "user_id" in facts:
            own[system] = {**own[system], "user_id": facts["user_id"]}  # type: ignore[dict-item]
    result["tandem"] = own
    return result


def _without_name(members: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in members.items() if name != "username"}


def _made() -> Credentials:
    return {
        "salesforce": {
            "user": {**_client("3MVG9"), "username": "ann.operator@sandbox.example", "password": secrets.token_urlsafe(18)},
            "tandem": {**_client("3MVG9"), "username": "tandem@sandbox.example", "password": secrets.token_urlsafe(18)},
        },
        "marketo": {
            "user": {**_client(""), "username": "people.api@sandbox.example"},
            "tandem": {**_client(""), "username": "tandem@sandbox.example"},
        },
    }


def _client(prefix: str) -> dict[str, str]:
    return {"client_id": prefix + secrets.token_hex(16), "client_secret": secrets.token_urlsafe(24)}

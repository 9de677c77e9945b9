"""Where everything is: `endpoints.json` for people and scripts, and what Tandem's workers are told."""

import json
import secrets as dice
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from infra.ports import LOOPBACK, free_port
from infra.stack.part import as_json, write_secret


def write_endpoints(run_dir: Path, endpoints: dict[str, Any]) -> None:
    """Writes `endpoints.json` (mode 0600): every address, and the credentials of the ordinary users alone."""
    write_secret(run_dir / "endpoints.json", as_json(endpoints))


def read_endpoints(run_dir: Path) -> dict[str, Any]:
    """What the last `up` wrote. Raises FileNotFoundError when nothing is up."""
    content: dict[str, Any] = json.loads((run_dir / "endpoints.json").read_text())
    return content


def where_to_look(endpoints: Mapping[str, Any], link: str) -> list[str]:
    """Lines that say where everything can be looked at. `link`: signs in to the console; empty: there is none."""
    pages, own = endpoints["sandbox"]["url"], endpoints["tandem"]["url"]
    return [
        *((f"  the console    {link}", "                 (the link works once; another one: ./tandem console link)") if link else ()),
        "  side by side   " + f"{pages}/ui/salesforce",
        "                 " + f"{pages}/ui/marketo",
        "  the worker     " + f"{own}/readyz  /metrics  /status.json",
    ]


def remove_endpoints(run_dir: Path) -> None:
    (run_dir / "endpoints.json").unlink(missing_ok=True)


def tell_tandem(run_dir: Path, *, bootstrap: str, dsn: str, sandbox: dict[str, Any]) -> dict[str, str]:
    """The environment of Tandem's workers. Its own credentials go into files of mode 0600 in `secrets/`, never into a command line.

    `X_FILE` names a file that holds the value of `X`.
    """
    salesforce, marketo = sandbox["tandem"]["salesforce"], sandbox["tandem"]["marketo"]
    secrets = {
        "TANDEM_POSTGRES_DSN": dsn,
        "TANDEM_SALESFORCE_CLIENT_SECRET": salesforce["client_secret"],
        "TANDEM_MARKETO_CLIENT_SECRET": marketo["client_secret"],
        "TANDEM_FLOW_STEPS_KEY": _kept(run_dir / "secrets" / "flow_steps_key", lambda: dice.token_hex(16)),
    }
    environment = {
        "TANDEM_FLOW_STEPS_PORT": _kept(run_dir / "tandem" / "flow-steps.port", lambda: str(free_port())),
        "TANDEM_CONSOLE_HOST": LOOPBACK,
        "TANDEM_CONSOLE_PORT": _kept(run_dir / "tandem" / "console.port", lambda: str(free_port())),
        "TANDEM_KAFKA_BOOTSTRAP": bootstrap,
        "TANDEM_SALESFORCE_URL": salesforce["url"],
        "TANDEM_SALESFORCE_CLIENT_ID": salesforce["client_id"],
        "TANDEM_SALESFORCE_USERNAME": salesforce["username"],
        "TANDEM_SALESFORCE_USER_ID": salesforce["user_id"],
        "TANDEM_MARKETO_URL": marketo["url"],
        "TANDEM_MARKETO_CLIENT_ID": marketo["client_id"],
    }
    for name, value in secrets.items():
        file = run_dir / "secrets" / name.removeprefix("TANDEM_").lower()
        write_secret(file, value)
        environment[f"{name}_FILE"] = str(file)
    return environment


def _kept(file: Path, made: Callable[[], str]) -> str:
    """What the file holds; what is made, and written there, the first time."""
    if not file.exists():
        write_secret(file, made())
    return file.read_text()

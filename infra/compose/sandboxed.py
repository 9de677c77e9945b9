"""`python -m infra.compose.sandboxed`: a command of Tandem's for the demo profile, signed in to the sandbox systems beside it.

The sandbox makes its credentials at its first start and writes them into a volume; this reads them and becomes the command: `tandem run`,
before which it makes the fields that Tandem needs in both systems, or another one, as `console`, `console link`.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from infra.process import StartError
from infra.stack.endpoints import tell_tandem
from infra.stack.prepare import prepare

_CONTAINERS = {"TANDEM_CONSOLE_HOST", "TANDEM_CONSOLE_PORT"}
_RUN = "run"
_ENDPOINTS = Path("/var/lib/tandem/sandbox/endpoints.json")
_CONFIG = Path("/etc/tandem/tandem.yaml")


def environment(endpoints: Path, secrets: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """What `tandem` is told: the environment as it is, and where the sandbox systems are. Secrets go into files under `secrets`.

    Where the console listens the container knows better than the stack, which has no network of its own.
    """
    sandbox = json.loads(endpoints.read_text())
    told = tell_tandem(secrets, bootstrap=environ["TANDEM_KAFKA_BOOTSTRAP"], dsn=environ["TANDEM_POSTGRES_DSN"], sandbox=sandbox)
    kept = {name: value for name, value in environ.items() if name != "TANDEM_POSTGRES_DSN"}
    return {**kept, **told, **{name: environ[name] for name in _CONTAINERS & environ.keys()}}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.compose.sandboxed", description="tandem against the sandbox systems.")
    parser.add_argument("--endpoints", type=Path, default=_ENDPOINTS, help="the file that tandem-sandbox wrote")
    parser.add_argument("--secrets", type=Path, default=Path(tempfile.gettempdir()) / "tandem", help="where Tandem's secrets are kept")
    parser.add_argument("--config", type=Path, default=_CONFIG, help="Tandem's configuration")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="a command of `tandem` and its arguments; run, unless told otherwise")
    told = parser.parse_args()
    known = environment(told.endpoints, told.secrets, os.environ)
    os.environ.pop("TANDEM_POSTGRES_DSN")  # it is in a file now
    arguments = told.command or [_RUN]
    if arguments[0] == _RUN:
        try:
            asyncio.run(prepare(json.loads(told.endpoints.read_text())["sandbox"]["url"], told.config, known))
        except StartError as error:
            sys.exit(f"sandboxed: {error}")
    command = ["tandem", *arguments, "--config", str(told.config)]
    os.execvpe(command[0], command, known)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()

"""`python -m infra.compose.sandboxed`: a worker of Tandem for the demo profile, signed in to the sandbox systems beside it.

The sandbox makes its credentials at its first start and writes them into a volume; this reads them, makes the fields that Tandem needs in
both systems, and becomes `tandem run`.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.process import StartError
from infra.stack.endpoints import tell_tandem
from infra.stack.prepare import prepare


def environment(endpoints: Path, secrets: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """What `tandem run` is told: the environment as it is, and where the sandbox systems are. Secrets go into files under `secrets`."""
    sandbox = json.loads(endpoints.read_text())
    told = tell_tandem(secrets, bootstrap=environ["TANDEM_KAFKA_BOOTSTRAP"], dsn=environ["TANDEM_POSTGRES_DSN"], sandbox=sandbox)
    kept = {name: value for name, value in environ.items() if name != "TANDEM_POSTGRES_DSN"}
    return {**kept, **told}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.compose.sandboxed", description="tandem run against the sandbox systems.")
    parser.add_argument("--endpoints", type=Path, required=True, help="the file that tandem-sandbox wrote")
    parser.add_argument("--secrets", type=Path, default=Path.home() / "run", help="where Tandem's secrets are kept")
    parser.add_argument("--config", type=Path, required=True, help="Tandem's configuration")
    parser.add_argument("arguments", nargs="*", help="arguments of `tandem run`")
    told = parser.parse_args()
    worker = environment(told.endpoints, told.secrets, os.environ)
    os.environ.pop("TANDEM_POSTGRES_DSN")  # it is in a file now
    try:
        asyncio.run(prepare(json.loads(told.endpoints.read_text())["sandbox"]["url"], told.config, worker))
    except StartError as error:
        sys.exit(f"sandboxed: {error}")
    command = ["tandem", "run", "--config", str(told.config), *told.arguments]
    os.execvpe(command[0], command, worker)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()

"""`./tandem …`: a command of Tandem's, told where the local stack is; from any folder, with its own exit code."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.process import StartError
from infra.setup.found import ROOT
from infra.stack.stack import CONFIG, Stack

RUN_DIR = ROOT / ".run"
_NAMED = ("--config", "-c")


def environment(arguments: Sequence[str], environ: Mapping[str, str], run_dir: Path, config: Path = CONFIG) -> dict[str, str]:
    """What the command is told: where the stack is, unless a configuration is named, or nothing is up here."""
    if "TANDEM_CONFIG" in environ or any(each.split("=")[0] in _NAMED for each in arguments):
        return dict(environ)
    try:
        told = Stack(run_dir, config=config).told()
    except (StartError, OSError):
        return dict(environ)
    return {**environ, **told, "TANDEM_WEB_HOST": "127.0.0.1", "TANDEM_WEB_PORT": "0", "TANDEM_CONFIG": str(config)}


def run(arguments: Sequence[str]) -> None:
    """Become that command; it never returns."""
    told = environment(arguments, os.environ, RUN_DIR)
    if "TANDEM_CONFIG" not in told and not Path("tandem.yaml").exists() and arguments and not arguments[0].startswith("-"):
        sys.stderr.write("tandem: nothing is up here (`make up` starts the sandbox), and no configuration is named\n")
    os.execve(sys.executable, [sys.executable, "-m", "consumers.cli", *arguments], told)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    run(sys.argv[1:])

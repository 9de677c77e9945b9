"""`./tandem …`: a command of Tandem's, told where the local stack is; from any folder, with its own exit code."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.process import StartError
from infra.setup.found import ROOT
from infra.stack.stack import CONFIG, Stack

RUN_DIR = ROOT / ".run"
DEMO, KEPT = "demo", "kept"
"""The folder beneath it where a demo runs, and the file in there that says that it was left running."""
_NAMED = ("--config", "-c")


def environment(arguments: Sequence[str], environ: Mapping[str, str], run_dir: Path, config: Path = CONFIG) -> dict[str, str]:
    """What the command is told: where the stack is (what a demo has left running, where nothing else is up), unless a configuration is
    named, or nothing is up here at all."""
    if "TANDEM_CONFIG" in environ or any(each.split("=")[0] in _NAMED for each in arguments):
        return dict(environ)
    try:
        if not (run_dir / "endpoints.json").exists() and (run_dir / DEMO / KEPT).exists():
            run_dir, config = run_dir / DEMO, run_dir / DEMO / "tandem.yaml"
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

"""What the two steps of setting up share, tandem-migrate and tandem-topics: where their settings come from, and how they end."""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn, TypeVar

from consumers.cli.terms import DEFAULT_CONFIG, EXIT_CODES, exit_of
from consumers.configuration.reading.places import ConfigurationError
from streams.wire.errors import SyncError

_T = TypeVar("_T")


def parser(prog: str, does: str, variable: str) -> argparse.ArgumentParser:
    """The options that both take."""
    sources = f"Where to: --config or TANDEM_CONFIG; else {variable} or {variable}_FILE; else tandem.yaml in this folder."
    made = argparse.ArgumentParser(prog=prog, description=f"{does} {sources}", epilog=EXIT_CODES)
    made.add_argument("--config", "-c", type=Path, help="Tandem's configuration; only the section that is needed here is read")
    return made


def settings_of(
    named: Path | None, environ: Mapping[str, str], variable: str, read: Callable[[Path], _T], plain: Callable[[str], _T]
) -> _T | None:
    """The settings: from the file that is named, from the variable, or from the file in this folder; None where there is none of them."""
    path = named or (Path(environ["TANDEM_CONFIG"]) if environ.get("TANDEM_CONFIG") else None)
    if path is not None:
        return read(path)
    if environ.get(variable):
        return plain(environ[variable])
    if environ.get(f"{variable}_FILE"):
        return plain(Path(environ[f"{variable}_FILE"]).read_text(encoding="utf-8").strip())
    return read(DEFAULT_CONFIG) if DEFAULT_CONFIG.exists() else None


def end(prog: str, error: Exception) -> NoReturn:
    """Say why it could not be done, and end with the documented code."""
    sys.stderr.write(f"{prog}: {error}\n")
    if isinstance(error, SyncError):
        sys.exit(int(exit_of(error)))
    sys.exit(2 if isinstance(error, ConfigurationError | OSError) else 1)


def environment() -> Mapping[str, str]:
    """Ours, read once."""
    return dict(os.environ)

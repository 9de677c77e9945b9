"""What every command shares: exit codes, the configuration, errors told in a sentence, output for people or for programs."""

import asyncio
import logging
import os
import sys
from collections.abc import Coroutine
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from consumers.configuration.loading import Settings
    from streams.wire.errors import SyncError

_T = TypeVar("_T")


class Exit(IntEnum):
    """Exit codes, the same for every command."""

    OK = 0
    PROBLEMS = 1
    CONFIGURATION = 2
    UNREACHABLE = 3
    CHANGES = 6


EXIT_CODES = (
    "Exit codes: 0 all is well, 1 problems were found (or the record is unknown, or migrations or topics are missing), "
    "2 wrong configuration, credentials or usage, 3 a system can't be reached, 6 a dry run found changes."
)


def examples(*lines: str) -> str:
    """The end of a command's help: some uses of it, and the exit codes."""
    shown = "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
    return f"{shown}\n\n{EXIT_CODES}"


Config = Annotated[Path, typer.Option("--config", "-c", envvar="TANDEM_CONFIG", help="The configuration file.", show_default=True)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Reason = Annotated[str, typer.Option("--reason", help="Why, for whoever reads the audit log.", show_default=False)]
DEFAULT_CONFIG = Path("tandem.yaml")


def fail(message: str, code: Exit) -> NoReturn:
    """Say why on standard error, and end with the code."""
    print(message, file=sys.stderr)  # noqa: T201 - a command line prints
    raise typer.Exit(int(code))


def settings_of(config: Path) -> "Settings":
    """The configuration; every problem of it is told, and the command ends with code 2."""
    from consumers.configuration.loading import ConfigurationError, load  # noqa: PLC0415 - quick start

    try:
        return load(config, os.environ)
    except ConfigurationError as error:
        count = len(error.problems)
        fail(f"{error}\n{count} problem{'s' if count > 1 else ''} in the configuration; nothing was done.", Exit.CONFIGURATION)


def finish(work: Coroutine[Any, Any, _T]) -> _T:
    """Run it; what can go wrong outside the program is told in a sentence, with its exit code.

    Standard output is the report's alone: warnings of the adapters go to standard error, the chatter of libraries nowhere.
    """
    import structlog  # noqa: PLC0415 - quick start

    from consumers.reports.records.people import UnknownRecord  # noqa: PLC0415 - quick start
    from consumers.reports.records.story import UnknownField  # noqa: PLC0415 - quick start
    from consumers.subscriptions.topics import UnknownTopic  # noqa: PLC0415 - quick start
    from streams.wire.errors import SyncError  # noqa: PLC0415 - quick start

    logging.getLogger().addHandler(logging.NullHandler())
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=quiet, logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        return asyncio.run(work)
    except UnknownTopic as error:
        fail(str(error.args[0]), Exit.CONFIGURATION)
    except (UnknownRecord, UnknownField) as error:
        fail(str(error.args[0]), Exit.PROBLEMS)
    except SyncError as error:
        fail(f"{error}", exit_of(error))
    except KeyboardInterrupt:
        fail("stopped", Exit.PROBLEMS)


def exit_of(error: "SyncError") -> Exit:
    """The exit code that belongs to what an adapter has raised, the same for every command and for the worker."""
    from streams.wire.errors import Fatal, Reject, Unprepared  # noqa: PLC0415 - quick start

    if isinstance(error, Unprepared | Reject):
        return Exit.PROBLEMS
    return Exit.CONFIGURATION if isinstance(error, Fatal) else Exit.UNREACHABLE


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    import orjson  # noqa: PLC0415 - quick start

    text = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS, default=str)
    sys.stdout.write(text.decode())


def print_line(value: Any) -> None:
    """One line of JSON on standard output, at once."""
    import orjson  # noqa: PLC0415 - quick start

    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS, default=str).decode())
    sys.stdout.flush()


def console() -> "Console":
    """Where reports go: wide when it isn't a terminal, so that nothing is cut in a pipe."""
    from rich.console import Console  # noqa: PLC0415 - quick start

    found = Console(highlight=False, emoji=False)
    return found if found.is_terminal else Console(highlight=False, emoji=False, width=200)

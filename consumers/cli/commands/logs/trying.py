"""`tandem plan` and `tandem rebuild`: rules tried on the log before they are used, and the ledger built again from it."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from consumers.cli.terms import DEFAULT_CONFIG, Config, Exit, Json, Reason, console, examples, finish, print_json, settings_of

if TYPE_CHECKING:
    from consumers.configuration.loading import Settings

_EVERY_SECONDS = 0.2
Reveal = Annotated[bool, typer.Option("--reveal", help="Show values as they are; masked otherwise. Recorded with your name.")]


def add_trying_commands(app: typer.Typer) -> None:
    """Both commands."""
    tried = examples(
        "tandem plan",
        "tandem plan --config new.yaml",
        "tandem plan --config new.yaml --since 30d",
        "tandem plan --config new.yaml --present tandem.yaml",
    )
    app.command(short_help="What would be written now; what other rules would have done.", epilog=tried)(plan)
    built = examples("tandem rebuild --into postgresql://localhost/second", "tandem rebuild --into postgresql://localhost/second --compare")
    app.command(short_help="Build the ledger again, from the topics, in an empty database.", epilog=built)(rebuild)


def plan(
    config: Config = DEFAULT_CONFIG,
    *,
    present: Annotated[
        Path | None, typer.Option("--present", help="The configuration that is in use, where the ledger is not to say so.")
    ] = None,
    since: Annotated[str, typer.Option("--since", help="Try the rules on the log from then on: 90s, 2h, 7d, or a date.")] = "7d",
    reveal: Reveal = False,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """What would be written right now; or, where --config has other rules than the workers run under, what those would have decided
    otherwise since then. Which rules are in use the ledger knows, unless --present names them.

    Other rules are tried on the logged events, in a shadow of the ledger: per kind and field how many outcomes differ, which conflicts are
    new or gone, which records would end otherwise, and how many more are written. Nothing is written anywhere. 6 where anything differs.
    """
    settings = settings_of(config)
    if reveal:
        from consumers.cli.noted import note  # noqa: PLC0415 - quick start

        finish(note(settings, "reveal", {"plan": str(config), "since": since}, reason))
    baseline = settings_of(present) if present else _in_use(settings)
    if _tried(settings, baseline, since, reveal=reveal, json=json) if baseline else _now(settings, reveal=reveal, json=json):
        raise typer.Exit(int(Exit.CHANGES))


def _in_use(settings: "Settings") -> "Settings | None":
    """The settings with the rules that workers run under; None: those are the same, or nobody knows them."""
    from consumers.answers.rules import present_settings  # noqa: PLC0415 - quick start

    number, found = finish(present_settings(settings))
    if not number:
        told = "The ledger doesn't know yet which rules are in use: no worker of this version has run. To try others, name those: --present"
        print(told, file=sys.stderr)  # noqa: T201 - a command line prints
    elif found is not None:
        print(f"Other rules than those in use, which are version {number}: tried on the log.", file=sys.stderr)  # noqa: T201 - as above
    return found


def _tried(new: "Settings", present: "Settings", since: str, *, reveal: bool, json: bool) -> bool:
    from consumers.answers.logs.trying import plan_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.trying import print_plan, shown  # noqa: PLC0415 - quick start
    from consumers.subscriptions.since import NoMoment, moment_of  # noqa: PLC0415 - quick start

    try:
        since_ms = moment_of(since, round(time.time() * 1000))
    except NoMoment as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None
    told = shown(finish(plan_of(present, new, since_ms=since_ms, said=progress("decisions read"))), reveal=reveal)
    if json:
        print_json(told)
    else:
        print_plan(console(), told)
    return told.changes


def _now(settings: "Settings", *, reveal: bool, json: bool) -> bool:
    from consumers.answers.logs.trying import pending_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.trying import print_pending, shown_fields  # noqa: PLC0415 - quick start

    told = shown_fields(finish(pending_of(settings)), reveal=reveal)
    if json:
        print_json({"records": told})
    else:
        print_pending(console(), told)
    return bool(told)


def no_password(context: typer.Context, given: str) -> str:
    """Whoever looks at the list of processes would read it."""
    source = context.get_parameter_source("into")
    if source is not None and source.name == "COMMANDLINE" and urlsplit(given).password:
        raise typer.BadParameter("everybody on this machine can read a password there: put it into TANDEM_REBUILD_DSN, or a file ~/.pgpass")
    return given


def rebuild(
    into: Annotated[
        str,
        typer.Option(
            "--into",
            envvar="TANDEM_REBUILD_DSN",
            callback=no_password,
            help="The empty database, with every migration; never the live one. With a password only by the environment.",
        ),
    ],
    config: Config = DEFAULT_CONFIG,
    *,
    compare: Annotated[bool, typer.Option("--compare", help="Then compare it with the live ledger, pair by pair.")] = False,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Build the ledger again from the topics alone, in an empty database, and say what it lacks.

    Every decision is made anew by the rules in use, in the order in which they were made. The live ledger is only read, for what is
    mapped and to compare; where it is gone, the configuration alone says what is mapped. 1 where --compare finds a difference.
    """
    settings = settings_of(config)
    from consumers.answers.logs.trying import rebuild_of  # noqa: PLC0415 - quick start
    from consumers.cli.noted import note_in  # noqa: PLC0415 - quick start
    from consumers.cli.text.trying import print_rebuilt  # noqa: PLC0415 - quick start

    finish(note_in(into, "rebuild", {"compare": compare}, reason))
    built, compared = finish(rebuild_of(settings, into, compared=compare, said=progress("decisions read")))
    if json:
        print_json({"rebuilt": built, "holes": built.holes, "compared": compared})
    else:
        print_rebuilt(console(), built, compared)
    if compared and (compared.different or compared.missing):
        raise typer.Exit(int(Exit.PROBLEMS))


def progress(what: str) -> Callable[[int], None]:
    """How many are done, on a terminal alone."""
    began = said = time.monotonic()

    def say(count: int) -> None:
        nonlocal said
        now = time.monotonic()
        if sys.stderr.isatty() and now - said > _EVERY_SECONDS:
            said = now
            print(f"\r\033[K{count:,} {what}, {count / (now - began):,.0f} a second", end="", file=sys.stderr, flush=True)  # noqa: T201

    return say

"""`tandem copy`: what was there before Tandem, copied once: plan, start, pause, resume, cancel, status."""

import time
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from consumers.cli.terms import (
    DEFAULT_CONFIG,
    Config,
    Exit,
    Json,
    Reason,
    console,
    examples,
    fail,
    finish,
    print_json,
    print_line,
    settings_of,
)

if TYPE_CHECKING:
    from consumers.configuration.loading import Settings
    from consumers.copy.progress import Progress

_LOOK_SECONDS = 2.0

copy_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    short_help="Copy what was there before Tandem: plan, start, status ...",
    epilog=examples("tandem copy plan", "tandem copy start", "tandem copy status", "tandem copy pause", "tandem copy resume"),
)
Follow = Annotated[bool, typer.Option("--follow/--no-follow", help="Show how far it is until it ends.")]


@copy_app.command(short_help="What a first copy would read and write, before anything is.", epilog=examples("tandem copy plan --json"))
def plan(config: Config = DEFAULT_CONFIG, *, json: Json = False) -> None:
    """Say how many rows would be read, what that costs each system in calls and bytes, how long it takes, who meets whom, and what would be
    written; 6 where anything would be. Both systems are asked some dozens of questions, and nothing is changed."""
    settings = settings_of(config)
    from consumers.answers.copying import quote  # noqa: PLC0415 - quick start
    from consumers.cli.text.copy import print_quote  # noqa: PLC0415 - quick start

    said = finish(quote(settings))
    if json:
        print_json(_plain(said))
    else:
        print_quote(console(), said)
    if said.marketo_writes or said.salesforce_writes:
        raise typer.Exit(int(Exit.CHANGES))


@copy_app.command(short_help="Begin a first copy.", epilog=examples("tandem copy start", "tandem copy start --yes --no-follow"))
def start(
    config: Config = DEFAULT_CONFIG,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    follow: Follow = True,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Say what it would do, ask, and have the workers do it. It goes on when this command ends (Ctrl-C), and after any crash.

    0 once it is done; 1 where another is open, or this one was paused or cancelled.
    """
    settings = settings_of(config)
    from consumers.answers.copying import quote, started  # noqa: PLC0415 - quick start
    from consumers.cli.noted import noted  # noqa: PLC0415 - quick start
    from consumers.cli.text.copy import print_quote  # noqa: PLC0415 - quick start

    said = finish(quote(settings))
    if not json:
        print_quote(console(), said)
    if not yes and (json or not typer.confirm("Begin?")):
        fail("Not confirmed; nothing was begun (--yes confirms it).", Exit.PROBLEMS)
    number = finish(noted(settings, "copy start", {}, started(settings, said), reason))
    if number is None:
        fail("A first copy is open already: tandem copy status says how far it is.", Exit.PROBLEMS)
    if not follow:
        if json:
            print_json({"number": number, "state": "running"})
        else:
            console().print(f"Copy {number} begins within seconds: tandem copy status --follow shows how far it is.")
        return
    _follow(settings, json=json)


@copy_app.command(short_help="How far it is.", epilog=examples("tandem copy status", "tandem copy status --follow --json"))
def status(config: Config = DEFAULT_CONFIG, *, follow: Follow = False, json: Json = False) -> None:
    """Say how far the latest copy is, how fast, and until when it takes; 1 where something keeps it, or there is none."""
    settings = settings_of(config)
    if follow:
        _follow(settings, json=json)
    told = _progress(settings)
    if json:
        print_json(told)
    else:
        from consumers.cli.text.copy import print_progress  # noqa: PLC0415 - quick start

        print_progress(console(), told)
    if told.trouble:
        raise typer.Exit(int(Exit.PROBLEMS))


@copy_app.command(short_help="Stop where it is; resume goes on from there.", epilog=examples("tandem copy pause"))
def pause(config: Config = DEFAULT_CONFIG, *, reason: Reason = "", json: Json = False) -> None:
    """Have the workers stop it behind the page in hand. What was read is judged and written all the same."""
    from consumers.copy.store import State  # noqa: PLC0415 - quick start

    _move(config, State.PAUSED, (State.RUNNING,), ("pause", "paused: tandem copy resume goes on"), reason, json=json)


@copy_app.command(short_help="Go on where it was paused.", epilog=examples("tandem copy resume"))
def resume(config: Config = DEFAULT_CONFIG, *, reason: Reason = "", json: Json = False) -> None:
    """Have the workers go on from the page where it was paused."""
    from consumers.copy.store import State  # noqa: PLC0415 - quick start

    _move(config, State.RUNNING, (State.PAUSED,), ("resume", "goes on"), reason, json=json)


@copy_app.command(short_help="Give it up.", epilog=examples("tandem copy cancel"))
def cancel(config: Config = DEFAULT_CONFIG, *, reason: Reason = "", json: Json = False) -> None:
    """Give it up: nothing more is read. What was read stays, and is kept in step; another copy begins at the beginning."""
    from consumers.copy.store import OPEN, State  # noqa: PLC0415 - quick start

    _move(config, State.CANCELLED, OPEN, ("cancel", "cancelled"), reason, json=json)


def _move(config: "Config", wanted: str, before: tuple[str, ...], words: tuple[str, str], reason: str, *, json: bool) -> None:
    """`words`: what is asked for, and what is said of it."""
    settings = settings_of(config)
    from consumers.answers.copying import moved  # noqa: PLC0415 - quick start
    from consumers.cli.noted import noted  # noqa: PLC0415 - quick start
    from consumers.copy.store import State  # noqa: PLC0415 - quick start

    asked, said = words
    moving = moved(settings, State(wanted), tuple(State(each) for each in before))
    if not finish(noted(settings, f"copy {asked}", {}, moving, reason)):
        fail(f"No first copy is {' or '.join(before)}; nothing was done.", Exit.PROBLEMS)
    if json:
        print_json(_progress(settings))
    else:
        console().print(f"The first copy {said}.")


def _progress(settings: "Settings") -> "Progress":
    from consumers.answers.copying import progress_of  # noqa: PLC0415 - quick start

    told = finish(progress_of(settings))
    if told is None:
        fail("There was no first copy yet: tandem copy plan says what one would do.", Exit.PROBLEMS)
    return told


def _follow(settings: "Settings", *, json: bool) -> NoReturn:
    """Until it ends: a bar on a terminal, else a line of JSON every few seconds."""
    from consumers.cli.text.copy import Bar, print_progress  # noqa: PLC0415 - quick start
    from consumers.copy.store import State  # noqa: PLC0415 - quick start

    shown = console()
    with Bar(shown, shown.is_terminal and not json) as bar:
        while True:
            told = _progress(settings)
            if bar.live:
                bar.show(told)
            else:
                print_line(told)
            if told.state != State.RUNNING:
                break
            try:
                time.sleep(_LOOK_SECONDS)
            except KeyboardInterrupt:
                fail("It goes on: tandem copy status --follow shows how far it is.", Exit.OK)
    if not json and shown.is_terminal:
        print_progress(shown, told)
    raise typer.Exit(int(Exit.OK if told.state == State.DONE else Exit.PROBLEMS))


def _plain(value: object) -> object:
    import msgspec  # noqa: PLC0415 - quick start

    return msgspec.to_builtins(value, str_keys=True)

"""`tandem cycles`: what the reconciliation polls have read, and what of it the streams had missed."""

from typing import Annotated

import typer

from consumers.cli.terms import DEFAULT_CONFIG, Config, Exit, Json, console, examples, finish, print_json, settings_of

Only = Annotated[str | None, typer.Option("--object", "-o", metavar="OBJECT", help="Only these: lead, contact, account ... or person.")]


def add_cycle_commands(app: typer.Typer) -> None:
    """The command."""
    shown = examples("tandem cycles", "tandem cycles --missed --most 100", "tandem cycles --object lead --json")
    app.command(short_help="What the polls read, and what the streams had missed.", epilog=shown)(cycles)


def cycles(
    config: Config = DEFAULT_CONFIG,
    *,
    only: Only = None,
    missed: Annotated[bool, typer.Option("--missed", help="Only those that found what the stream had missed.")] = False,
    most: Annotated[int, typer.Option("--most", min=1, max=100_000, help="At most so many, the newest.")] = 20,
    json: Json = False,
) -> None:
    """Tell of each cycle what it read, what of it was known, what the stream had missed and why, what is repaired or held, its calls and
    when the next is due; 1 where any of them found what the stream had missed."""
    settings = settings_of(config)
    from consumers.answers.looking.covering import cycles_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.status import print_cycles  # noqa: PLC0415 - quick start

    told = finish(cycles_of(settings, only or "", only_missed=missed, most=most))
    if json:
        print_json(told)
    else:
        print_cycles(console(), told, title="Cycles")
    if any(each.missed for each in told):
        raise typer.Exit(int(Exit.PROBLEMS))

"""`tandem coverage` and `tandem coverage accept`: what was read without a break, and the holes."""

from typing import Annotated

import typer

from consumers.cli.commands.looking.cycles import add_cycle_commands
from consumers.cli.terms import DEFAULT_CONFIG, Config, Exit, Json, console, examples, finish, print_json, settings_of

coverage_app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    short_help="What was read without a break, and the holes.",
    epilog=examples(
        "tandem coverage",
        "tandem coverage --hours 6",
        "tandem coverage --json",
        'tandem coverage accept 7 --by Ada --reason "a test org"',
    ),
)


def add_coverage_commands(app: typer.Typer) -> None:
    """`tandem coverage` with its own, and `tandem cycles`."""
    app.add_typer(coverage_app, name="coverage")
    add_cycle_commands(app)


@coverage_app.callback()
def coverage(
    context: typer.Context,
    config: Config = DEFAULT_CONFIG,
    *,
    hours: Annotated[int, typer.Option("--hours", min=1, max=24 * 400, help="So far back.")] = 24,
    json: Json = False,
) -> None:
    """Tell of each kind of record and source what was read without a break, by positions and time, and the holes: what was not told, why,
    who has read it again, and what can't be known any more; 1 where a hole is open."""
    if context.invoked_subcommand is not None:
        return
    settings = settings_of(config)
    from consumers.answers.looking.covering import coverage_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.looking.coverage import print_coverage  # noqa: PLC0415 - quick start

    told = finish(coverage_of(settings, hours=hours))
    if json:
        print_json(told)
    else:
        print_coverage(console(), told)
    if told.open:
        raise typer.Exit(int(Exit.PROBLEMS))


@coverage_app.command(
    short_help="Say why an open hole may stay.", epilog=examples('tandem coverage accept 7 --by "Ada" --reason "a test org, nobody minds"')
)
def accept(
    hole: Annotated[int, typer.Argument(metavar="HOLE", help="Its number, as `tandem coverage` tells.")],
    config: Config = DEFAULT_CONFIG,
    *,
    by: Annotated[str, typer.Option("--by", help="Who says so.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it may stay.")],
    json: Json = False,
) -> None:
    """Accept an open hole: nobody reads back over it any more. It stays in the ledger, with who accepted it, when and why."""
    settings = settings_of(config)
    from consumers.cli.noted import noted  # noqa: PLC0415 - quick start
    from consumers.reconcile.acceptance import accept as accepted  # noqa: PLC0415 - quick start

    accepting = accepted(settings.postgres.dsn.reveal(), hole, by=by, why=reason)
    what = finish(noted(settings, "accept-hole", {"hole": hole, "by": by}, accepting, reason))
    if json:
        print_json({"hole": hole, "by": by, "reason": reason, "was": what})
    else:
        console().print(f"Hole {hole} is accepted ({what}).", markup=False)

"""`tandem budget`: the calls of the day, and whether they last."""

import typer

from consumers.cli.terms import DEFAULT_CONFIG, Config, Exit, Json, console, examples, finish, print_json, settings_of


def add_budget_command(app: typer.Typer) -> None:
    """The command."""
    app.command(short_help="The calls of the day, and whether they last.", epilog=examples("tandem budget", "tandem budget --json"))(budget)


def budget(config: Config = DEFAULT_CONFIG, *, json: Json = False) -> None:
    """Say how many calls of each system's day are used, what for, and whether the rest lasts; the same of Salesforce's events. 1 where it
    won't."""
    settings = settings_of(config)
    from consumers.answers.looking.ledger import spent_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.looking.budget import print_budget  # noqa: PLC0415 - quick start

    told = finish(spent_of(settings))
    if json:
        print_json(told)
    else:
        print_budget(console(), told.systems, told.events, told.at_ms)
    if (told.events is not None and told.events.used_up_ms is not None) or any(
        each.blocked_ms or each.forecast.used_up_ms is not None for each in told.systems
    ):
        raise typer.Exit(int(Exit.PROBLEMS))

"""`tandem canary`: how long a change takes, station by station."""

from typing import Annotated

import typer

from consumers.cli.terms import DEFAULT_CONFIG, Config, Exit, Json, Reason, console, examples, finish, print_json, settings_of


def add_canary_command(app: typer.Typer) -> None:
    """The command, at the top."""
    shown = examples("tandem canary", "tandem canary --wait 300 --json")
    app.command("canary", short_help="Send a test person from end to end, and time it.", epilog=shown)(canary)


def canary(
    config: Config = DEFAULT_CONFIG,
    *,
    wait: Annotated[int, typer.Option("--wait", min=1, max=3_600, help="Wait so many seconds for each way.")] = 60,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Make a test person in Salesforce, follow it through the running workers to Marketo and through Marketo's feed, and remove it on both
    sides; tells the milliseconds of each station. 1 where it does not come all the way in time: the last station says where it is stuck."""
    settings = settings_of(config)
    from consumers.answers.desk.journey import journey  # noqa: PLC0415 - quick start
    from consumers.audit_log.deeds import who_acts  # noqa: PLC0415 - quick start
    from consumers.cli.noted import noted  # noqa: PLC0415 - quick start

    work = journey(settings, who=who_acts(), wait_seconds=wait)
    told = finish(noted(settings, "canary", {"wait": wait}, work, reason))
    if json:
        print_json({"arrived": told.arrived, "journey": told})
    else:
        out = console()
        for each in told.stations:
            out.print(f"{f'{each.after_ms:,} ms' if each.after_ms is not None else 'not yet':>12}  {each.what}", markup=False)
        if not told.removed:
            out.print(f"It could not be removed: delete lead {told.salesforce_id} and person {told.marketo_id}.", markup=False)
    if not told.arrived:
        raise typer.Exit(int(Exit.PROBLEMS))

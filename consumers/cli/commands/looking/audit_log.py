"""`tandem audit-log`: who did what."""

import time
from typing import Annotated

import typer

from consumers.cli.terms import DEFAULT_CONFIG, Config, Json, console, examples, finish, print_json, settings_of


def add_audit_log_command(app: typer.Typer) -> None:
    """The command."""
    shown = examples("tandem audit-log", "tandem audit-log --since 7d --act reveal", "tandem audit-log --json")
    app.command("audit-log", short_help="Who did what by hand, and why.", epilog=shown)(audit_log)


def audit_log(
    config: Config = DEFAULT_CONFIG,
    *,
    since: Annotated[str | None, typer.Option("--since", help="From then on: 90s, 2h, 7d, or 2026-11-29T08:00 (your time zone).")] = None,
    act: Annotated[str | None, typer.Option("--act", help="Only such acts: reveal, link, repair, copy start ...")] = None,
    who: Annotated[str | None, typer.Option("--who", help="Only what this person did, as the log names them.")] = None,
    most: Annotated[int, typer.Option("--most", min=1, max=100_000, help="At most so many lines, the newest.")] = 100,
    json: Json = False,
) -> None:
    """Who asked for what by hand (links, copies, repairs, confirmed deletes, accepted holes, acts on a person), or looked at what is
    masked, when and why; newest first. It is written before it is done, so what was refused then is there, too. What the `setup` and
    `custom-objects` commands make stands in Marketo's own audit trail.

    A person is named by the environment variable TANDEM_USER, else by account and machine.
    """
    settings = settings_of(config)
    from consumers.answers.looking.ledger import deeds_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.looking.deeds import print_deeds  # noqa: PLC0415 - quick start
    from consumers.subscriptions.since import NoMoment, moment_of  # noqa: PLC0415 - quick start

    try:
        since_ms = moment_of(since, round(time.time() * 1000)) if since else None
    except NoMoment as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None
    told = finish(deeds_of(settings, since_ms=since_ms, act=act, who=who, most=most))
    if json:
        print_json(told)
    else:
        print_deeds(console(), told)

"""`tandem force` and `tandem reread`: one record forced from one side, or read again."""

from typing import Annotated

import typer

from consumers.cli.commands.desk.conflicts import Side
from consumers.cli.commands.desk.picked import RECORD_HELP, Apply, acted, without_addresses
from consumers.cli.terms import DEFAULT_CONFIG, Config, Exit, Json, Reason, console, examples, finish, print_json, settings_of


def add_force_commands(app: typer.Typer) -> None:
    """Both, at the top."""
    app.command(
        "force",
        short_help="Make one side's values stand on both; --apply does it.",
        epilog=examples(
            "tandem force ada@example.com --from salesforce",
            'tandem force pair:17 --from marketo title phone --apply --reason "she told us by telephone"',
        ),
    )(force)
    app.command(
        "reread",
        short_help="Read records again, on both sides.",
        epilog=examples("tandem reread ada@example.com", "tandem reread pair:17 pair:18"),
    )(reread)


def force(
    name: Annotated[str, typer.Argument(metavar="RECORD", help=RECORD_HELP)],
    fields: Annotated[list[str] | None, typer.Argument(metavar="[FIELD...]", help="Only these; else all that differ.")] = None,
    config: Config = DEFAULT_CONFIG,
    *,
    source: Annotated[Side, typer.Option("--from", help="The side whose values stand.")],
    apply: Apply = False,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Force one record from one side: both systems are read, and what that side shows is agreed, whatever the rules say; the other side is
    written by the workers as ever. Without --apply it is said, field by field, what would be written where; 6 where anything would."""
    settings = settings_of(config)
    from consumers.answers.desk.forcing import forced  # noqa: PLC0415 - quick start
    from consumers.audit_log.deeds import who_acts  # noqa: PLC0415 - quick start
    from consumers.cli.noted import noted  # noqa: PLC0415 - quick start
    from streams.wire.systems import System  # noqa: PLC0415 - quick start

    work = forced(settings, name, System(source.value), fields or [], who=who_acts(), apply=apply, reason=reason)
    what = {"record": without_addresses([name])[0], "from": source.value, "fields": fields or []}
    told = finish(noted(settings, "force", what, work, reason) if apply else work)
    if json:
        print_json(told)
    else:
        from consumers.cli.text.desk.forced import print_forced  # noqa: PLC0415 - quick start

        print_forced(console(), told, applied=apply)
    if told.outcome.why:
        raise typer.Exit(int(Exit.PROBLEMS))
    if told.done and not apply:
        raise typer.Exit(int(Exit.CHANGES))


def reread(
    names: Annotated[list[str], typer.Argument(metavar="RECORD...", help=RECORD_HELP)],
    config: Config = DEFAULT_CONFIG,
    *,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Have records read again by the workers, on both sides; what they show is judged like any other reading, so nothing newer is lost.
    `tandem record` shows them as they are now, and judges nothing."""
    settings = settings_of(config)
    from consumers.answers.desk.forcing import reread as read_again  # noqa: PLC0415 - quick start
    from consumers.audit_log.deeds import who_acts  # noqa: PLC0415 - quick start

    work = read_again(settings, names, who=who_acts())
    acted(settings, "reread", {"records": without_addresses(names)}, work, apply=True, reason=reason, json=json, nothing="")

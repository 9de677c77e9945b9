"""`tandem undo`: what a bad import, a wrong rule or a mistaken hand has changed, taken back from the ledger."""

from typing import Annotated

import typer

from consumers.cli.terms import DEFAULT_CONFIG, Config, Exit, Json, Reason, console, examples, finish, print_json, settings_of

_CAUSE = (
    "What brought them: the call of a system (a Marketo request id, a Salesforce transaction key), a source, how they were made, "
    "TOPIC/PARTITION@OFFSET, or the name of an undo."
)


def add_undo_command(app: typer.Typer) -> None:
    """The command, at the top."""
    app.command(
        "undo",
        short_help="Take changes back, unless they were changed again; --apply does it.",
        epilog=examples(
            "tandem undo --actor 0055f000001AbCdAAK --between 2h..1h",
            'tandem undo --actor import@example.com --between 2026-11-29T08:00..2026-11-29T08:30 --apply --reason "the wrong file"',
            "tandem undo --cause undo:1796000000000 --apply",
            "tandem undo --config-version 7 --field title",
        ),
    )(undo)


def undo(
    config: Config = DEFAULT_CONFIG,
    *,
    cause: Annotated[str, typer.Option("--cause", metavar="NAME", help=_CAUSE, show_default=False)] = "",
    actor: Annotated[
        str, typer.Option("--actor", metavar="USER", help="Who made them, as the system calls them.", show_default=False)
    ] = "",
    between: Annotated[
        str,
        typer.Option(
            "--between", metavar="FROM..TO", help="When they were made: 2h..1h, 2026-11-29T08:00.. and so on.", show_default=False
        ),
    ] = "",
    config_version: Annotated[
        int,
        typer.Option("--config-version", metavar="NUMBER", min=0, help="Decided by this version of the rules.", show_default=False),
    ] = 0,
    field: Annotated[
        list[str] | None, typer.Option("--field", metavar="FIELD", help="Only this field; may be given several times.")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without this nothing is changed.")] = False,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Take changes back from the ledger: each field that still has what they made of it gets what was agreed before, on both sides.

    A field that was changed again since is left, and listed; of scores and choices just what was added is taken out again. Without --apply
    it is said what would be done; 6 where anything would. An undo has a name, by which it can be undone in turn.
    """
    settings = settings_of(config)
    from consumers.answers.desk.undo import Chosen, selected, undone  # noqa: PLC0415 - quick start
    from consumers.audit_log.deeds import who_acts  # noqa: PLC0415 - quick start
    from consumers.cli.noted import noted  # noqa: PLC0415 - quick start
    from consumers.cli.text.desk.undo import print_undone  # noqa: PLC0415 - quick start
    from consumers.subscriptions.since import NoMoment  # noqa: PLC0415 - quick start

    try:
        wanted = selected(Chosen(cause=cause, actor=actor, between=between, fields=field or (), config=config_version))
    except NoMoment as error:
        raise typer.BadParameter(str(error), param_hint="--between") from error
    if wanted.empty:
        raise typer.BadParameter("say which changes: --cause, --actor, --between, --config-version")
    work = undone(settings, wanted, who=who_acts(), apply=apply, reason=reason)
    what = {"cause": cause, "actor": actor, "between": between, "config_version": config_version, "fields": field or []}
    told = finish(noted(settings, "undo", what, work, reason) if apply else work)
    if json:
        print_json(told)
    else:
        print_undone(console(), told, applied=apply)
    if told.fields and not apply:
        raise typer.Exit(int(Exit.CHANGES))
    if told.kept:
        raise typer.Exit(int(Exit.PROBLEMS))

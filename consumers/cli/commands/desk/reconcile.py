"""`tandem reconcile now`: a cycle of the polls at once."""

from typing import Annotated

import typer

from consumers.cli.terms import DEFAULT_CONFIG, Config, Exit, Json, Reason, console, examples, finish, print_json, settings_of

reconcile_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, short_help="A cycle of the polls at once.")


@reconcile_app.callback()
def reconcile() -> None:
    """The reconciliation polls, by hand."""


@reconcile_app.command(
    "now",
    short_help="Run a cycle now, and say what it found.",
    epilog=examples("tandem reconcile now", "tandem reconcile now --kind lead", "tandem reconcile now --wait 0 --json"),
)
def now(
    config: Config = DEFAULT_CONFIG,
    *,
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help="Only these: person, account, lead ...", show_default=False)] = "",
    wait: Annotated[int, typer.Option("--wait", min=0, max=86_400, help="Wait so many seconds for what they find.")] = 120,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Have the polls that read a kind of record (or all of them) run a cycle now, without waiting for its time, and tell what they found.

    1 where a cycle is not done in time: no worker carries that poll, its system takes no calls, or it reads much.
    """
    settings = settings_of(config)
    from consumers.answers.desk.control import UnknownKind  # noqa: PLC0415 - quick start
    from consumers.answers.desk.reconciling import reconciled  # noqa: PLC0415 - quick start
    from consumers.audit_log.deeds import who_acts  # noqa: PLC0415 - quick start
    from consumers.cli.noted import noted  # noqa: PLC0415 - quick start
    from consumers.cli.text.status import print_cycles  # noqa: PLC0415 - quick start

    work = reconciled(settings, kind, who=who_acts(), wait_seconds=wait)
    try:
        found, late = finish(noted(settings, "reconcile now", {"kind": kind}, work, reason))
    except UnknownKind as error:
        raise typer.BadParameter(str(error), param_hint="--kind") from error
    if json:
        print_json({"cycles": found, "not_done": late})
    else:
        print_cycles(console(), found, title="Cycles")
        if late:
            console().print(f"Asked for, not done yet: {', '.join(late)} (tandem status --all says what the polls do)", markup=False)
    if late and wait:
        raise typer.Exit(int(Exit.PROBLEMS))

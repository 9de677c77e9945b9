"""`tandem drift` and `tandem drift repair`: what differs between both sides, why, and what mends it."""

from typing import TYPE_CHECKING, Annotated

import typer

from consumers.cli.terms import DEFAULT_CONFIG, Config, Exit, Json, Reason, console, examples, finish, print_json, settings_of

if TYPE_CHECKING:
    from consumers.configuration.loading import Settings
    from streams.wire.systems import Object

Kind = Annotated[str | None, typer.Option("--object", "-o", metavar="OBJECT", help="Only these: lead, contact, account ...")]
Most = Annotated[int, typer.Option("--most", min=1, max=1_000_000, help="At most so many differences.")]

drift_app = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    short_help="What differs between both sides, and why.",
    epilog=examples(
        "tandem drift", "tandem drift --all --object lead", "tandem drift --json", "tandem drift repair", "tandem drift repair --apply"
    ),
)


@drift_app.callback()
def drift(
    context: typer.Context,
    config: Config = DEFAULT_CONFIG,
    *,
    only: Kind = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what is in flight, held, refused, hidden, or so by the rules.")] = False,
    most: Most = 1_000,
    json: Json = False,
) -> None:
    """Tell what the drift audit has found: records and fields that differ between Salesforce and Marketo, or from what Tandem knows, though
    nothing explains it, and how many days a full proof takes; 1 where there are any, or where a kind of record can't be compared."""
    if context.invoked_subcommand is not None:
        return
    settings = settings_of(config)
    from consumers.answers.looking.drifting import drift_of  # noqa: PLC0415 - quick start
    from consumers.audit.compare import Class  # noqa: PLC0415 - quick start
    from consumers.cli.text.looking.drift import print_drift  # noqa: PLC0415 - quick start

    told = finish(drift_of(settings, _object(settings, only), list(Class) if everything else [Class.TRUE_DRIFT], most=most))
    if json:
        print_json(told)
    else:
        print_drift(console(), told, share=settings.audit.calls_percent)
    if told.true_drift or told.kept_back:
        raise typer.Exit(int(Exit.PROBLEMS))


@drift_app.command(
    short_help="What mending true drift would write; --apply does it.",
    epilog=examples("tandem drift repair", "tandem drift repair --object lead --apply"),
)
def repair(
    config: Config = DEFAULT_CONFIG,
    *,
    only: Kind = None,
    most: Most = 1_000,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without this nothing is changed.")] = False,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Read every record in true drift once more, judge what it shows by the rules, and say what would be written; 6 where anything would.

    With --apply it is done: the workers write it like any other change. What was changed meanwhile is never overwritten.
    """
    settings = settings_of(config)
    from consumers.answers.desk.repairing import repaired  # noqa: PLC0415 - quick start
    from consumers.cli.noted import noted  # noqa: PLC0415 - quick start
    from consumers.cli.text.looking.drift import print_repairs  # noqa: PLC0415 - quick start

    repairing = repaired(settings, _object(settings, only), most=most, apply=apply)
    told = finish(noted(settings, "repair", {"object": only, "most": most}, repairing, reason) if apply else repairing)
    if json:
        print_json(told)
    else:
        print_repairs(console(), told, applied=apply)
    if any(each.why for each in told):
        raise typer.Exit(int(Exit.PROBLEMS))
    if told and not apply:
        raise typer.Exit(int(Exit.CHANGES))


def _object(settings: "Settings", name: str | None) -> "Object | None":
    from consumers.configuration.mapping.registered import registry_of  # noqa: PLC0415 - quick start

    known = registry_of(settings)
    found = known.called(name) if name is not None else None
    if name is not None and found is None:
        raise typer.BadParameter(f"{name}: one of {', '.join(known.sorts)}", param_hint="--object")
    return found

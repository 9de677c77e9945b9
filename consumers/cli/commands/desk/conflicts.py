"""`tandem conflicts`: fields that wait for a person's decision, and the decision."""

from enum import StrEnum
from typing import Annotated

import typer

from consumers.cli.commands.desk.picked import RECORD_HELP, All, Apply, Cause, Most, acted, chosen_of, without_addresses
from consumers.cli.terms import DEFAULT_CONFIG, Config, Json, Reason, console, examples, finish, print_json, settings_of

_NO_CONFLICTS = "No field waits for a person."
conflicts_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, short_help="Fields that wait for a person's decision.")


class Side(StrEnum):
    """Whose value is taken."""

    SALESFORCE = "salesforce"
    MARKETO = "marketo"


@conflicts_app.command(
    "list", short_help="By cause, with what helps.", epilog=examples("tandem conflicts list", "tandem conflicts list --field title --json")
)
def list_conflicts(
    config: Config = DEFAULT_CONFIG,
    *,
    cause: Cause = "",
    field: Annotated[str, typer.Option("--field", metavar="FIELD", help="Only about this field.", show_default=False)] = "",
    most: Most = 1_000,
    json: Json = False,
) -> None:
    """Fields that wait for a person: conflicts that the rule leaves to one, and fields that something keeps undoing."""
    settings = settings_of(config)
    from consumers.answers.desk.waiting import conflicts_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.desk.waiting import print_groups  # noqa: PLC0415 - quick start
    from consumers.desk.waiting import grouped  # noqa: PLC0415 - quick start

    told = finish(conflicts_of(settings, cause=cause, field=field, most=most))
    if json:
        print_json({"causes": grouped(told), "conflicts": told})
    else:
        print_groups(console(), grouped(told), nothing=_NO_CONFLICTS)


@conflicts_app.command(
    "show",
    short_help="What both sides say, and what stood before.",
    epilog=examples("tandem conflicts show ada@example.com", "tandem conflicts show pair:17 title"),
)
def show_conflict(
    name: Annotated[str, typer.Argument(metavar="RECORD", help=RECORD_HELP)],
    field: Annotated[str, typer.Argument(metavar="[FIELD]", help="The field; without it all that wait.")] = "",
    config: Config = DEFAULT_CONFIG,
    *,
    json: Json = False,
) -> None:
    """The conflicts of a record: what Salesforce says, what both had agreed on before, and what Marketo says."""
    settings = settings_of(config)
    from consumers.answers.desk.waiting import conflict_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.desk.waiting import print_conflicts  # noqa: PLC0415 - quick start

    told = finish(conflict_of(settings, name, field))
    if json:
        print_json(told)
    else:
        print_conflicts(console(), told)


@conflicts_app.command(
    "resolve",
    short_help="Decide them; --apply does it.",
    epilog=examples(
        "tandem conflicts resolve ada@example.com title --take salesforce",
        'tandem conflicts resolve pair:17 title --value "Chief Engineer" --apply',
        "tandem conflicts resolve --field title --take marketo --all --apply",
        "tandem conflicts resolve ada@example.com title --take salesforce --as-rule",
    ),
)
def resolve_conflicts(
    name: Annotated[str, typer.Argument(metavar="[RECORD]", help=f"{RECORD_HELP} Or --all.")] = "",
    field: Annotated[str, typer.Argument(metavar="[FIELD]", help="The field.")] = "",
    config: Config = DEFAULT_CONFIG,
    *,
    take: Annotated[Side | None, typer.Option("--take", help="Whose value stands.")] = None,
    value: Annotated[str | None, typer.Option("--value", help="A value of your own, instead; empty: none.")] = None,
    about: Annotated[
        str, typer.Option("--field", metavar="FIELD", help="With --all: only those about this field.", show_default=False)
    ] = "",
    everything: All = False,
    as_rule: Annotated[bool, typer.Option("--as-rule", help="Print the lines that decide the next ones so; nothing is changed.")] = False,
    most: Most = 1_000,
    apply: Apply = False,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Decide conflicts: the value is agreed from then on, and each side that does not show it is written.

    Without --apply it is said what would be written; 6 where anything would. --as-rule prints the decision as a rule of the configuration.
    """
    if (take is None) == (value is None):
        raise typer.BadParameter("one of --take and --value")
    if name and (not field or everything or about):
        raise typer.BadParameter("either RECORD and FIELD, or --all (with --field for those about one field)")
    settings = settings_of(config)
    from consumers.answers.desk.waiting import resolved  # noqa: PLC0415 - quick start
    from consumers.audit_log.deeds import who_acts  # noqa: PLC0415 - quick start
    from consumers.desk.deciding import Take  # noqa: PLC0415 - quick start
    from streams.wire.systems import System  # noqa: PLC0415 - quick start

    if as_rule:
        _rule(config, name, field, take, json=json)
        return
    chosen = chosen_of([name] if name else [], "review" if everything else "", everything=everything, most=most)
    taken: Take = Take(side=System(take.value)) if take is not None else Take(value=value or None)
    acting = resolved(settings, chosen, field or about, taken, who=who_acts(), apply=apply, reason=reason)
    what = {"record": without_addresses([name])[0], "field": field or about, "take": str(take or "a value"), "all": everything}
    acted(settings, "conflicts resolve", what, acting, apply=apply, reason=reason, json=json, nothing=_NO_CONFLICTS)


def _rule(config: "Config", name: str, field: str, take: Side | None, *, json: bool) -> None:
    if take is None or not name:
        raise typer.BadParameter("a rule takes a side: RECORD FIELD --take salesforce, or marketo", param_hint="--as-rule")
    settings = settings_of(config)
    from consumers.answers.desk.waiting import rule_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.desk.waiting import print_rule  # noqa: PLC0415 - quick start
    from streams.wire.systems import System  # noqa: PLC0415 - quick start

    told = finish(rule_of(settings, name, field, System(take.value), most=100_000))
    if json:
        print_json(told)
    else:
        print_rule(console(), told)

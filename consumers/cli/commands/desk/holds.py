"""`tandem holds`: which records wait, or are refused, why, and what can be done about it."""

from typing import Annotated

import typer

from consumers.cli.commands.desk.picked import RECORD_HELP, All, Apply, Cause, Most, acted, chosen_of, without_addresses
from consumers.cli.terms import DEFAULT_CONFIG, Config, Json, Reason, console, examples, finish, print_json, settings_of

_NO_HOLDS = "Nothing is held or refused."
holds_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, short_help="Records that wait, or are refused, and what helps.")


@holds_app.command("list", short_help="By cause, with what helps.", epilog=examples("tandem holds list", "tandem holds list --json"))
def list_holds(config: Config = DEFAULT_CONFIG, *, cause: Cause = "", most: Most = 1_000, json: Json = False) -> None:
    """Records that wait as a whole, and what a system refuses of others, by cause, with what helps (`tandem list held` names each)."""
    settings = settings_of(config)
    from consumers.answers.desk.waiting import holds_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.desk.waiting import print_groups  # noqa: PLC0415 - quick start
    from consumers.desk.waiting import grouped  # noqa: PLC0415 - quick start

    told = finish(holds_of(settings, cause=cause, most=most))
    if json:
        print_json({"causes": grouped(told), "holds": told})
    else:
        print_groups(console(), grouped(told), nothing=_NO_HOLDS)


@holds_app.command("show", short_help="One in full.", epilog=examples("tandem holds show ada@example.com", "tandem holds show pair:17"))
def show_hold(
    name: Annotated[str, typer.Argument(metavar="RECORD", help=RECORD_HELP)], config: Config = DEFAULT_CONFIG, *, json: Json = False
) -> None:
    """Why a record waits, and what helps; where several may be meant, the candidates side by side."""
    settings = settings_of(config)
    from consumers.answers.desk.waiting import hold_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.desk.waiting import print_hold  # noqa: PLC0415 - quick start

    told = finish(hold_of(settings, name, most=100_000))
    if json:
        print_json(told)
    else:
        for each in told:
            print_hold(console(), each)


@holds_app.command(
    "retry",
    short_help="Try what keeps them once more; --apply does it.",
    epilog=examples("tandem holds retry ada@example.com", "tandem holds retry --cause out-of-sight --apply"),
)
def retry_holds(
    names: Annotated[list[str] | None, typer.Argument(metavar="[RECORD...]", help=f"{RECORD_HELP} Or --cause, or --all.")] = None,
    config: Config = DEFAULT_CONFIG,
    *,
    cause: Cause = "",
    everything: All = False,
    most: Most = 1_000,
    apply: Apply = False,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Try once more what keeps records, or is refused of them: they are read again where something may have been missed, and written to
    again. Without --apply it is said what would be done, and what would be written by that now; 6 where anything would."""
    settings = settings_of(config)
    from consumers.answers.desk.waiting import retried_holds  # noqa: PLC0415 - quick start
    from consumers.audit_log.deeds import who_acts  # noqa: PLC0415 - quick start

    chosen = chosen_of(names or [], cause, everything=everything, most=most)
    acting = retried_holds(settings, chosen, who=who_acts(), apply=apply)
    what = {"records": without_addresses(names or []), "cause": cause, "all": everything}
    acted(settings, "holds retry", what, acting, apply=apply, reason=reason, json=json, nothing=_NO_HOLDS)


@holds_app.command(
    "resolve",
    short_help="Choose whom an ambiguous match is; --apply does it.",
    epilog=examples("tandem holds resolve pair:17 --with pair:4", "tandem holds resolve 1001 --with 00Q5f000005bwLFEAY --apply"),
)
def resolve_hold(
    name: Annotated[str, typer.Argument(metavar="RECORD", help=RECORD_HELP)],
    config: Config = DEFAULT_CONFIG,
    *,
    candidate: Annotated[str, typer.Option("--with", metavar="CANDIDATE", help="Who it is: one of those that `tandem holds show` names.")],
    apply: Apply = False,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Choose whom a record is that may be several: both are one then, and the rules decide what differs, as at any meeting."""
    settings = settings_of(config)
    from consumers.answers.desk.waiting import chosen_match  # noqa: PLC0415 - quick start
    from consumers.audit_log.deeds import who_acts  # noqa: PLC0415 - quick start

    acting = chosen_match(settings, name, candidate, who=who_acts(), apply=apply)
    what = {"record": without_addresses([name])[0], "with": without_addresses([candidate])[0]}
    acted(settings, "holds resolve", what, acting, apply=apply, reason=reason, json=json, nothing=_NO_HOLDS)

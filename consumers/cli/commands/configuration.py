"""`tandem config`: the configuration itself."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from consumers.cli.terms import DEFAULT_CONFIG, Config, Exit, Json, Reason, console, examples, finish, print_json, settings_of

if TYPE_CHECKING:
    from consumers.reports.records.mapped import Mapped

config_app = typer.Typer(
    help="The configuration itself: what is in effect, which field is which, its schema and reference.",
    short_help="What is configured; which field is which.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@config_app.command("schema", short_help="The JSON Schema, for editors.", epilog=examples("tandem config schema > tandem.schema.json"))
def config_schema() -> None:
    """Print the JSON Schema of the configuration, for editors."""
    from consumers.configuration.reference import schema_text  # noqa: PLC0415 - quick start

    sys.stdout.write(schema_text().decode())


@config_app.command("reference", short_help="Every key, as Markdown.", epilog=examples("tandem config reference | less"))
def config_reference() -> None:
    """Print the reference of all keys, as Markdown."""
    from consumers.configuration.reference import reference_tables  # noqa: PLC0415 - quick start

    sys.stdout.write(reference_tables())


@config_app.command("mapping", short_help="Which field is which.", epilog=examples("tandem config mapping", "tandem config mapping --json"))
def config_mapping(config: Config = DEFAULT_CONFIG, *, json: Json = False) -> None:
    """Print which field of Salesforce is which of Marketo, where edits flow, and who wins a conflict."""
    settings = settings_of(config)
    from consumers.cli.text.mapping import print_mapping  # noqa: PLC0415 - quick start
    from consumers.reports.records.mapped import mapped  # noqa: PLC0415 - quick start

    told = mapped(settings)
    if json:
        print_json(told)
    else:
        print_mapping(console(), told)


@config_app.command(
    "versions", short_help="Which rules were in use since when.", epilog=examples("tandem config versions", "tandem config versions --json")
)
def config_versions(
    config: Config = DEFAULT_CONFIG,
    *,
    most: Annotated[int, typer.Option("--most", min=1, max=1_000, help="At most so many, the newest first.")] = 20,
    json: Json = False,
) -> None:
    """Every version of the rules that workers have run under: its number, which decisions carry, since when, and what it changed."""
    settings = settings_of(config)
    from consumers.answers.logs.trying import versions_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.trying import print_versions  # noqa: PLC0415 - quick start

    told = finish(versions_of(settings, most))
    if json:
        print_json(told)
    else:
        print_versions(console(), told)


@config_app.command(
    "rollback",
    short_help="Go back to a version of the rules; --apply does it.",
    epilog=examples("tandem config rollback 3", 'tandem config rollback 3 --apply --reason "the new rule lost titles"'),
)
def config_rollback(
    number: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="Its number, as `tandem config versions` tells.")],
    config: Config = DEFAULT_CONFIG,
    *,
    apply: Annotated[bool, typer.Option("--apply", help="Write the configuration file; without this nothing is changed.")] = False,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Go back to the rules of a version: what would be otherwise, and the lines of the configuration; 6 where there are any.

    With --apply the configuration file is written with the rules of that version in place of its own, and the file as it was is kept beside
    it. Nothing else of it is touched. Workers read it when they are started again: then it is a version of its own.
    """
    settings = settings_of(config)
    from consumers.answers.rules import going_back, went_back  # noqa: PLC0415 - quick start
    from consumers.cli.noted import noted  # noqa: PLC0415 - quick start
    from consumers.cli.text.rules import print_going_back, print_went_back  # noqa: PLC0415 - quick start

    if apply:
        done = finish(noted(settings, "config rollback", {"version": number}, went_back(settings, number, config), reason))
        if json:
            print_json(done)
        else:
            print_went_back(console(), done)
        return
    told = finish(going_back(settings, number))
    if json:
        print_json(told)
    else:
        print_going_back(console(), told)
    if told.lines:
        raise typer.Exit(int(Exit.CHANGES))


@config_app.command("show", short_help="What is in effect.", epilog=examples("tandem config show", "tandem config show --json"))
def config_show(config: Config = DEFAULT_CONFIG, *, json: Json = False) -> None:
    """Print the configuration in effect, defaults included and secrets left out, and (as comments) the mapping in effect."""
    settings = settings_of(config)
    from consumers.configuration.reference import shown  # noqa: PLC0415 - quick start
    from consumers.reports.records.mapped import mapped  # noqa: PLC0415 - quick start

    if json:
        print_json(shown(settings))
        return
    import yaml  # noqa: PLC0415 - quick start

    sys.stdout.write(yaml.safe_dump(shown(settings), sort_keys=False, allow_unicode=True))
    sys.stdout.writelines(f"# {line}\n" for line in _comments(mapped(settings)))


def _comments(told: "tuple[Mapped, ...]") -> Iterator[str]:
    yield "The mapping in effect: Salesforce, direction, Marketo, type, in a conflict"
    for each in told:
        arrow = {"both": "<->", "to_marketo": "-->", "to_salesforce": "<--"}[each.direction]
        yield f"{each.object}: {each.salesforce or '(Tandem)'} {arrow} {each.marketo}, {each.type}, {each.conflict}"

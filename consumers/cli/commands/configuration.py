"""`tandem config`: the configuration itself."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from consumers.cli.terms import DEFAULT_CONFIG, Config, Json, console, examples, finish, print_json, settings_of

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
    from consumers.answers.trying import versions_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.trying import print_versions  # noqa: PLC0415 - quick start

    told = finish(versions_of(settings, most))
    if json:
        print_json(told)
    else:
        print_versions(console(), told)


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

"""`tandem visibility` and `tandem fields`: what both systems show of their fields, against what the configuration maps."""

from typing import TYPE_CHECKING, Annotated

import typer

from consumers.cli.terms import DEFAULT_CONFIG, Config, Exit, Json, console, examples, finish, print_json, settings_of

if TYPE_CHECKING:
    from consumers.configuration.loading import Settings

Only = Annotated[str | None, typer.Argument(metavar="[OBJECT]", help="As in the configuration: lead, contact, account ...")]


def add_sight_commands(app: typer.Typer) -> None:
    """Both commands."""
    shown = examples("tandem visibility", "tandem visibility contact --all", "tandem visibility --json")
    app.command(short_help="What is synced, what is hidden, and why.", epilog=shown)(visibility)
    offered = examples("tandem fields", "tandem fields lead --all", "tandem fields --json")
    app.command(short_help="Fields that appeared, vanished or changed.", epilog=offered)(fields)


def visibility(
    only: Only = None,
    config: Config = DEFAULT_CONFIG,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also name the fields that nothing is mapped to.")] = False,
    json: Json = False,
) -> None:
    """Say of each object and field what is synced, what is not, and why, on both sides; 1 where a mapped one is hidden or stopped."""
    settings = settings_of(config)
    from consumers.answers.looking.sight import visibility_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.looking.sight import print_visibility  # noqa: PLC0415 - quick start
    from consumers.fitting.visibility import Sight  # noqa: PLC0415 - quick start

    wanted = _object(settings, only)
    lines = [each for each in finish(visibility_of(settings)) if wanted in (None, each.object)]
    if json:
        print_json(lines)
    else:
        print_visibility(console(), lines, everything=everything)
    if any(each.sight in (Sight.HIDDEN, Sight.STOPPED) for each in lines):
        raise typer.Exit(int(Exit.PROBLEMS))


def fields(
    only: Only = None,
    config: Config = DEFAULT_CONFIG,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also the fields that are mapped, and fit.")] = False,
    json: Json = False,
) -> None:
    """Compare the fields of both systems with the mapping: which are offered, have vanished or changed, and the line that maps each."""
    settings = settings_of(config)
    from consumers.cli.systems import offers_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.looking.sight import print_offers  # noqa: PLC0415 - quick start
    from consumers.fitting.offers import Standing  # noqa: PLC0415 - quick start

    wanted = _object(settings, only)
    lines = [each for each in finish(offers_of(settings)) if wanted in (None, each.object)]
    if json:
        print_json(lines)
    else:
        print_offers(console(), lines, everything=everything)
    if any(each.standing in (Standing.VANISHED, Standing.CHANGED) for each in lines):
        raise typer.Exit(int(Exit.PROBLEMS))


def _object(settings: "Settings", name: str | None) -> str | None:
    from consumers.configuration.mapping.registered import registry_of  # noqa: PLC0415 - quick start

    known = registry_of(settings)
    found = known.called(name) if name is not None else None
    if name is not None and found is None:
        raise typer.BadParameter(f"{name}: one of {', '.join(known.sorts)}", param_hint="OBJECT")
    return found

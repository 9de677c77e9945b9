"""`tandem visibility` and `tandem fields`: what both systems show of their fields, against what the configuration maps."""

from typing import Annotated

import typer

from consumers.cli.terms import DEFAULT_CONFIG, Config, Exit, Json, console, examples, finish, print_json, settings_of

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
    from consumers.cli.sight_text import print_visibility  # noqa: PLC0415 - quick start
    from consumers.cli.systems import visibility_of  # noqa: PLC0415 - quick start
    from consumers.fitting.visibility import Sight  # noqa: PLC0415 - quick start

    wanted = _object(only)
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
    from consumers.cli.sight_text import print_offers  # noqa: PLC0415 - quick start
    from consumers.cli.systems import offers_of  # noqa: PLC0415 - quick start
    from consumers.fitting.offers import Standing  # noqa: PLC0415 - quick start

    wanted = _object(only)
    lines = [each for each in finish(offers_of(settings)) if wanted in (None, each.object)]
    if json:
        print_json(lines)
    else:
        print_offers(console(), lines, everything=everything)
    if any(each.standing in (Standing.VANISHED, Standing.CHANGED) for each in lines):
        raise typer.Exit(int(Exit.PROBLEMS))


def _object(name: str | None) -> str | None:
    from consumers.kinds.registry import SORTS  # noqa: PLC0415 - quick start

    if name is not None and name.lower() not in SORTS:
        raise typer.BadParameter(f"{name}: one of {', '.join(SORTS)}", param_hint="OBJECT")
    return None if name is None else name.lower()

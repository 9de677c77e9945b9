"""`tandem custom-objects`: Marketo's custom objects as Salesforce's are."""

from typing import Annotated

import typer

from consumers.cli.terms import DEFAULT_CONFIG, Config, Exit, Json, console, examples, finish, print_json, settings_of

custom_app = typer.Typer(
    help="Custom objects: what Marketo lacks of those in the configuration, and how it gets it.",
    short_help="Custom objects in Marketo: plan and apply.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Everything = Annotated[bool, typer.Option("--all", help="Also the fields that are left out, and why.")]


@custom_app.command(
    "plan",
    short_help="What Marketo lacks.",
    epilog=examples("tandem custom-objects plan", "tandem custom-objects plan --all", "tandem custom-objects plan --json"),
)
def custom_plan(
    config: Config = DEFAULT_CONFIG,
    *,
    everything: Everything = False,
    json: Json = False,
) -> None:
    """Compare the custom objects of the configuration with Marketo's, and say what would be made. Nothing is changed."""
    _run(config, make=False, everything=everything, json=json)


@custom_app.command(
    "apply", short_help="Make it in Marketo.", epilog=examples("tandem custom-objects apply", "tandem custom-objects apply --json")
)
def custom_apply(
    config: Config = DEFAULT_CONFIG,
    *,
    everything: Everything = False,
    json: Json = False,
) -> None:
    """Make in Marketo what `plan` shows: drafts, their fields and links, and their approval. What can't be made is left alone."""
    _run(config, make=True, everything=everything, json=json)


def _run(config: Config, *, make: bool, everything: bool, json: bool) -> None:
    settings = settings_of(config)
    from consumers.cli.systems import custom_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.custom_objects import print_plan  # noqa: PLC0415 - quick start

    told = finish(custom_of(settings, make=make))
    if json:
        print_json({"objects": told.objects, "by_hand": told.by_hand, "changes": told.changes, "problems": told.problems, "applied": make})
    else:
        print_plan(console(), told, made=make, everything=everything)
    if told.problems:
        raise typer.Exit(int(Exit.PROBLEMS))
    if told.changes and not make:
        raise typer.Exit(int(Exit.CHANGES))

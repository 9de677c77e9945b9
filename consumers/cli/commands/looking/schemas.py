"""`tandem schemas`: the topics' schemas in a schema registry."""

from typing import Annotated

import typer

from consumers.cli.terms import DEFAULT_CONFIG, Config, Exit, Json, Reason, console, examples, finish, print_json, settings_of

REGISTER = "schemas register"
"""The act in the audit log."""


def add_schemas_command(app: typer.Typer) -> None:
    """The command."""
    shown = examples("tandem schemas", "tandem schemas --register", "tandem schemas --json")
    app.command(short_help="The topics' schemas in a schema registry.", epilog=shown)(schemas)


def schemas(
    config: Config = DEFAULT_CONFIG,
    *,
    register: Annotated[bool, typer.Option("--register", help="Register what is new or has changed; without it nothing is.")] = False,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """How the JSON Schema of each topic's values stands in the schema registry (`schema_registry` in the configuration), under the subject
    TOPIC-value: the same, new, changed, or not compatible with what is there; the registry itself is asked whether it may follow.

    With --register all of them are registered, or, where one is not compatible, none. 6 where something would be, 1 where one is not
    compatible. Messages stay plain JSON on their topics, without the registry's prefix of five bytes.
    """
    settings = settings_of(config)
    from consumers.answers.logs.schemas import registered, schemas_of  # noqa: PLC0415 - quick start
    from consumers.cli.noted import noted  # noqa: PLC0415 - quick start
    from consumers.cli.text.looking.schemas import print_subjects  # noqa: PLC0415 - quick start
    from consumers.subscriptions.registered import Stand  # noqa: PLC0415 - quick start

    if register:
        found = finish(noted(settings, REGISTER, {"registry": settings.schema_registry.url or ""}, registered(settings), reason))
    else:
        found = finish(schemas_of(settings))
    if json:
        print_json(found)
    else:
        print_subjects(console(), found, registered=register)
    if any(each.stand is Stand.INCOMPATIBLE for each in found):
        raise typer.Exit(int(Exit.PROBLEMS))
    if not register and any(each.stand is not Stand.SAME for each in found):
        raise typer.Exit(int(Exit.CHANGES))

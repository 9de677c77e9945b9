"""`tandem topics` and `tandem subscribe`: the topics in words, and what is on them."""

import sys
import time
from typing import Annotated

import typer

from consumers.cli.terms import DEFAULT_CONFIG, Config, Json, console, examples, finish, print_json, settings_of

_SEVERAL = "may be given several times."


def add_subscription_commands(app: typer.Typer) -> None:
    """Both commands."""
    described = examples("tandem topics", "tandem topics --json", "tandem topics --asyncapi > asyncapi.json")
    app.command(short_help="Which topics there are, and what is on them.", epilog=described)(topics)
    shown = examples(
        "tandem subscribe decisions --since 1h --verdict lost",
        "tandem subscribe salesforce.lead --field Email --follow",
        "tandem subscribe marketo.person --record ada@example.com --json --reveal",
    )
    app.command(short_help="What is on a topic, and what comes.", epilog=shown)(subscribe)


def topics(
    config: Config = DEFAULT_CONFIG,
    *,
    asyncapi: Annotated[
        bool, typer.Option("--asyncapi", help="Print an AsyncAPI 3 document with the JSON Schema of every message.")
    ] = False,
    json: Json = False,
) -> None:
    """Which topics there are, what is on each, and what it is called for short."""
    settings = settings_of(config)
    from consumers.cli.text.looking.subscribed import print_topics  # noqa: PLC0415 - quick start
    from consumers.configuration.mapping.registered import registry_of  # noqa: PLC0415 - quick start
    from consumers.subscriptions.topics import topics as all_topics  # noqa: PLC0415 - quick start

    if asyncapi:
        from importlib.metadata import version  # noqa: PLC0415 - quick start

        from consumers.subscriptions.published import asyncapi_text  # noqa: PLC0415 - quick start

        sys.stdout.write(asyncapi_text(registry_of(settings), version("tandem")).decode())
        return
    found = all_topics(registry_of(settings))
    if json:
        print_json(found)
    else:
        print_topics(console(), found)


def subscribe(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="Its name, or the short one: salesforce.lead, marketo.person, decisions.")],
    config: Config = DEFAULT_CONFIG,
    *,
    since: Annotated[
        str | None, typer.Option("--since", help="From then on: 90s, 2h, 7d, or 2026-11-29T08:00 (your time zone). Else all that is kept.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")] = False,
    kind: Annotated[
        list[str] | None, typer.Option("--kind", help=f"What happened: created, updated, judged, written ...; {_SEVERAL}")
    ] = None,
    field: Annotated[list[str] | None, typer.Option("--field", help=f"A field, by its name on either side; {_SEVERAL}")] = None,
    record: Annotated[
        list[str] | None, typer.Option("--record", help=f"A Salesforce id, a Marketo id, an e-mail address, or pair:NUMBER; {_SEVERAL}")
    ] = None,
    actor: Annotated[list[str] | None, typer.Option("--actor", help=f"Who made the change, by the id of the user; {_SEVERAL}")] = None,
    verdict: Annotated[
        list[str] | None, typer.Option("--verdict", help=f"Of decisions: accepted, won, lost, echo, rejected ...; {_SEVERAL}")
    ] = None,
    most: Annotated[int | None, typer.Option("--most", min=1, help="End after so many.")] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show values as they are; masked otherwise. Recorded with your name.")] = False,
    json: Annotated[bool, typer.Option("--json", help="A line of JSON for each message.")] = False,
) -> None:
    """What is on a topic: all that is kept of it, or since a moment; then, with --follow, what comes, without a hole between.

    Reads as any subscriber: nothing of Tandem's own moves. Values are masked unless --reveal.
    """
    settings = settings_of(config)
    from consumers.cli.subscribed import Asked, printed  # noqa: PLC0415 - quick start
    from consumers.subscriptions.since import NoMoment, moment_of  # noqa: PLC0415 - quick start

    try:
        since_ms = moment_of(since, round(time.time() * 1000)) if since else None
    except NoMoment as error:
        raise typer.BadParameter(str(error), param_hint="--since") from None
    asked = Asked(
        topic=topic,
        since_ms=since_ms,
        follow=follow,
        kinds=kind or [],
        fields=field or [],
        records=record or [],
        actors=actor or [],
        verdicts=verdict or [],
        most=most,
        reveal=reveal,
        json=json,
    )
    finish(printed(settings, asked, console()))

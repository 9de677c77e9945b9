"""`tandem deliveries`: topics for those without Kafka, as webhooks that are called and as streams that are listened to."""

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumers.cli.terms import DEFAULT_CONFIG, Config, Exit, Json, Reason, console, examples, fail, finish, print_json, settings_of

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, TypeVar

    from consumers.answers.logs.delivering import Shared
    from consumers.configuration.loading import Settings

    _T = TypeVar("_T")

SECRET = "TANDEM_DELIVERY_SECRET"  # noqa: S105 - the name of an environment variable
_SEVERAL = "may be given several times."
_PLACE = re.compile(r"(\d{1,6}):(\d{1,18})")
Name = Annotated[str, typer.Argument(metavar="NAME", help="The delivery (`tandem deliveries list`).")]
SecretFile = Annotated[
    Path | None,
    typer.Option("--secret-file", help=f"Sign with the secret in this file (or in {SECRET}); else one is made, and shown once."),
]
deliveries_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Topics for those without Kafka: signed webhooks, and server-sent events."
)


@deliveries_app.command(
    short_help="Begin one.",
    epilog=examples(
        "tandem deliveries create billing --topic decisions --url https://billing.example.com/hooks/tandem --verdict lost",
        "tandem deliveries create board --topic salesforce.lead --field Email --since all",
    ),
)
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called from now on: small letters, digits, dots, dashes.")],
    config: Config = DEFAULT_CONFIG,
    *,
    topic: Annotated[str, typer.Option("--topic", help="Its name, or the short one: salesforce.lead, marketo.person, decisions.")],
    url: Annotated[
        str,
        typer.Option(
            "--url", help="Call this webhook with each message; without, it is listened to over the HTTP API.", show_default=False
        ),
    ] = "",
    since: Annotated[str, typer.Option("--since", help="From then on: now, all, 90s, 2h, 7d, or a date.")] = "now",
    kind: Annotated[list[str] | None, typer.Option("--kind", help=f"What happened: created, updated, judged ...; {_SEVERAL}")] = None,
    field: Annotated[list[str] | None, typer.Option("--field", help=f"A field, by its name on either side; {_SEVERAL}")] = None,
    record: Annotated[list[str] | None, typer.Option("--record", help=f"An id, an e-mail address, or pair:NUMBER; {_SEVERAL}")] = None,
    actor: Annotated[list[str] | None, typer.Option("--actor", help=f"Who made the change, by the id of the user; {_SEVERAL}")] = None,
    verdict: Annotated[list[str] | None, typer.Option("--verdict", help=f"Of decisions: accepted, won, lost ...; {_SEVERAL}")] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="A webhook carries personal data as it is; masked otherwise. Recorded.")] = False,
    secret_file: SecretFile = None,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Begin a delivery: each message of a topic that fits is posted to a URL, signed by the Standard Webhooks specification, in order and
    at least once (the same `webhook-id` when it comes again); or, without --url, is listened to at /api/v1/deliveries/NAME/events.

    The secret is shown once, now. URLs at private, loopback or link-local addresses need `deliveries.private_hosts`; http does, too.
    """
    settings, secret = settings_of(config), _secret(secret_file)
    from consumers.answers.logs.delivering import Asked  # noqa: PLC0415 - quick start
    from consumers.answers.logs.delivering import create as creating  # noqa: PLC0415 - quick start
    from consumers.audit_log.deeds import who_acts  # noqa: PLC0415 - quick start
    from consumers.deliveries.addresses import shown_url  # noqa: PLC0415 - quick start
    from consumers.deliveries.delivery import Way  # noqa: PLC0415 - quick start

    asked = Asked(
        name=name, topic=topic, way=Way.WEBHOOK if url else Way.EVENTS, url=url, kinds=kind or (), fields=field or (), records=record or (),
        actors=actor or (), verdicts=verdict or (), since_ms=_since(since), reveal=reveal, secret=secret,
    )  # fmt: skip
    what = {"name": name, "topic": topic, "url": shown_url(url), "reveal": reveal, "records": len(record or [])}
    made = _done(settings, "deliveries create", what, creating(settings, asked, who=who_acts()), reason)
    _say(made, json=json)


@deliveries_app.command("list", short_help="Which there are.", epilog=examples("tandem deliveries list", "tandem deliveries list --json"))
def list_all(config: Config = DEFAULT_CONFIG, *, json: Json = False) -> None:
    """Which deliveries there are, how each stands, how far it is behind, and when it is tried next. 1 where one fails or is disabled."""
    settings = settings_of(config)
    from consumers.answers.logs.delivering import deliveries_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.deliveries import print_deliveries  # noqa: PLC0415 - quick start

    found = finish(deliveries_of(settings))
    if json:
        print_json(found)
    else:
        print_deliveries(console(), found)
    if any(each.failing_since or each.state == "disabled" for each in found):
        raise typer.Exit(int(Exit.PROBLEMS))


@deliveries_app.command(
    short_help="One of them.", epilog=examples("tandem deliveries show billing", "tandem deliveries show billing --json")
)
def show(name: Name, config: Config = DEFAULT_CONFIG, *, json: Json = False) -> None:
    """What a delivery wants, how far it is in each partition, and how its calls go."""
    settings = settings_of(config)
    from consumers.answers.logs.delivering import delivery_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.deliveries import print_delivery  # noqa: PLC0415 - quick start

    found = _told(delivery_of(settings, name))
    if json:
        print_json(found)
    else:
        print_delivery(console(), found)


@deliveries_app.command(
    short_help="Deliver nothing for a while.", epilog=examples('tandem deliveries pause billing --reason "their release"')
)
def pause(name: Name, config: Config = DEFAULT_CONFIG, *, reason: Reason = "", json: Json = False) -> None:
    """Deliver nothing until it is resumed; what comes meanwhile waits on its topic, for as long as that keeps messages."""
    settings = settings_of(config)
    from consumers.answers.logs.delivering import pause as pausing  # noqa: PLC0415 - quick start
    from consumers.audit_log.deeds import who_acts  # noqa: PLC0415 - quick start
    from consumers.cli.text.deliveries import print_delivery  # noqa: PLC0415 - quick start

    work = pausing(settings, name, who=who_acts(), why=reason.strip())
    found = _done(settings, "deliveries pause", {"name": name}, work, reason)
    print_json(found) if json else print_delivery(console(), found)


@deliveries_app.command(short_help="Go on, at once.", epilog=examples("tandem deliveries resume billing"))
def resume(name: Name, config: Config = DEFAULT_CONFIG, *, reason: Reason = "", json: Json = False) -> None:
    """Go on where it stopped, at once: one that is paused, that its receiver disabled (410), or that waits for its next attempt."""
    settings = settings_of(config)
    from consumers.answers.logs.delivering import resume as resuming  # noqa: PLC0415 - quick start
    from consumers.cli.text.deliveries import print_delivery  # noqa: PLC0415 - quick start

    found = _done(settings, "deliveries resume", {"name": name}, resuming(settings, name), reason)
    print_json(found) if json else print_delivery(console(), found)


@deliveries_app.command("test", short_help="Call its webhook once.", epilog=examples("tandem deliveries test billing"))
def try_out(name: Name, config: Config = DEFAULT_CONFIG, *, reason: Reason = "", json: Json = False) -> None:
    """Call its webhook once from here with a message of the type tandem.test, signed as any other, and say what it answers."""
    settings = settings_of(config)
    from consumers.answers.logs.delivering import try_out as trying  # noqa: PLC0415 - quick start

    answer = _done(settings, "deliveries test", {"name": name}, trying(settings, name), reason)
    if json:
        print_json(answer)
    elif answer.result == "delivered":
        console().print(f"Delivered: the receiver answered {answer.status}.")
    if answer.result != "delivered":
        fail("" if json else f"Not delivered: {answer.words}.", Exit.PROBLEMS)


@deliveries_app.command(
    short_help="Sign with another secret.",
    epilog=examples("tandem deliveries rotate billing", "tandem deliveries rotate billing --overlap 1h"),
)
def rotate(
    name: Name,
    config: Config = DEFAULT_CONFIG,
    *,
    overlap: Annotated[str, typer.Option("--overlap", help="So long the one before signs as well: 0s, 1h, 24h.")] = "24h",
    secret_file: SecretFile = None,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Sign with another secret from now on, and for a while with the one before as well: a receiver takes either. Shown once, now."""
    settings, secret = settings_of(config), _secret(secret_file)
    from consumers.answers.logs.delivering import rotate as rotating  # noqa: PLC0415 - quick start
    from consumers.configuration.reading.times import duration  # noqa: PLC0415 - quick start

    try:
        seconds = duration(overlap.strip())
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--overlap") from None
    work = rotating(settings, name, secret=secret, overlap_seconds=seconds)
    _say(_done(settings, "deliveries rotate", {"name": name, "overlap_seconds": seconds}, work, reason), json=json)


@deliveries_app.command(
    short_help="Set its cursor.",
    epilog=examples("tandem deliveries rewind billing --since 24h", "tandem deliveries rewind billing --offset 3:1201"),
)
def rewind(
    name: Name,
    config: Config = DEFAULT_CONFIG,
    *,
    since: Annotated[str | None, typer.Option("--since", help="To then: now, all, 90s, 2h, 7d, or a date.")] = None,
    offset: Annotated[
        list[str] | None, typer.Option("--offset", metavar="PARTITION:OFFSET", help=f"Only this partition, to there; {_SEVERAL}")
    ] = None,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Set its cursor back, or forth: past a message that its receiver can't take. What comes again has the same `webhook-id`."""
    if (since is None) == (not offset):
        raise typer.BadParameter("one of them: --since or --offset", param_hint="--since")
    settings = settings_of(config)
    from consumers.answers.logs.delivering import rewind as rewinding  # noqa: PLC0415 - quick start
    from consumers.cli.text.deliveries import print_delivery  # noqa: PLC0415 - quick start

    offsets = dict(_place(each) for each in offset or [])
    work = rewinding(settings, name, since_ms=_since(since) if since else None, offsets=offsets)
    found = _done(settings, "deliveries rewind", {"name": name, "since": since or "", "offsets": offset or []}, work, reason)
    print_json(found) if json else print_delivery(console(), found)


@deliveries_app.command(short_help="End it.", epilog=examples("tandem deliveries delete billing --yes"))
def delete(
    name: Name,
    config: Config = DEFAULT_CONFIG,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """End it: its cursor and its secrets are gone."""
    settings = settings_of(config)
    from consumers.answers.logs.delivering import delete as deleting  # noqa: PLC0415 - quick start

    if not yes and (json or not typer.confirm(f"Delete {name}, with its cursor and its secret?")):
        fail("Not confirmed; nothing was done (--yes confirms it).", Exit.PROBLEMS)
    _done(settings, "deliveries delete", {"name": name}, deleting(settings, name), reason)
    print_json({"deleted": name}) if json else console().print(f"{name} is gone.", markup=False)


def _done(settings: "Settings", act: str, what: "dict[str, Any]", work: "Coroutine[Any, Any, _T]", reason: str) -> "_T":
    """Written down, then done."""
    from consumers.cli.noted import noted  # noqa: PLC0415 - quick start

    return _told(noted(settings, act, what, work, reason))


def _told(work: "Coroutine[Any, Any, _T]") -> "_T":
    from consumers.deliveries.delivery import UnknownDelivery, Unusable  # noqa: PLC0415 - quick start

    try:
        return finish(work)
    except Unusable as error:
        fail(f"{error}.", Exit.CONFIGURATION)
    except UnknownDelivery as error:
        fail(f"{error.args[0]}.", Exit.PROBLEMS)


def _say(made: "Shared", *, json: bool) -> None:
    from consumers.cli.text.deliveries import print_delivery, print_secret  # noqa: PLC0415 - quick start

    if json:
        print_json({"delivery": made.delivery, "secret": made.secret})
        return
    print_delivery(console(), made.delivery)
    if made.secret:
        print_secret(console(), made.secret)


def _since(text: str) -> int | None:
    """None: all."""
    from consumers.subscriptions.since import NoMoment, moment_of  # noqa: PLC0415 - quick start

    now = round(time.time() * 1000)
    if text.strip() in ("all", "now"):
        return now if text.strip() == "now" else None
    try:
        return moment_of(text, now)
    except NoMoment as error:
        raise typer.BadParameter(f"{error}; or now, or all", param_hint="--since") from None


def _place(text: str) -> tuple[int, int]:
    match = _PLACE.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no place; write PARTITION:OFFSET, such as 3:1200", param_hint="--offset")
    return int(match[1]), int(match[2])


def _secret(file: Path | None) -> str:
    """What is brought along; empty: one is to be made."""
    if file is None:
        return os.environ.get(SECRET, "").strip()
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise typer.BadParameter(f"{file} can't be read ({said})", param_hint="--secret-file") from None

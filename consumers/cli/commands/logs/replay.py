"""`tandem replay`: a part of a topic sent again, to standard output, a file or another topic."""

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consumers.cli.commands.logs.trying import Reveal, progress
from consumers.cli.terms import DEFAULT_CONFIG, Config, Exit, Json, Reason, console, examples, finish, print_json, settings_of

if TYPE_CHECKING:
    from consumers.cli.replayed import Asked
    from consumers.configuration.loading import Settings

_SEVERAL = "may be given several times."
_PLACE = re.compile(r"(\d+):(\d+)")
_SPAN = re.compile(r"(\d+)?\.\.(\d+)?")


def add_replay_command(app: typer.Typer) -> None:
    """The command."""
    shown = examples(
        "tandem replay salesforce.lead --since 2026-11-28T08:00 --until 2026-11-28T09:00",
        "tandem replay decisions --since 7d --rule marketo@1 --out decisions.ndjson --resume decisions.cursor",
        "tandem replay marketo.person --record ada@example.com --to-topic ada.again --rate 100",
        "tandem replay salesforce.lead --since 2026-11-28 --until 2026-11-29 --apply",
    )
    app.command(short_help="Send a part of a topic again: to a file, a topic, standard output.", epilog=shown)(replay)


def replay(
    topic: Annotated[str, typer.Argument(metavar="TOPIC", help="Its name, or the short one: salesforce.lead, marketo.person, decisions.")],
    config: Config = DEFAULT_CONFIG,
    *,
    since: Annotated[str | None, typer.Option("--since", help="From then on: 90s, 2h, 7d, or a date. Else all that is kept.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Up to then, not with it. Else up to now.")] = None,
    begin: Annotated[
        list[str] | None, typer.Option("--from", metavar="PARTITION:OFFSET", help=f"Only this partition, from there on; {_SEVERAL}")
    ] = None,
    end: Annotated[list[str] | None, typer.Option("--to", metavar="PARTITION:OFFSET", help=f"Up to there, not with it; {_SEVERAL}")] = None,
    position: Annotated[
        str | None, typer.Option("--position", metavar="FIRST..LAST", help="Replay ids of Salesforce's stream; either may be left out.")
    ] = None,
    kind: Annotated[list[str] | None, typer.Option("--kind", help=f"What happened: created, updated, judged ...; {_SEVERAL}")] = None,
    field: Annotated[list[str] | None, typer.Option("--field", help=f"A field, by its name on either side; {_SEVERAL}")] = None,
    record: Annotated[list[str] | None, typer.Option("--record", help=f"An id, an e-mail address, or pair:NUMBER; {_SEVERAL}")] = None,
    actor: Annotated[list[str] | None, typer.Option("--actor", help=f"Who made the change, by the id of the user; {_SEVERAL}")] = None,
    verdict: Annotated[list[str] | None, typer.Option("--verdict", help=f"Of decisions: accepted, won, lost ...; {_SEVERAL}")] = None,
    rule: Annotated[list[str] | None, typer.Option("--rule", help=f"Decided by this rule: newest, or marketo@1; {_SEVERAL}")] = None,
    cause: Annotated[
        list[str] | None, typer.Option("--cause", help=f"A call or transaction by its system's name, or TOPIC/PARTITION@OFFSET; {_SEVERAL}")
    ] = None,
    config_version: Annotated[
        list[int] | None, typer.Option("--config-version", help=f"Decided under this version (`tandem config versions`); {_SEVERAL}")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Into this file, a line of JSON a message.")] = None,
    to_topic: Annotated[
        str | None, typer.Option("--to-topic", help="Onto this topic, unmasked: keys, values and headers as they were. Recorded.")
    ] = None,
    rate: Annotated[float | None, typer.Option("--rate", min=0.01, help="At most so many messages a second.")] = None,
    apply: Annotated[
        bool,
        typer.Option("--apply", help="Judge the records that it names, as they are today: the plan first, then done if that is confirmed."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --apply: don't ask, do what the plan says.")] = False,
    resume: Annotated[
        Path | None, typer.Option("--resume", help="Keep in this file how far it is, and go on from there where it has been stopped.")
    ] = None,
    reveal: Reveal = False,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Send a part of a topic again, in the order in which the broker took it; nothing of Tandem's own moves, and no system is written to.

    With --apply it goes nowhere: both systems are asked for the records that it names, what they show today is judged like any reading, and
    the plan says what would be written: what is newer stays. 6 where anything would be; once that is confirmed, the workers write it.

    A part that lies in the past gives the same bytes each time. Stopped at any moment, with --resume it goes on as if it had not been: give
    --until as a date then, not as a time ago. For a ledger made of the log there is `tandem rebuild`.
    """
    if sum((out is not None, to_topic is not None, apply)) > 1:
        raise typer.BadParameter("one at a time: --out, --to-topic or --apply", param_hint="--to-topic")
    settings = settings_of(config)
    from consumers.cli.replayed import Asked, replayed  # noqa: PLC0415 - quick start

    asked = Asked(
        topic=topic,
        since_ms=_moment(since, "--since"),
        until_ms=_moment(until, "--until"),
        offsets=_offsets(begin or [], end or []),
        positions=_positions(position),
        kinds=kind or [],
        fields=field or [],
        records=record or [],
        actors=actor or [],
        verdicts=verdict or [],
        rules=rule or [],
        causes=cause or [],
        versions=config_version or [],
        out=out,
        to_topic=to_topic,
        rate=rate,
        resume=resume,
        reveal=reveal,
        reason=reason,
        said_since=(since, until),
    )
    if apply:
        _apply(settings, asked, yes=yes, json=json)
        return
    told = finish(replayed(settings, asked, progress("messages")))
    if json and (out or to_topic):
        print_json(told)


def _apply(settings: "Settings", asked: "Asked", *, yes: bool, json: bool) -> None:
    """The plan, a confirmation, the deed."""
    from consumers.cli.replayed import applied_part  # noqa: PLC0415 - quick start
    from consumers.cli.text.trying import print_applied, shown_applied  # noqa: PLC0415 - quick start

    planned = finish(applied_part(settings, asked, progress("messages"), apply=False))
    if not json:
        print_applied(console(), shown_applied(planned, reveal=asked.reveal), done=False)
    confirmed = yes or (not json and planned.changes and typer.prompt("Type apply to do it", default="", show_default=False) == "apply")
    if planned.changes and not confirmed:
        if json:
            print_json(shown_applied(planned, reveal=asked.reveal))
        raise typer.Exit(int(Exit.CHANGES))
    told = finish(applied_part(settings, asked, progress("messages"), apply=True)) if planned.changes else planned
    if json:
        print_json(shown_applied(told, reveal=asked.reveal))
    elif planned.changes:
        print_applied(console(), shown_applied(told, reveal=asked.reveal), done=True)
    if any(each.why for each in told.outcomes):
        raise typer.Exit(int(Exit.PROBLEMS))


def _moment(text: str | None, hint: str) -> int | None:
    from consumers.subscriptions.since import NoMoment, moment_of  # noqa: PLC0415 - quick start

    try:
        return moment_of(text, round(time.time() * 1000)) if text else None
    except NoMoment as error:
        raise typer.BadParameter(str(error), param_hint=hint) from None


def _offsets(begin: list[str], end: list[str]) -> dict[int, tuple[int, int | None]]:
    first, last = _places(begin, "--from"), _places(end, "--to")
    return {partition: (first.get(partition, 0), last.get(partition)) for partition in sorted({*first, *last})}


def _places(told: list[str], hint: str) -> dict[int, int]:
    found = {}
    for each in told:
        match = _PLACE.fullmatch(each.strip())
        if match is None:
            raise typer.BadParameter(f"{each!r} is no place; write PARTITION:OFFSET, such as 3:1200", param_hint=hint)
        found[int(match[1])] = int(match[2])
    return found


def _positions(told: str | None) -> tuple[int, int | None] | None:
    if told is None:
        return None
    match = _SPAN.fullmatch(told.strip())
    if match is None or not (match[1] or match[2]):
        raise typer.BadParameter(f"{told!r} is no span of positions; write FIRST..LAST, such as 1000..2000", param_hint="--position")
    return int(match[1] or 0), int(match[2]) if match[2] else None

"""`tandem pause`, `resume`, `paused`: nothing is written for a while, of all, of a kind, or of a record."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from consumers.cli.terms import DEFAULT_CONFIG, Config, Exit, Json, Reason, console, examples, fail, finish, print_json, settings_of

if TYPE_CHECKING:
    from consumers.answers.desk.control import Chosen

_RECORD = "Only these records: a Salesforce id, a Marketo id, an e-mail address, or pair:NUMBER."


class To(StrEnum):
    """A direction, by where it ends."""

    SALESFORCE = "salesforce"
    MARKETO = "marketo"


Direction = Annotated[To | None, typer.Option("--to", help="Only what is written to this system; without: to both.")]
Kind = Annotated[str, typer.Option("--kind", metavar="KIND", help="Only these: person, account, lead ...", show_default=False)]
Records = Annotated[list[str] | None, typer.Argument(metavar="[RECORD...]", help=_RECORD)]


def add_control_commands(app: typer.Typer) -> None:
    """The three commands, each at the top."""
    app.command(
        "pause",
        short_help="Write nothing for a while.",
        epilog=examples(
            'tandem pause --to marketo --reason "a migration there"',
            'tandem pause --kind account --reason "being cleaned up"',
            'tandem pause ada@example.com --reason "asked for by her"',
        ),
    )(pause)
    app.command("resume", short_help="Write again.", epilog=examples("tandem resume --to marketo", "tandem resume --all"))(resume)
    app.command("paused", short_help="What is paused, by whom, and why.", epilog=examples("tandem paused", "tandem paused --json"))(paused)


def pause(
    records: Records = None,
    config: Config = DEFAULT_CONFIG,
    *,
    to: Direction = None,
    kind: Kind = "",
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Write nothing to a system (or to both) until it is resumed: nothing at all, none of a kind, or not to some records.

    Changes are still taken in and judged; what is owed queues, and is written after `tandem resume`, ten edits of a field as one write.
    Every worker hears of it within two seconds; calls that are under way are finished. --reason is needed: everybody sees it.
    """
    if not reason.strip():
        raise typer.BadParameter("say why, for everybody who sees it: --reason", param_hint="--reason")
    settings = settings_of(config)
    from consumers.answers.desk.control import UnknownKind  # noqa: PLC0415 - quick start
    from consumers.answers.desk.control import pause as pausing  # noqa: PLC0415 - quick start
    from consumers.audit_log.deeds import who_acts  # noqa: PLC0415 - quick start
    from consumers.cli.noted import noted  # noqa: PLC0415 - quick start
    from consumers.cli.text.desk.control import print_paused  # noqa: PLC0415 - quick start

    work = pausing(settings, _chosen(records, to, kind), who=who_acts(), why=reason.strip())
    try:
        told = finish(noted(settings, "pause", _what(records, to, kind), work, reason))
    except UnknownKind as error:
        raise typer.BadParameter(str(error), param_hint="--kind") from error
    if json:
        print_json(told)
    else:
        print_paused(console(), told)


def resume(
    records: Records = None,
    config: Config = DEFAULT_CONFIG,
    *,
    to: Direction = None,
    kind: Kind = "",
    everything: Annotated[bool, typer.Option("--all", help="Whatever is paused.")] = False,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Write again what was paused: all pauses that are of what is named end; --all: every one. What has queued is due at once."""
    if not (records or to or kind or everything):
        raise typer.BadParameter("name what goes on (--to, --kind, records), or give --all")
    settings = settings_of(config)
    from consumers.answers.desk.control import UnknownKind  # noqa: PLC0415 - quick start
    from consumers.answers.desk.control import resume as resuming  # noqa: PLC0415 - quick start
    from consumers.cli.noted import noted  # noqa: PLC0415 - quick start
    from consumers.cli.text.desk.control import print_resumed  # noqa: PLC0415 - quick start

    try:
        told = finish(noted(settings, "resume", _what(records, to, kind), resuming(settings, _chosen(records, to, kind)), reason))
    except UnknownKind as error:
        raise typer.BadParameter(str(error), param_hint="--kind") from error
    if json:
        print_json(told)
    elif told:
        print_resumed(console(), told)
    if not told:
        fail("Nothing of that was paused (`tandem paused` lists what is).", Exit.PROBLEMS)


def paused(config: Config = DEFAULT_CONFIG, *, json: Json = False) -> None:
    """What is paused, by whom, why, since when, and how many records wait for its end."""
    settings = settings_of(config)
    from consumers.answers.desk.control import pauses_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.desk.control import print_paused  # noqa: PLC0415 - quick start

    told = finish(pauses_of(settings))
    if json:
        print_json(told)
    else:
        print_paused(console(), told)


def _chosen(records: list[str] | None, to: To | None, kind: str) -> "Chosen":
    from consumers.answers.desk.control import Chosen  # noqa: PLC0415 - quick start
    from streams.wire.systems import System  # noqa: PLC0415 - quick start

    return Chosen(to=System(to.value) if to else None, kind=kind, records=records or ())


def _what(records: list[str] | None, to: To | None, kind: str) -> dict[str, object]:
    named = ["by e-mail" if "@" in name else name for name in records or ()]
    return {"to": to.value if to else "both", "kind": kind, "records": named}

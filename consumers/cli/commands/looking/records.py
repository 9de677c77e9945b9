"""`tandem record`, `tandem explain` and `tandem verify`: how a record stands or stood, why, and whether all of that can be believed."""

import time
from typing import Annotated

import typer

from consumers.cli.terms import DEFAULT_CONFIG, Config, Exit, Json, console, examples, finish, print_json, settings_of

Named = Annotated[str, typer.Argument(metavar="RECORD", help="A Salesforce id, a Marketo id, an e-mail address, or pair:NUMBER.")]
_MOMENT = "90s, 2h, 7d (ago), or 2026-11-29T08:00 (your time zone)"


def add_record_commands(app: typer.Typer) -> None:
    """All of them."""
    shown = examples(
        "tandem record ada@example.com",
        "tandem record 00Q5f000005bwLFEAY --all",
        "tandem record ada@example.com --at 2026-11-29T08:00",
        "tandem record ada@example.com --since 2d --until 1d",
    )
    app.command(short_help="One record on both sides: what differs.", epilog=shown)(record)
    told = examples(
        "tandem explain ada@example.com title",
        "tandem explain 1001 Title --technical",
        "tandem explain 00Q5f000005bwLFEAY --last 20",
        "tandem explain ada@example.com title --at 2026-11-29T08:00",
        "TZ=Europe/Berlin tandem explain ada@example.com unsubscribed",
    )
    app.command(short_help="Why a field has its value, or why it did not change.", epilog=told)(explain)
    proved = examples("tandem verify", "tandem verify --record ada@example.com", "tandem verify --chain")
    app.command(short_help="Do the decisions come to what is agreed? Was one changed?", epilog=proved)(verify)


def record(
    name: Named,
    config: Config = DEFAULT_CONFIG,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also the fields in step, and who wins a conflict.")] = False,
    live: Annotated[bool, typer.Option("--live/--no-live", help="Ask both systems for the record as it is now (a call each).")] = True,
    at: Annotated[str | None, typer.Option("--at", help=f"As it stood then, as its decisions tell: {_MOMENT}.")] = None,
    since: Annotated[str | None, typer.Option("--since", help=f"What has changed of it since then: {_MOMENT}.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="With --since: until then; else until now.")] = None,
    json: Json = False,
) -> None:
    """One record on both sides: what differs, and why; what it belongs to, and what belongs to it. At a time of the past as its decisions
    tell it, or what has changed between two."""
    settings = settings_of(config)
    at_ms, since_ms, until_ms = _moment(at, "--at"), _moment(since, "--since"), _moment(until, "--until")
    if (at and since) or (until and not since):
        raise typer.BadParameter("one of --at TIME and --since TIME [--until TIME]")
    if since_ms is not None:
        from consumers.answers.looking.past import changes_of  # noqa: PLC0415 - quick start
        from consumers.cli.text.looking.past import print_changes  # noqa: PLC0415 - quick start

        changes = finish(changes_of(settings, name, since_ms, _now_ms() if until_ms is None else until_ms))
        if json:
            print_json(changes)
            return
        for each in changes:
            print_changes(console(), each)
        return
    if at_ms is not None:
        from consumers.answers.looking.past import stood  # noqa: PLC0415 - quick start
        from consumers.cli.text.looking.past import print_past  # noqa: PLC0415 - quick start

        past = finish(stood(settings, name, at_ms))
        if json:
            print_json(past)
            return
        for one in past:
            print_past(console(), one, everything=everything)
        return
    from consumers.answers.looking.ledger import records_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.looking.record import print_record  # noqa: PLC0415 - quick start

    shown, notes = finish(records_of(settings, name, live=live))
    if json:
        print_json({"records": shown, "notes": notes})
        return
    for record_shown in shown:
        print_record(console(), record_shown, everything=everything)
    for note in notes:
        console().print(note, markup=False)


def explain(
    name: Named,
    field: Annotated[
        str | None,
        typer.Argument(metavar="[FIELD]", help="The field, by its Marketo or its Salesforce name; without: all that befell the record."),
    ] = None,
    config: Config = DEFAULT_CONFIG,
    *,
    at: Annotated[str | None, typer.Option("--at", help=f"As it was then: {_MOMENT}.")] = None,
    most: Annotated[int, typer.Option("--last", min=1, max=10_000, help="Tell at most so many decisions, the newest.")] = 50,
    technical: Annotated[
        bool, typer.Option("--technical", help="Also echoes, versions, rules, requests, and what each side showed before.")
    ] = False,
    live: Annotated[bool, typer.Option("--live/--no-live", help="Ask Salesforce for the names of its users (a call).")] = True,
    json: Json = False,
) -> None:
    """Why a field has its value, or why it did not change: what happened, in order, in your time zone (TZ), and how it stands."""
    settings = settings_of(config)
    from consumers.answers.looking.ledger import stories_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.looking.story import print_story  # noqa: PLC0415 - quick start

    told, notes = finish(stories_of(settings, name, field, most=most, live=live, at_ms=_moment(at, "--at")))
    if json:
        print_json(told)
        return
    for each in told:
        print_story(console(), each, technical=technical)
    for note in notes:
        console().print(note, markup=False)


def verify(
    config: Config = DEFAULT_CONFIG,
    *,
    chain: Annotated[bool, typer.Option("--chain", help="Whether a decision was changed, taken out, put in or moved since.")] = False,
    anchors: Annotated[
        bool, typer.Option("--anchors/--no-anchors", help="With --chain: hold the chain against the anchors that Kafka keeps.")
    ] = True,
    name: Annotated[str | None, typer.Option("--record", metavar="RECORD", help="Only this record, by any of its names.")] = None,
    json: Json = False,
) -> None:
    """Derive the state of every mapped field again from the decisions about it, and name each that disagrees; 1 where there is one.

    With --chain: hash every block of decisions again, and hold it against the chain that was made when it was published.
    """
    if chain and name:
        raise typer.BadParameter("the chain is over all decisions: --record goes without --chain")
    settings = settings_of(config)
    from consumers.answers.looking.proving import chained, verified  # noqa: PLC0415 - quick start
    from consumers.cli.text.looking.proof import counted, print_chained, print_verified  # noqa: PLC0415 - quick start

    if chain:
        proof = finish(chained(settings, anchors=anchors, progress=counted("blocks of decisions", quiet=json)))
        if json:
            print_json(proof)
        else:
            print_chained(console(), proof)
        wrong = proof.faults
    else:
        told = finish(verified(settings, name, counted("records", quiet=json)))
        if json:
            print_json(told)
        else:
            print_verified(console(), told)
        wrong = told.disagreements
    if wrong:
        raise typer.Exit(int(Exit.PROBLEMS))


def _now_ms() -> int:
    return round(time.time() * 1000)


def _moment(text: str | None, option: str) -> int | None:
    from consumers.subscriptions.since import NoMoment, moment_of  # noqa: PLC0415 - quick start

    try:
        return moment_of(text, _now_ms()) if text else None
    except NoMoment as error:
        raise typer.BadParameter(str(error), param_hint=option) from None

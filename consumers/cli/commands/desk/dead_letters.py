"""`tandem dead-letters`: what could not be used, why, and what can be done about it."""

from typing import Annotated

import typer

from consumers.cli.commands.desk.picked import All, Apply, Cause, Most, acted, chosen_of
from consumers.cli.terms import DEFAULT_CONFIG, Config, Exit, Json, Reason, console, examples, finish, print_json, settings_of

_NO_LETTERS = "There are no open dead letters."
letters_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, short_help="What could not be used, and what helps.")


@letters_app.command(
    "list", short_help="By cause, with what helps.", epilog=examples("tandem dead-letters list", "tandem dead-letters list --json")
)
def list_letters(config: Config = DEFAULT_CONFIG, *, cause: Cause = "", most: Most = 1_000, json: Json = False) -> None:
    """What could not be used, by cause, the most frequent first, with what helps."""
    settings = settings_of(config)
    from consumers.answers.desk.waiting import letters_of  # noqa: PLC0415 - quick start
    from consumers.cli.text.desk.waiting import print_groups  # noqa: PLC0415 - quick start
    from consumers.desk.letters import letter_shown  # noqa: PLC0415 - quick start
    from consumers.desk.waiting import letters_grouped  # noqa: PLC0415 - quick start

    told = finish(letters_of(settings, cause=cause, most=most))
    if json:
        print_json({"causes": letters_grouped(told), "letters": [letter_shown(each) for each in told]})
    else:
        print_groups(console(), letters_grouped(told), nothing=_NO_LETTERS)


@letters_app.command(
    "show", short_help="Some of them in full.", epilog=examples("tandem dead-letters show 12", "tandem dead-letters show 12 --original")
)
def show_letters(
    numbers: Annotated[list[int], typer.Argument(metavar="NUMBER...", help="Their numbers.")],
    config: Config = DEFAULT_CONFIG,
    *,
    original: Annotated[bool, typer.Option("--original", help="Also what was told, as it came: it may hold personal data.")] = False,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Dead letters in full: why, every attempt, and what helps; with --original also what was told, which the audit log notes."""
    settings = settings_of(config)
    from consumers.answers.desk.waiting import letters_named  # noqa: PLC0415 - quick start
    from consumers.cli.noted import noted  # noqa: PLC0415 - quick start
    from consumers.cli.text.desk.waiting import print_letters  # noqa: PLC0415 - quick start
    from consumers.desk.letters import letter_shown  # noqa: PLC0415 - quick start

    asking = letters_named(settings, numbers)
    found = finish(noted(settings, "reveal", {"dead_letters": numbers}, asking, reason) if original else asking)
    told = [letter_shown(each, with_original=original) for each in found]
    if json:
        print_json(told)
    else:
        print_letters(console(), told)
    if not told:
        raise typer.Exit(int(Exit.PROBLEMS))


@letters_app.command(
    "retry",
    short_help="Try them once more; --apply does it.",
    epilog=examples("tandem dead-letters retry 12 13", "tandem dead-letters retry --cause observe-not-a-change-event --apply"),
)
def retry_letters(
    numbers: Annotated[list[int] | None, typer.Argument(metavar="[NUMBER...]", help="Their numbers; or --cause, or --all.")] = None,
    config: Config = DEFAULT_CONFIG,
    *,
    cause: Cause = "",
    everything: All = False,
    most: Most = 1_000,
    apply: Apply = False,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Judge once more what could not be used, after all that was told since; where it can't be read, its record is read instead.

    Without --apply it is said what would be done, and what would be written by that now; 6 where anything would.
    """
    settings = settings_of(config)
    from consumers.answers.desk.waiting import retried_letters  # noqa: PLC0415 - quick start
    from consumers.audit_log.deeds import who_acts  # noqa: PLC0415 - quick start

    chosen = chosen_of([str(each) for each in numbers or ()], cause, everything=everything, most=most)
    acting = retried_letters(settings, chosen, who=who_acts(), apply=apply)
    what = {"letters": numbers or [], "cause": cause, "all": everything}
    acted(settings, "dead-letters retry", what, acting, apply=apply, reason=reason, json=json, nothing=_NO_LETTERS)


@letters_app.command(
    "discard",
    short_help="Put them away; --apply does it.",
    epilog=examples("tandem dead-letters discard 12", 'tandem dead-letters discard --all --apply --reason "a test of ours"'),
)
def discard_letters(
    numbers: Annotated[list[int] | None, typer.Argument(metavar="[NUMBER...]", help="Their numbers; or --cause, or --all.")] = None,
    config: Config = DEFAULT_CONFIG,
    *,
    cause: Cause = "",
    everything: All = False,
    most: Most = 1_000,
    apply: Apply = False,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Put dead letters away, whatever they told: they wait for nobody any more, and can still be shown until their time is over."""
    settings = settings_of(config)
    from consumers.answers.desk.waiting import discarded_letters  # noqa: PLC0415 - quick start
    from consumers.audit_log.deeds import who_acts  # noqa: PLC0415 - quick start

    chosen = chosen_of([str(each) for each in numbers or ()], cause, everything=everything, most=most)
    acting = discarded_letters(settings, chosen, who=who_acts(), apply=apply, reason=reason)
    what = {"letters": numbers or [], "cause": cause, "all": everything}
    acted(settings, "dead-letters discard", what, acting, apply=apply, reason=reason, json=json, nothing=_NO_LETTERS)

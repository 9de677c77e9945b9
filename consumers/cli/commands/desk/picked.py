"""What the desk's commands share: how something is picked, that nothing is done without --apply, and what is printed in the end."""

from typing import TYPE_CHECKING, Annotated

import typer

from consumers.cli.terms import Exit, console, finish, print_json

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping, Sequence
    from typing import Any

    from consumers.answers.desk.waiting import Chosen
    from consumers.configuration.loading import Settings
    from consumers.desk.doing import Outcome

Apply = Annotated[bool, typer.Option("--apply", help="Do it; without this nothing is changed.")]
Cause = Annotated[
    str, typer.Option("--cause", metavar="NAME", help="Only those of one cause, by its name in the list.", show_default=False)
]
All = Annotated[bool, typer.Option("--all", help="All of them.")]
Most = Annotated[int, typer.Option("--most", min=1, max=1_000_000, help="Look at the newest so many.")]
RECORD_HELP = "A Salesforce id, a Marketo id, an e-mail address, or pair:NUMBER."


def chosen_of(names: "Sequence[str]", cause: str, *, everything: bool, most: int) -> "Chosen":
    """What a command is about: one way of saying so."""
    if sum((bool(names), bool(cause) and not everything, everything)) != 1:
        raise typer.BadParameter("name some, or give --cause, or --all")
    from consumers.answers.desk.waiting import Chosen  # noqa: PLC0415 - quick start

    return Chosen(names=names, cause=cause, everything=everything, most=most)


def without_addresses(names: "Sequence[str]") -> list[str]:
    """No personal data in the audit log."""
    return ["by e-mail" if "@" in name else name for name in names]


def acted(
    settings: "Settings",
    act: str,
    what: "Mapping[str, object]",
    work: "Coroutine[Any, Any, Sequence[Outcome]]",
    *,
    apply: bool,
    reason: str,
    json: bool,
    nothing: str,
) -> None:
    """The work done, once it is in the audit log; without `apply` it only looks, which nobody notes. Then what came of it is said: 1 where
    something was not done, 6 where something would be."""
    from consumers.cli.noted import noted  # noqa: PLC0415 - quick start

    told = finish(noted(settings, act, what, work, reason) if apply else work)
    if json:
        print_json(told)
    else:
        from consumers.cli.text.desk.waiting import print_outcomes  # noqa: PLC0415 - quick start

        print_outcomes(console(), told, applied=apply, nothing=nothing)
    if any(each.why for each in told):
        raise typer.Exit(int(Exit.PROBLEMS))
    if told and not apply:
        raise typer.Exit(int(Exit.CHANGES))

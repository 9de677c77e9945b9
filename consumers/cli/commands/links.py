"""`tandem link`, `links`, `unlink`: which campaign goes with which program."""

from enum import StrEnum
from typing import Annotated

import typer

from consumers.cli.terms import DEFAULT_CONFIG, Config, Exit, Json, Reason, console, examples, fail, finish, print_json, settings_of


class Winner(StrEnum):
    """Whose value stands where a member was changed on both sides."""

    SALESFORCE = "salesforce"
    MARKETO = "marketo"


class Back(StrEnum):
    """What happens to a status that goes back."""

    REFUSE = "refuse"
    AGAIN = "again"


def add_link_commands(app: typer.Typer) -> None:
    """The three commands, each at the top."""
    app.command(
        "link",
        short_help="Keep a campaign and a program in step.",
        epilog=examples("tandem link 7015f000001AbCdAAK 1234", "tandem link 7015f000001AbCdAAK 1234 --winner marketo --backwards again"),
    )(link)
    listed = examples("tandem links", "tandem links --json")
    app.command("links", short_help="Which campaign goes with which program.", epilog=listed)(links)
    app.command("unlink", short_help="Keep them in step no more.", epilog=examples("tandem unlink 7015f000001AbCdAAK"))(unlink)


def link(
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN", help="The campaign's id in Salesforce.")],
    program: Annotated[str, typer.Argument(metavar="PROGRAM", help="The program's id in Marketo: the number in its address.")],
    config: Config = DEFAULT_CONFIG,
    *,
    winner: Annotated[Winner, typer.Option(help="Whose value stands where a member was changed on both sides.")] = Winner.SALESFORCE,
    backwards: Annotated[
        Back, typer.Option(help="A status that goes back in Salesforce: refused by Marketo, or taken out and put in again.")
    ] = Back.REFUSE,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Keep a campaign and a program in step from now on: members and statuses both ways, type and costs to Salesforce.

    One goes with one, and their statuses must match by name. Who is a member in Marketo and not in Salesforce becomes a lead there.
    Linked again, another winner or another way with statuses that go back is set.
    """
    settings = settings_of(config)
    from consumers.answers.linking import linked  # noqa: PLC0415 - quick start
    from consumers.cli.noted import noted  # noqa: PLC0415 - quick start
    from consumers.links.linking import Asked, NotLinked  # noqa: PLC0415 - quick start
    from consumers.links.links import Backwards  # noqa: PLC0415 - quick start
    from streams.wire.systems import System  # noqa: PLC0415 - quick start

    asked = Asked(campaign=campaign, program=program, winner=System(winner.value), backwards=Backwards(backwards.value))
    try:
        what = {"campaign": campaign, "program": program, "winner": str(asked.winner), "backwards": str(asked.backwards)}
        made = finish(noted(settings, "link", what, linked(settings, asked), reason))
    except NotLinked as error:
        fail(str(error), Exit.PROBLEMS)
    if json:
        print_json(made)
        return
    told = "Their members are read now; `tandem links` counts them."
    console().print(f"Campaign {made.campaign} and program {made.program} are linked. {told}")


def links(config: Config = DEFAULT_CONFIG, *, json: Json = False) -> None:
    """List which campaign is linked with which program, how, and how many members are kept in step by that."""
    settings = settings_of(config)
    from consumers.answers.linking import links_of  # noqa: PLC0415 - quick start
    from consumers.reports.clock import moment  # noqa: PLC0415 - quick start

    found = finish(links_of(settings))
    if json:
        print_json(found)
        return
    if not found:
        console().print("No campaign is linked with a program. `tandem link CAMPAIGN PROGRAM` links one.")
    for each in found:
        link = each.link
        told = f"{each.members:,} members, {link.winner} wins, backwards: {link.backwards}, since {moment(link.linked_ms)}"
        console().print(f"{link.campaign} = program {link.program}: {told}")


def unlink(
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN|PROGRAM", help="The id of either.")],
    config: Config = DEFAULT_CONFIG,
    *,
    reason: Reason = "",
    json: Json = False,
) -> None:
    """Keep a campaign and its program in step no more. Nothing is changed in either; linked again they meet anew."""
    settings = settings_of(config)
    from consumers.answers.linking import unlinked  # noqa: PLC0415 - quick start
    from consumers.cli.noted import noted  # noqa: PLC0415 - quick start
    from consumers.links.linking import NotLinked  # noqa: PLC0415 - quick start

    try:
        was = finish(noted(settings, "unlink", {"campaign or program": campaign}, unlinked(settings, campaign), reason))
    except NotLinked as error:
        fail(str(error), Exit.PROBLEMS)
    if json:
        print_json(was)
        return
    told = f"{was.members:,} members are as they are on both sides"
    console().print(f"Campaign {was.link.campaign} and program {was.link.program} are linked no more; {told}.")

"""`tandem person`: what Marketo's flow steps do in Salesforce, asked for by hand. Dry unless told otherwise."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from consumers.cli.terms import DEFAULT_CONFIG, Config, Exit, Json, console, examples, finish, print_json, settings_of

if TYPE_CHECKING:
    from consumers.errands.asking import Answer

person_app = typer.Typer(
    help="Bring a person to Salesforce, and do there what Marketo's flow steps do; without --apply it is only said what would be done.",
    short_help="Bring a person to Salesforce: push, add to a campaign, ...",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class Ended(StrEnum):
    """How something that was asked for stands."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"


Person = Annotated[str, typer.Argument(metavar="PERSON", help="A Marketo id, a Salesforce id, an e-mail address, or pair:NUMBER.")]
Apply = Annotated[bool, typer.Option("--apply", help="Do it; without it nothing is changed.")]
Wait = Annotated[int, typer.Option("--wait", min=0, max=3_600, help="With --apply: wait so many seconds for its end (0: not at all).")]
Key = Annotated[str, typer.Option("--key", help="With --apply: asked again under the same key, it is done once.")]
_WAIT_SECONDS = 60


@person_app.command(
    "push", short_help="Make it a lead, whatever the rule says.", epilog=examples("tandem person push ada@example.com --apply")
)
def push(
    person: Person, config: Config = DEFAULT_CONFIG, *, apply: Apply = False, wait: Wait = _WAIT_SECONDS, key: Key = "", json: Json = False,
    note: Annotated[str, typer.Option("--note", help="Why, for whoever reads the decision later.")] = "",
) -> None:  # fmt: skip
    """Bring a person to Salesforce, whatever the configured rule says; one that was deleted there is made again."""
    _ask(config, "push", person, {"note": note}, apply=apply, wait=wait, key=key, json=json)


@person_app.command(
    "add-to-campaign",
    short_help="Make it a member of a campaign.",
    epilog=examples('tandem person add-to-campaign 1001 --campaign "Spring Fair" --status Responded --apply'),
)
def add_to_campaign(
    person: Person, config: Config = DEFAULT_CONFIG, *, apply: Apply = False, wait: Wait = _WAIT_SECONDS, key: Key = "", json: Json = False,
    campaign: Annotated[str, typer.Option("--campaign", help="Name or id of the Salesforce campaign.")],
    status: Annotated[str, typer.Option("--status", help="One of its statuses; without: its default.")] = "",
) -> None:  # fmt: skip
    """Make a person a member of a Salesforce campaign; who isn't in Salesforce is made there first, a member keeps the status."""
    _ask(config, "add-to-campaign", person, {"campaign": campaign, "memberStatus": status}, apply=apply, wait=wait, key=key, json=json)


@person_app.command(
    "change-owner", short_help="Give it another owner.", epilog=examples("tandem person change-owner 1001 --owner otto@example.com --apply")
)
def change_owner(
    person: Person, config: Config = DEFAULT_CONFIG, *, apply: Apply = False, wait: Wait = _WAIT_SECONDS, key: Key = "", json: Json = False,
    owner: Annotated[str, typer.Option("--owner", help="User name, e-mail address, full name or id of a user, or the name of a queue.")],
) -> None:  # fmt: skip
    """Give a person's record in Salesforce another owner."""
    _ask(config, "change-owner", person, {"owner": owner}, apply=apply, wait=wait, key=key, json=json)


@person_app.command(
    "create-task",
    short_help="Make a task for it.",
    epilog=examples('tandem person create-task 1001 --subject "Call back" --due-in 2 --apply'),
)
def create_task(
    person: Person, config: Config = DEFAULT_CONFIG, *, apply: Apply = False, wait: Wait = _WAIT_SECONDS, key: Key = "", json: Json = False,
    subject: Annotated[str, typer.Option("--subject", help="What is to be done.")],
    due: Annotated[str, typer.Option("--due", help="The day, 2026-11-30.")] = "",
    due_in: Annotated[str, typer.Option("--due-in", help="Days from today, instead.")] = "",
    owner: Annotated[str, typer.Option("--owner", help="A user; without: Tandem's own.")] = "",
    status: Annotated[str, typer.Option("--status", help="Without: the org's default.")] = "",
    priority: Annotated[str, typer.Option("--priority", help="Without: the org's default.")] = "",
    comments: Annotated[str, typer.Option("--comments", help="More about it.")] = "",
) -> None:  # fmt: skip
    """Make a task for a person in Salesforce, once."""
    given = {
        "subject": subject, "dueDate": due, "dueInDays": due_in, "taskOwner": owner, "taskStatus": status, "taskPriority": priority,
        "comments": comments,
    }  # fmt: skip
    _ask(config, "create-task", person, given, apply=apply, wait=wait, key=key, json=json)


@person_app.command("convert", short_help="Convert its lead.", epilog=examples("tandem person convert 1001 --apply"))
def convert(
    person: Person, config: Config = DEFAULT_CONFIG, *, apply: Apply = False, wait: Wait = _WAIT_SECONDS, key: Key = "", json: Json = False,
    status: Annotated[str, typer.Option("--status", help="A status of converted leads; without: the org's first.")] = "",
    account: Annotated[str, typer.Option("--account", help="Id of the account that the contact is to be in; without: a new one.")] = "",
    contact: Annotated[str, typer.Option("--contact", help="Id of the contact that the lead is; without: a new one.")] = "",
    opportunity: Annotated[str, typer.Option("--opportunity", help="Name of an opportunity to be made; without: none.")] = "",
    owner: Annotated[str, typer.Option("--owner", help="A user; without: the lead's owner.")] = "",
) -> None:  # fmt: skip
    """Convert a person's lead into a contact."""
    given = {
        "convertedStatus": status, "accountId": account, "contactId": contact, "opportunityName": opportunity, "convertedOwner": owner,
    }  # fmt: skip
    _ask(config, "convert", person, given, apply=apply, wait=wait, key=key, json=json)


@person_app.command(
    "asked",
    short_help="What was asked for, and what became of it.",
    epilog=examples("tandem person asked", "tandem person asked --only failed"),
)
def asked(
    config: Config = DEFAULT_CONFIG,
    *,
    only: Annotated[Ended | None, typer.Option("--only", help="Only what stands so.")] = None,
    most: Annotated[int, typer.Option("--most", min=1, max=100_000, help="At most so many lines, the newest.")] = 100,
    json: Json = False,
) -> None:
    """What flow steps and commands have asked for, the newest first, and what became of it."""
    settings = settings_of(config)
    from consumers.errands.asking import asked_for  # noqa: PLC0415 - quick start

    told = finish(asked_for(settings, str(only) if only else "", most=most))
    if json:
        print_json(told)
    else:
        from consumers.cli.text.tables import print_asked  # noqa: PLC0415 - quick start

        print_asked(console(), told)


def _ask(config: Config, what: str, person: str, given: Mapping[str, str], *, apply: bool, wait: int, key: str, json: bool) -> None:
    settings = settings_of(config)
    from consumers.cli.noted import noted  # noqa: PLC0415 - quick start
    from consumers.errands.asking import ask  # noqa: PLC0415 - quick start
    from consumers.errands.catalogue import Wrong  # noqa: PLC0415 - quick start
    from consumers.errands.errand import What  # noqa: PLC0415 - quick start

    asking = ask(settings, What(what), person, {name: text for name, text in given.items() if text}, apply=apply, wait=wait, key=key)
    about = {"person": "by e-mail" if "@" in person else person}  # no address in the log
    try:
        told = finish(noted(settings, f"person {what}", about, asking, given.get("note", "")) if apply else asking)
    except Wrong as error:
        raise typer.BadParameter(str(error)) from error
    if json:
        print_json(told)
    else:
        _print(told)
    if told.state == "failed" or (told.state == "open" and wait):
        raise typer.Exit(int(Exit.PROBLEMS))


def _print(told: "Answer") -> None:
    out = console()
    out.print(told.person, markup=False)
    for line in told.steps:
        out.print(f"  {line}", markup=False)
    match told.state:
        case "planned":
            out.print("Nothing was done; --apply does it.", markup=False)
        case "done":
            out.print(f"Done: {told.reason}.", markup=False)
        case "failed":
            out.print(f"Not done ({told.code}): {told.reason}", markup=False)
        case _:
            out.print(f"Asked for ({told.name}); {told.reason}", markup=False)

"""What can be asked for, declared once: the inputs of each request, as the command line, Marketo's flow steps and the documents name them.

From what people write there a request is made, or what is wrong with it is told. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from consumers.errands.errand import AddToCampaign, ChangeOwner, Convert, CreateTask, Push, Request, What
from streams.wire.systems import salesforce_id

_TEXT_MAX, _COMMENTS_MAX, _DAYS_MAX = 255, 32_000, 3_650


class Wrong(ValueError):  # noqa: N818 - an answer to whoever asks, not a failure
    """What is asked for makes no sense; the message says what, and what would."""


class Choices(StrEnum):
    """What an input may be chosen from, which Salesforce is asked for."""

    OWNERS = "owners"
    USERS = "users"
    CAMPAIGNS = "campaigns"
    TASK_STATUSES = "task statuses"
    TASK_PRIORITIES = "task priorities"
    CONVERTED_STATUSES = "converted statuses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One thing that is asked along with a request. `name`: as Marketo sends it."""

    name: str
    label: str
    doc: str
    required: bool = False
    type: str = "string"
    """In Marketo's words: string, text, integer, date."""
    choices: Choices | None = None
    most: int = _TEXT_MAX
    """Characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that can be asked for. The first input is what its activity is called by in Marketo."""

    what: What
    name: str
    doc: str
    inputs: tuple[Input, ...]
    by_name: Mapping[str, Input] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {each.name: each for each in self.inputs})


STEPS: Mapping[What, Step] = {
    step.what: step
    for step in (
        Step(
            what=What.PUSH,
            name="Sync Person to SFDC",
            doc="The person becomes a lead (or a contact) in Salesforce, whatever the configured rule says.",
            inputs=(Input(name="note", label="Note", doc="Why, for whoever reads the decision later"),),
        ),
        Step(
            what=What.ADD_TO_CAMPAIGN,
            name="Add to SFDC Campaign",
            doc="The person, made in Salesforce first where needed, becomes a member of a campaign. A member stays as it is.",
            inputs=(
                Input(name="campaign", label="Campaign", doc="Name or id of the campaign", required=True, choices=Choices.CAMPAIGNS),
                Input(name="memberStatus", label="Status", doc="One of the campaign's statuses; blank: its default"),
            ),
        ),
        Step(
            what=What.CHANGE_OWNER,
            name="Change Owner in SFDC",
            doc="The lead or contact gets another owner in Salesforce, from where the owner comes back to Marketo.",
            inputs=(
                Input(
                    name="owner", label="Owner", required=True, choices=Choices.OWNERS,
                    doc="User name, e-mail address, full name or id of a user, or the name of a queue",
                ),
            ),
        ),
        Step(
            what=What.CREATE_TASK,
            name="Create Task in SFDC",
            doc="A task for the lead or contact, made once.",
            inputs=(
                Input(name="subject", label="Subject", doc="What is to be done", required=True),
                Input(name="dueInDays", label="Due in (days)", doc="Days from when it is asked for; 0 is that day", type="integer"),
                Input(name="dueDate", label="Due date", doc="The day itself, instead of a number of days", type="date"),
                Input(name="taskOwner", label="Assigned to", doc="A user; blank: Tandem's own", choices=Choices.USERS),
                Input(name="taskStatus", label="Status", doc="Blank: the org's default", choices=Choices.TASK_STATUSES),
                Input(name="taskPriority", label="Priority", doc="Blank: the org's default", choices=Choices.TASK_PRIORITIES),
                Input(name="comments", label="Comments", doc="More about it", type="text", most=_COMMENTS_MAX),
            ),
        ),
        Step(
            what=What.CONVERT,
            name="Convert Person in SFDC",
            doc="The lead is converted into a contact: a new one in a new account, or in an existing account, or an existing contact.",
            inputs=(
                Input(
                    name="convertedStatus", label="Converted status", choices=Choices.CONVERTED_STATUSES,
                    doc="Blank: the org's first status of converted leads",
                ),
                Input(name="accountId", label="Account", doc="Id of the account that the contact is to be in; blank: a new one"),
                Input(name="contactId", label="Contact", doc="Id of the contact that the lead is; blank: a new one"),
                Input(name="opportunityName", label="Opportunity", doc="Name of an opportunity to be made; blank: none is", most=120),
                Input(name="convertedOwner", label="Owner", doc="A user; blank: the lead's owner", choices=Choices.USERS),
            ),
        ),
    )
}  # fmt: skip


def request_of(what: What, given: Mapping[str, object], today: date) -> Request:
    """The request that these inputs make, which never changes: days are counted from `today`. Raises `Wrong`."""
    step = STEPS[what]
    unknown = sorted(given.keys() - step.by_name.keys())
    if unknown:
        raise Wrong(f"{unknown[0]}: no input of {step.name}; it has {', '.join(step.by_name)}")
    text = {each.name: _text(each, given.get(each.name)) for each in step.inputs}
    for each in step.inputs:
        if each.required and not text[each.name]:
            raise Wrong(f"{each.label} is missing ({each.doc})")
    match what:
        case What.PUSH:
            return Push(text["note"])
        case What.ADD_TO_CAMPAIGN:
            return AddToCampaign(text["campaign"], text["memberStatus"])
        case What.CHANGE_OWNER:
            return ChangeOwner(text["owner"])
        case What.CREATE_TASK:
            due = _due(text["dueInDays"], text["dueDate"], today)
            return CreateTask(text["subject"], due, text["taskOwner"], text["taskStatus"], text["taskPriority"], text["comments"])
        case What.CONVERT:
            account, contact = _id(text["accountId"], "001", "Account"), _id(text["contactId"], "003", "Contact")
            return Convert(text["convertedStatus"], account, contact, text["opportunityName"], text["convertedOwner"])


def _text(wanted: Input, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Wrong(f"{wanted.label}: text is needed, not {type(value).__name__}")
    text = (str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)).strip()
    if len(text) > wanted.most:
        raise Wrong(f"{wanted.label}: {len(text)} characters; Salesforce takes {wanted.most}")
    return text


def _due(days: str, day: str, today: date) -> str:
    if days and day:
        raise Wrong("Due in (days) and Due date: one of them")
    if days:
        if not days.isdecimal() or int(days) > _DAYS_MAX:
            raise Wrong(f"Due in (days): {days!r} is not a number from 0 to {_DAYS_MAX}")
        return (today + timedelta(days=int(days))).isoformat()
    if day:
        try:
            return date.fromisoformat(day).isoformat()
        except ValueError:
            raise Wrong(f"Due date: {day!r} is not a day such as 2026-11-30") from None
    return ""


def _id(text: str, prefix: str, label: str) -> str:
    """A Salesforce id whose first three characters say what it is of."""
    if not text:
        return ""
    try:
        found = salesforce_id(text)
    except ValueError:
        raise Wrong(f"{label}: {text!r} is not a Salesforce id (15 or 18 letters and digits)") from None
    if not found.startswith(prefix):
        raise Wrong(f"{label}: {text!r} is no id of such a record, which begins with {prefix}")
    return found

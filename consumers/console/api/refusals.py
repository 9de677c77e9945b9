"""What can go wrong, as a problem for programs. Pure."""

from consumers.answers.desk.control import UnknownKind
from consumers.console.access.problems import Problem, Refused
from consumers.console.access.roles import Role
from consumers.deliveries.delivery import UnknownDelivery, Unusable
from consumers.errands.catalogue import Wrong
from consumers.links.linking import NotLinked
from consumers.reports.records.people import UnknownRecord
from consumers.reports.records.story import UnknownField
from consumers.subscriptions.since import NoMoment
from consumers.subscriptions.topics import UnknownTopic
from streams.wire.errors import Fatal, Reject, Retry, SyncError

TOLD = (UnknownRecord, UnknownField, UnknownTopic, UnknownKind, NoMoment, Wrong, NotLinked, UnknownDelivery, Unusable, Refused, SyncError)
"""What an answer may raise that a program is told of; anything else is a fault of ours."""
_SECONDS_MAX = 3_600


def problem_of(error: Exception) -> Problem:
    """For one of `TOLD`."""
    match error:
        case Refused():
            return error.problem
        case UnknownRecord() | UnknownField() | UnknownTopic():
            words = str(error.args[0])
            return Problem(
                name="unknown", title="There is no such thing", status=404, detail=words,
                remedy="Name it by a Salesforce id, a Marketo id, an e-mail address or pair:NUMBER; fields by either system's name.",
            )  # fmt: skip
        case UnknownKind() | NoMoment() | Wrong():
            return senseless(str(error.args[0]))
        case UnknownDelivery():
            return Problem(
                name="unknown", title="There is no such thing", status=404, detail=str(error.args[0]),
                remedy="Name a delivery that there is.",
            )  # fmt: skip
        case NotLinked() | Reject() | Unusable():
            return Problem(
                name="refused", title="It can't be done as things stand", status=409, detail=str(error),
                remedy="Nothing was done. Put right what the detail names, and ask again.",
            )  # fmt: skip
        case Retry():
            seconds = str(min(_SECONDS_MAX, max(1, round(error.after_seconds))))
            return Problem(
                name="away", title="Something needed can't be reached", status=503, detail=str(error),
                remedy="Ask again later.", headers={"retry-after": seconds},
            )  # fmt: skip
        case Fatal():
            return Problem(
                name="unprepared", title="An administrator has to act", status=500, detail=str(error),
                remedy=error.remedy or "`tandem doctor` says what is missing.",
            )  # fmt: skip
        case _:
            return Problem(name="failed", title="It failed", status=500, detail=str(error))


def senseless(detail: str, remedy: str = "") -> Problem:
    """What is asked for makes no sense."""
    told = remedy or "The OpenAPI document (/api/v1/openapi.json) says what may be asked for."
    return Problem(name="senseless", title="That makes no sense", status=422, detail=detail, remedy=told)


def not_allowed(needed: Role, role: Role) -> Problem:
    """The role doesn't suffice."""
    return Problem(
        name="not-allowed", title="The role does not suffice", status=403, detail=f"That takes the role {needed}; this one is {role}.",
        remedy="Use the token of a program that has it (console.tokens), or have an administrator give it.",
    )  # fmt: skip


NOTHING_THERE = Problem(
    name="nothing-here", title="There is nothing at this address", status=404, detail="No document and no act has this address.",
    remedy="/api/v1/openapi.json names all that there are.",
)  # fmt: skip
WRONG_METHOD = Problem(
    name="wrong-method", title="Not in this way", status=405, detail="Documents are got (GET), acts are posted (POST).",
    remedy="/api/v1/openapi.json says which is which.",
)  # fmt: skip
FAULT = Problem(
    name="fault", title="A fault of Tandem's", status=500, detail="It failed, and the console's log says where.",
    remedy="Report it with that line. What was asked for with `apply` may have been done in part: the audit log has it.",
)  # fmt: skip

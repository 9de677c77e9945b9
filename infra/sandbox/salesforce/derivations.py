"""Fields that the org sets by itself from others of the same record (Object Reference: Opportunity, Task, CampaignMember)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from infra.sandbox.salesforce.errors import RecordError
from infra.sandbox.salesforce.ids import number_of
from infra.sandbox.salesforce.schema import ObjectType, Row

if TYPE_CHECKING:
    from infra.sandbox.salesforce.org import Org

PROBABILITY = {
    "Prospecting": 10.0, "Qualification": 10.0, "Needs Analysis": 20.0, "Value Proposition": 50.0, "Id. Decision Makers": 60.0,
    "Perception Analysis": 70.0, "Proposal/Price Quote": 75.0, "Negotiation/Review": 90.0, "Closed Won": 100.0, "Closed Lost": 0.0,
}  # fmt: skip
FIRST_STATUSES: tuple[Row, ...] = (
    {"Label": "Sent", "SortOrder": 1, "IsDefault": True},
    {"Label": "Responded", "SortOrder": 2, "HasResponded": True},
)
"""What a new campaign comes with (Object Reference, CampaignMemberStatus)."""


def derive(org: Org, kind: ObjectType, proposed: Row, changed: set[str], given: set[str]) -> set[str]:
    """Sets the derived fields of a record about to be saved; returns their names. `given` are the fields that the caller named."""
    step = _STEPS.get(kind.name)
    return set() if step is None else step(org, proposed, changed, given)


def auto_numbered(kind: ObjectType, record_id: str) -> Row:
    """The autonumber fields of a new record: `L-{0000}` becomes L-0042."""
    found: Row = {}
    for name in kind.auto_numbers:
        shape = kind.fields[name].auto_number or "{0}"
        head, _, rest = shape.partition("{")
        digits, _, tail = rest.partition("}")
        found[name] = f"{head}{number_of(record_id):0{len(digits)}d}{tail}"
    return found


def _opportunity(_: Org, proposed: Row, changed: set[str], given: set[str]) -> set[str]:
    if "StageName" not in changed:
        return set()
    stage = str(proposed.get("StageName"))
    _put(proposed, "IsClosed", stage.startswith("Closed"))
    _put(proposed, "IsWon", stage == "Closed Won")
    if "Probability" not in given and stage in PROBABILITY:
        proposed["Probability"] = PROBABILITY[stage]
        return {"IsClosed", "IsWon", "Probability"}
    return {"IsClosed", "IsWon"}


def _task(_: Org, proposed: Row, changed: set[str], __: set[str]) -> set[str]:
    if "Status" not in changed:
        return set()
    _put(proposed, "IsClosed", proposed.get("Status") == "Completed")
    return {"IsClosed"}


def _member(org: Org, proposed: Row, changed: set[str], _: set[str]) -> set[str]:
    """One membership a person and campaign. A status that the campaign doesn't have becomes its default one."""
    campaign = str(proposed.get("CampaignId", ""))
    _refuse_second(org, proposed, campaign)
    if "Status" not in changed and "HasResponded" in proposed:
        return set()
    statuses = [row for row in org.store.tables["CampaignMemberStatus"].find("CampaignId", campaign) if "IsDeleted" not in row]
    status = next((row for row in statuses if row.get("Label") == proposed.get("Status")), None)
    if status is None and statuses:
        status = next((row for row in statuses if "IsDefault" in row), statuses[0])
        proposed["Status"] = status.get("Label")
    responded = status is not None and "HasResponded" in status
    _put(proposed, "HasResponded", responded)
    touched = {"Status", "HasResponded"}
    if responded and "FirstRespondedDate" not in proposed:
        proposed["FirstRespondedDate"] = org.today.isoformat()
        touched.add("FirstRespondedDate")
    return touched


def _refuse_second(org: Org, proposed: Row, campaign: str) -> None:
    if "LeadId" not in proposed and "ContactId" not in proposed:
        raise RecordError("REQUIRED_FIELD_MISSING", "Required fields are missing: [LeadId or ContactId]", ["LeadId", "ContactId"])
    table = org.store.tables["CampaignMember"]
    for name in ("LeadId", "ContactId"):
        if name in proposed:
            for row in table.find(name, proposed[name]):
                if row.get("CampaignId") == campaign and row["Id"] != proposed.get("Id"):
                    raise RecordError("DUPLICATE_VALUE", "Already a campaign member.")


def _put(row: Row, name: str, truth: bool) -> None:
    if truth:
        row[name] = True
    else:
        row.pop(name, None)


_STEPS: dict[str, Callable[[Org, Row, set[str], set[str]], set[str]]] = {
    "Opportunity": _opportunity,
    "Task": _task,
    "CampaignMember": _member,
}

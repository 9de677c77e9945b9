"""What the org does to other records when one is saved, in the same transaction (Object Reference, usage of each object)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from infra.sandbox.salesforce.activities import SHARED_WITH_CHILDREN
from infra.sandbox.salesforce.errors import RecordError
from infra.sandbox.salesforce.memberships import FIRST_STATUSES, other_defaults
from infra.sandbox.salesforce.schema import Row, Value
from infra.sandbox.salesforce.standard_activities import CHILD

if TYPE_CHECKING:
    from infra.sandbox.salesforce.org import Org
    from infra.sandbox.salesforce.transaction import Transaction

VIA = "consequence"


def follow_create(org: Org, transaction: Transaction, name: str, row: Row) -> None:
    step = _AFTER_CREATE.get(name)
    if step is not None:
        step(org, transaction, row)


def follow_update(org: Org, transaction: Transaction, name: str, row: Row, changed: set[str]) -> None:
    step = _AFTER_UPDATE.get(name)
    if step is not None and changed:
        step(org, transaction, row, changed)


def before_create(org: Org, transaction: Transaction, name: str, values: Row) -> Row:
    """What has to be there first: the child event of an invitation (CDC guide, event invitees: its event comes before the relation's)."""
    return _invite(org, transaction, values) if name == "EventRelation" else values


def _campaign(_: Org, transaction: Transaction, row: Row) -> None:
    for status in FIRST_STATUSES:
        transaction.create("CampaignMemberStatus", {**status, "CampaignId": row["Id"]})


def _opportunity(_: Org, transaction: Transaction, row: Row) -> None:
    """A contact named at creation becomes the primary role (Object Reference, Opportunity.ContactId)."""
    if "ContactId" in row:
        transaction.create("OpportunityContactRole", {"OpportunityId": row["Id"], "ContactId": row["ContactId"], "IsPrimary": True})


def _primary_role(org: Org, transaction: Transaction, row: Row) -> None:
    """One primary contact an opportunity: another one that was loses it (Object Reference, OpportunityContactRole)."""
    if "IsPrimary" not in row:
        return
    for other in org.store.tables["OpportunityContactRole"].find("OpportunityId", row["OpportunityId"]):
        if other["Id"] != row["Id"] and "IsPrimary" in other and "IsDeleted" not in other:
            transaction.update(str(other["Id"]), {"IsPrimary": False}, via=VIA)


def _role_changed(org: Org, transaction: Transaction, row: Row, changed: set[str]) -> None:
    if "IsPrimary" in changed:
        _primary_role(org, transaction, row)


def _default_status(org: Org, transaction: Transaction, row: Row) -> None:
    if "IsDefault" in row:
        for other in other_defaults(org, row):
            transaction.update(other, {"IsDefault": False}, via=VIA)


def _status_changed(org: Org, transaction: Transaction, row: Row, changed: set[str]) -> None:
    if "IsDefault" in changed:
        _default_status(org, transaction, row)


def _invite(org: Org, transaction: Transaction, values: Row) -> Row:
    event = org.store.row(str(values.get("EventId")))
    if event is None or "IsDeleted" in event:
        return values
    if "IsChild" in event:
        message = "an invitation is to the event itself, not to the child event of an invitee"
        raise RecordError("INVALID_CROSS_REFERENCE_KEY", message, ["EventId"])
    invited = org.schema.of_id(str(values.get("RelationId")))
    if invited is None or invited.name != "User":
        return values
    shared: Row = {name: event[name] for name in SHARED_WITH_CHILDREN if name in event}
    child: Row = {**shared, "OwnerId": values["RelationId"], "IsChild": True, "IsGroupEvent": True, "GroupEventType": "1"}
    return {**values, CHILD: transaction.create("Event", child)}


def _group_event(org: Org, transaction: Transaction, row: Row) -> None:
    event = org.store.row(str(row["EventId"]))
    if event is not None and "IsGroupEvent" not in event:
        transaction.update(str(event["Id"]), {"IsGroupEvent": True, "GroupEventType": "1"}, via=VIA)


def _children_follow(org: Org, transaction: Transaction, row: Row, changed: set[str]) -> None:
    names = [name for name in SHARED_WITH_CHILDREN if name in changed]
    if "IsChild" in row or not names:
        return
    for relation in org.store.tables["EventRelation"].find("EventId", row["Id"]):
        child = org.store.row(str(relation.get(CHILD)))
        if child is not None and "IsDeleted" not in relation:
            values: dict[str, Value] = {name: row.get(name, False if name.startswith("Is") else None) for name in names}
            transaction.update(str(child["Id"]), values, via=VIA)


_AFTER_CREATE: dict[str, Callable[[Org, Transaction, Row], None]] = {
    "Campaign": _campaign,
    "OpportunityContactRole": _primary_role,
    "Opportunity": _opportunity,
    "CampaignMemberStatus": _default_status,
    "EventRelation": _group_event,
}
_AFTER_UPDATE: dict[str, Callable[[Org, Transaction, Row, set[str]], None]] = {
    "OpportunityContactRole": _role_changed,
    "CampaignMemberStatus": _status_changed,
    "Event": _children_follow,
}

"""What goes with a record that is deleted, comes back with it, is cut off from it, or moves to another parent when it is merged or
converted (SOAP API guide, delete and undelete; Object Reference)."""

from __future__ import annotations

from collections.abc import Iterator

from infra.sandbox.salesforce.schema.standard.activities import CHILD
from infra.sandbox.salesforce.schema.types import ObjectType, Row, Schema
from infra.sandbox.salesforce.state.state import State
from infra.sandbox.salesforce.wire.errors import RecordError

MERGED, CUT_OFF = "merge", "parent deleted"
CLEARED = "ClearedReferences"
"""In a deleted row: which records pointed at it, `id:field` each. They point at it again when it comes back, unless changed meanwhile."""
_ALONG: dict[str, tuple[tuple[str, str], ...]] = {
    "Account": (("Contact", "AccountId"), ("Opportunity", "AccountId"), ("Task", "WhatId"), ("Event", "WhatId")),
    "Contact": (
        ("CampaignMember", "ContactId"), ("OpportunityContactRole", "ContactId"), ("Task", "WhoId"), ("Event", "WhoId"),
        ("EventRelation", "RelationId"),
    ),
    "Lead": (("CampaignMember", "LeadId"), ("Task", "WhoId"), ("Event", "WhoId"), ("EventRelation", "RelationId")),
    "Campaign": (("CampaignMember", "CampaignId"), ("CampaignMemberStatus", "CampaignId"), ("Task", "WhatId"), ("Event", "WhatId")),
    "Opportunity": (("OpportunityContactRole", "OpportunityId"), ("Task", "WhatId"), ("Event", "WhatId")),
    "Event": (("EventRelation", "EventId"),),
    "Group": (("QueueSobject", "QueueId"), ("GroupMember", "GroupId")),
}  # fmt: skip
KEPT_WITH_PARENT = frozenset({"OpportunityContactRole", "CampaignMember"})
"""Gone at once when deleted by themselves, but in the bin with their parent (Object Reference, OpportunityContactRole; CDC guide, event
enrichment considerations)."""
_CUT = frozenset({"Account.ParentId", "Campaign.ParentId", "Contact.ReportsToId", "Opportunity.CampaignId", "Opportunity.ContactId"})


def along(schema: Schema, kind: ObjectType) -> list[tuple[str, str]]:
    """(object, reference field) of what goes with records of this object: what the standard says, and details of a master."""
    fixed = _ALONG.get(kind.name, ())
    return [*fixed, *schema.details_of(kind.name)]


def refuse(org: State, kind: ObjectType, row: Row) -> None:
    """Raises for what can't be deleted as it stands."""
    if not kind.deletable:
        raise RecordError("INSUFFICIENT_ACCESS_OR_READONLY", f"entity type cannot be deleted: {kind.name}")
    match kind.name:
        case "Account":
            _refuse_account(org, row)
        case "Contact" if "IsPersonAccount" in row:
            raise RecordError("INVALID_PERSON_ACCOUNT_OPERATION", "You cannot delete a person account.")
        case "CampaignMemberStatus":
            _refuse_status(org, row)


def _refuse_account(org: State, row: Row) -> None:
    for deal in org.store.tables["Opportunity"].find("AccountId", row["Id"]):
        if "IsDeleted" not in deal and ("IsWon" in deal or deal.get("OwnerId") != row.get("OwnerId")):
            why = "could not be completed because it is associated with the following opportunities."
            raise RecordError("DELETE_FAILED", f"Your attempt to delete {row.get('Name')} {why}: {deal.get('Name')}")


def _refuse_status(org: State, row: Row) -> None:
    members = org.store.tables["CampaignMember"].find("CampaignId", row.get("CampaignId"))
    used = any(each.get("Status") == row.get("Label") for each in members if "IsDeleted" not in each)
    if "IsDefault" in row or used:
        raise RecordError("DELETE_FAILED", "You cannot delete a campaign member status that is the default, or that members have")


def going_along(org: State, kind: ObjectType, record_id: str) -> Iterator[str]:
    """The ids of live children that a deletion takes with it, grandchildren first."""
    for child, reference in along(org.schema, kind):
        for row in org.store.tables[child].find(reference, record_id):
            if "IsDeleted" not in row:
                yield from going_along(org, org.schema.objects[child], str(row["Id"]))
                if "IsDeleted" not in row and org.store.row(str(row["Id"])) is not None:
                    yield str(row["Id"])
    if kind.name == "EventRelation":
        yield from (each for each in _child_event(org, org.store.row(record_id)) if "IsDeleted" not in (org.store.row(each) or {}))


def coming_back(org: State, kind: ObjectType, row: Row) -> list[str]:
    """The ids of the children in the bin that went in the same moment as this record, and whose other parents are there."""
    children = [
        each for child, reference in along(org.schema, kind) for each in org.store.tables[child].find(reference, str(row["Id"]))
        if _others_alive(org, child, each, str(row["Id"]))
    ]  # fmt: skip
    if kind.name == "EventRelation":
        children += [found for each in _child_event(org, row) if (found := org.store.row(each)) is not None]
    return [
        str(each["Id"])
        for each in children
        if "IsDeleted" in each and "MasterRecordId" not in each and each["SystemModstamp"] == row["SystemModstamp"]
    ]


def cut_off(org: State, kind: ObjectType, record_id: str) -> list[tuple[str, str]]:
    """(id, field) of live records that point at a record which goes, and stay: their reference is cleared."""
    fields = [(child, name) for child, name in references_to(org, kind) if f"{child}.{name}" in _CUT or name.endswith("__c")]
    found = []
    for child, name in fields:
        table = org.store.tables[child]
        if not org.schema.objects[child].fields[name].master and table.indexed(name):
            found += [(str(row["Id"]), name) for row in table.find(name, record_id) if "IsDeleted" not in row]
    return found


def tied_again(org: State, row: Row) -> list[tuple[str, str]]:
    """(id, field) of the records that pointed at this one when it was deleted, and still point at nothing."""
    pairs = [each.split(":") for each in str(row.get(CLEARED, "")).split()]
    found = [(record_id, name, org.store.row(record_id)) for record_id, name in pairs]
    return [(record_id, name) for record_id, name, there in found if there is not None and "IsDeleted" not in there and name not in there]


def children_of(org: State, kind: ObjectType, record_id: str) -> Iterator[tuple[str, Row]]:
    """(reference field, live row) of everything that points at a record, system references apart."""
    for child, reference in references_to(org, kind):
        table = org.store.tables[child]
        rows = table.find(reference, record_id) if table.indexed(reference) else list(table.rows.values())
        for row in rows:
            if row.get(reference) == record_id and "IsDeleted" not in row:
                yield reference, row


def references_to(org: State, kind: ObjectType) -> list[tuple[str, str]]:
    """(object, reference field) of everything that can point at records of this object."""
    return [
        (each.name, field.name)
        for each in org.schema.objects.values()
        for field in each.fields.values()
        if kind.name in field.reference_to and not field.system and not field.derived
    ]


def _child_event(org: State, relation: Row | None) -> list[str]:
    found = None if relation is None else relation.get(CHILD)
    return [str(found)] if found is not None and org.store.row(str(found)) is not None else []


def _others_alive(org: State, child: str, row: Row, parent_id: str) -> bool:
    for parent, pairs in _ALONG.items():
        for name, reference in pairs:
            there = row.get(reference)
            if name == child and there not in (None, parent_id) and org.schema.of_id(str(there)) is org.schema.objects[parent]:
                above = org.store.row(str(there))
                if above is None or "IsDeleted" in above:
                    return False
    return True

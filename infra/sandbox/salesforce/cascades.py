"""What goes with a record that is deleted, comes back with it, or moves to another parent when it is merged or converted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from infra.sandbox.salesforce.schema import ObjectType, Row

if TYPE_CHECKING:
    from infra.sandbox.salesforce.org import Org

MERGED = "merge"
_ALONG: dict[str, tuple[tuple[str, str], ...]] = {
    "Account": (("Contact", "AccountId"), ("Opportunity", "AccountId")),
    "Contact": (("CampaignMember", "ContactId"), ("OpportunityContactRole", "ContactId")),
    "Lead": (("CampaignMember", "LeadId"),),
    "Campaign": (("CampaignMember", "CampaignId"), ("CampaignMemberStatus", "CampaignId")),
    "Opportunity": (("OpportunityContactRole", "OpportunityId"),),
}
KEPT_WITH_PARENT = frozenset({"OpportunityContactRole"})
"""Gone at once when deleted by themselves, but in the bin with their parent (Object Reference, OpportunityContactRole)."""


def going_along(org: Org, kind: ObjectType, record_id: str) -> Iterator[str]:
    """The ids of live children that a deletion takes with it, grandchildren first."""
    for child, reference in _ALONG.get(kind.name, ()):
        for row in org.store.tables[child].find(reference, record_id):
            if "IsDeleted" not in row:
                yield from going_along(org, org.schema.objects[child], str(row["Id"]))
                if "IsDeleted" not in row and org.store.row(str(row["Id"])) is not None:
                    yield str(row["Id"])


def coming_back(org: Org, kind: ObjectType, row: Row) -> list[str]:
    """The ids of the children in the bin that went in the same moment as this record."""
    children = [
        each for child, reference in _ALONG.get(kind.name, ()) for each in org.store.tables[child].find(reference, str(row["Id"]))
    ]  # fmt: skip
    return [
        str(each["Id"])
        for each in children
        if "IsDeleted" in each and "MasterRecordId" not in each and each["SystemModstamp"] == row["SystemModstamp"]
    ]


def children_of(org: Org, kind: ObjectType, record_id: str) -> Iterator[tuple[str, Row]]:
    """(reference field, live row) of everything that points at a record, system references apart."""
    for child, reference in references_to(org, kind):
        table = org.store.tables[child]
        rows = table.find(reference, record_id) if table.indexed(reference) else list(table.rows.values())
        for row in rows:
            if row.get(reference) == record_id and "IsDeleted" not in row:
                yield reference, row


def references_to(org: Org, kind: ObjectType) -> list[tuple[str, str]]:
    """(object, reference field) of everything that can point at records of this object."""
    return [
        (each.name, field.name)
        for each in org.schema.objects.values()
        for field in each.fields.values()
        if kind.name in field.reference_to and not field.system
    ]

"""Lead conversion and merge: several records changed in one transaction (SOAP API guide, convertLead and merge)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from infra.sandbox.salesforce.errors import RecordError
from infra.sandbox.salesforce.schema import ObjectType, Row, Value
from infra.sandbox.salesforce.transaction import Transaction

if TYPE_CHECKING:
    from infra.sandbox.salesforce.org import Org

_ADDRESS = ("Street", "City", "State", "PostalCode", "Country", "Latitude", "Longitude", "GeocodeAccuracy")
TO_CONTACT = {
    **{name: name for name in (
        "LastName", "FirstName", "Salutation", "Title", "Phone", "MobilePhone", "Fax", "Email", "LeadSource", "Description",
        "HasOptedOutOfEmail", "HasOptedOutOfFax", "DoNotCall", "OwnerId",
    )},
    **{name: f"Mailing{name}" for name in _ADDRESS},
}  # fmt: skip
TO_ACCOUNT = {
    "Company": "Name", "OwnerId": "OwnerId",
    **{name: name for name in ("Phone", "Fax", "Website", "Industry", "AnnualRevenue", "NumberOfEmployees", "Rating")},
    **{name: f"Billing{name}" for name in _ADDRESS},
}  # fmt: skip
CONVERTED_STATUS = "Closed - Converted"
DAYS_TO_CLOSE = 30
VICTIMS_MAX = 2


class Conversion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Existing records are named by id; the contact's account is taken when only the contact is named."""

    lead: str
    account: str | None = None
    contact: str | None = None
    opportunity: str | None = None
    """The name of an opportunity to create; none creates none."""
    status: str = CONVERTED_STATUS


def convert(org: Org, transaction: Transaction, wanted: Conversion, today: str) -> dict[str, str | None]:
    """Account, contact and opportunity first, the lead last, as their events come (CDC guide, lead conversion). Existing records get only
    what they lack. Raises `RecordError`."""
    lead = org.store.tables["Lead"].rows.get(wanted.lead)
    if lead is None or "IsDeleted" in lead:
        raise RecordError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    if lead.get("IsConverted"):
        raise RecordError("CANNOT_UPDATE_CONVERTED_LEAD", "cannot convert a converted lead")
    account_id = wanted.account or _account_of(org, wanted.contact)
    account_id = _place(org, transaction, "Account", account_id, _mapped(org, lead, TO_ACCOUNT, "Account"))
    contact_values = _mapped(org, lead, TO_CONTACT, "Contact")
    contact_id = _place(org, transaction, "Contact", wanted.contact, {**contact_values, "AccountId": account_id})
    opportunity_id = None
    if wanted.opportunity is not None:
        values: dict[str, Value] = {"Name": wanted.opportunity, "StageName": "Prospecting", "CloseDate": today, "AccountId": account_id}
        opportunity_id = transaction.create("Opportunity", values)
    transaction.update(wanted.lead, {
        "Status": wanted.status, "IsConverted": True, "ConvertedDate": today, "ConvertedAccountId": account_id,
        "ConvertedContactId": contact_id, "ConvertedOpportunityId": opportunity_id,
    })  # fmt: skip
    return {"accountId": account_id, "contactId": contact_id, "opportunityId": opportunity_id}


def merge(org: Org, transaction: Transaction, master: str, victims: Sequence[str], values: Mapping[str, Value]) -> None:
    """The losers go to the recycle bin with MasterRecordId, the master gets the values, their children become its children."""
    kind = org.schema.of_id(master)
    if kind is None or not kind.mergeable or not 1 <= len(victims) <= VICTIMS_MAX or master in victims:
        raise RecordError("INVALID_OPERATION", f"merge takes a master and up to {VICTIMS_MAX} other leads, contacts or accounts")
    if any(org.schema.of_id(victim) is not kind for victim in victims):
        raise RecordError("INVALID_ID_FIELD", "all records of a merge are of the same type")
    for victim in victims:
        transaction.delete(victim, master=master)
    transaction.update(master, values)
    for victim in victims:
        for child_type, reference in _children(org, kind):
            for child in _referring(org, child_type, reference, victim):
                transaction.update(str(child["Id"]), {reference: master})


def _children(org: Org, kind: ObjectType) -> list[tuple[str, str]]:
    """(object, reference field) of everything that points at records of this object, self-references apart."""
    return [
        (each.name, field.name)
        for each in org.schema.objects.values()
        for field in each.fields.values()
        if kind.name in field.reference_to and not field.system and each.name != kind.name
    ]


def _referring(org: Org, child_type: str, reference: str, parent: str) -> list[Row]:
    table = org.store.tables[child_type]
    rows = (
        table.find(reference, parent) if table.indexed(reference) else [row for row in table.rows.values() if row.get(reference) == parent]
    )
    return [row for row in rows if "IsDeleted" not in row]


def _account_of(org: Org, contact: str | None) -> str | None:
    row = org.store.row(contact) if contact is not None else None
    found = row.get("AccountId") if row is not None else None
    return str(found) if found is not None else None


def _place(org: Org, transaction: Transaction, object_name: str, record_id: str | None, values: dict[str, Value]) -> str:
    if record_id is None:
        return transaction.create(object_name, values)
    row = org.store.row(record_id)
    if row is None or "IsDeleted" in row:
        raise RecordError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    lacking = {name: value for name, value in values.items() if name not in row and value is not None}
    if lacking:
        transaction.update(record_id, lacking)
    return record_id


def _mapped(org: Org, lead: Row, names: Mapping[str, str], target: str) -> dict[str, Value]:
    """Standard fields by the map, custom ones where both objects have a field of that name."""
    custom = {name: name for name in org.schema.objects[target].fields if name.endswith("__c")}
    return {there: lead[here] for here, there in {**names, **custom}.items() if here in lead}

"""Lead conversion and merge: several records changed in one transaction (SOAP API guide, convertLead and merge)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import msgspec

from infra.sandbox.salesforce.saving.cascades import MERGED, children_of
from infra.sandbox.salesforce.saving.transaction import Transaction
from infra.sandbox.salesforce.schema.types import Row, Value
from infra.sandbox.salesforce.state.state import State
from infra.sandbox.salesforce.wire.errors import RecordError

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
TO_OPPORTUNITY = {"LeadSource": "LeadSource", "OwnerId": "OwnerId"}
VICTIMS_MAX = 2


class Conversion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Existing records are named by id; the contact's account is taken when only the contact is named."""

    lead: str
    account: str | None = None
    contact: str | None = None
    opportunity: str | None = None
    """The name of an opportunity to create; none creates none."""
    opportunity_id: str | None = None
    """An existing opportunity, of which the contact becomes a role."""
    owner: str | None = None
    overwrite_lead_source: bool = False
    status: str = ""
    """One of LeadStatus with IsConverted (SOAP API guide, convertLead); the API asks for it."""


def convert(org: State, transaction: Transaction, wanted: Conversion, today: date) -> dict[str, str | None]:
    """Account, contact and opportunity first, then the lead, as their events come (CDC guide, lead conversion); after it what hung on the
    lead. Existing records get only what they lack. Raises `RecordError` and leaves nothing behind."""
    mark = transaction.mark
    try:
        return _convert(org, transaction, wanted, today)
    except RecordError:
        transaction.rollback(mark)
        raise


def merge(org: State, transaction: Transaction, master: str, victims: Sequence[str], values: Mapping[str, Value]) -> list[str]:
    """The losers go to the recycle bin with MasterRecordId, the master gets the values, their children become its children. Returns the
    ids of the children that moved. Raises `RecordError` and leaves nothing behind."""
    kind = org.schema.of_id(master)
    if kind is None or not kind.mergeable or not 1 <= len(victims) <= VICTIMS_MAX or master in victims or len(set(victims)) < len(victims):
        raise RecordError("INVALID_OPERATION", f"merge takes a master and up to {VICTIMS_MAX} other leads, contacts or accounts")
    if any(org.schema.of_id(victim) is not kind for victim in victims):
        raise RecordError("INVALID_ID_FIELD", "all records of a merge are of the same type")
    mark, moved = transaction.mark, []
    try:
        for victim in victims:
            transaction.delete(victim, master=master)
        transaction.update(master, values)
        for victim in victims:
            for reference, child in list(children_of(org, kind, victim)):
                moved.append(str(child["Id"]))
                _move(transaction, str(child["Id"]), reference, master)
    except RecordError:
        transaction.rollback(mark)
        raise
    return moved


def _convert(org: State, transaction: Transaction, wanted: Conversion, today: date) -> dict[str, str | None]:
    lead = _lead(org, wanted)
    if wanted.owner is not None:
        lead["OwnerId"] = wanted.owner
    account_id = wanted.account or _account_of(org, wanted.contact)
    account_id = _place(org, transaction, "Account", account_id, _mapped(org, lead, TO_ACCOUNT, "Account"))
    contact_values = {**_mapped(org, lead, TO_CONTACT, "Contact"), "AccountId": account_id}
    overwritten = ("LeadSource",) if wanted.overwrite_lead_source else ()
    contact_id = _place(org, transaction, "Contact", wanted.contact, contact_values, overwritten=overwritten)
    opportunity_id = _opportunity(org, transaction, wanted, lead, account_id=account_id, today=today)
    transaction.update(wanted.lead, {
        "Status": wanted.status, "IsConverted": True, "ConvertedDate": today.isoformat(), "ConvertedAccountId": account_id,
        "ConvertedContactId": contact_id, "ConvertedOpportunityId": opportunity_id, "IsUnreadByOwner": False,
    })  # fmt: skip
    if opportunity_id is not None:
        role: dict[str, Value] = {"OpportunityId": opportunity_id, "ContactId": contact_id, "IsPrimary": wanted.opportunity_id is None}
        transaction.create("OpportunityContactRole", role)
    for reference, child in list(children_of(org, org.schema.objects["Lead"], wanted.lead)):
        if reference == "LeadId" and "ContactId" in org.schema.objects[_object_of(org, child)].fields:
            _move(transaction, str(child["Id"]), "ContactId", contact_id)
        elif reference == "WhoId":
            _move(transaction, str(child["Id"]), reference, contact_id)
    return {"accountId": account_id, "contactId": contact_id, "opportunityId": opportunity_id}


def _lead(org: State, wanted: Conversion) -> Row:
    lead = org.store.tables["Lead"].rows.get(wanted.lead)
    if lead is None:
        raise RecordError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    if "IsDeleted" in lead:
        raise RecordError("ENTITY_IS_DELETED", "entity is deleted")
    if "IsConverted" in lead:
        raise RecordError("CANNOT_UPDATE_CONVERTED_LEAD", "cannot convert a converted lead")
    status = org.statuses["LeadStatus"].get(wanted.status)
    if status is None or not status.converted:
        raise RecordError("INVALID_STATUS", f"invalid convertedStatus: {wanted.status}")
    owner = org.schema.of_id(wanted.owner or str(lead["OwnerId"]))
    if owner is None or owner.name != "User":
        raise RecordError("REQUIRED_FIELD_MISSING", "ownerId is required to convert a lead that a queue owns", ["ownerId"])
    return dict(lead)


def converted_status(org: State) -> str:
    """The first status of converted leads."""
    return next(each.label for each in org.statuses["LeadStatus"].values() if each.converted)


def _opportunity(org: State, transaction: Transaction, wanted: Conversion, lead: Row, *, account_id: str, today: date) -> str | None:
    """The id of the opportunity, new or existing. A new one is of the lead's owner and source, closes at the end of the quarter, and has
    the campaign that the lead joined last (CDC guide, lead conversion; Object Reference, Opportunity)."""
    if wanted.opportunity_id is not None or wanted.opportunity is None:
        return wanted.opportunity_id
    values: dict[str, Value] = {
        **_mapped(org, lead, TO_OPPORTUNITY, "Opportunity"), "Name": wanted.opportunity, "AccountId": account_id,
        "StageName": next(iter(org.statuses["OpportunityStage"])), "CloseDate": _end_of_quarter(today).isoformat(),
    }  # fmt: skip
    members = [row for row in org.store.tables["CampaignMember"].find("LeadId", lead["Id"]) if "IsDeleted" not in row]
    if members:
        values["CampaignId"] = max(members, key=lambda row: (str(row["CreatedDate"]), str(row["Id"])))["CampaignId"]
    return transaction.create("Opportunity", values)


def _end_of_quarter(day: date) -> date:
    first_after = (day.month + 2) // 3 * 3 + 1
    return (date(day.year + 1, 1, 1) if first_after > 12 else date(day.year, first_after, 1)) - timedelta(days=1)


def _move(transaction: Transaction, child: str, reference: str, parent: str) -> None:
    """Hangs the child on another parent. Where that one has such a child already (a member of the same campaign), this one goes."""
    try:
        transaction.update(child, {reference: parent}, via=MERGED)
    except RecordError as refused:
        if refused.code != "DUPLICATE_VALUE":
            raise
        transaction.delete(child, by_org=True)


def _object_of(org: State, row: Row) -> str:
    kind = org.schema.of_id(str(row["Id"]))
    return "" if kind is None else kind.name


def _account_of(org: State, contact: str | None) -> str | None:
    row = org.store.row(contact) if contact is not None else None
    found = row.get("AccountId") if row is not None else None
    return str(found) if found is not None else None


def _place(
    org: State,
    transaction: Transaction,
    object_name: str,
    record_id: str | None,
    values: dict[str, Value],
    *,
    overwritten: Sequence[str] = (),
) -> str:
    if record_id is None:
        return transaction.create(object_name, values)
    row = org.store.row(record_id)
    if row is None or "IsDeleted" in row or org.schema.of_id(record_id) is not org.schema.objects[object_name]:
        raise RecordError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    given = {name: value for name, value in values.items() if (name not in row or name in overwritten) and value is not None}
    if given:
        transaction.update(record_id, given)
    return record_id


def _mapped(org: State, lead: Row, names: Mapping[str, str], target: str) -> dict[str, Value]:
    """Standard fields by the map, custom ones as the administrator has mapped them."""
    pairs = [*names.items(), *org.lead_mapping.get(target, ())]
    if org.options.convert_lead_maps_same_names:
        pairs += [(name, name) for name, field in org.schema.objects[target].fields.items() if field.custom and field.createable]
    return {there: lead[here] for here, there in pairs if here in lead}

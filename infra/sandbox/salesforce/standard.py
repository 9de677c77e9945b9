"""The standard objects of the org (Object Reference), as far as the sync touches them.

More come through the control verb `define_object`.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from infra.sandbox.salesforce.schema import Field, Kind, ObjectType

SALUTATIONS = ("Mr.", "Ms.", "Mrs.", "Dr.", "Prof.", "Mx.")
LEAD_SOURCES = ("Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other")
LEAD_STATUSES = ("Open - Not Contacted", "Working - Contacted", "Closed - Converted", "Closed - Not Converted")
INDUSTRIES = (
    "Agriculture", "Apparel", "Banking", "Biotechnology", "Chemicals", "Communications", "Construction", "Consulting", "Education",
    "Electronics", "Energy", "Engineering", "Entertainment", "Environmental", "Finance", "Food & Beverage", "Government", "Healthcare",
    "Hospitality", "Insurance", "Machinery", "Manufacturing", "Media", "Not For Profit", "Other", "Recreation", "Retail", "Shipping",
    "Technology", "Telecommunications", "Transportation", "Utilities",
)  # fmt: skip
RATINGS = ("Hot", "Warm", "Cold")
STAGES = (
    "Prospecting", "Qualification", "Needs Analysis", "Value Proposition", "Id. Decision Makers", "Perception Analysis",
    "Proposal/Price Quote", "Negotiation/Review", "Closed Won", "Closed Lost",
)  # fmt: skip
GEOCODE = ("Address", "NearAddress", "Block", "Street", "ExtendedZip", "Zip", "Neighborhood", "City", "County", "State", "Unknown")


def label_of(name: str) -> str:
    """A readable label: `LastName` becomes `Last Name`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("__c")).replace("_", " ")


def field(name: str, kind: Kind, **options: Any) -> Field:
    options.setdefault("label", label_of(name.removesuffix("Id")) + " ID" if kind is Kind.REFERENCE else label_of(name))
    return Field(name=name, kind=kind, **options)


def text(name: str, length: int, **options: Any) -> Field:
    return field(name, Kind.STRING, length=length, **options)


def area(name: str, length: int, **options: Any) -> Field:
    return field(name, Kind.TEXTAREA, length=length, **options)


def email(name: str, **options: Any) -> Field:
    return field(name, Kind.EMAIL, length=80, **options)


def phone(name: str, **options: Any) -> Field:
    return field(name, Kind.PHONE, length=40, **options)


def pick(name: str, *values: str, **options: Any) -> Field:
    return field(name, Kind.PICKLIST, length=255, picklist=values, **options)


def flag(name: str, **options: Any) -> Field:
    return field(name, Kind.BOOLEAN, nillable=False, default=options.pop("default", False), **options)


def number(name: str, precision: int, scale: int = 0, kind: Kind = Kind.DOUBLE, **options: Any) -> Field:
    return field(name, kind, precision=precision, scale=scale, **options)


def ref(name: str, *targets: str, **options: Any) -> Field:
    options.setdefault("relationship", name.removesuffix("Id") if name.endswith("Id") else name.removesuffix("__c") + "__r")
    return field(name, Kind.REFERENCE, length=18, reference_to=targets, **options)


def fixed(each: Field) -> Field:
    """The field as one that only the org itself writes."""
    return msgspec.structs.replace(each, createable=False, updateable=False, system=True)


def system_fields(*, owner: bool) -> list[Field]:
    """Id, the stamps, the authors, the deletion flag; the owner where records have one (Object Reference, system fields)."""
    stamps = [fixed(field(name, Kind.DATETIME, nillable=False)) for name in ("CreatedDate", "LastModifiedDate", "SystemModstamp")]
    authors = [fixed(ref(name, "User", nillable=False)) for name in ("CreatedById", "LastModifiedById")]
    fields = [fixed(field("Id", Kind.ID, length=18, nillable=False, id_lookup=True)), fixed(flag("IsDeleted")), *stamps, *authors]
    if owner:
        fields.append(ref("OwnerId", "User", "Group", nillable=False, system=True))
    return fields


def person_name() -> list[Field]:
    return [
        text("LastName", 80, nillable=False, compound="Name"),
        text("FirstName", 40, compound="Name"),
        pick("Salutation", *SALUTATIONS, compound="Name"),
        text("Name", 121, nillable=False, createable=False, updateable=False, derived=True),
    ]


def address(prefix: str) -> list[Field]:
    """The parts of an address and the compound over them; a Lead's own address has no prefix."""
    compound = f"{prefix}Address"
    parts = [area(f"{prefix}Street", 255, compound=compound)]
    for name, length in (("City", 40), ("State", 80), ("PostalCode", 20), ("Country", 80)):
        parts.append(text(prefix + name, length, compound=compound))
    parts += [number(prefix + name, 18, 15, compound=compound) for name in ("Latitude", "Longitude")]
    parts.append(pick(f"{prefix}GeocodeAccuracy", *GEOCODE, restricted=True, compound=compound))
    return [*parts, field(compound, Kind.ADDRESS, createable=False, updateable=False, derived=True)]


def object_type(name: str, prefix: str, fields: list[Field], *, owner: bool = True, **options: Any) -> ObjectType:
    every = [*system_fields(owner=owner), *fields]
    return ObjectType(name=name, prefix=prefix, label=label_of(name), fields={each.name: each for each in every}, **options)


def lead() -> ObjectType:
    converted = [
        fixed(ref(f"Converted{target}Id", target, relationship=f"Converted{target}")) for target in ("Account", "Contact", "Opportunity")
    ]
    return object_type("Lead", "00Q", [
        fixed(ref("MasterRecordId", "Lead", relationship="MasterRecord")),
        *person_name(), text("Title", 128), text("Company", 255, nillable=False), *address(""),
        phone("Phone"), phone("MobilePhone"), phone("Fax"), email("Email", id_lookup=True), field("Website", Kind.URL, length=255),
        area("Description", 32000), pick("LeadSource", *LEAD_SOURCES),
        pick("Status", *LEAD_STATUSES, nillable=False, default=LEAD_STATUSES[0]), pick("Industry", *INDUSTRIES), pick("Rating", *RATINGS),
        number("AnnualRevenue", 18, 0, Kind.CURRENCY), number("NumberOfEmployees", 8, 0, Kind.INT),
        flag("HasOptedOutOfEmail"), flag("HasOptedOutOfFax"), flag("DoNotCall"), flag("IsUnreadByOwner", default=True),
        fixed(flag("IsConverted")), fixed(field("ConvertedDate", Kind.DATE)), *converted,
        fixed(field("LastActivityDate", Kind.DATE)), text("EmailBouncedReason", 255), field("EmailBouncedDate", Kind.DATETIME),
        text("Jigsaw", 20), field("LastTransferDate", Kind.DATE, createable=False, updateable=False),
    ], personal=True, mergeable=True, address_prefixes=(("Address", ""),))  # fmt: skip


def contact() -> ObjectType:
    return object_type("Contact", "003", [
        fixed(ref("MasterRecordId", "Contact", relationship="MasterRecord")),
        ref("AccountId", "Account"), *person_name(), *address("Other"), *address("Mailing"),
        phone("Phone"), phone("Fax"), phone("MobilePhone"), phone("HomePhone"), phone("OtherPhone"),
        phone("AssistantPhone"), ref("ReportsToId", "Contact"), email("Email", id_lookup=True),
        text("Title", 128), text("Department", 80), text("AssistantName", 40),
        pick("LeadSource", *LEAD_SOURCES), field("Birthdate", Kind.DATE), area("Description", 32000),
        flag("HasOptedOutOfEmail"), flag("HasOptedOutOfFax"), flag("DoNotCall"),
        fixed(field("LastActivityDate", Kind.DATE)), text("EmailBouncedReason", 255), field("EmailBouncedDate", Kind.DATETIME),
        text("Jigsaw", 20),
    ], personal=True, mergeable=True, address_prefixes=(("MailingAddress", "Mailing"), ("OtherAddress", "Other")))  # fmt: skip


def account() -> ObjectType:
    return object_type("Account", "001", [
        fixed(ref("MasterRecordId", "Account", relationship="MasterRecord")),
        text("Name", 255, nillable=False), pick("Type", "Prospect", "Customer - Direct", "Customer - Channel", "Partner", "Other"),
        ref("ParentId", "Account"), *address("Billing"), *address("Shipping"), phone("Phone"), phone("Fax"), text("AccountNumber", 40),
        field("Website", Kind.URL, length=255), text("Sic", 20), text("SicDesc", 80), pick("Industry", *INDUSTRIES),
        number("AnnualRevenue", 18, 0, Kind.CURRENCY), number("NumberOfEmployees", 8, 0, Kind.INT),
        pick("Ownership", "Public", "Private", "Subsidiary", "Other"), text("TickerSymbol", 20), area("Description", 32000),
        pick("Rating", *RATINGS), text("Site", 80), pick("AccountSource", *LEAD_SOURCES), fixed(flag("IsPersonAccount")),
        fixed(field("LastActivityDate", Kind.DATE)),
    ], mergeable=True, address_prefixes=(("BillingAddress", "Billing"), ("ShippingAddress", "Shipping")))  # fmt: skip


def user() -> ObjectType:
    return object_type("User", "005", [
        text("Username", 80, nillable=False, unique=True, id_lookup=True), *person_name()[:2], *person_name()[3:],
        email("Email", nillable=False), text("Alias", 8, nillable=False), text("Title", 80), text("Department", 80),
        text("CompanyName", 80), phone("Phone"), phone("MobilePhone"), phone("Fax"), flag("IsActive", default=True), *address(""),
        text("EmployeeNumber", 20), pick("UserType", "Standard", "PowerPartner", default="Standard"), text("TimeZoneSidKey", 40),
        ref("ManagerId", "User", relationship="Manager"),
    ], owner=False, personal=True, undeletable=False, address_prefixes=(("Address", ""),))  # fmt: skip


def group() -> ObjectType:
    return object_type("Group", "00G", [
        text("Name", 40, nillable=False), text("DeveloperName", 80), pick("Type", "Queue", "Regular", default="Queue"), email("Email"),
    ], owner=False, captured=False, undeletable=False)  # fmt: skip


def campaign() -> ObjectType:
    return object_type("Campaign", "701", [
        text("Name", 80, nillable=False), ref("ParentId", "Campaign"), pick("Type", "Conference", "Webinar", "Email", "Other"),
        pick("Status", "Planned", "In Progress", "Completed", "Aborted", default="Planned"), field("StartDate", Kind.DATE),
        field("EndDate", Kind.DATE), number("BudgetedCost", 18, 0, Kind.CURRENCY), number("ActualCost", 18, 0, Kind.CURRENCY),
        number("ExpectedRevenue", 18, 0, Kind.CURRENCY), flag("IsActive"), area("Description", 32000),
    ])  # fmt: skip


def campaign_member() -> ObjectType:
    return object_type("CampaignMember", "00v", [
        ref("CampaignId", "Campaign", nillable=False, updateable=False), ref("LeadId", "Lead"), ref("ContactId", "Contact"),
        text("Status", 40, default="Sent"), flag("HasResponded", createable=False, updateable=False),
        field("FirstRespondedDate", Kind.DATE, createable=False, updateable=False),
    ], owner=False, undeletable=False)  # fmt: skip


def campaign_member_status() -> ObjectType:
    return object_type("CampaignMemberStatus", "01Y", [
        ref("CampaignId", "Campaign", nillable=False, updateable=False), text("Label", 40, nillable=False),
        number("SortOrder", 8, 0, Kind.INT), flag("IsDefault"), flag("HasResponded"),
    ], owner=False)  # fmt: skip


def opportunity() -> ObjectType:
    return object_type("Opportunity", "006", [
        ref("AccountId", "Account"), text("Name", 120, nillable=False), area("Description", 32000),
        pick("StageName", *STAGES, nillable=False), number("Amount", 18, 2, Kind.CURRENCY), number("Probability", 3, 0, Kind.PERCENT),
        field("CloseDate", Kind.DATE, nillable=False), pick("Type", "Existing Business", "New Business"), text("NextStep", 255),
        pick("LeadSource", *LEAD_SOURCES), fixed(flag("IsClosed")), fixed(flag("IsWon")), ref("CampaignId", "Campaign"),
    ])  # fmt: skip


def contact_role() -> ObjectType:
    return object_type("OpportunityContactRole", "00K", [
        ref("OpportunityId", "Opportunity", nillable=False, updateable=False), ref("ContactId", "Contact", nillable=False),
        pick("Role", "Business User", "Decision Maker", "Economic Buyer", "Evaluator", "Executive Sponsor", "Influencer", "Other"),
        flag("IsPrimary"),
    ], owner=False, undeletable=False)  # fmt: skip


def activity(name: str, prefix: str, extra: list[Field]) -> ObjectType:
    return object_type(name, prefix, [
        ref("WhoId", "Contact", "Lead"), ref("WhatId", "Account", "Opportunity", "Campaign"), text("Subject", 255),
        area("Description", 32000), *extra,
    ])  # fmt: skip


def task() -> ObjectType:
    return activity("Task", "00T", [
        field("ActivityDate", Kind.DATE), pick("Priority", "High", "Normal", "Low", default="Normal"),
        pick("Status", "Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred", default="Not Started"),
        fixed(flag("IsClosed")),
    ])  # fmt: skip


def event() -> ObjectType:
    return activity("Event", "00U", [
        field("StartDateTime", Kind.DATETIME), field("EndDateTime", Kind.DATETIME), number("DurationInMinutes", 8, 0, Kind.INT),
        text("Location", 255), flag("IsAllDayEvent"),
    ])  # fmt: skip


def record_type() -> ObjectType:
    return object_type("RecordType", "012", [
        text("Name", 80, nillable=False), text("DeveloperName", 80, nillable=False), text("SobjectType", 40, nillable=False),
        area("Description", 255), flag("IsActive", default=True), flag("IsPersonType"),
    ], owner=False, captured=False, undeletable=False)  # fmt: skip


def standard_objects() -> list[ObjectType]:
    return [
        lead(), contact(), account(), user(), group(), campaign(), campaign_member(), campaign_member_status(), opportunity(),
        contact_role(), task(), event(), record_type(),
    ]  # fmt: skip

"""The standard objects that people work with (Object Reference): leads, contacts, accounts, campaigns, opportunities."""

from __future__ import annotations

from infra.sandbox.salesforce.schema.shapes import (
    USER_OR_QUEUE,
    address,
    area,
    email,
    field,
    fixed,
    flag,
    number,
    object_type,
    person_name,
    phone,
    pick,
    ref,
    text,
    unsent,
    worked_out,
)
from infra.sandbox.salesforce.schema.statuses import LEAD_STATUSES, STAGES, labels
from infra.sandbox.salesforce.schema.types import Field, Kind, ObjectType

LEAD_SOURCES = ("Web", "Phone Inquiry", "Partner Referral", "Purchased List", "Other")
INDUSTRIES = (
    "Agriculture", "Apparel", "Banking", "Biotechnology", "Chemicals", "Communications", "Construction", "Consulting", "Education",
    "Electronics", "Energy", "Engineering", "Entertainment", "Environmental", "Finance", "Food & Beverage", "Government", "Healthcare",
    "Hospitality", "Insurance", "Machinery", "Manufacturing", "Media", "Not For Profit", "Other", "Recreation", "Retail", "Shipping",
    "Technology", "Telecommunications", "Transportation", "Utilities",
)  # fmt: skip
RATINGS = ("Hot", "Warm", "Cold")
CLEAN = ("Matched", "Different", "Acknowledged", "NotFound", "Inactive", "Pending", "SelectMatch", "Skipped")


def seen_dates() -> list[Field]:
    """When the current user last looked at a record: nothing for one who only uses the API."""
    return [worked_out(field(name, Kind.DATETIME)) for name in ("LastViewedDate", "LastReferencedDate")]


def lead() -> ObjectType:
    converted = [
        fixed(ref(f"Converted{target}Id", target, relationship=f"Converted{target}")) for target in ("Account", "Contact", "Opportunity")
    ]
    return object_type("Lead", "00Q", [
        fixed(ref("MasterRecordId", "Lead", relationship="MasterRecord")),
        *person_name(), text("Title", 128), text("Company", 255, nillable=False), *address(""),
        phone("Phone"), phone("MobilePhone"), phone("Fax"), email("Email", id_lookup=True), field("Website", Kind.URL, length=255),
        area("Description", 32000), pick("LeadSource", *LEAD_SOURCES),
        pick("Status", *labels(LEAD_STATUSES), nillable=False, default=LEAD_STATUSES[0].label), pick("Industry", *INDUSTRIES),
        pick("Rating", *RATINGS), number("AnnualRevenue", 18, 0, Kind.CURRENCY), number("NumberOfEmployees", 8, 0, Kind.INT),
        flag("HasOptedOutOfEmail"), flag("HasOptedOutOfFax"), flag("DoNotCall"), flag("IsUnreadByOwner", default=True),
        fixed(flag("IsConverted")), fixed(field("ConvertedDate", Kind.DATE)), *converted,
        fixed(field("LastActivityDate", Kind.DATE)), text("EmailBouncedReason", 255), field("EmailBouncedDate", Kind.DATETIME),
        text("Jigsaw", 20), worked_out(text("JigsawContactId", 20)), pick("CleanStatus", *CLEAN), text("CompanyDunsNumber", 9),
        field("LastTransferDate", Kind.DATE, createable=False, updateable=False), *seen_dates(),
    ], owners=USER_OR_QUEUE, personal=True, mergeable=True, address_prefixes=(("Address", ""),))  # fmt: skip


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
        worked_out(flag("IsEmailBounced")), text("Jigsaw", 20), worked_out(text("JigsawContactId", 20)), pick("CleanStatus", *CLEAN),
        *(fixed(field(name, Kind.DATETIME)) for name in ("LastCURequestDate", "LastCUUpdateDate")), *seen_dates(),
    ], personal=True, mergeable=True, address_prefixes=(("MailingAddress", "Mailing"), ("OtherAddress", "Other")))  # fmt: skip


def account() -> ObjectType:
    return object_type("Account", "001", [
        fixed(ref("MasterRecordId", "Account", relationship="MasterRecord")),
        text("Name", 255, nillable=False), pick("Type", "Prospect", "Customer - Direct", "Customer - Channel", "Partner", "Other"),
        ref("ParentId", "Account"), *address("Billing"), *address("Shipping"), phone("Phone"), phone("Fax"), text("AccountNumber", 40),
        field("Website", Kind.URL, length=255), text("Sic", 20), text("SicDesc", 80), pick("Industry", *INDUSTRIES),
        number("AnnualRevenue", 18, 0, Kind.CURRENCY), number("NumberOfEmployees", 8, 0, Kind.INT),
        pick("Ownership", "Public", "Private", "Subsidiary", "Other"), text("TickerSymbol", 20), area("Description", 32000),
        pick("Rating", *RATINGS), text("Site", 80), pick("AccountSource", *LEAD_SOURCES), unsent(fixed(flag("IsPersonAccount"))),
        text("Jigsaw", 20), worked_out(text("JigsawCompanyId", 20)), pick("CleanStatus", *CLEAN), text("DunsNumber", 9),
        text("Tradestyle", 255), text("NaicsCode", 8), text("NaicsDesc", 120), text("YearStarted", 4),
        fixed(field("LastActivityDate", Kind.DATE)), *seen_dates(),
    ], mergeable=True, address_prefixes=(("BillingAddress", "Billing"), ("ShippingAddress", "Shipping")))  # fmt: skip


def campaign() -> ObjectType:
    counts = [
        fixed(number(name, 9, 0, Kind.INT, nillable=False, default=0)) for name in (
            "NumberOfLeads", "NumberOfConvertedLeads", "NumberOfContacts", "NumberOfResponses", "NumberOfOpportunities",
            "NumberOfWonOpportunities",
        )
    ]  # fmt: skip
    amounts = [
        fixed(number(name, 18, 0, Kind.CURRENCY, nillable=False, default=0)) for name in (
            "AmountAllOpportunities", "AmountWonOpportunities",
        )
    ]  # fmt: skip
    return object_type("Campaign", "701", [
        text("Name", 80, nillable=False), ref("ParentId", "Campaign"), pick("Type", "Conference", "Webinar", "Email", "Other"),
        pick("Status", "Planned", "In Progress", "Completed", "Aborted", default="Planned"), field("StartDate", Kind.DATE),
        field("EndDate", Kind.DATE), number("BudgetedCost", 18, 0, Kind.CURRENCY), number("ActualCost", 18, 0, Kind.CURRENCY),
        number("ExpectedRevenue", 18, 0, Kind.CURRENCY), number("ExpectedResponse", 8, 2, Kind.PERCENT), number("NumberSent", 18, 0),
        flag("IsActive"), area("Description", 32000), *counts, *amounts, fixed(field("LastActivityDate", Kind.DATE)), *seen_dates(),
    ])  # fmt: skip


def campaign_member() -> ObjectType:
    of_person = [text(name, 80) for name in ("FirstName", "LastName", "Title", "City", "State", "Country", "PostalCode")]
    of_person += [
        text("Name", 121),
        pick("Salutation"),
        area("Street", 255),
        email("Email"),
        area("Description", 32000),
        pick("LeadSource"),
    ]
    of_person += [phone(name) for name in ("Phone", "MobilePhone", "Fax")]
    of_person += [flag(name) for name in ("DoNotCall", "HasOptedOutOfEmail", "HasOptedOutOfFax")]
    of_person += [text("CompanyOrAccount", 255), text("Type", 40), ref("LeadOrContactId", "Contact", "Lead")]
    of_person.append(ref("LeadOrContactOwnerId", *USER_OR_QUEUE))
    return object_type("CampaignMember", "00v", [
        ref("CampaignId", "Campaign", nillable=False, updateable=False), ref("LeadId", "Lead", updateable=False),
        ref("ContactId", "Contact", updateable=False), pick("Status", "Sent", "Responded"),
        flag("HasResponded", createable=False, updateable=False),
        field("FirstRespondedDate", Kind.DATE, createable=False, updateable=False), *(worked_out(each) for each in of_person),
    ], owners=(), undeletable=False)  # fmt: skip


def campaign_member_status() -> ObjectType:
    return object_type("CampaignMemberStatus", "01Y", [
        ref("CampaignId", "Campaign", nillable=False, updateable=False), unsent(text("Label", 40, nillable=False)),
        number("SortOrder", 8, 0, Kind.INT), flag("IsDefault"), flag("HasResponded"),
    ], owners=())  # fmt: skip


def opportunity() -> ObjectType:
    forecasts = ("Omitted", "Pipeline", "Best Case", "Commit", "Closed")
    return object_type("Opportunity", "006", [
        ref("AccountId", "Account"), flag("IsPrivate"), text("Name", 120, nillable=False), area("Description", 32000),
        pick("StageName", *labels(STAGES), nillable=False), number("Amount", 18, 2, Kind.CURRENCY),
        number("Probability", 3, 0, Kind.PERCENT), fixed(number("ExpectedRevenue", 18, 2, Kind.CURRENCY)),
        number("TotalOpportunityQuantity", 18, 2), field("CloseDate", Kind.DATE, nillable=False),
        pick("Type", "Existing Business", "New Business"), text("NextStep", 255), pick("LeadSource", *LEAD_SOURCES),
        fixed(flag("IsClosed")), fixed(flag("IsWon")), fixed(pick("ForecastCategory", *(each.replace(" ", "") for each in forecasts))),
        pick("ForecastCategoryName", *forecasts), ref("CampaignId", "Campaign"), fixed(flag("HasOpportunityLineItem")),
        ref("Pricebook2Id", "Pricebook2"), ref("ContactId", "Contact", updateable=False),
        unsent(fixed(number("FiscalQuarter", 9, 0, Kind.INT))), unsent(fixed(number("FiscalYear", 9, 0, Kind.INT))),
        unsent(fixed(text("Fiscal", 6))), fixed(field("LastStageChangeDate", Kind.DATETIME)),
        fixed(field("LastActivityDate", Kind.DATE)), *seen_dates(),
    ])  # fmt: skip


def contact_role() -> ObjectType:
    return object_type("OpportunityContactRole", "00K", [
        ref("OpportunityId", "Opportunity", nillable=False, updateable=False), ref("ContactId", "Contact", nillable=False),
        pick("Role", "Business User", "Decision Maker", "Economic Buyer", "Evaluator", "Executive Sponsor", "Influencer", "Other"),
        unsent(flag("IsPrimary")),
    ], owners=(), undeletable=False)  # fmt: skip

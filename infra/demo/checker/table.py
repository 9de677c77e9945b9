"""What is mapped to what, who wins, and what the demo's flow rewrites: plain data, written for the check alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

SALESFORCE, MARKETO = "salesforce", "marketo"
LEAD, CONTACT, ACCOUNT, USER = "Lead", "Contact", "Account", "User"
OPPORTUNITY, ROLE = "Opportunity", "OpportunityContactRole"
SUBSCRIPTION, PLAN = "Subscription__c", "Plan__c"
CAMPAIGN, MEMBER = "Campaign", "CampaignMember"
PEOPLE = (LEAD, CONTACT)
PERSON, COMPANY, SALES_PERSON, DEAL, PART = "Lead", "Company", "SalesPerson", "Opportunity", "OpportunityRole"
SUBSCRIBED, PLANNED = "subscription_c", "plan_c"
PROGRAM, PROGRAM_MEMBER = "Program", "ProgramMember"
"""Marketo's own names, as in its history."""

COMPANY_KEY, SALES_PERSON_KEY, DEAL_KEY = "externalCompanyId", "externalSalesPersonId", "externalOpportunityId"
CUSTOM_KEY = "salesforceId"
LINKS: Mapping[str, str] = {LEAD: "sfLeadId", CONTACT: "sfContactId"}
"""Marketo fields of a person with the id of the Salesforce record."""
DELETED_FLAG = "sfIsDeleted"
QUALIFIER = "syncToSalesforce"
"""Marketo's box that the demo's configuration asks for before a person goes to Salesforce."""
EXTERNAL_ID = "Marketo_Person_Id__c"

NO_PART = "Unspecified"
"""What a part in an opportunity is called in Marketo that has no name in Salesforce."""
NO_COMPANY = "tandem-none"
"""The company of a contact who has lost their account: Marketo can give a person another company, never take it away."""
OPT_OUT = "unsubscribed"
"""The one field that goes by another rule: who doesn't want mail is written none, whichever side says so."""
PLACEHOLDER = "[not provided]"
"""What stands in Salesforce where it demands a value and the person has none."""


class Kind(StrEnum):
    TEXT = "text"
    EMAIL = "email"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    CHOICES = "choices"
    REWRITTEN_PHONE = "rewritten phone"
    """A phone number that a flow in Salesforce writes anew, `(415) 555-0123`."""
    DEMANDED = "demanded"
    """Text without which Salesforce refuses the record."""
    OWNER = "owner"
    """A reference to a user; a queue counts as nobody."""
    ACCOUNT = "account"
    """A reference to an account; the company that stands for none counts as none."""
    DEAL = "deal"
    """A reference to an opportunity."""
    CONTACT = "contact"
    """A reference to a contact; in Marketo to the person who names that contact."""
    COMPANY = "company"
    """A reference to an account; in Marketo to its company, by the number that Marketo gave that."""
    PLAN = "plan"
    """A reference to a plan, a custom object."""
    PART = "part"
    """A part in an opportunity; Marketo demands one, so a blank one has a name there."""
    CAMPAIGN = "campaign"
    """A reference to a campaign, in Marketo to its program: compared by the name that both have."""
    EITHER = "either"
    """A reference to a lead or contact; in Marketo to the person who names them."""
    COSTS = "costs"
    """What a campaign has cost; in Marketo the costs of its program, period by period."""


REFERENCES: Mapping[Kind, tuple[str, str]] = {
    Kind.OWNER: (SALES_PERSON, SALES_PERSON_KEY),
    Kind.ACCOUNT: (COMPANY, COMPANY_KEY),
    Kind.DEAL: (DEAL, DEAL_KEY),
    Kind.PLAN: (PLANNED, CUSTOM_KEY),
}
"""What a reference names in Marketo, and the field there by which it is named."""


@dataclass(frozen=True, slots=True)
class Field:
    """One mapped field of one object."""

    salesforce: str
    marketo: str
    kind: Kind = Kind.TEXT

    def on(self, system: str) -> str:
        """Its name there."""
        return self.salesforce if system == SALESFORCE else self.marketo


_OWNER = Field("OwnerId", SALES_PERSON_KEY, Kind.OWNER)
_PERSON = (
    Field("Salutation", "salutation"),
    Field("FirstName", "firstName"),
    Field("LastName", "lastName", Kind.DEMANDED),
    Field("Title", "title"),
    Field("Email", "email", Kind.EMAIL),
    Field("HasOptedOutOfEmail", "unsubscribed", Kind.BOOLEAN),
    Field("Phone", "phone"),
    Field("Fax", "fax"),
    Field("LeadSource", "leadSource"),
    Field("Description", "mktoPersonNotes"),
    _OWNER,
)
_LEAD = (
    *_PERSON,
    Field("MobilePhone", "mobilePhone", Kind.REWRITTEN_PHONE),
    Field("Street", "address"),
    Field("City", "city"),
    Field("State", "state"),
    Field("PostalCode", "postalCode"),
    Field("Country", "country"),
    Field("Status", "leadStatus"),
    Field("Rating", "rating"),
    Field("Company", "company", Kind.DEMANDED),
    Field("Industry", "industry"),
    Field("AnnualRevenue", "annualRevenue", Kind.NUMBER),
    Field("NumberOfEmployees", "numberOfEmployees", Kind.NUMBER),
    Field("Website", "website"),
    Field("Lead_Score__c", "leadScore", Kind.NUMBER),
    Field("Last_Visit__c", "lastVisit", Kind.DATETIME),
)
_CONTACT = (
    *_PERSON,
    Field("MobilePhone", "mobilePhone"),
    Field("MailingStreet", "address"),
    Field("MailingCity", "city"),
    Field("MailingState", "state"),
    Field("MailingPostalCode", "postalCode"),
    Field("MailingCountry", "country"),
    Field("Birthdate", "dateOfBirth", Kind.DATE),
    Field("Interests__c", "interests", Kind.CHOICES),
    Field("AccountId", COMPANY_KEY, Kind.ACCOUNT),
)
_ACCOUNT = (
    Field("Name", "company"),
    Field("AnnualRevenue", "annualRevenue", Kind.NUMBER),
    Field("BillingStreet", "billingStreet"),
    Field("BillingCity", "billingCity"),
    Field("BillingState", "billingState"),
    Field("BillingPostalCode", "billingPostalCode"),
    Field("BillingCountry", "billingCountry"),
    Field("Description", "mktoCompanyNotes"),
    Field("Industry", "industry"),
    Field("NumberOfEmployees", "numberOfEmployees", Kind.NUMBER),
    Field("Phone", "mainPhone"),
    Field("Sic", "sicCode"),
    Field("Site", "site"),
    Field("Website", "website"),
    _OWNER,
)
_USER = (
    Field("FirstName", "firstName"),
    Field("LastName", "lastName"),
    Field("Email", "email", Kind.EMAIL),
    Field("Title", "title"),
    Field("Department", "department"),
    Field("Phone", "phone"),
    Field("MobilePhone", "mobilePhone"),
    Field("Fax", "fax"),
)
_OPPORTUNITY = (
    Field("Name", "name"),
    Field("Amount", "amount", Kind.NUMBER),
    Field("ExpectedRevenue", "expectedRevenue", Kind.NUMBER),
    Field("StageName", "stage"),
    Field("Type", "type"),
    Field("LeadSource", "leadSource"),
    Field("ForecastCategoryName", "forecastCategoryName"),
    Field("Description", "description"),
    Field("NextStep", "nextStep"),
    Field("CloseDate", "closeDate", Kind.DATE),
    Field("Probability", "probability", Kind.NUMBER),
    Field("TotalOpportunityQuantity", "quantity", Kind.NUMBER),
    Field("IsClosed", "isClosed", Kind.BOOLEAN),
    Field("IsWon", "isWon", Kind.BOOLEAN),
    Field("CreatedDate", "externalCreatedDate", Kind.DATETIME),
    Field("AccountId", COMPANY_KEY, Kind.ACCOUNT),
    _OWNER,
)
_PLAN = (
    Field("Name", "Name"),
    Field("Price__c", "Price__c", Kind.NUMBER),
    Field("OwnerId", "OwnerId"),
    Field("CreatedDate", "CreatedDate", Kind.DATETIME),
)
_SUBSCRIPTION = (
    Field("Name", "Name"),
    Field("Contact__c", "Contact__c", Kind.CONTACT),
    Field("Account__c", "Account__c", Kind.COMPANY),
    Field("Plan__c", "Plan__c", Kind.PLAN),
    Field("Stage__c", "Stage__c"),
    Field("Seats__c", "Seats__c", Kind.NUMBER),
    Field("Amount__c", "Amount__c", Kind.NUMBER),
    Field("Renews__c", "Renews__c", Kind.DATE),
    Field("Signed__c", "Signed__c", Kind.DATETIME),
    Field("Features__c", "Features__c", Kind.CHOICES),
    Field("Active__c", "Active__c", Kind.BOOLEAN),
    Field("Terms__c", "Terms__c"),
    Field("OwnerId", "OwnerId"),
    Field("CreatedDate", "CreatedDate", Kind.DATETIME),
)
_PART_KEY = (Field("OpportunityId", DEAL_KEY, Kind.DEAL), Field("ContactId", "leadId", Kind.CONTACT), Field("Role", "role", Kind.PART))

_ALIKE = (Field("Name", "name"),)
"""In the demo whoever links a campaign with a program has called both the same."""
_CAMPAIGN = (Field("Type", "channel"), Field("ActualCost", "costs", Kind.COSTS))
_MEMBER_KEY = (Field("CampaignId", "programId", Kind.CAMPAIGN), Field("LeadOrContactId", "leadId", Kind.EITHER))
_MEMBER = (Field("Status", "statusName"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One kind of record that both systems have. `link`: the field of Marketo's record with the id of the Salesforce record; a record
    without one is found by the fields of its `key` together, which then are not compared again.

    `winner`: who wins a conflict (Marketo's documentation of its sync: a lead's goes to Marketo, a contact's to Salesforce); where only
    Salesforce is edited, Salesforce. `flagged`: what is deleted in Salesforce stays in Marketo with a flag; else it goes there too.
    """

    name: str
    salesforce: str
    marketo: str
    link: str = ""
    key: tuple[Field, ...] = ()
    alike: tuple[Field, ...] = ()
    """In the place of a key: by what two are known to be one though that is not mapped."""
    fields: tuple[Field, ...]
    winner: str = SALESFORCE
    flagged: bool = False
    streamed: bool = True
    """Whether change events tell of it (Salesforce selects five objects); else the poll does, in its own time."""

    @property
    def mapped(self) -> tuple[Field, ...]:
        return (*self.key, *self.fields)

    @property
    def named_by(self) -> tuple[Field, ...]:
        """All that names a record without a link."""
        return (*self.key, *self.alike)


TABLE = (
    Entry(name="account", salesforce=ACCOUNT, marketo=COMPANY, link=COMPANY_KEY, fields=_ACCOUNT),
    Entry(name="user", salesforce=USER, marketo=SALES_PERSON, link=SALES_PERSON_KEY, fields=_USER, streamed=False),
    Entry(name="lead", salesforce=LEAD, marketo=PERSON, link=LINKS[LEAD], fields=_LEAD, winner=MARKETO, flagged=True),
    Entry(name="contact", salesforce=CONTACT, marketo=PERSON, link=LINKS[CONTACT], fields=_CONTACT, flagged=True),
    Entry(name="opportunity", salesforce=OPPORTUNITY, marketo=DEAL, link=DEAL_KEY, fields=_OPPORTUNITY),
    Entry(
        name="role", salesforce=ROLE, marketo=PART, key=_PART_KEY, fields=(Field("IsPrimary", "isPrimary", Kind.BOOLEAN),), streamed=False
    ),
    Entry(name="custom", salesforce=PLAN, marketo=PLANNED, link=CUSTOM_KEY, fields=_PLAN, streamed=False),
    Entry(name="custom", salesforce=SUBSCRIPTION, marketo=SUBSCRIBED, link=CUSTOM_KEY, fields=_SUBSCRIPTION, streamed=False),
    Entry(name="campaign", salesforce=CAMPAIGN, marketo=PROGRAM, alike=_ALIKE, fields=_CAMPAIGN, winner=MARKETO, streamed=False),
    Entry(name="member", salesforce=MEMBER, marketo=PROGRAM_MEMBER, key=_MEMBER_KEY, fields=_MEMBER, streamed=False),
)
"""One entry an object: all that is compared."""
ENTRIES: Mapping[str, Entry] = {each.salesforce: each for each in TABLE}
"""By Salesforce object."""
IN_MARKETO = tuple(dict.fromkeys(each.marketo for each in TABLE))
"""Marketo's objects, each once."""
FIELDS: Mapping[str, tuple[Field, ...]] = {each.salesforce: each.fields for each in TABLE}
VALUES: Mapping[str, tuple[Field, ...]] = {
    each.salesforce: tuple(one for one in each.fields if one.kind not in REFERENCES) for each in TABLE
}
"""What people type: the fields that name no other record."""


CUSTOM_OBJECTS: Mapping[str, tuple[str, tuple[Mapping[str, object], ...]]] = {
    PLAN: ("Plan", ({"name": "Price__c", "type": "currency"},)),
    SUBSCRIPTION: ("Subscription", (
        {"name": "Contact__c", "type": "reference", "reference_to": [CONTACT]},
        {"name": "Account__c", "type": "reference", "reference_to": [ACCOUNT]},
        {"name": "Plan__c", "type": "reference", "reference_to": [PLAN]},
        {"name": "Stage__c", "type": "picklist", "picklist": ["Trial", "Paid", "Ended"]},
        {"name": "Seats__c", "type": "int"},
        {"name": "Amount__c", "type": "currency"},
        {"name": "Renews__c", "type": "date"},
        {"name": "Signed__c", "type": "datetime"},
        {"name": "Features__c", "type": "multipicklist", "picklist": ["Mail", "Web", "Events"], "length": 1000},
        {"name": "Active__c", "type": "boolean"},
        {"name": "Terms__c", "type": "textarea", "length": 1000},
    )),
}  # fmt: skip
"""Custom objects that an administrator defines before the demo: label and fields, parents first."""
TASK, EVENT, ACTIVITY = "Task", "Event", "CustomActivity"
ACTIVITY_ID, PRIMARY = "Salesforce Id", "Subject"
"""What an activity of Marketo's history calls the record that it tells of, and what it is headed by."""
NOT_TOLD = ("IsRecurrence", "IsChild")
"""What is ticked on the record of a series, and on a colleague's copy of a meeting."""
_ACTIVITY = (Field("Subject", PRIMARY), Field("Description", "Description"))
ACTIVITY_OF: Mapping[str, tuple[Field, ...]] = {
    TASK: (
        *_ACTIVITY, Field("Status", "Status"), Field("Priority", "Priority"), Field("ActivityDate", "Due Date", Kind.DATE),
        Field("IsClosed", "Is Closed", Kind.BOOLEAN),
    ),
    EVENT: (
        *_ACTIVITY, Field("Location", "Location"), Field("ActivityDateTime", "Starts At", Kind.DATETIME),
        Field("DurationInMinutes", "Minutes", Kind.NUMBER),
    ),
}  # fmt: skip
"""By Salesforce object: what an activity shows of it, by the labels of Marketo's history."""


@dataclass(frozen=True, slots=True)
class CustomField:
    """A field that an administrator makes before the demo."""

    name: str
    kind: str
    """The type by its system's own name."""
    label: str
    length: int = 0


SALESFORCE_CUSTOM: Mapping[str, tuple[CustomField, ...]] = {
    LEAD: (CustomField("Lead_Score__c", "double", "Lead Score"), CustomField("Last_Visit__c", "datetime", "Last Visit")),
    CONTACT: (CustomField("Interests__c", "multipicklist", "Interests", 4000),),
}
MARKETO_CUSTOM = (
    CustomField(QUALIFIER, "boolean", "Sync to Salesforce"),
    CustomField("lastVisit", "datetime", "Last Visit"),
    CustomField("interests", "string", "Interests"),
)

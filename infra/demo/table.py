"""What is mapped to what, who wins, and what the demo's flow rewrites: plain data, written for the check alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

SALESFORCE, MARKETO = "salesforce", "marketo"
LEAD, CONTACT = "Lead", "Contact"
OBJECTS = (LEAD, CONTACT)
PERSON = "Lead"
"""Marketo's own name for a person, as in its history."""

LINKS: Mapping[str, str] = {LEAD: "sfLeadId", CONTACT: "sfContactId"}
"""Marketo fields with the id of the Salesforce record."""
DELETED_FLAG = "sfIsDeleted"
QUALIFIER = "syncToSalesforce"
"""Marketo's box that the demo's configuration asks for before a person goes to Salesforce."""
EXTERNAL_ID = "Marketo_Person_Id__c"

WINNER: Mapping[str, str] = {LEAD: MARKETO, CONTACT: SALESFORCE}
"""Who wins a conflict (Marketo's documentation of its sync: a lead's goes to Marketo, a contact's to Salesforce)."""
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


@dataclass(frozen=True, slots=True)
class Field:
    """One mapped field of one object."""

    salesforce: str
    marketo: str
    kind: Kind = Kind.TEXT

    def on(self, system: str) -> str:
        """Its name there."""
        return self.salesforce if system == SALESFORCE else self.marketo


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
)
FIELDS: Mapping[str, tuple[Field, ...]] = {
    LEAD: (
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
    ),
    CONTACT: (
        *_PERSON,
        Field("MobilePhone", "mobilePhone"),
        Field("MailingStreet", "address"),
        Field("MailingCity", "city"),
        Field("MailingState", "state"),
        Field("MailingPostalCode", "postalCode"),
        Field("MailingCountry", "country"),
        Field("Birthdate", "dateOfBirth", Kind.DATE),
        Field("Interests__c", "interests", Kind.CHOICES),
    ),
}


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

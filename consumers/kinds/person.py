"""Lead and contact <-> person: the one kind that flows both ways and has rules of its own (matching, qualification, link fields).

Names and pairs from Marketo's documentation (Default Salesforce Field Mapping), Marketo's REST names from its lead describe.
What only Salesforce's system writes (CreatedDate, IsDeleted, IsConverted, the ids) has no field of its own in an instance without
the native sync: the links of `LinkSettings` carry the ids, the type and the deletion, the rest can be mapped to custom fields.
"""

from consumers.mapping.fields import Direction, FieldType
from consumers.mapping.kind import Default, Kind, Sort, Witness
from streams.salesforce.api.entity import Entity
from streams.wire.systems import CONTACT, LEAD, System

NOT_PROVIDED = "[not provided]"
"""What a blank LastName or Company becomes when a person is created in Salesforce, unless configured otherwise."""
_BOTH = (
    Default("Salutation", "salutation", FieldType.PICKLIST),
    Default("FirstName", "firstName"),
    Default("LastName", "lastName", required_default=NOT_PROVIDED),
    Default("Title", "title"),
    Default("Email", "email", FieldType.EMAIL),
    Default("HasOptedOutOfEmail", "unsubscribed", FieldType.BOOLEAN),
    Default("Phone", "phone", FieldType.PHONE),
    Default("MobilePhone", "mobilePhone", FieldType.PHONE),
    Default("Fax", "fax", FieldType.PHONE),
    Default("LeadSource", "leadSource", FieldType.PICKLIST),
    Default("Description", "mktoPersonNotes"),
    Default("OwnerId", "externalSalesPersonId", FieldType.OWNER, parent="user"),
)
_LEAD = (
    *_BOTH,
    Default("Street", "address"),
    Default("City", "city"),
    Default("State", "state"),
    Default("PostalCode", "postalCode"),
    Default("Country", "country"),
    Default("Status", "leadStatus", FieldType.PICKLIST),
    Default("Rating", "rating", FieldType.PICKLIST),
    Default("Company", "company", required_default=NOT_PROVIDED),
    Default("Industry", "industry", FieldType.PICKLIST),
    Default("AnnualRevenue", "annualRevenue", FieldType.CURRENCY),
    Default("NumberOfEmployees", "numberOfEmployees", FieldType.NUMBER),
    Default("Website", "website", FieldType.URL),
)
_CONTACT = (
    *_BOTH,
    Default("MailingStreet", "address"),
    Default("MailingCity", "city"),
    Default("MailingState", "state"),
    Default("MailingPostalCode", "postalCode"),
    Default("MailingCountry", "country"),
    Default("Birthdate", "dateOfBirth", FieldType.DATE),
    Default("AccountId", "externalCompanyId", FieldType.REFERENCE, parent="account", placeholder=True),
)

PERSON = Kind(
    name="person",
    plural="people",
    doc="Leads and contacts, as people in Marketo",
    sorts=(
        Sort(entity=Entity(object=LEAD, name="Lead", merges=True, converts=CONTACT), fields=_LEAD, winner=System.MARKETO, prefix="00Q"),
        Sort(entity=Entity(object=CONTACT, name="Contact", merges=True), fields=_CONTACT, prefix="003"),
    ),
    flow=Direction.BOTH,
    witness=Witness.FEED,
)

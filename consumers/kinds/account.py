"""Account -> company: written once, shown by all its people.

Names from Marketo's documentation (Default Salesforce Field Mapping, account; companies describe). A person is attached by
`externalCompanyId`, which is the account's Salesforce id; what a company tells of itself is never written through the person (1021).
"""

from consumers.mapping.fields import FieldType
from consumers.mapping.kind import Default, Kind, Sort
from streams.marketo.api.resource import Resource
from streams.salesforce.api.entity import Entity
from streams.wire.systems import Object

ACCOUNT = Kind(
    name="account",
    doc="Accounts, as companies in Marketo",
    sorts=(
        Sort(
            entity=Entity(object=Object("account"), name="Account", merges=True),
            fields=(
                Default("Name", "company"),
                Default("AnnualRevenue", "annualRevenue", FieldType.CURRENCY),
                Default("BillingStreet", "billingStreet"),
                Default("BillingCity", "billingCity"),
                Default("BillingState", "billingState"),
                Default("BillingPostalCode", "billingPostalCode"),
                Default("BillingCountry", "billingCountry"),
                Default("Description", "mktoCompanyNotes"),
                Default("Industry", "industry", FieldType.PICKLIST),
                Default("NumberOfEmployees", "numberOfEmployees", FieldType.NUMBER),
                Default("Phone", "mainPhone", FieldType.PHONE),
                Default("Sic", "sicCode"),
                Default("Site", "site"),
                Default("Website", "website", FieldType.URL),
                Default("OwnerId", "externalSalesPersonId", FieldType.OWNER, parent="user"),
            ),
        ),
    ),
    resource=Resource(object=Object("company"), path="companies", key=("externalCompanyId",), id_field="id"),
    placeholder={"company": "(none)"},
    delete_in_marketo=True,
    titled=("company",),
)

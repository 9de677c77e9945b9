"""Opportunity -> opportunity: one way, one currency. It belongs to a company and an owner; people belong to it by their roles (`role`).

Fields of Marketo's opportunity from its describe. Its name must not be empty; it can't be deleted before its roles are.
"""

from consumers.mapping.fields import FieldType, Overlong
from consumers.mapping.kind import Default, Kind, Sort
from streams.marketo.api.resource import Resource
from streams.salesforce.api.entity import Entity
from streams.wire.systems import Object

OPPORTUNITY = Kind(
    name="opportunity",
    doc="Opportunities",
    sorts=(
        Sort(
            entity=Entity(object=Object("opportunity"), name="Opportunity"),
            fields=(
                Default("Name", "name"),
                Default("Amount", "amount", FieldType.CURRENCY),
                Default("ExpectedRevenue", "expectedRevenue", FieldType.CURRENCY),
                Default("StageName", "stage", FieldType.PICKLIST),
                Default("Type", "type", FieldType.PICKLIST),
                Default("LeadSource", "leadSource", FieldType.PICKLIST),
                Default("ForecastCategoryName", "forecastCategoryName", FieldType.PICKLIST),
                Default("Description", "description", overlong=Overlong.CUT),
                Default("NextStep", "nextStep"),
                Default("CloseDate", "closeDate", FieldType.DATE),
                Default("Probability", "probability", FieldType.PERCENT),
                Default("TotalOpportunityQuantity", "quantity", FieldType.NUMBER),
                Default("IsClosed", "isClosed", FieldType.BOOLEAN),
                Default("IsWon", "isWon", FieldType.BOOLEAN),
                Default("CreatedDate", "externalCreatedDate", FieldType.DATETIME),
                Default("AccountId", "externalCompanyId", FieldType.REFERENCE, parent="account"),
                Default("OwnerId", "externalSalesPersonId", FieldType.OWNER, parent="user"),
            ),
        ),
    ),
    resource=Resource(object=Object("opportunity"), path="opportunities", key=("externalOpportunityId",), id_field="marketoGUID"),
    delete_in_marketo=True,
    titled=("name",),
    plural="opportunities",
)

"""Opportunity contact role -> opportunity role: a person's part in an opportunity.

Opportunity, person and role together are its key in Marketo, so a blank role is given a name, and one that changes is made again.
A role that was deleted by itself is not in Salesforce's recycle bin: the stream tells of it, or the delete log.
"""

from consumers.mapping.fields import FieldType, Overlong
from consumers.mapping.kind import Default, Kind, Sort
from streams.marketo.api.resource import Resource
from streams.salesforce.api.entity import Entity
from streams.wire.systems import Object

NO_ROLE = "Unspecified"

ROLE = Kind(
    name="role",
    doc="Opportunity contact roles: who takes which part in an opportunity",
    sorts=(
        Sort(
            entity=Entity(object=Object("role"), name="OpportunityContactRole"),
            fields=(
                Default("OpportunityId", "externalOpportunityId", FieldType.REFERENCE, parent="opportunity", required=True),
                Default("ContactId", "leadId", FieldType.REFERENCE, parent="person", required=True),
                Default("Role", "role", FieldType.PICKLIST, blank=NO_ROLE, overlong=Overlong.CUT),
                Default("IsPrimary", "isPrimary", FieldType.BOOLEAN),
            ),
        ),
    ),
    resource=Resource(
        object=Object("role"), path="opportunities/roles", key=("externalOpportunityId", "leadId", "role"), id_field="marketoGUID"
    ),
    delete_in_marketo=True,
    titled=("role",),
)

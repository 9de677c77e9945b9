"""Campaign member <-> program member: who takes part, and how far they have come. Only of campaigns that are linked with a program.

A member is one person in one campaign: neither can be another one later. In Marketo the two name it, `program.person`. A person who isn't
in Salesforce becomes a lead there by it. Fields of both from their describes; statuses go by their names, which linking compares.
"""

from consumers.mapping.fields import Direction, FieldType
from consumers.mapping.kind import Default, Kind, Sort
from streams.marketo.api.resource import Interface, Resource
from streams.salesforce.api.entity import Entity
from streams.wire.systems import Object

MEMBER = Kind(
    name="member",
    doc="Members of linked campaigns and programs, with their statuses",
    sorts=(
        Sort(
            entity=Entity(
                object=Object("member"),
                name="CampaignMember",
                scope="CampaignId",
                either={"LeadOrContactId": {"003": "ContactId", "00Q": "LeadId"}},
            ),
            fields=(
                Default("CampaignId", "programId", FieldType.REFERENCE, parent="campaign", required=True, direction=Direction.BOTH),
                Default("LeadOrContactId", "leadId", FieldType.REFERENCE, parent="person", required=True, direction=Direction.BOTH),
                Default("Status", "statusName", FieldType.PICKLIST),
            ),
        ),
    ),
    resource=Resource(
        object=Object("member"), path="programs/members", key=("programId", "leadId"), id_field="leadId", interface=Interface.MEMBERS
    ),
    flow=Direction.BOTH,
    told=True,
    delete_in_marketo=True,
    delete_in_salesforce=True,
    titled=("statusName",),
)

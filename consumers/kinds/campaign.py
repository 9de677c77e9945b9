"""Campaign <-> program, one to one, as somebody has linked them (`tandem link`). What the program costs, and which channel it goes by, its
campaign says too; nobody makes or deletes one for the other.

Fields from Marketo's documentation (Salesforce campaign sync): channel -> type, period costs -> actual cost.
"""

from consumers.mapping.fields import Direction, FieldType
from consumers.mapping.kind import Default, Kind, Sort
from streams.marketo.api.resource import Interface, Resource
from streams.salesforce.api.entity import Entity
from streams.wire.systems import Object

CAMPAIGN = Kind(
    name="campaign",
    doc="Campaigns, each linked with one program in Marketo",
    sorts=(
        Sort(
            entity=Entity(object=Object("campaign"), name="Campaign", scope="Id"),
            fields=(
                Default("Type", "channel", FieldType.PICKLIST, direction=Direction.TO_SALESFORCE),
                Default("ActualCost", "costs", FieldType.CURRENCY, direction=Direction.TO_SALESFORCE),
            ),
        ),
    ),
    resource=Resource(object=Object("program"), path="programs", key=("id",), id_field="id", interface=Interface.PROGRAMS),
    flow=Direction.BOTH,
    told=True,
    linked=True,
    titled=("channel",),
)

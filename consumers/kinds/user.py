"""User -> sales person: who owns people, companies and opportunities. A queue that owns a record has no sales person: it stays empty.

Fields of Marketo's sales person from its describe (schema not extensible). A user can't be deleted, only made inactive, and stays.
"""

from consumers.mapping.fields import FieldType
from consumers.mapping.kind import Default, Kind, Sort
from streams.marketo.api.resource import Resource
from streams.salesforce.api.entity import Entity
from streams.wire.systems import Object

USER = Kind(
    name="user",
    doc="Users, as sales persons in Marketo: the owners of the rest; no sales person is deleted, since Salesforce deletes no user",
    sorts=(
        Sort(
            entity=Entity(object=Object("user"), name="User", bin=False),
            fields=(
                Default("FirstName", "firstName"),
                Default("LastName", "lastName"),
                Default("Email", "email", FieldType.EMAIL),
                Default("Title", "title"),
                Default("Department", "department"),
                Default("Phone", "phone", FieldType.PHONE),
                Default("MobilePhone", "mobilePhone", FieldType.PHONE),
                Default("Fax", "fax", FieldType.PHONE),
            ),
        ),
    ),
    resource=Resource(object=Object("salesperson"), path="salespersons", key=("externalSalesPersonId",), id_field="id"),
)

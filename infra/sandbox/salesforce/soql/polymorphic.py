"""References to records of several objects: a query sees `Owner`, `Who` and `What` as a Name, which has what all of them are asked for, and
a Type (SOQL guide, polymorphic keys and relationships)."""

from __future__ import annotations

from infra.sandbox.salesforce.access.rights import EVERYTHING
from infra.sandbox.salesforce.access.views import VisibleObject
from infra.sandbox.salesforce.schema.shapes import email, field, flag, phone, ref, text
from infra.sandbox.salesforce.schema.types import Field, Kind, ObjectType

TYPE = "Type"
_NAME = ObjectType(name="Name", prefix="", label="Name", fields={
    each.name: each for each in (
        field("Id", Kind.ID, length=18), text("Name", 255), text(TYPE, 40, derived=True), text("FirstName", 40), text("LastName", 80),
        text("Alias", 8), text("Username", 80), text("Title", 128), email("Email"), phone("Phone"), flag("IsActive"),
        ref("ProfileId", "Profile"), ref("UserRoleId", "UserRole"),
    )
})  # fmt: skip
NAME = VisibleObject(_NAME, EVERYTHING, list(_NAME.fields.values()), frozenset())


def is_polymorphic(reference: Field) -> bool:
    return len(reference.reference_to) > 1

"""References to records of several objects: a query sees `Owner`, `Who` and `What` as a Name, which has what all of them are asked for, and
a Type (SOQL guide, polymorphic keys and relationships)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.sandbox.salesforce.access import VisibleObject
from infra.sandbox.salesforce.errors import ApiError
from infra.sandbox.salesforce.rights import EVERYTHING
from infra.sandbox.salesforce.schema import Field, Kind, ObjectType
from infra.sandbox.salesforce.shapes import email, field, flag, phone, ref, text
from infra.sandbox.salesforce.soql.query import Path, TypeOf

if TYPE_CHECKING:
    from infra.sandbox.salesforce.soql.binding import Binding

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


class TypedParent:
    """TYPEOF as bound: the reference to follow, and which fields are shown of a record of which object."""

    def __init__(self, wanted: TypeOf, binding: Binding) -> None:
        reference = binding.root.relationships.get(wanted.relationship.lower())
        if reference is None or not is_polymorphic(reference):
            message = f"TYPEOF: {wanted.relationship} is no polymorphic relationship of {binding.root.kind.name}"
            raise ApiError(400, "INVALID_FIELD", message)
        self.reference = reference
        self.name = reference.relationship or wanted.relationship
        whens = [(binding.visible(name), paths) for name, paths in wanted.whens]
        self._fields = {seen.kind.name: [_field(seen, path) for path in paths] for seen, paths in whens}
        self._otherwise = [_field(NAME, path) for path in wanted.otherwise]

    def fields_of(self, kind: str | None) -> list[Field]:
        return self._fields.get(kind or "", self._otherwise)


def _field(seen: VisibleObject, path: Path) -> Field:
    found = seen.field(path.names[0]) if len(path.names) == 1 else None
    if found is None:
        raise ApiError(400, "INVALID_FIELD", f"No such column '{'.'.join(path.names)}' on entity '{seen.kind.name}'")
    return found

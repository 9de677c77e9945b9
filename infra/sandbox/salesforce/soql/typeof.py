"""TYPEOF: which fields a query shows of a parent, by the object that the parent is of (SOQL guide, TYPEOF)."""

from __future__ import annotations

from infra.sandbox.salesforce.access.views import VisibleObject
from infra.sandbox.salesforce.schema.types import Field
from infra.sandbox.salesforce.soql.grammar.query import Path, TypeOf
from infra.sandbox.salesforce.soql.naming import Naming
from infra.sandbox.salesforce.soql.polymorphic import NAME, is_polymorphic
from infra.sandbox.salesforce.wire.errors import ApiError


class TypedParent:
    """TYPEOF as bound: the reference to follow, and which fields are shown of a record of which object."""

    def __init__(self, wanted: TypeOf, naming: Naming) -> None:
        reference = naming.root.relationships.get(wanted.relationship.lower())
        if reference is None or not is_polymorphic(reference):
            message = f"TYPEOF: {wanted.relationship} is no polymorphic relationship of {naming.root.kind.name}"
            raise ApiError(400, "INVALID_FIELD", message)
        self.reference = reference
        self.name = reference.relationship or wanted.relationship
        whens = [(naming.visible(name), paths) for name, paths in wanted.whens]
        self._fields = {seen.kind.name: [_field(seen, path) for path in paths] for seen, paths in whens}
        self._otherwise = [_field(NAME, path) for path in wanted.otherwise]

    def fields_of(self, kind: str | None) -> list[Field]:
        return self._fields.get(kind or "", self._otherwise)


def _field(seen: VisibleObject, path: Path) -> Field:
    found = seen.field(path.names[0]) if len(path.names) == 1 else None
    if found is None:
        raise ApiError(400, "INVALID_FIELD", f"No such column '{'.'.join(path.names)}' on entity '{seen.kind.name}'")
    return found

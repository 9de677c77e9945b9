"""What a user may see and change: object rights and field-level permissions, and the view of the schema that results.

A field hidden from a user is absent from describe, query and change events; a field without edit right is described as neither
createable nor updateable (REST API guide, describe; CDC guide, field-level security).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from infra.sandbox.salesforce.schema import Field, ObjectType, Schema


class ObjectRight(msgspec.Struct, frozen=True, kw_only=True):
    readable: bool = True
    creatable: bool = True
    editable: bool = True
    deletable: bool = True
    view_all: bool = True


class FieldRight(msgspec.Struct, frozen=True, kw_only=True):
    readable: bool = True
    editable: bool = True


EVERYTHING = ObjectRight()
OPEN = FieldRight()
ALWAYS_VISIBLE = frozenset({"Id", "IsDeleted", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp"})


class Permissions:
    """Rights that differ from "everything", by user id."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], ObjectRight] = {}
        self.fields: dict[tuple[str, str, str], FieldRight] = {}
        self.view_all_data: dict[str, bool] = {}

    def object_right(self, user_id: str, object_name: str) -> ObjectRight:
        return self.objects.get((user_id, object_name), EVERYTHING)

    def field_right(self, user_id: str, object_name: str, field: Field) -> FieldRight:
        if field.name in ALWAYS_VISIBLE:
            return OPEN
        return self.fields.get((user_id, object_name, field.name), OPEN)

    def hidden_fields(self, user_id: str, object_name: str) -> frozenset[str]:
        """The names of the fields of that object that the user may not read."""
        return frozenset(
            name for (who, owner, name), right in self.fields.items() if who == user_id and owner == object_name and not right.readable
        )


class VisibleObject:
    """One object as a user sees it."""

    __slots__ = ("fields", "kind", "names", "read_only", "relationships", "right")

    def __init__(self, kind: ObjectType, right: ObjectRight, visible: list[Field], read_only: frozenset[str]) -> None:
        self.kind = kind
        self.right = right
        self.fields: dict[str, Field] = {each.name.lower(): each for each in visible}
        self.names: dict[str, Field] = {each.name: each for each in visible}
        self.relationships = {each.relationship.lower(): each for each in visible if each.relationship}
        self.read_only = read_only

    def field(self, name: str) -> Field | None:
        return self.names.get(name) or self.fields.get(name.lower())

    def createable(self, field: Field) -> bool:
        return field.createable and field.name not in self.read_only

    def updateable(self, field: Field) -> bool:
        return field.updateable and field.name not in self.read_only


class View:
    """The schema through one user's eyes, worked out on first use. Throw it away when the schema or the rights change."""

    def __init__(self, schema: Schema, permissions: Permissions, user_id: str) -> None:
        self._schema = schema
        self._permissions = permissions
        self._user_id = user_id
        self._seen: dict[str, VisibleObject | None] = {}

    def object(self, name: str) -> VisibleObject | None:
        """The object of that name (any case), or None when it does not exist or may not be read."""
        key = name.lower()
        if key not in self._seen:
            self._seen[key] = self._work_out(key)
        return self._seen[key]

    def objects(self) -> Mapping[str, VisibleObject]:
        found = {name: self.object(name) for name in self._schema.objects}
        return {name: each for name, each in found.items() if each is not None}

    def _work_out(self, key: str) -> VisibleObject | None:
        kind = self._schema.by_lower.get(key)
        if kind is None:
            return None
        right = self._permissions.object_right(self._user_id, kind.name)
        if not right.readable:
            return None
        rights = {name: self._permissions.field_right(self._user_id, kind.name, each) for name, each in kind.fields.items()}
        visible = [each for name, each in kind.fields.items() if rights[name].readable]
        return VisibleObject(kind, right, visible, frozenset(name for name, each in rights.items() if not each.editable))

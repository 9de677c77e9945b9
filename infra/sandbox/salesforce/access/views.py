"""What a user may see and change: object rights and field-level permissions, and the view of the schema that results.

A field hidden from a user is absent from describe, query and change events; a field without edit right is described as neither
createable nor updateable (REST API guide, describe; CDC guide, field-level security).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from infra.sandbox.salesforce.access.profiles import Bundle, united_field, united_object
from infra.sandbox.salesforce.access.rights import ALWAYS_VISIBLE, EVERYTHING, OPEN, FieldRight, ObjectRight
from infra.sandbox.salesforce.schema.types import Field, ObjectType, Row, Schema


class Permissions:
    """Who may do what: by user id, from the user's profile and permission sets, and single rights that go before them. A user without a
    profile may do everything."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], ObjectRight] = {}
        self.fields: dict[tuple[str, str, str], FieldRight] = {}
        self.view_all_data: dict[str, bool] = {}
        self.bundles: dict[str, Bundle] = {}
        self.assigned: dict[str, list[str]] = {}
        """user id -> names of profile and permission sets"""
        self.private: set[str] = set()
        """Objects whose records only their owner sees, and who has View All."""

    def object_right(self, user_id: str, object_name: str) -> ObjectRight:
        own = self.objects.get((user_id, object_name))
        if own is not None:
            return own
        bundles = self._bundles(user_id)
        return united_object(bundles, object_name) if bundles else EVERYTHING

    def field_right(self, user_id: str, object_name: str, field: Field) -> FieldRight:
        if field.name in ALWAYS_VISIBLE:
            return OPEN
        own = self.fields.get((user_id, object_name, field.name))
        if own is not None:
            return own
        bundles = self._bundles(user_id)
        return united_field(bundles, object_name, field.name) if bundles else OPEN

    def sees_all_data(self, user_id: str) -> bool:
        bundles = self._bundles(user_id)
        default = any(each.view_all_data for each in bundles) if bundles else True
        return self.view_all_data.get(user_id, default)

    def granted_all_data(self, user_id: str) -> bool:
        """Whether View All Data was given to the user expressly: only that goes before sharing for who lacks View All of an object."""
        return self.view_all_data.get(user_id, any(each.view_all_data for each in self._bundles(user_id)))

    def _bundles(self, user_id: str) -> list[Bundle]:
        return [self.bundles[name] for name in self.assigned.get(user_id, ())]


class VisibleObject:
    """One object as a user sees it."""

    __slots__ = ("fields", "hidden", "kind", "names", "owner", "read_only", "relationships", "right")

    def __init__(
        self, kind: ObjectType, right: ObjectRight, visible: list[Field], read_only: frozenset[str], owner: str | None = None
    ) -> None:
        self.kind = kind
        self.right = right
        self.fields: dict[str, Field] = {each.name.lower(): each for each in visible}
        self.names: dict[str, Field] = {each.name: each for each in visible}
        self.relationships = {each.relationship.lower(): each for each in visible if each.relationship}
        self.hidden = frozenset(kind.fields.keys() - self.names.keys())
        self.read_only = read_only
        self.owner = owner
        """Whose records alone are seen; None for all."""

    def sees(self, row: Row) -> bool:
        """Whether the record is among those that the user sees."""
        return self.owner is None or row.get("OwnerId") == self.owner

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
        self.user_id = user_id
        self._seen: dict[str, VisibleObject | None] = {}

    def object(self, name: str) -> VisibleObject | None:
        """The object of that name (any case), or None when it does not exist or may not be read."""
        key = name.lower()
        if key not in self._seen:
            self._seen[key] = self._work_out(key)
        return self._seen[key]

    def name_of(self, record_id: str) -> str | None:
        """The name of the object that a record with that id is of."""
        kind = self._schema.of_id(record_id)
        return None if kind is None else kind.name

    def shows(self, row: Row) -> bool:
        """Whether sharing lets the user see this record, of whatever object."""
        if not self._permissions.private:
            return True
        kind = self._schema.of_id(str(row["Id"]))
        seen = None if kind is None else self.object(kind.name)
        return seen is None or seen.sees(row)

    def objects(self) -> Mapping[str, VisibleObject]:
        found = {name: self.object(name) for name in self._schema.objects}
        return {name: each for name, each in found.items() if each is not None}

    def children(self, kind: ObjectType) -> list[tuple[str, str, str]]:
        """(relationship, child object, reference field) of the children that the user sees."""
        return [
            each for each in self._schema.children_of(kind)
            if (seen := self.object(each[1])) is not None and seen.field(each[2]) is not None
        ]  # fmt: skip

    def _work_out(self, key: str) -> VisibleObject | None:
        kind = self._schema.by_lower.get(key)
        if kind is None:
            return None
        right = _possible(kind, self._permissions.object_right(self.user_id, kind.name))
        if not right.readable:
            return None
        rights = {name: self._permissions.field_right(self.user_id, kind.name, each) for name, each in kind.fields.items()}
        visible = [each for name, each in kind.fields.items() if rights[name].readable and not each.internal]
        read_only = frozenset(name for name, each in rights.items() if not each.editable)
        return VisibleObject(kind, right, visible, read_only, self._only_owner(kind, right))

    def _only_owner(self, kind: ObjectType, right: ObjectRight) -> str | None:
        if kind.name not in self._permissions.private or "OwnerId" not in kind.fields or not self.user_id:
            return None
        return None if right.view_all or self._permissions.granted_all_data(self.user_id) else self.user_id


def _possible(kind: ObjectType, right: ObjectRight) -> ObjectRight:
    """The right without what nobody can do with the object: nobody deletes a User."""
    if kind.creatable and kind.editable and kind.deletable:
        return right
    return msgspec.structs.replace(
        right, creatable=right.creatable and kind.creatable, editable=right.editable and kind.editable,
        deletable=right.deletable and kind.deletable,
    )  # fmt: skip

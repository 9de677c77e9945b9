"""Profiles and permission sets: named bundles of rights. A profile is the floor, permission sets add to it (Salesforce security guide)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from infra.sandbox.salesforce.access.rights import EVERYTHING, OPEN, FieldRight, ObjectRight

NOTHING = ObjectRight(readable=False, creatable=False, editable=False, deletable=False, view_all=False)
HIDDEN = FieldRight(readable=False, editable=False)


class Bundle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rights by object and by `Object.Field`. What isn't named is granted in full when `everything`, else not at all; a field that isn't
    named is as open as its object."""

    name: str
    everything: bool = False
    objects: dict[str, ObjectRight] = {}
    fields: dict[str, FieldRight] = {}
    view_all_data: bool = False

    def object_right(self, name: str) -> ObjectRight:
        return self.objects.get(name, EVERYTHING if self.everything else NOTHING)

    def field_right(self, owner: str, name: str) -> FieldRight:
        granted = self.fields.get(f"{owner}.{name}")
        if granted is not None:
            return granted
        return OPEN if self.object_right(owner).readable else HIDDEN


def united_object(bundles: Iterable[Bundle], name: str) -> ObjectRight:
    """What the bundles grant together: a right that any of them grants."""
    rights = [each.object_right(name) for each in bundles]
    return ObjectRight(**{flag: any(getattr(right, flag) for right in rights) for flag in ObjectRight.__struct_fields__})


def united_field(bundles: Iterable[Bundle], owner: str, name: str) -> FieldRight:
    rights = [each.field_right(owner, name) for each in bundles]
    return FieldRight(readable=any(right.readable for right in rights), editable=any(right.editable for right in rights))

"""The types of an org: objects and their fields, as data. What a user may see of them is `access.views.View`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Literal, TypeAlias

import msgspec

from infra.sandbox.salesforce.wire import ids

Value: TypeAlias = str | int | float | bool | None
Row: TypeAlias = dict[str, Value]


class Kind(StrEnum):
    ID = "id"
    STRING = "string"
    TEXTAREA = "textarea"
    EMAIL = "email"
    PHONE = "phone"
    URL = "url"
    DOUBLE = "double"
    INT = "int"
    CURRENCY = "currency"
    PERCENT = "percent"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    PICKLIST = "picklist"
    MULTIPICKLIST = "multipicklist"
    REFERENCE = "reference"
    ADDRESS = "address"


TEXTUAL = frozenset({Kind.STRING, Kind.TEXTAREA, Kind.EMAIL, Kind.PHONE, Kind.URL, Kind.PICKLIST, Kind.MULTIPICKLIST})
NUMERIC = frozenset({Kind.DOUBLE, Kind.INT, Kind.CURRENCY, Kind.PERCENT})
IDS = frozenset({Kind.ID, Kind.REFERENCE})


INDEXED = frozenset({
    "AccountId", "CampaignId", "LeadId", "ContactId", "OpportunityId", "WhoId", "WhatId", "ParentId", "EventId", "RelationId",
    "GroupId", "QueueId",
})  # fmt: skip
"""References whose children are looked for when their parent goes, is merged or converted."""


class Rollup(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A roll-up summary over the children of `object` whose reference `field` names the record; `of` is the child's field."""

    object: str
    field: str
    op: Literal["COUNT", "SUM", "MIN", "MAX"] = "COUNT"
    of: str | None = None


class Field(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One field. `length` counts characters, `precision`/`scale` digits. A `derived` value is worked out by the org and never written."""

    name: str
    kind: Kind
    label: str = ""
    length: int = 0
    precision: int = 0
    scale: int = 0
    nillable: bool = True
    createable: bool = True
    updateable: bool = True
    default: str | int | float | bool | None = None
    picklist: tuple[str, ...] = ()
    restricted: bool = False
    external_id: bool = False
    unique: bool = False
    id_lookup: bool = False
    reference_to: tuple[str, ...] = ()
    relationship: str | None = None
    compound: str | None = None
    derived: bool = False
    system: bool = False
    formula: str | None = None
    rollup: Rollup | None = None
    auto_number: str | None = None
    """Display format, such as `L-{0000}`."""
    inactive: tuple[str, ...] = ()
    """Picklist values that records may still hold but nobody can choose."""
    in_events: bool = True
    """Whether the object's change events have the field at all."""
    gathered: str = ""
    """The array in change events that names the flags of its kind that are set (CDC guide, change events for users)."""
    master: bool = False
    """A reference to a record that this one can't be without: it goes and comes back with it, and has its owner."""
    reparentable: bool = False
    """Whether a record can be given to another master."""
    internal: bool = False
    """What the org remembers for itself: nobody sees it."""

    @property
    def required(self) -> bool:
        """Whether a create without it, or blanking it, is refused."""
        return not self.nillable and self.createable and not self.system and self.kind is not Kind.BOOLEAN

    @property
    def custom(self) -> bool:
        return self.name.endswith("__c")

    @property
    def filterable(self) -> bool:
        """Long text and compound fields can't stand in a WHERE or ORDER BY."""
        return self.kind is not Kind.ADDRESS and not (self.kind is Kind.TEXTAREA and self.length > 255)

    @property
    def indexed(self) -> bool:
        named = self.name in INDEXED or self.master
        return named or self.external_id or self.unique or self.id_lookup or self.kind is Kind.EMAIL


class ObjectType(msgspec.Struct, kw_only=True):
    """One object: its key prefix and fields by API name. `personal` objects have a Name made of its parts."""

    name: str
    prefix: str
    label: str
    fields: dict[str, Field]
    personal: bool = False
    mergeable: bool = False
    creatable: bool = True
    editable: bool = True
    deletable: bool = True
    queryable: bool = True
    undeletable: bool = True
    """Whether its records go to the recycle bin; those of other objects are gone at once when they are deleted."""
    captured: bool = True
    first_number: int = 0
    """Objects that share a key prefix: the numbers of its ids begin here."""
    address_prefixes: tuple[tuple[str, str], ...] = ()
    revision: int = 0
    """Grows with every change of its fields."""
    _required: tuple[str, ...] | None = None
    _defaults: dict[str, Value] | None = None
    _unticked: dict[str, Value] | None = None
    _auto_numbers: tuple[str, ...] | None = None

    @property
    def auto_numbers(self) -> tuple[str, ...]:
        if self._auto_numbers is None:
            self._auto_numbers = tuple(name for name, field in self.fields.items() if field.auto_number)
        return self._auto_numbers

    @property
    def required(self) -> tuple[str, ...]:
        """The fields without which no record is created."""
        if self._required is None:
            self._required = tuple(name for name, field in self.fields.items() if field.required)
        return self._required

    @property
    def defaults(self) -> dict[str, Value]:
        """What a created record gets in fields that the client doesn't name; false is left out, as rows hold none."""
        if self._defaults is None:
            found = {name: field.default for name, field in self.fields.items()}
            self._defaults = {name: value for name, value in found.items() if value is not None and value is not False}
        return self._defaults

    @property
    def unticked(self) -> dict[str, Value]:
        """Every boolean as false: what a whole record shows of those that its row leaves out."""
        if self._unticked is None:
            self._unticked = {name: False for name, field in self.fields.items() if field.kind is Kind.BOOLEAN}
        return self._unticked

    def put_field(self, field: Field) -> None:
        """Adds a field or replaces the one of that name."""
        self.fields[field.name] = field
        self._forget()

    def drop_field(self, name: str) -> None:
        """Takes a field away."""
        del self.fields[name]
        self._forget()

    def _forget(self) -> None:
        self.revision += 1
        self._required = self._defaults = self._unticked = self._auto_numbers = None

    @property
    def custom(self) -> bool:
        return self.name.endswith("__c")

    @property
    def plural(self) -> str:
        """The label of many: `Opportunities`."""
        if re.search(r"[^aeiou]y$", self.label):
            return f"{self.label[:-1]}ies"
        return f"{self.label}es" if self.label.endswith(("s", "x", "ch", "sh")) else f"{self.label}s"

    @property
    def change_event(self) -> str:
        """The name of its change event: `LeadChangeEvent`, `Foo__ChangeEvent` (CDC guide, subscription channels)."""
        return f"{self.name[:-3]}__ChangeEvent" if self.custom else f"{self.name}ChangeEvent"


class Schema:
    """All objects of the org, found by name in any case, or by key prefix."""

    def __init__(self, objects: Iterable[ObjectType]) -> None:
        self.objects: dict[str, ObjectType] = {}
        self.by_lower: dict[str, ObjectType] = {}
        self.by_prefix: dict[str, ObjectType] = {}
        self.by_change_event: dict[str, ObjectType] = {}
        self._sharing: dict[str, list[ObjectType]] = {}
        self._details: dict[str, list[tuple[str, str]]] | None = None
        for each in objects:
            self.add_object(each)

    def add_object(self, each: ObjectType) -> None:
        self._details = None
        self.objects[each.name] = each
        self.by_lower[each.name.lower()] = each
        if each.first_number:
            self._sharing.setdefault(each.prefix, []).append(each)
        else:
            self.by_prefix[each.prefix] = each
        self.by_change_event[each.change_event] = each

    def children_of(self, kind: ObjectType) -> list[tuple[str, str, str]]:
        """(child relationship, child object, reference field) of all that point at records of this object (Object Reference)."""
        return [
            (_child_relationship(each, field), each.name, field.name)
            for each in self.objects.values()
            for field in each.fields.values()
            if kind.name in field.reference_to and not field.system and not field.derived
        ]

    def forget_details(self) -> None:
        """A field became or stopped being a reference to a master."""
        self._details = None

    def details_of(self, name: str) -> list[tuple[str, str]]:
        """(object, reference field) of the details whose masters are records of that object."""
        if self._details is None:
            self._details = {}
            for each in self.objects.values():
                for field in each.fields.values():
                    if field.master:
                        self._details.setdefault(field.reference_to[0], []).append((each.name, field.name))
        return self._details.get(name, [])

    def of_id(self, record_id: str) -> ObjectType | None:
        found = self.by_prefix.get(record_id[:3])
        return found if found is not None else self._sharing_of(record_id)

    def _sharing_of(self, record_id: str) -> ObjectType | None:
        """The object whose numbers an id with a shared key prefix is one of: all status values of a real org begin with 01J."""
        sharing = self._sharing.get(record_id[:3])
        if sharing is None:
            return None
        number = ids.number_of(record_id)
        below = [each for each in sharing if each.first_number <= number]
        return max(below, key=lambda each: each.first_number, default=None)


_CHILDREN = {
    "Account.ParentId": "ChildAccounts", "Campaign.ParentId": "ChildCampaigns", "Contact.ReportsToId": "DirectReports",
    "QueueSobject.QueueId": "QueueSobjects", "GroupMember.GroupId": "GroupMembers", "User.ManagerId": "ManagedUsers",
    "Group.RelatedId": "Groups",
}  # fmt: skip
_PLURALS = {
    "Opportunity": "Opportunities", "CampaignMemberStatus": "CampaignMemberStatuses", "LeadStatus": "LeadStatuses",
}  # fmt: skip


def _child_relationship(child: ObjectType, field: Field) -> str:
    if field.custom:
        return f"{child.name.removesuffix('__c')}s__r"
    return _CHILDREN.get(f"{child.name}.{field.name}") or _PLURALS.get(child.name) or f"{child.name}s"

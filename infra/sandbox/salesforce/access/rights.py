"""What may be done with an object, and with a field of it."""

from __future__ import annotations

import msgspec


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

"""Custom fields of program members: how they are made and changed (REST API, program members)."""

from typing import Any

import msgspec

from infra.sandbox.marketo.border.errors import RecordError
from infra.sandbox.marketo.border.origin import Origin
from infra.sandbox.marketo.people.custom_fields import field_changes, made_field
from infra.sandbox.marketo.programs.members import CUSTOM_FIELDS_MAX, member_fields
from infra.sandbox.marketo.state.instance import Section
from infra.sandbox.marketo.state.store import MEMBER_FIELD


def create_member_field(section: Section, record: Any, origin: Origin) -> dict[str, Any]:
    """As for people; RecordError 1028 for more than twenty."""
    if len(section.store.table(MEMBER_FIELD)) >= CUSTOM_FIELDS_MAX:
        raise RecordError("1028", f"At most {CUSTOM_FIELDS_MAX} custom fields")
    made = made_field(record, member_fields(section.store), MEMBER_FIELD)
    section.add("create", MEMBER_FIELD, made.name, origin, before=None, after=msgspec.to_builtins(made))
    return {"name": made.name, "status": "created"}


def update_member_field(section: Section, name: str, record: Any, origin: Origin) -> dict[str, Any]:
    """As for people; the standard fields of members stay as they are."""
    one = member_fields(section.store).get(name)
    changes = field_changes(one, name, record)
    if one is not None and not one.custom:
        raise RecordError("1003", f"Field '{name}' can not be changed")
    if one is not None and changes:
        before = {member: getattr(one, member) for member in changes}
        section.add("update", MEMBER_FIELD, name, origin, before=before, after=changes)
    return {"name": name, "status": "updated"}

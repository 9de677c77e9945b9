"""Static lists and who is on them."""

from typing import Any

from infra.sandbox.marketo.border.errors import ApiError, RecordError
from infra.sandbox.marketo.border.origin import Origin
from infra.sandbox.marketo.state.activity_log import ADD_TO_LIST, REMOVE_FROM_LIST
from infra.sandbox.marketo.state.instance import Section
from infra.sandbox.marketo.state.records import Row
from infra.sandbox.marketo.state.store import LIST_MEMBER, STATIC_LIST, Store


def create(section: Section, name: str, origin: Origin, **more: Any) -> int:
    """Creates a list; ApiError 709 when the name is taken."""
    table = section.store.table(STATIC_LIST)
    if table.find(("name",), (name,)):
        raise ApiError("709", "List with the same name already exists")
    key = str(table.next_id)
    section.add("create", STATIC_LIST, key, origin, before=None, after={"name": name, **more})
    return int(key)


def delete(section: Section, list_id: int, origin: Origin) -> None:
    members = section.store.table(LIST_MEMBER)
    for key in members.find(("listId",), (list_id,)):
        section.add("delete", LIST_MEMBER, key, origin, before=members.get(key), after=None)
    section.add("delete", STATIC_LIST, str(list_id), origin, before=known(section.store, list_id), after=None)


def known(store: Store, list_id: int | str) -> Row:
    """ApiError 1013 for a list that there is not."""
    row = store.table(STATIC_LIST).get(str(list_id))
    if row is None:
        raise ApiError("1013", f"List '{list_id}' not found")
    return row


def add(section: Section, list_id: int, lead_id: Any, origin: Origin) -> bool:
    """Puts a person on a list; whether that changed anything. RecordError 1004 for an unknown person."""
    if not section.store.find("id", lead_id):
        raise RecordError("1004", "Lead not found")
    if is_member(section.store, list_id, lead_id):
        return False
    row = [int(lead_id), ADD_TO_LIST, list_id, _told(section.store, list_id), [["Source", origin.source]]]
    after = {"listId": list_id, "leadId": int(lead_id)}
    section.add("create", LIST_MEMBER, f"{list_id}-{section.store.next_activity}", origin, before=None, after=after, activities=[row])
    return True


def remove(section: Section, list_id: int, lead_id: Any, origin: Origin) -> None:
    """Takes a person off a list. RecordError 1015 when it is not on it."""
    if not section.store.find("id", lead_id):
        raise RecordError("1004", "Lead not found")
    table = section.store.table(LIST_MEMBER)
    keys = table.find(("listId", "leadId"), (list_id, lead_id))
    if not keys:
        raise RecordError("1015", f"Lead not in list '{list_id}'")
    row = [int(lead_id), REMOVE_FROM_LIST, list_id, _told(section.store, list_id), [["Source", origin.source]]]
    section.add("delete", LIST_MEMBER, keys[0], origin, before=table.get(keys[0]), after=None, activities=[row])


def _told(store: Store, list_id: int) -> str:
    """How activities name a list: a program's own one with the program before it (observed)."""
    row = known(store, list_id)
    return f"{row['programName']}.{row['name']}" if row.get("programName") else str(row["name"])


def is_member(store: Store, list_id: int, lead_id: Any) -> bool:
    return bool(store.table(LIST_MEMBER).find(("listId", "leadId"), (list_id, lead_id)))


def members(store: Store, list_id: int) -> list[int]:
    table = store.table(LIST_MEMBER)
    rows = (table.get(key) or {} for key in table.find(("listId",), (list_id,)))
    return sorted(int(row["leadId"]) for row in rows)

"""Types of custom objects: drafts, approval, limits; and the kind that an approved type makes (REST API, custom objects)."""

import re
from collections.abc import Mapping
from typing import Any

from infra.sandbox.marketo.border.errors import ApiError
from infra.sandbox.marketo.border.origin import Origin
from infra.sandbox.marketo.state.activity_log import FIRST_CUSTOM_TYPE
from infra.sandbox.marketo.state.fields import Field
from infra.sandbox.marketo.state.instance import Section
from infra.sandbox.marketo.state.kinds import COMPANY, Kind, standard_kinds
from infra.sandbox.marketo.state.records import Row
from infra.sandbox.marketo.state.store import FIELD, LEAD, SERVICE, Store

TYPE = "CustomObjectType"
ACTIVITY_TYPE = "CustomActivityType"
DATA_TYPES = ("string", "boolean", "integer", "float", "link", "email", "currency", "date", "datetime", "phone", "text")
TYPES_MAX, FIELDS_MAX, FIELDS_LATER_MAX, DEDUPE_MAX = 10, 50, 20, 3
TEXT_LENGTH_MAX = 2000
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,254}")
_DISPLAY = re.compile(r"[A-Za-z0-9_ ]{1,255}")
_TAKEN = {LEAD, FIELD, "Program", "ProgramMember", "StaticList", "ListMember", "Folder", "Token", "Channel", *standard_kinds()}
_STAMPS = ("createdAt", "updatedAt")


def state_of(row: Row) -> str:
    if row.get("approved") is None:
        return "draft"
    return "approved" if row.get("draft") is None else "approvedWithDraft"


def save(section: Section, body: Mapping[str, Any], origin: Origin) -> None:
    """Creates a type as a draft, or changes the words of one."""
    name, action = body.get("apiName"), body.get("action") or "createOrUpdate"
    if not isinstance(name, str) or (action != "updateOnly" and not isinstance(body.get("displayName"), str)):
        raise ApiError("1002", "Missing value for required parameter 'apiName' or 'displayName'")
    if action not in ("createOnly", "updateOnly", "createOrUpdate"):
        raise ApiError("1003", f"Invalid value for action: {action}")
    table = section.store.table(TYPE)
    words = {one: body[one] for one in ("displayName", "pluralName", "description", "showInLeadDetail") if one in body}
    if name in table:
        if action == "createOnly":
            raise ApiError("1017", f"Object '{name}' already exists")
        row = known(section.store, name)
        if row.get("approved") is not None and words.get("displayName", row["displayName"]) != row["displayName"]:
            raise ApiError("1003", "The display name of an approved object can not be changed")
        _check_display(section.store, words, name)
        change(section, name, words, origin)
        return
    if action == "updateOnly":
        raise ApiError("1013", f"Object '{name}' not found")
    if not _NAME.fullmatch(name) or name.casefold() in {one.casefold() for one in _TAKEN}:
        raise ApiError("1003", f"Invalid apiName '{name}'")
    _check_display(section.store, words, name)
    if len(table) >= TYPES_MAX:
        raise ApiError("1003", f"At most {TYPES_MAX} custom objects can be created")
    section.add("create", TYPE, name, origin, before=None, after={"apiName": name, **words, "draft": []})


def _check_display(store: Store, words: Mapping[str, Any], name: str) -> None:
    """Names that people read are letters, digits, blanks and `_`, and no two types share one (REST API, custom objects)."""
    shown = words.get("displayName")
    if shown is None:
        return
    if not _DISPLAY.fullmatch(shown):
        raise ApiError("1003", f"Invalid displayName '{shown}'")
    if any(row["displayName"].casefold() == shown.casefold() for other, row in store.table(TYPE).items() if other != name):
        raise ApiError("1017", f"Object with displayName '{shown}' already exists")


def add_fields(section: Section, name: str, records: list[Any], origin: Origin) -> None:
    """Adds fields to the draft. Links and dedupe fields can't be added once the type is approved."""
    row = known(section.store, name)
    approved = row.get("approved") or []
    draft = row.get("draft")
    fields: list[Any] = list(approved if draft is None else draft)
    for record in records:
        made = _field(section.store, name, record, fields)
        if row.get("approved") is not None and (made["dataType"] == "link" or made["isDedupeField"]):
            raise ApiError("1003", "Link and dedupe fields can not be added to an approved object")
        fields.append(made)
    limit = FIELDS_MAX if row.get("approved") is None else int(row.get("fieldsAtFirst") or len(approved)) + FIELDS_LATER_MAX
    if len(fields) > limit:
        raise ApiError("1003", f"At most {limit} fields can be added")
    change(section, name, {"draft": fields}, origin)


def update_field(section: Section, name: str, field: str, body: Mapping[str, Any], origin: Origin) -> None:
    """Changes a field's words in the draft; name, type, link and dedupe stay as they were approved."""
    row = known(section.store, name)
    fields = [dict(one) for one in (row.get("draft") if row.get("draft") is not None else row.get("approved")) or []]
    found = next((one for one in fields if one["name"] == field), None)
    if found is None:
        raise ApiError("1006", f"Field '{field}' not found")
    found.update({one: body[one] for one in ("displayName", "description") if one in body})
    change(section, name, {"draft": fields}, origin)


def delete_fields(section: Section, name: str, records: list[Any], origin: Origin) -> None:
    row = known(section.store, name)
    gone = {str(record.get("name")) for record in records if isinstance(record, Mapping)}
    fields = list((row.get("draft") if row.get("draft") is not None else row.get("approved")) or [])
    for one in gone - {field["name"] for field in fields}:
        raise ApiError("1006", f"Field '{one}' not found")
    if any(field["name"] in gone and (field["isDedupeField"] or field["dataType"] == "link") for field in row.get("approved") or []):
        raise ApiError("1003", "Link and dedupe fields of an approved object can not be deleted")
    change(section, name, {"draft": [field for field in fields if field["name"] not in gone]}, origin)


def approve(section: Section, name: str, origin: Origin) -> None:
    """Makes the draft the version in use. ApiError 1003 unless it has one to three dedupe fields."""
    row = known(section.store, name)
    draft = row.get("draft")
    if draft is None:
        raise ApiError("1003", f"Object '{name}' has no draft")
    if not 1 <= sum(field["isDedupeField"] for field in draft) <= DEDUPE_MAX:
        raise ApiError("1003", f"An object needs one to {DEDUPE_MAX} dedupe fields")
    number = row.get("activityType") or next_activity_type(section.store)
    first = row.get("fieldsAtFirst") or len(draft)
    change(section, name, {"draft": None, "approved": draft, "activityType": number, "fieldsAtFirst": first}, origin)


def discard(section: Section, name: str, origin: Origin) -> None:
    row = known(section.store, name)
    if row.get("draft") is None:
        raise ApiError("1048", f"Object '{name}' has no draft to discard")
    if row.get("approved") is None:
        section.add("delete", TYPE, name, origin, before=row, after=None)
    else:
        change(section, name, {"draft": None}, origin)


def delete(section: Section, name: str, origin: Origin) -> None:
    """Deletes a type with all its records. ApiError 1022 while another type links to it."""
    row, store = known(section.store, name), section.store
    for other in store.table(TYPE).rows():
        if any((field.get("relatedTo") or {}).get("name") == name for field in other.get("approved") or other.get("draft") or []):
            raise ApiError("1022", f"Object '{name}' is in use")
    for key, record in store.table(name).items():
        section.add("delete", name, key, origin, before=record, after=None)
    section.add("delete", TYPE, name, origin, before=row, after=None)


def change(section: Section, name: str, after: Mapping[str, Any], origin: Origin) -> None:
    row = section.store.table(TYPE).get(name) or {}
    before = {one: row.get(one) for one in after}
    if before != after:
        section.add("update", TYPE, name, origin, before=before, after=dict(after))


def known(store: Store, name: str) -> Row:
    row = store.table(TYPE).get(name)
    if row is None:
        raise ApiError("1013", f"Object '{name}' not found")
    return row


def next_activity_type(store: Store) -> int:
    """The next free id of an activity type, for custom activities and for "Add to ..." a custom object."""
    used = [row.get("activityType") for row in store.table(TYPE).rows()]
    used += [row.get("id") for row in store.table(ACTIVITY_TYPE).rows()]
    used += [row.get("activityType") for row in store.table(SERVICE).rows()]
    return max((int(number) + 1 for number in used if number is not None), default=FIRST_CUSTOM_TYPE)


def kind_of(store: Store, name: str) -> Kind:
    """The kind of an approved type. ApiError 1013 when there is none."""
    row = store.table(TYPE).get(name)
    if row is None or row.get("approved") is None:
        raise ApiError("1013", f"Object '{name}' not found")
    return made_kind(row, row["approved"])


def made_kind(row: Row, fields: list[Mapping[str, Any]]) -> Kind:
    shown = {"marketoGUID": Field(id=0, name="marketoGUID", display="Marketo GUID", type="string", length=36, read_only=True)}
    for number, one in enumerate(fields, start=1):
        kind = "string" if one["dataType"] == "link" else one["dataType"]
        if one["dataType"] == "link" and _target_field(one) == "id":
            kind = "integer"
        length = TEXT_LENGTH_MAX if kind == "text" else 255 if kind in {"string", "email", "phone"} else None
        shown[one["name"]] = Field(
            id=number, name=one["name"], display=one["displayName"], type="string" if kind == "text" else kind, length=length
        )
    for stamp in _STAMPS:
        shown[stamp] = Field(id=0, name=stamp, display=stamp, type="datetime", read_only=True)
    links = [one for one in fields if one["dataType"] == "link"]
    return Kind(
        name=row["apiName"],
        display=row["displayName"],
        id_field="marketoGUID",
        dedupe=tuple(one["name"] for one in fields if one["isDedupeField"]),
        searchable=tuple(one["name"] for one in links),
        fields=shown,
        links={one["name"]: (_target(one), _target_field(one)) for one in links},
        relationships=tuple(
            {"field": one["name"], "type": "child", "relatedTo": {"name": _target(one), "field": _shown_target(one)}} for one in links
        ),
        custom=True,
        activity_type=row.get("activityType"),
    )


def _field(store: Store, owner: str, record: Any, others: list[Any]) -> dict[str, Any]:
    if not isinstance(record, Mapping):
        raise ApiError("1001", "Invalid value: a field must be an object")
    for member in ("name", "displayName", "dataType"):
        if not isinstance(record.get(member), str) or not record[member]:
            raise ApiError("1002", f"Missing value for required parameter '{member}'")
    name, kind = record["name"], record["dataType"]
    if not _NAME.fullmatch(name) or name in {"marketoGUID", *_STAMPS}:
        raise ApiError("1003", f"Invalid field name '{name}'")
    if name.casefold() in {one["name"].casefold() for one in others}:
        raise ApiError("1017", f"Field '{name}' already exists")
    if not _DISPLAY.fullmatch(record["displayName"]):
        raise ApiError("1003", f"Invalid displayName '{record['displayName']}'")
    if record["displayName"].casefold() in {one["displayName"].casefold() for one in others}:
        raise ApiError("1017", f"Field with displayName '{record['displayName']}' already exists")
    if kind not in DATA_TYPES:
        raise ApiError("1003", f"Invalid dataType '{kind}'")
    made = {
        "name": name,
        "displayName": record["displayName"],
        "dataType": kind,
        "description": record.get("description"),
        "isDedupeField": bool(record.get("isDedupeField", False)),
    }
    if kind == "link":
        made["relatedTo"] = _checked_target(store, owner, record.get("relatedTo"))
    return made


def _checked_target(store: Store, owner: str, target: Any) -> dict[str, str]:
    if not isinstance(target, Mapping) or not isinstance(target.get("name"), str) or not isinstance(target.get("field"), str):
        raise ApiError("1002", "Missing value for required parameter 'relatedTo'")
    made = {"name": target["name"], "field": target["field"]}
    match made["name"].casefold():
        case "lead":
            allowed = _target_field({"relatedTo": made}) in store.searchable()
        case "company":
            allowed = made["field"].casefold() == "id"
        case _:
            other = store.table(TYPE).get(made["name"])
            fields = (other or {}).get("approved")
            if made["name"] == owner or fields is None or any(one["dataType"] == "link" for one in fields):
                raise ApiError("1003", f"Object '{made['name']}' can not be linked to")
            allowed = any(one["name"] == made["field"] and one["isDedupeField"] for one in fields)
    if not allowed:
        raise ApiError("1003", f"Field '{made['field']}' can not be linked to")
    return made


def _target(field: Mapping[str, Any]) -> str:
    name = str(field["relatedTo"]["name"])
    return {"lead": LEAD, "company": COMPANY}.get(name.casefold(), name)


def _shown_target(field: Mapping[str, Any]) -> str:
    name = _target_field(field)
    return "Id" if name == "id" else name


def _target_field(field: Mapping[str, Any]) -> str:
    name = str(field["relatedTo"]["field"])
    return "id" if name.casefold() == "id" else name

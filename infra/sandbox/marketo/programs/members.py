"""Program members and their fields: statuses that only go forward (REST API, program members; understanding program membership)."""

from collections.abc import Mapping
from typing import Any

from infra.sandbox.marketo.border.errors import RecordError
from infra.sandbox.marketo.border.origin import Origin
from infra.sandbox.marketo.programs.programs import NOT_IN_PROGRAM, channels, known
from infra.sandbox.marketo.state.activity_log import CHANGE_MEMBER_DATA, CHANGE_STATUS
from infra.sandbox.marketo.state.fields import Field, Value, display, stored
from infra.sandbox.marketo.state.instance import Section
from infra.sandbox.marketo.state.records import Row, second
from infra.sandbox.marketo.state.store import MEMBER_FIELD, PROGRAM_MEMBER, Store

CUSTOM_FIELDS_MAX = 20

MEMBER_FIELDS: Mapping[str, Field] = {
    name: Field(id=number, name=name, display=shown, type=kind, read_only=not writable)
    for number, (name, shown, kind, writable) in enumerate(
        (
            ("acquiredBy", "acquiredBy", "boolean", True),
            ("attendanceLikelihood", "attendanceLikelihood", "integer", False),
            ("createdAt", "createdAt", "datetime", False),
            ("isExhausted", "isExhausted", "boolean", False),
            ("leadId", "leadId", "integer", False),
            ("membershipDate", "membershipDate", "datetime", False),
            ("nurtureCadence", "nurtureCadence", "string", False),
            ("program", "program", "string", False),
            ("programId", "programId", "integer", False),
            ("reachedSuccess", "reachedSuccess", "boolean", False),
            ("reachedSuccessDate", "reachedSuccessDate", "datetime", False),
            ("registrationLikelihood", "registrationLikelihood", "integer", False),
            ("statusName", "statusName", "string", False),
            ("statusReason", "statusReason", "string", True),
            ("trackName", "trackName", "string", False),
            ("updatedAt", "updatedAt", "datetime", False),
            ("waitlistPriority", "waitlistPriority", "integer", False),
        ),
        start=1,
    )
}


def membership(row: Row) -> dict[str, Any]:
    """What the endpoints of a person tell of a membership beside its program and status."""
    shown = {"isExhausted": bool(row.get("isExhausted")), **{name: bool(row.get(name)) for name in ("acquiredBy", "reachedSuccess")}}
    if row.get("reachedSuccessDate"):
        shown["reachedSuccessDate"] = row["reachedSuccessDate"]
    return {**shown, "membershipDate": row.get("membershipDate"), "updatedAt": row["updatedAt"]}


def member_fields(store: Store) -> dict[str, Field]:
    """Standard and custom fields of members; the custom ones are shared by all programs."""
    customs = store.table(MEMBER_FIELD).items()
    return {
        **MEMBER_FIELDS,
        **{name: Field(**{k: v for k, v in row.items() if k not in {"createdAt", "updatedAt"}}) for name, row in customs},
    }


def member_key(store: Store, program_id: int, lead_id: Any) -> str | None:
    keys = store.table(PROGRAM_MEMBER).find(("programId", "leadId"), (program_id, lead_id))
    return keys[0] if keys else None


def set_status(section: Section, program_id: int, lead_id: Any, status: str, origin: Origin, *, only_members: bool = False) -> str:
    """Gives a person a status in a program, adding it if need be; returns `created` or `updated`. RecordError 1004 (no such person), 1025
    (status not in the channel), 1037 (already in or past it)."""
    store, program = section.store, known(section.store, program_id)
    if not store.find("id", lead_id):
        raise RecordError("1004", "Lead not found")
    steps = {one["name"]: one for one in channels(store)[program["channel"]]["progressionStatuses"]}
    wanted = steps.get(status)
    if wanted is None or status == NOT_IN_PROGRAM:
        raise RecordError("1025", f"Program status '{status}' not found in channel '{program['channel']}'")
    key = member_key(store, program_id, lead_id)
    row = (store.table(PROGRAM_MEMBER).get(key) if key else None) or {}
    if key is None and only_members:
        raise RecordError("1013", "Membership not found")
    old = steps.get(row.get("statusName", NOT_IN_PROGRAM))  # the channel may have changed since: then any status is new
    equal = store.settings.equal_status == "skipped"
    if key is not None and old is not None and (old["step"] > wanted["step"] or (old["step"] == wanted["step"] and equal)):
        raise RecordError("1037", f"Lead already in or past status '{status}'")
    number = int(key or store.table(PROGRAM_MEMBER).next_id)
    shown = _status_shown(row, wanted, list(steps), origin.reason, number)
    activity = [int(lead_id), CHANGE_STATUS, program_id, program["name"], shown]
    after = _with_status(section, row, wanted)
    if key is not None:
        before = {name: row.get(name) for name in after}
        section.add("update", PROGRAM_MEMBER, key, origin, before=before, after=after, activities=[activity])
        return "updated"
    made = {"programId": program_id, "leadId": int(lead_id), "membershipDate": _now(section), "acquiredBy": False, **after}
    section.add("create", PROGRAM_MEMBER, str(number), origin, before=None, after=made, activities=[activity])
    return "created"


def set_data(section: Section, program_id: int, lead_id: Any, values: Mapping[str, Any], origin: Origin) -> bool:
    """Changes a member's fields; returns whether anything changed. RecordError 1013 for somebody who is no member."""
    store = section.store
    key = member_key(store, program_id, lead_id)
    if key is None:
        raise RecordError("1013", "Membership not found")
    checked, fields = checked_data(store, values), member_fields(store)
    row = store.table(PROGRAM_MEMBER).get(key) or {}
    after = {name: value for name, value in checked.items() if row.get(name) != value}
    if not after:
        return False
    name, by_api = known(store, program_id)["name"], origin.method is not None
    activities = []
    for one, value in after.items():
        old, new = (display(fields[one], each, store.zone, by_api=by_api) for each in (row.get(one), value))
        shown = [
            ["Attribute Name", one],
            ["Attribute Display Name", fields[one].display],
            ["New Value", new],
            ["Old Value", old],
            ["Reason", origin.reason],
            ["Source", origin.source],
        ]
        activities.append([int(lead_id), CHANGE_MEMBER_DATA, program_id, name, shown])
    before = {one: row.get(one) for one in after}
    section.add("update", PROGRAM_MEMBER, key, origin, before=before, after=after, activities=activities)
    return True


def checked_data(store: Store, values: Mapping[str, Any]) -> dict[str, Value]:
    fields = member_fields(store)
    checked: dict[str, Value] = {}
    for name, value in values.items():
        if name not in fields:
            raise RecordError("1006", f"Field '{name}' not found")
        if fields[name].read_only:
            raise RecordError("1003", f"Field '{name}' is not updateable")
        checked[name] = stored(fields[name], value, store.zone)
    return checked


def remove(section: Section, program_id: int, lead_id: Any, origin: Origin) -> None:
    """Ends a membership. RecordError 1037 for somebody who is no member."""
    key = member_key(section.store, program_id, lead_id)
    if key is None:
        raise RecordError("1037", "Lead not in program")
    row = section.store.table(PROGRAM_MEMBER).get(key)
    section.add("delete", PROGRAM_MEMBER, key, origin, before=row, after=None)


def _with_status(section: Section, row: Row, wanted: Mapping[str, Any]) -> Row:
    after: Row = {"statusName": wanted["name"], "reachedSuccess": bool(wanted["success"] or row.get("reachedSuccess"))}
    if wanted["success"] and not row.get("reachedSuccess"):
        after["reachedSuccessDate"] = _now(section)
    return after


def _now(section: Section) -> str:
    return second(section.now_ms // 1000)


def _status_shown(row: Row, wanted: Mapping[str, Any], names: list[str], reason: str, member: int) -> list[list[Any]]:
    """The attributes of the activity that tells of a status, in the order observed."""
    old = row.get("statusName", NOT_IN_PROGRAM)
    return [
        ["Reason", reason],
        ["Program Member ID", member],
        ["Acquired By", bool(row.get("acquiredBy"))],
        ["Old Status", old],
        ["New Status ID", names.index(wanted["name"]) + 20],
        ["Success", bool(wanted["success"])],
        ["New Status", wanted["name"]],
        ["Old Status ID", names.index(old) + 20 if old in names else None],
    ]

"""An activity as an event of the lead activity data stream (Adobe I/O Events, Marketo lead activity data stream)."""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from infra.sandbox.marketo.activities.types import TYPES, data_type
from infra.sandbox.marketo.push.flow_steps import MUNCHKIN_ID
from infra.sandbox.marketo.state import activity_log
from infra.sandbox.marketo.state.activity_log import FIRST_CUSTOM_TYPE, Activity
from infra.sandbox.marketo.state.records import second
from infra.sandbox.marketo.state.store import CAMPAIGN, Store

_NAMES = {int(one["id"]): str(one["name"]) for one in TYPES}
_CARRIED: Mapping[int, tuple[str, ...]] = {
    activity_log.NEW_LEAD: ("Created Date", "Source Type"),
    activity_log.CHANGE_VALUE: ("Reason", "Attribute Name", "New Value", "Old Value", "Source", "Campaign"),
    activity_log.CHANGE_SCORE: ("Reason", "Change Value", "New Value", "Old Value", "Score Name"),
    activity_log.ADD_TO_LIST: ("List ID", "Campaign"),
    activity_log.REMOVE_FROM_LIST: ("List ID", "Campaign"),
    activity_log.MERGE_LEADS: ("Merge IDs", "Merge Fields"),
    activity_log.ADD_TO_OPPORTUNITY: ("Oppty ID", "Is Primary", "Role"),
    activity_log.DELETE_LEAD: (),
    activity_log.REQUEST_CAMPAIGN: ("Campaign ID", "Source"),
    activity_log.CHANGE_PARTITION: ("New Partition ID", "Old Partition ID", "Reason"),
    activity_log.CHANGE_STATUS: ("Acquired By", "Old Status", "New Status ID", "Success", "New Status", "Program ID", "Old Status ID"),
    activity_log.CALL_WEBHOOK: ("Error Type",),
    activity_log.CHANGE_MEMBER_DATA: (
        *("Program ID", "Attribute Name", "New Value", "Old Value", "Reason", "Source"),
        *("Attribute Display Name", "Campaign"),
    ),
    activity_log.PUSH_LEAD: ("Reason", "Source"),
}
"""The types of the published event list, as far as this instance has them, with their attributes (Channel, whose values nobody shows, is
left out). Removals from an opportunity and its updates are not among them."""
_SOURCED = frozenset({activity_log.CHANGE_VALUE, activity_log.CHANGE_SCORE, activity_log.CHANGE_PARTITION})
_PRIMARY: Mapping[int, str] = {
    **dict.fromkeys((activity_log.ADD_TO_LIST, activity_log.REMOVE_FROM_LIST), "List ID"),
    **dict.fromkeys((activity_log.CHANGE_STATUS, activity_log.CHANGE_MEMBER_DATA), "Program ID"),
    activity_log.ADD_TO_OPPORTUNITY: "Oppty ID",
    activity_log.REQUEST_CAMPAIGN: "Campaign ID",
}
_SPACE = uuid.UUID("6f6bd4a8-3a1c-4f0e-9d53-0f4f3f1f9a10")


def event_of(store: Store, row: Activity, client_id: str) -> dict[str, Any]:
    """The event; its `id` is the activity's marketoGUID, the same on every delivery."""
    custom = row.type >= FIRST_CUSTOM_TYPE
    name = "Custom Activity" if custom else _NAMES.get(row.type, str(row.type))
    kind = "custom" if custom else f"standard.{name.lower().replace(' ', '')}"
    at = second(row.at_s)
    shown = store.fields.get(row.primary or "") if row.type == activity_log.CHANGE_VALUE else None
    data: dict[str, Any] = {
        "munchkinId": MUNCHKIN_ID,
        "leadId": str(store.resolve(row.lead_id)),
        "activityDate": at,
        "activityTypeId": row.type,
        "activityType": name,
        "activityLogItemId": row.id,
        "primaryAttributeValueId": row.primary_id,
        "primaryAttributeValue": shown.display if shown is not None else row.primary,
        "attributes": _attributes(store, row),
    }
    if row.origin.campaign is not None:
        data["campaignId"] = row.origin.campaign
    return {
        "eventid": str(uuid.uuid5(_SPACE, f"{client_id}/{row.id}")),
        "specversion": "1.0",
        "type": f"com.adobe.platform.marketo.activity.{kind}",
        "source": "urn:marketo_activity_stream",
        "id": str(row.id),
        "time": at,
        "datacontenttype": "application/json",
        "data": data,
        "recipientclientid": client_id,
    }


def streamed(row: Activity) -> bool:
    """Whether streams carry the activity: custom ones, and the types of the published list."""
    return row.type >= FIRST_CUSTOM_TYPE or row.type in _CARRIED


def _attributes(store: Store, row: Activity) -> list[dict[str, Any]]:
    """Those that the published list names for the type, as far as they hold something, with typed values."""
    told = {**dict(row.extra), **_own(store, row)}
    names = told if row.type >= FIRST_CUSTOM_TYPE else _CARRIED.get(row.type, ())
    return [
        {"name": name, "dataType": data_type(name, row.type), "value": told[name]}
        for name in names
        if told.get(name) is not None and told[name] != ""
    ]


def _own(store: Store, row: Activity) -> dict[str, Any]:
    """What stands elsewhere in a row of the API: source and reason, the primary attribute, the campaign."""
    own: dict[str, Any] = {"Reason": row.origin.reason, "Source": row.origin.source} if row.type in _SOURCED else {}
    match row.type:
        case activity_log.CHANGE_VALUE:
            own |= {"Attribute Name": row.primary, "New Value": row.new, "Old Value": row.old}
        case activity_log.CHANGE_SCORE:
            own |= {"Score Name": row.primary}
        case activity_log.NEW_LEAD:
            at = datetime.fromtimestamp(row.at_s, UTC).astimezone(store.zone)
            own = {"Created Date": at.date().isoformat(), "Source Type": row.origin.source}
    number = _PRIMARY.get(row.type)
    if number is not None:
        own[number] = row.primary_id
    if row.origin.campaign is not None:
        campaign = store.table(CAMPAIGN).get(str(row.origin.campaign)) or {}
        own["Campaign"] = campaign.get("name") or str(row.origin.campaign)
    return own

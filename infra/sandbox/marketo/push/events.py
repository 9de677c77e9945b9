"""An activity as an event of the lead activity data stream (Adobe I/O Events, Marketo lead activity data stream)."""

import uuid
from typing import Any

from infra.sandbox.marketo import activities
from infra.sandbox.marketo.activities import FIRST_CUSTOM_TYPE, Activity
from infra.sandbox.marketo.activity_types import TYPES
from infra.sandbox.marketo.push.flow_steps import MUNCHKIN_ID
from infra.sandbox.marketo.records import second
from infra.sandbox.marketo.store import Store

_NAMES = {int(one["id"]): str(one["name"]) for one in TYPES}
_SPACE = uuid.UUID("6f6bd4a8-3a1c-4f0e-9d53-0f4f3f1f9a10")


def event_of(store: Store, row: Activity, client_id: str) -> dict[str, Any]:
    """The event; its `id` is the activity's marketoGUID, the same on every delivery."""
    custom = row.type >= FIRST_CUSTOM_TYPE
    name = "Custom Activity" if custom else _NAMES.get(row.type, str(row.type))
    kind = "custom" if custom else f"standard.{name.lower().replace(' ', '')}"
    at = second(row.at_s)
    shown = store.fields.get(row.primary or "") if row.type == activities.CHANGE_VALUE else None
    data: dict[str, Any] = {
        "munchkinId": MUNCHKIN_ID,
        "leadId": str(store.resolve(row.lead_id)),
        "activityDate": at,
        "activityTypeId": row.type,
        "activityType": name,
        "activityLogItemId": row.id,
        "primaryAttributeValueId": row.primary_id,
        "primaryAttributeValue": shown.display if shown is not None else row.primary,
        "attributes": [{"name": one, "dataType": "string", "value": value} for one, value in _attributes(row)],
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


def _attributes(row: Activity) -> list[tuple[str, Any]]:
    if row.type == activities.CHANGE_VALUE:
        return [("New Value", row.new), ("Old Value", row.old), ("Reason", row.origin.reason), ("Source", row.origin.source)]
    if row.type == activities.NEW_LEAD:
        return [("Source Type", row.origin.source)]
    return list(row.extra)

"""Activity types as `activities/types.json` lists them: ids, names and attributes observed in real instances."""

from typing import Any

_CALL = ("API Method Name", "Modifying User", "Request Id")


def _type(number: int, name: str, primary: str | None, *attributes: str) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": number, "name": name, "description": name}
    if primary is not None:
        shown["primaryAttribute"] = {"name": primary, "dataType": "string"}
    shown["attributes"] = [{"name": attribute, "dataType": "string"} for attribute in attributes]
    return shown


TYPES = sorted(
    [
        _type(12, "New Lead", None, *_CALL, "Created Date", "Form Name", "Lead Source", "List Name", "SFDC Type", "Source Type"),
        _type(13, "Change Data Value", "Attribute Name", *_CALL, "New Value", "Old Value", "Reason", "Source"),
        _type(22, "Change Score", "Score Name", "Change Value", "New Value", "Old Value", "Reason"),
        _type(24, "Add to List", "List ID", "Source"),
        _type(25, "Remove from List", "List ID", "Source"),
        _type(34, "Add to Opportunity", "Opportunity ID", "Is Primary", "Role"),
        _type(35, "Remove from Opportunity", "Opportunity ID", "Is Primary", "Role"),
        _type(36, "Update Opportunity", "Opportunity ID"),
        _type(47, "Request Campaign", "Campaign ID", "Source"),
        _type(100, "Change Lead Partition", "New Partition ID", "Old Partition ID", "Reason"),
        _type(110, "Call Webhook", "Webhook", "Error Type", "Response"),
        _type(145, "Push Lead to Marketo", "Program", "Reason", "Source"),
        _type(32, "Merge Leads", "Lead ID", "Master Updated", "Merge IDs", "Merge Source", "Merged in Sales"),
        _type(37, "Delete Lead", "Lead ID", "Campaign", "Remove from CRM"),
        _type(
            104,
            "Change Status in Progression",
            "Program",
            "Acquired By",
            "New Status",
            "New Status ID",
            "Old Status",
            "Old Status ID",
            "Program Member ID",
            "Reason",
            "Success",
        ),
        _type(123, "Change Program Member Data", "Program", "New Value", "Old Value", "Reason", "Source"),
    ],
    key=lambda one: int(one["id"]),
)

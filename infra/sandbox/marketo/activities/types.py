"""Activity types as `activities/types.json` lists them: ids, names and attributes observed in real instances and in published tables."""

from typing import Any

_CALL = ("API Method Name", "Modifying User", "Request Id")
_DATA_TYPES = {
    **dict.fromkeys(("List ID", "Oppty ID", "Campaign ID", "Program ID", "Program Member ID", "Lead ID"), "integer"),
    **dict.fromkeys(("New Status ID", "Old Status ID", "New Partition ID", "Old Partition ID"), "integer"),
    **dict.fromkeys(("Is Primary", "Success", "Acquired By", "Master Updated", "Merged in Sales", "Remove from CRM"), "boolean"),
    **dict.fromkeys(("Reached Success Date",), "datetime"),
    **dict.fromkeys(("Data Value Changes", "Response"), "text"),
    "Created Date": "date",
}
"""Those that are no plain text."""


def data_type(attribute: str, kind: int) -> str:
    """What an attribute of a type holds; a score's values are numbers, any other's text."""
    if kind == 22 and attribute in {"Old Value", "New Value"}:
        return "integer"
    return _DATA_TYPES.get(attribute, "string")


def _type(number: int, name: str, description: str, primary: str | None, *attributes: str) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": number, "name": name, "description": description}
    if primary is not None:
        shown["primaryAttribute"] = {"name": primary, "dataType": data_type(primary, number)}
    shown["attributes"] = [{"name": one, "dataType": data_type(one, number)} for one in attributes]
    return shown


TYPES = [
    _type(
        *(12, "New Lead", "New person/record is added to the lead database", None),
        *(*_CALL, "Created Date", "Form Name", "Lead Source", "List Name", "SFDC Type", "Source Type"),
    ),
    _type(
        *(13, "Change Data Value", "Changed attribute value for a person/record", "Attribute Name"),
        *(*_CALL, "New Value", "Old Value", "Reason", "Source"),
    ),
    _type(
        *(22, "Change Score", "Modify the value of a score field", "Score Name"),
        *("Change Value", "New Value", "Old Value", "Reason"),
    ),
    _type(24, "Add to List", "Add a person/record to a list", "List ID", "Source"),
    _type(25, "Remove from List", "Remove this person/record from a list", "List ID", "Source"),
    _type(
        *(32, "Merge Leads", "Merge two or more leads into a single record", "Lead ID"),
        *("Master Updated", "Merge IDs", "Merge Source", "Merged in Sales"),
    ),
    _type(34, "Add to Opportunity", "Add to an Opportunity", "Oppty ID", "Is Primary", "Role"),
    _type(35, "Remove from Opportunity", "Remove from an Opportunity", "Oppty ID", "Is Primary", "Role"),
    _type(36, "Update Opportunity", "Update an Opportunity", "Oppty ID", "Data Value Changes"),
    _type(37, "Delete Lead", "Delete this lead", "Lead ID", "Campaign", "Remove from CRM"),
    _type(47, "Request Campaign", "Campaign Requested", "Campaign ID", "Source"),
    _type(100, "Change Lead Partition", "Move the lead to another partition", "New Partition ID", "Old Partition ID", "Reason"),
    _type(
        *(104, "Change Status in Progression", "Change the status of a person/record in a program progression", "Program ID"),
        *("Acquired By", "New Status", "New Status ID", "Old Status", "Old Status ID", "Program Member ID"),
        *("Reached Success Date", "Reason", "Status Reason", "Success"),
    ),
    _type(110, "Call Webhook", "Invoke an outbound webhook", "Webhook", "Error Type", "Response"),
    _type(
        *(123, "Change Program Member Data", "Changed attribute value for a program member", "Program ID"),
        *("Attribute Display Name", "Attribute Name", "New Value", "Old Value", "Reason", "Source"),
    ),
    _type(145, "Push Lead to Marketo", "Push a person/record to Marketo", "Program ID", *_CALL, "Reason", "Source"),
]

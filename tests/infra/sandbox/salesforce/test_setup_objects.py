"""What an administrator keeps, as records: users, queues, roles, profiles, the organisation, status values."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from infra.sandbox.salesforce.wire.stamps import stamp_of
from tests.infra.sandbox.salesforce.bayeux_client import Stream
from tests.infra.sandbox.salesforce.conftest import Client, Start

LEAD = {"LastName": "Ito", "Company": "Acme"}


def code(answer: Any) -> str:
    return str(answer.body[0]["errorCode"])


@pytest.mark.parametrize(
    ("soql", "found"),
    [
        ("SELECT Name FROM Organization", ["Sandbox"]),
        ("SELECT MasterLabel FROM LeadStatus WHERE IsConverted = TRUE", ["Closed - Converted"]),
        ("SELECT MasterLabel FROM OpportunityStage WHERE IsWon = TRUE", ["Closed Won"]),
        ("SELECT MasterLabel FROM TaskStatus WHERE IsClosed = TRUE", ["Completed"]),
        ("SELECT MasterLabel FROM TaskPriority WHERE IsHighPriority = TRUE", ["High"]),
        ("SELECT Name FROM UserRole", ["CEO"]),
        ("SELECT Name FROM Profile WHERE PermissionsModifyAllData = TRUE", ["System Administrator"]),
        ("SELECT Name FROM Group", []),
        ("SELECT Id FROM QueueSobject", []),
        ("SELECT Id FROM GroupMember", []),
        ("SELECT Id FROM EventRelation", []),
    ],
)
async def test_they_can_be_queried(org: Client, soql: str, found: list[str]) -> None:
    answer = await org.query(soql)
    assert [list(each.values())[-1] for each in answer["records"]] == found
    name = soql.split(" FROM ")[1].split(maxsplit=1)[0]
    described = (await org.call("GET", f"/sobjects/{name}/describe")).body
    assert described["queryable"] is True
    assert (await org.call("GET", f"/sobjects/{name}ChangeEvent/describe")).status == (200 if name == "EventRelation" else 404)


async def test_a_status_value_is_a_record_with_an_id_of_its_object(org: Client) -> None:
    for name in ("LeadStatus", "OpportunityStage", "TaskStatus", "TaskPriority"):
        rows = (await org.query("SELECT Id, ApiName FROM This ORDER BY SortOrder".replace("This", name)))["records"]
        assert all(each["Id"].startswith("01J") for each in rows)
        read = await org.call("GET", f"/sobjects/{name}/{rows[0]['Id']}")
        assert read.body["ApiName"] == rows[0]["ApiName"]
        assert code(await org.call("POST", f"/sobjects/{name}", {"MasterLabel": "x"})) == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"


async def test_an_administrator_changes_status_values(org: Client) -> None:
    kept = (await org.query("SELECT Id FROM LeadStatus WHERE MasterLabel = 'Working - Contacted'"))["records"][0]["Id"]
    values = [{"label": "Working - Contacted", "default": True}, {"label": "Qualified", "converted": True}]
    await org.verb("set_statuses", {"object": "LeadStatus", "values": values})
    rows = (await org.query("SELECT Id, MasterLabel, IsConverted FROM LeadStatus ORDER BY SortOrder"))["records"]
    assert [(each["MasterLabel"], each["IsConverted"]) for each in rows] == [("Working - Contacted", False), ("Qualified", True)]
    assert rows[0]["Id"] == kept
    lead = await org.made("Lead", **LEAD)
    assert (await org.call("GET", f"/sobjects/Lead/{lead}")).body["Status"] == "Working - Contacted"
    refused = await org.control("POST", "verb/convert", {"lead": lead, "status": "Closed - Converted"})
    assert "INVALID_STATUS" in str(refused.body)
    await org.verb("convert", {"lead": lead})
    assert (await org.call("GET", f"/sobjects/Lead/{lead}")).body["Status"] == "Qualified"
    none = await org.control("POST", "verb/set_statuses", {"object": "LeadStatus", "values": [{"label": "Open"}]})
    assert none.status == 400


async def test_users_are_deactivated_not_deleted(org: Client) -> None:
    user = (await org.verb("create_user", {"username": "eva@sandbox.example", "last_name": "Eva"}))["id"]
    refused = await org.call("DELETE", f"/sobjects/User/{user}")
    assert (refused.status, code(refused)) == (405, "METHOD_NOT_ALLOWED")
    item = (await org.call("DELETE", f"/composite/sobjects?ids={user}")).body[0]
    assert item["errors"][0]["statusCode"] == "INSUFFICIENT_ACCESS_OR_READONLY"
    assert (await org.control("POST", "verb/delete", {"id": user})).status == 400
    assert (await org.call("PATCH", f"/sobjects/User/{user}", {"IsActive": False})).status == 204
    for name in ("User", "Group", "RecordType", "Profile", "UserRole", "LeadStatus"):
        assert (await org.query("SELECT IsDeleted FROM This".replace("This", name)))[0]["errorCode"] == "INVALID_FIELD"
    described = (await org.call("GET", "/sobjects/User/describe")).body
    assert (described["deletable"], described["undeletable"]) == (False, False)


async def test_a_user_has_a_profile_a_role_and_a_locale(org: Client) -> None:
    values = {"Username": "new@sandbox.example", "LastName": "New", "Email": "new@sandbox.example", "Alias": "new", "TimeZoneSidKey": "GMT"}
    refused = await org.call("POST", "/sobjects/User", values)
    assert code(refused) == "REQUIRED_FIELD_MISSING"
    assert {"ProfileId", "LocaleSidKey", "LanguageLocaleKey", "EmailEncodingKey"} <= set(refused.body[0]["fields"])
    profile = (await org.query("SELECT Id FROM Profile WHERE Name = 'Standard User'"))["records"][0]["Id"]
    role = (await org.query("SELECT Id FROM UserRole"))["records"][0]["Id"]
    locale = {"LocaleSidKey": "en_US", "LanguageLocaleKey": "en_US", "EmailEncodingKey": "UTF-8"}
    await org.made("User", **values, **locale, ProfileId=profile, UserRoleId=role, FederationIdentifier="f-1")
    row = (await org.query("SELECT Profile.Name, UserRole.Name, FederationIdentifier FROM User WHERE Alias = 'new'"))["records"][0]
    assert (row["Profile"]["Name"], row["UserRole"]["Name"], row["FederationIdentifier"]) == ("Standard User", "CEO", "f-1")


async def test_a_users_preferences_come_as_the_names_that_are_set(org: Client) -> None:
    await org.verb("select_entities", {"entities": ["User"]})
    stream = Stream(org)
    await stream.open()
    await stream.subscribe("/data/UserChangeEvent")
    user = (await org.verb("create_user", {"username": "eva@sandbox.example", "last_name": "Eva"}))["id"]
    created = (await stream.events(1))[0]["data"]["payload"]
    assert "ActivityRemindersPopup" in created["UserPreferences"]
    assert created["EmailPreferences"] == ["AutoBcc", "StayInTouchReminder"]
    assert created["ProfileId"].startswith("00e")
    assert not [name for name in created if name.startswith("UserPreferencesA")]
    await org.call("PATCH", f"/sobjects/User/{user}", {"EmailPreferencesAutoBcc": False})
    changed = (await stream.events(1))[0]["data"]["payload"]
    assert changed["EmailPreferences"] == ["StayInTouchReminder"]
    assert "EmailPreferences" in changed["ChangeEventHeader"]["changedFields"]
    await stream.close()


async def queue(org: Client, *objects: str) -> str:
    made = await org.made("Group", Name="Web leads", DeveloperName="Web_leads", Type="Queue")
    for name in objects:
        await org.made("QueueSobject", QueueId=made, SobjectType=name)
    return made


async def test_a_queue_owns_leads_and_custom_records_that_it_is_for(org: Client) -> None:
    web = await queue(org, "Lead")
    lead = await org.made("Lead", **LEAD, OwnerId=web)
    row = (await org.query("SELECT Owner.Name, Owner.Type FROM Lead"))["records"][0]
    assert (row["Owner"]["Name"], row["Owner"]["Type"], row["Owner"]["attributes"]["type"]) == ("Web leads", "Group", "Group")
    assert [each["Id"] for each in (await org.query("SELECT Id FROM Lead WHERE Owner.Type = 'Group'"))["records"]] == [lead]
    await org.verb("define_object", {"name": "Visit__c", "label": "Visit"})
    assert code(await org.call("POST", "/sobjects/Visit__c", {"Name": "v", "OwnerId": web})) == "INVALID_OPERATION"
    await org.made("QueueSobject", QueueId=web, SobjectType="Visit__c")
    await org.made("Visit__c", Name="v", OwnerId=web)
    assert (await org.call("DELETE", f"/sobjects/Group/{web}")).status == 204
    assert (await org.query("SELECT COUNT() FROM QueueSobject"))["totalSize"] == 0


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Account", {"Name": "A"}), ("Contact", {"LastName": "C"}), ("Campaign", {"Name": "C"}),
        ("Opportunity", {"Name": "O", "StageName": "Prospecting", "CloseDate": "2026-12-01"}),
        ("Event", {"ActivityDateTime": "2026-08-10T10:00:00Z", "DurationInMinutes": 1}),
    ],
)  # fmt: skip
async def test_a_queue_owns_nothing_else(org: Client, name: str, values: dict[str, Any]) -> None:
    web = await queue(org, "Lead", name)
    assert code(await org.call("POST", f"/sobjects/{name}", {**values, "OwnerId": web})) == "MALFORMED_ID"
    fields = (await org.call("GET", f"/sobjects/{name}/describe")).body["fields"]
    assert next(each for each in fields if each["name"] == "OwnerId")["referenceTo"] == ["User"]


async def test_a_profile_that_is_defined_is_a_record_too(org: Client) -> None:
    await org.verb("define_profile", {"name": "Reader", "objects": {"Lead": {}}})
    assert (await org.query("SELECT Name FROM Profile WHERE Name = 'Reader'"))["totalSize"] == 1


async def test_what_the_set_up_made_is_the_same_after_a_restart(start: Start, tmp_path: Path) -> None:
    first = await start(tmp_path / "org")
    await first.log_in()
    values = [{"label": "New", "default": True}, {"label": "Won", "converted": True}]
    await first.verb("set_statuses", {"object": "LeadStatus", "values": values})
    await first.verb("define_profile", {"name": "Reader", "objects": {"Lead": {}}})
    asked = ("SELECT Id, MasterLabel, SystemModstamp FROM LeadStatus", "SELECT Id, Name, SystemModstamp FROM Profile")
    before = [(await first.query(soql))["records"] for soql in asked]
    async with asyncio.timeout(10):
        while stamp_of(first.running.system.clock.now_ms()) <= before[0][0]["SystemModstamp"]:  # stamps are of whole seconds
            await asyncio.sleep(0.01)
    again = await start(tmp_path / "org")
    again.token = first.token
    assert [(await again.query(soql))["records"] for soql in asked] == before

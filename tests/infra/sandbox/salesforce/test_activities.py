"""Tasks and events: their times, their account, invitations."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.sandbox.salesforce.bayeux_client import Stream
from tests.infra.sandbox.salesforce.conftest import Client

AT, LATER = "2026-08-10T10:00:00Z", "2026-08-10T10:30:00Z"


async def read(org: Client, name: str, record_id: str) -> dict[str, Any]:
    answer = await org.call("GET", f"/sobjects/{name}/{record_id}")
    return dict(answer.body) if answer.status == 200 else {}


async def user(org: Client, name: str) -> str:
    return str((await org.verb("create_user", {"username": f"{name}@sandbox.example", "last_name": name}))["id"])


@pytest.mark.parametrize(
    ("values", "code", "field"),
    [
        ({}, "REQUIRED_FIELD_MISSING", "ActivityDateTime"),
        ({"DurationInMinutes": 30}, "REQUIRED_FIELD_MISSING", "ActivityDateTime"),
        ({"ActivityDate": "2026-08-10"}, "REQUIRED_FIELD_MISSING", "ActivityDateTime"),
        ({"ActivityDateTime": AT}, "REQUIRED_FIELD_MISSING", "DurationInMinutes"),
        ({"IsAllDayEvent": True}, "REQUIRED_FIELD_MISSING", "ActivityDate"),
        ({"ActivityDateTime": AT, "StartDateTime": LATER, "DurationInMinutes": 1}, "FIELD_INTEGRITY_EXCEPTION", "StartDateTime"),
        ({"StartDateTime": AT, "EndDateTime": LATER, "DurationInMinutes": 10}, "FIELD_INTEGRITY_EXCEPTION", "DurationInMinutes"),
        ({"StartDateTime": LATER, "EndDateTime": AT}, "FIELD_INTEGRITY_EXCEPTION", "EndDateTime"),
    ],
)
async def test_an_event_needs_times_that_agree(org: Client, values: dict[str, Any], code: str, field: str) -> None:
    refused = await org.call("POST", "/sobjects/Event", {"Subject": "meet", **values})
    assert (refused.status, refused.body[0]["errorCode"]) == (400, code)
    assert field in refused.body[0]["fields"]


@pytest.mark.parametrize(
    "values",
    [
        {"ActivityDateTime": AT, "DurationInMinutes": 30}, {"StartDateTime": AT, "EndDateTime": LATER},
        {"ActivityDateTime": AT, "StartDateTime": AT, "EndDateTime": LATER, "DurationInMinutes": 30},
    ],
)  # fmt: skip
async def test_the_times_of_an_event_follow_from_each_other(org: Client, values: dict[str, Any]) -> None:
    row = await read(org, "Event", await org.made("Event", **values))
    assert (row["StartDateTime"], row["ActivityDateTime"]) == ("2026-08-10T10:00:00.000+0000",) * 2
    assert (row["EndDateTime"], row["DurationInMinutes"]) == ("2026-08-10T10:30:00.000+0000", 30)
    assert (row["ActivityDate"], row["EndDate"], row["IsAllDayEvent"]) == ("2026-08-10", "2026-08-10", False)
    assert (row["ShowAs"], row["EventSubtype"], row["IsChild"], row["GroupEventType"]) == ("Busy", "Event", False, "0")


async def test_a_whole_day_has_a_date_and_no_time(org: Client) -> None:
    day = await org.made("Event", ActivityDate="2026-08-10", IsAllDayEvent=True)
    row = await read(org, "Event", day)
    assert (row["ActivityDate"], row["ActivityDateTime"], row["DurationInMinutes"]) == ("2026-08-10", None, 1440)
    assert row["StartDateTime"] == row["EndDateTime"] == "2026-08-10T00:00:00.000+0000"
    days = await org.made("Event", StartDateTime="2026-08-10T00:00:00Z", EndDateTime="2026-08-12T00:00:00Z", IsAllDayEvent=True)
    assert (await read(org, "Event", days))["DurationInMinutes"] == 3 * 1440


async def test_moving_an_event_keeps_its_length(org: Client) -> None:
    meeting = await org.made("Event", StartDateTime=AT, EndDateTime=LATER)
    await org.call("PATCH", f"/sobjects/Event/{meeting}", {"ActivityDateTime": "2026-08-11T08:00:00Z"})
    row = await read(org, "Event", meeting)
    assert (row["StartDateTime"], row["EndDateTime"]) == ("2026-08-11T08:00:00.000+0000", "2026-08-11T08:30:00.000+0000")
    await org.call("PATCH", f"/sobjects/Event/{meeting}", {"EndDateTime": "2026-08-11T09:00:00Z"})
    assert (await read(org, "Event", meeting))["DurationInMinutes"] == 60
    await org.call("PATCH", f"/sobjects/Event/{meeting}", {"Subject": "other"})
    assert (await read(org, "Event", meeting))["DurationInMinutes"] == 60


async def test_an_invited_user_has_an_event_of_his_own(org: Client) -> None:
    await org.verb("select_entities", {"entities": ["Event", "EventRelation"]})
    eva, contact = await user(org, "eva"), await org.made("Contact", LastName="Ito")
    meeting = await org.made("Event", Subject="meet", StartDateTime=AT, EndDateTime=LATER)
    stream = Stream(org)
    await stream.open()
    await stream.subscribe("/data/ChangeEvents")
    relation = await org.made("EventRelation", EventId=meeting, RelationId=eva)
    told = [each["data"]["payload"] for each in await stream.events(3)]
    kinds = [(each["ChangeEventHeader"]["entityName"], each["ChangeEventHeader"]["changeType"]) for each in told]
    assert kinds == [("Event", "CREATE"), ("EventRelation", "CREATE"), ("Event", "UPDATE")]
    child = told[0]["ChangeEventHeader"]["recordIds"][0]
    assert (told[0]["IsChild"], told[0]["OwnerId"], told[0]["ActivityDateTime"]) == (True, eva, "2026-08-10T10:00:00.000Z")
    assert (await read(org, "Event", meeting))["IsGroupEvent"] is True
    assert "ChildEventId" not in await read(org, "EventRelation", relation)
    await org.made("EventRelation", EventId=meeting, RelationId=contact)
    assert (await org.query("SELECT COUNT() FROM Event"))["totalSize"] == 2  # who is no user has none
    await org.call("PATCH", f"/sobjects/Event/{meeting}", {"StartDateTime": "2026-08-11T10:00:00Z", "Subject": "moved"})
    row = await read(org, "Event", child)
    assert (row["StartDateTime"], row["Subject"], row["OwnerId"]) == ("2026-08-11T10:00:00.000+0000", "moved", eva)
    again = await org.call("POST", "/sobjects/EventRelation", {"EventId": child, "RelationId": eva})
    assert again.status == 400
    await org.call("DELETE", f"/sobjects/Event/{meeting}")
    assert (await read(org, "Event", child), await read(org, "EventRelation", relation)) == ({}, {})
    await org.verb("undelete", {"id": meeting})
    assert (await read(org, "Event", child))["IsChild"] is True
    await org.call("DELETE", f"/sobjects/EventRelation/{relation}")
    assert await read(org, "Event", child) == {}
    await stream.close()


async def test_an_activity_knows_its_account(org: Client) -> None:
    account = await org.made("Account", Name="Acme")
    contact = await org.made("Contact", LastName="Ito", AccountId=account)
    deal = await org.made("Opportunity", Name="D", StageName="Prospecting", CloseDate="2026-12-01", AccountId=account)
    for values in ({"WhatId": account}, {"WhatId": deal}, {"WhoId": contact}):
        task = await org.made("Task", Subject="call", **values)
        assert (await read(org, "Task", task))["AccountId"] == account
    lead = await org.made("Lead", LastName="L", Company="C")
    assert (await read(org, "Task", await org.made("Task", WhoId=lead)))["AccountId"] is None


async def test_a_task_is_completed_at_a_time(org: Client) -> None:
    task = await org.made("Task", Subject="call", Priority="High")
    row = await read(org, "Task", task)
    assert (row["IsClosed"], row["IsHighPriority"], row["CompletedDateTime"], row["TaskSubtype"]) == (False, True, None, "Task")
    await org.call("PATCH", f"/sobjects/Task/{task}", {"Status": "Completed"})
    row = await read(org, "Task", task)
    assert row["IsClosed"] is True
    assert row["CompletedDateTime"] is not None
    await org.call("PATCH", f"/sobjects/Task/{task}", {"Status": "In Progress"})
    row = await read(org, "Task", task)
    assert (row["IsClosed"], row["CompletedDateTime"]) == (False, None)


async def test_polymorphic_parents_have_a_type_and_what_all_have(org: Client) -> None:
    account, lead = await org.made("Account", Name="Acme"), await org.made("Lead", LastName="L", Company="C", Email="l@x.example")
    await org.made("Task", Subject="about", WhatId=account)
    await org.made("Task", Subject="with", WhoId=lead)
    soql = "SELECT Subject, What.Type, What.Name, Who.Type, Who.Name, Who.Email FROM Task ORDER BY Subject"
    about, with_whom = (await org.query(soql))["records"]
    assert (about["What"]["Type"], about["What"]["Name"], about["Who"]) == ("Account", "Acme", None)
    assert (with_whom["Who"]["Type"], with_whom["Who"]["Name"], with_whom["Who"]["Email"]) == ("Lead", "L", "l@x.example")
    found = await org.query("SELECT Subject FROM Task WHERE What.Type IN ('Account', 'Opportunity')")
    assert [each["Subject"] for each in found["records"]] == ["about"]


async def test_the_archive_is_passed_over_by_query_alone(org: Client) -> None:
    """`queryAll` and reads by id know what is in it, as live records (Object Reference, Task.IsArchived)."""
    old, new = await org.made("Task", Subject="old"), await org.made("Task", Subject="new")
    stamp = (await read(org, "Task", old))["SystemModstamp"]
    stream = Stream(org)
    await stream.open()
    await stream.subscribe("/data/TaskChangeEvent")
    assert await org.verb("archive", {"object": "Task", "ids": [old]}) == {"archived": 1}
    header = (await stream.events(1))[0]["data"]["payload"]["ChangeEventHeader"]
    await stream.close()
    assert (header["changeType"], header["recordIds"]) == ("GAP_UPDATE", [old])
    assert await org.verb("archive", {"object": "Task", "ids": [old]}) == {"archived": 0}
    soql = "SELECT Id, IsArchived FROM Task WHERE IsDeleted = FALSE ORDER BY Subject"
    assert [row["Id"] for row in (await org.query(soql))["records"]] == [new]
    everything = (await org.query(soql, "queryAll"))["records"]
    assert [(row["Id"], row["IsArchived"]) for row in everything] == [(new, False), (old, True)]
    row = await read(org, "Task", old)
    assert (row["IsArchived"], row["SystemModstamp"]) == (True, stamp)

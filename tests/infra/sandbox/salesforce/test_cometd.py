"""Change data capture over CometD, spoken by a client in plain aiohttp."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from tests.infra.sandbox.salesforce.bayeux_client import Stream
from tests.infra.sandbox.salesforce.conftest import Client, Start

LEAD = {"LastName": "Ito", "Company": "Acme"}
ALL = "/data/ChangeEvents"


async def opened(org: Client, channel: str = ALL, replay: int | None = None, **options: Any) -> Stream:
    stream = Stream(org, **options)
    await stream.open()
    answer = await stream.subscribe(channel, replay)
    assert answer["successful"], answer
    return stream


async def new_leads(org: Client, count: int, **fields: Any) -> list[str]:
    records = [{"attributes": {"type": "Lead"}, **LEAD, "LastName": f"n{number}", **fields} for number in range(count)]
    return [item["id"] for item in (await org.call("POST", "/composite/sobjects", {"records": records})).body]


def headers_of(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event["data"]["payload"]["ChangeEventHeader"] for event in events]


def replay_ids(events: list[dict[str, Any]]) -> list[int]:
    return [event["data"]["event"]["replayId"] for event in events]


async def test_a_waiting_client_hears_at_once(org: Client) -> None:
    stream = await opened(org)
    waiting = asyncio.create_task(stream.connect())
    hub_waits = org.running.system.meters
    while not any(row["endpoint"] == "cometd /meta/connect" and row["calls"] >= 2 for row in hub_waits.report()["rows"]):
        await asyncio.sleep(0)
    assert not waiting.done()
    await new_leads(org, 1)
    answers = await asyncio.wait_for(waiting, 5)
    assert [answer["channel"] for answer in answers] == [ALL, "/meta/connect"]
    assert "advice" not in answers[-1]
    await stream.close()


async def test_the_same_change_of_many_records_is_one_event(org: Client) -> None:
    ids = await new_leads(org, 3)
    stream = await opened(org)
    records = [{"attributes": {"type": "Lead"}, "id": each, "Title": "CTO"} for each in ids]
    await org.call("PATCH", "/composite/sobjects", {"records": records})
    [header] = headers_of(await stream.events(1))
    assert header["recordIds"] == ids
    edits = [{"id": each, "fields": {"Title": "CTO" if each != ids[2] else "CFO"}} for each in ids]
    edits.append({"id": ids[0], "fields": {"City": "Oslo"}})
    await org.verb("edit", {"object": "Lead", "records": edits, "as": "tandem@sandbox.example"})
    found = headers_of(await stream.events(3))
    assert [header["recordIds"] for header in found] == [[ids[0]], [ids[1]], [ids[2]]]
    assert [header["sequenceNumber"] for header in found] == [1, 2, 3]
    assert len({header["transactionKey"] for header in found}) == 1
    assert sorted(found[0]["changedFields"]) == ["Address.City", "LastModifiedDate"]  # two changes of one record are one event
    await stream.close()


async def test_bodies_by_change_type(org: Client) -> None:
    stream = await opened(org)
    made = await org.call("POST", "/sobjects/Contact", {
        "LastName": "Ito", "FirstName": "Kei", "MailingCity": "Oslo", "Birthdate": "1990-02-03", "DoNotCall": True,
        "EmailBouncedDate": "2026-01-02T03:04:05+01:00",
    }, Sforce_Call_Options="client=some-app")  # fmt: skip
    path = f"/sobjects/Contact/{made.body['id']}"
    await org.call("PATCH", path, {"FirstName": None, "MailingStreet": "1 Way", "DoNotCall": False})
    await org.call("DELETE", path)
    await org.verb("undelete", {"id": made.body["id"]})
    create, update, delete, undelete = [event["data"]["payload"] for event in await stream.events(4)]
    assert create["Name"] == {"LastName": "Ito", "FirstName": "Kei"}
    assert create["MailingAddress"] == {"City": "Oslo"}
    assert (create["Birthdate"], create["EmailBouncedDate"]) == ("1990-02-03", "2026-01-02T02:04:05.000Z")
    assert (create["DoNotCall"], create["HasOptedOutOfEmail"]) == (True, False)
    assert not {"Id", "IsDeleted", "SystemModstamp"} & create.keys()
    header = create["ChangeEventHeader"]
    assert (header["entityName"], header["changeType"], header["changedFields"]) == ("Contact", "CREATE", [])
    assert header["changeOrigin"] == "com/salesforce/api/rest/66.0;client=some-app"
    assert header["commitTimestamp"] % 1000 == 0
    assert header["commitNumber"] > 2**53
    body = {name: value for name, value in update.items() if name not in ("ChangeEventHeader", "LastModifiedDate")}
    assert body == {"Name": {"FirstName": None}, "MailingAddress": {"Street": "1 Way"}, "DoNotCall": False}
    changed = update["ChangeEventHeader"]["changedFields"]
    assert sorted(changed) == ["DoNotCall", "LastModifiedDate", "MailingAddress.Street", "Name.FirstName"]
    assert list(delete) == ["ChangeEventHeader"]
    assert undelete["Name"] == {"LastName": "Ito"}
    assert undelete["LastModifiedById"] != create["LastModifiedById"]  # a person did it
    await stream.close()


async def test_replay(org: Client) -> None:
    await new_leads(org, 4)
    everything = await opened(org, replay=-2)
    events = await everything.events(4)
    ids = replay_ids(events)
    assert ids == sorted(set(ids))
    later = await opened(org, replay=ids[1])
    assert replay_ids(await later.events(2)) == ids[2:]
    new_only = await opened(org, replay=-1)
    assert await new_only.waiting_events() == []
    for unknown in (ids[-1] + 1000, 1, ids[0] - 1):
        answer = await new_only.subscribe("/data/LeadChangeEvent", unknown)
        assert answer["error"].startswith(f"400::The replayId {{{unknown}}} you provided was invalid.  Please provide a valid ID")
    await org.fault({"type": "replay_refused"})
    assert not (await new_only.subscribe(ALL, ids[1]))["successful"]
    await org.control("POST", "clock", {"advance_seconds": 73 * 3600})
    await org.log_in()
    late = Stream(org)
    await late.open()
    assert "400::The replayId" in (await late.subscribe(ALL, ids[-1]))["error"]
    assert (await late.subscribe(ALL, -2))["successful"]
    assert await late.waiting_events() == []
    for stream in (everything, later, new_only, late):
        await stream.close()


async def test_subscriptions_survive_a_restart_by_replay(start: Start, tmp_path: Path) -> None:
    org = await start(tmp_path / "org")
    await org.log_in()
    await new_leads(org, 3)
    stream = await opened(org, replay=-2)
    ids = replay_ids(await stream.events(3))
    await stream.close()
    again = await start(tmp_path / "org")
    again.token = org.token  # sessions are durable too
    after = await opened(again, replay=ids[0])
    assert replay_ids(await after.events(2)) == ids[1:]
    await after.close()


async def test_handshake_refusals(org: Client) -> None:
    stream = Stream(org)
    stream.headers = {}
    answer = await stream.handshake()
    assert (answer["error"], answer["successful"]) == ("403::Handshake denied", False)
    assert answer["ext"]["sfdc"]["failureReason"] == "401::Request requires authentication"
    stream.headers = {"Authorization": "Bearer 00D!wrong"}
    assert (await stream.handshake())["ext"]["sfdc"]["failureReason"] == "401::Authentication invalid"
    for version, error in (
        ("", "400::API version in the URI is mandatory"),
        ("12.0", "400::Unsupported API version"),
        ("x", "400::Unsupp"),
    ):
        other = Stream(org, version=version)
        assert (await other.handshake())["error"].startswith(error)
        await other.close()
    await org.fault({
        "type": "streaming_error", "on": "handshake", "error": "401::Authentication invalid",
        "failure_reason": "503::Server is too busy.  Please try your request again later.", "advice": {"reconnect": "none"},
    })  # fmt: skip
    stream.headers = {"Authorization": f"OAuth {org.token}"}
    answer = await stream.handshake()
    assert (answer["error"], answer["ext"]["sfdc"]["failureReason"][:5]) == ("401::Authentication invalid", "503::")
    assert (await stream.handshake())["successful"]
    await org.verb("set_options", {"cometd_clients_max": 1})
    assert (await stream.handshake())["error"] == "403::Organization concurrent user limit exceeded"
    await stream.close()


async def test_a_session_that_ends(org: Client) -> None:
    stream = await opened(org)
    waiting = asyncio.create_task(stream.connect())
    await org.verb("expire_sessions", {"user": "tandem@sandbox.example"})
    await org.verb("create", {"object": "Lead", "fields": LEAD})
    answers = await waiting
    assert answers[-1]["successful"] or answers[-1]["error"] == "401::Authentication invalid"
    [answer] = await stream.connect()
    assert (answer["error"], answer["advice"]) == ("401::Authentication invalid", {"reconnect": "none", "interval": 0})
    await stream.close()


async def test_a_client_that_stays_away_is_forgotten(org: Client) -> None:
    stream = await opened(org)
    await org.verb("set_options", {"cometd_idle_seconds": 0.0})
    [answer] = await stream.connect()
    assert (answer["error"], answer["advice"]) == ("403::Unknown client", {"interval": 0, "reconnect": "handshake"})
    stream.client_id = ""
    assert (await stream.subscribe(ALL))["error"] == "403::Client has not completed handshake"
    await stream.close()


async def test_connect_is_held_as_long_as_set(org: Client) -> None:
    await org.verb("set_options", {"cometd_connect_seconds": 0.2})
    stream = Stream(org)
    await stream.handshake()
    [first] = await stream.connect()
    assert first["advice"] == {"interval": 0, "timeout": 200, "reconnect": "retry"}
    began = time.monotonic()
    [answer] = await stream.connect()
    assert answer["successful"]
    assert time.monotonic() - began >= 0.2
    [answer] = await stream.connect(connectionType="websocket")
    assert answer["error"] == "400::Invalid connection type {websocket}"
    await stream.close()


async def test_cookies_are_needed(org: Client) -> None:
    stream = await opened(org)
    stream.http.cookie_jar.clear()
    [answer] = await stream.connect()
    assert answer["error"] == f"400::Client {stream.client_id} has established a session, but no BAYEUX_BROWSER cookie present"
    await stream.close()


async def test_another_user_cannot_take_over(org: Client) -> None:
    stream = await opened(org)
    await org.log_in("user")
    stream.headers = {"Authorization": f"Bearer {org.token}"}
    [answer] = await stream.connect()
    assert answer["error"] == "400::Authenticated user id does not match the session's user id"
    await stream.close()


async def test_messages_in_one_post(org: Client) -> None:
    await new_leads(org, 1)
    stream = Stream(org)
    await stream.handshake()
    answers = await stream.send(
        {"channel": "/meta/connect", "clientId": stream.client_id, "connectionType": "long-polling", "advice": {"timeout": 0}},
        {"channel": "/meta/subscribe", "clientId": stream.client_id, "subscription": ALL, "ext": {"replay": {ALL: -2}}},
        {"channel": "/meta/subscribe", "clientId": stream.client_id, "subscription": "/data/NoChangeEvent"},
    )
    by_channel = {answer["subscription"]: answer for answer in answers if "subscription" in answer}
    assert by_channel["/data/NoChangeEvent"]["error"].startswith("400::The channel you requested to subscribe to does not exist")
    assert by_channel[ALL]["successful"]
    assert answers[-1]["channel"] == "/meta/connect"
    assert any("data" in answer for answer in answers)
    [gone] = await stream.send({"channel": "/meta/unsubscribe", "clientId": stream.client_id, "subscription": ALL})
    assert gone["successful"]
    await new_leads(org, 1)
    assert await stream.waiting_events() == []
    [bye] = await stream.send({"channel": "/meta/disconnect", "clientId": stream.client_id})
    assert bye["successful"]
    assert (await stream.connect())[0]["error"] == "403::Unknown client"
    await stream.close()


async def test_too_large_and_broken_bodies(org: Client) -> None:
    async with aiohttp.ClientSession() as http:
        async with http.post(f"{org.url}/cometd/66.0", data=b"[" + b" " * 33_000 + b"]") as response:
            assert (response.status, (await response.json())[0]["error"]) == (413, "413::Maximum Request Size Exceeded")
        async with http.post(f"{org.url}/cometd/66.0", data=b"{broken") as response:
            assert response.status == 400


async def test_permission_to_hear(org: Client) -> None:
    mine = "tandem@sandbox.example"
    await org.verb("set_field_permission", {"user": mine, "object": "Lead", "field": "Email", "readable": False})
    await org.verb("set_field_permission", {"user": mine, "object": "Lead", "field": "FirstName", "readable": False})
    await org.verb("set_object_permission", {"user": mine, "object": "Contact", "view_all": False})
    stream = await opened(org)
    refused = await stream.subscribe("/data/ContactChangeEvent")
    assert refused["error"] == "403::User not allowed to subscribe CDC without View All Data permissions"
    assert (await stream.subscribe("/data/nothing__chn"))["error"].startswith("400::The channel")
    await org.verb("create", {"object": "Contact", "fields": {"LastName": "unheard"}})
    made = await org.verb("create", {"object": "Lead", "fields": {**LEAD, "Email": "a@b.example", "FirstName": "Kei", "Title": "CTO"}})
    await org.verb("edit", {"object": "Lead", "id": made["id"], "fields": {"Email": None, "Title": "CFO"}})
    create, update = [event["data"]["payload"] for event in await stream.events(2)]
    assert (create["Name"], create["Title"], "Email" in create) == ({"LastName": "Ito"}, "CTO", False)
    assert "Email" not in update
    assert sorted(update["ChangeEventHeader"]["changedFields"]) == ["LastModifiedDate", "Title"]
    await org.log_in("user")
    other = await opened(org, replay=-2)
    assert len(await other.events(3)) == 3
    for each in (stream, other):
        await each.close()


async def test_entities_and_channels(org: Client) -> None:
    await org.verb("select_entities", {"entities": ["Contact"]})
    await org.verb("select_entities", {"entities": ["Lead"], "channel": "Sync__chn"})
    refused = await org.control("POST", "verb/select_entities", {"entities": ["Contact", "Account", "Campaign", "User", "Task"]})
    assert refused.status == 400
    stream, silent = await opened(org, "/data/Sync__chn"), await opened(org, "/data/AccountChangeEvent")
    standard = await opened(org)
    await org.verb("create", {"object": "Contact", "fields": {"LastName": "x"}})
    await org.verb("create", {"object": "Account", "fields": {"Name": "x"}})
    await org.verb("create", {"object": "Lead", "fields": LEAD})
    [header] = headers_of(await stream.events(1))
    assert header["entityName"] == "Lead"
    assert await silent.waiting_events() == []
    assert [header["entityName"] for header in headers_of(await standard.waiting_events())] == ["Contact"]
    for each in (stream, silent, standard):
        await each.close()


async def test_long_text_comes_as_a_difference(org: Client) -> None:
    lines = [f"line {number} of a long description" for number in range(60)]
    [record_id] = await new_leads(org, 1, Description="\n".join(lines))
    stream = await opened(org)
    lines[30] = "another line"
    await org.call("PATCH", f"/sobjects/Lead/{record_id}", {"Description": "\n".join(lines)})
    [event] = await stream.events(1)
    assert "-line 30 of a long description\n+another line" in event["data"]["payload"]["Description"]["diff"]
    await org.call("PATCH", f"/sobjects/Lead/{record_id}", {"Description": "y" * 2000})
    [event] = await stream.events(1)
    assert event["data"]["payload"]["Description"] == "y" * 2000
    await stream.close()


async def test_conversion_and_merge(org: Client) -> None:
    one, two, three = await new_leads(org, 3, Email="x@y.example")
    member = {"CampaignId": (await org.verb("create", {"object": "Campaign", "fields": {"Name": "C"}}))["id"], "LeadId": two}
    member_id = (await org.verb("create", {"object": "CampaignMember", "fields": member}))["id"]
    stream = await opened(org)
    result = await org.verb("convert", {"lead": one, "opportunity": "Big one"})
    found = headers_of(await stream.events(4))
    assert [(header["entityName"], header["changeType"], header["sequenceNumber"]) for header in found] == [
        ("Account", "CREATE", 1), ("Contact", "CREATE", 2), ("Opportunity", "CREATE", 3), ("Lead", "UPDATE", 4),
    ]  # fmt: skip
    row = (await org.call("GET", f"/sobjects/Lead/{one}")).body
    assert (row["IsConverted"], row["ConvertedContactId"]) == (True, result["contactId"])
    refused = await org.call("PATCH", f"/sobjects/Lead/{one}", {"City": "x"})
    assert refused.body[0]["errorCode"] == "CANNOT_UPDATE_CONVERTED_LEAD"
    await org.verb("merge", {"object": "Lead", "master": three, "victims": [two], "fields": {"City": "Rome"}})
    found = headers_of(await stream.events(3))
    assert [(header["entityName"], header["changeType"], header["recordIds"]) for header in found] == [
        ("Lead", "DELETE", [two]), ("Lead", "UPDATE", [three]), ("CampaignMember", "UPDATE", [member_id]),
    ]  # fmt: skip
    gone = await org.query(f"SELECT Id, MasterRecordId FROM Lead WHERE Id = '{two}' AND IsDeleted = TRUE", "queryAll")  # noqa: S608
    assert gone["records"][0]["MasterRecordId"] == three
    await stream.close()


async def test_allowance_of_delivered_events(org: Client) -> None:
    await org.verb("set_options", {"delivered_events_per_day": 2})
    stream = await opened(org)
    await new_leads(org, 1)
    await new_leads(org, 1)
    await stream.events(2)
    await new_leads(org, 1)
    [answer] = await stream.connect()
    assert answer["error"] == "403::Organization total events daily limit exceeded"
    other = Stream(org)
    await other.open()
    assert (await other.subscribe(ALL))["error"] == "403::Organization total events daily limit exceeded"
    await org.control("POST", "clock", {"advance_seconds": 25 * 3600})
    await org.log_in()
    stream.headers = {"Authorization": f"Bearer {org.token}"}
    assert len(await stream.events(1)) == 1
    for each in (stream, other):
        await each.close()


async def test_mute_lost_and_held(org: Client) -> None:
    stream = await opened(org)
    lost = await org.fault({"type": "mute", "mode": "lost"}, {"path": "/data/LeadChangeEvent"}, times=None)
    await new_leads(org, 2)
    await org.verb("create", {"object": "Contact", "fields": {"LastName": "heard"}})
    await org.control("DELETE", f"faults/{lost}")
    held = await org.fault({"type": "mute", "mode": "held"}, {"path": "/data/LeadChangeEvent"}, times=None)
    first = await new_leads(org, 1)
    await org.verb("create", {"object": "Contact", "fields": {"LastName": "behind"}})
    [header] = headers_of(await stream.events(1))
    assert header["entityName"] == "Contact"
    assert await stream.waiting_events() == []
    waiting = asyncio.create_task(stream.events(2))
    await org.control("DELETE", f"faults/{held}")
    found = headers_of(await waiting)
    assert [header["recordIds"][0] for header in found][:1] == first
    await org.fault({"type": "mute", "mode": "held", "seconds": 0.05}, times=None)
    await new_leads(org, 1)
    assert len(await stream.events(1)) == 1
    await stream.close()


async def test_faults_of_single_events(org: Client) -> None:
    stream = await opened(org)
    for action in ("drop", "gap"):
        await org.fault({"type": action})
    await org.fault({"type": "delay", "ms": 20})
    ids = [(await new_leads(org, 1))[0] for _ in range(3)]
    found = headers_of(await stream.events(2))
    assert [(header["changeType"], header["recordIds"]) for header in found] == [("GAP_CREATE", [ids[1]]), ("CREATE", [ids[2]])]
    await org.fault({"type": "duplicate"})
    await org.fault({"type": "reorder"})
    await org.fault({"type": "malformed", "how": "not_object"}, {"path": ALL})
    await new_leads(org, 3)
    numbers = replay_ids(await stream.events(4))
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 3
    assert (await org.verb("gap", {"object": "Lead", "ids": ids}))["replay_ids"]
    await org.verb("overflow", {"object": "Lead"})
    gap, overflow = headers_of(await stream.events(2))
    assert (gap["changeType"], gap["recordIds"]) == ("GAP_UPDATE", ids)
    assert (overflow["changeType"], overflow["recordIds"]) == ("GAP_OVERFLOW", ["000000000000000AAA"])
    await stream.close()


async def test_an_answer_with_a_truncated_event_cant_be_read(org: Client) -> None:
    stream = await opened(org)
    await org.fault({"type": "truncated"}, {"path": ALL})
    await new_leads(org, 1)
    with pytest.raises(json.JSONDecodeError):
        await stream.events(1)
    await new_leads(org, 1)
    assert len(headers_of(await stream.events(1))) == 1
    await stream.close()


@pytest.mark.parametrize("fault", ["session_drop", "server_disconnect"])
async def test_a_session_ended_by_the_server(org: Client, fault: str) -> None:
    stream = await opened(org)
    waiting = asyncio.create_task(stream.connect())
    await asyncio.sleep(0)
    await org.fault({"type": fault})
    answers = await waiting
    if fault == "session_drop":
        assert answers[0]["error"] == "403::Unknown client"
    else:
        assert answers[0]["channel"] == "/meta/disconnect"
    assert (await stream.connect())[0]["error"] == "403::Unknown client"
    await stream.close()


async def test_schema_of_events(org: Client) -> None:
    stream = await opened(org)
    await new_leads(org, 1)
    [event] = await stream.events(1)
    schema = (await org.call("GET", f"/event/eventSchema/{event['data']['schema']}?payloadFormat=COMPACT")).body
    assert (schema["name"], schema["uuid"]) == ("LeadChangeEvent", event["data"]["schema"])
    await org.verb("define_field", {"object": "Lead", "field": {"name": "New__c", "type": "string"}})
    await new_leads(org, 1, New__c="x")
    [event] = await stream.events(1)
    assert event["data"]["schema"] != schema["uuid"]
    assert orjson.dumps(event)
    await stream.close()

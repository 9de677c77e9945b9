"""What becomes of records: deletion and return, merge, conversion, locks, duplicates, formulas, roll-ups, person accounts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.infra.sandbox.salesforce.bayeux_client import Stream
from tests.infra.sandbox.salesforce.conftest import Client

LEAD = {"LastName": "Ito", "Company": "Acme"}
Opened = Callable[[], Awaitable[Stream]]


@pytest.fixture
async def opened(org: Client) -> AsyncIterator[Opened]:
    """Opens a subscription to all change events from now on."""
    streams: list[Stream] = []

    async def open_stream() -> Stream:
        stream = Stream(org)
        streams.append(stream)
        await stream.open()
        assert (await stream.subscribe("/data/ChangeEvents"))["successful"]
        return stream

    yield open_stream
    for stream in streams:
        await stream.close()


def headers_of(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event["data"]["payload"]["ChangeEventHeader"] for event in events]


async def made(org: Client, object_name: str, **values: Any) -> str:
    answer = await org.call("POST", f"/sobjects/{object_name}", values)
    assert answer.status == 201, answer
    return str(answer.body["id"])


async def read(org: Client, object_name: str, record_id: str) -> dict[str, Any]:
    answer = await org.call("GET", f"/sobjects/{object_name}/{record_id}")
    return dict(answer.body) if answer.status == 200 else {}


def refusal(answer: Any) -> str:
    return str(answer.body[0]["errorCode"])


async def test_an_account_takes_its_children_along_and_brings_them_back(org: Client) -> None:
    account = await made(org, "Account", Name="Acme")
    contact = await made(org, "Contact", LastName="C", AccountId=account)
    deal = await made(org, "Opportunity", Name="D", StageName="Prospecting", CloseDate="2026-12-01", AccountId=account)
    role = await made(org, "OpportunityContactRole", OpportunityId=deal, ContactId=contact)
    await org.call("DELETE", f"/sobjects/Account/{account}")
    for name, record_id in (("Contact", contact), ("Opportunity", deal), ("OpportunityContactRole", role)):
        assert await read(org, name, record_id) == {}
    await org.verb("undelete", {"id": account})
    assert (await read(org, "Contact", contact))["AccountId"] == account
    assert (await read(org, "Opportunity", deal))["AccountId"] == account


@pytest.mark.parametrize("gone", ["Lead", "Campaign", "Contact"])
async def test_members_go_softly_and_come_back_with_their_parents(org: Client, opened: Opened, gone: str) -> None:
    campaign = await made(org, "Campaign", Name="C")
    who = await made(org, "Contact", LastName="Ito") if gone == "Contact" else await made(org, "Lead", **LEAD)
    member = await made(org, "CampaignMember", CampaignId=campaign, **{"ContactId" if gone == "Contact" else "LeadId": who})
    parent = campaign if gone == "Campaign" else who
    stream = await opened()
    await org.call("DELETE", f"/sobjects/{gone}/{parent}")
    found = await org.query("SELECT Id, IsDeleted FROM CampaignMember", "queryAll")
    assert [(each["Id"], each["IsDeleted"]) for each in found["records"]] == [(member, True)]
    assert (await org.query("SELECT COUNT() FROM CampaignMember"))["totalSize"] == 0
    await org.verb("undelete", {"id": parent})
    assert (await read(org, "CampaignMember", member))["Status"] == "Sent"
    headers = headers_of(await stream.events(2 if gone == "Campaign" else 4))
    told = [each["changeType"] for each in headers if each["entityName"] == "CampaignMember"]
    assert told == ["DELETE", "UNDELETE"]


async def test_a_member_does_not_come_back_while_its_other_parent_is_gone(org: Client) -> None:
    campaign, lead = await made(org, "Campaign", Name="C"), await made(org, "Lead", **LEAD)
    member = await made(org, "CampaignMember", CampaignId=campaign, LeadId=lead)
    await org.call("DELETE", f"/sobjects/Lead/{lead}")
    await org.call("DELETE", f"/sobjects/Campaign/{campaign}")
    await org.verb("undelete", {"id": lead})
    assert await read(org, "CampaignMember", member) == {}


async def test_activities_go_with_who_they_are_about_and_come_back(org: Client) -> None:
    contact = await made(org, "Contact", LastName="Ito")
    task = await made(org, "Task", Subject="call", WhoId=contact)
    event = await made(org, "Event", Subject="meet", WhoId=contact, ActivityDateTime="2026-08-10T10:00:00Z", DurationInMinutes=30)
    await org.call("DELETE", f"/sobjects/Contact/{contact}")
    assert (await read(org, "Task", task), await read(org, "Event", event)) == ({}, {})
    await org.verb("undelete", {"id": contact})
    assert (await read(org, "Task", task))["WhoId"] == contact
    assert (await read(org, "Event", event))["WhoId"] == contact


async def test_a_reference_to_what_goes_is_cleared_until_it_comes_back(org: Client) -> None:
    parent = await made(org, "Account", Name="Parent")
    child, moved = await made(org, "Account", Name="Child", ParentId=parent), await made(org, "Account", Name="Moved", ParentId=parent)
    campaign = await made(org, "Campaign", Name="C")
    deal = await made(org, "Opportunity", Name="D", StageName="Prospecting", CloseDate="2026-12-01", CampaignId=campaign)
    for name, record_id in (("Account", parent), ("Campaign", campaign)):
        await org.call("DELETE", f"/sobjects/{name}/{record_id}")
    assert (await read(org, "Account", child))["ParentId"] is None
    assert (await read(org, "Opportunity", deal))["CampaignId"] is None
    await org.call("PATCH", f"/sobjects/Account/{moved}", {"ParentId": child})
    await org.verb("undelete", {"ids": [parent, campaign]})
    assert [(await read(org, "Account", each))["ParentId"] for each in (child, moved)] == [parent, child]
    assert (await read(org, "Opportunity", deal))["CampaignId"] == campaign


async def test_an_account_with_a_won_deal_or_another_owners_stays(org: Client) -> None:
    account = await made(org, "Account", Name="Acme")
    deal = await made(org, "Opportunity", Name="D", StageName="Closed Won", CloseDate="2026-12-01", AccountId=account)
    assert refusal(await org.call("DELETE", f"/sobjects/Account/{account}")) == "DELETE_FAILED"
    person = (await org.query("SELECT Id FROM User WHERE Username LIKE 'ann%'"))["records"][0]["Id"]
    await org.call("PATCH", f"/sobjects/Opportunity/{deal}", {"StageName": "Prospecting", "OwnerId": person})
    assert refusal(await org.call("DELETE", f"/sobjects/Account/{account}")) == "DELETE_FAILED"
    await org.call("DELETE", f"/sobjects/Opportunity/{deal}")
    assert (await org.call("DELETE", f"/sobjects/Account/{account}")).status == 204


async def test_details_live_and_go_with_their_master(org: Client) -> None:
    fields = [{"name": "Lead__c", "type": "reference", "reference_to": ["Lead"], "master": True}]
    await org.verb("define_object", {"name": "Visit__c", "label": "Visit", "fields": fields, "activities": True})
    lead = await made(org, "Lead", **LEAD)
    visit = await made(org, "Visit__c", Name="V", Lead__c=lead)
    task = await made(org, "Task", Subject="call", WhatId=visit)
    assert (await read(org, "Task", task))["WhatId"] == visit
    described = (await org.call("GET", "/sobjects/Visit__c/describe")).body["fields"]
    fields_by_name = {each["name"]: each for each in described}
    assert "OwnerId" not in fields_by_name
    master = fields_by_name["Lead__c"]
    assert (master["cascadeDelete"], master["nillable"], master["updateable"]) == (True, False, False)
    children = (await org.call("GET", "/sobjects/Lead/describe")).body["childRelationships"]
    assert next(each for each in children if each["childSObject"] == "Visit__c")["cascadeDelete"] is True
    assert refusal(await org.call("POST", "/sobjects/Visit__c", {"Name": "none"})) == "REQUIRED_FIELD_MISSING"
    await org.call("DELETE", f"/sobjects/Lead/{lead}")
    assert await read(org, "Visit__c", visit) == {}
    await org.verb("undelete", {"id": lead})
    assert (await read(org, "Visit__c", visit))["Lead__c"] == lead
    moved = {"name": "Movable__c", "type": "reference", "reference_to": ["Account"], "master": True, "reparentable": True}
    await org.verb("define_object", {"name": "Part__c", "label": "Part", "fields": [moved]})
    one, two = await made(org, "Account", Name="1"), await made(org, "Account", Name="2")
    part = await made(org, "Part__c", Name="P", Movable__c=one)
    assert (await org.call("PATCH", f"/sobjects/Part__c/{part}", {"Movable__c": two})).status == 204


async def test_a_member_that_is_removed_is_gone_at_once(org: Client) -> None:
    campaign = await made(org, "Campaign", Name="C")
    lead = await made(org, "Lead", **LEAD)
    member = await made(org, "CampaignMember", CampaignId=campaign, LeadId=lead)
    twice = await org.call("POST", "/sobjects/CampaignMember", {"CampaignId": campaign, "LeadId": lead})
    assert refusal(twice) == "DUPLICATE_VALUE"
    await org.call("DELETE", f"/sobjects/CampaignMember/{member}")
    assert (await org.query("SELECT Id FROM CampaignMember", "queryAll"))["totalSize"] == 0
    history = (await org.control("GET", "history?object=CampaignMember")).body
    assert [line.split('"op":"')[1].split('"')[0] for line in history.splitlines()] == ["create", "delete"]
    assert await made(org, "CampaignMember", CampaignId=campaign, LeadId=lead) != member


async def test_member_statuses_decide_who_responded(org: Client) -> None:
    campaign, lead = await made(org, "Campaign", Name="C"), await made(org, "Lead", **LEAD)
    member = await made(org, "CampaignMember", CampaignId=campaign, LeadId=lead, Status="no such status")
    assert (await read(org, "CampaignMember", member))["Status"] == "Sent"
    await org.call("PATCH", f"/sobjects/CampaignMember/{member}", {"Status": "Responded"})
    found = await read(org, "CampaignMember", member)
    assert found["HasResponded"] is True
    assert found["FirstRespondedDate"]


async def test_a_merge_moves_children_and_refuses_what_it_must(org: Client) -> None:
    master, one, two = [await made(org, "Contact", LastName=name) for name in "abc"]
    other = await made(org, "Lead", **LEAD)
    task = await made(org, "Task", Subject="call", WhoId=one)
    campaign = await made(org, "Campaign", Name="C")
    kept = await made(org, "CampaignMember", CampaignId=campaign, ContactId=master)
    for victim in (one, two):
        await made(org, "CampaignMember", CampaignId=campaign, ContactId=victim)
    result = await org.verb("merge", {"object": "Contact", "master": master, "victims": [one, two], "fields": {"Title": "CTO"}})
    assert result["mergedRecordIds"] == [one, two]
    assert (await read(org, "Task", task))["WhoId"] == master
    members = await org.query("SELECT Id, ContactId FROM CampaignMember")
    assert [record["Id"] for record in members["records"]] == [kept]
    gone = await org.query("SELECT MasterRecordId FROM Contact WHERE MasterRecordId != null", "queryAll")
    assert gone["records"][0]["MasterRecordId"] == master
    refused = await org.control("POST", "verb/merge", {"object": "Contact", "master": master, "victims": [other]})
    assert refused.status == 400


async def test_a_merge_loser_comes_back_without_its_children(org: Client, opened: Opened) -> None:
    master, loser = [await made(org, "Contact", LastName=name) for name in "ab"]
    task = await made(org, "Task", Subject="call", WhoId=loser)
    await org.verb("merge", {"object": "Contact", "master": master, "victims": [loser]})
    stream = await opened()
    await org.verb("undelete", {"id": loser})
    header = headers_of(await stream.events(1))[0]
    assert (header["changeType"], header["recordIds"]) == ("UNDELETE", [loser])
    assert (await read(org, "Contact", loser))["MasterRecordId"] is None
    assert (await read(org, "Task", task))["WhoId"] == master
    assert "UNDELETE_FAILED" in str((await org.control("POST", "verb/undelete", {"id": loser})).body)


async def test_conversion_takes_members_and_tasks_along(org: Client, opened: Opened) -> None:
    lead = await made(org, "Lead", **LEAD, Email="i@x.example")
    account = await made(org, "Account", Name="Existing", Phone="1")
    campaign = await made(org, "Campaign", Name="C")
    member = await made(org, "CampaignMember", CampaignId=campaign, LeadId=lead)
    task = await made(org, "Task", Subject="call", WhoId=lead)
    stream = await opened()
    result = await org.verb("convert", {"lead": lead, "account": account, "opportunity": "Deal"})
    headers = headers_of(await stream.events(4))
    assert [(each["entityName"], each["sequenceNumber"]) for each in headers][:3] == [("Contact", 1), ("Opportunity", 2), ("Lead", 3)]
    assert len({each["transactionKey"] for each in headers}) == 1
    assert (await read(org, "CampaignMember", member))["ContactId"] == result["contactId"]
    assert (await read(org, "Task", task))["WhoId"] == result["contactId"]
    roles = await org.query("SELECT ContactId FROM OpportunityContactRole")
    assert [role["ContactId"] for role in roles["records"]] == [result["contactId"]]
    assert refusal(await org.call("PATCH", f"/sobjects/Lead/{lead}", {"Title": "x"})) == "CANNOT_UPDATE_CONVERTED_LEAD"


async def test_locks_end_with_the_clock(org: Client) -> None:
    lead = await made(org, "Lead", **LEAD)
    await org.verb("lock", {"id": lead, "seconds": 100})
    assert refusal(await org.call("PATCH", f"/sobjects/Lead/{lead}", {"Title": "x"})) == "UNABLE_TO_LOCK_ROW"
    await org.verb("lock", {"id": lead, "seconds": 100, "code": "ENTITY_IS_LOCKED"})
    assert refusal(await org.call("DELETE", f"/sobjects/Lead/{lead}")) == "ENTITY_IS_LOCKED"
    await org.control("POST", "clock", {"advance_seconds": 101})
    assert (await org.call("PATCH", f"/sobjects/Lead/{lead}", {"Title": "x"})).status == 204


async def test_duplicate_rules_and_their_header(org: Client) -> None:
    await org.verb("add_duplicate_rule", {"name": "SameEmail", "object": "Lead", "fields": ["Email"]})
    first = await made(org, "Lead", **LEAD, Email="I@x.example")
    twin = {**LEAD, "Email": "i@X.example"}
    refused = await org.call("POST", "/sobjects/Lead", twin)
    assert (refused.status, refusal(refused)) == (400, "DUPLICATES_DETECTED")
    result = refused.body[0]["duplicateResut"]
    assert result["allowSave"] is True
    assert result["matchResults"][0]["matchRecords"][0]["record"]["Id"] == first
    item = (await org.call("POST", "/composite/sobjects", {"records": [{"attributes": {"type": "Lead"}, **twin}]})).body[0]
    assert item["errors"][0]["statusCode"] == "DUPLICATES_DETECTED"
    assert "duplicateResut" not in item["errors"][0]
    saved = await org.call("POST", "/sobjects/Lead", twin, Sforce_Duplicate_Rule_Header="allowSave=true")
    assert saved.status == 201
    await org.verb("add_duplicate_rule", {"name": "SameEmail", "object": "Lead", "fields": ["Email"], "allow_save": False})
    assert (await org.call("POST", "/sobjects/Lead", twin, Sforce_Duplicate_Rule_Header="allowSave=true")).status == 400


async def test_formulas_follow_their_record_and_its_parent(org: Client) -> None:
    formula = 'IF(ISBLANK(FirstName), "?", UPPER(LEFT(FirstName, 1))) & ". " & LastName & " of " & Account.Name'
    await org.verb("define_field", {"object": "Contact", "field": {"name": "Line__c", "type": "string", "formula": formula}})
    account = await made(org, "Account", Name="Acme")
    contact = await made(org, "Contact", LastName="Ito", FirstName="aki", AccountId=account)
    assert (await read(org, "Contact", contact))["Line__c"] == "A. Ito of Acme"
    await org.call("PATCH", f"/sobjects/Account/{account}", {"Name": "Other"})
    found = await org.query("SELECT Id FROM Contact WHERE Line__c = 'A. Ito of Other'")
    assert [record["Id"] for record in found["records"]] == [contact]
    assert refusal(await org.call("PATCH", f"/sobjects/Contact/{contact}", {"Line__c": "x"})) == "INVALID_FIELD_FOR_INSERT_UPDATE"
    described = (await org.call("GET", "/sobjects/Contact/describe")).body["fields"]
    assert next(field for field in described if field["name"] == "Line__c")["calculated"] is True


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("1 + 2 * 3", 7.0), ("(1 + 2) * 3", 9.0), ("10 / 4 - 1", 1.5), ("-2 + 1", -1.0), ("LEN('abcd') / 2", 2.0),
        ("IF(1 < 2 && NOT(FALSE), 1, 0)", 1.0), ("CASE('b', 'a', 1, 'b', 2, 9)", 2.0), ("ROUND(2.345, 2)", 2.35), ("1 / 0", None),
    ],
)  # fmt: skip
async def test_formula_arithmetic(org: Client, formula: str, value: float | None) -> None:
    await org.verb("define_field", {"object": "Lead", "field": {"name": "N__c", "type": "double", "formula": formula}})
    assert (await read(org, "Lead", await made(org, "Lead", **LEAD)))["N__c"] == value


async def test_roll_ups_follow_their_children(org: Client) -> None:
    for name, op, of in (("Deals__c", "COUNT", None), ("Sum__c", "SUM", "Amount"), ("Top__c", "MAX", "Amount")):
        rollup = {"object": "Opportunity", "field": "AccountId", "op": op, "of": of}
        await org.verb("define_field", {"object": "Account", "field": {"name": name, "type": "double", "rollup": rollup}})
    account, other = await made(org, "Account", Name="A"), await made(org, "Account", Name="B")
    deal = {"StageName": "Prospecting", "CloseDate": "2026-12-01", "AccountId": account}
    small = await made(org, "Opportunity", Name="1", Amount=10, **deal)
    await made(org, "Opportunity", Name="2", Amount=32.5, **deal)

    async def sums(record_id: str) -> tuple[Any, ...]:
        row = await read(org, "Account", record_id)
        return row["Deals__c"], row["Sum__c"], row["Top__c"]

    assert await sums(account) == (2, 42.5, 32.5)
    await org.call("PATCH", f"/sobjects/Opportunity/{small}", {"AccountId": other})
    assert (await sums(account), await sums(other)) == ((1, 32.5, 32.5), (1, 10, 10))
    await org.call("DELETE", f"/sobjects/Opportunity/{small}")
    assert await sums(other) == (0, 0, None)
    await org.verb("undelete", {"id": small})
    assert await sums(other) == (1, 10, 10)


async def test_person_accounts_are_two_records_and_two_events(org: Client, opened: Opened) -> None:
    await org.verb("enable_person_accounts")
    person = await made(org, "Account", FirstName="Aki", LastName="Ito", PersonEmail="i@x.example")
    row = await read(org, "Account", person)
    assert (row["IsPersonAccount"], row["Name"]) == (True, "Aki Ito")
    contact = await read(org, "Contact", row["PersonContactId"])
    assert (contact["Email"], contact["AccountId"], contact["IsPersonAccount"]) == ("i@x.example", person, True)
    stream = await opened()
    await org.call("PATCH", f"/sobjects/Contact/{contact['Id']}", {"Title": "CTO", "LastName": "Ida"})
    events = await stream.events(2)
    assert {header["entityName"] for header in headers_of(events)} == {"Account", "Contact"}
    account_event = next(each for each in events if each["data"]["payload"]["ChangeEventHeader"]["entityName"] == "Account")
    assert account_event["data"]["payload"]["Name"] == {"LastName": "Ida"}
    row = await read(org, "Account", person)
    assert (row["PersonTitle"], row["Name"]) == ("CTO", "Aki Ida")
    business = await made(org, "Account", Name="Business")
    assert (await read(org, "Account", business))["IsPersonAccount"] is False


async def test_a_person_account_is_deleted_and_named_as_one_and_its_contact_belongs_to_it(org: Client) -> None:
    await org.verb("enable_person_accounts")
    person, business = await made(org, "Account", FirstName="Aki", LastName="Ito"), await made(org, "Account", Name="Business")
    contact = (await read(org, "Account", person))["PersonContactId"]
    kind = (await org.verb("add_record_type", {"object": "Contact", "name": "Partner"}))["id"]
    for row, fields, code in (
        (f"Account/{person}", {"Name": "Aki Ida"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        (f"Contact/{contact}", {"AccountId": business}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        (f"Contact/{contact}", {"RecordTypeId": kind}, "INSUFFICIENT_ACCESS_OR_READONLY"),
    ):
        assert refusal(await org.call("PATCH", f"/sobjects/{row}", fields)) == code
    assert refusal(await org.call("DELETE", f"/sobjects/Contact/{contact}")) == "INVALID_PERSON_ACCOUNT_OPERATION"
    assert (await org.call("PATCH", f"/sobjects/Account/{business}", {"Name": "Better business"})).status == 204
    assert (await org.call("DELETE", f"/sobjects/Account/{person}")).status == 204
    assert (await org.call("GET", f"/sobjects/Contact/{contact}")).status == 404


async def test_autonumbers_and_record_types(org: Client) -> None:
    name = {"name": "Name", "auto_number": "T-{0000}", "length": 80}
    await org.verb("define_object", {"name": "Ticket__c", "label": "Ticket", "fields": [name]})
    ticket = await made(org, "Ticket__c")
    assert (await read(org, "Ticket__c", ticket))["Name"] == "T-0001"
    kind = (await org.verb("add_record_type", {"object": "Lead", "name": "Partner"}))["id"]
    await made(org, "Lead", **LEAD, RecordTypeId=kind)
    found = await org.query("SELECT Id, RecordType.DeveloperName FROM Lead")
    assert found["records"][0]["RecordType"]["DeveloperName"] == "Partner"
    infos = (await org.call("GET", "/sobjects/Lead/describe")).body["recordTypeInfos"]
    assert [info["name"] for info in infos] == ["Partner", "Master"]


async def test_describe_says_when_nothing_changed(org: Client) -> None:
    await org.verb("define_field", {"object": "Lead", "field": {"name": "X__c", "type": "string"}})
    first = await org.call("GET", "/sobjects/Lead/describe")
    stamp = first.headers["Last-Modified"]
    assert (await org.call("GET", "/sobjects/Lead/describe", If_Modified_Since=stamp)).status == 304
    await org.control("POST", "clock", {"advance_seconds": 2})
    await org.verb("define_field", {"object": "Lead", "field": {"name": "Y__c", "type": "string"}})
    assert (await org.call("GET", "/sobjects/Lead/describe", If_Modified_Since=stamp)).status == 200


async def test_too_many_changes_at_once_overflow(org: Client, opened: Opened) -> None:
    await org.verb("set_options", {"changes_per_transaction_max": 2})
    stream = await opened()
    records = [{"attributes": {"type": "Lead"}, "LastName": f"n{number}", "Company": "Acme"} for number in range(4)]
    await org.call("POST", "/composite/sobjects", {"records": records})
    headers = headers_of(await stream.events(3))
    assert [(each["changeType"], each["recordIds"][0]) for each in headers][2] == ("GAP_OVERFLOW", "000000000000000AAA")
    assert [each["changeType"] for each in headers[:2]] == ["CREATE", "CREATE"]


async def test_profiles_and_private_records(org: Client) -> None:
    user = "tandem@sandbox.example"
    mine, other = await made(org, "Lead", **LEAD), (await org.verb("create", {"object": "Lead", "fields": LEAD}))["id"]
    await org.verb("set_sharing", {"object": "Lead"})
    assert (await org.query("SELECT Id FROM Lead"))["totalSize"] == 2  # View All goes before sharing
    rights = {"Lead": {"view_all": False, "deletable": False}}
    await org.verb(
        "define_profile", {"name": "Reader", "objects": rights, "fields": {"Lead.Email": {"readable": False, "editable": False}}}
    )
    await org.verb("assign_permissions", {"user": user, "names": ["Reader"]})
    assert [record["Id"] for record in (await org.query("SELECT Id FROM Lead"))["records"]] == [mine]
    assert (await org.call("GET", f"/sobjects/Lead/{other}")).status == 404
    assert refusal(await org.call("DELETE", f"/sobjects/Lead/{mine}")) == "INSUFFICIENT_ACCESS_OR_READONLY"
    assert (await org.query("SELECT Email FROM Lead"))[0]["errorCode"] == "INVALID_FIELD"
    assert (await org.query("SELECT Id FROM Contact"))[0]["errorCode"] == "INVALID_TYPE"
    await org.verb("define_permission_set", {"name": "Mail", "fields": {"Lead.Email": {}}, "objects": {"Contact": {}}})
    await org.verb("assign_permissions", {"user": user, "names": ["Reader", "Mail"]})
    assert (await org.query("SELECT Email FROM Lead"))["totalSize"] == 1
    assert (await org.query("SELECT Id FROM Contact"))["totalSize"] == 0

"""Flows, validation and assignment rules, field permissions, the recycle bin, loads: what the org does by itself or by a control verb."""

from __future__ import annotations

from typing import Any

import orjson

from tests.infra.sandbox.salesforce.bayeux_client import Stream
from tests.infra.sandbox.salesforce.conftest import Client

LEAD = {"LastName": "Ito", "Company": "Acme"}
TANDEM = "tandem@sandbox.example"


async def new_lead(org: Client, **fields: Any) -> str:
    made = await org.call("POST", "/sobjects/Lead", {**LEAD, **fields})
    assert made.status == 201, made
    return str(made.body["id"])


async def row(org: Client, record_id: str) -> dict[str, Any]:
    found: dict[str, Any] = (await org.call("GET", f"/sobjects/Lead/{record_id}")).body
    return found


async def history(org: Client, after: int = 0) -> list[dict[str, Any]]:
    text = (await org.control("GET", f"history?after={after}")).body
    return [orjson.loads(line.partition(" ")[2]) for line in text.splitlines()]


async def test_a_flow_before_the_save_rewrites_what_is_written(org: Client) -> None:
    flow = {"name": "phones", "object": "Lead", "timing": "before_save", "set": {"Phone": {"transform": "phone"}}, "changed": ["Phone"]}
    await org.verb("add_flow", flow)
    record_id = await new_lead(org, Phone="415.555.0100")
    assert (await row(org, record_id))["Phone"] == "(415) 555-0100"
    stream = Stream(org)
    await stream.open()
    await stream.subscribe("/data/LeadChangeEvent")
    await org.call("PATCH", f"/sobjects/Lead/{record_id}", {"Phone": "4155550199"})
    [event] = await stream.events(1)
    assert event["data"]["payload"]["Phone"] == "(415) 555-0199"
    await stream.close()


async def test_a_flow_after_the_save_changes_another_field_in_the_same_event(org: Client) -> None:
    rating = {"Rating": {"value": "Hot"}, "NumberOfEmployees": {"add": 1}}
    await org.verb(
        "add_flow",
        {"name": "rate", "object": "Lead", "timing": "after_save", "when": "Title LIKE 'C_O'", "changed": ["Title"], "set": rating},
    )
    record_id = await new_lead(org)
    stream = Stream(org)
    await stream.open()
    await stream.subscribe("/data/LeadChangeEvent")
    start = len(await history(org))
    await org.call("PATCH", f"/sobjects/Lead/{record_id}", {"Title": "CTO"})
    [event] = await stream.events(1)
    payload = event["data"]["payload"]
    assert (payload["Title"], payload["Rating"], payload["NumberOfEmployees"]) == ("CTO", "Hot", 1)
    user = (await org.query(f"SELECT Id FROM User WHERE Username = '{TANDEM}'"))["records"][0]["Id"]  # noqa: S608
    assert payload["ChangeEventHeader"]["commitUser"] == user
    mine, flows = await history(org, start)
    assert (mine["actor"], mine["after"]["Title"], "Rating" in mine["after"]) == (TANDEM, "CTO", False)
    assert (flows["actor"], flows["after"]["Rating"], flows["request_id"]) == (TANDEM, "Hot", mine["request_id"])
    assert (flows["via"], "via" in mine) == ("rate", False)
    await org.verb("remove_rule", {"name": "rate"})
    await org.call("PATCH", f"/sobjects/Lead/{record_id}", {"Title": "CEO"})
    assert (await row(org, record_id))["NumberOfEmployees"] == 1
    await stream.close()


async def test_flows_that_set_each_other_off_are_stopped(org: Client) -> None:
    again = {"name": "again", "object": "Lead", "timing": "after_save", "set": {"NumberOfEmployees": {"add": 1}}}
    await org.verb("add_flow", again)
    answer = await org.call("POST", "/sobjects/Lead", LEAD)
    assert answer.body[0]["errorCode"] == "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"
    assert (await org.query("SELECT COUNT() FROM Lead"))["totalSize"] == 0


async def test_validation_rules(org: Client) -> None:
    record_id = await new_lead(org, Title="ok")
    rule = {"name": "no", "object": "Lead", "when": "Title = 'forbidden' OR Company = null", "message": "not so", "field": "Title"}
    await org.verb("add_validation_rule", rule)
    answer = await org.call("PATCH", f"/sobjects/Lead/{record_id}", {"Title": "Forbidden", "City": "x"})
    assert answer.body == [{"message": "not so", "errorCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "fields": ["Title"]}]
    assert (await row(org, record_id))["City"] is None
    refused = await org.control("POST", "verb/add_validation_rule", {**rule, "when": "Nothing = 1"})
    assert (refused.status, "No such column" in refused.body["error"]) == (400, True)


async def test_assignment_rules_run_unless_told_not_to(org: Client) -> None:
    ann = (await org.query("SELECT Id FROM User WHERE Username = 'ann@sandbox.example'"))["records"][0]["Id"]
    await org.verb("add_assignment_rule", {"name": "web", "object": "Lead", "when": "LeadSource = 'Web'", "owner": ann})
    assert (await row(org, await new_lead(org, LeadSource="Web")))["OwnerId"] == ann
    assert (await row(org, await new_lead(org)))["OwnerId"] != ann
    made = await org.call("POST", "/sobjects/Lead", {**LEAD, "LeadSource": "Web"}, Sforce_Auto_Assign="FALSE")
    assert (await row(org, made.body["id"]))["OwnerId"] != ann


async def test_hidden_and_read_only_fields(org: Client) -> None:
    record_id = await new_lead(org, Email="a@b.example", Title="CTO")
    for field, right in (("Email", {"readable": False}), ("Title", {"editable": False})):
        await org.verb("set_field_permission", {"user": TANDEM, "object": "Lead", "field": field, **right})
    described = {field["name"]: field for field in (await org.call("GET", "/sobjects/Lead/describe")).body["fields"]}
    assert "Email" not in described
    assert (described["Title"]["updateable"], described["Title"]["createable"], described["City"]["updateable"]) == (False, False, True)
    assert "Email" not in await row(org, record_id)
    for soql in ("SELECT Email FROM Lead", "SELECT Id FROM Lead WHERE Email = 'a@b.example'", "SELECT Id FROM Lead ORDER BY Email"):
        assert (await org.query(soql))[0]["errorCode"] == "INVALID_FIELD"
    answer = await org.call("PATCH", f"/sobjects/Lead/{record_id}", {"Email": "x@y.example"})
    assert answer.body[0]["errorCode"] == "INVALID_FIELD"
    answer = await org.call("PATCH", f"/sobjects/Lead/{record_id}", {"Title": "CFO"})
    assert answer.body[0]["errorCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"
    await org.verb("set_object_permission", {"user": TANDEM, "object": "Lead", "readable": False})
    assert (await org.query("SELECT Id FROM Lead"))[0]["errorCode"] == "INVALID_TYPE"
    assert (await org.call("GET", "/sobjects/Lead/describe")).status == 404
    await org.log_in("user")
    assert (await row(org, record_id))["Email"] == "a@b.example"


async def test_recycle_bin(org: Client) -> None:
    one, two = await new_lead(org), await new_lead(org)
    for each in (one, two):
        await org.call("DELETE", f"/sobjects/Lead/{each}")
    soql = "SELECT Id FROM Lead WHERE IsDeleted = TRUE"
    assert (await org.query(soql))["totalSize"] == 0
    assert (await org.query(soql, "queryAll"))["totalSize"] == 2
    await org.verb("undelete", {"id": one})
    assert (await row(org, one))["IsDeleted"] is False
    await org.control("POST", "clock", {"advance_seconds": 16 * 24 * 3600})
    await org.log_in()
    assert (await org.query(soql, "queryAll"))["totalSize"] == 0
    refused = await org.control("POST", "verb/undelete", {"id": two})
    assert (refused.status, "UNDELETE_FAILED" in refused.body["error"]) == (400, True)
    assert (await org.call("GET", f"/sobjects/Lead/{two}")).body[0]["errorCode"] == "NOT_FOUND"


async def test_deleting_an_account_takes_its_contacts(org: Client) -> None:
    account = (await org.call("POST", "/sobjects/Account", {"Name": "Acme"})).body["id"]
    await org.call("POST", "/sobjects/Contact", {"LastName": "x", "AccountId": account})
    await org.call("DELETE", f"/sobjects/Account/{account}")
    assert (await org.query("SELECT COUNT() FROM Contact"))["totalSize"] == 0
    assert {line["object"] for line in await history(org) if line["op"] == "delete"} == {"Account", "Contact"}


async def test_custom_objects_and_fields(org: Client) -> None:
    fields = [
        {"name": "Lead__c", "type": "reference", "reference_to": ["Lead"]},
        {"name": "Colours__c", "type": "multipicklist", "picklist": ["red", "green", "blue"], "restricted": True},
    ]
    await org.verb("define_object", {"name": "Visit__c", "label": "Visit", "fields": fields})
    lead = await new_lead(org)
    made = await org.call("POST", "/sobjects/Visit__c", {"Name": "v", "Lead__c": lead, "Colours__c": "blue;red"})
    assert made.body["id"].startswith("a00")
    found = (await org.query("SELECT Colours__c, Lead__r.LastName FROM Visit__c WHERE Colours__c INCLUDES ('red')"))["records"]
    assert [(each["Colours__c"], each["Lead__r"]["LastName"]) for each in found] == [("red;blue", "Ito")]
    refused = await org.call("POST", "/sobjects/Visit__c", {"Colours__c": "pink"})
    assert refused.body[0]["errorCode"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"


async def test_a_custom_field_is_renamed_with_its_values_and_deleted_with_them(org: Client) -> None:
    await org.verb("define_field", {"object": "Lead", "field": {"name": "Band__c", "type": "string"}})
    record_id = await new_lead(org, Band__c="gold")
    await org.verb("rename_field", {"object": "Lead", "field": "Band__c", "name": "Tier__c"})
    found = await row(org, record_id)
    assert (found["Tier__c"], "Band__c" in found) == ("gold", False)
    names = {each["name"] for each in (await org.call("GET", "/sobjects/Lead/describe")).body["fields"]}
    assert ("Tier__c" in names, "Band__c" in names) == (True, False)
    await org.verb("delete_field", {"object": "Lead", "field": "Tier__c"})
    assert "Tier__c" not in await row(org, record_id)
    refused = await org.call("GET", "/query?q=SELECT+Tier__c+FROM+Lead")
    assert (refused.status, refused.body[0]["errorCode"]) == (400, "INVALID_FIELD")
    await org.verb("define_field", {"object": "Lead", "field": {"name": "Tier__c", "type": "string"}})
    assert (await row(org, record_id))["Tier__c"] is None, "a new field of that name is empty"


async def test_an_org_with_several_currencies_says_those_of_its_records(org: Client) -> None:
    before = await new_lead(org, AnnualRevenue=100)
    await org.verb("enable_currencies", {"corporate": "EUR", "others": ["USD"]})
    after = await new_lead(org, AnnualRevenue=100, CurrencyIsoCode="USD")
    assert [(await row(org, each))["CurrencyIsoCode"] for each in (before, await new_lead(org), after)] == ["EUR", "EUR", "USD"]
    refused = await org.call("PATCH", f"/sobjects/Lead/{after}", {"CurrencyIsoCode": "CHF"})
    assert refused.body[0]["errorCode"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    described = (await org.call("GET", "/sobjects/Opportunity/describe")).body["fields"]
    assert [each["type"] for each in described if each["name"] == "CurrencyIsoCode"] == ["picklist"]


async def test_load_makes_records_without_calls_or_events(org: Client) -> None:
    stream = Stream(org)
    await stream.open()
    await stream.subscribe("/data/ChangeEvents")
    people = [{"object": "Lead", "fields": {**LEAD, "Email": f"p{number}@x.example"}} for number in range(1200)]
    answer = await org.control("POST", "verb/load", data=b"\n".join(orjson.dumps(each) for each in people))
    assert (answer.body["loaded"], len(set(answer.body["ids"]))) == (1200, 1200)
    assert (await org.query("SELECT Id FROM Lead WHERE Email = 'p777@x.example'"))["records"][0]["Id"] == answer.body["ids"][777]
    assert await stream.waiting_events() == []
    refused = await org.control("POST", "verb/load", data=b'{"object": "Lead", "fields": {"LastName": "x"}}')
    assert (refused.status, refused.body["error"][:7]) == (400, "line 1:")
    await stream.close()


async def test_history_tells_who_changed_what(org: Client) -> None:
    start = len(await history(org))
    record_id = await new_lead(org, Title="CTO")
    await org.verb("edit", {"object": "Lead", "id": record_id, "fields": {"Title": None, "DoNotCall": True}})
    await org.call("DELETE", f"/sobjects/Lead/{record_id}")
    create, update, delete = await history(org, start)
    assert (create["op"], create["actor"], create["before"], create["after"]["Title"]) == ("create", TANDEM, None, "CTO")
    assert (update["op"], update["actor"]) == ("update", "ann@sandbox.example")
    changed = {name: (update["before"][name], update["after"][name]) for name in ("Title", "DoNotCall")}
    assert changed == {"Title": ("CTO", None), "DoNotCall": (False, True)}
    assert (delete["op"], delete["after"], delete["before"]["DoNotCall"]) == ("delete", None, True)
    assert create["request_id"] != delete["request_id"]
    dumped = (await org.control("GET", "dump/Lead")).body
    assert dumped == ""


async def test_a_late_commit_is_stamped_before_what_was_seen(org: Client) -> None:
    record_id = await new_lead(org)
    await org.control("POST", "clock", {"advance_seconds": 3600})
    seen = await row(org, await new_lead(org))
    await org.verb("edit", {"object": "Lead", "id": record_id, "fields": {"City": "Oslo"}, "late_seconds": 600})
    late = await row(org, record_id)
    assert (late["City"], late["SystemModstamp"] < seen["SystemModstamp"]) == ("Oslo", True)
    found = await org.query(f"SELECT Id FROM Lead WHERE SystemModstamp < {seen['SystemModstamp'][:19]}Z ORDER BY SystemModstamp, Id")  # noqa: S608
    assert [record["Id"] for record in found["records"]] == [record_id]


async def test_bad_verbs_are_refused_in_words(org: Client) -> None:
    for verb, body in (
        ("edit", {"object": "Nothing"}),
        ("edit", {"object": "Lead", "id": "short", "fields": {}}),
        ("create", {"object": "Lead", "as": "nobody"}),
        ("define_field", {"object": "Lead", "field": {"name": "NoSuffix", "type": "string"}}),
        ("set_options", {"nothing": 1}),
        ("nothing", {}),
        ("add_flow", {"name": "x", "object": "Lead", "timing": "sometime", "set": {}}),
        ("merge", {"object": "Lead"}),
        ("convert", {"lead": "x"}),
    ):
        refused = await org.control("POST", f"verb/{verb}", body)
        assert refused.status in (400, 404), verb
        assert refused.body["error"], verb

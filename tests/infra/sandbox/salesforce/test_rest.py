"""The data API over HTTP: rows, collections, composite, query pages, replication, limits, errors."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from tests.infra.sandbox.salesforce.conftest import API, Client

LEAD = {"LastName": "Ito", "Company": "Acme"}


async def new_lead(org: Client, **fields: Any) -> str:
    made = await org.call("POST", "/sobjects/Lead", {**LEAD, **fields})
    assert made.status == 201, made
    return str(made.body["id"])


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status, answer.body[0]["errorCode"]


async def test_row_life(org: Client) -> None:
    record_id = await new_lead(org, FirstName=" Kei ", Website="", AnnualRevenue="12", DoNotCall=True)
    row = (await org.call("GET", f"/sobjects/Lead/{record_id[:15]}")).body
    assert (row["Id"], row["Name"], row["FirstName"], row["Website"], row["AnnualRevenue"]) == (record_id, "Kei Ito", "Kei", None, 12.0)
    assert (row["DoNotCall"], row["HasOptedOutOfEmail"], row["Status"]) == (True, False, "Open - Not Contacted")
    assert row["attributes"] == {"type": "Lead", "url": f"{API}/sobjects/Lead/{record_id}"}
    assert row["CreatedDate"] == row["SystemModstamp"]
    assert row["CreatedDate"].endswith(".000+0000")
    assert (await org.call("PATCH", f"/sobjects/Lead/{record_id}", {"DoNotCall": False, "City": "Oslo"})).status == 204
    row = (await org.call("GET", f"/sobjects/Lead/{record_id}?fields=DoNotCall,Address")).body
    assert row["DoNotCall"] is False
    assert row["Address"]["city"] == "Oslo"
    assert (await org.call("DELETE", f"/sobjects/Lead/{record_id}")).status == 204
    for method, body in (("GET", None), ("PATCH", {"City": "Rome"}), ("DELETE", None)):
        assert code_of(await org.call(method, f"/sobjects/Lead/{record_id}", body)) == (404, "ENTITY_IS_DELETED")


@pytest.mark.parametrize(
    ("body", "status", "code", "fields"),
    [
        ({"Company": "Acme"}, 400, "REQUIRED_FIELD_MISSING", ["LastName"]),
        ({"LastName": " ", "Company": None}, 400, "REQUIRED_FIELD_MISSING", ["LastName", "Company"]),
        ({**LEAD, "FirstName": "x" * 41}, 400, "STRING_TOO_LONG", ["FirstName"]),
        ({**LEAD, "Email": "not an address"}, 400, "INVALID_EMAIL_ADDRESS", ["Email"]),
        ({**LEAD, "GeocodeAccuracy": "Guess"}, 400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ["GeocodeAccuracy"]),
        ({**LEAD, "NumberOfEmployees": 1e9}, 400, "NUMBER_OUTSIDE_VALID_RANGE", ["NumberOfEmployees"]),
        ({**LEAD, "Nothing": 1}, 400, "INVALID_FIELD", []),
        ({**LEAD, "IsConverted": True}, 400, "INVALID_FIELD_FOR_INSERT_UPDATE", ["IsConverted"]),
        ({**LEAD, "Id": "00Q5fA000000001EBA"}, 400, "INVALID_FIELD_FOR_INSERT_UPDATE", ["Id"]),
        ({**LEAD, "OwnerId": "nobody"}, 400, "MALFORMED_ID", ["OwnerId"]),
        ({**LEAD, "OwnerId": "0015fA000000001AAA"}, 400, "MALFORMED_ID", ["OwnerId"]),
        ({**LEAD, "OwnerId": "0055fA00000zzzz"}, 400, "INVALID_CROSS_REFERENCE_KEY", ["OwnerId"]),
        ({**LEAD, "DoNotCall": "maybe"}, 400, "JSON_PARSER_ERROR", None),
        ({**LEAD, "City": 5}, 400, "JSON_PARSER_ERROR", None),
        ({**LEAD, "AnnualRevenue": {}}, 400, "JSON_PARSER_ERROR", None),
        ({**LEAD, "EmailBouncedDate": "yesterday"}, 400, "JSON_PARSER_ERROR", None),
    ],
)
async def test_refused_rows(org: Client, body: dict[str, Any], status: int, code: str, fields: list[str] | None) -> None:
    answer = await org.call("POST", "/sobjects/Lead", body)
    assert code_of(answer) == (status, code)
    assert answer.body[0].get("fields") == fields
    assert (await org.query("SELECT COUNT() FROM Lead"))["totalSize"] == 0


async def test_addresses_that_lead_nowhere(org: Client) -> None:
    assert code_of(await org.call("GET", "/sobjects/Nothing/x")) == (404, "NOT_FOUND")
    assert code_of(await org.call("GET", "/sobjects/Lead/00Q5fA00000zzzz")) == (404, "NOT_FOUND")
    assert code_of(await org.call("GET", "/sobjects/Lead/short")) == (400, "MALFORMED_ID")
    assert code_of(await org.call("PUT", "/sobjects/Lead", {})) == (405, "METHOD_NOT_ALLOWED")
    assert code_of(await org.call("GET", "/nothing")) == (404, "NOT_FOUND")
    for path in (
        "/search",
        "/recent",
        "/sobjects/Lead/describe/layouts",
        "/sobjects/Lead/listviews",
        "/limits/recordCount",
        "/ui-api/records/1",
    ):
        assert code_of(await org.call("GET", path)) == (501, "NOT_IN_SANDBOX")
    assert code_of(await org.call("POST", "/services/Soap/m/66.0", {})) == (501, "NOT_IN_SANDBOX")
    assert code_of(await org.call("GET", "/services/data/v20.0/limits")) == (404, "NOT_FOUND")
    org.token = "00D!wrong"
    assert code_of(await org.call("GET", "/limits")) == (401, "INVALID_SESSION_ID")


async def test_broken_json(org: Client) -> None:
    headers = {"Authorization": f"Bearer {org.token}", "Content-Type": "application/json"}
    async with org.session.post(f"{org.url}{API}/sobjects/Lead", data=b'{"LastName": ', headers=headers) as response:
        assert response.status == 400
        assert (await response.json())[0]["errorCode"] == "JSON_PARSER_ERROR"


async def test_upsert_by_external_id(org: Client) -> None:
    await org.verb("define_field", {"object": "Lead", "field": {"name": "Ext__c", "type": "string", "external_id": True, "length": 40}})
    path = "/sobjects/Lead/Ext__c/a%2Fb%20c"
    made = await org.call("PATCH", path, LEAD)
    assert (made.status, made.body["created"]) == (201, True)
    again = await org.call("PATCH", path, {"Title": "CEO"})
    assert (again.status, again.body["created"], again.body["id"]) == (200, False, made.body["id"])
    assert (await org.call("GET", path)).body["Ext__c"] == "a/b c"
    assert code_of(await org.call("PATCH", "/sobjects/Lead/Ext__c/other?updateOnly=true", LEAD)) == (404, "NOT_FOUND")
    assert code_of(await org.call("PATCH", "/sobjects/Lead/Title/x", LEAD)) == (404, "NOT_FOUND")
    await new_lead(org, Ext__c="a/b c")
    many = await org.call("PATCH", path, {"Title": "CFO"})
    assert many.status == 300
    assert len(many.body) == 2


async def test_unique_field(org: Client) -> None:
    await org.verb("define_field", {"object": "Lead", "field": {"name": "Key__c", "type": "string", "unique": True, "length": 40}})
    first = await new_lead(org, Key__c="K")
    answer = await org.call("POST", "/sobjects/Lead", {**LEAD, "Key__c": "k"})
    assert code_of(answer) == (400, "DUPLICATE_VALUE")
    assert answer.body[0]["message"] == f"duplicate value found: Key__c duplicates value on record with id: {first}"
    assert (await org.call("PATCH", f"/sobjects/Lead/{first}", {"Key__c": "K"})).status == 204


async def test_conditional_requests(org: Client) -> None:
    record_id = await new_lead(org)
    before = format_datetime(datetime.now(UTC) - timedelta(minutes=5), usegmt=True)
    after = format_datetime(datetime.now(UTC) + timedelta(minutes=5), usegmt=True)
    path = f"/sobjects/Lead/{record_id}"
    assert (await org.call("PATCH", path, {"City": "Rome"}, If_Unmodified_Since=before)).status == 412
    assert (await org.call("PATCH", path, {"City": "Rome"}, If_Unmodified_Since=after)).status == 204
    assert (await org.call("GET", path, If_Modified_Since=after)).status == 304
    assert (await org.call("GET", path, If_Modified_Since=before)).body["City"] == "Rome"


async def test_collections_give_one_result_an_item_in_order(org: Client) -> None:
    good, bad = {"attributes": {"type": "Lead"}, **LEAD}, {"attributes": {"type": "Lead"}, "LastName": "x"}
    made = await org.call("POST", "/composite/sobjects", {"allOrNone": False, "records": [good, bad, good, good]})
    assert [item["success"] for item in made.body] == [True, False, True, True]
    assert made.body[1]["errors"][0]["statusCode"] == "REQUIRED_FIELD_MISSING"
    one, two, three = made.body[0]["id"], made.body[2]["id"], made.body[3]["id"]
    edit = {"attributes": {"type": "Lead"}, "Title": "CTO"}
    missing = "00Q5fA00000zzzz"
    edits = [{**edit, "id": one}, {**edit, "id": missing}, {**edit, "Id": two}, edit, {"id": three, "Title": "x"}]
    changed = await org.call("PATCH", "/composite/sobjects", {"records": edits})
    assert [item["success"] for item in changed.body] == [True, False, True, False, False]
    codes = [item["errors"][0]["statusCode"] for item in changed.body if not item["success"]]
    assert codes == ["INVALID_CROSS_REFERENCE_KEY", "MISSING_ARGUMENT", "INVALID_TYPE"]
    read = await org.call("POST", "/composite/sobjects/Lead", {"ids": [two, missing, one], "fields": ["Id", "Title"]})
    assert [record and (record["Id"], record["Title"]) for record in read.body] == [(two, "CTO"), None, (one, "CTO")]
    gone = await org.call("DELETE", f"/composite/sobjects?ids={one},{missing}&allOrNone=false")
    assert [item["success"] for item in gone.body] == [True, False]


async def test_all_or_none_undoes_everything(org: Client) -> None:
    good, bad = {"attributes": {"type": "Lead"}, **LEAD}, {"attributes": {"type": "Lead"}, "LastName": "x"}
    made = await org.call("POST", "/composite/sobjects", {"allOrNone": True, "records": [good, bad]})
    codes = [item["errors"][0]["statusCode"] for item in made.body]
    assert codes == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "REQUIRED_FIELD_MISSING"]
    assert (await org.query("SELECT COUNT() FROM Lead"))["totalSize"] == 0
    assert (await org.control("GET", "history?after=2")).body == ""


async def test_collection_upsert_and_its_size(org: Client) -> None:
    await org.verb("define_field", {"object": "Lead", "field": {"name": "Ext__c", "type": "string", "external_id": True}})
    records = [{"attributes": {"type": "Lead"}, **LEAD, "Ext__c": str(number)} for number in (0, 1, 2, 2)] + [
        {"attributes": {"type": "Lead"}}
    ]
    await org.call("PATCH", "/sobjects/Lead/Ext__c/1", LEAD)
    answer = await org.call("PATCH", "/composite/sobjects/Lead/Ext__c", {"records": records})
    assert [item.get("created") for item in answer.body] == [True, False, None, None, None]
    assert {item["errors"][0]["statusCode"] for item in answer.body[2:4]} == {"DUPLICATE_VALUE"}  # none of the two is carried out
    too_many = [{"attributes": {"type": "Lead"}, **LEAD}] * 201
    assert code_of(await org.call("POST", "/composite/sobjects", {"records": too_many})) == (400, "EXCEEDED_ID_LIMIT")


async def test_composite_with_references(org: Client) -> None:
    parts = [
        {"method": "POST", "url": f"{API}/sobjects/Account", "referenceId": "a", "body": {"Name": "Acme"}},
        {"method": "POST", "url": f"{API}/sobjects/Contact", "referenceId": "c", "body": {"LastName": "X", "AccountId": "@{a.id}"}},
        {"method": "GET", "url": f"{API}/query?q=SELECT+Account.Name+FROM+Contact+WHERE+Id='@{{c.id}}'", "referenceId": "q"},
    ]
    found = (await org.call("POST", "/composite", {"compositeRequest": parts})).body["compositeResponse"]
    assert [part["httpStatusCode"] for part in found] == [201, 201, 200]
    assert found[2]["body"]["records"][0]["Account"]["Name"] == "Acme"
    failing = [*parts[:2], {"method": "POST", "url": f"{API}/sobjects/Contact", "referenceId": "bad", "body": {}}]
    found = (await org.call("POST", "/composite", {"allOrNone": True, "compositeRequest": failing})).body["compositeResponse"]
    assert [part["body"][0]["errorCode"] for part in found] == ["PROCESSING_HALTED", "PROCESSING_HALTED", "REQUIRED_FIELD_MISSING"]
    assert (await org.query("SELECT COUNT() FROM Account"))["totalSize"] == 1
    lost = [{"method": "GET", "url": f"{API}/sobjects/Lead/@{{none.id}}", "referenceId": "x"}]
    found = (await org.call("POST", "/composite", {"compositeRequest": lost})).body["compositeResponse"]
    assert found[0]["body"][0]["errorCode"] == "PROCESSING_HALTED"


async def test_query_pages(org: Client) -> None:
    await org.verb("set_options", {"query_batch": 2})
    made = [await new_lead(org, LastName=f"n{number}") for number in range(5)]
    page = await org.query("SELECT Id FROM Lead ORDER BY Id")
    found = [record["Id"] for record in page["records"]]
    sizes = [len(page["records"])]
    while not page["done"]:
        assert page["nextRecordsUrl"].startswith(f"{API}/query/01g")
        page = (await org.call("GET", page["nextRecordsUrl"])).body
        found += [record["Id"] for record in page["records"]]
        sizes.append(len(page["records"]))
    assert (found, sizes, page["totalSize"]) == (made, [2, 2, 1], 5)
    assert code_of(await org.call("GET", "/query/01gnothing-2")) == (400, "INVALID_QUERY_LOCATOR")
    assert code_of(await org.call("GET", "/query")) == (400, "MALFORMED_QUERY")


async def test_updated_and_deleted(org: Client) -> None:
    one, two = await new_lead(org), await new_lead(org)
    await org.call("DELETE", f"/sobjects/Lead/{two}")
    await org.verb("empty_recycle_bin", {"id": two})
    await org.control("POST", "clock", {"advance_seconds": 120})
    start = (datetime.now(UTC) - timedelta(minutes=10)).isoformat(timespec="seconds").replace("+00:00", "Z")
    end = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds").replace("+00:00", "Z")
    updated = (await org.call("GET", f"/sobjects/Lead/updated/?start={start}&end={end}")).body
    assert updated["ids"] == [one]
    assert updated["latestDateCovered"][17:] == "00.000+0000"
    assert updated["latestDateCovered"] < end
    deleted = (await org.call("GET", f"/sobjects/Lead/deleted/?start={start}&end={end}")).body
    assert [record["id"] for record in deleted["deletedRecords"]] == [two]
    await org.verb("set_options", {"latest_date_held_back_seconds": 3600})
    held = (await org.call("GET", f"/sobjects/Lead/updated/?start={start}&end={end}")).body
    assert held["latestDateCovered"] < updated["latestDateCovered"]
    for window in (f"start={end}&end={start}", f"start={start}", "start=2020-01-01T00:00:00Z&end=2020-01-02T00:00:00Z"):
        assert code_of(await org.call("GET", f"/sobjects/Lead/updated/?{window}")) == (400, "INVALID_REPLICATION_DATE")


async def test_limits_count_and_end(org: Client) -> None:
    await org.verb("set_options", {"api_calls_per_day": 3})
    answers = [await org.call("GET", "/limits") for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 200, 403]
    assert answers[2].body["DailyApiRequests"] == {"Max": 3, "Remaining": 0}
    assert answers[1].headers["Sforce-Limit-Info"] == "api-usage=2/3"
    assert answers[3].body == [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
    await org.control("POST", "clock", {"advance_seconds": 24 * 3600 + 120})
    await org.log_in()
    assert (await org.call("GET", "/limits")).status == 200


async def test_describe(org: Client) -> None:
    described = (await org.call("GET", "/sobjects/Lead/describe")).body
    fields = {field["name"]: field for field in described["fields"]}
    assert (described["keyPrefix"], described["mergeable"], described["replicateable"]) == ("00Q", True, True)
    assert (fields["Email"]["type"], fields["LastName"]["length"], fields["LastName"]["nillable"]) == ("email", 80, False)
    assert (fields["Id"]["updateable"], fields["Street"]["compoundFieldName"], fields["OwnerId"]["referenceTo"]) == (
        False, "Address", ["Group", "User"],
    )  # fmt: skip
    assert {value["value"] for value in fields["Status"]["picklistValues"]} >= {"Open - Not Contacted"}
    event = (await org.call("GET", "/sobjects/LeadChangeEvent/describe")).body
    names = {field["name"] for field in event["fields"]}
    assert "Email" in names
    assert not names & {"SystemModstamp", "IsDeleted"}
    listed = {entry["name"] for entry in (await org.call("GET", "/sobjects")).body["sobjects"]}
    assert {"Lead", "Contact", "Account", "User", "Campaign"} <= listed
    versions = (await org.call("GET", "/services/data")).body
    assert {"label": "Spring '26", "url": "/services/data/v66.0", "version": "66.0"} in versions


async def test_meters_count_every_call(org: Client) -> None:
    record_id = await new_lead(org)
    await org.call("GET", f"/sobjects/Lead/{record_id}")
    await org.call("GET", "/sobjects/Lead/short")
    rows = {row["endpoint"]: row for row in (await org.control("GET", "meters")).body["rows"] if row["actor"] == "tandem@sandbox.example"}
    assert rows["POST /sobjects/{object}"]["calls"] == 1
    assert rows["GET /sobjects/{object}/{id}"] == {
        "actor": "tandem@sandbox.example", "endpoint": "GET /sobjects/{object}/{id}", "calls": 2, "records": 1,
        "errors": {"MALFORMED_ID": 1},
    }  # fmt: skip


async def test_refusals_by_fault(org: Client) -> None:
    await org.fault({"type": "record_errors", "statusCode": "UNABLE_TO_LOCK_ROW", "every": 2})
    records = [{"attributes": {"type": "Lead"}, **LEAD}] * 3
    answer = await org.call("POST", "/composite/sobjects", {"records": records})
    assert [item["success"] for item in answer.body] == [False, True, False]
    await org.fault({"type": "salesforce_error", "status": 503, "code": "SERVER_UNAVAILABLE"})
    assert code_of(await org.call("GET", "/limits")) == (503, "SERVER_UNAVAILABLE")
    await org.fault({"type": "html_502"})
    assert (await org.call("GET", "/limits")).body.startswith("<html>")

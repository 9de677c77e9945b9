"""Private records: who neither owns one nor has View All neither sees nor changes it, whichever way it is asked for."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from infra.sandbox.salesforce.wire.stamps import stamp_of
from tests.infra.sandbox.salesforce.conftest import API, Client

USER = "tandem@sandbox.example"
LEAD = {"LastName": "L", "Company": "C"}
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


@pytest.fixture
async def restricted(org: Client) -> Client:
    """The logged in user owns nothing of what is there, and has View All of nothing but Campaign."""
    everything = {"view_all": False}
    objects = dict.fromkeys(("Lead", "Account", "Contact", "Opportunity"), everything)
    await org.verb("define_profile", {"name": "Seller", "objects": {**objects, "Campaign": {}}})
    for name in ("Lead", "Account", "Contact"):
        await org.verb("set_sharing", {"object": name})
    await org.verb("assign_permissions", {"user": USER, "names": ["Seller"]})
    return org


async def theirs(org: Client, name: str, **fields: Any) -> str:
    return str((await org.verb("create", {"object": name, "fields": fields}))["id"])


async def ingest(org: Client, operation: str, data: str) -> dict[str, Any]:
    made_job = (await org.call("POST", "/jobs/ingest", {"object": "Lead", "operation": operation})).body
    path = f"/jobs/ingest/{made_job['id']}"
    headers = {"Authorization": f"Bearer {org.token}", "Content-Type": "text/csv"}
    async with org.session.put(f"{org.url}{API}{path}/batches", data=data.encode(), headers=headers):
        await org.call("PATCH", path, {"state": "UploadComplete"})
    async with asyncio.timeout(10):
        while (job := (await org.call("GET", path)).body)["state"] != "JobComplete":
            await asyncio.sleep(0.01)
    return dict(job)


async def test_it_is_absent_from_every_way_of_reading(restricted: Client) -> None:
    org = restricted
    hidden, mine = await theirs(org, "Lead", **LEAD), await org.made("Lead", **LEAD)
    assert [each["Id"] for each in (await org.query("SELECT Id FROM Lead"))["records"]] == [mine]
    assert (await org.query("SELECT COUNT() FROM Lead"))["totalSize"] == 1
    assert (await org.query("SELECT COUNT(Id) n FROM Lead"))["records"][0]["n"] == 1
    assert (await org.call("GET", f"/sobjects/Lead/{hidden}")).status == 404
    read = await org.call("POST", "/composite/sobjects/Lead", {"ids": [hidden, mine], "fields": ["Id"]})
    assert [each and each["Id"] for each in read.body] == [None, mine]
    now_ms = org.running.system.clock.now_ms()
    start, end = (stamp_of(now_ms + seconds * 1000).replace("+", "%2B") for seconds in (-3600, 120))
    window = f"start={start}&end={end}"
    assert (await org.call("GET", f"/sobjects/Lead/updated?{window}")).body["ids"] == [mine]
    for lead in (hidden, mine):
        await org.verb("delete", {"id": lead})
    assert [each["id"] for each in (await org.call("GET", f"/sobjects/Lead/deleted?{window}")).body["deletedRecords"]] == [mine]
    await org.verb("empty_recycle_bin", {})
    assert [each["id"] for each in (await org.call("GET", f"/sobjects/Lead/deleted?{window}")).body["deletedRecords"]] == [mine]
    assert (await org.query("SELECT Id FROM Lead", "queryAll"))["totalSize"] == 0


async def test_a_parent_that_is_not_seen_is_null(restricted: Client) -> None:
    org = restricted
    account = await theirs(org, "Account", Name="Secret")
    opportunity = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-01-01", "AccountId": account}
    await org.made("Opportunity", **opportunity)
    (record,) = (await org.query("SELECT AccountId, Account.Name FROM Opportunity"))["records"]
    assert (record["AccountId"], record["Account"]) == (account, None)
    assert (await org.query("SELECT Id FROM Opportunity WHERE Account.Name = 'Secret'"))["totalSize"] == 0
    assert (await org.query("SELECT Id FROM Opportunity WHERE AccountId IN (SELECT Id FROM Account)"))["totalSize"] == 0
    await org.verb("set_view_all_data", {"user": USER, "value": True})
    (record,) = (await org.query("SELECT Account.Name FROM Opportunity"))["records"]
    assert record["Account"]["Name"] == "Secret"


async def test_it_can_be_changed_by_no_api(restricted: Client) -> None:
    org = restricted
    hidden, mine = await theirs(org, "Lead", **LEAD), await org.made("Lead", **LEAD)
    body = {"records": [{"attributes": {"type": "Lead"}, "id": each, "Title": "x"} for each in (hidden, mine)]}
    changed = (await org.call("PATCH", "/composite/sobjects", body)).body
    assert [each["success"] for each in changed] == [False, True]
    assert changed[0]["errors"][0]["statusCode"] == "INSUFFICIENT_ACCESS_OR_READONLY"
    assert (await org.call("PATCH", f"/sobjects/Lead/{hidden}", {"Title": "x"})).status == 404
    assert (await org.call("DELETE", f"/composite/sobjects?ids={hidden}")).body[0]["success"] is False
    for operation, data in (("update", f"Id,Title\n{hidden},y\n{mine},y\n"), ("delete", f"Id\n{hidden}\n{mine}\n")):
        job = await ingest(org, operation, data)
        assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (2, 1)
    envelope = (
        f'<env:Envelope xmlns:env="{SOAP}" xmlns="urn:partner.soap.sforce.com"><env:Header><SessionHeader>'
        f"<sessionId>{org.token}</sessionId></SessionHeader></env:Header>"
        "<env:Body><undelete><ids>{}</ids></undelete></env:Body></env:Envelope>"
    )
    await org.verb("delete", {"id": hidden})
    for lead, works in ((hidden, "false"), (mine, "true")):
        async with org.session.post(f"{org.url}/services/Soap/u/66.0", data=envelope.format(lead)) as answer:
            assert f"<success>{works}</success>" in await answer.text()


async def test_a_merge_needs_all_of_the_records(restricted: Client) -> None:
    org = restricted
    hidden, mine = await theirs(org, "Lead", **LEAD), await org.made("Lead", **LEAD)
    answer = await org.control("POST", "verb/merge", {"object": "Lead", "master": mine, "victims": [hidden], "as": USER})
    assert (answer.status, "INSUFFICIENT_ACCESS" in str(answer.body)) == (400, True)
    assert (await org.control("POST", "verb/merge", {"object": "Lead", "master": mine, "victims": [hidden]})).status == 200

"""simple-salesforce against the org: queries with aggregates and children, composite, Bulk 2.0, Tooling, and all of it over https."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import aiohttp
import pytest
import requests
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import SalesforceMalformedRequest

from infra.sandbox.certificate import certificate_of
from infra.sandbox.kernel.process import ChildSettings, start_server, tls_of
from infra.sandbox.salesforce.process import build
from tests.infra.sandbox.salesforce.conftest import CONTROL_TOKEN, CREDENTIALS, Client, Use


async def test_rows(org: Client, use: Use) -> None:
    await org.verb("define_field", {"object": "Contact", "field": {"name": "Ext__c", "type": "string", "external_id": True}})

    def work(sf: Salesforce) -> None:
        made = sf.Contact.create({"LastName": "Ito"})
        assert sf.Contact.update(made["id"], {"Title": "CTO"}) == 204
        assert sf.Contact.get(made["id"])["Title"] == "CTO"
        assert sf.Contact.upsert("Ext__c/k1", {"LastName": "Key"}) == 201
        assert sf.Contact.get_by_custom_id("Ext__c", "k1")["LastName"] == "Key"
        assert sf.Contact.delete(made["id"]) == 204
        assert sf.Contact.describe()["name"] == "Contact"
        assert sf.query_all("SELECT Id FROM Contact", include_deleted=True)["totalSize"] == 2
        assert sf.limits()["DailyApiRequests"]["Remaining"] > 0

    await use(work)


async def test_aggregates_children_and_dates(org: Client, use: Use) -> None:
    def work(sf: Salesforce) -> None:
        account = sf.Account.create({"Name": "Acme"})["id"]
        for name, title in (("A", "CTO"), ("B", "CTO"), ("C", None)):
            sf.Contact.create({"LastName": name, "Title": title, "AccountId": account})
        grouped = sf.query("SELECT Title, COUNT(Id) n, MIN(LastName) FROM Contact GROUP BY Title HAVING COUNT(Id) > 1 ORDER BY Title")
        assert [(row["Title"], row["n"], row["expr0"]) for row in grouped["records"]] == [("CTO", 2, "A")]
        one = sf.query("SELECT COUNT(Id), COUNT_DISTINCT(Title) FROM Contact")["records"][0]
        assert (one["expr0"], one["expr1"]) == (3, 1)
        assert sf.query("SELECT COUNT() FROM Contact WHERE CreatedDate = THIS_QUARTER AND CreatedDate > LAST_N_WEEKS:2")["totalSize"] == 3
        [parent] = sf.query("SELECT Name, (SELECT LastName FROM Contacts WHERE Title = 'CTO' ORDER BY LastName DESC LIMIT 1) FROM Account")[
            "records"
        ]
        assert [child["LastName"] for child in parent["Contacts"]["records"]] == ["B"]
        inside = sf.query("SELECT Name FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE Title = 'CTO')")
        assert inside["totalSize"] == 1
        with pytest.raises(SalesforceMalformedRequest):
            sf.query("SELECT LastName, COUNT(Id) FROM Contact")

    await use(work)


async def test_composite_batch_and_tree(org: Client, use: Use) -> None:
    def work(sf: Salesforce) -> None:
        tree = {"records": [{
            "attributes": {"type": "Account", "referenceId": "a"}, "Name": "Acme",
            "Contacts": {"records": [{"attributes": {"type": "Contact", "referenceId": "c"}, "LastName": "C"}]},
        }]}  # fmt: skip
        made = sf.restful("composite/tree/Account", method="POST", json=tree)
        assert [each["referenceId"] for each in made["results"]] == ["a", "c"]
        assert sf.Contact.get(made["results"][1]["id"])["AccountId"] == made["results"][0]["id"]
        tree["records"][0]["Contacts"]["records"][0]["LastName"] = None  # type: ignore[index]
        with pytest.raises(SalesforceMalformedRequest):
            sf.restful("composite/tree/Account", method="POST", json=tree)
        assert sf.query("SELECT COUNT() FROM Account")["totalSize"] == 1
        calls = [
            {"method": "GET", "url": f"v66.0/sobjects/Account/{made['results'][0]['id']}?fields=Name"},
            {"method": "PATCH", "url": f"v66.0/sobjects/Account/{made['results'][0]['id']}", "richInput": {"Name": "Other"}},
            {"method": "GET", "url": "v66.0/sobjects/Nothing/x"},
        ]
        answer = sf.restful("composite/batch", method="POST", json={"batchRequests": calls})
        assert answer["hasErrors"] is True
        assert [each["statusCode"] for each in answer["results"]] == [200, 204, 404]
        node = {"method": "POST", "url": "/services/data/v66.0/sobjects/Account", "referenceId": "a", "body": {"Name": "In a graph"}}
        graphs = sf.restful("composite/graph", method="POST", json={"graphs": [{"graphId": "g", "compositeRequest": [node]}]})["graphs"]
        assert graphs[0]["isSuccessful"] is True

    await use(work)


async def test_bulk_ingest_and_query(org: Client, use: Use, tmp_path: Path) -> None:
    await org.verb("define_field", {"object": "Lead", "field": {"name": "Key__c", "type": "string", "external_id": True, "unique": True}})

    def work(sf: Salesforce) -> None:
        rows = [{"LastName": f"n{number}", "Company": "Acme", "Key__c": str(number)} for number in range(500)]
        [job] = sf.bulk2.Lead.insert(records=rows, wait=0.05)
        assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (500, 0)
        again = [
            {"Key__c": str(number), "LastName": f"m{number}", "Company": "Acme" if number != 7 else "#N/A"} for number in range(499, 502)
        ]
        again.append({"Key__c": "7", "LastName": "x", "Company": "#N/A"})
        [job] = sf.bulk2.Lead.upsert(records=again, external_id_field="Key__c", wait=0.05)
        assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (4, 1)
        failed = sf.bulk2.Lead.get_failed_records(job["job_id"])
        assert "REQUIRED_FIELD_MISSING" in failed
        successful = sf.bulk2.Lead.get_successful_records(job["job_id"])
        assert successful.count('"true"') == 2
        pages = list(sf.bulk2.Lead.query("SELECT Id, LastName FROM Lead WHERE LastName LIKE 'n%'", max_records=200, wait=0.05))
        assert [len(page.strip().splitlines()) - 1 for page in pages] == [200, 200, 99]
        ids = [{"Id": line.strip('"').split('","')[0]} for line in pages[0].splitlines()[1:]]
        [job] = sf.bulk2.Lead.delete(records=ids, wait=0.05)
        assert job["numberRecordsFailed"] == 0
        assert sf.query("SELECT COUNT() FROM Lead")["totalSize"] == 302
        assert sf.query("SELECT COUNT() FROM Lead WHERE IsDeleted = TRUE", include_deleted=True)["totalSize"] == 200

    await use(work)


async def test_bulk_jobs_that_end_otherwise(org: Client) -> None:
    job = (await org.call("POST", "/jobs/ingest", {"object": "Lead", "operation": "insert"})).body
    assert job["state"] == "Open"
    wrong = await org.call("GET", f"/jobs/ingest/{job['id']}/successfulResults")
    assert wrong.body[0]["errorCode"] == "INVALIDJOBSTATE"
    assert (await org.call("PATCH", f"/jobs/ingest/{job['id']}", {"state": "Aborted"})).body["state"] == "Aborted"
    assert (await org.call("DELETE", f"/jobs/ingest/{job['id']}")).status == 204
    assert (await org.call("GET", f"/jobs/ingest/{job['id']}")).status == 404
    await org.fault({"type": "bulk_failed", "message": "too bad"})
    failed = (await org.call("POST", "/jobs/query", {"operation": "query", "query": "SELECT Id FROM Lead"})).body
    async with asyncio.timeout(10):
        while failed["state"] not in ("JobComplete", "Failed"):
            failed = (await org.call("GET", f"/jobs/query/{failed['id']}")).body
    assert (failed["state"], "too bad" in failed["errorMessage"]) == ("Failed", True)
    for soql in ("SELECT COUNT(Id) FROM Lead", "SELECT Address FROM Lead", "SELECT Id, (SELECT Id FROM Contacts) FROM Account"):
        assert (await org.call("POST", "/jobs/query", {"operation": "query", "query": soql})).status == 400


async def test_channels_through_the_tooling_api(org: Client, use: Use) -> None:
    def work(sf: Salesforce) -> None:
        channel = {"FullName": "Sync__chn", "Metadata": {"channelType": "data", "label": "Sync"}}
        assert sf.toolingexecute("sobjects/PlatformEventChannel", method="POST", data=channel)["success"]
        metadata = {"eventChannel": "Sync__chn", "selectedEntity": "LeadChangeEvent", "enrichedFields": [{"name": "Email"}]}
        made = sf.toolingexecute(
            "sobjects/PlatformEventChannelMember", method="POST", data={"FullName": "Sync_LeadChangeEvent", "Metadata": metadata}
        )
        soql = "SELECT Id, SelectedEntity FROM PlatformEventChannelMember WHERE EventChannel = 'Sync__chn'"
        found = sf.toolingexecute("query", params={"q": soql})
        assert [(each["Id"], each["SelectedEntity"]) for each in found["records"]] == [(made["id"], "LeadChangeEvent")]
        count = sf.toolingexecute("query", params={"q": "SELECT COUNT_DISTINCT(SelectedEntity) FROM PlatformEventChannelMember"})
        assert count["records"][0]["expr0"] == 5
        metadata |= {"selectedEntity": "TaskChangeEvent"}
        with pytest.raises(SalesforceMalformedRequest):  # a sixth entity
            sf.toolingexecute("sobjects/PlatformEventChannelMember", method="POST", data={"FullName": "x", "Metadata": metadata})

    await use(work)


async def test_over_https_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    certificate, key = certificate_of(tmp_path)
    assert key.stat().st_mode & 0o077 == 0
    assert certificate_of(tmp_path) == (certificate, key)
    settings = ChildSettings(data=str(tmp_path / "org"), credentials=CREDENTIALS, certificate=str(certificate), key=str(key))
    running = await build(settings)
    runner, port = await start_server(running, CONTROL_TOKEN, "127.0.0.1", 0, tls_of(settings))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(certificate)))) as session:
        org = Client(f"https://localhost:{port}", session, running)
        token = await org.log_in()

    def work() -> None:
        session = requests.Session()
        session.verify, session.trust_env = str(certificate), False
        sf = Salesforce(instance=f"localhost:{port}", session_id=token, version="66.0", session=session)
        assert sf.Lead.create({"LastName": "Safe", "Company": "Acme"})["success"]
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(f"https://localhost:{port}/services/data", timeout=5)

    await asyncio.to_thread(work)
    await runner.cleanup()
    running.system.journal.close()

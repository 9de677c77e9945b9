"""simple-salesforce against the resources that few of its users call: lists, change polling, pages, collections, jobs, multipart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from simple_salesforce import Salesforce
from simple_salesforce.exceptions import SalesforceGeneralError

from tests.infra.sandbox.salesforce.conftest import Client, Use


async def test_lists_and_descriptions(org: Client, use: Use) -> None:
    def work(sf: Salesforce) -> None:
        described = sf.describe()
        assert described is not None
        assert {"Lead", "Contact"} <= {each["name"] for each in described["sobjects"]}
        assert sf.Lead.metadata()["objectDescribe"]["keyPrefix"] == "00Q"
        resources = sf.restful("")
        assert resources is not None
        assert resources["sobjects"].endswith("/sobjects")
        schema = sf.restful("sobjects/LeadChangeEvent/eventSchema", params={"payloadFormat": "COMPACT"})
        assert schema is not None
        again = sf.restful(f"event/eventSchema/{schema['uuid']}", params={"payloadFormat": "COMPACT"})
        assert again == schema

    await use(work)


async def test_what_changed_and_what_went(org: Client, use: Use) -> None:
    def work(sf: Salesforce) -> None:
        kept, gone = (sf.Lead.create({"LastName": name, "Company": "Acme"})["id"] for name in "ab")
        sf.Lead.delete(gone)
        start, end = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(minutes=2)
        assert sf.Lead.updated(start, end)["ids"] == [kept]
        assert [each["id"] for each in sf.Lead.deleted(start, end)["deletedRecords"]] == [gone]

    await use(work)


async def test_pages_of_queries(org: Client, use: Use) -> None:
    await org.verb("set_options", {"query_batch": 2})

    def work(sf: Salesforce) -> None:
        for name in "abcde":
            sf.Lead.create({"LastName": name, "Company": "Acme"})
        first = sf.query("SELECT LastName FROM Lead ORDER BY LastName")
        assert (first["totalSize"], first["done"], len(first["records"])) == (5, False, 2)
        second = sf.query_more(first["nextRecordsUrl"], identifier_is_url=True)
        assert [each["LastName"] for each in second["records"]] == ["c", "d"]
        locator = second["nextRecordsUrl"].rpartition("/")[2]
        assert [each["LastName"] for each in sf.query_more(locator, include_deleted=True)["records"]] == ["e"]
        assert len(list(sf.query_all_iter("SELECT FIELDS(STANDARD) FROM Lead"))) == 5

    await use(work)


async def test_collections_and_composite(org: Client, use: Use) -> None:
    await org.verb("define_field", {"object": "Contact", "field": {"name": "Ext__c", "type": "string", "external_id": True}})

    def work(sf: Salesforce) -> None:
        def collection(method: str, path: str = "", **more: object) -> list[dict[str, object]]:
            answer = sf.restful(f"composite/sobjects{path}", method=method, **more)
            assert isinstance(answer, list)
            return answer

        records = [{"attributes": {"type": "Contact"}, "LastName": name, "Ext__c": name} for name in "ab"]
        made = collection("POST", json={"allOrNone": True, "records": records})
        ids = [str(each["id"]) for each in made]
        changed = collection("PATCH", json={"records": [{"attributes": {"type": "Contact"}, "id": ids[0], "Title": "CTO"}]})
        assert changed[0]["success"] is True
        found = collection("PATCH", "/Contact/Ext__c", json={"records": [{**records[1], "Title": "CEO"}, {**records[1], "Ext__c": "c"}]})
        assert [each["created"] for each in found] == [False, True]
        read = collection("GET", "/Contact", params={"ids": ",".join(ids), "fields": "Title"})
        assert [each["Title"] for each in read] == ["CTO", "CEO"]
        assert all(each["success"] for each in collection("DELETE", params={"ids": ",".join(ids)}))
        calls = [
            {"method": "POST", "url": "/services/data/v66.0/sobjects/Account", "referenceId": "a", "body": {"Name": "Acme"}},
            {"method": "GET", "url": "/services/data/v66.0/sobjects/Account/@{a.id}?fields=Name", "referenceId": "r"},
        ]
        answer = sf.restful("composite", method="POST", json={"compositeRequest": calls})
        assert answer is not None
        assert answer["compositeResponse"][1]["body"]["Name"] == "Acme"

    await use(work)


async def test_jobs_that_few_make(org: Client, use: Use) -> None:
    await org.fault({"type": "bulk_slow", "seconds": 30}, {"path": "/jobs/query"})

    def work(sf: Salesforce) -> None:
        job = sf.bulk2.Lead._client.create_job("insert")
        assert sf.bulk2.Lead._client.abort_job(job["id"], is_query=False)["state"] == "Aborted"
        slow = sf.bulk2.Lead._client.create_job("query", query="SELECT Id FROM Lead")
        assert sf.bulk2.Lead._client.abort_job(slow["id"], is_query=True)["state"] == "Aborted"
        listed = sf.restful("jobs/ingest")
        assert listed is not None
        assert [each["id"] for each in listed["records"]] == [job["id"]]
        body = (
            '--B\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name="job"\r\n\r\n'
            '{"object": "Lead", "contentType": "CSV", "operation": "insert"}\r\n'
            '--B\r\nContent-Type: text/csv\r\nContent-Disposition: form-data; name="content"; filename="content"\r\n\r\n'
            "LastName,Company\nIto,Acme\n\r\n--B--"
        )
        made = sf.restful("jobs/ingest/", method="POST", data=body, headers={"Content-Type": "multipart/form-data; boundary=B"})
        assert made is not None
        assert made["state"] == "UploadComplete"
        sf.bulk2.Lead._client.wait_for_job(made["id"], is_query=False, wait=0.02)
        assert "Ito" in sf.bulk2.Lead.get_successful_records(made["id"])
        assert sf.bulk2.Lead.get_unprocessed_records(made["id"]).count("\n") == 1
        with pytest.raises(SalesforceGeneralError, match="NOT_IN_SANDBOX"):
            sf.search("FIND {Ito}")

    await use(work)


async def test_what_objects_there_are(org: Client, use: Use) -> None:
    def work(sf: Salesforce) -> None:
        soql = "SELECT QualifiedApiName, DurableId FROM EntityDefinition WHERE KeyPrefix = '00Q'"
        found = sf.toolingexecute("query/", params={"q": soql})
        assert [each["QualifiedApiName"] for each in found["records"]] == ["Lead"]

    await use(work)

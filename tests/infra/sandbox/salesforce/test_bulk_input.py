"""What an ingest job refuses of its data, and how it says so (Bulk API guide; issues of the tools that met it)."""

from __future__ import annotations

import asyncio
import csv
import io
from typing import Any

import pytest

from tests.infra.sandbox.salesforce.conftest import API, Client

ENDED = {"JobComplete", "Failed", "Aborted"}


async def job(org: Client, data: str, **body: str) -> dict[str, Any]:
    """The job's last state."""
    made = (await org.call("POST", "/jobs/ingest", {"object": "Lead", "operation": "insert", **body})).body
    url, headers = f"{org.url}{API}/jobs/ingest/{made['id']}", {"Authorization": f"Bearer {org.token}"}
    async with org.session.put(f"{url}/batches", data=data.encode(), headers={**headers, "Content-Type": "text/csv"}) as answer:
        assert answer.status == 201
    await org.call("PATCH", f"/jobs/ingest/{made['id']}", {"state": "UploadComplete"})
    async with asyncio.timeout(20):
        while (found := (await org.call("GET", f"/jobs/ingest/{made['id']}")).body)["state"] not in ENDED:
            await asyncio.sleep(0.01)
    return dict(found)


async def failed(org: Client, done: dict[str, Any]) -> list[dict[str, str]]:
    text = (await org.call("GET", f"/jobs/ingest/{done['id']}/failedResults")).body
    return list(csv.DictReader(io.StringIO(str(text))))


@pytest.mark.parametrize(("said", "end"), [("LF", "\r\n"), ("CRLF", "\n")])
async def test_line_endings_are_those_of_the_job(org: Client, said: str, end: str) -> None:
    data = end.join(["LastName,Company", "Ito,Acme", ""])
    done = await job(org, data, lineEnding=said)
    assert (done["state"], done["numberRecordsProcessed"]) == ("Failed", 0)
    assert done["errorMessage"] == f"ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {said}"
    right = await job(org, data, lineEnding="CRLF" if said == "LF" else "LF")
    assert (right["state"], right["numberRecordsProcessed"]) == ("JobComplete", 1)


@pytest.mark.parametrize(
    ("column", "text", "kind"),
    [
        ("EmailBouncedDate", "yesterday", "dateTime"), ("NumberOfEmployees", "many", "int"), ("AnnualRevenue", "1,5", "double"),
        ("DoNotCall", "perhaps", "boolean"),
    ],
)  # fmt: skip
async def test_a_cell_that_is_not_of_its_type(org: Client, column: str, text: str, kind: str) -> None:
    data = f'LastName,Company,{column}\nIto,Acme,"{text}"\nLee,Acme,\n'
    done = await job(org, data, lineEnding="LF")
    assert (done["numberRecordsProcessed"], done["numberRecordsFailed"]) == (2, 1)
    [row] = await failed(org, done)
    wanted = f"INVALID_FIELD:Failed to deserialize field at col 2. Due to, '{text}' is not a valid value for the type xsd:{kind}"
    assert row["sf__Error"].startswith(wanted)


async def test_a_failed_row_names_the_record_it_is_about(org: Client) -> None:
    await org.verb("define_field", {"object": "Lead", "field": {"name": "Key__c", "type": "string", "external_id": True}})
    lead = await org.made("Lead", LastName="Ito", Company="Acme", Key__c="k1")
    updated = await failed(org, await job(org, f"Id,Email\n{lead},nobody\n", operation="update", lineEnding="LF"))
    upserted = await failed(
        org, await job(org, "Key__c,Email\nk1,nobody\nk2,nobody\n", operation="upsert", externalIdFieldName="Key__c", lineEnding="LF")
    )
    inserted = await failed(org, await job(org, "LastName,Company,Email\na,b,nobody\n", lineEnding="LF"))
    assert [row["sf__Id"] for row in (*updated, *upserted, *inserted)] == [lead, lead, "", ""]
    assert {row["sf__Error"].split(":")[0] for row in updated} == {"INVALID_EMAIL_ADDRESS"}

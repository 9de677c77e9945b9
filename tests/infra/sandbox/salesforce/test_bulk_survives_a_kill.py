"""Bulk jobs, locks and revoked sessions are in the journal: a killed org goes on with them."""

from __future__ import annotations

import asyncio
import csv
import io
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.infra.sandbox.salesforce.conftest import API, CREDENTIALS, Client, Start
from tests.infra.sandbox.salesforce.test_durability import Child

ROWS = 8_000


async def until_ended(client: Client, path: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while (job := (await client.call("GET", path)).body)["state"] not in {"JobComplete", "Failed", "Aborted"}:
            await asyncio.sleep(0.01)
    return dict(job)


async def raw(client: Client, method: str, path: str, data: bytes, content_type: str) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {client.token}", "Content-Type": content_type}
    async with client.session.request(method, f"{client.url}{API}{path}", data=data, headers=headers) as response:
        return response.status, await response.json() if response.content_length else None


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.integration
async def test_an_ingest_job_goes_on_where_a_kill_stopped_it(tmp_path: Path) -> None:
    child = Child(tmp_path)
    await child.start()
    async with aiohttp.ClientSession() as session:
        app = CREDENTIALS["tandem"]
        form = {"grant_type": "client_credentials", "client_id": app["client_id"], "client_secret": app["client_secret"]}
        async with session.post(f"{child.url}/services/oauth2/token", data=form) as response:
            headers = {"Authorization": f"Bearer {(await response.json())['access_token']}"}

        async def call(method: str, path: str, **more: Any) -> Any:
            async with session.request(method, f"{child.url}{API}{path}", headers=headers | more.pop("headers", {}), **more) as answer:
                assert answer.status < 300, await answer.text()
                return await answer.json() if "json" in answer.headers.get("Content-Type", "") else await answer.text()

        job = await call("POST", "/jobs/ingest", json={"object": "Lead", "operation": "insert"})
        path = f"/jobs/ingest/{job['id']}"
        lines = ["LastName,Company", *(f"n{number},{'' if number % 1000 == 7 else 'Acme'}" for number in range(ROWS))]
        await call("PUT", f"{path}/batches", data="\n".join(lines).encode(), headers={"Content-Type": "text/csv"})
        await call("PATCH", path, json={"state": "UploadComplete"})
        while (await call("GET", path))["numberRecordsProcessed"] == 0:
            await asyncio.sleep(0)
        await child.end(signal.SIGKILL)
        await child.start()
        async with asyncio.timeout(60):
            while (told := await call("GET", path))["state"] != "JobComplete":
                assert told["state"] == "InProgress", told
                await asyncio.sleep(0.05)
        done, failed = rows_of(await call("GET", f"{path}/successfulResults")), rows_of(await call("GET", f"{path}/failedResults"))
        found = await call("GET", "/query", params={"q": "SELECT COUNT() FROM Lead"})
    assert await child.end(signal.SIGTERM) == 0
    assert (told["numberRecordsProcessed"], told["numberRecordsFailed"]) == (ROWS, ROWS // 1000)
    assert len({row["sf__Id"] for row in done}) == len(done) == found["totalSize"] == ROWS - ROWS // 1000
    assert sorted(row["LastName"] for row in done + failed) == sorted(f"n{number}" for number in range(ROWS))
    assert {row["Company"] for row in failed} == {""}


async def test_results_are_there_after_a_restart_in_pages_too(start: Start, tmp_path: Path) -> None:
    client = await start(tmp_path / "org")
    await client.log_in()
    await client.verb("create", {"object": "Lead", "records": [{"LastName": f"n{n:02}", "Company": 'A, "B"\nC'} for n in range(25)]})
    made = (await client.call("POST", "/jobs/query", {"operation": "query", "query": "SELECT LastName, Company FROM Lead"})).body
    path = f"/jobs/query/{made['id']}"
    before = await until_ended(client, path)
    whole = (await client.call("GET", f"{path}/results")).body

    again = await start(tmp_path / "org")
    again.token = client.token
    assert (await again.call("GET", path)).body == before
    assert (await again.call("GET", f"{path}/results")).body == whole
    pages, locator = [], ""
    while locator != "null":
        answer = await again.call("GET", f"{path}/results?maxRecords=10" + (f"&locator={locator}" if locator else ""))
        pages += rows_of(answer.body)
        locator = answer.headers["Sforce-Locator"]
    assert pages == rows_of(whole)
    assert len(pages) == 25
    assert (await again.call("DELETE", path)).status == 204
    assert not [file for file in (tmp_path / "org" / "bulk").iterdir() if made["id"] in file.name]
    third = await start(tmp_path / "org")
    third.token = client.token
    assert (await third.call("GET", path)).status == 404
    assert (await third.call("POST", "/jobs/query", {"operation": "query", "query": "SELECT Id FROM Lead"})).body["id"] != made["id"]


async def test_an_aborted_job_keeps_its_unprocessed_rows(start: Start, tmp_path: Path) -> None:
    client = await start(tmp_path / "org")
    await client.log_in()
    await client.fault({"type": "bulk_slow", "seconds": 600}, {"path": "/jobs/ingest"})  # this process must not come to it any more
    made = (await client.call("POST", "/jobs/ingest", {"object": "Lead", "operation": "insert"})).body
    path = f"/jobs/ingest/{made['id']}"
    await raw(client, "PUT", f"{path}/batches", b"LastName,Company\na,b\nc,d\n", "text/csv")
    await client.call("PATCH", path, {"state": "UploadComplete"})
    assert (await client.call("PATCH", path, {"state": "Aborted"})).status == 200
    again = await start(tmp_path / "org")  # as after a kill while the job still waited
    again.token = client.token
    async with asyncio.timeout(10):
        while len(rows := rows_of((await again.call("GET", f"{path}/unprocessedrecords")).body)) != 2:
            await asyncio.sleep(0.01)
    assert [row["LastName"] for row in rows] == ["a", "c"]
    assert (await again.query("SELECT COUNT() FROM Lead"))["totalSize"] == 0


async def test_locks_and_revoked_sessions_outlive_the_process(start: Start, tmp_path: Path) -> None:
    client = await start(tmp_path / "org")
    gone = await client.log_in()
    other = await client.log_in()
    lead = (await client.verb("create", {"object": "Lead", "fields": {"LastName": "L", "Company": "C"}}))["id"]
    await client.verb("lock", {"id": lead, "seconds": 60})
    async with client.session.post(f"{client.url}/services/oauth2/revoke", data={"token": gone}) as answer:
        assert answer.status == 200
    again = await start(tmp_path / "org")
    again.token = gone
    assert (await again.call("GET", "/limits")).status == 401
    again.token = other
    refused = await again.call("PATCH", f"/sobjects/Lead/{lead}", {"Title": "x"})
    assert (refused.status, refused.body[0]["errorCode"]) == (400, "UNABLE_TO_LOCK_ROW")
    await again.control("POST", "clock", {"advance_seconds": 61})
    assert (await again.call("PATCH", f"/sobjects/Lead/{lead}", {"Title": "x"})).status == 204


async def test_one_multipart_request_makes_and_carries_out_a_job(org: Client) -> None:
    def body(job: str, data: str) -> bytes:
        return (
            f'--X\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name="job"\r\n\r\n{job}\r\n'
            f'--X\r\nContent-Type: text/csv\r\nContent-Disposition: form-data; name="content"; filename="c"\r\n\r\n{data}\r\n--X--\r\n'
        ).encode()

    kind = 'multipart/form-data; boundary="X"'
    job = '{"object":"Lead","contentType":"CSV","operation":"insert","lineEnding":"LF"}'
    status, made = await raw(org, "POST", "/jobs/ingest/", body(job, "LastName,Company\nZoë,Acme\nIto,Acme"), kind)
    assert (status, made["state"]) == (200, "UploadComplete")
    ended = await until_ended(org, f"/jobs/ingest/{made['id']}")
    assert (ended["state"], ended["numberRecordsProcessed"], ended["numberRecordsFailed"]) == ("JobComplete", 2, 0)
    assert {each["LastName"] for each in (await org.query("SELECT LastName FROM Lead"))["records"]} == {"Zoë", "Ito"}
    for bad in (body("{", "x"), body(job, "a" * 100_001), b"--X--"):
        status, refused = await raw(org, "POST", "/jobs/ingest", bad, kind)
        assert (status, refused[0]["errorCode"] in {"INVALIDJOB", "JSON_PARSER_ERROR"}) == (400, True)

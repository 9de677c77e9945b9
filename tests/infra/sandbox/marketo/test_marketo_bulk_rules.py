"""Bulk jobs by the clock: states, ticks of a minute, queue, quota, filters, files."""

import asyncio
from typing import Any

import aiohttp
import orjson
import pytest

from infra.sandbox.marketo.state.records import second

CREATED = {"createdAt": {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-31T00:00:00Z"}}
JOB = {"fields": ["id", "email"], "filter": CREATED}


async def bulk(server: Any, method: str, path: str, *, who: str = "u", **more: Any) -> dict[str, Any]:
    answer = await server.raw(method, f"/bulk/v1/{path}", who=who, **more)
    return dict(orjson.loads(await answer.read()))


async def made(server: Any, **body: Any) -> str:
    envelope = await bulk(server, "POST", "leads/export/create.json", json={**JOB, **body})
    assert envelope["success"], envelope
    return str(envelope["result"][0]["exportId"])


async def status(server: Any, key: str) -> str:
    return str((await bulk(server, "GET", f"leads/export/{key}/status.json"))["result"][0]["status"])


async def settled(server: Any) -> None:
    """Until every job that may run has run."""
    jobs = server.running.system
    async with asyncio.timeout(20):
        names = [name for name in ("ExportJob", "ImportJob") if name in jobs.objects()]
        while any(row.get("queuedMs") and not row.get("finishedMs") for name in names for row in jobs.dump(name)):
            await asyncio.sleep(0.01)


async def test_the_status_moves_once_a_minute(server: Any) -> None:
    key = await made(server)
    assert await status(server, key) == "Created"
    await bulk(server, "POST", f"leads/export/{key}/enqueue.json")
    server.running.system.advance(30)
    await settled(server)
    assert await status(server, key) == "Queued"
    server.running.system.advance(40)
    assert await status(server, key) == "Completed"
    again = await bulk(server, "POST", f"leads/export/{key}/enqueue.json")
    assert again["errors"][0]["code"] == "1029"


async def test_file_and_ranges(server: Any) -> None:
    await server.verb("options", {"bulk": {"queued_seconds": 0, "running_seconds": 0, "status_seconds": 0}})
    key = await made(server)
    path = f"/bulk/v1/leads/export/{key}/file.json"
    early = await server.raw("GET", path)
    assert (early.status, early.content_type) == (404, "text/plain")
    await bulk(server, "POST", f"leads/export/{key}/enqueue.json")
    await settled(server)
    whole = await (await server.raw("GET", path)).read()
    part = await server.raw("GET", path, headers={"Range": "bytes=0-4"})
    assert (part.status, await part.read(), part.headers["Content-Range"]) == (206, whole[:5], f"bytes 0-4/{len(whole)}")
    assert (await bulk(server, "GET", f"leads/export/{key}/status.json", who="t"))["errors"][0]["code"] == "1013"
    assert (await bulk(server, "GET", "leads/export.json", who="t"))["result"] == []
    assert [one["exportId"] for one in (await bulk(server, "GET", "leads/export.json", params={"status": "Completed"}))["result"]] == [key]
    server.running.system.advance(8 * 86_400)
    server.tokens.clear()
    assert (await server.raw("GET", path)).status == 404
    assert (await bulk(server, "GET", "leads/export.json"))["result"] == []


async def test_queue_and_quota(server: Any) -> None:
    keys = [await made(server) for _ in range(11)]
    answers = [await bulk(server, "POST", f"leads/export/{key}/enqueue.json") for key in keys]
    assert [one["success"] for one in answers] == [True] * 10 + [False]
    assert answers[10]["errors"][0] == {"code": "1029", "message": "Too many jobs (10) in queue"}
    await bulk(server, "POST", f"leads/export/{keys[0]}/cancel.json")
    assert (await bulk(server, "POST", f"leads/export/{keys[10]}/enqueue.json"))["success"]
    for key in keys[1:]:
        await bulk(server, "POST", f"leads/export/{key}/cancel.json")
    await server.verb("options", {"bulk": {"export_bytes_daily": 0}})
    late = await made(server)
    answer = await bulk(server, "POST", f"leads/export/{late}/enqueue.json")
    assert answer["errors"][0] == {"code": "1029", "message": "Export daily quota 0MB exceeded"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"filter": {"updatedAt": CREATED["createdAt"]}}, "1035"),
        ({"filter": {"smartListId": 1}}, "1035"),
        ({"filter": {"city": "x"}}, "1035"),
        ({"filter": {}}, "1003"),
        ({"filter": {**CREATED, "staticListId": 1}}, "1003"),
        ({"filter": {"staticListId": 9}}, "1013"),
        ({"filter": {"createdAt": {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-02-02T00:00:00Z"}}}, "1003"),
        ({"fields": ["nope"]}, "1006"),
        ({"fields": []}, "1002"),
        ({"format": "XLS"}, "1003"),
    ],
)
async def test_refused_jobs(server: Any, body: dict[str, Any], code: str) -> None:
    await server.verb("options", {"corona": False})
    assert (await bulk(server, "POST", "leads/export/create.json", json={**JOB, **body}))["errors"][0]["code"] == code


async def test_the_updated_filter_sees_custom_fields_too(server: Any) -> None:
    await server.verb("options", {"bulk": {"queued_seconds": 0, "running_seconds": 0, "status_seconds": 0}})
    await server.verb("field/create", {"name": "own", "displayName": "Own", "dataType": "string"})
    await server.sync({"email": "a@x.example"}, {"email": "b@x.example"})
    server.running.system.advance(3000)
    start = server.running.system.clock.now_ms() // 1000 - 60
    await server.sync({"email": "a@x.example", "own": "x"})
    key = await made(server, filter={"updatedAt": {"startAt": second(start), "endAt": second(start + 600)}}, fields=["email"])
    await bulk(server, "POST", f"leads/export/{key}/enqueue.json")
    await settled(server)
    content = await (await server.raw("GET", f"/bulk/v1/leads/export/{key}/file.json")).read()
    assert content == b"email\na@x.example\n"


def upload(text: str) -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("file", text.encode(), filename="rows.csv", content_type="text/csv")
    return form


async def test_imports_of_objects_and_members(server: Any) -> None:
    await server.verb("options", {"bulk": {"queued_seconds": 0, "running_seconds": 0, "status_seconds": 0}})
    await server.call("POST", "customobjects/schema.json", json={"apiName": "car_c", "displayName": "Car"})
    field = {"name": "vin", "displayName": "VIN", "dataType": "string", "isDedupeField": True}
    await server.call("POST", "customobjects/schema/car_c/addField.json", json={"input": [field]})
    await server.call("POST", "customobjects/schema/car_c/approve.json")
    program = (await server.verb("program/create", {"name": "P"}))["id"]
    (cars,) = (await bulk(server, "POST", "customobjects/car_c/import.json?format=csv", data=upload("vin\nV1\nV2\n")))["result"]
    path = f"program/{program}/members/import.json?format=csv&programMemberStatus=Clicked"
    (members,) = (await bulk(server, "POST", path, data=upload("email,statusReason\na@x.example,why\n")))["result"]
    await settled(server)
    (done,) = (await bulk(server, "GET", f"customobjects/car_c/import/{cars['batchId']}/status.json"))["result"]
    assert (done["status"], done["numOfObjectsProcessed"]) == ("Complete", 2)
    (done,) = (await bulk(server, "GET", f"program/members/import/{members['batchId']}/status.json"))["result"]
    assert (done["status"], done["numOfRowsFailed"]) == ("Complete", 0)
    (row,) = server.running.system.dump("ProgramMember")
    assert (row["statusName"], row["statusReason"]) == ("Clicked", "why")


async def test_blank_cells_leave_and_null_clears(server: Any) -> None:
    await server.sync({"email": "a@x.example", "firstName": "A", "lastName": "B"})
    await bulk(server, "POST", "leads.json?format=csv", data=upload("email,firstName,lastName\na@x.example,,NULL\n"))
    server.running.system.advance(5)
    await settled(server)
    (person,) = server.running.system.dump("Lead")
    assert (person["firstName"], person.get("lastName")) == ("A", None)
    (batch,) = (await bulk(server, "POST", "leads.json?format=csv", data=upload("email,nope\nb@x.example,1\n")))["result"]
    server.running.system.advance(70)
    await settled(server)
    server.running.system.advance(70)
    (done,) = (await bulk(server, "GET", f"leads/batch/{batch['batchId']}.json"))["result"]
    assert (done["status"], done["message"]) == ("Failed", "Import failed: unknown columns nope")


@pytest.mark.parametrize(
    ("path", "more", "code"),
    [
        ("leads.json?format=csv", {"json": {}}, "612"),
        ("leads.json?format=xls", {"data": "form"}, "1003"),
        ("leads.json?format=csv&listId=9", {"data": "form"}, "1013"),
        ("leads.json?format=csv&partitionName=EMEA", {"data": "form"}, "1010"),
        ("customobjects/car_c/import.json?format=csv", {"data": "form"}, "1013"),
        ("leads/batch/9.json", {}, "1013"),
    ],
)
async def test_refused_imports(server: Any, path: str, more: dict[str, Any], code: str) -> None:
    if "data" in more:
        more = {"data": upload("email\n")}
    method = "POST" if more else "GET"
    assert (await bulk(server, method, path, **more))["errors"][0]["code"] == code


async def test_files_that_are_too_large(server: Any) -> None:
    answer = await server.raw("POST", "/bulk/v1/leads.json?format=csv", data=upload("x" * (10 << 20)))
    assert answer.status == 413

"""Bulk extract and import, as marketorestpython uses them."""

import csv
import hashlib
import io
from pathlib import Path
from typing import Any

import pytest

from infra.sandbox.marketo.state.records import second

HOUR = {"startAt": "2020-01-01T00:00:00Z", "endAt": "2020-01-31T00:00:00Z"}


@pytest.fixture
async def quick(server: Any) -> None:
    """Jobs that run at once and tell so at once."""
    await server.verb("options", {"bulk": {"queued_seconds": 0, "running_seconds": 0, "status_seconds": 0}})


def recent(server: Any) -> dict[str, str]:
    now = server.running.system.clock.now_ms() // 1000
    return {"startAt": second(now - 86_400), "endAt": second(now + 86_400)}


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


async def finished(stranger: Any, method: str, *arguments: Any, **more: Any) -> dict[str, Any]:
    for _ in range(500):
        (job,) = await stranger.do(method, *arguments, **more)
        if job["status"] in {"Completed", "Complete", "Failed", "Cancelled"}:
            return dict(job)
    raise AssertionError("the job does not end")


async def extract(stranger: Any, kind: str, **arguments: Any) -> tuple[dict[str, Any], bytes]:
    (job,) = await stranger.do(f"create_{kind}_export_job", **arguments)
    more = {"job_id": job["exportId"], **({"object_name": arguments["object_name"]} if "object_name" in arguments else {})}
    assert (await stranger.do(f"enqueue_{kind}_export_job", **more))[0]["status"] == "Queued"
    done = await finished(stranger, f"get_{kind}_export_job_status", **more)
    return done, await stranger.do(f"get_{kind}_export_job_file", **more)


async def test_people_out_and_in(stranger: Any, server: Any, quick: None, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("email,firstName,leadScore\na@x.example,Änne,5\nb@x.example,Bob,many\nc@x.example,,7\n", encoding="utf-8")
    (batch,) = await stranger.do("import_lead", format="csv", file=str(file))
    assert batch["status"] == "Queued"
    done = await finished(stranger, "get_import_lead_status", id=batch["batchId"])
    assert (done["status"], done["numOfLeadsProcessed"], done["numOfRowsFailed"]) == ("Complete", 2, 1)
    failures = await stranger.do("get_import_failure_file", id=batch["batchId"])
    assert 'b@x.example,Bob,many,"Invalid value' in failures
    assert await stranger.do("get_import_warning_file", id=batch["batchId"]) == ""
    job, content = await extract(
        stranger, "leads", fields=["id", "email", "firstName", "unsubscribed"], filters={"createdAt": recent(server)}
    )
    assert rows(content) == [
        {"id": "1", "email": "a@x.example", "firstName": "Änne", "unsubscribed": "false"},
        {"id": "2", "email": "c@x.example", "firstName": "null", "unsubscribed": "false"},
    ]
    assert (job["numberOfRecords"], job["fileSize"]) == (2, len(content))
    assert job["fileChecksum"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert [one["exportId"] for one in await stranger.do("get_leads_export_jobs_list")] == [job["exportId"]]


async def test_activities_members_and_custom_objects_out(stranger: Any, server: Any, quick: None) -> None:
    (program,) = await stranger.do("create_program", folderId=15, folderType="Folder", name="P", type="Event", channel="Webinar")
    (lead,) = await stranger.do("push_lead", leads=[{"email": "a@x.example"}], programName="P", programStatus="Invited")
    await car_type(stranger)
    await stranger.do("create_update_custom_objects", name="car_c", input=[{"vin": "V1"}])
    filters = {"createdAt": recent(server), "activityTypeIds": [104]}
    _, content = await extract(stranger, "activities", filters=filters)
    (row,) = rows(content)
    assert (row["leadId"], row["primaryAttributeValue"], row["campaignId"]) == (str(lead["id"]), "P", "null")
    assert '"New Status":"Invited"' in row["attributes"]
    _, content = await extract(stranger, "program_members", fields=["leadId", "statusName", "email"], filters={"programId": program["id"]})
    assert rows(content) == [{"leadId": str(lead["id"]), "statusName": "Invited", "email": "a@x.example"}]
    _, content = await extract(
        stranger,
        "custom_objects",
        object_name="car_c",
        fields=["vin"],
        filters={"updatedAt": recent(server)},
        columnHeaderNames={"vin": "VIN"},
    )
    assert content == b"VIN\nV1\n"
    for kind, more in (("activities", {}), ("program_members", {}), ("custom_objects", {"object_name": "car_c"})):
        assert len(await stranger.do(f"get_{kind}_export_jobs_list", **({"object_name": "car_c"} if more else {}))) == 1


async def car_type(stranger: Any) -> None:
    await stranger.do("create_update_custom_object_type", apiName="car_c", displayName="Car")
    key = {"name": "vin", "displayName": "VIN", "dataType": "string", "isDedupeField": True}
    await stranger.do("add_field_custom_object_type", apiName="car_c", fields=[key])
    await stranger.do("approve_custom_object_type", apiName="car_c")


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("leads", {"fields": ["id"], "filters": {"createdAt": HOUR}}),
        ("activities", {"filters": {"createdAt": HOUR}}),
        ("program_members", {"fields": ["leadId"], "filters": {"programId": "program"}}),
        ("custom_objects", {"fields": ["vin"], "filters": {"updatedAt": HOUR}, "object_name": "car_c"}),
    ],
)
async def test_a_job_can_be_cancelled(stranger: Any, kind: str, arguments: dict[str, Any]) -> None:
    if kind == "program_members":
        (program,) = await stranger.do("create_program", folderId=15, folderType="Folder", name="P", type="Event", channel="Webinar")
        assert (await stranger.do("get_program_by_id", id=program["id"]))[0]["name"] == "P"
        arguments = {**arguments, "filters": {"programId": program["id"]}}
    if "object_name" in arguments:
        await car_type(stranger)
    (job,) = await stranger.do(f"create_{kind}_export_job", **arguments)
    assert job["status"] == "Created"
    more = {"job_id": job["exportId"], **({"object_name": arguments["object_name"]} if "object_name" in arguments else {})}
    await stranger.do(f"enqueue_{kind}_export_job", **more)
    (ended,) = await stranger.do(f"cancel_{kind}_export_job", **more)
    assert ended["status"] == "Cancelled"


async def test_objects_and_members_in(stranger: Any, quick: None, tmp_path: Path) -> None:
    """The client has a method for people only; these two go through its own upload (the same multipart body), at the documented
    addresses."""
    await car_type(stranger)
    (program,) = await stranger.do("create_program", folderId=15, folderType="Folder", name="P", type="Event", channel="Webinar")
    members = f"/bulk/v1/program/{program['id']}/members/import.json"
    uploads: tuple[tuple[str, str, dict[str, str], str], ...] = (
        ("/bulk/v1/customobjects/car_c/import.json", 'vin\nV1\n"V2"\n', {}, "/bulk/v1/customobjects/car_c/import"),
        (members, "email,firstName\na@x.example,Änne\n", {"programMemberStatus": "Invited"}, "/bulk/v1/program/members/import"),
    )
    for path, content, parameters, base in uploads:
        file = tmp_path / "rows.csv"
        file.write_text(content, encoding="utf-8")
        answer = await stranger.call("post", path, {"format": "csv", **parameters}, files=str(file), filename="file")
        batch = f"{base}/{answer['result'][0]['batchId']}"
        (job,) = (await stranger.call("get", f"{batch}/status.json"))["result"]
        while job["status"] not in {"Complete", "Failed"}:
            (job,) = (await stranger.call("get", f"{batch}/status.json"))["result"]
        assert (job["status"], job["numOfRowsFailed"]) == ("Complete", 0)
        for name in ("failures", "warnings"):
            assert (await stranger.call("get", f"{batch}/{name}.json", mode="nojson")).text == ""
    cars = await stranger.do("get_custom_objects", name="car_c", filterType="dedupeFields", input=[{"vin": "V1"}, {"vin": "V2"}])
    assert [each["vin"] for each in cars] == ["V1", "V2"]
    (member,) = await stranger.do("get_multiple_leads_by_program_id", programId=program["id"], fields=["email", "firstName"])
    assert (member["email"], member["firstName"], member["membership"]["progressionStatus"]) == ("a@x.example", "Änne", "Invited")

"""Every fault that has a name does what its name says."""

from typing import Any

import pytest

from infra.sandbox.marketo.border.named_faults import CODES, RECORD_CODES


@pytest.mark.parametrize(("name", "code"), CODES.items())
async def test_a_named_refusal(server: Any, name: str, code: str) -> None:
    server.fault(name, path="/rest/*")
    server.fault({"type": name, "applied": True}, path="/rest/*")
    for email in ("a@x.example", "b@x.example"):
        envelope = await server.call("POST", "leads.json", json={"input": [{"email": email}]})
        assert (envelope["success"], envelope["errors"][0]["code"]) == (False, code)
    assert [person["email"] for person in server.running.system.dump("Lead")] == ["b@x.example"]


@pytest.mark.parametrize(("name", "code"), RECORD_CODES.items())
async def test_a_named_refusal_of_records(server: Any, name: str, code: str) -> None:
    server.fault({"type": name, "every": 2}, path="/rest/*")
    results = await server.sync({"email": "a@x.example"}, {"email": "b@x.example"})
    assert results[0]["status"] == "created"
    assert results[1] == {"status": "skipped", "reasons": [{"code": code, "message": "Scripted refusal"}]}


async def test_short_and_empty_pages_lose_nothing(server: Any) -> None:
    await server.sync(*({"email": f"{n}@x.example"} for n in range(5)))
    token = await server.since()
    server.fault({"type": "short_page", "rows": 0}, times=2)
    server.fault({"type": "short_page", "rows": 1}, times=2)
    sizes = []
    while True:
        page = await server.call("GET", "activities.json", params={"nextPageToken": token, "activityTypeIds": "12"})
        sizes.append(len(page.get("result", [])))
        token = page["nextPageToken"]
        if not page["moreResult"]:
            break
    assert sizes == [0, 0, 1, 1, 3]


async def test_activities_without_id(server: Any) -> None:
    await server.sync({"email": "a@x.example"})
    await server.verb("options", {"activity_ids": False})
    rows, _ = await server.drain(".json", await server.since(), activityTypeIds="12")
    assert "id" not in rows[0]
    assert rows[0]["marketoGUID"] == "1"

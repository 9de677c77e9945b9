"""Statuses only go forward; what member endpoints refuse; the conventions of the Asset API."""

from typing import Any

from infra.sandbox.marketo.state.records import second


async def member(server: Any, program: int, path: str, body: Any) -> list[str]:
    envelope = await server.call("POST", f"programs/{program}/members{path}.json", json=body)
    assert envelope["success"], envelope
    return [one["reasons"][0]["code"] if one["status"] == "skipped" else one["status"] for one in envelope["result"]]


async def asset(server: Any, path: str, **params: str) -> dict[str, Any]:
    answer = await server.raw("GET", f"/rest/asset/v1/{path}", params=params)
    return dict(await answer.json())


async def test_a_status_never_goes_backwards(server: Any) -> None:
    program = (await server.verb("program/create", {"name": "P", "type": "Event", "channel": "Webinar"}))["id"]
    (lead,) = await server.sync({"email": "a@x.example"})
    who = [{"leadId": lead["id"]}]
    outcomes = [
        await member(server, program, "/status", {"statusName": status, "input": who})
        for status in ("Registered", "Attended", "Attended", "Invited", "No such", "Not in Program")
    ]
    assert outcomes == [["created"], ["updated"], ["1037"], ["1037"], ["1025"], ["1025"]]
    assert await member(server, program, "/status", {"statusName": "Invited", "input": [{"leadId": 9}, {}]}) == ["1004", "1002"]
    (row,) = server.running.system.dump("ProgramMember")
    assert (row["statusName"], row["reachedSuccess"]) == ("Attended", True)
    rows, _ = await server.drain(".json", await server.since(), activityTypeIds="104")
    told = [{one["name"]: one["value"] for one in each["attributes"]} for each in rows]
    assert [(one["Old Status"], one["New Status"], one["Success"]) for one in told] == [
        ("Not in Program", "Registered", False),
        ("Registered", "Attended", True),
    ]
    assert await member(server, program, "/delete", {"input": [*who, *who]}) == ["deleted", "1037"]
    assert await member(server, program, "/status", {"statusName": "Invited", "input": who}) == ["created"]


async def test_member_data_and_queries(server: Any) -> None:
    program = (await server.verb("program/create", {"name": "P"}))["id"]
    ids = [one["id"] for one in await server.sync({"email": "a@x.example"}, {"email": "b@x.example"})]
    await member(server, program, "/status", {"statusName": "Clicked", "input": [{"leadId": ids[0]}]})
    data = [{"leadId": ids[0], "statusReason": "why"}, {"leadId": ids[1], "statusReason": "x"}, {"leadId": ids[0], "nope": 1}]
    assert await member(server, program, "", {"input": [*data, {"leadId": ids[0], "reachedSuccess": True}]}) == [
        "updated",
        "1013",
        "1006",
        "1003",
    ]
    path = f"programs/{program}/members.json"
    found = await server.call("GET", path, params={"filterType": "statusName", "filterValues": "clicked", "fields": "statusReason"})
    assert [(one["leadId"], one["statusReason"]) for one in found["result"]] == [(ids[0], "why")]
    now = server.running.system.clock.now_ms() // 1000
    for days, code in ((7, None), (8, "1003")):
        params = {"filterType": "updatedAt", "startAt": second(now - days * 86_400 + 5), "endAt": second(now + 5)}
        envelope = await server.call("GET", path, params=params)
        assert [one["code"] for one in envelope.get("errors", [])] == ([code] if code else [])
    for params, code in (({"filterType": "nurtureCadence", "filterValues": "x"}, "1011"), ({"filterType": "leadId"}, "1002")):
        assert (await server.call("GET", path, params=params))["errors"][0]["code"] == code
    assert (await server.call("GET", "programs/9/members.json", params={"filterType": "leadId"}))["errors"][0]["code"] == "1013"


async def test_a_channel_can_change_under_its_members(server: Any) -> None:
    await server.verb("channel", {"name": "Own", "statuses": [{"name": "A", "step": 10}, {"name": "B", "step": 20, "success": True}]})
    program = (await server.verb("program/create", {"name": "P", "channel": "Own"}))["id"]
    await server.sync({"email": "a@x.example"})
    await server.verb("program/status", {"program": program, "ids": [1], "status": "B"})
    await server.verb("channel", {"name": "Own", "statuses": [{"name": "C", "step": 5}]})
    assert next(iter(server.running.system.dump("ProgramMember")))["statusName"] == "B"
    await server.verb("program/status", {"program": program, "ids": [1], "status": "C"})
    shown = await asset(server, "channel/byName.json", name="Own")
    assert [one["name"] for one in shown["result"][0]["progressionStatuses"]] == ["Not in Program", "C"]


async def test_asset_answers(server: Any) -> None:
    nothing = await asset(server, "programs.json")
    assert (nothing["success"], nothing["warnings"]) == (True, ["No assets found for the given search criteria."])
    assert "result" not in nothing
    for number in range(25):
        await server.verb("program/create", {"name": f"P{number}"})
    assert len((await asset(server, "programs.json"))["result"]) == 20
    assert (await asset(server, "programs.json", offset="20", maxReturn="200"))["result"][0]["name"] == "P20"
    assert (await asset(server, "programs.json", maxReturn="201"))["errors"][0]["code"] == "1003"
    assert (await asset(server, "program/9.json"))["warnings"]
    answer = await server.raw("POST", "/rest/asset/v1/program/1001.json", data={"costs": '[{"startDate":"2026-01-01","cost":1.5}]'})
    assert (await answer.json())["errors"][0]["code"] == "1001"  # a cost is a whole number
    form = {"costs": '[{"startDate":"2026-01-01","cost":5,"note":"n"}]'}
    for more, count in (({}, 1), ({}, 2), ({"costsDestructiveUpdate": "true"}, 1)):
        answer = await server.raw("POST", "/rest/asset/v1/program/1001.json", data=form | more)
        assert len((await answer.json())["result"][0]["costs"]) == count
    answer = await server.raw("POST", "/rest/asset/v1/folders.json", data={"name": "x", "parent": '{"id":77,"type":"Folder"}'})
    assert (await answer.json())["errors"][0]["code"] == "710"

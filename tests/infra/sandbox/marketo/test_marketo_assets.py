"""Smart lists, smart campaigns, scheduled runs, cloned and approved programs, named accounts, cookies."""

import csv
import io
from typing import Any

import pytest


async def asset(server: Any, method: str, path: str, **params: str) -> dict[str, Any]:
    place = {"params": params} if method == "GET" else {"data": params}
    answer = await server.raw(method, f"/rest/asset/v1/{path}.json", **place)
    return dict(await answer.json())


def code(envelope: dict[str, Any]) -> str | None:
    return None if envelope["success"] else str(envelope["errors"][0]["code"])


async def extract(server: Any, filters: dict[str, Any]) -> list[str]:
    await server.verb("options", {"bulk": {"queued_seconds": 0, "running_seconds": 0, "status_seconds": 0}})
    base = "/bulk/v1/leads/export"
    made = await (await server.raw("POST", f"{base}/create.json", json={"fields": ["email"], "filter": filters})).json()
    if not made["success"]:
        return [str(made["errors"][0]["code"])]
    key = made["result"][0]["exportId"]
    await server.raw("POST", f"{base}/{key}/enqueue.json")
    while (await (await server.raw("GET", f"{base}/{key}/status.json")).json())["result"][0]["status"] != "Completed":
        pass
    text = await (await server.raw("GET", f"{base}/{key}/file.json")).text()
    return [row[0] for row in csv.reader(io.StringIO(text))][1:]


async def test_a_smart_list_is_read_cloned_extracted_and_deleted(server: Any) -> None:
    await server.sync({"email": "a@x.example", "city": "Rome"}, {"email": "b@x.example", "city": "Oslo"}, {"email": "c@x.example"})
    made = await server.verb("smart_list/create", {"name": "S", "field": "city", "values": ["rome", "Bonn"]})
    shown = (await asset(server, "GET", f"smartList/{made['id']}", includeRules="true"))["result"][0]
    assert (shown["name"], shown["rules"]["filters"][0]["values"]) == ("S", ["rome", "Bonn"])
    assert "rules" not in (await asset(server, "GET", "smartList/byName", name="S"))["result"][0]
    assert await extract(server, {"smartListId": made["id"]}) == ["a@x.example"]
    assert await extract(server, {"smartListName": "S"}) == ["a@x.example"]
    assert await extract(server, {"smartListName": "T"}) == ["1013"]
    copy = (await asset(server, "POST", f"smartList/{made['id']}/clone", name="T", folder='{"id": 15, "type": "Folder"}'))["result"][0]
    assert code(await asset(server, "POST", f"smartList/{made['id']}/clone", name="T", folder="15")) == "709"
    await server.sync({"email": "c@x.example", "city": "Bonn"})
    assert await extract(server, {"smartListName": "T"}) == ["a@x.example", "c@x.example"]
    assert [one["name"] for one in (await asset(server, "GET", "smartLists"))["result"]] == ["S", "T"]
    assert (await asset(server, "POST", f"smartList/{copy['id']}/delete"))["result"] == [{"id": copy["id"]}]
    assert code(await asset(server, "POST", f"smartList/{copy['id']}/delete")) == "702"


async def test_a_smart_campaign_is_switched_changed_cloned_and_deleted(server: Any) -> None:
    steps = [{"type": "change_value", "field": "city", "value": "Rome"}]
    made = await server.verb("campaign/create", {"name": "C", "on": "person_created", "steps": steps})
    one = f"smartCampaign/{made['id']}"
    shown = (await asset(server, "GET", one))["result"][0]
    assert (shown["type"], shown["status"], shown["isActive"]) == ("trigger", "Active", True)
    assert (await asset(server, "POST", f"{one}/deactivate"))["result"] == [{"id": made["id"]}]
    await server.sync({"email": "a@x.example"})
    assert [row.get("city") for row in server.running.system.dump("Lead")] == [None]
    assert "result" not in await asset(server, "GET", "smartCampaigns", isActive="true")
    copy = (await asset(server, "POST", f"{one}/clone", name="D", folder='{"id": 15, "type": "Folder"}'))["result"][0]
    assert (copy["name"], copy["isActive"]) == ("D", False)
    assert (await asset(server, "POST", one, description="new"))["result"][0]["description"] == "new"
    empty = (await asset(server, "POST", "smartCampaigns", name="E", folder='{"id": 15, "type": "Folder"}'))["result"][0]
    assert (empty["type"], empty["status"]) == ("batch", "Never Run")
    assert code(await asset(server, "POST", f"smartCampaign/{empty['id']}/activate")) == "709"
    assert (await asset(server, "POST", f"{one}/delete"))["result"] == [{"id": made["id"]}]
    assert [each["name"] for each in (await asset(server, "GET", "smartCampaigns"))["result"]] == ["D", "E"]
    assert (await asset(server, "GET", "smartCampaign/byName", name="D"))["result"][0]["id"] == copy["id"]


async def test_a_batch_campaign_runs_for_its_list_when_its_time_has_come(server: Any, until: Any) -> None:
    await server.sync({"email": "a@x.example", "title": "in"}, {"email": "b@x.example", "title": "out"}, {"email": "c@x.example"})
    smart = (await server.verb("smart_list/create", {"name": "S", "field": "title", "values": ["in"]}))["id"]
    static = (await server.verb("list/create", {"name": "L"}))["id"]
    await server.verb("list/add", {"list": static, "ids": [2]})
    steps = [{"type": "change_value", "field": "city", "value": "Rome"}]
    of_smart = (await server.verb("campaign/create", {"name": "A", "on": "batch", "smart_list": smart, "steps": steps}))["id"]
    of_static = (await server.verb("campaign/create", {"name": "B", "on": "batch", "key": static, "steps": steps}))["id"]

    def cities() -> list[Any]:
        return [row.get("city") for row in server.running.system.dump("Lead")]

    async def answered(campaign: int, **given: str) -> str | None:
        return code(await server.call("POST", f"campaigns/{campaign}/schedule.json", json={"input": given}))

    assert await answered(of_smart) is None
    assert await answered(of_static, runAt="2024-01-01T00:00:00Z") is None  # past: as soon as it may
    assert await answered(of_static, runAt="2099-01-01T00:00:00Z") == "1042"
    assert await answered(99) == "1013"
    server.running.system.clock.advance(299)
    assert cities() == [None, None, None]
    server.running.system.clock.advance(1)

    async def both() -> bool:
        return cities() == ["Rome", "Rome", None] and list(server.running.system.dump("ScheduledRun")) == []

    await until(both)
    requested = (await server.verb("campaign/create", {"name": "R", "on": "request", "steps": []}))["id"]
    assert await answered(requested) == "1003"


async def test_a_program_is_cloned_with_its_tokens_and_campaigns(server: Any) -> None:
    program = (await server.verb("program/create", {"name": "P", "type": "Event", "channel": "Webinar"}))["id"]
    await asset(server, "POST", f"folder/{program}/tokens", folderType="Program", type="text", name="greeting", value="Hello")
    await server.verb("campaign/create", {"name": "Go", "on": "request", "program": program, "steps": []})
    folder = '{"id": 15, "type": "Folder"}'
    copy = (await asset(server, "POST", f"program/{program}/clone", name="Q", folder=folder))["result"][0]
    assert (copy["name"], copy["channel"], copy["type"]) == ("Q", "Webinar", "Event")
    tokens = (await asset(server, "GET", f"folder/{copy['id']}/tokens", folderType="Program"))["result"][0]["tokens"]
    assert [(one["name"], one["value"]) for one in tokens] == [("greeting", "Hello")]
    campaigns = (await asset(server, "GET", "smartCampaigns"))["result"]
    assert [(one["name"], one["isActive"]) for one in campaigns] == [("Go", True), ("Q.Go", False)]
    assert code(await asset(server, "POST", f"program/{program}/clone", name="Q", folder=folder)) == "709"
    inside = f'{{"id": {program}, "type": "Program"}}'
    assert code(await asset(server, "POST", f"program/{program}/clone", name="R", folder=inside)) == "711"


async def test_only_an_email_program_with_its_dates_is_approved(server: Any) -> None:
    event = (await server.verb("program/create", {"name": "P", "type": "Event", "channel": "Webinar"}))["id"]
    mail = (await server.verb("program/create", {"name": "M", "type": "Email", "channel": "Email Send"}))["id"]
    assert code(await asset(server, "POST", f"program/{event}/approve")) == "709"
    assert code(await asset(server, "POST", f"program/{mail}/approve")) == "709"
    await asset(server, "POST", f"program/{mail}", startDate="2026-10-19T15:00:00.000Z", endDate="2026-10-20T15:00:00.000Z")
    for step, status in (("approve", "locked"), ("unapprove", "unlocked")):
        assert (await asset(server, "POST", f"program/{mail}/{step}"))["result"] == [{"id": mail}]
        assert (await asset(server, "GET", f"program/{mail}"))["result"][0]["status"] == status


async def test_named_accounts_follow_the_common_interface(server: Any) -> None:
    records = [{"name": "Acme", "domainName": "acme.example"}, {"name": "acme"}, {"name": "Beta", "nope": 1}]
    answer = await server.call("POST", "namedaccounts.json", json={"input": records})
    assert [one.get("reasons", [{"code": one["status"]}])[0]["code"] for one in answer["result"]] == ["created", "1036", "1006"]
    (shown,) = (await server.call("GET", "namedaccounts/describe.json"))["result"]
    assert (shown["name"], shown["idField"], shown["dedupeFields"]) == ("Named Account", "marketoGUID", ["name"])
    found = await server.call("GET", "namedaccounts.json", params={"filterType": "domainName", "filterValues": "acme.example"})
    assert [one["name"] for one in found["result"]] == ["Acme"]
    assert (await server.call("GET", "namedaccounts/schema/fields/name.json"))["result"][0]["dataType"] == "string"
    answer = await server.call("POST", "namedaccounts/delete.json", json={"input": [{"name": "Acme"}]})
    assert answer["result"][0]["status"] == "deleted"


@pytest.mark.parametrize("merged", [False, True])
async def test_a_cookie_belongs_to_the_person_it_was_associated_with_last(server: Any, merged: bool) -> None:
    await server.sync({"email": "a@x.example"}, {"email": "b@x.example"})
    cookie = "id:287-GTJ-838&token:_mch-x.example-1396310362214-46169"

    async def holders() -> list[int]:
        answer = await server.call("GET", "leads.json", params={"filterType": "cookies", "filterValues": cookie})
        return [one["id"] for one in answer["result"]]

    assert await holders() == []
    for number in (1, 2):
        answer = await server.call("POST", f"leads/{number}/associate.json", params={"cookie": cookie})
        assert answer["success"]
        assert await holders() == [number]
    assert code(await server.call("POST", "leads/9/associate.json", params={"cookie": cookie})) == "1004"
    if merged:
        await server.call("POST", "leads/1/merge.json", params={"leadId": "2"})
    else:
        await server.call("POST", "leads/delete.json", json={"input": [{"id": 2}]})
    assert await holders() == ([1] if merged else [])

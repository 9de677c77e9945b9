"""Smart campaigns, smart lists, copies of programs, named accounts and cookies, as marketorestpython uses them."""

import asyncio
from typing import Any


async def pages(stranger: Any, method: str, **arguments: Any) -> list[dict[str, Any]]:
    """The rows of a method that yields pages."""
    return await asyncio.to_thread(lambda: [row for page in stranger.client.execute(method=method, **arguments) for row in page])


async def test_smart_campaigns_and_scheduled_runs(stranger: Any) -> None:
    (made,) = await stranger.do("create_smart_campaign", name="C", folderId=15, folderType="Folder", description="d")
    assert (made["type"], made["description"]) == ("batch", "d")
    assert await stranger.do("schedule_campaign", id=made["id"]) is True
    assert await stranger.do("schedule_campaign", id=made["id"], tokens={"my.x": "y"}) is True
    assert (await stranger.do("update_smart_campaign", id=made["id"], name="D"))[0]["name"] == "D"
    assert (await stranger.do("get_smart_campaign_by_name", name="D"))[0]["id"] == made["id"]
    assert (await stranger.do("get_smart_campaign_by_id", id=made["id"]))[0]["name"] == "D"
    (copy,) = await stranger.do("clone_smart_campaign", id=made["id"], folderId=15, folderType="Folder", name="E")
    assert [one["name"] for one in await pages(stranger, "get_smart_campaigns")] == ["D", "E"]
    assert (await stranger.do("delete_smart_campaign", id=copy["id"]))[0]["id"] == copy["id"]


async def test_trigger_campaigns_are_switched(stranger: Any, server: Any) -> None:
    made = await server.verb("campaign/create", {"name": "C", "on": "person_created", "steps": []})
    assert await stranger.do("deactivate_smart_campaign", id=made["id"]) == [{"id": made["id"]}]
    assert (await stranger.do("get_smart_campaign_by_id", id=made["id"]))[0]["isActive"] is False
    assert await stranger.do("activate_smart_campaign", id=made["id"]) == [{"id": made["id"]}]
    assert (await stranger.do("get_smart_campaign_by_id", id=made["id"]))[0]["isActive"] is True


async def test_smart_lists(stranger: Any, server: Any) -> None:
    made = await server.verb("smart_list/create", {"name": "S", "field": "city", "values": ["Rome"]})
    assert (await stranger.do("get_smart_list_by_id", id=made["id"]))[0]["name"] == "S"
    assert (await stranger.do("get_smart_list_by_name", name="S"))[0]["id"] == made["id"]
    (copy,) = await stranger.do("clone_smart_list", id=made["id"], name="T", folderId=15, folderType="Folder")
    assert [one["name"] for one in await pages(stranger, "get_smart_lists")] == ["S", "T"]
    assert (await stranger.do("delete_smart_list", id=copy["id"]))[0]["id"] == copy["id"]


async def test_programs_are_cloned_and_approved(stranger: Any, server: Any) -> None:
    made = await server.verb("program/create", {"name": "M", "type": "Email", "channel": "Email Send"})
    (copy,) = await stranger.do("clone_program", id=made["id"], name="N", folderId=15, folderType="Folder")
    assert (copy["name"], copy["type"]) == ("N", "Email")
    dates = {"startDate": "2026-10-19T15:00:00.000Z", "endDate": "2026-10-20T15:00:00.000Z"}
    await server.raw("POST", f"/rest/asset/v1/program/{copy['id']}.json", who="t", data=dates)
    assert (await stranger.do("approve_program", id=copy["id"]))[0]["id"] == copy["id"]
    assert (await stranger.do("unapprove_program", id=copy["id"]))[0]["id"] == copy["id"]


async def test_named_accounts(stranger: Any) -> None:
    body: dict[str, Any] = {"input": [{"name": "Acme", "city": "Rome"}]}
    (made,) = (await stranger.call("post", "/rest/v1/namedaccounts.json", {}, data=body))["result"]
    assert made["status"] == "created"
    (found,) = await pages(stranger, "get_named_accounts", filterType="name", filterValues=["acme"])
    assert (found["name"], found["marketoGUID"]) == ("Acme", made["marketoGUID"])
    assert (await stranger.do("describe_named_accounts"))[0]["dedupeFields"] == ["name"]
    for name in ("", "/name"):
        assert (await stranger.call("get", f"/rest/v1/namedaccounts/schema/fields{name}.json"))["result"]
    body = {"input": [{"name": "Acme"}]}
    assert (await stranger.call("post", "/rest/v1/namedaccounts/delete.json", {}, data=body))["result"][0]["status"] == "deleted"


async def test_fields_are_read_and_changed(stranger: Any, server: Any) -> None:
    await server.verb("field/create", {"object": "Company", "name": "tier", "displayName": "Tier", "dataType": "string"})
    for kind, name in (("companies", "tier"), ("opportunities", "stage")):
        (shown,) = (await stranger.call("get", f"/rest/v1/{kind}/schema/fields/{name}.json"))["result"]
        assert (shown["name"], shown["dataType"]) == (name, "string")
    for base in ("leads", "programs/members"):
        body = {"input": [{"displayName": "Seat", "name": "seat", "dataType": "string"}]}
        await stranger.call("post", f"/rest/v1/{base}/schema/fields.json", {}, data=body)
        changed = await stranger.call("post", f"/rest/v1/{base}/schema/fields/seat.json", {}, data={"input": [{"displayName": "Chair"}]})
        assert changed["result"] == [{"name": "seat", "status": "updated"}]


async def test_a_cookie_is_given_to_a_person(stranger: Any) -> None:
    (lead,) = await stranger.do("create_update_leads", leads=[{"email": "a@x.example"}])
    assert await stranger.do("associate_lead", id=lead["id"], cookie="id:1&token:x") is True
    found = await stranger.do("get_multiple_leads_by_filter_type", filterType="cookies", filterValues=["id:1&token:x"])
    assert [one["id"] for one in found] == [lead["id"]]

"""Answers and rules as the guides show them, and both behaviours where they contradict each other."""

from typing import Any

import pytest


async def written(server: Any, path: str, *records: Any) -> list[str]:
    envelope = await server.call("POST", f"{path}.json", json={"input": list(records)})
    assert envelope["success"], envelope
    return [one["reasons"][0]["code"] if one["status"] == "skipped" else one["status"] for one in envelope["result"]]


async def pages(server: Any, path: str, **params: str) -> list[dict[str, Any]]:
    """By the documented loop: until `moreResult` is not true."""
    found: list[dict[str, Any]] = []
    while True:
        page = await server.call("GET", path, params=params | {"batchSize": "2"})
        assert page["success"], page
        found.append(page)
        if page.get("moreResult") is not True:
            return found
        params["nextPageToken"] = page["nextPageToken"]


async def test_the_loop_over_pages_by_more_result_comes_to_the_end(server: Any) -> None:
    ids = [one["id"] for one in await server.sync(*({"email": f"{n}@x.example"} for n in range(5)))]
    program = (await server.verb("program/create", {"name": "P"}))["id"]
    await server.verb("program/status", {"program": program, "ids": ids, "status": "Clicked"})
    for n in range(3):
        await server.verb("list/add", {"list": (await server.verb("list/create", {"name": f"L{n}"}))["id"], "ids": ids})
    await written(server, "companies", *({"externalCompanyId": f"C{n}"} for n in range(5)))
    numbers = ",".join(map(str, ids))
    for path, params, count in (
        ("leads.json", {"filterType": "id", "filterValues": numbers}, 5),
        ("lists/1/leads.json", {}, 5),
        (f"leads/programs/{program}.json", {}, 5),
        (f"programs/{program}/members.json", {"filterType": "leadId", "filterValues": numbers}, 5),
        ("companies.json", {"filterType": "externalCompanyId", "filterValues": "C0,C1,C2,C3,C4"}, 5),
        ("lists.json", {}, 3),
        (f"leads/{ids[0]}/listMembership.json", {}, 3),
    ):
        found = await pages(server, path, **params)
        assert sum(len(page["result"]) for page in found) == count, path
        assert "nextPageToken" not in found[-1]
    assert sum(len(page["result"]) for page in await pages(server, "leads/schema/fields.json")) > 60
    await server.verb("options", {"people_pages_say_more": False})
    page = await server.call("GET", "leads.json", params={"filterType": "id", "filterValues": numbers, "batchSize": "2"})
    assert ("nextPageToken" in page, "moreResult" in page) == (True, False)


async def test_memberships_are_told_as_the_guide_shows_them(server: Any) -> None:
    (lead,) = await server.sync({"email": "a@x.example"})
    program = (await server.verb("program/create", {"name": "P", "type": "Event", "channel": "Webinar"}))["id"]
    await server.verb("program/status", {"program": program, "ids": [lead["id"]], "status": "Registered"})
    static = (await server.verb("list/create", {"name": "L"}))["id"]
    await server.verb("list/add", {"list": static, "ids": [lead["id"]]})
    campaign = (await server.verb("campaign/create", {"name": "C", "on": "request", "steps": []}))["id"]
    await server.call("POST", f"campaigns/{campaign}/trigger.json", json={"input": {"leads": [{"id": lead["id"]}]}})

    async def only(path: str) -> dict[str, Any]:
        (found,) = (await server.call("GET", path))["result"]
        return dict(found)

    assert set(await only(f"leads/{lead['id']}/listMembership.json")) == {"listId", "createdAt", "updatedAt"}
    ran = await only(f"leads/{lead['id']}/smartCampaignMembership.json")
    assert set(ran) == {"smartCampaignId", "createdAt", "updatedAt"}
    assert ran["smartCampaignId"] == campaign
    common = {"progressionStatus", "isExhausted", "acquiredBy", "reachedSuccess", "membershipDate", "updatedAt"}
    mine = await only(f"leads/{lead['id']}/programMembership.json")
    assert set(mine) == {"id", *common}
    assert (mine["id"], mine["progressionStatus"]) == (program, "Registered")
    of_program = (await only(f"leads/programs/{program}.json"))["membership"]
    assert set(of_program) == {"id", "progressionStatusType", *common}
    params = {"filterType": "leadId", "filterValues": str(lead["id"])}
    answer = await server.call("GET", f"programs/{program}/members.json", params=params)
    assert set(answer["result"][0]) == {"seq", "acquiredBy", "leadId", "membershipDate", "programId", "reachedSuccess"}
    assert answer["moreResult"] is False


async def test_what_names_a_record_is_shown_as_not_updateable(server: Any) -> None:
    for path, fixed in (
        ("companies", {"externalCompanyId"}),
        ("salespersons", {"externalSalesPersonId", "email"}),
        ("opportunities", {"externalOpportunityId"}),
        ("opportunities/roles", {"externalOpportunityId", "leadId", "role"}),
    ):
        (shown,) = (await server.call("GET", f"{path}/describe.json"))["result"]
        not_updateable = {one["name"] for one in shown["fields"] if not one["updateable"]}
        assert not_updateable - {"id", "marketoGUID", "createdAt", "updatedAt"} == fixed
    names = [(await server.call("GET", f"opportunities{path}/describe.json"))["result"][0]["name"] for path in ("", "/roles")]
    assert names == ["opportunity", "opportunityRole"]


async def test_opportunities_are_found_by_their_keys_only(server: Any) -> None:
    (shown,) = (await server.call("GET", "opportunities/describe.json"))["result"]
    assert shown["searchableFields"] == [["marketoGUID"], ["externalOpportunityId"]]
    params = {"filterType": "externalCompanyId", "filterValues": "C"}
    assert (await server.call("GET", "opportunities.json", params=params))["errors"][0]["code"] == "1011"


async def test_the_guides_spelling_of_the_guid_is_taken(server: Any) -> None:
    await written(server, "opportunities", {"externalOpportunityId": "O", "name": "n"})
    (row,) = server.running.system.dump("Opportunity")
    body = {"action": "updateOnly", "dedupeBy": "idField", "input": [{"marketoGuid": row["id"], "stage": "Won"}]}
    assert (await server.call("POST", "opportunities.json", json=body))["result"][0]["status"] == "updated"
    body = {"deleteBy": "idField", "input": [{"marketoGuid": row["id"]}]}
    assert (await server.call("POST", "opportunities/delete.json", json=body))["result"][0]["status"] == "deleted"


@pytest.mark.parametrize(("setting", "outcome", "rows"), [("skipped", "1037", 1), ("written", "updated", 2)])
async def test_an_equal_status(server: Any, setting: str, outcome: str, rows: int) -> None:
    await server.verb("options", {"equal_status": setting})
    program = (await server.verb("program/create", {"name": "P", "type": "Event", "channel": "Webinar"}))["id"]
    (lead,) = await server.sync({"email": "a@x.example"})
    for status, wanted in (("Registered", "created"), ("Registered", outcome), ("Invited", "1037")):
        body = {"statusName": status, "input": [{"leadId": lead["id"]}]}
        (one,) = (await server.call("POST", f"programs/{program}/members/status.json", json=body))["result"]
        assert (one["reasons"][0]["code"] if one["status"] == "skipped" else one["status"]) == wanted
    found, _ = await server.drain(".json", await server.since(), activityTypeIds="104")
    assert len(found) == rows
    told = {one["name"]: one["value"] for one in found[-1]["attributes"]}
    assert (told["Old Status"] == told["New Status"]) == (setting == "written")


@pytest.mark.parametrize(("setting", "score"), [("winner", 10), ("summed", 30)])
async def test_the_score_after_a_merge(server: Any, setting: str, score: int) -> None:
    await server.verb("options", {"merged_scores": setting})
    await server.sync({"email": "w@x.example", "leadScore": 10}, {"email": "l@x.example", "leadScore": 20})
    await server.call("POST", "leads/1/merge.json", params={"leadId": "2"})
    assert [row["leadScore"] for row in server.running.system.dump("Lead")] == [score]


async def test_company_fields_of_a_linked_person(server: Any) -> None:
    await written(server, "companies", {"externalCompanyId": "A", "company": "Acme"})
    await server.sync({"email": "a@x.example", "externalCompanyId": "A"}, {"email": "b@x.example", "externalCompanyId": "A"})
    record = {"email": "a@x.example", "industry": "Tools", "city": "Rome"}
    assert await written(server, "leads", record) == ["1021"]
    await server.verb("options", {"company_fields_by_lead": "applied"})
    assert await written(server, "leads", record) == ["updated"]
    (company,) = server.running.system.dump("Company")
    assert company["industry"] == "Tools"
    shown = (await server.call("GET", "lead/2.json", params={"fields": "industry,city"}))["result"][0]
    assert (shown["industry"], shown["city"]) == ("Tools", None)


async def test_a_company_that_there_is_not(server: Any) -> None:
    assert await written(server, "leads", {"email": "a@x.example", "externalCompanyId": "Z"}) == ["created"]
    await server.verb("options", {"unknown_companies": "refused"})
    assert await written(server, "leads", {"email": "b@x.example", "externalCompanyId": "Z"}) == ["1013"]


async def test_what_custom_objects_can_link_to(server: Any) -> None:
    found = (await server.call("GET", "customobjects/schema/linkableObjects.json"))["result"]
    assert [one["name"] for one in found] == ["lead", "company"]
    assert {"name": "email", "displayName": "Email Address", "dataType": "email"} in found[0]["fields"]


async def test_deleted_people_are_no_bulk_activities(server: Any) -> None:
    body = {"filter": {"createdAt": {"startAt": "2026-01-01T00:00:00Z", "endAt": "2026-01-02T00:00:00Z"}, "activityTypeIds": [13, 37]}}
    answer = await (await server.raw("POST", "/bulk/v1/activities/export/create.json", json=body)).json()
    assert answer["errors"][0]["code"] == "1003"

"""What stands in an activity row, by the published tables: attributes of each type, none that is empty, twins of scores."""

from typing import Any

import pytest


async def rows_of(server: Any, *kinds: int) -> list[dict[str, Any]]:
    rows, _ = await server.drain(".json", await server.since(), activityTypeIds=",".join(map(str, kinds)))
    return list(rows)


def told(row: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one["value"] for one in row["attributes"]}


async def test_an_empty_attribute_is_left_out(server: Any) -> None:
    (lead,) = await server.sync({"email": "a@x.example"})
    for city in ("Rome", None):
        await server.verb("person/edit", {"id": lead["id"], "fields": {"city": city}})
    was_empty, became_empty = (told(row) for row in await rows_of(server, 13))
    assert was_empty == {"New Value": "Rome", "Reason": "Manual person edit", "Source": "Lead update"}
    assert became_empty == {"Old Value": "Rome", "Reason": "Manual person edit", "Source": "Lead update"}


async def test_every_row_holds_only_what_its_type_declares(server: Any) -> None:
    types = {one["id"]: one for one in (await server.call("GET", "activities/types.json"))["result"]}
    program = (await server.verb("program/create", {"name": "P"}))["id"]
    listed = (await server.verb("list/create", {"name": "L"}))["id"]
    body = {"input": [{"displayName": "Seat", "name": "seat", "dataType": "string"}]}
    await server.call("POST", "programs/members/schema/fields.json", json=body)
    push = {"programName": "P", "source": "s", "reason": "r", "input": [{"email": "a@x.example"}, {"email": "b@x.example"}]}
    a, b = [one["id"] for one in (await server.call("POST", "leads/push.json", json=push))["result"]]
    await server.verb("list/add", {"list": listed, "ids": [a]})
    await server.verb("list/remove", {"list": listed, "ids": [a]})
    await server.call("POST", f"programs/{program}/members.json", json={"input": [{"leadId": a, "seat": "1A"}]})
    await server.call("POST", "opportunities.json", json={"input": [{"externalOpportunityId": "O", "name": "n"}]})
    role = {"externalOpportunityId": "O", "leadId": a, "role": "r"}
    await server.call("POST", "opportunities/roles.json", json={"input": [role]})
    await server.call("POST", "opportunities.json", json={"input": [{"externalOpportunityId": "O", "stage": "Won", "amount": 5}]})
    await server.call("POST", "opportunities/roles/delete.json", json={"input": [role]})
    await server.verb("person/edit", {"id": a, "fields": {"leadScore": 10}, "campaign": 7})
    await server.verb("person/merge", {"winner": a, "losers": [b]})
    found = [
        row for kinds in ((12, 13, 22, 24, 25, 32, 34, 35), (36, 47, 100, 104, 110, 123, 145)) for row in await rows_of(server, *kinds)
    ]
    assert {row["activityTypeId"] for row in found} >= {12, 13, 22, 24, 25, 32, 34, 35, 36, 104, 123, 145}
    for row in found:
        declared = {one["name"] for one in types[row["activityTypeId"]]["attributes"]}
        assert told(row).keys() <= declared, row
        assert None not in told(row).values()


async def test_an_opportunitys_change_tells_the_values(server: Any) -> None:
    (lead,) = await server.sync({"email": "a@x.example"})
    await server.call("POST", "opportunities.json", json={"input": [{"externalOpportunityId": "O", "name": "n", "stage": "New"}]})
    role = {"externalOpportunityId": "O", "leadId": lead["id"], "role": "r"}
    await server.call("POST", "opportunities/roles.json", json={"input": [role]})
    await server.call("POST", "opportunities.json", json={"input": [{"externalOpportunityId": "O", "stage": "Won", "amount": 5}]})
    (row,) = await rows_of(server, 36)
    assert told(row) == {"Data Value Changes": "Stage: New -> Won; Amount:  -> 5"}


async def test_a_push_is_signed(server: Any) -> None:
    await server.verb("program/create", {"name": "P"})
    body = {"programName": "P", "source": "sync", "input": [{"email": "a@x.example"}]}
    answer = await server.call("POST", "leads/push.json", json=body)
    (row,) = await rows_of(server, 145)
    assert told(row) == {
        "Source": "sync",
        "API Method Name": "pushLead",
        "Modifying User": "people@example.com",
        "Request Id": answer["requestId"],
    }
    await server.verb("activity_attributes", {"deliver": False})
    assert told((await rows_of(server, 145))[0]) == {"Source": "sync"}


@pytest.mark.parametrize(("setting", "found"), [("flow", [22]), ("always", [22, 22, 22]), ("never", [])])
async def test_a_change_of_a_score_has_a_twin(server: Any, setting: str, found: list[int]) -> None:
    (lead,) = await server.sync({"email": "a@x.example"})
    await server.verb("options", {"score_changes": setting})
    await server.verb("person/edit", {"id": lead["id"], "fields": {"leadScore": 10, "city": "Rome"}, "campaign": 7})
    await server.sync({"email": "a@x.example", "leadScore": 7})
    await server.verb("person/edit", {"id": lead["id"], "fields": {"leadScore": 8}})
    assert len(await rows_of(server, 13)) == 4
    twins = await rows_of(server, 22)
    assert [row["activityTypeId"] for row in twins] == found
    if twins:
        assert (twins[0]["primaryAttributeValueId"], twins[0]["primaryAttributeValue"], twins[0]["campaignId"]) == (146, "Lead Score", 7)
        shown = {name: value for name, value in told(twins[0]).items() if name != "Reason"}
        assert shown == {"Change Value": "+10", "New Value": 10}
    if len(twins) > 1:
        assert told(twins[1])["Change Value"] == "-3"


async def test_a_programs_list_is_named_with_its_program(server: Any) -> None:
    program = (await server.verb("program/create", {"name": "P"}))["id"]
    data = {"folder": f'{{"id": {program}, "type": "Program"}}', "name": "L"}
    made = await (await server.raw("POST", "/rest/asset/v1/staticLists.json", data=data)).json()
    (lead,) = await server.sync({"email": "a@x.example"})
    await server.verb("list/add", {"list": made["result"][0]["id"], "ids": [lead["id"]]})
    assert [row["primaryAttributeValue"] for row in await rows_of(server, 24)] == ["P.L"]

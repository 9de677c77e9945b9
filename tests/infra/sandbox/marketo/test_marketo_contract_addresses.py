"""What marketorestpython has no method for, with its requests at the documented addresses."""

from typing import Any


async def test_fields_and_memberships_of_people(stranger: Any) -> None:
    (lead, other) = [each["id"] for each in await stranger.do("create_update_leads", leads=[{"email": f"{n}@x.example"} for n in "ab"])]
    body = {"input": [{"displayName": "Own", "name": "own", "dataType": "string"}]}
    assert (await stranger.call("post", "/rest/v1/leads/schema/fields.json", {}, data=body))["result"] == [
        {"name": "own", "status": "created"}
    ]
    assert "own" in [each["name"] for each in (await stranger.call("get", "/rest/v1/leads/schema/fields.json"))["result"]]
    (field,) = (await stranger.call("get", "/rest/v1/leads/schema/fields/own.json"))["result"]
    assert (field["dataType"], field["isCustom"]) == ("string", True)
    for kind in ("companies", "opportunities"):
        assert (await stranger.call("get", f"/rest/v1/{kind}/schema/fields.json"))["result"]
    (static,) = await stranger.do("create_list", folderId=15, folderType="Folder", name="L", description="")
    base = f"/rest/v1/list/{static['id']}/leads"
    assert (await stranger.call("post", f"{base}.json", {"id": f"{lead},{other}"}))["result"][0]["status"] == "added"
    assert (await stranger.call("get", f"{base}/ismember.json", {"id": str(lead)}))["result"] == [{"id": lead, "status": "memberof"}]
    assert len((await stranger.call("get", f"/rest/v1/lists/{static['id']}/leads.json"))["result"]) == 2
    assert (await stranger.call("get", f"/rest/v1/lists/{static['id']}.json"))["result"][0]["name"] == "L"
    (mine,) = (await stranger.call("get", f"/rest/v1/leads/{lead}/listMembership.json"))["result"]
    assert mine["listId"] == static["id"]
    assert (await stranger.call("delete", f"{base}.json", {"id": str(other)}, data=None))["result"][0]["status"] == "removed"
    assert (await stranger.call("post", "/rest/v1/leads/delete.json", {}, data={"input": [{"id": other}]}))["result"] == [
        {"id": other, "status": "deleted"}
    ]


async def test_members_of_programs(stranger: Any) -> None:
    (lead,) = await stranger.do("create_update_leads", leads=[{"email": "a@x.example"}])
    (program,) = await stranger.do("create_program", folderId=15, folderType="Folder", name="P", type="Event", channel="Webinar")
    base, one = f"/rest/v1/programs/{program['id']}/members", {"input": [{"leadId": lead["id"]}]}
    made = await stranger.call("post", f"{base}/status.json", {}, data={"statusName": "Registered", **one})
    assert made["result"][0]["status"] in {"created", "updated"}
    (member,) = (
        await stranger.call("get", f"{base}.json", {"filterType": "leadId", "filterValues": str(lead["id"]), "fields": "leadId,statusName"})
    )["result"]
    assert (member["leadId"], member["statusName"]) == (lead["id"], "Registered")
    assert (await stranger.call("get", f"/rest/v1/leads/{lead['id']}/programMembership.json"))["result"]
    described = (await stranger.call("get", "/rest/v1/program/members/describe.json"))["result"]
    assert described[0]["fields"]
    body = {"input": [{"displayName": "Seat", "name": "seat", "dataType": "string"}]}
    assert (await stranger.call("post", "/rest/v1/programs/members/schema/fields.json", {}, data=body))["result"][0]["status"] == "created"
    assert (await stranger.call("get", "/rest/v1/programs/members/schema/fields/seat.json"))["result"][0]["dataType"] == "string"
    assert (await stranger.call("get", "/rest/v1/programs/members/schema/fields.json"))["result"]
    assert (await stranger.call("post", f"{base}/delete.json", {}, data=one))["result"][0]["status"] == "deleted"


async def test_what_custom_objects_may_hold(stranger: Any) -> None:
    await stranger.do("create_update_custom_object_type", apiName="car_c", displayName="Car")
    base = "/rest/v1/customobjects/schema"
    fields = [{"name": name, "displayName": name, "dataType": "string", "isDedupeField": name == "vin"} for name in ("vin", "colour")]
    await stranger.do("add_field_custom_object_type", apiName="car_c", fields=fields)
    assert "string" in str((await stranger.call("get", f"{base}/fieldDataTypes.json"))["result"])
    assert (await stranger.call("get", f"{base}/linkableObjects.json"))["result"]
    assert (await stranger.call("post", f"{base}/car_c/colour/updateField.json", {}, data={"displayName": "Paint"}))["success"]
    assert (await stranger.call("post", f"{base}/car_c/deleteField.json", {}, data={"input": [{"name": "colour"}]}))["success"]
    await stranger.do("approve_custom_object_type", apiName="car_c")
    assert (await stranger.call("get", f"{base}/car_c/dependentAssets.json"))["success"]

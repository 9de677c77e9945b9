"""Programs, channels, members, tokens, folders and lists, as marketorestpython uses them."""

from typing import Any

import pytest


async def test_programs_and_what_they_hold(stranger: Any, server: Any) -> None:
    (folder,) = await stranger.do("create_folder", name="2026", parentId=15, parentType="Folder", description="this year")
    assert folder["path"] == "/Marketing Activities/Marketing Programs/2026"
    (made,) = await stranger.do(
        "create_program",
        folderId=folder["id"],
        folderType="Folder",
        name="Spring",
        type="Event",
        channel="Webinar",
        tags={"Region": "North"},
        costs=[{"startDate": "2026-01-01", "cost": 2000}],
    )
    assert (made["type"], made["costs"], made["url"][-8:]) == ("Event", [{"startDate": "2026-01-01", "cost": 2000}], f"ME{made['id']}A1")
    assert made["createdAt"].endswith("Z+0000")
    with pytest.raises(Exception, match="709"):
        await stranger.do("create_program", folderId=15, folderType="Folder", name="Spring", type="Event", channel="Webinar")
    with pytest.raises(Exception, match="709"):
        await stranger.do("create_program", folderId=15, folderType="Folder", name="Other", type="Default", channel="Webinar")
    assert (await stranger.do("update_program", id=made["id"], description="new"))[0]["description"] == "new"
    assert "costs" not in (await stranger.do("get_program_by_name", name="Spring"))[0]
    assert [one["id"] for one in await stranger.do("get_program_by_tag_type", tagType="Region", tagValue="North")] == [made["id"]]
    assert [one["name"] for one in await stranger.do("browse_programs", earliestUpdatedAt="2020-01-01T00:00:00Z")] == ["Spring"]
    assert await stranger.do("browse_programs", latestUpdatedAt="2020-01-01T00:00:00Z") == []
    steps = (await stranger.do("get_channel_by_name", name="Webinar"))[0]["progressionStatuses"]
    assert [(one["name"], one["step"]) for one in steps][:2] == [("Not in Program", 0), ("Invited", 10)]
    assert len(await stranger.do("get_channels")) == 6
    assert [one["tagType"] for one in await stranger.do("get_tags")] == ["Business Unit", "Program Owner", "Region"]
    await stranger.do("create_token", id=made["id"], folderType="Program", type="text", name="greeting", value="Hello")
    (place,) = await stranger.do("get_tokens", id=made["id"], folderType="Program")
    assert [(one["name"], one["value"]) for one in place["tokens"]] == [("greeting", "Hello")]
    await stranger.do("delete_tokens", id=made["id"], folderType="Program", name="greeting", type="text")
    assert [one["id"] for one in await stranger.do("get_folder_contents", id=folder["id"], type="Folder")] == [made["id"]]
    assert (await stranger.do("get_folder_by_name", name="2026"))[0]["id"] == folder["id"]
    assert (await stranger.do("get_folder_by_id", id=folder["id"], type="Folder"))[0]["name"] == "2026"
    assert len(await stranger.do("browse_folders", root=1)) == 5
    await stranger.do("update_folder", id=folder["id"], description="x")
    await stranger.do("delete_program", id=made["id"])
    await stranger.do("delete_folder", id=folder["id"])
    assert [one["op"] for one in history(server, "Program")] == ["create", "update", "delete"]


def history(server: Any, name: str) -> list[dict[str, Any]]:
    return [{"op": entry.op, "id": entry.id} for _, entry in server.running.system.journal.history() if entry.object == name]


async def test_members(stranger: Any, server: Any) -> None:
    (program,) = await stranger.do(
        "create_program", folderId=15, folderType="Folder", name="Ads", type="Default", channel="Online Advertising"
    )
    leads = await stranger.do(
        "push_lead", leads=[{"email": "a@x.example"}], programName="Ads", programStatus="Clicked", source="s", reason="r"
    )
    assert leads[0]["status"] == "created"
    (lead,) = [one["id"] for one in leads]
    await server.call(
        "POST",
        "programs/members/schema/fields.json",
        who="t",
        json={"input": [{"name": "registrationCode", "displayName": "Registration Code", "dataType": "string"}]},
    )
    (changed,) = await stranger.do("sync_program_member_data", id=program["id"], input=[{"leadId": lead, "registrationCode": "c1"}])
    assert changed == {"seq": 0, "leadId": lead, "status": "updated"}
    (moved,) = await stranger.do("change_lead_program_status", id=program["id"], leadIds=[lead], status="Influenced")
    assert moved["status"] == "updated"
    (found,) = await stranger.do("get_multiple_leads_by_program_id", programId=program["id"])
    assert (found["id"], found["membership"]["progressionStatus"], found["membership"]["reachedSuccess"]) == (lead, "Influenced", True)
    assert {one["name"] for one in (await stranger.do("describe_program_member"))[0]["fields"]} >= {"statusName", "registrationCode"}
    token = await stranger.do("get_paging_token", sinceDatetime="2020-01-01T00:00:00Z")
    rows = await stranger.do("get_lead_activities", activityTypeIds=["104", "123", "145"], nextPageToken=token)
    assert [one["activityTypeId"] for one in rows] == [104, 145, 123, 104]
    assert rows[0]["primaryAttributeValue"] == "Ads"
    assert {one["name"]: one["value"] for one in rows[3]["attributes"]}["Old Status"] == "Clicked"


async def test_lists(stranger: Any) -> None:
    (made,) = await stranger.do("create_list", name="VIP", folderId=2, folderType="Folder")
    ids = [one["id"] for one in await stranger.do("create_update_leads", leads=[{"email": f"{n}@x.example"} for n in range(3)])]
    added = await stranger.do("add_leads_to_list", listId=made["id"], id=[*ids[:2], 99])
    assert [one["status"] for one in added] == ["added", "added", "skipped"]
    assert [one["status"] for one in await stranger.do("member_of_list", listId=made["id"], id=ids)] == [
        "memberof",
        "memberof",
        "notmemberof",
    ]
    found = await stranger.do("get_multiple_leads_by_list_id", listId=made["id"], fields="email", batchSize=1)
    assert [one["id"] for one in found] == ids[:2]
    removed = await stranger.do("remove_leads_from_list", listId=made["id"], id=[ids[0], ids[2]])
    assert [one["status"] for one in removed] == ["removed", "skipped"]
    assert removed[1]["reasons"][0]["code"] == "1015"
    assert [one["name"] for one in await stranger.do("get_multiple_lists")] == ["VIP"]
    assert (await stranger.do("get_list_by_name", name="VIP"))[0]["id"] == made["id"]
    assert (await stranger.do("update_list", id=made["id"], description="d"))[0]["description"] == "d"
    assert (await stranger.do("get_list_by_id", id=made["id"]))[0]["description"] == "d"
    assert len(await stranger.do("browse_lists")) == 1
    token = await stranger.do("get_paging_token", sinceDatetime="2020-01-01T00:00:00Z")
    rows = await stranger.do("get_lead_activities", activityTypeIds=["24", "25"], nextPageToken=token)
    assert [(one["activityTypeId"], one["leadId"]) for one in rows] == [(24, ids[0]), (24, ids[1]), (25, ids[0])]
    await stranger.do("delete_list", id=made["id"])
    assert await stranger.do("browse_lists") == []


async def test_campaigns_partitions_and_statistics(stranger: Any, server: Any) -> None:
    made = await server.verb("campaign/create", {"name": "Go", "on": "request", "steps": []})
    (lead,) = await stranger.do("create_update_leads", leads=[{"email": "a@x.example"}])
    assert await stranger.do("request_campaign", id=made["id"], leads=[lead["id"]], tokens={"my.x": "y"}) is True
    assert (await stranger.do("get_campaign_by_id", id=made["id"]))[0]["name"] == "Go"
    assert [one["name"] for one in await stranger.do("get_multiple_campaigns")] == ["Go"]
    assert [one["smartCampaignId"] for one in await stranger.do("get_smart_campaigns_by_lead_id", lead_id=lead["id"])] == [made["id"]]
    await server.verb("options", {"partitions": {"Default": 1, "EMEA": 2}})
    (moved,) = await stranger.do("update_leads_partition", input=[{"id": lead["id"], "partitionName": "EMEA"}])
    assert moved["status"] == "updated"
    assert (await stranger.do("get_tag_by_name", name="Region"))[0]["allowableValues"] == ["North", "South", "East", "West"]
    assert len(await stranger.do("get_last_7_days_usage")) == 7
    assert len(await stranger.do("get_last_7_days_errors")) == 7

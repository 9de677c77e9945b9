"""What the common interface refuses, and what hangs on what: companies, owners, opportunities, roles, custom objects."""

from typing import Any

import pytest

from infra.sandbox.kernel.system import VerbRefusedError


async def write(server: Any, path: str, *records: Any, **more: Any) -> list[str]:
    """The outcome of each record: its status, or the code for which it was skipped."""
    envelope = await server.call("POST", f"{path}.json", json={"input": list(records), **more})
    assert envelope["success"], envelope
    assert [one["seq"] for one in envelope["result"]] == list(range(len(records)))
    return [one["reasons"][0]["code"] if one["status"] == "skipped" else one["status"] for one in envelope["result"]]


async def refused(server: Any, path: str, body: Any) -> str:
    envelope = await server.call("POST", path, json=body)
    assert envelope["success"] is False, envelope
    return str(envelope["errors"][0]["code"])


async def changes(server: Any, *fields: str) -> list[tuple[int, str, str]]:
    rows, _ = await server.drain("/leadchanges.json", await server.since(), fields=",".join(fields))
    return [(row["leadId"], one["name"], one["newValue"]) for row in rows for one in row["fields"]]


async def test_actions_and_keys(server: Any) -> None:
    assert await write(server, "companies", {"externalCompanyId": "A"}, {"externalCompanyId": "a"}, {"company": "x"}, 5) == [
        "created",
        "1036",
        "1002",
        "1001",
    ]
    assert await write(server, "companies", {"externalCompanyId": "A"}, {"externalCompanyId": "B"}, action="createOnly") == [
        "1017",
        "created",
    ]
    records = [{"externalCompanyId": "A", "site": "s"}, {"externalCompanyId": "C"}, {"externalCompanyId": "B", "createdAt": "2020-01-01"}]
    assert await write(server, "companies", *records, action="updateOnly") == ["updated", "1013", "1003"]
    assert await write(server, "companies", {"id": 1, "site": "t"}, {"id": 9}, action="updateOnly", dedupeBy="idField") == [
        "updated",
        "1013",
    ]
    for body in ({"action": "createOrUpdate", "dedupeBy": "idField"}, {"action": "replace"}, {"dedupeBy": "name"}):
        assert await refused(server, "companies.json", {"input": [{"id": 1}], **body}) == "1003"
    assert await refused(server, "companies.json", {"input": [{"id": 1}] * 301}) == "1003"


async def test_people_show_their_companys_fields(server: Any) -> None:
    await write(server, "companies", {"externalCompanyId": "A", "company": "Acme", "industry": "Tools"})
    people = await server.sync({"email": "a@x.example", "externalCompanyId": "A"}, {"email": "b@x.example", "company": "Own"})
    await write(server, "companies", {"externalCompanyId": "A", "company": "Acme Ltd"})
    assert await changes(server, "company", "industry") == [(people[0]["id"], "company", "Acme Ltd")]
    found = await server.call("GET", "leads.json", params={"filterType": "id", "filterValues": "1,2", "fields": "company,industry"})
    assert [(one["company"], one["industry"]) for one in found["result"]] == [("Acme Ltd", "Tools"), ("Own", None)]
    await server.sync({"email": "a@x.example", "externalCompanyId": None})  # linked it stays
    shown = await server.call("GET", "lead/1.json", params={"fields": "externalCompanyId,company"})
    assert shown["result"] == [{"id": 1, "externalCompanyId": "A", "company": "Acme Ltd"}]


async def test_what_is_in_use_stays(server: Any) -> None:
    await write(server, "salespersons", {"externalSalesPersonId": "S", "email": "s@x.example"})
    await write(server, "companies", {"externalCompanyId": "A", "externalSalesPersonId": "S"})
    (lead,) = await server.sync({"email": "a@x.example", "externalCompanyId": "A", "externalSalesPersonId": "S"})
    await write(server, "opportunities", {"externalOpportunityId": "O", "name": "n", "externalCompanyId": "A"})
    await write(server, "opportunities/roles", {"externalOpportunityId": "O", "leadId": lead["id"], "role": "r"})
    keys = {
        "salespersons": {"externalSalesPersonId": "S"},
        "companies": {"externalCompanyId": "A"},
        "opportunities": {"externalOpportunityId": "O"},
    }
    for path, key in keys.items():
        assert await write(server, f"{path}/delete", key) == ["1022"]
    await server.call("POST", "leads/delete.json", json={"input": [{"id": lead["id"]}]})  # its roles go with it
    for path in ("opportunities", "companies"):
        assert await write(server, f"{path}/delete", keys[path]) == ["deleted"]
        assert await write(server, f"{path}/delete", keys[path]) == ["1013"]


async def test_a_sales_person_is_kept_by_people_and_by_deleted_companies(server: Any) -> None:
    await write(server, "salespersons", *({"externalSalesPersonId": key} for key in "PQRS"))
    await write(server, "companies", *({"externalCompanyId": key, "externalSalesPersonId": key} for key in "QRS"))
    await server.sync({"email": "a@x.example", "externalSalesPersonId": "P"})
    await write(server, "companies/delete", {"externalCompanyId": "Q"})
    await write(server, "companies", {"externalCompanyId": "R", "externalSalesPersonId": None})
    await write(server, "companies/delete", {"externalCompanyId": "R"})
    keys = [{"externalSalesPersonId": key} for key in "pqrs"]
    assert await write(server, "salespersons/delete", *keys) == ["1022", "1022", "deleted", "deleted"]


async def test_records_are_deleted_by_hand_unless_others_refer_to_them(server: Any) -> None:
    await write(server, "salespersons", {"externalSalesPersonId": "P"}, {"externalSalesPersonId": "Q"})
    await server.sync({"email": "a@x.example", "externalSalesPersonId": "P"})
    kept, goes = (str(row["id"]) for row in server.running.system.dump("SalesPerson"))
    assert await server.verb("record/delete", {"object": "SalesPerson", "id": goes}) == {"deleted": goes}
    for body in ({"object": "SalesPerson", "id": kept}, {"object": "SalesPerson", "id": goes}, {"object": "Lead", "id": "1"}):
        with pytest.raises(VerbRefusedError):
            await server.verb("record/delete", body)
    assert [str(row["id"]) for row in server.running.system.dump("SalesPerson")] == [kept]


async def test_opportunities_and_roles_need_what_they_name(server: Any) -> None:
    (lead,) = await server.sync({"email": "a@x.example"})
    unknown = {"externalOpportunityId": "O", "name": "n", "externalSalesPersonId": "nobody"}
    assert await refused(server, "opportunities.json", {"input": [{"externalOpportunityId": "P", "name": "p"}, unknown]}) == "718"
    assert not list(server.running.system.dump("Opportunity"))
    assert await write(server, "opportunities", {"externalOpportunityId": "O"}, {"externalOpportunityId": "P", "name": "p"}) == [
        "1002",
        "created",
    ]
    roles = [{"externalOpportunityId": "P", "leadId": lead["id"], "role": role} for role in ("r", "s", "x" * 51)]
    assert await write(server, "opportunities/roles", *roles, {**roles[0], "leadId": 9}, {**roles[0], "externalOpportunityId": "N"}) == [
        "created",
        "created",
        "1003",
        "1004",
        "1013",
    ]
    await write(server, "opportunities", {"externalOpportunityId": "P", "stage": "Won"})
    rows, _ = await server.drain(".json", await server.since(), activityTypeIds="34,35,36")
    assert [row["activityTypeId"] for row in rows] == [34, 34, 36, 36]
    body = {"filterType": "dedupeFields", "fields": ["isPrimary"], "input": roles[:2]}
    found = await server.call("POST", "opportunities/roles.json?_method=GET", json=body)
    assert len(found["result"]) == 2
    page = await server.call("POST", "opportunities/roles.json?_method=GET", json={**body, "batchSize": 1})
    rest = await server.call(
        "POST", "opportunities/roles.json?_method=GET", json={**body, "batchSize": 1, "nextPageToken": page["nextPageToken"]}
    )
    assert [one["marketoGUID"] for one in page["result"] + rest["result"]] == [one["marketoGUID"] for one in found["result"]]
    assert "nextPageToken" not in rest


async def test_a_merge_moves_roles_lists_and_memberships(server: Any) -> None:
    winner, loser = await server.sync({"email": "a@x.example"}, {"email": "b@x.example"})
    await write(server, "opportunities", {"externalOpportunityId": "O", "name": "n"})
    await write(server, "opportunities/roles", {"externalOpportunityId": "O", "leadId": loser["id"], "role": "r"})
    vip = await server.verb("list/create", {"name": "VIP"})
    both = await server.verb("list/create", {"name": "Both"})
    await server.verb("list/add", {"list": vip["id"], "ids": [loser["id"]]})
    await server.verb("list/add", {"list": both["id"], "ids": [winner["id"], loser["id"]]})
    program = await server.verb("program/create", {"name": "P"})
    await server.verb("program/status", {"program": program["id"], "ids": [loser["id"]], "status": "Clicked"})
    await server.call("POST", f"leads/{winner['id']}/merge.json?leadId={loser['id']}")
    dumped = {name: list(server.running.system.dump(name)) for name in ("OpportunityRole", "ListMember", "ProgramMember")}
    assert {row["leadId"] for rows in dumped.values() for row in rows} == {winner["id"]}
    assert [len(rows) for rows in dumped.values()] == [1, 2, 1]


async def test_native_sync_closes_what_it_owns(server: Any) -> None:
    await server.verb("options", {"native_sync": True})
    for path in ("companies", "salespersons", "opportunities", "opportunities/roles"):
        assert await refused(server, f"{path}.json", {"input": [{"externalCompanyId": "A"}]}) == "1018"
        assert await refused(server, f"{path}/delete.json", {"input": [{"externalCompanyId": "A"}]}) == "1018"
    assert (await server.sync({"email": "a@x.example"}))[0]["status"] == "created"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"filterType": "industry", "filterValues": "x"}, "1011"),
        ({"filterType": "company"}, "1002"),
        ({"filterValues": "x"}, "1002"),
        ({"filterType": "company", "filterValues": "x", "fields": "nope"}, "1006"),
        ({"filterType": "company", "filterValues": ",".join("x" * 301)}, "1003"),
    ],
)
async def test_bad_queries(server: Any, params: dict[str, str], code: str) -> None:
    assert (await server.call("GET", "companies.json", params=params))["errors"][0]["code"] == code


async def test_schema_limits_of_custom_objects(server: Any) -> None:
    schema = "customobjects/schema"

    async def say(path: str, body: Any = None) -> str:
        envelope = await server.call("POST", f"{schema}{path}.json", json=body or {})
        return "ok" if envelope["success"] else str(envelope["errors"][0]["code"])

    key = {"name": "k", "displayName": "K", "dataType": "string", "isDedupeField": True}
    link = {"name": "l", "displayName": "L", "dataType": "link"}
    assert await say("", {"apiName": "a_c", "displayName": "A", "action": "createOnly"}) == "ok"
    assert await say("", {"apiName": "a_c", "displayName": "A", "action": "createOnly"}) == "1017"
    assert await say("", {"apiName": "Lead", "displayName": "A"}) == "1003"
    assert await say("/a_c/approve") == "1003"  # no dedupe field yet
    assert await say("/a_c/addField", {"input": [{**key, "dataType": "blob"}]}) == "1003"
    assert await say("/a_c/addField", {"input": [key]}) == "ok"
    assert await say("/a_c/addField", {"input": [key]}) == "1017"
    assert await say("/a_c/addField", {"input": [{**link, "relatedTo": {"name": "lead", "field": "city"}}]}) == "1003"
    assert (
        await say("/a_c/addField", {"input": [{"name": f"f{n}", "displayName": f"F {n}", "dataType": "text"} for n in range(49)]}) == "ok"
    )
    assert await say("/a_c/addField", {"input": [{"name": "f50", "displayName": "F", "dataType": "text"}]}) == "1003"
    assert await say("/a_c/approve") == "ok"
    assert await say("", {"apiName": "a_c", "displayName": "Another", "action": "updateOnly"}) == "1003"  # it stays, once approved
    assert await say("", {"apiName": "a_c", "description": "words", "action": "updateOnly"}) == "ok"
    assert await say("", {"apiName": "other_c", "displayName": "a"}) == "1017"  # names that people read are unique, too
    assert await say("/a_c/addField", {"input": [{**key, "name": "k2", "displayName": "K 2"}]}) == "1003"
    assert await say("/a_c/addField", {"input": [{"name": "more", "displayName": "More", "dataType": "integer"}]}) == "ok"
    assert await say("", {"apiName": "b_c", "displayName": "B"}) == "ok"
    assert await say("/b_c/addField", {"input": [key, {**link, "relatedTo": {"name": "a_c", "field": "k"}}]}) == "ok"
    assert await say("/b_c/approve") == "ok"
    assert await say("/a_c/delete") == "1022"  # b_c links to it
    assert await write(server, "customobjects/a_c", {"k": "one", "f1": "x" * 2001}, {"k": "one"}) == ["1003", "1036"]
    assert await write(server, "customobjects/a_c", {"k": "one"}) == ["created"]
    assert await write(server, "customobjects/b_c", {"k": "two", "l": "one"}, {"k": "three", "l": "none"}) == ["created", "1013"]
    assert await say("/b_c/delete") == "ok"
    assert await say("/a_c/discardDraft") == "ok"
    assert await say("/a_c/discardDraft") == "1048"
    for number in range(9):
        assert await say("", {"apiName": f"t{number}_c", "displayName": f"T {number}"}) == "ok"
    assert await say("", {"apiName": "last_c", "displayName": "Last"}) == "1003"
    await server.verb("options", {"object_schema_api": False})
    assert await say("/a_c/approve") == "616"


async def test_twenty_fields_may_follow_an_approval_and_no_more(server: Any) -> None:
    async def say(path: str, body: Any = None) -> str:
        envelope = await server.call("POST", f"customobjects/schema{path}.json", json=body or {})
        return "ok" if envelope["success"] else str(envelope["errors"][0]["code"])

    def some(first: int, count: int) -> dict[str, Any]:
        return {"input": [{"name": f"f{n}", "displayName": f"F {n}", "dataType": "string"} for n in range(first, first + count)]}

    await say("", {"apiName": "a_c", "displayName": "A"})
    await say("/a_c/addField", {"input": [{"name": "k", "displayName": "K", "dataType": "string", "isDedupeField": True}]})
    assert await say("/a_c/approve") == "ok"
    assert await say("/a_c/addField", some(0, 12)) == "ok"
    assert await say("/a_c/approve") == "ok"
    assert await say("/a_c/addField", some(12, 9)) == "1003"
    assert await say("/a_c/addField", some(12, 8)) == "ok"
    assert await say("/a_c/addField", {"input": [{"name": "g", "displayName": "f 3", "dataType": "string"}]}) == "1017"


async def test_a_type_is_described_as_its_records_are(server: Any) -> None:
    fields = [
        {"name": "courseID", "displayName": "Course ID", "dataType": "string", "isDedupeField": True},
        {"name": "notes", "displayName": "Notes", "dataType": "text"},
    ]
    await server.call("POST", "customobjects/schema.json", json={"apiName": "course", "displayName": "Course"})
    await server.call("POST", "customobjects/schema/course/addField.json", json={"input": fields})
    draft = (await server.call("GET", "customobjects/schema/course/describe.json"))["result"][0]
    assert (draft["state"], [one["name"] for one in draft["fields"]]) == (
        "draft", ["marketoGUID", "courseID", "notes", "createdAt", "updatedAt"],
    )  # fmt: skip
    await server.call("POST", "customobjects/schema/course/approve.json")
    links = [
        {"name": "id", "displayName": "ID", "dataType": "string", "isDedupeField": True},
        {"name": "who", "displayName": "Who", "dataType": "link", "relatedTo": {"name": "lead", "field": "id"}},
        {"name": "what", "displayName": "What", "dataType": "link", "relatedTo": {"name": "course", "field": "courseID"}},
    ]
    await server.call("POST", "customobjects/schema.json", json={"apiName": "enrollment", "displayName": "Enrollment"})
    await server.call("POST", "customobjects/schema/enrollment/addField.json", json={"input": links})
    await server.call("POST", "customobjects/schema/enrollment/approve.json")
    told = (await server.call("GET", "customobjects/schema.json", params={"names": "enrollment"}))["result"][0]
    assert {one["name"]: one["dataType"] for one in told["fields"] if one["updateable"]} == {
        "id": "string", "who": "integer", "what": "string",
    }  # fmt: skip
    assert [(one["field"], one["relatedTo"]) for one in told["relationships"]] == [
        ("who", {"name": "Lead", "field": "Id"}), ("what", {"name": "course", "field": "courseID"}),
    ]  # fmt: skip


async def test_a_custom_object_of_a_person_leaves_an_activity(server: Any) -> None:
    (lead,) = await server.sync({"email": "a@x.example"})
    fields = [
        {"name": "k", "displayName": "K", "dataType": "string", "isDedupeField": True},
        {"name": "who", "displayName": "Who", "dataType": "link", "relatedTo": {"name": "lead", "field": "email"}},
    ]
    await server.call("POST", "customobjects/schema.json", json={"apiName": "car_c", "displayName": "Car"})
    await server.call("POST", "customobjects/schema/car_c/addField.json", json={"input": fields})
    await server.call("POST", "customobjects/schema/car_c/approve.json")
    await write(server, "customobjects/car_c", {"k": "one", "who": "A@x.example"})
    types = {one["name"]: one["id"] for one in (await server.call("GET", "activities/types.json"))["result"]}
    rows, _ = await server.drain(".json", await server.since(), activityTypeIds=str(types["Add to Car"]))
    assert [(row["leadId"], row["primaryAttributeValue"]) for row in rows] == [(lead["id"], "one")]


async def test_partitions(server: Any) -> None:
    await server.verb("options", {"partitions": {"Default": 1, "EMEA": 2}})
    (there,) = await server.sync({"email": "a@x.example"}, partitionName="EMEA")
    results = await server.sync({"email": "a@x.example"}, partitionName="Default")
    assert results[0]["reasons"][0]["code"] == "1010"
    moved = await server.call("POST", "leads/partitions.json", json={"input": [{"id": there["id"], "partitionName": "Default"}]})
    assert moved["result"] == [{"id": there["id"], "status": "updated"}]
    rows, _ = await server.drain(".json", await server.since(), activityTypeIds="100")
    assert [row["primaryAttributeValue"] for row in rows] == ["Default"]
    assert len((await server.call("GET", "leads/partitions.json"))["result"]) == 2

"""Sync, delete and merge as the REST API documents them, through HTTP."""

from typing import Any

import pytest

from infra.sandbox.kernel.system import VerbRefusedError


def codes(results: list[dict[str, Any]]) -> list[str]:
    return [one["reasons"][0]["code"] if one["status"] == "skipped" else one["status"] for one in results]


async def read(server: Any, lead_id: int, *fields: str) -> dict[str, Any]:
    found = await server.call("GET", f"lead/{lead_id}.json", params={"fields": ",".join(fields)} if fields else {})
    return found["result"][0]  # type: ignore[no-any-return]


async def test_results_come_in_input_order_and_refusals_do_not_stop_the_rest(server: Any) -> None:
    results = await server.sync(
        {"email": "a@example.com", "firstName": "A"},
        {"email": "b@example.com", "nope": 1},
        {"firstName": "no key"},
        {"email": "c@example.com", "leadScore": "much"},
        {"email": "d@example.com", "createdAt": "2020-01-01T00:00:00Z"},
        {"id": 5, "email": "e@example.com"},
        "not a record",
        {"email": "A@Example.com", "firstName": "again"},
        {"email": ["list"]},
    )
    assert codes(results) == ["created", "1006", "1002", "1001", "1003", "1003", "1001", "updated", "1001"]
    assert results[7]["id"] == results[0]["id"]


@pytest.mark.parametrize(
    ("action", "lookup", "outcomes"),
    [
        ("createOnly", None, ["1005", "created", "created"]),
        ("updateOnly", None, ["updated", "1004", "1002"]),
        ("createOrUpdate", None, ["updated", "created", "1002"]),
        ("createDuplicate", None, ["created", "created", "created"]),
    ],
)
async def test_actions(server: Any, action: str, lookup: str | None, outcomes: list[str]) -> None:
    await server.sync({"email": "known@example.com"})
    records = [{"email": "known@example.com", "city": "Rome"}, {"email": "new@example.com"}, {"city": "Oslo"}]
    assert codes(await server.sync(*records, action=action)) == outcomes


async def test_update_by_id(server: Any) -> None:
    (made,) = await server.sync({"email": "a@example.com"})
    results = await server.sync(
        {"id": made["id"], "email": "new@example.com"}, {"id": 999, "city": "x"}, action="updateOnly", lookupField="id"
    )
    assert codes(results) == ["updated", "1004"]
    assert (await read(server, made["id"]))["email"] == "new@example.com"
    assert await server.sync({"email": "NEW@example.com", "city": "y"}) == [{"id": made["id"], "status": "updated"}]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"input": []}, "1002"),
        ({}, "1002"),
        ({"input": [{"email": "x"}] * 301}, "1003"),
        ({"input": [{"email": "x"}], "action": "replace"}, "1003"),
        ({"input": [{"email": "x"}], "lookupField": "firstName"}, "1011"),
        ({"input": [{"email": "x"}], "lookupField": "nope"}, "1006"),
        ({"input": [{"id": 1}], "lookupField": "id"}, "1003"),
        ({"input": [{"email": "x"}], "partitionName": "EMEA"}, "1010"),
    ],
)
async def test_whole_request_refused(server: Any, body: dict[str, Any], code: str) -> None:
    envelope = await server.call("POST", "leads.json", json=body)
    assert envelope["success"] is False
    assert envelope["errors"][0]["code"] == code
    assert "result" not in envelope


async def test_ambiguous_key_is_refused(server: Any) -> None:
    await server.sync({"email": "two@example.com"}, {"email": "two@example.com"}, action="createDuplicate")
    assert codes(await server.sync({"email": "two@example.com", "city": "x"})) == ["1007"]


async def test_company_fields_are_closed_only_once_linked(server: Any) -> None:
    (made,) = await server.sync({"email": "a@example.com", "company": "Acme", "industry": "Tools"})
    assert codes(await server.sync({"email": "a@example.com", "externalCompanyId": "001"})) == ["updated"]
    assert codes(await server.sync({"email": "a@example.com", "company": "Other"}, {"email": "a@example.com", "city": "Rome"})) == [
        "1021",
        "updated",
    ]
    assert codes(await server.sync({"email": "b@example.com", "externalCompanyId": "001", "company": "Acme"})) == ["1021"]
    assert (await read(server, made["id"], "company"))["company"] == "Acme"


async def test_null_and_blank_clear_and_absent_leaves(server: Any) -> None:
    (made,) = await server.sync({"email": "a@example.com", "firstName": "A", "lastName": "B", "city": "C", "unsubscribed": True})
    await server.sync({"email": "a@example.com", "firstName": None, "lastName": "", "unsubscribed": None})
    assert await read(server, made["id"], "firstName", "lastName", "city", "unsubscribed", "title") == {
        "id": made["id"],
        "firstName": None,
        "lastName": None,
        "city": "C",
        "unsubscribed": False,
        "title": None,
    }


async def test_default_and_computed_fields(server: Any) -> None:
    (made,) = await server.sync({"email": "a@example.com", "firstName": "Ann", "lastName": "Lee"})
    assert list(await read(server, made["id"])) == ["id", "email", "updatedAt", "createdAt", "firstName", "lastName"]
    shown = await read(server, made["id"], "mktoName", "leadPartitionId", "isLead", "personType")
    assert shown == {"id": made["id"], "mktoName": "Ann Lee", "leadPartitionId": "1", "isLead": True, "personType": "contact"}


async def test_query_by_filter_pages_and_limits(server: Any) -> None:
    for start in (0, 300):
        await server.sync(*({"email": f"p{n}@example.com"} for n in range(start, start + 300)))
    ids = ",".join(str(n) for n in range(1, 301))
    form = {"_method": "GET", "filterType": "id", "filterValues": ids, "batchSize": "100"}
    first = await server.call("POST", "leads.json", data=form)
    assert [row["id"] for row in first["result"]] == list(range(1, 101))
    second = await server.call("POST", "leads.json?_method=GET", data={**form, "nextPageToken": first["nextPageToken"]})
    assert [row["id"] for row in second["result"]] == list(range(101, 201))
    third = await server.call("POST", "leads.json", data={**form, "nextPageToken": second["nextPageToken"]})
    assert "nextPageToken" not in third
    by_mail = await server.call("GET", "leads.json", params={"filterType": "email", "filterValues": "P7@example.com,none@example.com"})
    assert [row["email"] for row in by_mail["result"]] == ["p7@example.com"]
    assert (await server.call("GET", "leads.json", params={"filterType": "email", "filterValues": "no@example.com"}))["result"] == []
    many = ",".join(str(n) for n in range(301))
    for params, code in (
        ({"filterType": "id", "filterValues": many}, "1003"),
        ({"filterType": "city", "filterValues": "x"}, "1011"),
        ({"filterType": "id"}, "1002"),
        ({"filterType": "id", "filterValues": "1", "fields": "nope"}, "1006"),
        ({"filterValues": "1"}, "1002"),
    ):
        assert (await server.call("GET", "leads.json", params=params))["errors"][0]["code"] == code


async def test_more_than_a_thousand_matches_are_refused(server: Any) -> None:
    rows = b"\n".join(b'{"email":"same@example.com"}' for _ in range(1001))
    assert (await server.verb("load", rows))["loaded"] == 1001
    envelope = await server.call("GET", "leads.json", params={"filterType": "email", "filterValues": "same@example.com"})
    assert envelope["errors"][0]["code"] == "1003"


async def test_delete(server: Any) -> None:
    await server.sync({"email": "a@example.com"}, {"email": "b@example.com"}, {"email": "c@example.com"})
    envelope = await server.call("POST", "leads/delete.json", json={"input": [{"id": 1}, {"id": 77}, {"nope": 1}]})
    assert codes(envelope["result"]) == ["deleted", "1004", "1004"]
    assert (await server.call("POST", "leads/delete.json?id=2", json={}))["result"] == [{"id": 2, "status": "deleted"}]
    assert (await server.call("DELETE", "leads.json", json={"input": [{"id": 3}]}))["result"] == [{"id": 3, "status": "deleted"}]
    assert (await server.call("GET", "lead/1.json"))["errors"][0]["code"] == "1004"
    assert (await server.sync({"email": "a@example.com"}))[0]["id"] == 4


async def test_merge_keeps_the_winner_and_fills_its_blanks(server: Any) -> None:
    token = await server.since()
    await server.sync(
        {"email": "w@example.com", "firstName": "W", "leadScore": 10},
        {"email": "l@example.com", "firstName": "L", "city": "Rome", "leadScore": 20},
        {"email": "m@example.com", "city": "Oslo", "phone": "1", "leadScore": 5},
    )
    assert "result" not in await server.call("POST", "leads/1/merge.json", params={"leadIds": "2,3"})
    shown = await read(server, 1, "email", "firstName", "city", "phone", "leadScore")
    assert shown == {"id": 1, "email": "w@example.com", "firstName": "W", "city": "Rome", "phone": "1", "leadScore": 10}
    assert (await server.call("GET", "lead/2.json"))["errors"][0]["code"] == "1004"
    rows, _ = await server.drain(".json", token, activityTypeIds="12,32")
    assert [(row["activityTypeId"], row["leadId"]) for row in rows] == [(12, 1), (12, 1), (12, 1), (32, 1)]
    assert {"name": "Merge IDs", "value": "[2,3]"} in rows[-1]["attributes"]
    assert (await server.drain("/deletedleads.json", token))[0] == []


@pytest.mark.parametrize(("params", "code"), [("leadIds=1", "1003"), ("leadId=9", "1004"), ("", "1003")])
async def test_merges_that_make_no_sense(server: Any, params: str, code: str) -> None:
    await server.sync({"email": "w@example.com"})
    assert (await server.call("POST", f"leads/1/merge.json?{params}"))["errors"][0]["code"] == code


async def test_merge_of_more_than_25(server: Any) -> None:
    ids = ",".join(str(n) for n in range(2, 28))
    assert (await server.call("POST", f"leads/1/merge.json?leadIds={ids}"))["errors"][0]["code"] == "1080"


async def test_custom_fields(server: Any) -> None:
    created = await server.call(
        "POST",
        "leads/schema/fields.json",
        json={
            "input": [
                {"displayName": "SF Id", "name": "sfPersonId", "dataType": "string"},
                {"displayName": "Bad", "name": "1bad", "dataType": "string"},
                {"displayName": "Bad", "name": "bad", "dataType": "textarea"},
                {"displayName": "Twice", "name": "SFPERSONID", "dataType": "string"},
                {"name": "noDisplay", "dataType": "string"},
            ]
        },
    )
    assert codes(created["result"]) == ["created", "1003", "1003", "1017", "1002"]
    assert codes(await server.sync({"sfPersonId": "00Q1", "firstName": "A"}, lookupField="sfPersonId")) == ["created"]
    assert codes(await server.sync({"sfPersonId": "00q1", "firstName": "B"}, lookupField="sfPersonId")) == ["updated"]
    found = await server.call("GET", "leads.json", params={"filterType": "sfPersonId", "filterValues": "00Q1", "fields": "sfPersonId"})
    assert found["result"] == [{"id": 1, "sfPersonId": "00q1"}]
    described = (await server.call("GET", "leads/describe.json"))["result"]
    custom = next(one for one in described if one["rest"]["name"] == "sfPersonId")
    assert (custom["id"], custom["dataType"], custom["length"], custom["rest"]["readOnly"]) == (1000, "string", 255, False)
    described2 = (await server.call("GET", "leads/describe2.json"))["result"][0]
    assert ["sfPersonId"] in described2["searchableFields"]
    assert {one["name"]: one["updateable"] for one in described2["fields"]}["createdAt"] is False
    assert (await server.call("GET", "leads/schema/fields/sfPersonId.json"))["result"][0]["isCustom"] is True
    assert (await server.call("GET", "leads/schema/fields/nope.json"))["errors"][0]["code"] == "1006"


async def test_blocked_field_keeps_its_value_against_the_api_silently(server: Any) -> None:
    await server.sync({"email": "a@example.com", "city": "Rome"})
    await server.verb("field/block", {"field": "city"})
    await server.verb("field/block", {"field": "title"})
    assert codes(await server.sync({"email": "a@example.com", "city": "Oslo", "title": "Boss"})) == ["updated"]
    assert await read(server, 1, "city", "title") == {"id": 1, "city": "Rome", "title": "Boss"}
    await server.verb("person/edit", {"id": 1, "fields": {"city": "Bonn"}})
    assert (await read(server, 1, "city"))["city"] == "Bonn"
    await server.verb("field/block", {"field": "city", "blocked": False})
    await server.sync({"email": "a@example.com", "city": "Oslo"})
    assert (await read(server, 1, "city"))["city"] == "Oslo"


async def test_normaliser_inside_the_write_and_after_it(server: Any) -> None:
    await server.verb("normaliser", {"field": "firstName", "how": "trim"})
    await server.verb("normaliser", {"field": "country", "how": "map", "map": {"FR": "France"}, "when": "after", "campaign": 9})
    token = await server.since()
    await server.sync({"email": "a@example.com"})
    await server.sync({"email": "a@example.com", "firstName": " Ann ", "country": "FR"})
    assert await read(server, 1, "firstName", "country") == {"id": 1, "firstName": "Ann", "country": "France"}
    rows, _ = await server.drain("/leadchanges.json", token, fields="firstName,country")
    shown = [(row["fields"][0]["name"], row["fields"][0]["newValue"], row.get("campaignId")) for row in rows if row["fields"]]
    assert shown == [("firstName", "Ann", None), ("country", "FR", None), ("country", "France", 9)]
    await server.verb("normaliser", {"field": "firstName", "how": None})
    await server.sync({"email": "a@example.com", "firstName": " Ann "})
    assert (await read(server, 1, "firstName"))["firstName"] == " Ann "


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("person/edit", {"id": 99, "fields": {}}),
        ("person/edit", {"id": "1", "fields": {}}),
        ("person/create", {"fields": {"nope": 1}}),
        ("person/create", {}),
        ("person/merge", {"winner": 1, "losers": [2]}),
        ("field/block", {"field": "nope"}),
        ("normaliser", {"field": "city", "how": "explode"}),
        ("activity_attributes", {"deliver": "yes"}),
        ("limits", {"daily": "all"}),
        ("load", b'{"email":"a@example.com"}\nnot json\n'),
        ("load", b'{"nope":"a@example.com"}\n'),
        ("person/create", b"[]"),
    ],
)
async def test_senseless_verbs_are_refused_and_change_nothing(server: Any, verb: str, body: Any) -> None:
    with pytest.raises(VerbRefusedError):
        await server.verb(verb, body)
    assert server.running.system.journal.last_n == 0


async def test_history_names_the_actor_and_holds_only_what_changed(server: Any) -> None:
    await server.sync({"email": "a@example.com", "firstName": "A"}, who="t")
    await server.sync({"email": "a@example.com", "firstName": "B", "lastName": None})
    await server.sync({"email": "a@example.com", "firstName": "B"})
    await server.verb("person/edit", {"id": 1, "fields": {"leadScore": 3}, "user": "eva@example.com"})
    await server.verb("person/delete", {"ids": [1]})
    lines = [entry for _, entry in server.running.system.journal.history()]
    assert [(line.actor, line.op, line.before, line.after) for line in lines[:3]] == [
        ("tandem@example.com", "create", None, {"email": "a@example.com", "firstName": "A"}),
        ("people@example.com", "update", {"firstName": "A"}, {"firstName": "B"}),
        ("eva@example.com", "update", {"leadScore": None}, {"leadScore": 3}),
    ]
    assert (lines[3].actor, lines[3].op, lines[3].after) == ("operator@marketo.example", "delete", None)
    assert lines[3].before is not None
    assert lines[3].before["firstName"] == "B"
    assert len(lines) == 4

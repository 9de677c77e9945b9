"""The feed: what leaves an activity, how pages and tokens behave, what comes late, what is pruned."""

from typing import Any

from infra.sandbox.marketo.border.origin import Origin
from infra.sandbox.marketo.state.activity_log import BLOCK_ROWS, Activity, ActivityLog

ORIGIN = Origin(actor="a", source="s", reason="r")


def row(number: int, at_s: int, kind: int = 13) -> Activity:
    return Activity(id=number, lead_id=1, at_s=at_s, type=kind, origin=ORIGIN)


def drained(log: ActivityLog, token: str, *, kind: int = 13, now_s: int = 1000) -> tuple[list[int], str, int]:
    found, pages = [], 0
    while True:
        page = log.page(token, lambda one: one.type == kind, 300, now_s)
        found += [one.id for one in page.rows]
        pages, token = pages + 1, page.token
        if not page.more:
            return found, token, pages


def test_a_date_token_starts_at_its_date_and_a_chained_one_where_the_last_page_ended() -> None:
    log = ActivityLog()
    for number in range(10):
        log.append(row(number, 100 + number // 2))
    found, token, _ = drained(log, log.token_since(102))
    assert found == [4, 5, 6, 7, 8, 9]
    assert drained(log, token)[0] == []
    log.append(row(10, 104))
    assert drained(log, token)[0] == [10]
    assert drained(log, log.token_since(999))[0] == []


def test_a_late_row_reaches_chained_tokens_but_only_from_their_date_on() -> None:
    log = ActivityLog()
    log.append(row(1, 100))
    log.append(row(2, 200))
    _, from_150, _ = drained(log, log.token_since(150))
    _, from_50, _ = drained(log, log.token_since(50))
    log.append(row(3, 120))
    assert drained(log, from_50)[0] == [3]
    assert drained(log, from_150)[0] == []
    assert drained(log, log.token_since(110))[0] == [2, 3]


def test_a_row_put_where_its_date_belongs_is_missed_by_chained_tokens() -> None:
    log = ActivityLog()
    log.append(row(1, 100))
    log.append(row(2, 200))
    _, token, _ = drained(log, log.token_since(50))
    log.insert_by_date(row(3, 120))
    assert 3 not in drained(log, token)[0]
    assert drained(log, log.token_since(110))[0] == [3, 2]
    log.insert_by_date(row(4, 20))
    assert drained(log, log.token_since(10))[0] == [4, 1, 3, 2]


def test_blocks_without_wanted_rows_give_empty_pages_that_have_more() -> None:
    log = ActivityLog()
    for number in range(3 * BLOCK_ROWS):
        log.append(row(number, 100, 12))
    log.append(row(9_999_999, 100))
    page = log.page(log.token_since(0), lambda one: one.type == 13, 300, 1000)
    assert (page.rows, page.more) == ([], True)
    found, _, pages = drained(log, log.token_since(0))
    assert (found, pages) == ([9_999_999], 4)


async def test_a_foreign_token_is_refused(server: Any) -> None:
    params = {"nextPageToken": "GIYDAOBN", "fields": "email"}
    assert (await server.call("GET", "activities/leadchanges.json", params=params))["errors"][0]["code"] == "1003"


async def test_lead_changes_show_new_people_without_values_and_each_changed_field(server: Any) -> None:
    token = await server.since()
    await server.sync({"email": "a@example.com", "firstName": "Ann", "lastName": "Lee"})
    await server.sync({"email": "a@example.com", "firstName": "ann", "lastName": "Lee", "unsubscribed": True, "city": "Rome"}, who="t")
    await server.verb("person/edit", {"id": 1, "fields": {"unsubscribed": False, "acquisitionDate": "2023-01-27T00:46:00Z"}})
    rows, token = await server.drain("/leadchanges.json", token, fields="firstName,lastName,unsubscribed,acquisitionDate")
    assert [row["activityTypeId"] for row in rows] == [12, 13, 13, 13, 13]
    assert rows[0]["fields"] == []
    assert (rows[0]["primaryAttributeValueId"], rows[0]["primaryAttributeValue"]) == (1, "Ann Lee")
    changes = [(one["fields"][0]["name"], one["fields"][0]["oldValue"], one["fields"][0]["newValue"]) for one in rows[1:]]
    assert changes == [
        ("firstName", "Ann", "ann"),
        ("unsubscribed", "0", "1"),
        ("unsubscribed", "True", "False"),
        ("acquisitionDate", None, "2023-01-26 18:46:00"),
    ]
    by_api = {one["name"]: one["value"] for one in rows[1]["attributes"]}
    assert by_api["Source"] == by_api["Reason"] == "Web service API"
    assert (by_api["Modifying User"], by_api["API Method Name"], by_api["Lead ID"]) == ("tandem@example.com", "syncLead", 1)
    by_hand = {one["name"]: one["value"] for one in rows[3]["attributes"]}
    assert by_hand == {"Reason": "Manual person edit", "Source": "Lead update", "Lead ID": 1}
    assert len({one["marketoGUID"] for one in rows}) == 5
    assert (await server.drain("/leadchanges.json", token, fields="firstName"))[0] == []


async def test_request_id_of_an_activity_is_that_of_the_answer(server: Any) -> None:
    token = await server.since()
    envelope = await server.call("POST", "leads.json", json={"input": [{"email": "a@example.com"}]})
    rows, _ = await server.drain(".json", token, activityTypeIds="12")
    assert {"name": "Request Id", "value": envelope["requestId"]} in rows[0]["attributes"]
    await server.verb("activity_attributes", {"deliver": False})
    rows, _ = await server.drain(".json", token, activityTypeIds="12")
    assert [one["name"] for one in rows[0]["attributes"]] == ["Created Date", "Source Type"]


async def test_equal_values_leave_nothing(server: Any) -> None:
    await server.sync({"email": "a@example.com", "city": "Rome"})
    token = await server.since()
    assert await server.sync({"email": "a@example.com", "city": "Rome", "doNotCall": False}) == [{"id": 1, "status": "updated"}]
    rows, _ = await server.drain("/leadchanges.json", token, fields="email,city,doNotCall")
    assert [row["activityTypeId"] for row in rows] == [12]


async def test_activities_name_the_field_by_its_display_name(server: Any) -> None:
    token = await server.since()
    await server.sync({"email": "a@example.com", "firstName": "A"})
    await server.sync({"email": "a@example.com", "firstName": "B"})
    rows, _ = await server.drain(".json", token, activityTypeIds="12,13")
    assert (rows[1]["primaryAttributeValueId"], rows[1]["primaryAttributeValue"]) == (53, "First Name")
    values = {one["name"]: one["value"] for one in rows[1]["attributes"]}
    assert (values["Old Value"], values["New Value"]) == ("A", "B")
    for params, code in (
        ({"activityTypeIds": ",".join(str(n) for n in range(11))}, "1003"),
        ({"activityTypeIds": "13", "leadIds": ",".join(str(n) for n in range(31))}, "1003"),
        ({}, "1002"),
        ({"activityTypeIds": "x"}, "1001"),
    ):
        envelope = await server.call("GET", "activities.json", params={"nextPageToken": token, **params})
        assert envelope["errors"][0]["code"] == code


async def test_filter_by_lead(server: Any) -> None:
    token = await server.since()
    await server.sync({"email": "a@example.com"}, {"email": "b@example.com"})
    rows, _ = await server.drain("/leadchanges.json", token, fields="email", leadIds="2")
    assert [row["leadId"] for row in rows] == [2]


async def test_deletions_have_their_own_feed_and_are_pruned_after_14_days(server: Any) -> None:
    await server.sync({"email": "a@example.com", "firstName": "Ann", "lastName": "Lee"})
    token = await server.since()
    await server.call("POST", "leads/delete.json", json={"input": [{"id": 1}]})
    rows, _ = await server.drain("/deletedleads.json", token)
    assert [(row["leadId"], row["activityTypeId"], row["primaryAttributeValue"], row["attributes"]) for row in rows] == [
        (1, 37, "Ann Lee", [])
    ]
    assert (await server.drain(".json", token, activityTypeIds="12,37"))[0][0]["activityTypeId"] == 12
    server.running.system.advance(14 * 86_400 + 5)
    server.tokens.clear()
    assert (await server.drain("/deletedleads.json", token))[0] == []


async def test_changes_are_pruned_after_90_days_new_leads_stay(server: Any) -> None:
    token = await server.since()
    await server.sync({"email": "a@example.com"})
    await server.sync({"email": "a@example.com", "city": "Rome"})
    server.running.system.advance(91 * 86_400)
    server.tokens.clear()
    rows, _ = await server.drain("/leadchanges.json", token, fields="city")
    assert [row["activityTypeId"] for row in rows] == [12]


async def test_a_late_activity_appears_when_it_is_due(server: Any) -> None:
    token = await server.since()
    server.fault({"type": "late_activity", "seconds": 600}, path="/rest/v1/leads.json")
    await server.sync({"email": "late@example.com"})
    await server.sync({"email": "soon@example.com"})
    rows, token = await server.drain("/leadchanges.json", token, fields="email")
    assert [row["leadId"] for row in rows] == [2]
    assert (await server.call("GET", "lead/1.json"))["success"]
    server.running.system.advance(601)
    rows, _ = await server.drain("/leadchanges.json", token, fields="email")
    assert [row["leadId"] for row in rows] == [1]


async def test_a_late_activity_may_be_missed_by_chained_tokens(server: Any) -> None:
    start = await server.since()
    server.fault({"type": "late_activity", "seconds": 600, "chained": False}, path="/rest/v1/leads.json")
    await server.sync({"email": "late@example.com"})
    server.running.system.advance(300)
    await server.sync({"email": "soon@example.com"})
    _, chained = await server.drain("/leadchanges.json", start, fields="email")
    server.running.system.advance(301)
    rows, _ = await server.drain("/leadchanges.json", chained, fields="email")
    assert 1 not in [row["leadId"] for row in rows]
    rows, _ = await server.drain("/leadchanges.json", start, fields="email")
    assert [row["leadId"] for row in rows] == [1, 2]


async def test_activities_of_a_merged_person_move_to_the_winner(server: Any) -> None:
    token = await server.since()
    await server.sync({"email": "w@example.com"}, {"email": "l@example.com"})
    await server.verb("person/merge", {"winner": 1, "losers": [2]})
    rows, _ = await server.drain("/leadchanges.json", token, fields="email")
    assert [row["leadId"] for row in rows] == [1, 1]


async def test_bad_dates_and_missing_parameters(server: Any) -> None:
    for path, params, code in (
        ("activities/pagingtoken.json", {"sinceDatetime": "yesterday"}, "704"),
        ("activities/pagingtoken.json", {"sinceDatetime": "2024-01-01T00:00:00 01:00"}, "704"),
        ("activities/pagingtoken.json", {}, "1002"),
        ("activities/leadchanges.json", {"fields": "email"}, "1002"),
        ("activities/leadchanges.json", {"nextPageToken": "x"}, "1002"),
        ("activities/leadchanges.json", {"nextPageToken": "x", "fields": "nope"}, "1006"),
    ):
        assert (await server.call("GET", path, params=params))["errors"][0]["code"] == code


async def test_types_are_listed(server: Any) -> None:
    types = (await server.call("GET", "activities/types.json"))["result"]
    assert {12, 13, 32, 37} <= {one["id"] for one in types}

"""REST calls: what is sent, what comes back, and what an error means for what was written."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from streams.budget.port import Lane
from streams.salesforce.api.access.refusals import Refusal, brief, judge_answer, judge_item
from streams.salesforce.api.access.session import Session
from streams.salesforce.api.rest import SalesforceRest
from streams.wire.errors import Fatal, Gap, Reject, Retry, SyncError, Unknown

ROOT = "/services/data/v66.0"
LEAD, OTHER = "00Q5f000005bwLFEAY", "00Q5f000005bwLGEAY"


class CountingBudget:
    """Allows everything, remembers everything."""

    def __init__(self) -> None:
        self.lanes: list[Lane] = []
        self.pauses: list[float] = []
        self.usage: list[tuple[int, int]] = []
        self.open = 0

    @asynccontextmanager
    async def call(self, lane: Lane) -> AsyncIterator[None]:
        self.lanes.append(lane)
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1

    async def used_up(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def seen(self, used: int, limit: int) -> None:
        self.usage.append((used, limit))


class Answers:
    """Gives its answers in turn; keeps the requests with their bodies."""

    def __init__(self, *answers: Any) -> None:
        self.left = deque(answers)
        self.requests: list[tuple[web.Request, Any]] = []

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        self.requests.append((request, json.loads(raw) if raw else None))
        answer = self.left.popleft()
        if answer == "vanish":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if isinstance(answer, tuple):
            status, body = answer
            if isinstance(body, str):
                return web.Response(status=status, text=body, content_type="text/html")
            return web.json_response(body, status=status)
        return web.json_response(answer, headers={"Sforce-Limit-Info": "api-usage=18/5000 per-app-api-usage=17/250(appName=x)"})


@pytest.fixture
def budget() -> CountingBudget:
    return CountingBudget()


@pytest.fixture
def rest(session: Session, budget: CountingBudget) -> SalesforceRest:
    return SalesforceRest(session, budget)


def page(rows: list[dict[str, Any]], following: str | None = None) -> dict[str, Any]:
    typed = [{"attributes": {"type": "Lead", "url": "x"}, **row} for row in rows]
    return {"totalSize": 3, "done": following is None, "records": typed, **({"nextRecordsUrl": following} if following else {})}


async def test_query_pages(org: Any, rest: SalesforceRest, budget: CountingBudget) -> None:
    first = Answers(page([{"Id": "1"}, {"Id": "2"}], f"{ROOT}/query/01g-2000"))
    org.on("GET", f"{ROOT}/query", first)
    org.on("GET", f"{ROOT}/query/01g-2000", Answers(page([{"Id": "3", "Owner": {"Name": "x"}}])))
    pages = [rows async for rows in rest.query("SELECT Id FROM Lead", Lane.COPY)]
    assert pages == [[{"Id": "1"}, {"Id": "2"}], [{"Id": "3"}]]
    request, _ = first.requests[0]
    assert request.query["q"] == "SELECT Id FROM Lead"
    assert request.headers["Sforce-Query-Options"] == "batchSize=2000"
    assert request.headers["Sforce-Call-Options"] == "client=tandem"
    assert budget.lanes == [Lane.COPY, Lane.COPY]
    assert budget.usage == [(18, 5000)] * 2
    assert budget.open == 0


async def test_query_all_asks_for_the_deleted(org: Any, rest: SalesforceRest) -> None:
    org.on("GET", f"{ROOT}/queryAll", Answers(page([{"Id": "1"}])))
    assert [rows async for rows in rest.query_all("SELECT Id FROM Lead", Lane.LIVE)] == [[{"Id": "1"}]]


async def test_update_results_are_in_order(org: Any, rest: SalesforceRest) -> None:
    refused = {"success": False, "errors": [{"statusCode": "UNABLE_TO_LOCK_ROW", "message": "busy", "fields": ["Title"]}]}
    answers = Answers([{"id": LEAD, "success": True, "errors": []}, refused])
    org.on("PATCH", f"{ROOT}/composite/sobjects", answers)
    results = await rest.update("Lead", [{"Id": LEAD, "Title": "CTO"}, {"Id": OTHER, "Title": None}], Lane.LIVE)
    assert [(result.id, result.success, result.created) for result in results] == [(LEAD, True, False), (None, False, False)]
    error = results[1].errors[0]
    assert (error.code, error.message, error.fields) == ("UNABLE_TO_LOCK_ROW", "busy", ("Title",))
    request, body = answers.requests[0]
    assert body == {
        "allOrNone": False,
        "records": [
            {"attributes": {"type": "Lead"}, "id": LEAD, "Title": "CTO"},
            {"attributes": {"type": "Lead"}, "id": OTHER, "Title": None},
        ],
    }
    assert request.headers["Sforce-Auto-Assign"] == "FALSE"
    assert request.headers["Sforce-Duplicate-Rule-Header"] == "allowSave=true; includeRecordDetails=true; runAsCurrentUser=true"
    assert request.headers["Sforce-Call-Options"] == "client=tandem"


async def test_upsert_and_create_tell_what_is_new(org: Any, rest: SalesforceRest) -> None:
    answered = [
        {"id": LEAD, "success": True, "errors": [], "created": True},
        {"id": OTHER, "success": True, "errors": [], "created": False},
    ]
    org.on("PATCH", f"{ROOT}/composite/sobjects/Lead/MarketoId__c", Answers(answered))
    results = await rest.upsert("Lead", "MarketoId__c", [{"MarketoId__c": "1"}, {"MarketoId__c": "2"}], Lane.LIVE)
    assert [result.created for result in results] == [True, False]
    org.on("POST", f"{ROOT}/composite/sobjects", Answers([{"id": LEAD, "success": True, "errors": []}]))
    assert [result.created for result in await rest.create("Lead", [{"LastName": "L"}], Lane.LIVE)] == [True]


async def test_delete_and_read(org: Any, rest: SalesforceRest) -> None:
    answers = Answers([{"id": LEAD, "success": True, "errors": []}])
    org.on("DELETE", f"{ROOT}/composite/sobjects", answers)
    assert (await rest.delete([LEAD], Lane.LIVE))[0].success
    assert dict(answers.requests[0][0].query) == {"ids": LEAD, "allOrNone": "false"}
    reads = Answers([{"attributes": {"type": "Lead"}, "Id": LEAD, "Title": None}, None])
    org.on("POST", f"{ROOT}/composite/sobjects/Lead", reads)
    assert await rest.read("Lead", [LEAD, OTHER], ["Id", "Title"], Lane.LIVE) == [{"Id": LEAD, "Title": None}, None]
    assert reads.requests[0][1] == {"ids": [LEAD, OTHER], "fields": ["Id", "Title"]}


@pytest.mark.parametrize("count", [0, 201])
async def test_too_many_records_are_a_mistake(rest: SalesforceRest, count: int) -> None:
    with pytest.raises(ValueError, match="1 to 200"):
        await rest.update("Lead", [{"Id": LEAD}] * count, Lane.LIVE)


UNCLEAR = ["vanish", (502, "<html>bad gateway</html>"), (500, [{"errorCode": "UNKNOWN_EXCEPTION", "message": "x"}]), [], {}]


@pytest.mark.parametrize("answer", UNCLEAR)
async def test_a_write_without_a_clear_answer_is_unknown_and_not_repeated(org: Any, rest: SalesforceRest, answer: Any) -> None:
    answers = Answers(answer)
    org.on("PATCH", f"{ROOT}/composite/sobjects", answers)
    with pytest.raises(Unknown):
        await rest.update("Lead", [{"Id": LEAD}], Lane.LIVE)
    assert len(answers.requests) == 1


async def test_a_delete_is_not_repeated_by_the_http_library_either(org: Any, rest: SalesforceRest) -> None:
    """aiohttp repeats a DELETE on its own when a connection that it had kept breaks."""
    answers = Answers({"sobjects": []}, "vanish", "vanish")
    org.on("GET", f"{ROOT}/sobjects", answers)
    org.on("DELETE", f"{ROOT}/composite/sobjects", answers)
    await rest.describe_global()
    with pytest.raises(Unknown):
        await rest.delete([LEAD], Lane.LIVE)
    assert len(answers.requests) == 2


async def test_a_read_is_repeated(org: Any, rest: SalesforceRest) -> None:
    answers = Answers("vanish", page([{"Id": "1"}]))
    org.on("GET", f"{ROOT}/query", answers)
    assert (await rest.page("SELECT Id FROM Lead", Lane.LIVE)).rows == [{"Id": "1"}]


async def test_a_read_is_not_repeated_for_ever(org: Any, rest: SalesforceRest) -> None:
    answers = Answers(*["vanish"] * 9)
    org.on("GET", f"{ROOT}/query", answers)
    with pytest.raises(Retry):
        await rest.page("SELECT Id FROM Lead", Lane.LIVE)
    assert len(answers.requests) == 2


@pytest.mark.parametrize("write", [False, True])
async def test_a_used_up_day_stops_everyone_at_once(org: Any, rest: SalesforceRest, budget: CountingBudget, *, write: bool) -> None:
    answers = Answers((403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]))
    org.on("GET", f"{ROOT}/limits", answers)
    org.on("PATCH", f"{ROOT}/composite/sobjects", answers)
    with pytest.raises(Retry) as caught:
        await (rest.update("Lead", [{"Id": LEAD}], Lane.LIVE) if write else rest.limits())
    assert caught.value.everyone
    assert not isinstance(caught.value, Unknown)
    assert budget.pauses == [caught.value.after_seconds]
    assert len(answers.requests) == 1


async def test_deleted_and_describe(org: Any, rest: SalesforceRest) -> None:
    rows = [{"id": LEAD, "deletedDate": "2013-05-07T22:07:19.000+0000"}]
    covered = {"earliestDateAvailable": "2013-05-01T00:00:00.000+0000", "latestDateCovered": "2013-05-08T21:20:00.000+0000"}
    answers = Answers({"deletedRecords": rows, **covered})
    org.on("GET", f"{ROOT}/sobjects/Lead/deleted/", answers)
    found = await rest.deleted("Lead", 1_367_900_000_000, 1_368_000_000_000, Lane.REPAIR)
    assert found.ids == {LEAD: 1_367_964_439_000}
    assert found.covered_ms == 1_368_048_000_000
    assert answers.requests[0][0].query["start"] == "2013-05-07T04:13:20.000Z"
    org.on("GET", f"{ROOT}/sobjects/Lead/describe", Answers({"name": "Lead", "fields": []}))
    assert (await rest.describe("Lead"))["name"] == "Lead"


async def test_the_servers_clock(org: Any, rest: SalesforceRest) -> None:
    org.on("GET", "/services/data", Answers([{"version": "66.0"}], [{"version": "66.0"}]))
    first, second = await rest.server_time(), await rest.server_time()
    assert second >= first > 1_700_000_000_000


async def test_waiting_calls_can_be_cancelled(org: Any, rest: SalesforceRest, budget: CountingBudget) -> None:
    entered = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        entered.set()
        await asyncio.Event().wait()
        return web.Response()

    org.on("GET", f"{ROOT}/limits", hang)
    task = asyncio.create_task(rest.limits())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert budget.open == 0


@pytest.mark.parametrize(
    ("status", "code", "message", "write", "kind"),
    [
        (400, "MALFORMED_QUERY", "unexpected token", False, Reject),
        (400, "INVALID_FIELD", "No such column 'X__c'", False, Reject),
        (404, "NOT_FOUND", "gone", False, Reject),
        (400, "UNABLE_TO_LOCK_ROW", "busy", True, Retry),
        (503, "SERVER_UNAVAILABLE", "busy", True, Retry),
        (400, "QUERY_TIMEOUT", "slow", False, Retry),
        (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", True, Retry),
        (400, "STORAGE_LIMIT_EXCEEDED", "full", True, Retry),
        (401, "INVALID_SESSION_ID", "expired", True, Fatal),
        (410, "GONE", "retired", False, Fatal),
        (400, "INVALID_REPLICATION_DATE", "too old", False, Gap),
        (500, "UNKNOWN_EXCEPTION", "boom", True, Unknown),
        (500, "UNKNOWN_EXCEPTION", "boom", False, Retry),
        (429, "", "", True, Retry),
    ],
)
def test_what_answers_mean(status: int, code: str, message: str, *, write: bool, kind: type[SyncError]) -> None:
    body = json.dumps([{"errorCode": code, "message": message}]).encode() if code else b"<html>"
    error = judge_answer(status, body, write=write, what="call")
    assert type(error) is kind
    assert judge_answer(204, b"", write=write, what="call") is None


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        ("UNABLE_TO_LOCK_ROW", "", Retry),
        ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "trigger: UNABLE_TO_LOCK_ROW, unable to obtain", Retry),
        ("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "trigger says no", Reject),
        ("ENTITY_IS_LOCKED", "in approval", Retry),
        ("STORAGE_LIMIT_EXCEEDED", "", Retry),
        ("UNKNOWN_EXCEPTION", "", Unknown),
        ("REQUEST_LIMIT_EXCEEDED", "", Retry),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "no", Reject),
        ("ENTITY_IS_DELETED", "", Reject),
    ],
)
def test_what_item_errors_mean(code: str, message: str, kind: type[SyncError]) -> None:
    assert type(judge_item(Refusal(code=code, message=message))) is kind


def test_messages_lose_personal_data() -> None:
    told = brief("duplicate value found: Email 'ada@lovelace.org' for \"Ada Lovelace\", phone 02079460000 by ada@lovelace.org")
    assert "lovelace" not in told.lower()
    assert "2079460000" not in told

"""The endpoints: what is sent, and what comes back."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import orjson
import pytest
from aiohttp import web

from streams.budget.port import Budget, Lane, Ticket
from streams.marketo.api.calling import BY_HAND_SECONDS
from streams.marketo.api.rest import MarketoRest
from streams.marketo.api.session import MarketoSession
from streams.marketo.api.wire import ItemResult
from streams.wire.errors import Reject, Retry, Unknown
from tests.streams.marketo.marketo_stub import NOW_MS, MarketoStub, change, failure

LEADS = "/rest/v1/leads.json"


def done(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"requestId": "e42b#1", "success": True, "result": list(rows), **more}


async def test_results_come_in_the_order_of_the_records(stub: MarketoStub, rest: MarketoRest) -> None:
    skipped = {"status": "skipped", "reasons": [{"code": "1005", "message": "Lead already exists"}]}
    stub.scripts[LEADS] = [done({"id": 50, "status": "created"}, skipped, {"id": 7, "status": "updated"})]
    records: list[dict[str, Any]] = [{"email": "a@x.example"}, {"email": "b@x.example"}, {"email": "c@x.example", "firstName": None}]
    answer = await rest.sync(records, "createOrUpdate", "email")
    assert answer.request_id == "e42b#1"
    assert answer.results == [
        ItemResult(id="50", status="created"),
        ItemResult(id=None, status="skipped", code="1005", message="Lead already exists"),
        ItemResult(id="7", status="updated"),
    ]
    assert [result.applied for result in answer.results] == [True, False, True]
    (seen,) = stub.asked(LEADS)
    assert orjson.loads(seen.body) == {"action": "createOrUpdate", "lookupField": "email", "input": records}
    assert seen.headers["Content-Type"] == "application/json"


async def test_a_record_without_a_result_is_in_doubt(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.scripts[LEADS] = [done({"id": 50, "status": "created"})]
    answer = await rest.sync([{"email": "a@x.example"}, {"email": "b@x.example"}], "createOnly", None)
    assert [result.status for result in answer.results] == ["created", "unknown"]
    assert not answer.results[1].applied


async def test_more_than_300_records_are_refused_before_they_are_sent(stub: MarketoStub, rest: MarketoRest) -> None:
    with pytest.raises(Reject, match="300 records"):
        await rest.sync([{"email": "a@x.example"}] * 301, "createOrUpdate", "email")
    assert stub.seen == []


async def test_a_batch_over_one_megabyte_goes_in_parts(stub: MarketoStub, rest: MarketoRest) -> None:
    async def apply(request: web.Request) -> web.Response:
        records = orjson.loads(await request.read())["input"]
        return web.json_response(done(*({"id": record["n"], "status": "updated"} for record in records)))

    stub.scripts[LEADS] = [apply] * 4
    records: list[dict[str, Any]] = [{"n": number, "notes": "x" * 250_000} for number in range(8)]
    records[5]["notes"] = "x" * 1_100_000
    answer = await rest.sync(records, "updateOnly", "id")
    assert [result.id for result in answer.results] == ["0", "1", "2", "3", "4", None, "6", "7"]
    assert answer.results[5].code == "413"
    assert all(len(each.body) <= 1_000_000 for each in stub.asked(LEADS))
    assert answer.request_id.count(",") == len(stub.asked(LEADS)) - 1


async def test_a_failure_after_a_part_was_applied_leaves_the_batch_in_doubt(stub: MarketoStub, rest: MarketoRest) -> None:
    records: list[dict[str, Any]] = [{"n": 1, "notes": "x" * 600_000}, {"n": 2, "notes": "x" * 600_000}]
    stub.scripts[LEADS] = [done({"id": 1, "status": "updated"}), failure("713", "transient")]
    with pytest.raises(Unknown, match="part of the batch"):
        await rest.sync(records, "updateOnly", "id")
    stub.scripts[LEADS] = [done({"id": 1, "status": "updated"}), failure("718", "no such owner")]
    answer = await rest.sync(records, "updateOnly", "id")
    assert [(result.status, result.code) for result in answer.results] == [("updated", ""), ("skipped", "718")]
    stub.scripts[LEADS] = [failure("718", "no such owner")]
    with pytest.raises(Reject):
        await rest.sync(records, "updateOnly", "id")


async def test_leads_are_read_300_a_call_with_absent_fields_empty_and_missing_ids_absent(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.leads = {number: {"id": number, "email": f"p{number}@x.example", "leadScore": number} for number in range(1, 701)}
    del stub.leads[7]
    leads = await rest.read([str(number) for number in range(1, 701)], ["email", "leadScore", "title"])
    assert len(stub.asked(LEADS)) == 3
    assert len(leads) == 699
    assert "7" not in leads
    assert leads["8"].fields == {"id": 8, "email": "p8@x.example", "leadScore": 8, "title": None}
    assert leads["8"].at < NOW_MS <= leads["8"].until


async def test_a_long_query_travels_in_the_body(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.leads = {1: {"id": 1}}
    await rest.read(["1"], ["email"])
    await rest.read(["1"], [f"custom_field_with_a_long_name_{number}" for number in range(300)])
    short, long = stub.asked(LEADS)
    assert (short.method, short.body) == ("GET", b"")
    assert long.method == "POST"
    assert long.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert long.query["_method"] == "GET"
    assert long.query["filterValues"] == "1"


async def test_a_search_follows_its_pages(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.scripts[LEADS] = [done({"id": 1, "email": "a@x.example"}, nextPageToken="P2=="), done({"id": 2, "email": "a@x.example"})]
    found = await rest.find("email", ["a@x.example"], ["email"])
    assert [lead.id for lead in found] == ["1", "2"]
    assert stub.asked(LEADS)[1].query["nextPageToken"] == "P2=="
    with pytest.raises(Reject, match="comma"):
        await rest.find("email", ["a,b@x.example"], ["email"])


async def test_a_page_of_changes_always_leads_on(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.log = [change("g1", 1, "firstName", "A", "B")]
    minted = await rest.paging_token(NOW_MS)
    assert stub.asked("/rest/v1/activities/pagingtoken.json")[0].query["sinceDatetime"] == "2026-03-02T10:00:00Z"
    page = await rest.activities(minted.token, [12, 13])
    assert [row["marketoGUID"] for row in page.rows] == ["g1"]
    assert (page.token, page.more) == ("AT1==", False)
    stub.scripts["/rest/v1/activities.json"] = [{"requestId": "r", "success": True}]
    assert (await rest.activities(page.token, [13])).token == page.token


async def test_delete_and_merge(stub: MarketoStub, rest: MarketoRest) -> None:
    missing = {"id": 2, "status": "skipped", "reasons": [{"code": "1004", "message": "Lead not found"}]}
    stub.scripts["/rest/v1/leads/delete.json"] = [done({"id": 1, "status": "deleted"}, missing)]
    answer = await rest.delete(["1", "2"])
    assert [(result.status, result.code) for result in answer.results] == [("deleted", ""), ("skipped", "1004")]
    assert orjson.loads(stub.asked("/rest/v1/leads/delete.json")[0].body) == {"input": [{"id": 1}, {"id": 2}]}
    stub.scripts["/rest/v1/leads/9/merge.json"] = [{"requestId": "m#1", "success": True}]
    assert await rest.merge("9", ["1", "2"]) == "m#1"
    assert stub.asked("/rest/v1/leads/9/merge.json")[0].query == {"leadIds": "1,2"}
    with pytest.raises(Reject, match="25 losers"):
        await rest.merge("9", [str(number) for number in range(26)])


async def test_the_schema_the_activity_types_and_the_days_usage(stub: MarketoStub, rest: MarketoRest) -> None:
    field = {"name": "leadScore", "displayName": "Lead Score", "dataType": "integer", "updateable": True}
    stub.scripts["/rest/v1/leads/describe2.json"] = [done({"name": "API Lead", "searchableFields": [["email"]], "fields": [field]})]
    described = {"id": 146, "displayName": "Lead Score", "dataType": "integer", "rest": {"name": "leadScore", "readOnly": True}}
    stub.scripts["/rest/v1/leads/describe.json"] = [done(described, {"id": 9, "displayName": "Only SOAP", "soap": {"name": "X"}})]
    kind = {"id": 13, "name": "Change Data Value", "attributes": [{"name": "New Value"}, {"name": "Old Value"}]}
    stub.scripts["/rest/v1/activities/types.json"] = [done(kind)]
    stub.scripts["/rest/v1/stats/usage.json"] = [
        done({"date": "2026-03-02", "total": 12, "users": [{"userId": "a@b.example", "count": 12}]})
    ]
    schema = await rest.describe2()
    assert (schema.fields[0].name, schema.fields[0].type, schema.searchable) == ("leadScore", "integer", [["email"]])
    (numbered,) = await rest.describe()
    assert (numbered.number, numbered.updateable) == (146, False)
    assert (await rest.activity_types())[0].attributes == ["New Value", "Old Value"]
    assert (await rest.usage()).users == {"a@b.example": 12}
    assert rest.calls == 4


async def test_an_answer_of_another_shape_is_refused(stub: MarketoStub, rest: MarketoRest) -> None:
    stub.scripts["/rest/v1/leads/describe2.json"] = [done()]
    with pytest.raises(Reject, match="unexpected shape"):
        await rest.describe2()
    stub.scripts[LEADS] = [done({"email": "no id"})]
    with pytest.raises(Reject, match="unexpected shape"):
        await rest.read(["1"], ["email"])


class CountingBudget:
    """Counts the calls in flight and what it is told."""

    def __init__(self) -> None:
        self.lanes: list[Lane] = []
        self.in_flight = 0
        self.held: list[float] = []

    def call(self, lane: Lane) -> AbstractAsyncContextManager[None]:
        return self._leave(lane)

    @asynccontextmanager
    async def _leave(self, lane: Lane) -> AsyncIterator[None]:
        self.lanes.append(lane)
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    async def used_up(self, seconds: float) -> None:
        assert self.in_flight == 0
        self.held.append(seconds)

    async def seen(self, used: int, limit: int) -> None:
        """Marketo never says."""


async def test_every_call_asks_for_leave_and_a_limit_is_told_to_the_budget(stub: MarketoStub) -> None:
    counting = CountingBudget()
    budget: Budget = counting
    async with MarketoSession(stub.settings()) as session:
        rest = MarketoRest(session, budget)
        stub.scripts[LEADS] = [failure("606", "Max rate limit"), failure("604", "timeout")]
        with pytest.raises(Retry) as caught:
            await rest.sync([{"email": "a@x.example"}], "createOrUpdate", "email", Lane.COPY)
        assert counting.held == [caught.value.after_seconds]
        with pytest.raises(Unknown):
            await rest.sync([{"email": "a@x.example"}], "createOrUpdate", "email", Lane.REPAIR)
    assert counting.lanes == [Lane.COPY, Lane.REPAIR]
    assert len(counting.held) == 1


class Counted:
    """A budget with one place: whoever asks for leave while it is taken would wait for ever."""

    def __init__(self) -> None:
        self.calls, self.held, self.got_through = 0, 0, 0
        self.blocked: list[float] = []

    def call(self, lane: Lane) -> AbstractAsyncContextManager[Ticket]:
        return self._call()

    @asynccontextmanager
    async def _call(self) -> AsyncIterator[Ticket]:
        assert not self.held, "a place is held while another one is asked for"
        self.calls, self.held = self.calls + 1, 1
        try:
            yield self
        finally:
            self.held = 0

    def sent(self) -> None:
        raise AssertionError("it goes out at once")

    def taken(self) -> None:
        assert self.held, "said while the leave is held: nobody else knows yet that the limit is gone"
        self.got_through += 1

    async def used_up(self, seconds: float) -> None:
        self.blocked.append(seconds)

    async def seen(self, used: int, limit: int) -> None:
        """Not asked here."""


async def test_a_command_waits_for_a_limit_to_pass_and_a_worker_does_not(stub: MarketoStub) -> None:
    async with MarketoSession(stub.settings()) as session:
        stub.scripts[LEADS] = [failure("615"), failure("615"), done({"id": 50, "status": "created"})]
        patient = MarketoRest(session, CountingBudget(), BY_HAND_SECONDS)
        answer = await patient.sync([{"email": "a@x.example"}], "createOnly", None)
        assert [result.id for result in answer.results] == ["50"]
        assert patient.calls == 3
        stub.scripts[LEADS] = [failure("615"), done()]
        with pytest.raises(Retry, match="615"):
            await MarketoRest(session, CountingBudget()).sync([{"email": "a@x.example"}], "createOnly", None)


async def test_nobody_waits_for_the_quota_of_another_day(stub: MarketoStub) -> None:
    async with MarketoSession(stub.settings()) as session:
        stub.scripts[LEADS] = [failure("607"), done()]
        rest = MarketoRest(session, CountingBudget(), BY_HAND_SECONDS)
        with pytest.raises(Retry, match="607"):
            await rest.sync([{"email": "a@x.example"}], "createOnly", None)
        assert rest.calls == 1


@pytest.mark.parametrize("code", ["601", "602"])
async def test_a_call_that_is_repeated_with_another_token_is_paid_for_twice(stub: MarketoStub, code: str) -> None:
    budget = Counted()
    stub.tokens = [{"access_token": "token-1"}, {"access_token": "token-2"}]
    stub.scripts[LEADS] = [failure(code), done()]
    async with MarketoSession(stub.settings()) as session:
        rest = MarketoRest(session, budget)
        await rest.sync([{"email": "a@x.example"}], "createOrUpdate", "email")
    assert (budget.calls, len(stub.asked(LEADS)), rest.calls) == (2, 2, 2)
    assert budget.got_through == 1, "a refused token is no refusal for a limit, and the second call needs to know"


async def test_the_budget_is_held_to_the_reset_but_the_caller_asks_again_in_a_minute(stub: MarketoStub) -> None:
    budget = Counted()
    stub.scripts[LEADS] = [failure("607", "Daily API Quota Reached")]
    async with MarketoSession(stub.settings()) as session:
        with pytest.raises(Retry) as caught:
            await MarketoRest(session, budget).sync([{"email": "a@x.example"}], "createOrUpdate", "email")
    assert (caught.value.after_seconds, budget.blocked) == (60.0, [20 * 3600.0])

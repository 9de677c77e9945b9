"""Query jobs: the answer of a query as CSV, in pages by locator (Bulk API guide, query jobs)."""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import Any

import msgspec

from infra.sandbox.salesforce.bulk.running import Jobs
from infra.sandbox.salesforce.jobs.csvtext import Sheet
from infra.sandbox.salesforce.jobs.job import ENDED, Job
from infra.sandbox.salesforce.org.org import Org
from infra.sandbox.salesforce.rest.call import Call, Reply, json_reply
from infra.sandbox.salesforce.schema.types import Field, Kind, Row, Value
from infra.sandbox.salesforce.soql.binding import Getter
from infra.sandbox.salesforce.soql.grammar.parser import parse
from infra.sandbox.salesforce.soql.grammar.query import Query
from infra.sandbox.salesforce.soql.run import run
from infra.sandbox.salesforce.wire.errors import ApiError
from infra.sandbox.salesforce.wire.stamps import event_time

CHUNK = 1000
PAGE_MAX, PAGES = 250_000, 5
RESULTS = "results"


class QueryJobs:
    def __init__(self, org: Org, jobs: Jobs) -> None:
        self._org = org
        self._jobs = jobs

    def create(self, call: Call) -> Reply:
        """POST /jobs/query {operation: query | queryAll, query}"""
        body = call.json_object()
        operation = body.get("operation")
        if operation not in ("query", "queryAll") or not isinstance(body.get("query"), str):
            raise ApiError(400, "INVALIDJOB", "operation must be query or queryAll, with a query")
        query = parse(body["query"])
        _refuse_unsupported(call, query)
        now_ms = self._org.clock.now_ms()
        if self._org.bulk_queries.remaining(now_ms) <= 0:
            raise ApiError(403, "REQUEST_LIMIT_EXCEEDED", "Daily bulk query job limit exceeded")
        self._org.bulk_queries.spend(now_ms)
        name = call.object(query.object).kind.name
        job = self._jobs.make(call, body, kind="query", operation=operation, object=name, query=body["query"], state="UploadComplete")
        self._jobs.start(job, self.work)
        return json_reply(job.shown(whole=False))

    def listed(self, _: Call) -> Reply:
        return json_reply({"done": True, "records": [job.shown() for job in self._jobs.all("query")], "nextRecordsUrl": None})

    def info(self, call: Call) -> Reply:
        return json_reply(self._jobs.find(call, "query").shown())

    def change(self, call: Call) -> Reply:
        job = self._jobs.find(call, "query")
        if call.json_object().get("state") != "Aborted":
            raise ApiError(400, "INVALIDJOBSTATE", "A query job can only be Aborted")
        self._jobs.abort(job)
        return json_reply(job.shown(whole=False))

    def delete(self, call: Call) -> Reply:
        job = self._jobs.find(call, "query")
        if job.state not in ENDED:
            raise ApiError(400, "INVALIDJOBSTATE", "Deleting not completed Job not allowed")
        self._org.jobs.forget(job)
        return Reply(status=204)

    def results(self, call: Call) -> Reply:
        """CSV from the locator on; `Sforce-Locator` of the next page, or the word `null`."""
        _, sheet = self._finished(call)
        first = _offset(call.query.get("locator"))
        most = min(_number(call.query.get("maxRecords"), PAGE_MAX), PAGE_MAX)
        count = max(0, min(most, len(sheet) - first))
        call.records = count
        following = _locator(first + count) if first + count < len(sheet) else "null"
        headers = {"Content-Type": "text/csv", "Sforce-NumberOfRecords": str(count), "Sforce-Locator": following}
        return Reply(body=sheet.read(first, count), headers=headers)

    def result_pages(self, call: Call) -> Reply:
        """Addresses of up to five pages that can be fetched side by side."""
        job, sheet = self._finished(call)
        first = _offset(call.query.get("locator"))
        size = min(_number(call.query.get("maxRecords"), PAGE_MAX), PAGE_MAX)
        starts = list(range(first, len(sheet), size))
        base = f"{call.base}/jobs/query/{job.id}"
        pages = [{"resultUrl": f"{base}/results?locator={_locator(start)}&maxRecords={size}"} for start in starts[:PAGES]]
        done = len(starts) <= PAGES
        more = None if done else f"{base}/resultPages?locator={_locator(starts[PAGES])}&maxRecords={size}"
        return json_reply({"resultPages": pages, "nextRecordsUrl": more, "done": done})

    async def work(self, job: Job) -> None:
        """Writes the results; what an earlier process had begun is begun anew."""
        if job.operation == "queryAll":
            self._org.expire_bin()
        view = self._org.view(job.caller.user_id)
        answer = run(parse(job.query or ""), view, self._org.store, self._org.today, deleted_too=job.operation == "queryAll", bulk=True)
        columns = [(answer.binding.getter(each), each.field) for each in answer.columns]
        self._org.jobs.note(job, columns=[".".join(each.shown) for each in answer.columns], processed=0)
        sheet = self._org.jobs.add_sheet(job, RESULTS, job.columns)
        for start in range(0, len(answer.rows), CHUNK):
            if job.state == "Aborted":
                return
            sheet.add(_cells(columns, row) for row in answer.rows[start : start + CHUNK])
            job.processed = len(sheet)
            await asyncio.sleep(0)
        sheet.keep_index()
        self._org.meters.count(job.caller.user_name, "bulk query", records=len(sheet))

    def _finished(self, call: Call) -> tuple[Job, Sheet]:
        job = self._jobs.find(call, "query")
        if job.state != "JobComplete":
            raise ApiError(400, "INVALIDJOBSTATE", f"Results are not there: the job is {job.state}")
        if job.version != call.version:
            raise ApiError(409, "API_ERROR", f"The job was created with version {job.version}")
        return job, self._org.jobs.sheet(job, RESULTS)


def _refuse_unsupported(call: Call, query: Query) -> None:
    if query.count or query.aggregates or query.children or query.offset or query.typeofs:
        raise ApiError(400, "API_ERROR", "Aggregates, GROUP BY, OFFSET and nested queries are not supported in bulk queries")
    answer = run(msgspec.structs.replace(query, limit=0), call.view, call.org.store, call.org.today, bulk=True)
    for bound in answer.columns:
        if bound.field.kind is Kind.ADDRESS:
            raise ApiError(400, "API_ERROR", f"Cannot serialize value for '{bound.field.name}' in CSV format")


def _cells(columns: list[tuple[Getter, Field]], row: Row) -> list[str]:
    return [_cell(get(row), field) for get, field in columns]


def _cell(value: Value, field: Field) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return event_time(value) if field.kind is Kind.DATETIME and isinstance(value, str) else str(value)


def _locator(offset: int) -> str:
    return base64.urlsafe_b64encode(str(offset).encode()).decode().rstrip("=")


def _offset(locator: str | None) -> int:
    if locator in (None, "", "null"):
        return 0
    try:
        return int(base64.urlsafe_b64decode(f"{locator}{'=' * (-len(str(locator)) % 4)}"))
    except (binascii.Error, ValueError):
        raise ApiError(400, "INVALID_QUERY_LOCATOR", "invalid locator") from None


def _number(text: Any, default: int) -> int:
    return int(text) if isinstance(text, str) and text.isdigit() and int(text) > 0 else default

"""Jobs and their state machine: Open, UploadComplete, InProgress, then JobComplete, Failed or Aborted (Bulk API guide)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import IO, Any

import msgspec

from infra.sandbox.salesforce import ids
from infra.sandbox.salesforce.bulk.csvtext import DELIMITERS, LINE_ENDINGS, Sheet
from infra.sandbox.salesforce.call import Call
from infra.sandbox.salesforce.errors import ApiError, not_found
from infra.sandbox.salesforce.org import Org
from infra.sandbox.salesforce.stamps import stamp_of
from infra.sandbox.salesforce.transaction import Caller

KEPT_MS = 7 * 24 * 3600 * 1000
"""Jobs and results are kept seven days (Bulk API guide)."""
ENDED = frozenset({"JobComplete", "Failed", "Aborted"})


class Job(msgspec.Struct, kw_only=True):
    id: str
    kind: str
    """`query` or `ingest`"""
    operation: str
    object: str
    caller: Caller
    version: str
    made_ms: int
    changed_ms: int
    state: str
    delimiter: str = "COMMA"
    line_ending: str = "LF"
    external_id: str | None = None
    query: str | None = None
    assignment: bool = True
    error: str | None = None
    processed: int = 0
    failures: int = 0
    busy_ms: int = 0
    upload: IO[bytes] | None = None
    sheets: dict[str, Sheet] = msgspec.field(default_factory=dict)

    def shown(self, *, whole: bool = True) -> dict[str, Any]:
        found: dict[str, Any] = {
            "id": self.id, "operation": self.operation, "object": self.object, "createdById": self.caller.user_id,
            "createdDate": stamp_of(self.made_ms), "systemModstamp": stamp_of(self.changed_ms), "state": self.state,
            "concurrencyMode": "Parallel", "contentType": "CSV", "apiVersion": float(self.version),
            "lineEnding": self.line_ending, "columnDelimiter": self.delimiter,
        }  # fmt: skip
        if self.kind == "ingest":
            url = f"services/data/v{self.version}/jobs/ingest/{self.id}/batches"
            found |= {"contentUrl": url, "externalIdFieldName": self.external_id}
        if whole:
            found |= {
                "jobType": "V2Query" if self.kind == "query" else "V2Ingest", "retries": 0, "totalProcessingTime": self.busy_ms,
                "numberRecordsProcessed": self.processed,
            }  # fmt: skip
            if self.kind == "ingest":
                found |= {"numberRecordsFailed": self.failures, "apiActiveProcessingTime": self.busy_ms, "apexProcessingTime": 0}
            else:
                found["isPkChunkingSupported"] = True
            if self.error is not None:
                found["errorMessage"] = self.error
        return found


Work = Callable[[Job], Awaitable[None]]


class Jobs:
    """All jobs of the org; they end with the process."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._jobs: dict[str, Job] = {}
        self._made = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def make(self, call: Call, **members: Any) -> Job:
        """A new job. Raises INVALIDJOB for formats that don't exist."""
        body = call.json_object()
        delimiter, ending = str(body.get("columnDelimiter", "COMMA")), str(body.get("lineEnding", "LF"))
        if body.get("contentType", "CSV") != "CSV" or delimiter not in DELIMITERS or ending not in LINE_ENDINGS:
            raise ApiError(400, "INVALIDJOB", "Unsupported contentType, columnDelimiter or lineEnding")
        self._made += 1
        now_ms = self._org.clock.now_ms()
        api = f"com/salesforce/api/bulkapi/{call.version}"
        caller = msgspec.structs.replace(call.caller, origin=call.caller.origin.replace(f"com/salesforce/api/rest/{call.version}", api))
        job = Job(
            id=ids.make("750", self._made), caller=caller, version=call.version, made_ms=now_ms, changed_ms=now_ms, delimiter=delimiter,
            line_ending=ending, **members,
        )  # fmt: skip
        self._jobs[job.id] = job
        return job

    def find(self, call: Call, kind: str) -> Job:
        """The job of the path. Raises NOT_FOUND; results older than seven days are gone."""
        wanted = call.params["job"]
        job = self._jobs.get(ids.normalise(wanted)) if ids.well_formed(wanted) else None
        if job is None or job.kind != kind:
            raise not_found()
        if self._org.clock.now_ms() - job.made_ms > KEPT_MS:
            self.forget(job)
            raise not_found()
        return job

    def all(self, kind: str) -> list[Job]:
        return [job for job in self._jobs.values() if job.kind == kind]

    def forget(self, job: Job) -> None:
        self._jobs.pop(job.id, None)
        for sheet in job.sheets.values():
            sheet.close()
        if job.upload is not None:
            job.upload.close()

    def abort(self, job: Job) -> None:
        if job.state in ENDED:
            raise ApiError(400, "INVALIDJOBSTATE", f"Aborting already {job.state} Job not allowed")
        self.move(job, "Aborted")

    def start(self, job: Job, work: Work) -> None:
        """Carries the job out in the background."""
        task = asyncio.get_running_loop().create_task(self._run(job, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    def move(self, job: Job, state: str) -> None:
        job.state, job.changed_ms = state, self._org.clock.now_ms()

    async def _run(self, job: Job, work: Work) -> None:
        began = time.monotonic()
        path = f"/jobs/{job.kind}"
        slow = self._org.faults.take(("bulk_slow",), path=path, actor=job.caller.user_name)
        wait = self._org.options.bulk_seconds if slow is None else float(slow.action.get("seconds", 5))
        if job.state != "Aborted":
            self.move(job, "InProgress")
        if wait:
            await asyncio.sleep(wait)
        broken = self._org.faults.take(("bulk_failed",), path=path, actor=job.caller.user_name)
        try:
            if broken is not None:
                raise ApiError(400, "InternalServerError", str(broken.action.get("message", "The job failed after 15 retries")))  # noqa: TRY301
            await work(job)
        except (ApiError, ValueError) as refused:
            job.error = f"{refused.code} : {refused.message}" if isinstance(refused, ApiError) else f"InvalidBatch : {refused}"
            self.move(job, "Failed")
        job.busy_ms = int((time.monotonic() - began) * 1000)
        if job.state not in ENDED:
            self.move(job, "JobComplete")

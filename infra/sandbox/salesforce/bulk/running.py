"""The state machine of jobs: Open, UploadComplete, InProgress, then JobComplete, Failed or Aborted (Bulk API guide)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from infra.sandbox.salesforce.jobs.csvtext import DELIMITERS, LINE_ENDINGS
from infra.sandbox.salesforce.jobs.job import ENDED, Job
from infra.sandbox.salesforce.org.org import Org
from infra.sandbox.salesforce.rest.call import Call
from infra.sandbox.salesforce.wire import ids
from infra.sandbox.salesforce.wire.errors import ApiError, not_found

KEPT_MS = 7 * 24 * 3600 * 1000
"""Jobs and results are kept seven days (Bulk API guide)."""
Work = Callable[[Job], Awaitable[None]]


class Jobs:
    """All jobs of the org, which `org.jobs` keeps; what was under way when the process ended goes on with `resume`."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._tasks: set[asyncio.Task[None]] = set()

    def make(self, call: Call, body: Mapping[str, Any], **members: Any) -> Job:
        """A new job. Raises INVALIDJOB for formats that don't exist."""
        delimiter, ending = str(body.get("columnDelimiter", "COMMA")), str(body.get("lineEnding", "LF"))
        if body.get("contentType", "CSV") != "CSV" or delimiter not in DELIMITERS or ending not in LINE_ENDINGS:
            raise ApiError(400, "INVALIDJOB", "Unsupported contentType, columnDelimiter or lineEnding")
        now_ms = self._org.clock.now_ms()
        api = f"com/salesforce/api/bulkapi/{call.version}"
        caller = msgspec.structs.replace(call.caller, origin=call.caller.origin.replace(f"com/salesforce/api/rest/{call.version}", api))
        job = Job(
            id=self._org.jobs.new_id(), caller=caller, version=call.version, made_ms=now_ms, changed_ms=now_ms, delimiter=delimiter,
            line_ending=ending, **members,
        )  # fmt: skip
        self._org.jobs.open(job)
        return job

    def find(self, call: Call, kind: str) -> Job:
        """The job of the path. Raises NOT_FOUND; results older than seven days are gone."""
        wanted = call.params["job"]
        job = self._org.jobs.get(ids.normalise(wanted)) if ids.well_formed(wanted) else None
        if job is None or job.kind != kind:
            raise not_found()
        if self._org.clock.now_ms() - job.made_ms > KEPT_MS:
            self._org.jobs.forget(job)
            raise not_found()
        return job

    def all(self, kind: str) -> list[Job]:
        return [job for job in self._org.jobs.all() if job.kind == kind]

    def abort(self, job: Job) -> None:
        if job.state in ENDED:
            raise ApiError(400, "INVALIDJOBSTATE", f"Aborting already {job.state} Job not allowed")
        never_begun = job.state == "Open"
        self.move(job, "Aborted", done=never_begun)

    def start(self, job: Job, work: Work) -> None:
        """Carries the job out in the background."""
        task = asyncio.get_running_loop().create_task(self._run(job, work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def resume(self, kind: str, work: Work) -> None:
        """Goes on with the jobs of that kind that the end of the process interrupted."""
        for job in self.all(kind):
            if not job.done and job.state != "Open":
                self.start(job, work)

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    def move(self, job: Job, state: str, **members: Any) -> None:
        self._org.jobs.note(job, state=state, changed_ms=self._org.clock.now_ms(), **members)

    async def _run(self, job: Job, work: Work) -> None:
        began = time.monotonic()
        path = f"/jobs/{job.kind}"
        slow = self._org.faults.take(("bulk_slow",), path=path, actor=job.caller.user_name)
        wait = self._org.options.bulk_seconds if slow is None else float(slow.action.get("seconds", 5))
        if self._gone(job):
            return
        if job.state == "UploadComplete":
            self.move(job, "InProgress")
        if wait:
            await asyncio.sleep(wait)
            if self._gone(job):
                return
        broken = self._org.faults.take(("bulk_failed",), path=path, actor=job.caller.user_name)
        state, error = "JobComplete", None
        try:
            if broken is not None:
                raise ApiError(400, "InternalServerError", str(broken.action.get("message", "The job failed after 15 retries")))  # noqa: TRY301
            await work(job)
        except (ApiError, ValueError) as refused:
            state = "Failed"
            error = f"{refused.code} : {refused.message}" if isinstance(refused, ApiError) else f"InvalidBatch : {refused}"
        if self._gone(job):
            return
        busy_ms = job.busy_ms + int((time.monotonic() - began) * 1000)
        ended = {"busy_ms": busy_ms, "processed": job.processed, "extents": self._org.jobs.extents(job), "done": True}
        if job.state in ENDED:
            self._org.jobs.note(job, **ended)
        else:
            self.move(job, state, error=error, **ended)
        self._org.jobs.discard_upload(job)

    def _gone(self, job: Job) -> bool:
        """Whether it was deleted meanwhile."""
        return self._org.jobs.get(job.id) is not job

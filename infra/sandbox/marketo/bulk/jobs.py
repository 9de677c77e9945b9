"""Bulk jobs: their states by the sandbox's clock, the queue, the quota, and the worker that runs them (REST API, bulk extract and import).

Jobs are journaled as bookkeeping; their files lie beside the journal. A process that dies in the middle of a job does it again.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.sandbox.kernel.journal import Entry
from infra.sandbox.marketo.border.errors import ApiError
from infra.sandbox.marketo.border.limits import central_day
from infra.sandbox.marketo.state.instance import Instance
from infra.sandbox.marketo.state.records import Row, second

EXPORT, IMPORT = "ExportJob", "ImportJob"
RUNNING_MAX, QUEUE_MAX = 2, 10
FILE_DAYS = 7
_DAY_MS = 86_400_000

Work = Callable[[str, Row], Coroutine[Any, Any, Row]]
"""Does a job's work and returns what to note about its end."""


@dataclass(slots=True)
class BulkJobs:
    instance: Instance
    folder: Path
    work: dict[str, Work] = field(default_factory=dict)
    """By table name; set before `resume`."""
    _slots: dict[str, asyncio.Semaphore] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def resume(self) -> None:
        """Takes up again what was queued or running when the process ended."""
        for table in (EXPORT, IMPORT):
            for key, row in self.instance.store.table(table).items():
                if row.get("queuedMs") and not row.get("finishedMs"):
                    self._start(table, key)

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def file(self, table: str, key: str) -> Path:
        place = self.folder / table
        place.mkdir(parents=True, exist_ok=True)
        return place / key

    def create(self, table: str, key: str, row: Mapping[str, Any]) -> None:
        self._note("_create", table, key, {**row, "createdMs": self.now_ms})

    def enqueue(self, table: str, key: str) -> None:
        """ApiError 1029 when too many jobs wait, or when today's export quota is used up; 1016 for imports."""
        rows = [row for row in self.instance.store.table(table).rows() if row.get("queuedMs") and not row.get("finishedMs")]
        if len(rows) >= QUEUE_MAX:
            if table == IMPORT:
                raise ApiError("1016", "Too many imports")
            raise ApiError("1029", f"Too many jobs ({len(rows)}) in queue")
        quota = self.instance.store.settings.bulk.export_bytes_daily
        if table == EXPORT and self.exported_today() >= quota:
            raise ApiError("1029", f"Export daily quota {quota >> 20}MB exceeded")
        self._note("_update", table, key, {"queuedMs": self.now_ms})
        self._start(table, key)

    def cancel(self, table: str, key: str) -> None:
        self._note("_update", table, key, {"finishedMs": self.now_ms, "end": "Cancelled"})

    def exported_today(self) -> int:
        """Bytes of the files made since midnight US Central."""
        today = central_day(self.now_ms)
        rows = self.instance.store.table(EXPORT).rows()
        return sum(row.get("fileSize", 0) for row in rows if row.get("finishedMs") and central_day(row["finishedMs"]) == today)

    def state(self, row: Row, running: str) -> str:
        """The state as told: it is looked at anew every `status_seconds` since the job was queued, not in between."""
        queued, every = row.get("queuedMs"), self.instance.store.settings.bulk.status_seconds * 1000
        if queued is None:
            return str(row.get("end") or "Created")
        if row.get("end") == "Cancelled":
            return "Cancelled"
        seen = self.now_ms if every <= 0 else queued + (self.now_ms - queued) // every * every
        if row.get("finishedMs") and row["finishedMs"] <= seen:
            return str(row["end"])
        return running if row.get("startedMs") and row["startedMs"] <= seen else "Queued"

    def expired(self, row: Row) -> bool:
        return bool(row.get("finishedMs")) and self.now_ms - int(row["finishedMs"]) > FILE_DAYS * _DAY_MS

    @property
    def now_ms(self) -> int:
        return self.instance.clock.now_ms()

    def _start(self, table: str, key: str) -> None:
        task = asyncio.get_running_loop().create_task(self._run(table, key))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, table: str, key: str) -> None:
        clock, bulk = self.instance.clock, self.instance.store.settings.bulk
        row = self.instance.store.table(table).get(key) or {}
        async with self._slots.setdefault(table, asyncio.Semaphore(RUNNING_MAX)):
            await clock.wait_until(row["queuedMs"] + bulk.queued_seconds * 1000)
            if self._ended(table, key):
                return
            started = self.now_ms
            self._note("_update", table, key, {"startedMs": started})
            end = await self.work[table](key, row)
            await clock.wait_until(started + bulk.running_seconds * 1000)
            if not self._ended(table, key):
                self._note("_update", table, key, {**end, "finishedMs": self.now_ms})

    def _ended(self, table: str, key: str) -> bool:
        return bool((self.instance.store.table(table).get(key) or {}).get("finishedMs"))

    def _note(self, op: str, table: str, key: str, after: Row) -> None:
        with self.instance.section() as section:
            section.put(Entry(section.now_ms, "sandbox", op, table, key, None, after))


def time_shown(at_ms: Any) -> str:
    return second(int(at_ms) // 1000)

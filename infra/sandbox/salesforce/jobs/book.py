"""All bulk jobs of the org: in the journal what is known of each, in files beside it what was uploaded and what came out.

A file may run ahead of the journal when the process is killed between the two; the journal says how much of it counts.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import msgspec

from infra.sandbox.kernel.clock import Clock
from infra.sandbox.kernel.journal import Entry, Journal
from infra.sandbox.salesforce.jobs.csvtext import Sheet
from infra.sandbox.salesforce.jobs.job import Extent, Job
from infra.sandbox.salesforce.wire import ids

PREFIX = "750"


class JobBook:
    def __init__(self, journal: Journal, clock: Clock, folder: Path | None = None) -> None:
        """Without a folder the files go with the process."""
        self._journal = journal
        self._clock = clock
        self._folder = folder
        self._jobs: dict[str, Job] = {}
        self._sheets: dict[str, dict[str, Sheet]] = {}
        self._made = 0

    def new_id(self) -> str:
        return ids.make(PREFIX, self._made + 1)

    def get(self, job_id: str) -> Job | None:
        return self._jobs.get(job_id)

    def all(self) -> list[Job]:
        return list(self._jobs.values())

    # -- changing

    def open(self, job: Job) -> None:
        self._journal.append([Entry(job.made_ms, "sandbox", "_job", "BulkJob", job.id, None, msgspec.to_builtins(job))])
        self._put(job)

    def note(self, job: Job, **members: Any) -> None:
        """Changes what is known of the job."""
        entry = self.entry(job, **members)
        self._journal.append([entry])
        self.apply(entry)

    def entry(self, job: Job, **members: Any) -> Entry:
        """The same, for a block that holds more; `apply` carries it out."""
        after = {name: msgspec.to_builtins(value) for name, value in members.items()}
        return Entry(self._clock.now_ms(), "sandbox", "_job", "BulkJob", job.id, {}, after)

    def forget(self, job: Job) -> None:
        """The job and its files are gone."""
        entry = Entry(self._clock.now_ms(), "sandbox", "_job", "BulkJob", job.id, {}, None)
        self._journal.append([entry])
        for name in job.extents:
            self.sheet(job, name).remove()
        self._sheets.pop(job.id, None)
        self.discard_upload(job)
        self.apply(entry)

    def apply(self, entry: Entry) -> None:
        """One journal entry into memory."""
        if entry.before is None:
            self._put(msgspec.convert(entry.after, Job))
        elif entry.after is None:
            self._jobs.pop(entry.id, None)
        else:
            job = self._jobs[entry.id]
            for name, value in entry.after.items():
                extents = {each: Extent(*pair) for each, pair in value.items()} if name == "extents" else None
                setattr(job, name, value if extents is None else extents)

    def _put(self, job: Job) -> None:
        self._jobs[job.id] = job
        self._made = max(self._made, ids.number_of(job.id))

    # -- files

    def upload(self, job: Job, data: bytes) -> None:
        """Keeps what was uploaded; afterwards the job says that there is something."""
        self._path(job, "upload").write_bytes(data)
        self.note(job, uploaded=True)

    def discard_upload(self, job: Job) -> None:
        """Nothing is left to be read of it."""
        self._path(job, "upload").unlink(missing_ok=True)

    def uploaded(self, job: Job) -> IO[bytes]:
        return self._path(job, "upload").open("rb")

    def add_sheet(self, job: Job, name: str, columns: Iterable[str]) -> Sheet:
        """A sheet of results that is empty, or as far as the journal says."""
        sheets = self._sheets.setdefault(job.id, {})
        if name not in sheets:
            extent = job.extents.get(name, Extent(0, 0))
            path = self._path(job, f"{name}.csv")
            sheets[name] = Sheet(path, columns, job.delimiter, job.line_ending, rows=extent.rows, size=extent.size)
        return sheets[name]

    def sheet(self, job: Job, name: str) -> Sheet:
        """A sheet that the job has. KeyError."""
        return self._sheets.get(job.id, {}).get(name) or self.add_sheet(job, name, self.columns(job, name))

    def columns(self, job: Job, name: str) -> list[str]:
        """The columns of that sheet: those of the upload, after what Salesforce adds (Bulk API guide, results)."""
        return [*ADDED_COLUMNS.get(name, ()), *job.columns]

    def extents(self, job: Job) -> dict[str, Extent]:
        """How far the sheets of the job are now."""
        return {name: Extent(len(sheet), sheet.size) for name, sheet in self._sheets.get(job.id, {}).items()}

    def close(self) -> None:
        for sheets in self._sheets.values():
            for sheet in sheets.values():
                sheet.close()
        self._sheets.clear()

    def _path(self, job: Job, what: str) -> Path:
        if self._folder is None:
            self._temporary = tempfile.TemporaryDirectory()
            self._folder = Path(self._temporary.name)
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / f"{job.id}.{what}"


ADDED_COLUMNS = {"successfulResults": ("sf__Id", "sf__Created"), "failedResults": ("sf__Id", "sf__Error")}

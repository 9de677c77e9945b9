"""What is known of a bulk job, and how the job information resource shows it (Bulk API guide, job information)."""

from __future__ import annotations

from typing import Any

import msgspec

from infra.sandbox.salesforce.access.caller import Caller
from infra.sandbox.salesforce.wire.stamps import stamp_of

ENDED = frozenset({"JobComplete", "Failed", "Aborted"})


class Extent(msgspec.Struct, frozen=True, array_like=True):
    """How much of a sheet of results counts: rows and bytes."""

    rows: int
    size: int


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
    error: str | None = None
    processed: int = 0
    failures: int = 0
    busy_ms: int = 0
    uploaded: bool = False
    done: bool = False
    """Nothing is left to be carried out; an aborted job's unprocessed rows are written too."""
    columns: list[str] = []
    """Of the uploaded file, or of the query's answer."""
    extents: dict[str, Extent] = msgspec.field(default_factory=dict)
    """Of the sheets of results, by name."""

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
        return found | self._progress() if whole else found

    def _progress(self) -> dict[str, Any]:
        found: dict[str, Any] = {
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

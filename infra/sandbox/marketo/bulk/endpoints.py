"""Endpoints under /bulk/v1 (REST API, bulk extract and bulk import)."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from infra.sandbox.marketo.assets import lists
from infra.sandbox.marketo.border.call import Answer, Call, Raw, offset, paged
from infra.sandbox.marketo.border.errors import ApiError
from infra.sandbox.marketo.border.routes import Routes
from infra.sandbox.marketo.bulk.extracts import BulkExport
from infra.sandbox.marketo.bulk.imports import SEPARATORS, uploaded
from infra.sandbox.marketo.bulk.jobs import EXPORT, FILE_DAYS, IMPORT, BulkJobs, time_shown
from infra.sandbox.marketo.objects import custom_types
from infra.sandbox.marketo.programs import programs
from infra.sandbox.marketo.state.instance import Instance
from infra.sandbox.marketo.state.records import Row

_ENTITIES = {"leads": "leads", "activities": "activities", "program/members": "program/members", "customobjects/{name}": ""}
_STATES = {"Cancelled": "Canceled"}


@dataclass(frozen=True, slots=True)
class BulkEndpoints:
    instance: Instance
    jobs: BulkJobs
    export: BulkExport

    def routes(self) -> Routes:
        table: Routes = []
        for path in _ENTITIES:
            base = f"/bulk/v1/{path}/export"
            table += [
                ("POST", f"{base}/create.json", self.create),
                ("GET", f"{base}.json", self.listed),
                ("POST", f"{base}/{{name}}/enqueue.json", self.enqueue),
                ("POST", f"{base}/{{name}}/cancel.json", self.cancel),
                ("GET", f"{base}/{{name}}/status.json", self.status),
                ("GET", f"{base}/{{name}}/file.json", self.file),
            ]
        objects, members = "/bulk/v1/customobjects/{name}/import", "/bulk/v1/program/members/import"
        table += [
            ("POST", "/bulk/v1/leads.json", self.import_leads),
            ("POST", f"{objects}.json", self.import_objects),
            ("POST", "/bulk/v1/program/{id}/members/import.json", self.import_members),
        ]
        for base, status in (("/bulk/v1/leads/batch/{id}", ""), (f"{objects}/{{id}}", "/status"), (f"{members}/{{id}}", "/status")):
            table += [
                ("GET", f"{base}{status}.json", self.import_status),
                ("GET", f"{base}/failures.json", self._import_file("failures")),
                ("GET", f"{base}/warnings.json", self._import_file("warnings")),
            ]
        return table

    def create(self, call: Call) -> Answer:
        body, entity = call.json(), _entity(call)
        fields = self.export.check(entity, body)
        key = str(uuid.uuid4())
        row = {"owner": call.user, "entity": entity, "fields": fields, "filter": body["filter"]}
        row |= {"format": str(body.get("format") or "CSV").upper(), "columnHeaderNames": body.get("columnHeaderNames")}
        self.jobs.create(EXPORT, key, row)
        return {"result": [self._shown(key)]}

    def enqueue(self, call: Call) -> Answer:
        key, row = self._own(call)
        if row.get("queuedMs"):
            raise ApiError("1029", "Export already queued")
        self.jobs.enqueue(EXPORT, key)
        return {"result": [self._shown(key)]}

    def cancel(self, call: Call) -> Answer:
        key, row = self._own(call)
        if row.get("finishedMs"):
            raise ApiError("1003", f"Export '{key}' has ended")
        self.jobs.cancel(EXPORT, key)
        return {"result": [self._shown(key)]}

    def status(self, call: Call) -> Answer:
        return {"result": [self._shown(self._own(call)[0])]}

    def listed(self, call: Call) -> Answer:
        """The caller's own jobs of the last seven days."""
        entity, states = _entity(call), {_STATES.get(state, state) for state in call.listed("status")}
        since = call.now_ms - FILE_DAYS * 86_400_000
        rows = self.instance.store.table(EXPORT).items()
        keys = [key for key, row in rows if (row["owner"], row["entity"]) == (call.user, entity) and row["createdMs"] >= since]
        shown = [one for one in map(self._shown, keys) if not states or _STATES.get(one["status"], one["status"]) in states]
        start, size = offset(call.params.get("nextPageToken")), call.batch_size()
        return paged(shown[start : start + size], start, size, len(shown))

    def file(self, call: Call) -> Raw:
        key, row = self._own(call)
        path = self.jobs.file(EXPORT, key)
        if row.get("end") != "Completed" or self.jobs.expired(row) or not path.exists():
            return Raw(status=404, text="Export file not found")
        return Raw(file=path, content_type="text/csv")

    def import_leads(self, call: Call) -> Answer:
        settings, list_id = self.instance.store.settings, call.numbers("listId")
        if list_id:
            lists.known(self.instance.store, list_id[0])
        lookup, partition = call.params.get("lookupField") or "email", call.params.get("partitionName")
        if lookup not in self.instance.store.searchable():
            raise ApiError("1011", f"Lookup field '{lookup}' is not supported")
        if partition and partition not in settings.partitions:
            raise ApiError("1010", f"Lead partition '{partition}' not found")
        row = {"entity": "leads", "lookupField": lookup, "listId": list_id[0] if list_id else None}
        return self._import(call, {**row, "partition": settings.partitions[partition] if partition else None})

    def import_objects(self, call: Call) -> Answer:
        custom_types.kind_of(self.instance.store, call.path_args[0])
        return self._import(call, {"entity": f"customobjects/{call.path_args[0]}"})

    def import_members(self, call: Call) -> Answer:
        program_id, status = int(call.path_args[0]), call.required("programMemberStatus")
        channel = programs.channels(self.instance.store)[programs.known(self.instance.store, program_id)["channel"]]
        if status not in {one["name"] for one in channel["progressionStatuses"] if one["step"]}:
            raise ApiError("1025", f"Program status '{status}' not found")
        return self._import(call, {"entity": "members", "programId": program_id, "programMemberStatus": status})

    def import_status(self, call: Call) -> Answer:
        return {"result": [self._import_shown(self._own_import(call))]}

    def _import(self, call: Call, row: Row) -> Answer:
        kind = call.params.get("format", "csv").lower()
        if kind not in SEPARATORS:
            raise ApiError("1003", f"Invalid value for format: {kind}")
        content, table = uploaded(call), self.instance.store.table(IMPORT)
        key = str(max(table.next_id, 1001))
        self.jobs.file(IMPORT, key).write_bytes(content)
        self.jobs.create(IMPORT, key, {**row, "owner": call.user, "format": kind})
        self.jobs.enqueue(IMPORT, key)
        return {"result": [self._import_shown(key)]}

    def _import_shown(self, key: str) -> dict[str, Any]:
        row = self.instance.store.table(IMPORT).get(key) or {}
        status = self.jobs.state(row, "Importing")
        shown: dict[str, Any] = {"batchId": int(key), "importId": key, "status": status}
        counted = "numOfObjectsProcessed" if row["entity"].startswith("customobjects") else "numOfLeadsProcessed"
        if row["entity"].startswith("customobjects"):
            shown |= {"objectApiName": row["entity"].partition("/")[2], "operation": "import"}
        if status not in {"Complete", "Failed"}:
            return shown
        counts = {counted: row.get("processed", 0), "numOfRowsFailed": row.get("failed", 0), "numOfRowsWithWarning": 0}
        return {**shown, **counts, "message": row.get("message", "")}

    def _import_file(self, kind: str) -> Callable[[Call], Raw]:
        def find(call: Call) -> Raw:
            path = self.jobs.file(IMPORT, f"{self._own_import(call)}-{kind}")
            return Raw(file=path, content_type="text/csv") if path.exists() else Raw(text="")

        return find

    def _own_import(self, call: Call) -> str:
        key = call.path_args[-1]
        row = self.instance.store.table(IMPORT).get(key)
        if row is None or row["owner"] != call.user:
            raise ApiError("1013", f"Batch '{key}' not found")
        return key

    def _own(self, call: Call) -> tuple[str, Row]:
        """Only who created a job can see it."""
        key = call.path_args[-1]
        row = self.instance.store.table(EXPORT).get(key)
        if row is None or (row["owner"], row["entity"]) != (call.user, _entity(call)):
            raise ApiError("1013", f"Export '{key}' not found")
        return key, row

    def _shown(self, key: str) -> dict[str, Any]:
        row = self.instance.store.table(EXPORT).get(key) or {}
        status = self.jobs.state(row, "Processing")
        shown: dict[str, Any] = {"exportId": key, "status": status, "createdAt": time_shown(row["createdMs"]), "format": row["format"]}
        if row.get("queuedMs"):
            shown["queuedAt"] = time_shown(row["queuedMs"])
        if status in {"Processing", "Completed"}:
            shown["startedAt"] = time_shown(row["startedMs"])
        if status == "Completed":
            shown["finishedAt"] = time_shown(row["finishedMs"])
            shown |= {name: row[name] for name in ("numberOfRecords", "fileSize", "fileChecksum")}
        return shown


def _entity(call: Call) -> str:
    return call.path.removeprefix("/bulk/v1/").partition("/export")[0]

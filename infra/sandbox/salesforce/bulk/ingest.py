"""Ingest jobs: insert, update, upsert, delete and hardDelete of the rows of a CSV file (Bulk API guide, ingest jobs)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from infra.sandbox.salesforce.access.views import VisibleObject
from infra.sandbox.salesforce.bulk.multipart import parts_of
from infra.sandbox.salesforce.bulk.running import Jobs
from infra.sandbox.salesforce.jobs.csvtext import NULL, check_line_ending, line_of, rows_of
from infra.sandbox.salesforce.jobs.job import Job
from infra.sandbox.salesforce.org.org import Org
from infra.sandbox.salesforce.records.values import checked, read_json
from infra.sandbox.salesforce.rest.call import Call, Reply, json_reply
from infra.sandbox.salesforce.rest.input import read_values
from infra.sandbox.salesforce.saving.checks import UNLOCKABLE
from infra.sandbox.salesforce.saving.transaction import Transaction
from infra.sandbox.salesforce.schema.types import Field, Kind
from infra.sandbox.salesforce.wire import ids
from infra.sandbox.salesforce.wire.errors import ApiError, RecordError, not_found

CHUNK = 200
UPLOAD_BYTES_MAX = 150 << 20
OPERATIONS = frozenset({"insert", "update", "upsert", "delete", "hardDelete"})
RESULTS = ("successfulResults", "failedResults", "unprocessedrecords")
_XSD = {
    Kind.DATE: "date", Kind.DATETIME: "dateTime", Kind.BOOLEAN: "boolean", Kind.INT: "int", Kind.DOUBLE: "double", Kind.CURRENCY: "double",
    Kind.PERCENT: "double",
}  # fmt: skip
Step = Callable[[Transaction, dict[str, Any]], tuple[str, bool]]


class IngestJobs:
    def __init__(self, org: Org, jobs: Jobs) -> None:
        self._org = org
        self._jobs = jobs

    def create(self, call: Call) -> Reply:
        """POST /jobs/ingest {object, operation, externalIdFieldName?}; as multipart with the data, and then nothing more has to be sent."""
        if call.headers.get("content-type", "").startswith("multipart/form-data"):
            body, data = parts_of(call.headers["content-type"], call.body)
            job = self._make(call, body)
            self._org.jobs.upload(job, data)
            self._jobs.move(job, "UploadComplete")
            self._jobs.start(job, self.work)
        else:
            job = self._make(call, call.json_object())
        return json_reply(job.shown(whole=False))

    def _make(self, call: Call, body: Mapping[str, Any]) -> Job:
        operation, external = body.get("operation"), body.get("externalIdFieldName")
        if not isinstance(operation, str) or operation not in OPERATIONS:
            raise ApiError(400, "INVALIDJOB", f"Invalid operation {operation}; one of {', '.join(sorted(OPERATIONS))}")
        seen = call.view.object(str(body.get("object")))
        if seen is None:
            raise ApiError(400, "INVALIDENTITY", f"Unable to find object: {body.get('object')}")
        if operation == "upsert":
            key = seen.field(str(external))
            if key is None or not (key.external_id or key.id_lookup):
                raise ApiError(400, "INVALIDJOB", f"Field name provided, {external} does not match an External ID for {seen.kind.name}")
            external = key.name
        members = {"operation": operation, "object": seen.kind.name, "external_id": external}
        return self._jobs.make(call, body, kind="ingest", state="Open", **members)

    def listed(self, _: Call) -> Reply:
        return json_reply({"done": True, "records": [job.shown() for job in self._jobs.all("ingest")], "nextRecordsUrl": None})

    def info(self, call: Call) -> Reply:
        return json_reply(self._jobs.find(call, "ingest").shown())

    def upload(self, call: Call) -> Reply:
        """PUT /jobs/ingest/{id}/batches, once."""
        job = self._jobs.find(call, "ingest")
        if job.state != "Open" or job.uploaded:
            raise ApiError(400, "INVALIDJOBSTATE", f"Data can be uploaded once, while the job is Open; it is {job.state}")
        if not call.headers.get("content-type", "").startswith("text/csv"):
            raise ApiError(415, "UNSUPPORTED_MEDIA_TYPE", "The content type of the data is text/csv")
        if len(call.body) > UPLOAD_BYTES_MAX:
            raise ApiError(413, "REQUEST_TOO_LARGE", "The data is larger than 150 MB")
        self._org.jobs.upload(job, call.body)
        return Reply(status=201)

    def change(self, call: Call) -> Reply:
        """PATCH {state: UploadComplete | Aborted}"""
        job, wanted = self._jobs.find(call, "ingest"), call.json_object().get("state")
        if wanted == "Aborted":
            self._jobs.abort(job)
        elif wanted == "UploadComplete" and job.state == "Open":
            self._jobs.move(job, "UploadComplete")
            self._jobs.start(job, self.work)
        else:
            raise ApiError(400, "INVALIDJOBSTATE", f"The job is {job.state} and can't become {wanted}")
        return json_reply(job.shown(whole=False))

    def delete(self, call: Call) -> Reply:
        job = self._jobs.find(call, "ingest")
        if job.state in ("Open", "InProgress"):
            raise ApiError(400, "INVALIDJOBSTATE", f"The job is {job.state}; abort it first")
        self._org.jobs.forget(job)
        return Reply(status=204)

    def results(self, call: Call) -> Reply:
        job, wanted = self._jobs.find(call, "ingest"), call.params["results"].lower()
        name = next((each for each in RESULTS if each.lower() == wanted), None)  # clients don't agree on the case of unprocessedrecords
        if name is None:
            raise not_found()
        if job.state == "Open":
            raise ApiError(400, "INVALIDJOBSTATE", f"Results are not there: the job is {job.state}")
        if not job.columns:
            data = line_of(self._org.jobs.columns(job, name), job.delimiter, job.line_ending)
        else:
            sheet = self._org.jobs.sheet(job, name)
            call.records, data = len(sheet), sheet.read()
        return Reply(body=data, headers={"Content-Type": "text/csv"})

    # -- carrying out

    async def work(self, job: Job) -> None:
        """Carries out the rows that are not processed yet."""
        if not job.uploaded:
            return
        with self._org.jobs.uploaded(job) as upload:
            check_line_ending(upload, job.line_ending)
            rows = rows_of(upload, job.delimiter)
            header = next(rows, None)
            if header is None:
                return
            self._org.jobs.note(job, columns=header)
            for name in RESULTS:
                self._org.jobs.add_sheet(job, name, self._org.jobs.columns(job, name))
            batch = _Batch(self._org, job, header)
            rest = islice(rows, job.processed, None)
            while chunk := list(islice(rest, CHUNK)):
                if self._org.jobs.get(job.id) is not job:
                    return
                if job.state == "Aborted":
                    unprocessed = self._org.jobs.sheet(job, "unprocessedrecords")
                    unprocessed.add(chunk)
                    unprocessed.add(rest)
                    return
                batch.run(chunk)
                await asyncio.sleep(0)
        self._org.meters.count(job.caller.user_name, f"bulk {job.operation}", records=job.processed)


class _Batch:
    """What is the same for all rows of a job: columns, object, operation."""

    def __init__(self, org: Org, job: Job, header: list[str]) -> None:
        seen = org.view(job.caller.user_id).object(job.object)
        if seen is None:
            raise ApiError(400, "INVALIDENTITY", f"Unable to find object: {job.object}")
        self._org, self._job, self._seen = org, job, seen
        self._columns = [_Column(org, seen, name, place) for place, name in enumerate(header)]
        self._step = _step(org, seen, job)

    def run(self, rows: list[list[str]]) -> None:
        """Carries out one chunk as a transaction of its own, row by row."""
        transaction = self._org.transaction(self._job.caller)
        try:
            self._run(transaction, rows)
        except BaseException:
            transaction.rollback()
            raise

    def _run(self, transaction: Transaction, rows: list[list[str]]) -> None:
        job, done, failed = self._job, [], []
        for row in rows:
            try:
                if len(row) != len(self._columns):
                    raise RecordError("INVALID_INPUT", f"the row has {len(row)} values, the header {len(self._columns)}")  # noqa: TRY301
                self._fault()
                raw = dict(item for column, text in zip(self._columns, row, strict=True) if (item := column.read(text)) is not None)
                record_id, created = self._step(transaction, raw)
                done.append([record_id, "true" if created else "false", *row])
            except (RecordError, ApiError) as refused:
                failed.append([self._id_of(row), _told(refused), *row])
        book = self._org.jobs
        book.sheet(job, "successfulResults").add(done)
        book.sheet(job, "failedResults").add(failed)
        purges = self._org.purges([each[0] for each in done]) if job.operation == "hardDelete" else []
        counts = {"processed": job.processed + len(rows), "failures": job.failures + len(failed)}
        transaction.commit([*purges, book.entry(job, **counts, extents=book.extents(job))])

    def _id_of(self, row: list[str]) -> str:
        """The id of the record that a row is about, where it is known (Bulk API guide, failed results)."""
        named = dict(zip((column.name.lower() for column in self._columns), row, strict=False))
        given = named.get("id", "")
        if given or self._job.operation != "upsert":
            return ids.normalise(given) if ids.well_formed(given) else ""
        key = self._seen.fields[str(self._job.external_id).lower()]
        value = named.get(key.name.lower(), "")
        found = self._org.store.tables[self._seen.kind.name].find(key.name, value) if value else []
        alive = [each for each in found if "IsDeleted" not in each and self._seen.sees(each)]
        return str(alive[0]["Id"]) if len(alive) == 1 else ""

    def _fault(self) -> None:
        fault = self._org.faults.take(("record_errors",), method="PUT", path="/jobs/ingest", actor=self._job.caller.user_name)
        if fault is not None:
            raise RecordError(str(fault.action.get("statusCode", "UNABLE_TO_LOCK_ROW")), str(fault.action.get("message", UNLOCKABLE)))


class _Column:
    """One column: a field, or `Parent.Key__c`, which names a parent by an external id."""

    def __init__(self, org: Org, seen: VisibleObject, name: str, place: int) -> None:
        self._org, self.name, self._place = org, name.strip(), place
        head, _, tail = self.name.partition(".")
        self._reference: Field | None = seen.relationships.get(head.lower()) if tail else None
        self._key = tail
        self._field = seen.field(self.name)
        if self._reference is None and self._field is None:
            raise ApiError(400, "InvalidBatch", f"Field name not found : {self.name}")

    def read(self, text: str) -> tuple[str, Any] | None:
        """(field, value) of a cell; None for an empty one, which changes nothing."""
        if text == "":
            return None
        if self._reference is None:
            return self.name, None if text == NULL else self._text(text)
        for parent in self._reference.reference_to:
            table = self._org.store.tables[parent]
            if table.indexed(self._key):
                found = [row for row in table.find(self._key, text) if "IsDeleted" not in row]
                if found:
                    return self._reference.name, found[0]["Id"]
        message = f"Foreign key external ID: {text} not found for field {self._key} in entity {self._reference.reference_to[0]}"
        raise RecordError("INVALID_FIELD", message)

    def _text(self, text: str) -> str:
        """The text when it can be read as the field's type."""
        field, kind = self._field, _XSD.get(self._field.kind) if self._field is not None else None
        if field is not None and kind is not None:
            try:
                value = read_json(field, text)
                if kind in ("date", "dateTime"):
                    checked(field, value)
            except ApiError:
                message = f"Failed to deserialize field at col {self._place}. Due to, '{text}' is not a valid value for the type xsd:{kind}"
                raise RecordError("INVALID_FIELD", message, [field.name]) from None
        return text


def _step(org: Org, seen: VisibleObject, job: Job) -> Step:
    name = seen.kind.name

    def insert(transaction: Transaction, raw: dict[str, Any]) -> tuple[str, bool]:
        return transaction.create(name, read_values(seen, raw, "create")), True

    def update(transaction: Transaction, raw: dict[str, Any]) -> tuple[str, bool]:
        record_id = _record_id(seen, raw)
        transaction.update(record_id, read_values(seen, raw, "update"))
        return record_id, False

    def delete(transaction: Transaction, raw: dict[str, Any]) -> tuple[str, bool]:
        if not seen.right.deletable:
            raise RecordError("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
        record_id = _record_id(seen, raw)
        transaction.delete(record_id)
        return record_id, False

    def upsert(transaction: Transaction, raw: dict[str, Any]) -> tuple[str, bool]:
        key = seen.fields[str(job.external_id).lower()]
        value = next((each for column, each in raw.items() if column.lower() == key.name.lower()), None)
        if value in (None, ""):
            raise RecordError("MISSING_ARGUMENT", f"{key.name} not specified")
        if key.name == "Id":
            return update(transaction, raw)
        matching = org.store.tables[name].find(key.name, checked(key, value))
        found = [row for row in matching if "IsDeleted" not in row and seen.sees(row)]
        if len(found) > 1:
            shown = [row["Id"] for row in found]
            raise RecordError("DUPLICATE_EXTERNAL_ID", f"{key.name}: more than one record found for external id field: {shown}")
        if not found:
            return insert(transaction, raw)
        transaction.update(str(found[0]["Id"]), read_values(seen, raw, "update"))
        return str(found[0]["Id"]), False

    return {"insert": insert, "update": update, "upsert": upsert, "delete": delete, "hardDelete": delete}[job.operation]


def _record_id(seen: VisibleObject, raw: dict[str, Any]) -> str:
    text = next((raw.pop(name) for name in ("Id", "id", "ID") if name in raw), None)
    if text is None:
        raise RecordError("MISSING_ARGUMENT", "Id not specified in an update call")
    if not ids.well_formed(text) or not str(text).startswith(seen.kind.prefix):
        raise RecordError("MALFORMED_ID", f"malformed id {text}")
    return ids.normalise(str(text))


def _told(refused: RecordError | ApiError) -> str:
    return f"{refused.code}:{refused.message}:{' '.join(refused.fields or ())} --"

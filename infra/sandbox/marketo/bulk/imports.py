"""Bulk import of people, custom objects and program members: a file of rows, upserted in pieces (REST API, bulk import).

A blank cell leaves the value as it is, the word NULL clears it.
"""

import asyncio
import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from typing import Any

from infra.sandbox.marketo.assets import lists
from infra.sandbox.marketo.border.call import Call
from infra.sandbox.marketo.border.errors import MESSAGES, ApiError, RecordError
from infra.sandbox.marketo.border.origin import Origin
from infra.sandbox.marketo.bulk.jobs import IMPORT, BulkJobs
from infra.sandbox.marketo.objects import custom_types, objects
from infra.sandbox.marketo.objects.objects import ObjectSync
from infra.sandbox.marketo.people import people
from infra.sandbox.marketo.people.people import Action, SyncRequest
from infra.sandbox.marketo.programs import members
from infra.sandbox.marketo.state.instance import Instance, Section
from infra.sandbox.marketo.state.records import Row

SEPARATORS = {"csv": ",", "tsv": "\t", "ssv": ";"}
_CHUNK_ROWS = 300

Record = dict[str, Any]
Act = Callable[[Section, Record], object]


@dataclass(frozen=True, slots=True)
class BulkImport:
    instance: Instance
    jobs: BulkJobs

    async def work(self, key: str, row: Row) -> Row:
        """Writes the rows, one section for each piece; refused rows go into the failures file with the reason."""
        text = self.jobs.file(IMPORT, key).read_bytes().decode("utf-8-sig", "replace")
        reader = csv.reader(io.StringIO(text), delimiter=SEPARATORS[row["format"]])
        heads = next(reader, [])
        problem = self._unknown(row, heads)
        if problem is not None:
            return {"end": "Failed", "message": problem, "processed": 0, "failed": 0}
        rows = [cells for cells in reader if cells]
        act, failures = self._act(row), []
        for start in range(0, len(rows), _CHUNK_ROWS):
            with self.instance.section() as section:
                failures += _apply(section, heads, rows[start : start + _CHUNK_ROWS], act)
            await asyncio.sleep(0)
        if failures:
            self.jobs.file(IMPORT, f"{key}-failures").write_text(_csv([*heads, "Import Failure Reason"], failures), encoding="utf-8")
        done = len(rows) - len(failures)
        return {"end": "Complete", "message": _message(row["entity"], done, len(failures)), "processed": done, "failed": len(failures)}

    def _unknown(self, row: Row, heads: Sequence[str]) -> str | None:
        store, entity = self.instance.store, row["entity"]
        if entity == "leads":
            known = set(store.fields)
        elif entity == "members":
            known = {*members.member_fields(store), *store.fields}
        else:
            known = set(custom_types.kind_of(store, entity.partition("/")[2]).fields)
        unknown = [name for name in heads if name not in known]
        return f"Import failed: unknown columns {', '.join(unknown)}" if unknown else "Import failed: no header" if not heads else None

    def _act(self, row: Row) -> Act:
        entity, owner = row["entity"], row["owner"]
        origin = Origin(actor=owner, source="List import", reason="List import", method=f"import{entity.split('/')[0].capitalize()}")
        if entity.startswith("customobjects/"):
            kind = custom_types.kind_of(self.instance.store, entity.partition("/")[2])
            return lambda section, record: _upsert_object(
                section, ObjectSync(kind=kind, action="createOrUpdate", by_id=False, origin=origin), record
            )
        request = SyncRequest(
            action=Action.CREATE_OR_UPDATE,
            lookup=row.get("lookupField") or "email",
            origin=origin,
            hidden=lambda _: False,
            created=lambda _: None,
            extra={},
            partition=row.get("partition"),
        )
        if entity == "leads":
            return lambda section, record: _upsert_person(section, request, record, row.get("listId"))
        return lambda section, record: _upsert_member(section, request, record, row["programId"], row["programMemberStatus"])


def _message(entity: str, done: int, failed: int) -> str:
    """As the guides to bulk import show it: people and members are counted as members too."""
    count = f"{done} records imported" + ("" if entity.startswith("customobjects/") else f" ({done} members)")
    return f"Import completed with errors, {count}, {failed} failed" if failed else f"Import succeeded, {count}"


def uploaded(call: Call) -> bytes:
    """The file of a multipart body. ApiError 613 when there is none."""
    if call.content_type != "multipart/form-data":
        raise ApiError("612", MESSAGES["612"])
    message = message_from_bytes(b"Content-Type: " + call.content_header.encode() + b"\r\n\r\n" + call.body)
    for part in message.walk():
        if part.get_param("name", header="content-disposition") == "file":
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                return payload
    raise ApiError("613", MESSAGES["613"])


def _apply(section: Section, heads: Sequence[str], rows: Sequence[Sequence[str]], act: Act) -> list[list[str]]:
    failures = []
    for cells in rows:
        try:
            act(section, _record(heads, cells))
        except RecordError as error:
            failures.append([*cells, error.message])
    return failures


def _record(heads: Sequence[str], cells: Sequence[str]) -> Record:
    if len(cells) != len(heads):
        raise RecordError("1003", "Wrong number of columns")
    return {name: _value(cell) for name, cell in zip(heads, cells, strict=True) if cell != ""}


def _value(cell: str) -> str | None:
    return None if cell.casefold() == "null" else cell


def _upsert_person(section: Section, request: SyncRequest, record: Record, list_id: int | None) -> int:
    result = people.sync(section, request, record)
    if list_id is not None:
        lists.add(section, list_id, result["id"], request.origin)
    return int(result["id"])


def _upsert_member(section: Section, request: SyncRequest, record: Record, program_id: int, status: str) -> None:
    """A row's person is upserted, its membership gets the status of the call and the member fields of the row."""
    fields = members.member_fields(section.store)
    own = {name: value for name, value in record.items() if name in fields and name not in section.store.fields}
    lead_id = _upsert_person(section, request, {name: value for name, value in record.items() if name not in own}, None)
    try:
        members.set_status(section, program_id, lead_id, status, request.origin)
    except RecordError as error:
        if error.code != "1037":
            raise
    members.set_data(section, program_id, lead_id, own, request.origin)


def _upsert_object(section: Section, request: ObjectSync, record: Mapping[str, Any]) -> None:
    objects.sync(section, request, record)


def _csv(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([heads, *rows])
    return text.getvalue()

"""Companies, sales people, opportunities, roles, custom objects: the common interface of the lead database, one resource like the other."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from streams.budget.port import Lane
from streams.marketo.api.calling import BATCH_RECORDS_MAX, Calling, field_of, in_parts, one_of, results_by_seq, shape
from streams.marketo.api.resource import Key, Resource
from streams.marketo.api.session import Answer, Call
from streams.marketo.api.wire import Lead, Schema, SyncAnswer
from streams.wire.errors import Reject
from streams.wire.events import Value


class MarketoResources:
    """Typed calls. Raises the errors of `streams.wire.errors` and nothing else; reads are safe to repeat.

    A call that is refused as a whole for what one of its records holds (718: no such owner) is a `Reject`: halve the batch.
    """

    def __init__(self, calling: Calling) -> None:
        self._calling = calling

    async def sync_records(
        self, resource: Resource, records: Sequence[Mapping[str, Value]], action: str = "createOrUpdate", lane: Lane = Lane.LIVE, *,
        by_id: bool = False,
    ) -> SyncAnswer:  # fmt: skip
        """Writes at most 300 records, each with its key fields; results in input order. `action`: createOnly, updateOnly, createOrUpdate.

        `by_id`: each carries its `id_field` instead, which Marketo takes with updateOnly only. Of a key twice in one call the second is
        skipped with 1036.
        A batch over 1 MB goes in several calls, as that of people (`MarketoRest.sync`).
        """
        frame = {"action": action, "dedupeBy": "idField" if by_id else "dedupeFields"}
        return await self._calling.write_batch(_path(resource), frame, records, lane, results_in=results_by_seq(resource.id_field))

    async def delete_records(self, resource: Resource, keys: Sequence[Key], lane: Lane = Lane.LIVE, *, by_id: bool = False) -> SyncAnswer:
        """Deletes at most 300 records by their key, or by the id that Marketo gave them; results in input order.

        `skipped` 1013 where there is none, 1022 while others refer to it.
        """
        records = [{resource.id_field: _single(each)} if by_id else resource.named(each) for each in keys]
        frame = {"deleteBy": "idField" if by_id else "dedupeFields"}
        results_in = results_by_seq(resource.id_field)
        return await self._calling.write_batch(_path(resource, "/delete"), frame, records, lane, results_in=results_in)

    async def read_records(self, resource: Resource, keys: Sequence[Key], fields: Sequence[str], lane: Lane = Lane.LIVE) -> dict[Key, Lead]:
        """Records by key, 300 a call; keys that don't exist are absent. Marketo finds them without regard to case.

        Raises `Reject` for a single key with a comma in it, which the list of values can't carry.
        """
        names = sorted({resource.id_field, *resource.key, *fields})
        asked: dict[tuple[str, ...], list[Key]] = {}
        for key in dict.fromkeys(keys):
            asked.setdefault(resource.place(resource.named(key)), []).append(key)
        found: dict[Key, Lead] = {}
        for part in in_parts([spelt[0] for spelt in asked.values()]):
            for record in await self._matching(resource, part, names, lane):
                found.update(dict.fromkeys(asked.get(resource.place(record.fields), ()), record))
        return found

    async def read_records_by_id(
        self, resource: Resource, ids: Sequence[str], fields: Sequence[str], lane: Lane = Lane.LIVE
    ) -> dict[str, Lead]:  # fmt: skip
        """Records by the id that Marketo gave them, 300 a call; ids that don't exist are absent."""
        names = sorted({resource.id_field, *fields})
        found: dict[str, Lead] = {}
        for part in in_parts(ids):
            params = one_of(resource.id_field, part, names)
            found.update({record.id: record for record in await self._pages(resource, params, names, lane, wanted=len(part))})
        return found

    async def describe_records(self, resource: Resource, lane: Lane = Lane.LIVE) -> Schema:
        """The fields with what may be written, what can be searched by, and what names a record.

        A key field counts as writable, although Marketo tells it as not updateable: a record is created with it.
        """
        answer = await self._calling.get(_path(resource, "/describe"), {}, lane)
        with shape(f"describe {resource.path}"):
            entry = answer.result[0]
            key = [str(name) for name in entry["dedupeFields"]]
            told = {row["name"]: row for row in entry["fields"]}
            fields = [field_of(row, name, updateable=name in key or bool(row.get("updateable", True))) for name, row in told.items()]
            searchable = [list(names) for names in entry.get("searchableFields", [])]
            return Schema(fields=fields, searchable=searchable, id_field=str(entry["idField"]), dedupe=key)

    async def _matching(self, resource: Resource, keys: Sequence[Key], names: Sequence[str], lane: Lane) -> list[Lead]:
        if len(resource.key) > 1:
            return await self._compound(resource, keys, names, lane)
        values = [str(value) for key in keys for value in resource.named(key).values()]
        if any("," in value for value in values):
            raise Reject(f"Marketo can't search {resource.key[0]} for a value with a comma in it", code="1003")
        return await self._pages(resource, one_of(resource.key[0], values, names), names, lane, wanted=len(values))

    async def _pages(
        self, resource: Resource, params: Mapping[str, str], names: Sequence[str], lane: Lane, *, wanted: int
    ) -> list[Lead]:  # fmt: skip
        found: list[Lead] = []
        token = ""
        while True:
            answer = await self._calling.get(_path(resource), {**params, **({"nextPageToken": token} if token else {})}, lane)
            found += _records(resource, answer, names)
            token = answer.next_page_token
            if not token or not answer.result or len(found) >= wanted:
                return found

    async def _compound(self, resource: Resource, keys: Sequence[Key], names: Sequence[str], lane: Lane) -> list[Lead]:
        """By all key fields at once: a query in the body, repeated with each page's token (Marketo, Opportunities, Query)."""
        wanted = [resource.named(key) for key in keys]
        query: dict[str, Any] = {"filterType": "dedupeFields", "fields": list(names), "input": wanted, "batchSize": BATCH_RECORDS_MAX}
        found: list[Lead] = []
        while True:
            call = Call(method="POST", path=_path(resource), params={"_method": "GET"}, body=orjson.dumps(query))
            answer = await self._calling.call(call, lane)
            found += _records(resource, answer, names)
            query["nextPageToken"] = answer.next_page_token
            if not answer.next_page_token or not answer.result or len(found) >= len(keys):
                return found


def _path(resource: Resource, more: str = "") -> str:
    return f"/rest/v1/{resource.path}{more}.json"


def _single(key: Key) -> str:
    if not isinstance(key, str):
        raise TypeError(f"an id is one text, not {key!r}")
    return key


def _records(resource: Resource, answer: Answer, names: Sequence[str]) -> list[Lead]:
    with shape(resource.path):
        return [
            Lead(id=str(row[resource.id_field]), fields={name: row.get(name) for name in names}, at=answer.at, until=answer.until)
            for row in answer.result
        ]

"""Salesforce's REST API as calls with typed answers: queries, describes, collections. Every call asks the budget for leave."""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

import orjson
import stamina

from streams.budget.port import Budget, Lane
from streams.salesforce.api.access.login import Token
from streams.salesforce.api.access.refusals import judge_answer
from streams.salesforce.api.access.session import Answer, Session
from streams.salesforce.api.answers import DeletedRows, Page, Record, deletions_of, page_of
from streams.salesforce.api.entity import Entity
from streams.salesforce.api.gathering import CLOCK, Gathering, Part, parts_in, told_together
from streams.salesforce.api.records import RECORDS_MAX, ItemResult, Row, body_of, check_count, id_in_path, results_in, rows_in
from streams.salesforce.api.soap.converting import Converting, convert_call
from streams.salesforce.api.soap.merging import Merging, merge_call
from streams.salesforce.api.soap.soap import HEADERS, INVALID_SESSION, envelope, fault_in, path_of, results_of
from streams.salesforce.api.soql import any_of, moment, name, select
from streams.wire.errors import Fatal, Retry, SyncError, Unknown
from streams.wire.systems import salesforce_id

QUERY_BATCH = 2000
_URI_CHARS_MAX = 16_000
"""Salesforce refuses a request line beyond 16,384 bytes (REST API guide, status codes 414 and 431)."""
_NOT_MODIFIED = 304
_MINUTE_MS = 60_000
DELETE_LOG_MS = 15 * 86_400_000 - 3_600_000
"""How far back `/deleted` answers, less an hour."""
_PATIENCE_SECONDS = 10.0
_USAGE = re.compile(r"api-usage=(\d+)/(\d+)")


class SalesforceRest:
    """Typed calls. Reads are repeated a few times with back-off and jitter; writes never: `Unknown` says that one may have been applied."""

    def __init__(self, session: Session, budget: Budget) -> None:
        self.session = session
        self.calls = 0
        self._budget = budget
        settings = session.settings
        self._root = settings.data_path
        self._tag = f"client={settings.client_tag}"
        self._attempts = settings.read_attempts_max
        self._gathering = Gathering(self._together, self._alone)
        allow = "true" if settings.duplicates_allowed else "false"
        self._write_headers = {
            "Sforce-Call-Options": self._tag,
            "Sforce-Auto-Assign": "FALSE",
            "Sforce-Duplicate-Rule-Header": f"allowSave={allow}; includeRecordDetails=true; runAsCurrentUser=true",
        }

    async def query(self, soql: str, lane: Lane) -> AsyncIterator[list[Record]]:
        """The rows, page by page (up to 2,000). `Retry` in the middle: the cursor is gone, start the query again."""
        async for rows in self._pages(soql, lane, everything=False):
            yield rows

    async def query_all(self, soql: str, lane: Lane, *, gathered: bool = False) -> AsyncIterator[list[Record]]:
        """Like `query`, deleted and merged rows included while they are in the recycle bin. `gathered`: as `page`."""
        async for rows in self._pages(soql, lane, everything=True, gathered=gathered):
            yield rows

    async def page(self, soql: str, lane: Lane, *, everything: bool = False, gathered: bool = False) -> Page:
        """The first page of a query, with the time at which it was read. `everything`: with deleted rows. `gathered`: it may wait for a
        moment, and goes in one call with whatever else is asked for so meanwhile."""
        path = f"{self._root}/{'queryAll' if everything else 'query'}"
        if len(soql) * 1.3 > _URI_CHARS_MAX:
            raise Fatal(f"the query on Salesforce has {len(soql)} characters, too long for its API.", remedy="Map fewer fields.")
        headers = {"Sforce-Query-Options": f"batchSize={QUERY_BATCH}"}
        return page_of(await self._read("GET", path, lane, params={"q": soql}, headers=headers, gathered=gathered))

    async def next_page(self, url: str, lane: Lane) -> Page:
        """The page behind `Page.next_url`."""
        return page_of(await self._read("GET", url, lane, headers={"Sforce-Query-Options": f"batchSize={QUERY_BATCH}"}))

    async def read(self, obj: str, ids: Sequence[str], fields: Sequence[str], lane: Lane) -> list[Record | None]:
        """Up to 200 records by id, in the order of `ids`; None for those that are gone or that we may not see."""
        rows, _, _ = await self.read_timed(obj, ids, fields, lane)
        return rows

    async def read_timed(self, obj: str, ids: Sequence[str], fields: Sequence[str], lane: Lane) -> tuple[list[Record | None], int, int]:
        """`read`, with the bounds (ms, server's clock) of the moment that the rows show."""
        check_count(len(ids))
        body = orjson.dumps({"ids": list(ids), "fields": [name(each) for each in fields]})
        answer = await self._read("POST", f"{self._root}/composite/sobjects/{name(obj)}", lane, body=body)
        return rows_in(answer.body, ids, what=f"read {obj}"), answer.at, answer.until

    async def create(self, obj: str, records: Sequence[Row], lane: Lane) -> list[ItemResult]:
        """Create up to 200 records; one result each, in order. Raises `Unknown` when the answer was lost."""
        body = body_of(obj, records)
        answer = await self._write("POST", f"{self._root}/composite/sobjects", lane, body)
        return results_in(answer.body, len(records), what=f"create {obj}", creates=True, until=answer.until)

    async def update(self, obj: str, records: Sequence[Row], lane: Lane) -> list[ItemResult]:
        """Update up to 200 records, each with its `Id`; one result each, in order. Raises `Unknown` when the answer was lost."""
        body = body_of(obj, records)
        answer = await self._write("PATCH", f"{self._root}/composite/sobjects", lane, body)
        return results_in(answer.body, len(records), what=f"update {obj}", until=answer.until)

    async def upsert(self, obj: str, ext_field: str, records: Sequence[Row], lane: Lane) -> list[ItemResult]:
        """Create or update up to 200 records by an external id field that each carries; `created` tells which."""
        body = body_of(obj, records)
        answer = await self._write("PATCH", f"{self._root}/composite/sobjects/{name(obj)}/{name(ext_field)}", lane, body)
        return results_in(answer.body, len(records), what=f"upsert {obj}", until=answer.until)

    async def delete(self, ids: Sequence[str], lane: Lane) -> list[ItemResult]:
        """Delete up to 200 records; one result each, in order."""
        check_count(len(ids))
        path = f"{self._root}/composite/sobjects?ids={','.join(id_in_path(each) for each in ids)}&allOrNone=false"
        answer = await self._write("DELETE", path, lane, None)
        return results_in(answer.body, len(ids), what="delete")

    async def merge(self, obj: str, merges: Sequence[Merging], lane: Lane) -> list[ItemResult]:
        """Up to 200 merges of records of one object; one result each, in order. Raises `Unknown` when the answer was lost."""
        answer = await self._soap("merge", merge_call(obj, merges), lane)
        return results_of(answer.body, len(merges), answer.until, what="merge")

    async def convert(self, conversions: Sequence[Converting], lane: Lane) -> list[ItemResult]:
        """Convert up to 100 leads; one result each, in order: its id is the contact's. Raises `Unknown` when the answer was lost."""
        duplicates = self.session.settings.duplicates_allowed
        answer = await self._soap("convertLead", convert_call(conversions), lane, duplicates_allowed=duplicates)
        return results_of(answer.body, len(conversions), answer.until, what="convertLead", id_tag="contactId")

    async def _soap(self, what: str, call: Element, lane: Lane, *, duplicates_allowed: bool | None = None) -> Answer:
        """The answer of a call that was not refused as a whole; once more with a new session where the old one was over."""
        token = await self.session.token()
        answer = await self._soap_once(token, call, lane, duplicates_allowed=duplicates_allowed)
        fault = fault_in(answer.body) if answer.status >= 300 else None
        if fault is not None and fault.code == INVALID_SESSION:
            answer = await self._soap_once(await self.session.refresh(token), call, lane, duplicates_allowed=duplicates_allowed)
            fault = fault_in(answer.body)
        if answer.status < 300:
            return answer
        told = orjson.dumps([{"errorCode": fault.code, "message": fault.message}]) if fault else answer.body
        status = 400 if fault and fault.code != "UNKNOWN_EXCEPTION" else answer.status
        raise judge_answer(status, told, write=True, what=f"Salesforce {what}") or Unknown(f"Salesforce {what}: no answer that tells")

    async def _soap_once(self, token: Token, call: Element, lane: Lane, *, duplicates_allowed: bool | None) -> Answer:
        client = self.session.settings.client_tag
        body = envelope(token.access_token, client, call, duplicates_allowed=duplicates_allowed)
        async with self._budget.call(lane):
            self.calls += 1
            return await self.session.request("POST", path_of(self._root), write=True, body=body, headers=HEADERS)

    async def deleted(self, obj: str, start_ms: int, end_ms: int, lane: Lane, *, gathered: bool = False) -> DeletedRows:
        """Ids deleted in a window of at most 15 days, emptied from the recycle bin or not. Raises `Gap` when the log doesn't reach back.

        Salesforce cuts both ends to the minute (SOAP API guide, getDeleted). `gathered`: as `page`.
        """
        params = {"start": moment(start_ms), "end": moment(end_ms)}
        answer = await self._read("GET", f"{self._root}/sobjects/{name(obj)}/deleted/", lane, params=params, gathered=gathered)
        return deletions_of(answer)

    async def masters(self, entity: Entity, ids: Sequence[str], lane: Lane) -> dict[str, str | None]:
        """By id (18 characters), what deleted records were merged into, None for what was not merged away, 200 a call.

        Absent: emptied from the recycle bin, or out of our sight, so that nobody can tell any more.
        """
        wanted = list(dict.fromkeys(salesforce_id(each) for each in ids))
        found: dict[str, str | None] = {}
        for start in range(0, len(wanted), RECORDS_MAX):
            where = [any_of("Id", wanted[start : start + RECORDS_MAX])]
            async for rows in self.query_all(select(entity.name, ("Id", *entity.master), where), lane):
                found.update({salesforce_id(str(row["Id"])): entity.into(row)[0] or None for row in rows})
        return found

    async def gone(self, entity: Entity, ids: Sequence[str], lane: Lane) -> frozenset[str]:
        """Those of some records (18 characters) that are deleted: by the recycle bin, 200 a call, or by the delete log of the last days,
        which knows what was emptied from the bin, too. None of an object that has neither."""
        wanted = list(dict.fromkeys(salesforce_id(each) for each in ids))
        found: set[str] = set()
        if not entity.bin:
            return frozenset()
        for start in range(0, len(wanted), RECORDS_MAX):
            where = ["IsDeleted = TRUE", any_of("Id", wanted[start : start + RECORDS_MAX])]
            async for rows in self.query_all(select(entity.name, ("Id",), where), lane):
                found.update(salesforce_id(str(row["Id"])) for row in rows)
        if found.issuperset(wanted):
            return frozenset(found)
        now = await self.server_time(lane)
        listed = await self.deleted(entity.name, now - DELETE_LOG_MS, now + _MINUTE_MS, lane)
        return frozenset(found | ({salesforce_id(each) for each in listed.ids} & set(wanted)))

    async def describe(self, obj: str, lane: Lane = Lane.LIVE) -> dict[str, Any]:
        """The object as our user may see it: fields hidden from the user are absent (SOAP API guide, DescribeSObjectResult)."""
        return await self._object(f"{self._root}/sobjects/{name(obj)}/describe", lane)

    async def is_redefined(self, obj: str, since: str, lane: Lane = Lane.LIVE) -> bool:
        """Whether the object's fields may be others than at `since` (HTTP's form of a date): asked without the fields themselves."""
        answer = await self._read("GET", f"{self._root}/sobjects/{name(obj)}/describe", lane, headers={"If-Modified-Since": since})
        return answer.status != _NOT_MODIFIED

    async def describe_global(self, lane: Lane = Lane.LIVE) -> dict[str, Any]:
        """All objects that our user may see."""
        return await self._object(f"{self._root}/sobjects", lane)

    async def limits(self, lane: Lane = Lane.LIVE) -> dict[str, Any]:
        """The org's limits: name -> {Max, Remaining}, right to within five minutes."""
        return await self._object(f"{self._root}/limits", lane)

    async def server_time(self, lane: Lane = Lane.LIVE, *, gathered: bool = False) -> int:
        """The server's clock in ms, never ahead of it: asked for with a call that costs no quota. `gathered`: as `page`."""
        answer = await self._read("GET", CLOCK, lane, gathered=gathered)
        if not answer.until:
            raise Retry("Salesforce: an answer without a Date header; the poll needs the server's clock", after_seconds=30.0)
        return answer.until - 1000

    async def exchange(
        self, method: str, path: str, lane: Lane, *, params: Mapping[str, str] | None = None, body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """A call of another interface under the same session and budget, which changes no record: it is repeated as reads are."""
        return await self._read(method, path, lane, params=params, body=body, headers=headers)

    async def _pages(self, soql: str, lane: Lane, *, everything: bool, gathered: bool = False) -> AsyncIterator[list[Record]]:
        page = await self.page(soql, lane, everything=everything, gathered=gathered)
        yield page.rows
        while page.next_url is not None:
            page = await self.next_page(page.next_url, lane)
            yield page.rows

    async def _object(self, path: str, lane: Lane) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads((await self._read("GET", path, lane)).body)
        return found

    async def _read(
        self, method: str, path: str, lane: Lane, *, params: Mapping[str, str] | None = None, body: bytes | None = None,
        headers: Mapping[str, str] | None = None, gathered: bool = False,
    ) -> Answer:  # fmt: skip
        tagged = {"Sforce-Call-Options": self._tag, **(headers or {})}
        async for attempt in stamina.retry_context(on=_worth_repeating, attempts=self._attempts, timeout=None, wait_initial=0.2):
            with attempt:
                if gathered:
                    return await self._gathering.answer(Part(path=path, params=params or {}, headers=headers or {}), lane)
                return await self._call(method, path, lane, write=False, params=params, body=body, headers=tagged)
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _alone(self, part: Part, lane: Lane) -> Answer:
        tagged = {"Sforce-Call-Options": self._tag, **part.headers}
        return await self._call("GET", part.path, lane, write=False, params=part.params, body=None, headers=tagged)

    async def _together(self, parts: Sequence[Part], lane: Lane) -> list[Answer | SyncError]:
        """What each of the parts comes to. Raises what the whole call comes to."""
        path, headers = f"{self._root}/composite", {"Sforce-Call-Options": self._tag}
        whole = await self._call("POST", path, lane, write=False, params=None, body=told_together(parts), headers=headers)
        answers = parts_in(whole, len(parts))
        return [await self._judged(answer, "GET", part.path, write=False) for part, answer in zip(parts, answers, strict=True)]

    async def _write(self, method: str, path: str, lane: Lane, body: bytes | None) -> Answer:
        return await self._call(method, path, lane, write=True, params=None, body=body, headers=self._write_headers)

    async def _call(
        self, method: str, path: str, lane: Lane, *, write: bool, params: Mapping[str, str] | None, body: bytes | None,
        headers: Mapping[str, str],
    ) -> Answer:  # fmt: skip
        async with self._budget.call(lane):
            self.calls += 1
            answer = await self.session.request(method, path, write=write, params=params, body=body, headers=headers)
            usage = _USAGE.search(answer.headers.get("Sforce-Limit-Info", ""))
            if usage:
                await self._budget.seen(int(usage[1]), int(usage[2]))
        told = await self._judged(answer, method, path, write=write)
        if isinstance(told, SyncError):
            raise told
        return told

    async def _judged(self, answer: Answer, method: str, path: str, *, write: bool) -> Answer | SyncError:
        """The answer, or what its refusal means."""
        if answer.status == _NOT_MODIFIED:
            return answer
        error = judge_answer(answer.status, answer.body, write=write, what=f"Salesforce {method} {path.partition('?')[0]}")
        if isinstance(error, Retry) and "REQUEST_LIMIT_EXCEEDED" in str(error):
            await self._budget.used_up(error.after_seconds)
        return error or answer


def _worth_repeating(error: Exception) -> bool | float:
    """Whether a read is tried again soon, and after how many seconds; long waits are the caller's."""
    if not isinstance(error, Retry) or error.after_seconds > _PATIENCE_SECONDS:
        return False
    return error.after_seconds if error.after_seconds > 1.0 else True

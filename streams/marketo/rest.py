"""Marketo's lead database and activity log over REST: one method per endpoint, every call under the budget."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import orjson

from streams.budget.port import Budget, Lane
from streams.marketo.session import Answer, Call, Expired, Held, MarketoSession
from streams.marketo.wire import ActivityType, FieldInfo, ItemResult, Lead, Page, PagingToken, Schema, SyncAnswer, Usage
from streams.wire.errors import Reject, Retry, SyncError, Unknown
from streams.wire.events import Value

BATCH_RECORDS_MAX = 300
"""Records in one write, ids in one read, rows in one page (Marketo, API limits)."""
BODY_BYTES_MAX = 1_000_000
"""Largest body we send; Marketo refuses 1 MB with HTTP 413."""
MERGE_LOSERS_MAX = 25
"""More are refused with 1080 (Marketo, Merge Leads)."""
ACTIVITY_TYPES_MAX = 10

_LEADS = "/rest/v1/leads.json"
_ACTIVITIES = "/rest/v1/activities"
_UNANSWERED = ItemResult(id=None, status="unknown", message="Marketo's answer has no result for this record")


class MarketoRest:
    """Calls to one instance. Raises the errors of `streams.wire.errors` and nothing else; reads are safe to repeat."""

    def __init__(self, session: MarketoSession, budget: Budget) -> None:
        self._session = session
        self._budget = budget
        self.calls = 0
        """Calls made, for reports."""

    async def sync(
        self, records: Sequence[Mapping[str, Value]], action: str, lookup_field: str | None, lane: Lane = Lane.LIVE
    ) -> SyncAnswer:
        """Writes at most 300 leads; results in input order. `action`: createOnly, updateOnly, createOrUpdate, createDuplicate.

        A batch over 1 MB goes in several calls. Once a part was applied, a refusal of another stands in its results, and any
        other failure is raised as `Unknown`: some of the batch is done. Records with the same key belong in one call after the
        other, never side by side: Marketo makes duplicates of concurrent upserts (Marketo, Sync Leads).
        """
        frame: dict[str, Any] = {"action": action}
        if lookup_field is not None and action not in {"createOnly", "createDuplicate"}:
            frame["lookupField"] = lookup_field
        return await self._write_batch(_LEADS, frame, records, lane)

    async def delete(self, ids: Sequence[str], lane: Lane = Lane.LIVE) -> SyncAnswer:
        """Deletes at most 300 leads; `skipped` 1004 where there is none."""
        return await self._write_batch("/rest/v1/leads/delete.json", {}, [{"id": int(each)} for each in ids], lane)

    async def merge(self, winner: str, losers: Sequence[str], lane: Lane = Lane.LIVE) -> str:
        """Merges the losers (at most 25) into the winner, whose values stay unless empty. The request id."""
        if not 0 < len(losers) <= MERGE_LOSERS_MAX:
            raise Reject(f"Marketo merge takes 1 to {MERGE_LOSERS_MAX} losers, not {len(losers)}", code="1080")
        call = Call(
            method="POST",
            path=f"/rest/v1/leads/{int(winner)}/merge.json",
            params={"leadIds": ",".join(losers)},
            write=True,
            timeout_seconds=self._session.settings.merge_seconds,
        )
        return (await self._call(call, lane)).request_id

    async def read(self, ids: Sequence[str], fields: Sequence[str], lane: Lane = Lane.LIVE) -> dict[str, Lead]:
        """Leads by id, 300 a call; ids that don't exist are absent."""
        return {lead.id: lead for lead in await self.find("id", ids, fields, lane)}

    async def find(self, filter_type: str, values: Sequence[str], fields: Sequence[str], lane: Lane = Lane.LIVE) -> list[Lead]:
        """Leads whose `filter_type` is one of `values`, 300 values a call, all pages.

        Raises `Reject` for a value with a comma, which the list of values can't carry, and what Marketo says (1003 for more
        than 1,000 matches).
        """
        if any("," in value for value in values):
            raise Reject(f"Marketo can't search {filter_type} for a value with a comma in it", code="1003")
        found: list[Lead] = []
        names = sorted({"id", *fields})
        for start in range(0, len(values), BATCH_RECORDS_MAX):
            part = values[start : start + BATCH_RECORDS_MAX]
            params = {
                "filterType": filter_type,
                "filterValues": ",".join(part),
                "fields": ",".join(names),
                "batchSize": str(BATCH_RECORDS_MAX),
            }
            token = ""
            while True:
                answer = await self._get(_LEADS, params | ({"nextPageToken": token} if token else {}), lane)
                with _shape("leads"):
                    found += [_lead(row, names, answer) for row in answer.result]
                token = answer.next_page_token
                if not token or not answer.result or (filter_type == "id" and len(answer.result) >= len(part)):
                    break
        return found

    async def describe2(self, lane: Lane = Lane.LIVE) -> Schema:
        """The lead's fields with what may be written, and what can be searched by."""
        answer = await self._get("/rest/v1/leads/describe2.json", {}, lane)
        with _shape("describe2"):
            entry = answer.result[0]
            fields = [_field(row, row["name"], updateable=bool(row.get("updateable", True))) for row in entry["fields"]]
            return Schema(fields=fields, searchable=[list(names) for names in entry.get("searchableFields", [])])

    async def describe(self, lane: Lane = Lane.LIVE) -> list[FieldInfo]:
        """The lead's fields with their numeric ids; fields that REST can't see are left out."""
        answer = await self._get("/rest/v1/leads/describe.json", {}, lane)
        with _shape("describe"):
            seen = [row for row in answer.result if "rest" in row]
            return [_field(row, row["rest"]["name"], updateable=not row["rest"].get("readOnly", False)) for row in seen]

    async def create_fields(self, fields: Sequence[Mapping[str, Value]], lane: Lane = Lane.LIVE) -> SyncAnswer:
        """Creates custom lead fields (`name`, `displayName`, `dataType`); they can be hidden later, never deleted."""
        return await self._write_batch("/rest/v1/leads/schema/fields.json", {}, fields, lane)

    async def activity_types(self, lane: Lane = Lane.LIVE) -> list[ActivityType]:
        """The instance's own list of activity types."""
        answer = await self._get(f"{_ACTIVITIES}/types.json", {}, lane)
        with _shape("activity types"):
            return [
                ActivityType(id=int(row["id"]), name=row.get("name", ""), attributes=[each["name"] for each in row.get("attributes") or []])
                for row in answer.result
            ]

    async def paging_token(self, since_ms: int, lane: Lane = Lane.LIVE) -> PagingToken:
        """A token for activities after a moment (whole seconds)."""
        since = datetime.fromtimestamp(since_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        answer = await self._get(f"{_ACTIVITIES}/pagingtoken.json", {"sinceDatetime": since}, lane)
        return PagingToken(token=answer.next_page_token, server_ms=answer.at)

    async def activities(self, token: str, type_ids: Sequence[int], lane: Lane = Lane.LIVE, leads: Sequence[str] = ()) -> Page:
        """Activities of at most 10 types from `token` on; of these leads only (at most 30), where some are named."""
        if not 0 < len(type_ids) <= ACTIVITY_TYPES_MAX:
            raise Reject(f"Marketo takes 1 to {ACTIVITY_TYPES_MAX} activity types a call, not {len(type_ids)}", code="1027")
        params = {"nextPageToken": token, "activityTypeIds": ",".join(map(str, type_ids))}
        return await self._page(".json", params | ({"leadIds": ",".join(leads)} if leads else {}), lane)

    async def memberships(self, lead: str, of: str, lane: Lane = Lane.LIVE) -> list[str]:
        """The ids of the lists, programs or smart campaigns that a lead is in (`of`: list, program, smartCampaign); the first 300.

        A row of another shape than expected is a membership all the same, and shown as it is.
        """
        answer = await self._get(f"/rest/v1/leads/{int(lead)}/{of}Membership.json", {"batchSize": str(BATCH_RECORDS_MAX)}, lane)
        with _shape("memberships"):
            return [str(row.get(f"{of}Id") or row.get("id") or row) for row in answer.result]

    async def deleted_leads(self, token: str, lane: Lane = Lane.LIVE) -> Page:
        """Type 37 from `token` on; Marketo may forget deletions after 14 days."""
        return await self._page("deletedleads.json", {"nextPageToken": token}, lane)

    async def usage(self, lane: Lane = Lane.LIVE) -> Usage:
        """Calls of the day."""
        answer = await self._get("/rest/v1/stats/usage.json", {}, lane)
        with _shape("usage"):
            row = answer.result[0] if answer.result else {}
            users = {str(each.get("userId", "")): int(each.get("count", 0)) for each in row.get("users") or []}
            return Usage(date=str(row.get("date", "")), total=int(row.get("total", 0)), users=users)

    async def _page(self, name: str, params: dict[str, str], lane: Lane) -> Page:
        separator = "" if name.startswith(".") else "/"
        answer = await self._get(f"{_ACTIVITIES}{separator}{name}", params | {"batchSize": str(BATCH_RECORDS_MAX)}, lane)
        token = answer.next_page_token or params["nextPageToken"]
        return Page(rows=answer.result, token=token, more=answer.more, at=answer.at, until=answer.until)

    async def _get(self, path: str, params: Mapping[str, str], lane: Lane) -> Answer:
        return await self._call(Call(method="GET", path=path, params=params), lane)

    async def _call(self, call: Call, lane: Lane) -> Answer:
        """A call that is repeated with another token asks for leave a second time, with the first place given back: Marketo counts both."""
        try:
            try:
                return await self._attempt(call, lane)
            except Expired as error:
                return await self._attempt(call, lane, error)
        except Held as limit:
            await self._budget.used_up(limit.hold_seconds)
            raise

    async def _attempt(self, call: Call, lane: Lane, expired: Expired | None = None) -> Answer:
        async with self._budget.call(lane):
            self.calls += 1
            return await self._session.attempt(call, expired)

    async def _write_batch(self, path: str, frame: Mapping[str, Any], records: Sequence[Mapping[str, Value]], lane: Lane) -> SyncAnswer:
        if len(records) > BATCH_RECORDS_MAX:
            raise Reject(f"Marketo takes {BATCH_RECORDS_MAX} records a call, not {len(records)}")
        results: list[ItemResult] = []
        request_ids: list[str] = []
        until = 0
        for part in _parts(frame, records):
            if part.body is None:
                results.append(ItemResult(id=None, status="skipped", code="413", message="the record alone is larger than 1 MB"))
                continue
            try:
                answer = await self._call(Call(method="POST", path=path, body=part.body, write=True), lane)
            except Reject as error:
                if not request_ids:
                    raise
                results += [ItemResult(id=None, status="skipped", code=error.code, message=str(error))] * part.count
                continue
            except SyncError as error:
                if not request_ids:
                    raise
                after_seconds = error.after_seconds if isinstance(error, Retry) else 1.0
                raise Unknown(f"part of the batch was applied, then: {error}", after_seconds=after_seconds) from error
            request_ids.append(answer.request_id)
            until = max(until, answer.until)
            results += _results(answer.result, part.count)
        return SyncAnswer(request_id=",".join(request_ids), results=results, until=until)


class _Part:
    """A stretch of a batch that fits one body; `body` is None for a record that fits none."""

    __slots__ = ("body", "count")

    def __init__(self, body: bytes | None, count: int) -> None:
        self.body = body
        self.count = count


def _parts(frame: Mapping[str, Any], records: Sequence[Mapping[str, Value]]) -> list[_Part]:
    """The batch in as few bodies as fit, halved where one is too large."""
    if not records:
        return []
    body = orjson.dumps({**frame, "input": list(records)})
    if len(body) <= BODY_BYTES_MAX:
        return [_Part(body, len(records))]
    if len(records) == 1:
        return [_Part(None, 1)]
    middle = len(records) // 2
    return _parts(frame, records[:middle]) + _parts(frame, records[middle:])


def _results(rows: Sequence[Any], count: int) -> list[ItemResult]:
    """One result per record, correlated by index: lead results carry no `seq` (Marketo, Sync Leads)."""
    results = [_result(row) if isinstance(row, dict) else _UNANSWERED for row in rows[:count]]
    return results + [_UNANSWERED] * (count - len(results))


def _result(row: dict[str, Any]) -> ItemResult:
    reasons = row.get("reasons") or row.get("errors") or [{}]
    identity = row.get("id")
    return ItemResult(
        id=str(identity) if identity is not None else None,
        status=str(row.get("status", "")),
        code=str(reasons[0].get("code", "")),
        message=str(reasons[0].get("message", "")),
    )


def _field(row: dict[str, Any], name: str, *, updateable: bool) -> FieldInfo:
    return FieldInfo(
        name=name,
        label=row.get("displayName", ""),
        type=row.get("dataType", ""),
        length=row.get("length"),
        updateable=updateable,
        number=row.get("id"),
    )


@contextmanager
def _shape(what: str) -> Iterator[None]:
    """An answer that isn't built as documented is refused, not stumbled over."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise Reject(f"Marketo's answer ({what}) has an unexpected shape: {type(error).__name__} {error}") from error


def _lead(row: dict[str, Any], names: Sequence[str], answer: Answer) -> Lead:
    return Lead(id=str(row["id"]), fields={name: row.get(name) for name in names}, at=answer.at, until=answer.until)

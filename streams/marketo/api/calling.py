"""Calls to one Marketo instance, each under the budget, and batches of records in as few of them as fit."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import orjson

from streams.budget.port import Budget, Lane
from streams.marketo.api.session import Answer, Call, Expired, Held, MarketoSession
from streams.marketo.api.wire import FieldInfo, ItemResult, SyncAnswer
from streams.wire.errors import Reject, Retry, SyncError, Unknown
from streams.wire.events import Value

BATCH_RECORDS_MAX = 300
"""Records in one write, ids in one read, rows in one page (Marketo, API limits)."""
BODY_BYTES_MAX = 1_000_000
"""Largest body we send; Marketo refuses 1 MB with HTTP 413."""

BY_HAND_SECONDS = 45.0
"""The patience of a command that a person waits for: two of Marketo's windows of 20 seconds, and a little."""

_UNANSWERED = ItemResult(id=None, status="unknown", message="Marketo's answer has no result for this record")

Results = Callable[[Sequence[Any], int], list[ItemResult]]
"""(rows of an answer, how many records were sent): one result each, in their order."""

Each = TypeVar("Each")


class Calling:
    """What all resources of one instance share: the session, the budget, the count of calls.

    `patience_seconds`: for how long a call is made again here that Marketo refused for a limit of the whole instance (606, 615; nothing was
    done). A worker needs none of it, since the budget and its loops know what else there is to do; a command that a person waits for does.
    """

    def __init__(self, session: MarketoSession, budget: Budget, patience_seconds: float = 0.0) -> None:
        self.session = session
        self._budget = budget
        self._patience_seconds = patience_seconds
        self.calls = 0

    async def get(self, path: str, params: Mapping[str, str], lane: Lane) -> Answer:
        return await self.call(Call(method="GET", path=path, params=params), lane)

    async def call(self, call: Call, lane: Lane) -> Answer:
        """A call that is repeated with another token asks for leave a second time, with the first place given back: Marketo counts both."""
        patience = self._patience_seconds
        while True:
            try:
                return await self._twice(call, lane)
            except Held as limit:
                await self._budget.used_up(limit.hold_seconds)
                patience -= limit.after_seconds
                if patience < 0:
                    raise
                await asyncio.sleep(limit.after_seconds)

    async def _twice(self, call: Call, lane: Lane) -> Answer:
        try:
            return await self._attempt(call, lane)
        except Expired as error:
            return await self._attempt(call, lane, error)

    async def _attempt(self, call: Call, lane: Lane, expired: Expired | None = None) -> Answer:
        async with self._budget.call(lane) as ticket:
            self.calls += 1
            try:
                return await self.session.attempt(call, expired)
            except Expired:
                if ticket is not None:
                    ticket.taken()
                raise

    async def write_batch(
        self, path: str, frame: Mapping[str, Any], records: Sequence[Mapping[str, Value]], lane: Lane, *, results_in: Results
    ) -> SyncAnswer:  # fmt: skip
        """At most 300 records, in several calls where they are over 1 MB together."""
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
                answer = await self.call(Call(method="POST", path=path, body=part.body, write=True), lane)
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
            results += results_in(answer.result, part.count)
        return SyncAnswer(request_id=",".join(request_ids), results=results, until=until)


def in_parts(values: Sequence[Each]) -> Iterator[Sequence[Each]]:
    """As many as fit one call, and again."""
    for start in range(0, len(values), BATCH_RECORDS_MAX):
        yield values[start : start + BATCH_RECORDS_MAX]


def one_of(name: str, values: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """The query for records whose `name` is one of these values, with the fields `names`."""
    return {"filterType": name, "filterValues": ",".join(values), "fields": ",".join(names), "batchSize": str(BATCH_RECORDS_MAX)}


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


def results_by_place(rows: Sequence[Any], count: int) -> list[ItemResult]:
    """One result per record, correlated by index: lead results carry no `seq` (Marketo, Sync Leads)."""
    results = [_result(row) if isinstance(row, dict) else _UNANSWERED for row in rows[:count]]
    return results + [_UNANSWERED] * (count - len(results))


def results_by_seq(id_field: str) -> Results:
    """Correlated by `seq`, which the results of all records but leads carry (Marketo, Lead Database)."""

    def results_in(rows: Sequence[Any], count: int) -> list[ItemResult]:
        results = [_UNANSWERED] * count
        for row in rows:
            seq = row.get("seq") if isinstance(row, dict) else None
            if isinstance(seq, int) and 0 <= seq < count:
                results[seq] = _result(row, id_field)
        return results

    return results_in


def _result(row: dict[str, Any], id_field: str = "id") -> ItemResult:
    reasons = row.get("reasons") or row.get("errors") or [{}]
    identity = row.get(id_field)
    return ItemResult(
        id=str(identity) if identity is not None else None,
        status=str(row.get("status", "")),
        code=str(reasons[0].get("code", "")),
        message=str(reasons[0].get("message", "")),
    )


def field_of(row: dict[str, Any], name: str, *, updateable: bool) -> FieldInfo:
    return FieldInfo(
        name=name,
        label=row.get("displayName", ""),
        type=row.get("dataType", ""),
        length=row.get("length"),
        updateable=updateable,
        number=row.get("id"),
    )


@contextmanager
def shape(what: str) -> Iterator[None]:
    """An answer that isn't built as documented is refused, not stumbled over."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise Reject(f"Marketo's answer ({what}) has an unexpected shape: {type(error).__name__} {error}") from error

"""Bulk extract: jobs that write a file of people, or of members of programs, and the file by ranges (Marketo, bulk extract)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from streams.budget.port import Lane
from streams.marketo.api.calling import Calling, shape
from streams.marketo.api.refusals import seconds_to_reset
from streams.marketo.api.session import Answer, Call
from streams.wire.errors import Reject, Retry
from streams.wire.systems import PERSON, Object

PATHS: Mapping[Object, str] = {PERSON: "leads", Object("member"): "program/members"}
"""What can be extracted, by what it is called on the topics."""
RANGE_MS = 31 * 86_400_000
"""The longest stretch of time that one job may be asked for."""
JOBS_MAX = 2
"""So many run at once, whoever made them."""
EMPTY = "null"
"""How a file writes an empty cell."""
_UNKNOWN, _MISSING = "1013", "404"
_FULL_DAY = "quota"
"""In the words of a refusal that lasts until the day's bytes are counted anew; a full queue is told under the same number (1029)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extract:
    """A job as Marketo tells it. Times in ms of the server's clock, whole seconds; 0: not yet."""

    id: str
    status: str
    started_ms: int = 0
    finished_ms: int = 0
    rows: int = 0
    size: int = 0
    error: str = ""

    @property
    def is_complete(self) -> bool:
        """Whether its file can be fetched."""
        return self.status == "Completed"

    @property
    def is_waiting(self) -> bool:
        """Whether it has yet to be put into the queue."""
        return self.status == "Created"

    @property
    def is_broken(self) -> bool:
        """Whether it ends without a file."""
        return self.status in {"Failed", "Canceled", "Cancelled"}


class MarketoBulk:
    """Typed calls. Raises the errors of `streams.wire.errors`; a job that nobody puts into the queue costs nothing."""

    def __init__(self, calling: Calling) -> None:
        self._calling = calling

    @property
    def calls(self) -> int:
        """Calls made, for reports."""
        return self._calling.calls

    async def make(self, obj: Object, fields: Sequence[str], wanted: Mapping[str, Any], lane: Lane) -> Extract:
        """A job of these fields and this filter, not yet in the queue."""
        body = {"fields": list(fields), "format": "CSV", "filter": dict(wanted)}
        return _extract(await self._post(f"{_root(obj)}/create.json", orjson.dumps(body), lane))

    async def enqueue(self, obj: Object, job: str, lane: Lane) -> Extract:
        """Puts it into the queue. Raises `Retry`: until the queue has room, or the day's bytes are counted anew."""
        return _extract(await self._post(f"{_root(obj)}/{job}/enqueue.json", None, lane))

    async def cancel(self, obj: Object, job: str, lane: Lane) -> None:
        """Ends it, if it hasn't ended yet."""
        try:
            await self._post(f"{_root(obj)}/{job}/cancel.json", None, lane)
        except Reject:
            return  # it has ended, or is gone: the same to whoever wants none of it

    async def look(self, obj: Object, job: str, lane: Lane) -> Extract | None:
        """How it stands, as Marketo tells it anew once a minute; None: it doesn't know it any more."""
        try:
            return _extract(await self._calling.get(f"{_root(obj)}/{job}/status.json", {}, lane))
        except Reject as error:
            if error.code == _UNKNOWN:
                return None
            raise

    async def piece(self, obj: Object, job: str, start: int, end: int, lane: Lane) -> bytes | None:
        """These bytes of the file (`end` not included; fewer at its end); None where the file is gone (kept for seven days)."""
        call = Call(method="GET", path=f"{_root(obj)}/{job}/file.json", span=(start, end), timeout_seconds=_PIECE_SECONDS)
        try:
            return (await self._calling.call(call, lane)).body
        except Reject as error:
            if error.code in {_MISSING, _UNKNOWN}:
                return None
            raise

    async def _post(self, path: str, body: bytes | None, lane: Lane) -> Answer:
        """No record is changed by it, so it may be repeated."""
        try:
            return await self._calling.call(Call(method="POST", path=path, body=body), lane)
        except Retry as error:
            if error.everyone or _FULL_DAY not in str(error).casefold():
                raise
            raise Retry(str(error), after_seconds=seconds_to_reset(self._calling.session.server_now_ms())) from error


_PIECE_SECONDS = 120.0


def created_between(start_ms: int, end_ms: int) -> dict[str, Any]:
    """The filter for people who were created from one second to another, both included."""
    return {"createdAt": {"startAt": _stamp(start_ms), "endAt": _stamp(end_ms)}}


def _root(obj: Object) -> str:
    return f"/bulk/v1/{PATHS[obj]}/export"


def _stamp(ms: int) -> str:
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _extract(answer: Answer) -> Extract:
    with shape("bulk extract"):
        row = answer.result[0]
        return Extract(
            id=str(row["exportId"]),
            status=str(row["status"]),
            started_ms=_ms(row.get("startedAt")),
            finished_ms=_ms(row.get("finishedAt")),
            rows=int(row.get("numberOfRecords") or 0),
            size=int(row.get("fileSize") or 0),
            error=str(row.get("errorMsg") or ""),
        )


def _ms(stamp: object) -> int:
    return round(datetime.fromisoformat(str(stamp).replace("+0000", "+00:00")).timestamp() * 1000) if stamp else 0

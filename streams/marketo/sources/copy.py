"""The first copy of people, or of members of programs, as a source: bulk extracts one after the other, resumable within a file.

People are extracted by when they were created, 31 days a job; members by program. While one file is read the next job runs, since an
instance runs two. A row shows some moment between the begin and the end of its job: what the feed has told of a later one stands, and what
it told of one in between is read again by whoever judges it.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec
import structlog

from streams.budget.port import Lane
from streams.marketo.api.bulk import EMPTY, JOBS_MAX, RANGE_MS, Extract, MarketoBulk, created_between
from streams.marketo.api.wire import Lead
from streams.wire.errors import Fatal, Reject, Retry
from streams.wire.events import Batch, ChangeEvent, Value
from streams.wire.sheets import in_batches, rows_of, typed, whole_rows
from streams.wire.systems import Object

SOURCE = "copy"
"""`source` of the readings of a first copy."""
PIECE_BYTES = 4 << 20
BATCH_ROWS = 500
_LOOKS_SECONDS = (2.0, 28.0, 30.0)
"""Between two looks at a job, the longer the longer it takes."""
_SECOND_MS = 1_000
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one job is asked for. `name`: of all parts of a source, this one."""

    name: str
    wanted: Mapping[str, Any]


class ExtractMark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The position: the part being read, its job and that of the next; of its file `offset` bytes and `passed` rows behind them."""

    part: str = ""
    jobs: dict[str, str] = {}
    names: list[str] = []
    """The columns of the file, once its head was read."""
    offset: int = 0
    passed: int = 0
    found: int = 0
    """Rows of this file."""
    done: bool = False
    rows: int = 0
    calls: int = 0
    bytes: int = 0

    def text(self) -> str:
        """As saved."""
        return msgspec.json.encode(self).decode()


def name_of(obj: Object) -> str:
    """What the copy of an object is called."""
    return f"copy.marketo.{obj}"


def by_creation(since_ms: int, until_ms: int) -> list[Part]:
    """The parts for everybody who was created in a stretch of time, each as long as a job may be asked for; seconds, both included."""
    starts = range(since_ms // _SECOND_MS * _SECOND_MS, until_ms + 1, RANGE_MS)
    return [
        Part(name=str(start), wanted=created_between(start, min(until_ms, start + RANGE_MS - _SECOND_MS)))
        for start in starts
    ]  # fmt: skip


def by_program(programs: Iterable[str]) -> list[Part]:
    """The parts for all members of some programs."""
    return [Part(name=each, wanted={"programId": int(each)}) for each in programs]


class ExtractSource:
    """All rows of some parts, once, as readings; ends behind the last. `reading` makes an event of a row, or none.

    `types`: data type by REST name of every field of interest; `key`: the column that names a row; `visible`: those fields that can be read
    now, `unseen_fields`, of a job that was refused, whether that has become fewer. A job that Marketo has forgotten or given up is made
    again, and its file read from its begin.
    """

    def __init__(
        self,
        bulk: MarketoBulk,
        obj: Object,
        parts: Callable[[], Awaitable[Sequence[Part]]],
        *,
        key: str,
        types: Mapping[str, str],
        reading: Callable[[str, Lead], ChangeEvent],
        visible: Callable[[Iterable[str]], list[str]] = list,
        unseen_fields: Callable[[Reject], Awaitable[bool]] | None = None,
        lane: Lane = Lane.COPY,
        piece_bytes: int = PIECE_BYTES,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name_of(obj)
        self._bulk, self._object, self._parts, self._key, self._types, self._reading = bulk, obj, parts, key, types, reading
        self._visible, self._unseen_fields, self._lane = visible, unseen_fields, lane
        self._piece_bytes, self._wait = piece_bytes, wait

    async def batches(self, position: str | None) -> AsyncGenerator[Batch, None]:
        """From `position` to the end."""
        mark = _mark(position, self.name)
        parts = await self._parts()
        left = list(parts) if not mark.part else list(parts)[[part.name for part in parts].index(mark.part) :]
        while left and not mark.done:
            async for batch, passed in self._file(left[:JOBS_MAX], mark):
                mark = passed
                yield batch
            if mark.part != left[0].name:
                left.pop(0)
        mark = msgspec.structs.replace(mark, done=True, jobs={})
        yield Batch(events=[], position=mark.text(), caught_up=True)

    async def _file(self, parts: Sequence[Part], mark: ExtractMark) -> AsyncGenerator[tuple[Batch, ExtractMark], None]:
        """The first of these parts; the mark behind it is at the next one, or at this one again where its job is lost."""
        part, *others = parts
        mark = msgspec.structs.replace(mark, part=part.name)
        for each in parts:
            if each.name not in mark.jobs:
                calls = self._bulk.calls
                job = await self._made(each)
                mark = _spent(msgspec.structs.replace(mark, jobs={**mark.jobs, each.name: job.id}), self._bulk.calls - calls)
                yield Batch(events=[], position=mark.text()), mark
        calls = self._bulk.calls
        job_now = await self._completed(mark.jobs[part.name], [mark.jobs[each.name] for each in others])
        mark = _spent(mark, self._bulk.calls - calls)
        ended = False
        while job_now is not None and not ended:
            calls = self._bulk.calls
            data = await self._bulk.piece(self._object, job_now.id, mark.offset, mark.offset + self._piece_bytes, self._lane)
            mark = _spent(mark, self._bulk.calls - calls)
            if data is None:
                job_now = None
                break
            ended = mark.offset + len(data) >= job_now.size or not data
            if not data:
                break  # interrupted between its last row and the next part
            whole = len(data) if ended else whole_rows(data)
            if not whole:
                raise Fatal(f"{self.name}: a row of more than {self._piece_bytes} bytes.", remedy="Map fewer or shorter fields.")
            async for step in self._rows(data[:whole], job_now, mark):
                yield step
                mark = step[1]
        jobs = {name: job for name, job in mark.jobs.items() if name != part.name}
        rows, following = mark.rows, others[0].name if others else ""
        if job_now is None:
            log.warning("copy.job_lost", source=self.name, part=part.name)
            rows, following = mark.rows - mark.found, part.name
        done = not following
        mark = msgspec.structs.replace(mark, part=following, jobs=jobs, names=[], offset=0, passed=0, found=0, rows=rows, done=done)
        yield Batch(events=[], position=mark.text()), mark

    async def _rows(self, data: bytes, job: Extract, mark: ExtractMark) -> AsyncGenerator[tuple[Batch, ExtractMark], None]:
        """A piece in batches; the last one's mark is behind the piece."""
        rows = rows_of(data)
        if not mark.offset:
            mark = msgspec.structs.replace(mark, names=next(rows, []))
        behind = mark.offset + len(data)
        for part, last in in_batches(islice(rows, mark.passed, None), BATCH_ROWS):
            events = [self._event(mark.names, row, job, mark.part) for row in part]
            passed, found = mark.passed + len(part), mark.found + len(part)
            mark = msgspec.structs.replace(mark, passed=passed, rows=mark.rows + len(part), found=found)
            if last:
                mark = msgspec.structs.replace(mark, offset=behind, passed=0, bytes=mark.bytes + len(data))
            yield Batch(events=events, position=mark.text()), mark

    def _event(self, names: Sequence[str], row: Sequence[str], job: Extract, part: str) -> ChangeEvent:
        told: dict[str, Value] = typed(names, row, self._types, empty=EMPTY)
        at, until = job.started_ms, job.finished_ms + _SECOND_MS - 1
        fields = {name: value for name, value in told.items() if name != self._key}
        return self._reading(part, Lead(id=str(told[self._key]), fields=fields, at=at, until=until))

    async def _made(self, part: Part) -> Extract:
        names = [self._key, *(each for each in self._visible(sorted(self._types)) if each != self._key)]
        try:
            return await self._bulk.make(self._object, names, part.wanted, self._lane)
        except Reject as error:
            if self._unseen_fields is not None and await self._unseen_fields(error):
                raise Retry(f"{self.name}: something can't be read any more, it goes on without: {error}", after_seconds=0.1) from error
            remedy = "Check that every mapped field exists in Marketo and that the API user may read it."
            raise Fatal(f"{self.name}: Marketo refuses the extract: {error}.", remedy=remedy) from error

    async def _completed(self, job: str, others: Sequence[str]) -> Extract | None:
        """The job, once its file is there; None where it is none any more. Those behind it are put into the queue, too, as far as there
        is room."""
        looks, queued, asked = 0, False, False
        while True:
            found = await self._bulk.look(self._object, job, self._lane)
            if found is not None and found.is_waiting and not asked:
                await self._bulk.enqueue(self._object, job, self._lane)
                asked = True  # its status may tell of it a minute later
            if not queued:
                queued = await self._queued(others)
            if found is None or found.is_complete:
                return found
            if found.is_broken:
                log.warning("copy.job_failed", source=self.name, job=job, status=found.status, error=found.error)
                return None
            await self._wait(_LOOKS_SECONDS[min(looks, len(_LOOKS_SECONDS) - 1)])
            looks += 1

    async def _queued(self, jobs: Sequence[str]) -> bool:
        """Whether all of these are in the queue now; what has no room waits for its turn."""
        try:
            for job in jobs:
                found = await self._bulk.look(self._object, job, self._lane)
                if found is not None and found.is_waiting:
                    await self._bulk.enqueue(self._object, job, self._lane)
        except Retry as error:
            log.info("copy.job_waits", source=self.name, reason=str(error))
            return True
        return True


def _spent(mark: ExtractMark, calls: int) -> ExtractMark:
    return msgspec.structs.replace(mark, calls=mark.calls + calls)


def _mark(position: str | None, name: str) -> ExtractMark:
    if position is None:
        return ExtractMark()
    try:
        return msgspec.json.decode(position, type=ExtractMark)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Fatal(f"the saved position of {name} can't be read: {error}.", remedy="Cancel this copy and start another one.") from None

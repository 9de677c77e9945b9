"""The first copy of one object as a source: a Bulk API 2.0 query, fetched page by page, resumable within a page.

A row tells by its own stamp how it stood: changed last before the job was made, it shows that moment; changed since, the second of its
stamp. (Nothing was changed between its stamp and when it was read.) So what the stream has told of a later moment stands, as long as a
job may take.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from itertools import islice

import msgspec
import structlog

from streams.budget.port import Lane
from streams.salesforce.api.bulk import BulkQueries, QueryJob, Sheet
from streams.salesforce.api.entity import MODIFIED, Entity, last_change
from streams.salesforce.api.money import Money
from streams.salesforce.api.soql import any_of, moment_ms
from streams.wire.errors import Fatal, Reject, Retry
from streams.wire.events import Batch, ChangeEvent, Happened, Value
from streams.wire.sheets import in_batches, rows_of, typed
from streams.wire.systems import SALESFORCE, Object, salesforce_id

SOURCE = "copy"
"""`source` of the readings of a first copy."""
PAGE_ROWS = 10_000
BATCH_ROWS = 500
_STAMP = "SystemModstamp"
_SCOPE_MAX = 400
_SECOND_MS = 1_000
_LOOKS_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Between two looks at a job, the longer the longer it takes."""
log = structlog.get_logger(__name__)


class CopyMark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The position: of a job's page (`locator`) so many rows (`passed`) were passed on; and what it came to so far."""

    object: Object
    job: str = ""
    made_ms: int = 0
    locator: str = ""
    passed: int = 0
    done: bool = False
    rows: int = 0
    calls: int = 0
    bytes: int = 0
    total: int = 0
    """Rows that the job has found; 0 while it works."""

    def text(self) -> str:
        """As saved."""
        return msgspec.json.encode(self).decode()


def name_of(obj: Object) -> str:
    """What the copy of an object is called."""
    return f"copy.salesforce.{obj}"


class CopySource:
    """All live records of an object, once: readings with nulls, as the poll's. Ends behind the last.

    `types`: a field's type as Salesforce describes it. `visible`: those of `fields` that can be read now; `unseen_fields`, of a query that
    was refused, whether that has become fewer. `scope`: the records of interest, of those that `Entity.scope` names. A job that Salesforce
    has forgotten, or has given up, is made again and read from its begin.
    """

    def __init__(
        self,
        bulk: BulkQueries,
        entity: Entity,
        fields: Iterable[str],
        *,
        types: Callable[[], dict[str, str]],
        visible: Callable[[Iterable[str]], list[str]] = list,
        unseen_fields: Callable[[Reject], Awaitable[bool]] | None = None,
        scope: Callable[[], Awaitable[Sequence[str]]] | None = None,
        money: Money | None = None,
        lane: Lane = Lane.COPY,
        page_rows: int = PAGE_ROWS,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.name = name_of(entity.object)
        self._bulk, self._entity, self._types, self._visible, self._unseen_fields = bulk, entity, types, visible, unseen_fields
        self._fields = tuple(dict.fromkeys(each for each in fields if each != "Id"))
        self._conversion = frozenset(entity.conversion)
        self._scope, self._money, self._lane, self._page_rows, self._wait = scope, money, lane, page_rows, wait
        self._within: frozenset[str] | None = None

    async def batches(self, position: str | None) -> AsyncGenerator[Batch, None]:
        """From `position` to the end."""
        mark = _mark(position, self._entity.object, self.name)
        while not mark.done:
            mark = await self._with_job(mark)
            yield Batch(events=[], position=mark.text())
            if mark.done:
                return
            calls = self._bulk.calls
            job = await self._completed(mark)
            if job is None:
                log.warning("copy.job_lost", source=self.name, job=mark.job)
                mark = CopyMark(object=mark.object, calls=mark.calls + self._bulk.calls - calls, bytes=mark.bytes)
                continue
            mark = msgspec.structs.replace(mark, total=job.rows, calls=mark.calls + self._bulk.calls - calls)
            async for batch, passed in self._pages(mark):
                mark = passed
                yield batch
        yield Batch(events=[], position=mark.text(), caught_up=True)

    async def _with_job(self, mark: CopyMark) -> CopyMark:
        """With a job under way; done where nothing is of interest."""
        where: Sequence[str] = ()
        if self._scope is not None:
            ids = await self._scope()
            if not ids:
                return msgspec.structs.replace(mark, done=True)
            self._within = None if len(ids) <= _SCOPE_MAX else frozenset(ids)
            where = () if self._within is not None else [any_of(self._entity.scope, ids)]
        if mark.job:
            return mark
        calls = self._bulk.calls
        job = await self._made(where)
        return msgspec.structs.replace(mark, job=job.id, made_ms=job.made_ms, calls=mark.calls + self._bulk.calls - calls)

    async def _made(self, where: Sequence[str]) -> QueryJob:
        columns = ("Id", _STAMP, *MODIFIED, *self._visible(self._fields), *sorted(self._conversion))
        try:
            soql = self._entity.select(columns, (*self._entity.alive, *where))
            return await self._bulk.make(soql, self._lane, everything=self._entity.archives)
        except Reject as error:
            if error.code == "INVALID_FIELD" and self._conversion - set(self._fields):
                self._conversion = frozenset()
                raise Retry(f"{self.name}: conversions can't be seen, it goes on without: {error}", after_seconds=0.1) from error
            if self._unseen_fields is not None and await self._unseen_fields(error):
                raise Retry(f"{self.name}: something can't be read any more, it goes on without: {error}", after_seconds=0.1) from error
            remedy = "Check the mapping against the fields that the integration user may see."
            raise Fatal(f"{self.name}: Salesforce refuses the query: {error}.", remedy=remedy) from error

    async def _completed(self, mark: CopyMark) -> QueryJob | None:
        """The job, once it is complete; None where it is none any more. `Retry` where it was given up: it is made again."""
        looks = 0
        while True:
            job = await self._bulk.look(mark.job, self._lane)
            if job is None or job.is_complete:
                return job
            if job.is_broken:
                log.warning("copy.job_failed", source=self.name, job=job.id, state=job.state, error=job.error)
                return None
            await self._wait(_LOOKS_SECONDS[min(looks, len(_LOOKS_SECONDS) - 1)])
            looks += 1

    async def _pages(self, mark: CopyMark) -> AsyncGenerator[tuple[Batch, CopyMark], None]:
        while not mark.done:
            calls = self._bulk.calls
            sheet = await self._bulk.sheet(mark.job, mark.locator, self._page_rows, self._lane)
            if sheet is None:
                mark = CopyMark(object=mark.object, calls=mark.calls + 1, bytes=mark.bytes)
                yield Batch(events=[], position=mark.text()), mark
                return
            mark = msgspec.structs.replace(mark, calls=mark.calls + self._bulk.calls - calls, bytes=mark.bytes + len(sheet.body))
            async for step in self._rows(sheet, mark):
                yield step
                mark = step[1]

    async def _rows(self, sheet: Sheet, mark: CopyMark) -> AsyncGenerator[tuple[Batch, CopyMark], None]:
        """A page in batches; the last one's mark is behind the page."""
        rows = rows_of(sheet.body)
        names, types = next(rows, []), self._types()
        for part, last in in_batches(islice(rows, mark.passed, None), BATCH_ROWS):
            events = [event for row in part if (event := self._reading(names, row, types, mark)) is not None]
            mark = msgspec.structs.replace(mark, passed=mark.passed + len(part), rows=mark.rows + len(part))
            if last:
                mark = _behind(mark, sheet)
            yield Batch(events=events, position=mark.text()), mark

    def _reading(self, names: Sequence[str], row: Sequence[str], types: dict[str, str], mark: CopyMark) -> ChangeEvent | None:
        told = typed(names, row, types, empty="")
        if self._within is not None and told.get(self._entity.scope) not in self._within:
            return None
        told.update({name: False for name, kind in types.items() if kind == "boolean" and name in told and told[name] is None})
        stamp = moment_ms(str(told[_STAMP]))
        at = max(mark.made_ms, stamp)
        into, into_object = self._entity.into(told)
        modified_by, modified_at = last_change(told)
        unasked = self._conversion.difference(self._fields) if not into else frozenset()
        left_out = {"Id", _STAMP, *(set(MODIFIED) - set(self._fields)), *unasked}
        fields: dict[str, Value] = {name: value for name, value in told.items() if name not in left_out}
        return ChangeEvent(
            system=SALESFORCE, object=self._entity.object, id=salesforce_id(str(told["Id"])), kind=Happened.READ, source=SOURCE,
            at=at, until=at if stamp + _SECOND_MS <= mark.made_ms else at + _SECOND_MS - 1,
            fields=self._money.told(self._entity.object, fields) if self._money else fields,
            into=into, into_object=into_object, modified_by=modified_by, modified_at=modified_at,
        )  # fmt: skip


def _behind(mark: CopyMark, sheet: Sheet) -> CopyMark:
    return msgspec.structs.replace(mark, locator=sheet.following, passed=0, done=not sheet.following)


def _mark(position: str | None, obj: Object, name: str) -> CopyMark:
    if position is None:
        return CopyMark(object=obj)
    try:
        return msgspec.json.decode(position, type=CopyMark)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise Fatal(f"the saved position of {name} can't be read: {error}.", remedy="Cancel this copy and start another one.") from None

"""The reconciliation poll as a source: what the org says changed, window by window, whether or not the stream told it.

(Salesforce: "polling for changes"; SystemModstamp is moved by system processes too, LastModifiedDate may be back-dated.)
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace

import msgspec
import structlog

from streams.budget.port import Lane
from streams.relay.readback import ReadBack
from streams.relay.windows import Window, next_window
from streams.salesforce.api.answers import Page
from streams.salesforce.api.entity import MODIFIED, Entity, last_change
from streams.salesforce.api.money import Money
from streams.salesforce.api.rest import SalesforceRest
from streams.salesforce.api.soql import after_row, any_of, changed_between, moment_ms
from streams.salesforce.sources.brake import Brake, Braked
from streams.salesforce.sources.cycles import Count, CycleReport, PollMark
from streams.salesforce.sources.deletions import deletions
from streams.wire.errors import Cause, Fatal, Gap, Reject, Retry
from streams.wire.events import Batch, ChangeEvent, Happened, Value
from streams.wire.systems import Object, System, salesforce_id

log = structlog.get_logger(__name__)

PAGE_ROWS = 2000
_ORDER = ("SystemModstamp", "Id")
_NOT_OF_THE_RECORD = frozenset({"Id", "SystemModstamp", "attributes"})
_SCOPE_MAX = 400
"""So many ids fit into a query's address; where more are of interest all rows are read, and those of others left out."""
_SECOND_MS = 1_000
_CLOCK_SECONDS = 1.0
"""The server's clock is known to about as much."""

Unseen = Callable[[list[ChangeEvent]], Awaitable[list[ChangeEvent]]]


def name_of(obj: Object) -> str:
    """What the poll of an object is called."""
    return f"salesforce.poll.{obj}"


def _always() -> bool:
    return True


class PollSource:
    """Cycles over one object: rows changed since the last one (with overlap), then deletes; for ever, or once.

    A row is a `READ` event with all of `fields`, nulls included; a deleted one is `DELETED`, with `MasterRecordId` when it lost a merge.
    What it was merged or converted into is told in `into`, whatever is in `fields`. Deletions are only looked for where the object has a
    recycle bin.
    With no position and no `since_ms` the first cycle reads everything: a first copy, resumable at the page; `from_now`: what was
    changed lately, and nothing that is older.
    `scope`: the records that are of interest now, of those that `Entity.scope` names; while there are none nothing is asked.
    `visible`: those of `fields` that can be read now; `unseen_fields`, of a query that was refused, whether that has become fewer, or
    nothing can be read of the object any more: then `is_open` says so, and no cycle is run until it can. `redefined` is asked before rows
    of a cycle are passed on, whether other fields are to be read by now: what a change of a type has emptied was not cleared by anybody.
    `money`: how amounts in several currencies are told in one.
    `unseen` gets each batch and returns what the ledger doesn't know yet; `report` gets one `CycleReport` for each complete cycle.
    A cycle that reports more than `deletes_percent_max` of the object deleted (and more than `deletes_ignored_max` records)
    raises `Fatal` before it yields one of them, until `confirm_deletes()` was called; `on_brake` is told of them before, and None once
    nothing waits any more.
    """

    def __init__(
        self,
        rest: SalesforceRest,
        entity: Entity,
        fields: Iterable[str],
        *,
        interval_seconds: float = 300.0,
        lag_seconds: float = 60.0,
        overlap_seconds: float = 600.0,
        since_ms: int | None = None,
        unseen: Unseen | None = None,
        report: Callable[[CycleReport], Awaitable[None]] | None = None,
        on_brake: Callable[[Braked | None], Awaitable[None]] | None = None,
        deletes_percent_max: float = 20.0,
        deletes_ignored_max: int = 100,
        lane: Lane = Lane.RECONCILE,
        once: bool = False,
        visible: Callable[[Iterable[str]], list[str]] = list,
        unseen_fields: Callable[[Reject], Awaitable[bool]] | None = None,
        is_open: Callable[[], bool] = _always,
        redefined: Callable[[], Awaitable[bool]] | None = None,
        scope: Callable[[], Awaitable[Sequence[str]]] | None = None,
        money: Money | None = None,
        from_now: bool = False,
    ) -> None:
        self.name = name_of(entity.object)
        self._rest, self._object, self._entity = rest, entity.object, entity
        self._fields = tuple(dict.fromkeys(each for each in fields if each != "Id"))
        self._conversion = frozenset(entity.conversion)
        """Columns that tell a conversion; none where the user may not see them."""
        self._unasked = self._conversion.difference(self._fields)
        self._columns = frozenset(MODIFIED).difference(self._fields)
        """Asked for beside the fields, and told in words of its own."""
        self._interval = interval_seconds
        self._lag_ms, self._overlap_ms = int(lag_seconds * 1000), int(overlap_seconds * 1000)
        self._since_ms, self._unseen, self._report = since_ms, unseen, report
        self._lane, self._once = lane, once
        self._visible, self._unseen_fields, self._is_open = visible, unseen_fields, is_open
        self._redefined, self._scope, self._whole = redefined, scope, entity
        self._within: frozenset[str] | None = None
        self._money, self._from_now = money, from_now
        self._wake = asyncio.Event()
        self._gaps = ReadBack(self._lag_ms)
        self._brake = Brake(rest, entity, lane, percent_max=deletes_percent_max, ignored_max=deletes_ignored_max, on_brake=on_brake)

    def wake(self) -> None:
        """Run a cycle now."""
        self._wake.set()

    def on_gap(self, gap: int, since_ms: int) -> None:
        """The next window begins before this moment and reaches to now, at once; the report of the cycle that has covered the gap names
        it. Kept in memory only: whoever keeps the gaps tells of it again and again until then, which costs nothing."""
        if self._gaps.tell(gap, max(0, since_ms - self._overlap_ms)):
            self._wake.set()

    def confirm_deletes(self, until_ms: int) -> None:
        """A person says that the deletes up to this moment (server's clock) are meant."""
        self._brake.confirm(until_ms)
        self._wake.set()

    async def batches(self, position: str | None) -> AsyncGenerator[Batch, None]:
        """From `position`; the last batch of a cycle (`caught_up`, maybe empty) carries the position behind its window."""
        mark = self._begin(position)
        while True:
            self._wake.clear()
            window = await self._due(mark) if self._is_open() else None
            if not self._is_open():
                yield Batch(events=[], position=mark.text())
            elif window is None and self._scope is not None:
                yield Batch(events=[], position=mark.text(), caught_up=True)  # a sign of life
                await self._tell_nothing()
            if window is not None:
                ahead_ms = window.end_ms - window.done_ms
                mark = msgspec.structs.replace(mark, start_ms=window.start_ms, end_ms=window.end_ms, ahead_ms=ahead_ms)
                try:
                    async with aclosing(self._cycle(window, mark)) as cycle:
                        async for batch, passed in cycle:
                            mark = passed
                            yield batch
                except Reject as error:
                    if await self._does_without_conversions(error):
                        raise Retry(f"{self.name}: conversions can't be seen, it goes on without: {error}") from error
                    if self._unseen_fields is not None and await self._unseen_fields(error):
                        raise Retry(f"{self.name}: something can't be read any more, it goes on without: {error}") from error
                    remedy = "Check the mapping against the fields that the integration user may see."
                    raise Fatal(f"{self.name}: Salesforce refuses the query: {error}.", remedy=remedy) from error
            if self._once:
                return
            await self._rest_awhile(window)

    def _begin(self, position: str | None) -> PollMark:
        if position is None:
            return PollMark(object=self._object, done_ms=self._since_ms)
        try:
            mark = msgspec.json.decode(position, type=PollMark)
        except (msgspec.DecodeError, msgspec.ValidationError) as error:
            raise Gap(f"the saved position of {self.name} can't be read ({error})", object=self._object, cause=Cause.TOKEN) from error
        if mark.object != self._object:
            raise Fatal(f"the saved position of {self.name} is of {mark.object}.", remedy="Reset the position and reconcile.")
        return mark

    async def _due(self, mark: PollMark) -> Window | None:
        """The window to read now: first the one that was interrupted."""
        if self._scope is not None:
            ids = await self._scope()
            if not ids:
                return None
            few = len(ids) <= _SCOPE_MAX
            self._within = None if few else frozenset(ids)
            where = (*self._whole.where, *([any_of(self._whole.scope, ids)] if few else []))
            self._entity = replace(self._whole, where=where, stream=not where and self._whole.stream)
        if mark.start_ms is not None and mark.end_ms is not None:
            return Window(start_ms=mark.start_ms, end_ms=mark.end_ms, done_ms=mark.end_ms - mark.ahead_ms)
        now_ms = await self._rest.server_time(self._lane, gathered=True)
        self._gaps.look(now_ms)
        done_ms = now_ms - self._lag_ms - 2 * _SECOND_MS if mark.done_ms is None and self._from_now else mark.done_ms
        return next_window(done_ms, now_ms, lag_ms=self._lag_ms, overlap_ms=self._overlap_ms, widen_to_ms=self._gaps.since_ms)

    async def _cycle(self, window: Window, mark: PollMark) -> AsyncGenerator[tuple[Batch, PollMark], None]:
        """Rows and deletions are asked for at once, so that one call tells both where there are few. What is deleted meanwhile has a
        stamp behind the window, or is seen late: both are the next cycle's."""
        # what was deleted before the first copy was never known
        gone = None if mark.done_ms is None else asyncio.create_task(deletions(self._rest, self._entity, window, self._lane))
        try:
            async for told in self._told(window, mark, gone):
                yield told
        finally:
            if gone is not None:
                gone.cancel()
                await asyncio.gather(gone, return_exceptions=True)

    async def _told(
        self, window: Window, mark: PollMark, deleted: asyncio.Task[list[ChangeEvent]] | None
    ) -> AsyncIterator[tuple[Batch, PollMark]]:
        started, calls, counted = time.monotonic(), self._rest.calls, Count()
        async for page, passed in self._rows(window, mark):
            if not counted.read and self._redefined is not None and await self._redefined():
                raise Retry(f"{self.name}: fields have changed in Salesforce, it reads on with those that it can")
            mark = passed
            rows = [row for row in page.rows if self._within is None or row.get(self._whole.scope) in self._within]
            counted.read += len(rows)
            events = await self._new([self._reading(row, page) for row in rows])
            counted.relayed += len(events)
            yield Batch(events=events, position=mark.text()), mark
        gone = [] if deleted is None else await deleted
        if deleted is not None:
            await self._brake.check(gone)
        counted.deleted = len(gone)
        events = await self._new(gone)
        counted.relayed += len(events)
        mark = PollMark(object=self._object, done_ms=max(mark.done_ms or 0, window.done_ms))
        yield Batch(events=events, position=mark.text(), caught_up=True), mark
        await self._tell(window, counted, calls=self._rest.calls - calls, seconds=time.monotonic() - started)

    async def _rows(self, window: Window, mark: PollMark) -> AsyncIterator[tuple[Page, PollMark]]:
        """Pages in (SystemModstamp, Id) order, each its own query: resumable, and read within a narrow moment."""
        columns = ("Id", "SystemModstamp", *MODIFIED, *self._visible(self._fields), *sorted(self._conversion))
        while True:
            where = changed_between(window.start_ms, window.end_ms) if window.start_ms else changed_between(0, window.end_ms)[1:]
            where = [*self._entity.alive, *where]
            if mark.id:
                where = [*where, after_row(mark.stamp_ms, mark.id)]
            soql = self._entity.select(columns, where, order=_ORDER, limit=PAGE_ROWS)
            gathered = not mark.id and mark.done_ms is not None
            page = await self._rest.page(soql, self._lane, everything=self._entity.archives, gathered=gathered)
            rows, following = list(page.rows), page.next_url
            while following is not None:  # the org may answer in smaller batches than asked for
                more = await self._rest.next_page(following, self._lane)
                rows, following = rows + more.rows, more.next_url
                page = msgspec.structs.replace(page, until=more.until)
            if not rows:
                return
            stamp_ms, last = moment_ms(str(rows[-1]["SystemModstamp"])), str(rows[-1]["Id"])
            if (stamp_ms, last) == (mark.stamp_ms, mark.id):
                raise Retry(f"{self.name}: the same rows come back behind {last}", after_seconds=30.0)
            mark = msgspec.structs.replace(mark, stamp_ms=stamp_ms, id=last)
            yield msgspec.structs.replace(page, rows=rows), mark
            if len(rows) < PAGE_ROWS:
                return

    async def _does_without_conversions(self, error: Reject) -> bool:
        """Whether the refusal was about columns that nobody mapped, which a refusal doesn't tell: they are left out from now on."""
        if error.code != "INVALID_FIELD" or not self._conversion & self._unasked:
            return False
        try:
            await self._rest.page(self._entity.select(("Id", *sorted(self._conversion)), limit=1), self._lane)
        except Reject:
            self._conversion = frozenset()
            log.warning("salesforce.conversions_unseen", object=self._object, error=str(error))
            return True
        return False

    async def _new(self, events: list[ChangeEvent]) -> list[ChangeEvent]:
        return await self._unseen(events) if self._unseen is not None and events else events

    async def _tell(self, window: Window, counted: Count, *, calls: int, seconds: float) -> None:
        report = CycleReport(
            object=self._object, start_ms=window.start_ms, end_ms=window.end_ms, read=counted.read, relayed=counted.relayed,
            known=counted.read + counted.deleted - counted.relayed, deleted=counted.deleted, calls=calls, seconds=seconds,
            covered=self._gaps.read(window.start_ms, window.end_ms, next_ms=window.done_ms - self._overlap_ms),
        )  # fmt: skip
        log.info("salesforce.poll_cycle", **msgspec.to_builtins(report))
        if self._report is not None:
            await self._report(report)

    async def _tell_nothing(self) -> None:
        """A gap waits for all polls of its system: this one has nothing to read back."""
        covered = self._gaps.nothing()
        if covered and self._report is not None:
            await self._report(
                CycleReport(
                    object=self._object, start_ms=0, end_ms=0, read=0, known=0, relayed=0, deleted=0, calls=0, seconds=0.0, covered=covered
                )
            )

    def _reading(self, row: dict[str, Value], page: Page) -> ChangeEvent:
        into, into_object = self._entity.into(row)
        modified_by, modified_at = last_change(row)
        left_out = _NOT_OF_THE_RECORD | self._columns | (frozenset() if into else self._unasked)
        fields = {name: value for name, value in row.items() if name not in left_out}
        return ChangeEvent(
            system=System.SALESFORCE, object=self._object, id=salesforce_id(str(row["Id"])), kind=Happened.READ, source="poll",
            at=page.at, until=page.until, fields=self._money.told(self._object, fields) if self._money else fields,
            into=into, into_object=into_object, modified_by=modified_by, modified_at=modified_at,
        )  # fmt: skip

    async def _rest_awhile(self, window: Window | None) -> None:
        """Until the next cycle is due: sooner where one can cover a gap that is left. All polls are due at the same moments, however long
        their cycles take: what they ask for goes together."""
        until_due = self._interval - time.monotonic() % self._interval
        left_ms = None if window is None else self._gaps.wait_ms(window.end_ms)
        seconds = until_due if left_ms is None else min(until_due, left_ms / 1000 + _CLOCK_SECONDS)
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

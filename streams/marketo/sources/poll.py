"""The reconciliation poll and the first copy: Marketo's activity log again, from a date, against what is known already."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

import msgspec

from streams.budget.port import Lane
from streams.marketo.api.wire import Page
from streams.marketo.sources.decode import gather, hints, read_event, reference
from streams.marketo.sources.feed import BEGINNING_MS, CHANGES_RETENTION_MS, DELETIONS_RETENTION_MS, LeadFeed, refused, token_lost
from streams.marketo.sources.rows import Activity, Row, date
from streams.relay.readback import ReadBack
from streams.wire.errors import Cause, Gap, Reject
from streams.wire.events import Batch, ChangeEvent

Unseen = Callable[[list[ChangeEvent]], Awaitable[list[ChangeEvent]]]
"""Given what the feed holds, what of it the ledger has not seen (recognised by `ref`)."""

_PARTS = ("changes", "deletions")
_COPY = "copy"
_NEVER_MINTED = ("", "", 0)
_LOOK_SECONDS = 2.0
_CLOCK_MS = 1_000
_SECONDS_MS = 5_000
"""Dates are whole seconds, and the server's clock is known to about as much."""
_DELETIONS_PAGES = 3
_ALL_PAGES = 1_000_000
NAME = "marketo.poll"
PATIENCE_SECONDS = 1800.0
AGAIN_PAGES_MAX = 20
"""A cycle goes back over this many pages of the one before it, at most: what our own writes fill the feed with is not read again and
again for as long as the overlap reaches."""


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The position. `watermark`: everything before it (ms, server clock) has been compared; 0 while the first copy runs.

    Inside a cycle: when it `started` (server clock), the token with which each part begins (`origin`), the `part` being read,
    the `token` behind its last page, and the date of the youngest row of it (`reached`). `turned`: when the cycle's last pages of changes
    began (dates of their first rows), the latest last; between cycles, those of the one before.
    """

    watermark: int
    started: int = 0
    origin: str = ""
    part: str = ""
    token: str = ""
    reached: int = 0
    turned: tuple[int, ...] = ()
    pages: int = 0
    """Pages of changes read in this cycle; then, pages of deletions that may be read."""
    again: bool = False
    """A copy because of a gap: what was deleted meanwhile is read after it."""


@dataclass(slots=True, kw_only=True)
class CycleReport:
    """What a cycle found. `missed` = `relayed`: what the live source had not brought (or not yet)."""

    source: str
    copy: bool = False
    since_ms: int = 0
    until_ms: int = 0
    read: int = 0
    known: int = 0
    relayed: int = 0
    dead: int = 0
    calls: int = 0
    seconds: float = 0.0
    deletions_pruned: bool = False
    """The cycle reaches further back than Marketo keeps deletions: only a comparison of all ids can find those."""
    covered: tuple[int, ...] = ()
    """The gaps that are read now."""


class MarketoPollSource:
    """One cycle every `interval_seconds`: from the watermark less an overlap to when it began, with deletions and merges.

    An activity may be committed after its date, so a token minted from a date with an overlap finds what a chained token passed by
    (Marketo knowledge base, paging tokens). The overlap is shorter where it would be more than `AGAIN_PAGES_MAX` pages. Leads are
    re-read only for what `unseen` does not know. With `since_ms=None` the first
    run copies: every lead that was ever created, by its New Lead activity, 300 a call; the next cycle covers what changed since
    the copy began. Resumable at the page. `from_now`:
    it covers what changed lately instead. `live_behind` says that the live source has a backlog: a cycle waits for it, at most
    `patience_seconds`.
    """

    def __init__(
        self,
        feed: LeadFeed,
        *,
        unseen: Unseen,
        since_ms: int | None = None,
        interval_seconds: float = 300.0,
        lag_seconds: float = 60.0,
        overlap_seconds: int = 1800,
        report: Callable[[CycleReport], None] | None = None,
        live_behind: Callable[[], Awaitable[bool]] | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
        from_now: bool = False,
        name: str = NAME,
    ) -> None:
        self.name = name
        self._feed = feed
        self._unseen = unseen
        self._since_ms = since_ms
        self._interval = interval_seconds
        self._overlap_ms = overlap_seconds * 1000
        self._report = report or (lambda _: None)
        self._live_behind = live_behind or _never
        self._patience_seconds = patience_seconds
        self._from_now = from_now
        self._woken = asyncio.Event()
        self._gaps = ReadBack(int(lag_seconds * 1000))
        self._reminted = _NEVER_MINTED
        """The part, the token behind the last page that was read with a token minted again, and the moment it was minted from."""

    def wake(self) -> None:
        """Asks for a cycle now; during one, for another one after it."""
        self._woken.set()

    def on_gap(self, gap: int, since_ms: int) -> None:
        """Asks for a cycle now that reaches back to this moment; before what Marketo keeps: for a copy. The report of the cycle that has
        covered the gap names it; until then, whoever keeps the gaps tells of it again and again, which costs nothing."""
        if self._gaps.tell(gap, since_ms):
            self.wake()

    async def batches(self, position: str | None) -> AsyncGenerator[Batch, None]:
        """Cycles, for ever. An interrupted cycle goes on where it was."""
        place, self._reminted = self._place(position), _NEVER_MINTED
        try:
            while True:
                deadline = time.monotonic() + self._patience_seconds
                await self._patience(deadline)
                deadline = 0.0 if self._woken.is_set() else deadline
                self._woken.clear()
                clock, calls = time.monotonic(), self._feed.rest.calls
                place = await self._start(place)
                report = self._begun(place)
                while place.part:
                    if place.part != _COPY:
                        await self._patience(deadline)
                    batch, place = await self._advance(place, report)
                    if batch is not None:
                        yield batch
                report.calls, report.seconds = self._feed.rest.calls - calls, time.monotonic() - clock
                report.covered = self._gaps.read(place.watermark, place.started, next_ms=place.started)
                self._report(report)  # all that it found has been acknowledged
                place = Place(watermark=place.started, turned=place.turned)
                yield Batch(events=[], position=_text(place), caught_up=True)
                await self._rest(self._until_next(place.watermark))
        except Reject as error:
            raise refused(self.name, error) from error

    async def _patience(self, deadline: float) -> None:
        """While the live source is behind, what it has not read yet is not missed: the cycle waits for it, but not for ever, and not
        when it was asked for."""
        while not self._woken.is_set() and time.monotonic() < deadline and await self._live_behind():
            await self._rest(min(_LOOK_SECONDS, self._patience_seconds))

    def _until_next(self, watermark: int) -> float:
        """Seconds until the next cycle: sooner where one can cover a gap that is left."""
        left_ms = self._gaps.wait_ms(watermark)
        return self._interval if left_ms is None else min(self._interval, (left_ms + _CLOCK_MS) / 1000)

    def _place(self, position: str | None) -> Place:
        if position is None:
            return Place(watermark=self._since_ms or 0)
        try:
            return msgspec.json.decode(position, type=Place)
        except msgspec.DecodeError as error:
            raise Gap(f"the saved position of {self.name} can't be read ({error})", cause=Cause.TOKEN) from error

    async def _start(self, place: Place) -> Place:
        """The position at the beginning of a cycle, or where it was interrupted. A watermark older than Marketo keeps changes
        makes it a copy."""
        if place.part:
            return place
        rest, watermark = self._feed.rest, place.started or place.watermark  # started, not in a part: the cycle was finished
        again_from = min(place.turned[0], watermark) if len(place.turned) == AGAIN_PAGES_MAX else 0
        if not watermark and self._from_now:
            watermark = (await rest.paging_token(BEGINNING_MS, Lane.RECONCILE)).server_ms
        asked = self._gaps.since_ms
        if asked is not None and asked < watermark:
            watermark, again_from = asked, 0
        minted = await rest.paging_token(max(again_from, watermark - self._overlap_ms, BEGINNING_MS), Lane.RECONCILE)
        if watermark and minted.server_ms - watermark > CHANGES_RETENTION_MS:
            watermark = 0
            minted = await rest.paging_token(BEGINNING_MS, Lane.RECONCILE)
        self._gaps.look(minted.server_ms)
        part = _PARTS[0] if watermark else _COPY
        again = not watermark and asked is not None
        return Place(watermark=watermark, started=minted.server_ms, origin=minted.token, part=part, token=minted.token, again=again)

    def _begun(self, place: Place) -> CycleReport:
        return CycleReport(
            source=self.name,
            copy=place.part == _COPY,
            since_ms=place.watermark,
            until_ms=place.started,
            deletions_pruned=place.started - place.watermark > DELETIONS_RETENTION_MS,
        )

    async def _advance(self, place: Place, report: CycleReport) -> tuple[Batch | None, Place]:
        """One page: a batch if it holds something to relay, and the position behind it. `part` is empty after the last page."""
        page = await self._page(place)
        gathered = gather(page.rows, self._feed.decoding)
        changes = gathered.changes
        events = await self._copied(changes, report) if place.part == _COPY else await self._new(changes, report)
        if place.part == _PARTS[0]:
            events = [*events, *(members := await self._feed.members(page, Lane.RECONCILE))]
            report.read, report.relayed = report.read + len(members), report.relayed + len(members)
        reached = max([place.reached, *(rows[0].at for rows in changes)])
        if place.part == _PARTS[0] and page.rows:
            place = msgspec.structs.replace(place, turned=(*place.turned, date(page.rows[0]))[-AGAIN_PAGES_MAX:])
        report.read += len(changes)
        report.dead += len(gathered.dead)
        pages = place.pages + (1 if place.part == _PARTS[0] else -1)
        place = msgspec.structs.replace(place, pages=pages)
        if page.more and not self._over(place, page):
            place = msgspec.structs.replace(place, token=page.token, reached=reached)
        else:
            place = await self._next_part(place)
        batch = Batch(events=events, dead=gathered.dead, position=_text(place)) if events or gathered.dead else None
        return batch, place

    async def _next_part(self, place: Place) -> Place:
        """Behind the last page of a part. A copy shows what there is: where it fills a gap, all deletions that are kept follow."""
        if place.part == _COPY and place.again:
            minted = await self._feed.rest.paging_token(place.started - DELETIONS_RETENTION_MS, Lane.RECONCILE)
            return msgspec.structs.replace(place, part=_PARTS[1], token=minted.token, origin=minted.token, reached=0, pages=_ALL_PAGES)
        allowed = 2 * place.pages + _DELETIONS_PAGES if place.part == _PARTS[0] else 0
        return msgspec.structs.replace(place, part=_after(place.part), token=place.origin, reached=0, pages=allowed)

    def _over(self, place: Place, page: Page) -> bool:
        """What has happened since the cycle began is for the next one: it need not run after a feed that is being filled.

        Deletions are few, and their pages mostly empty, without a date: they end when they have gone twice as far as the changes.
        """
        if place.part == _PARTS[0]:
            return bool(page.rows) and date(page.rows[-1]) > place.started + _SECONDS_MS
        return place.part != _COPY and place.pages < 0

    async def _page(self, place: Place) -> Page:
        """The next page. A token that Marketo no longer knows is minted again, from the youngest row less the overlap; but not
        twice from the same moment, where the first one led to a page and that led nowhere."""
        since_ms = max((place.reached or place.watermark) - self._overlap_ms, BEGINNING_MS)
        try:
            return await self._read(place.part, place.token)
        except Reject as error:
            if not token_lost(error):
                raise
            if self._reminted == (place.part, place.token, since_ms):
                raise
        minted = await self._feed.rest.paging_token(since_ms, Lane.RECONCILE)
        page = await self._read(place.part, minted.token)
        self._reminted = (place.part, page.token, since_ms)
        return page

    async def _read(self, part: str, token: str) -> Page:
        rest = self._feed.rest
        match part:
            case "changes":
                return await self._feed.walk(token, Lane.RECONCILE)
            case "deletions":
                return await self._feed.deletions(token, Lane.RECONCILE)
            case "copy":
                return await rest.activities(token, [Activity.NEW_LEAD], Lane.COPY)
            case _:
                raise Gap(f"the saved position of {self.name} names an unknown part {part!r}")

    async def _new(self, changes: list[tuple[Row, ...]], report: CycleReport) -> list[ChangeEvent]:
        """Of these changes what the ledger has not seen, typed."""
        asked = hints(changes, self._feed.decoding)
        unseen = {event.ref for event in await self._unseen(asked)} if asked else set()
        missed = [rows for rows in changes if reference(rows) in unseen]
        report.relayed += len(missed)
        report.known += len(changes) - len(missed)
        return await self._feed.typed(missed, Lane.RECONCILE)

    async def _copied(self, changes: list[tuple[Row, ...]], report: CycleReport) -> list[ChangeEvent]:
        """Readings of the leads that were created by these, as far as they still exist."""
        ids = list(dict.fromkeys(rows[0].lead for rows in changes))
        leads = await self._feed.leads(ids, Lane.COPY) if ids else {}
        report.relayed += len(leads)
        return [read_event(lead) for lead in leads.values()]

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass  # nobody called: it is time


async def _never() -> bool:
    return False


def _after(part: str) -> str:
    """The part that follows; empty after the last, and after a copy."""
    if part not in _PARTS or part == _PARTS[-1]:
        return ""
    return _PARTS[_PARTS.index(part) + 1]


def _text(place: Place) -> str:
    return msgspec.json.encode(place).decode()

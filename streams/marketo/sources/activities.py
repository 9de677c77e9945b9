"""The live source: Marketo's activity log, followed by its own paging tokens."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable

import msgspec

from streams.budget.port import Lane
from streams.marketo.api.wire import Page
from streams.marketo.sources.deletions import DeletionWalk
from streams.marketo.sources.feed import CHANGES_RETENTION_MS, DELETIONS_RETENTION_MS, LeadFeed, Step, refused, token_lost
from streams.marketo.sources.pace import Pace
from streams.marketo.sources.push.hints import Hints
from streams.wire.errors import Cause, Gap, Reject
from streams.wire.events import Batch, ChangeEvent, DeadLetter

NAME = "marketo.activities"
LAG_MAX_MS = 180_000
"""Further behind than this, the feed goes before the writes that fill it."""
_NEAR_MS = 30_000
"""Nearer to the end of the feed than this, pages are read in the live lane."""
_DRAIN_SHARE = 0.5
"""More of a page than this being our own echoes, with more waiting: our writes fill the feed, catching up is repair work."""
_FLOOD_SECONDS = 2.0
"""Between pages while writes flood the feed: a tenth of the calls."""
_DELETIONS_LATE_MS = 900_000
"""While catching up, deletions wait for its end, but no longer than this."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The position: a token for each feed, and the times up to which changes (`time`) and deletions (`deleted`) have been read (ms,
    server clock), from which a lost token is minted again. `behind`: how old the oldest change was that nobody had read (ms); 0: none.
    """

    changes: str
    deletions: str
    time: int
    deleted: int
    behind: int = 0


def behind_ms(position: str) -> int:
    """How far behind the feed the source was at this position; 0 for a position of another kind."""
    try:
        return msgspec.json.decode(position, type=Place).behind
    except msgspec.DecodeError:
        return 0


class ActivitySource:
    """Changed values, new leads and merges at every poll; deletions at every `side_beat`-th, `side_seconds` apart at the least.

    Where our own writes fill the feed, they go first: pages are then read in the repair lane, which the budget guarantees a share, and
    deletions wait; from `LAG_MAX_MS` behind on the feed goes first. Raises `Gap` when its position is older than Marketo keeps
    deletions or changes. A paging token that Marketo no longer knows is minted again from the position's time less `overlap_seconds`;
    repetitions are the price, they are recognised by `ref`.
    """

    def __init__(
        self,
        feed: LeadFeed,
        *,
        pace: Pace | None = None,
        since_ms: int | None = None,
        overlap_seconds: int = 1800,
        side_beat: int = 4,
        side_seconds: float = 0.0,
        flooded: Callable[[], bool] = lambda: False,
        hints: Hints | None = None,
        name: str = NAME,
    ) -> None:
        """`flooded`: full calls of writes go out from this process, which have better use for its processor. `hints`: when to look
        sooner, and whether nothing needs to be looked for between them."""
        self.name = name
        self._feed = feed
        self._pace = pace or Pace()
        self._since_ms = since_ms
        self._overlap_ms = overlap_seconds * 1000
        self._side_beat, self._side_seconds = side_beat, side_seconds
        self._flooded = flooded
        self._hints = hints
        if hints is not None:
            hints.wake = self.wake
        self._woken = asyncio.Event()
        self.feed_time_ms = 0
        """For metrics: changes up to this time (server clock) have been read."""
        self.backlog = False
        """For metrics: more of the feed is waiting."""

    def wake(self) -> None:
        """Asks for a poll now."""
        self._woken.set()

    async def batches(self, position: str | None) -> AsyncGenerator[Batch, None]:
        """From `position` for ever; None begins at `since_ms`, or now. While a page is worked on and its batch is out, the next is
        fetched already."""
        ahead: asyncio.Task[Page] | None = None
        walk = DeletionWalk(self._deletions, self._told, beat=self._side_beat, seconds=self._side_seconds)
        lane, draining, found, own = Lane.LIVE, False, 0, 0
        try:
            place = await self._begin() if position is None else await self._resume(position)
            while True:
                self._woken.clear()
                calls = self._feed.rest.calls
                if not draining or place.time - place.deleted > _DELETIONS_LATE_MS:
                    walk.begin(place.deletions, place.deleted)
                if self._hints is not None:
                    self._hints.look()
                page = await (ahead or self._changes(place.changes, place.time, lane))
                ahead = asyncio.create_task(self._next(page.token, place.time, lane)) if page.more else None
                step = await self._feed.step(page, lane)
                place = self._advanced(place, step)
                draining = step.more and (step.own > _DRAIN_SHARE or place.behind > _NEAR_MS)
                lane = Lane.REPAIR if draining and place.behind <= LAG_MAX_MS else Lane.LIVE
                echoes = round(step.rows * step.own)
                found, own = found + step.rows - echoes, own + echoes
                batch, place = await self._with_deletions(step, place, walk)
                if self._hints is not None:
                    self._hints.shown(page.rows, step.others)
                yield batch
                if not step.more:
                    spent = self._feed.rest.calls - calls
                    await self._rest(self._pace.after(changes=found, echoes=own, calls=spent, now=time.monotonic()), bool(found or own))
                    found = own = 0
        except Reject as error:
            raise refused(self.name, error) from error
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)
            await walk.close()

    async def _begin(self) -> Place:
        """A fresh position. Without `since_ms` the server's now, by its own clock."""
        since_ms = self._since_ms
        if since_ms is None:
            since_ms = (await self._feed.rest.paging_token(int(time.time() * 1000))).server_ms
        minted = await self._feed.rest.paging_token(since_ms)
        return Place(changes=minted.token, deletions=minted.token, time=since_ms, deleted=since_ms)

    async def _resume(self, position: str) -> Place:
        """The saved position; `Gap` if deletions since then may be forgotten."""
        try:
            place = msgspec.json.decode(position, type=Place)
        except msgspec.DecodeError as error:
            raise Gap(f"the saved position of {self.name} can't be read ({error})", cause=Cause.TOKEN) from error
        now_ms = (await self._feed.rest.paging_token(place.time)).server_ms
        if now_ms - place.deleted > DELETIONS_RETENTION_MS:
            since_ms = min(place.time, place.deleted)
            raise Gap(f"{self.name} was last read more than 14 days ago: deletions may be pruned", since_ms=since_ms, cause=Cause.PRUNED)
        return place

    async def _changes(self, token: str, time_ms: int, lane: Lane) -> Page:
        return await self._read(self._feed.walk, token, time_ms, CHANGES_RETENTION_MS, lane)

    async def _next(self, token: str, time_ms: int, lane: Lane) -> Page:
        """The page after one; in the repair lane, and beside a flood of writes, after a while."""
        until = time.monotonic() + _FLOOD_SECONDS
        while lane is Lane.REPAIR and self._flooded() and time.monotonic() < until:  # noqa: ASYNC110 - the end of a flood is not told
            await asyncio.sleep(_FLOOD_SECONDS / 10)
        return await self._changes(token, time_ms, lane)

    async def _deletions(self, token: str, time_ms: int, lane: Lane) -> Page:
        return await self._read(self._feed.deletions, token, time_ms, DELETIONS_RETENTION_MS, lane)

    async def _told(self, page: Page, lane: Lane) -> tuple[list[ChangeEvent], list[DeadLetter]]:
        step = await self._feed.step(page, lane)
        return step.events, step.dead

    async def _with_deletions(self, step: Step, place: Place, walk: DeletionWalk) -> tuple[Batch, Place]:
        """The batch of this step, with the deletions that have been read meanwhile."""
        events, dead = step.events, step.dead
        deleted = await walk.taken()
        if deleted is not None:
            events, dead = events + deleted.events, dead + deleted.dead
            place = msgspec.structs.replace(place, deletions=deleted.token, deleted=deleted.until or place.deleted)
        position = msgspec.json.encode(place).decode()
        return Batch(events=events, dead=dead, position=position, caught_up=not step.more), place

    async def _read(self, read: Callable[[str, Lane], Awaitable[Page]], token: str, time_ms: int, retention_ms: int, lane: Lane) -> Page:
        """One page; a lost token is minted again, once."""
        try:
            return await read(token, lane)
        except Reject as error:
            if not token_lost(error):
                raise
            minted = await self._feed.rest.paging_token(time_ms - self._overlap_ms, lane)
            if minted.server_ms - time_ms > retention_ms:
                raise Gap(
                    "Marketo no longer knows the paging token, nor the time it stood for", since_ms=time_ms, cause=Cause.TOKEN
                ) from error
            return await read(minted.token, lane)

    def _advanced(self, place: Place, step: Step) -> Place:
        """At the end of the feed everything up to the reading has been read, before it what the rows show."""
        self.feed_time_ms = max(place.time, step.last_ms if step.more else step.at)
        self.backlog = step.more
        behind = max(0, step.at - self.feed_time_ms) if step.more else 0
        return msgspec.structs.replace(place, changes=step.token, time=self.feed_time_ms, behind=behind)

    async def _rest(self, seconds: float, news: bool) -> None:
        if self._hints is not None:
            self._woken.clear()
            seconds = max(self._hints.rest(seconds, news=news), self._pace.debt_seconds)
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return  # nobody called: it is time
        if self._hints is not None:
            await asyncio.sleep(max(self._hints.breath(), self._pace.debt_seconds))

"""The live source: Marketo's activity log, followed by its own paging tokens."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable

import msgspec

from streams.budget import Lane
from streams.errors import Gap, Reject
from streams.events import Batch, ChangeEvent, DeadLetter
from streams.marketo.feed import CHANGES_RETENTION_MS, DELETIONS_RETENTION_MS, LeadFeed, Step, refused, token_lost
from streams.marketo.pace import Pace

_NEAR_MS = 30_000
"""Nearer to the end of the feed than this, pages are read in the live lane."""
_DRAIN_SHARE = 0.5
"""More of a page than this being our own echoes, with more waiting: our writes fill the feed, catching up is repair work."""
_REPAIR_BEATS = 25
"""While catching up, deletions and merges are read that many times more rarely."""
_SIDE_PAGES_MAX = 5
"""Pages of deletions and of merges read at one beat, one while catching up: narrow filters walk through every activity of the
instance, and a page of ours costs as much as a page of changes."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The position: a token for each feed, and the times up to which changes, deletions and merges have been read (ms, server
    clock), from which a lost token is minted again."""

    changes: str
    deletions: str
    merges: str
    time: int
    sides: int


class ActivitySource:
    """Changed values and new leads at every poll; deletions and merges at every `side_beat`-th, `side_seconds` apart at the least.

    Raises `Gap` when its position is older than Marketo keeps deletions or changes. A paging token that Marketo no longer knows is
    minted again from the position's time less `overlap_seconds`; repetitions are the price, they are recognised by `ref`.
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
        name: str = "marketo.activities",
    ) -> None:
        self.name = name
        self._feed = feed
        self._pace = pace or Pace()
        self._since_ms = since_ms
        self._overlap_ms = overlap_seconds * 1000
        self._side_beat, self._side_seconds, self._sides_from = side_beat, side_seconds, 0.0
        self._woken = asyncio.Event()
        self.feed_time_ms = 0
        """For metrics: changes up to this time (server clock) have been read."""
        self.backlog = False
        """For metrics: more of the feed is waiting."""

    def wake(self) -> None:
        """Asks for a poll now."""
        self._woken.set()

    async def batches(self, position: str | None) -> AsyncGenerator[Batch, None]:
        """From `position` for ever; None begins at `since_ms`, or now. While a batch is out, the next page is fetched already."""
        ahead: asyncio.Task[Step] | None = None
        lane, pages, found, own = Lane.LIVE, 0, 0, 0
        try:
            place = await self._begin() if position is None else await self._resume(position)
            while True:
                self._woken.clear()
                calls = self._feed.rest.calls
                step = await (ahead or self._changes(place, lane))
                place = self._advanced(place, step)
                echoes = round(step.rows * step.own)
                lane, found, own = self._lane(step), found + step.rows - echoes, own + echoes
                ahead = asyncio.create_task(self._changes(place, lane)) if step.more else None
                events, dead = step.events, step.dead
                beat = self._side_beat if lane is Lane.LIVE else self._side_beat * _REPAIR_BEATS
                if pages % beat == 0 and time.monotonic() >= self._sides_from:
                    self._sides_from = time.monotonic() + self._side_seconds
                    more_events, more_dead, place = await self._sides(place, lane)
                    events, dead = events + more_events, dead + more_dead
                pages += 1
                yield Batch(events=events, dead=dead, position=msgspec.json.encode(place).decode(), caught_up=not step.more)
                if not step.more:
                    spent = self._feed.rest.calls - calls
                    await self._rest(self._pace.after(changes=found, echoes=own, calls=spent, now=time.monotonic()))
                    found = own = 0
        except Reject as error:
            raise refused(self.name, error) from error
        finally:
            if ahead is not None:
                ahead.cancel()
                await asyncio.gather(ahead, return_exceptions=True)

    async def _begin(self) -> Place:
        """A fresh position. Without `since_ms` the server's now, by its own clock."""
        since_ms = self._since_ms
        if since_ms is None:
            since_ms = (await self._feed.rest.paging_token(int(time.time() * 1000))).server_ms
        minted = await self._feed.rest.paging_token(since_ms)
        return Place(changes=minted.token, deletions=minted.token, merges=minted.token, time=since_ms, sides=since_ms)

    async def _resume(self, position: str) -> Place:
        """The saved position; `Gap` if deletions since then may be forgotten."""
        try:
            place = msgspec.json.decode(position, type=Place)
        except msgspec.DecodeError as error:
            raise Gap(f"the saved position of {self.name} can't be read ({error})") from error
        now_ms = (await self._feed.rest.paging_token(place.time)).server_ms
        if now_ms - place.sides > DELETIONS_RETENTION_MS:
            raise Gap(f"{self.name} was last read more than 14 days ago: deletions may be pruned", since_ms=min(place.time, place.sides))
        return place

    async def _changes(self, place: Place, lane: Lane) -> Step:
        return await self._read(self._feed.changes, place.changes, place.time, CHANGES_RETENTION_MS, lane)

    async def _sides(self, place: Place, lane: Lane) -> tuple[list[ChangeEvent], list[DeadLetter], Place]:
        """Deletions and merges, a few pages each."""
        events: list[ChangeEvent] = []
        dead: list[DeadLetter] = []
        tokens = {"deletions": place.deletions, "merges": place.merges}
        reached: list[int] = []
        for name, read in (("merges", self._feed.merges), ("deletions", self._feed.deletions)):
            for _ in range(_SIDE_PAGES_MAX if lane is Lane.LIVE else 1):
                step = await self._read(read, tokens[name], place.sides, DELETIONS_RETENTION_MS, lane)
                tokens[name] = step.token
                events += step.events
                dead += step.dead
                if not step.more:
                    reached.append(step.at)
                    break
        sides = min(reached) if len(reached) == len(tokens) else place.sides
        return events, dead, msgspec.structs.replace(place, deletions=tokens["deletions"], merges=tokens["merges"], sides=sides)

    async def _read(self, read: Callable[[str, Lane], Awaitable[Step]], token: str, time_ms: int, retention_ms: int, lane: Lane) -> Step:
        """One page; a lost token is minted again, once."""
        try:
            return await read(token, lane)
        except Reject as error:
            if not token_lost(error):
                raise
            minted = await self._feed.rest.paging_token(time_ms - self._overlap_ms, lane)
            if minted.server_ms - time_ms > retention_ms:
                raise Gap("Marketo no longer knows the paging token, nor the time it stood for", since_ms=time_ms) from error
            return await read(minted.token, lane)

    def _advanced(self, place: Place, step: Step) -> Place:
        """At the end of the feed everything up to the reading has been read, before it what the rows show."""
        reached = step.last_ms if step.more else step.at
        self.feed_time_ms = max(place.time, reached)
        self.backlog = step.more
        return msgspec.structs.replace(place, changes=step.token, time=self.feed_time_ms)

    def _lane(self, step: Step) -> Lane:
        far = step.more and (step.own > _DRAIN_SHARE or step.at - step.last_ms > _NEAR_MS)
        return Lane.REPAIR if far else Lane.LIVE

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass  # nobody called: it is time

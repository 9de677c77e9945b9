"""The live source: Marketo's activity log, followed by its own paging tokens."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec

from streams.budget import Lane
from streams.errors import Gap, Reject
from streams.events import Batch, ChangeEvent, DeadLetter
from streams.marketo.feed import CHANGES_RETENTION_MS, DELETIONS_RETENTION_MS, LeadFeed, Step, token_lost
from streams.marketo.pace import Pace

_NEAR_MS = 30_000
"""Nearer to the end of the feed than this, pages are read in the live lane."""
_DRAIN_SHARE = 0.5
"""More of a page than this being our own echoes, with more waiting: our writes fill the feed, catching up is repair work."""
_SIDE_PAGES_MAX = 5
"""Pages of deletions and of merges read at one beat: narrow filters walk through every activity of the instance."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The position: a token for each feed, and the time up to which changes have been read (ms, server clock)."""

    changes: str
    deletions: str
    merges: str
    time: int


class ActivitySource:
    """Changed values and new leads at every poll; deletions and merges at every `side_beat`-th.

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
        name: str = "marketo.activities",
    ) -> None:
        self.name = name
        self._feed = feed
        self._pace = pace or Pace()
        self._since_ms = since_ms
        self._overlap_ms = overlap_seconds * 1000
        self._side_beat = side_beat
        self._woken = asyncio.Event()
        self.feed_time_ms = 0
        """For metrics: changes up to this time (server clock) have been read."""
        self.backlog = False
        """For metrics: more of the feed is waiting."""

    def wake(self) -> None:
        """Asks for a poll now."""
        self._woken.set()

    async def batches(self, position: str | None) -> AsyncIterator[Batch]:
        """From `position` for ever; None begins at `since_ms`, or now."""
        place = await self._begin() if position is None else msgspec.json.decode(position, type=Place)
        calls = self._feed.rest.calls
        lane, beat, found = Lane.LIVE, 0, 0
        while True:
            self._woken.clear()
            step, place = await self._changes(place, lane)
            place = self._advanced(place, step)
            lane = self._lane(step)
            found += step.rows
            events, dead = step.events, step.dead
            if beat % self._side_beat == 0 and lane is Lane.LIVE:
                extra, extra_dead, place = await self._sides(place)
                events, dead = events + extra, dead + extra_dead
            yield Batch(events=events, dead=dead, position=msgspec.json.encode(place).decode(), caught_up=not step.more)
            if lane is Lane.LIVE:
                beat += 1
            if not step.more:
                spent, calls = self._feed.rest.calls - calls, self._feed.rest.calls
                await self._rest(self._pace.after(changes=found, calls=spent, now=time.monotonic()))
                found = 0

    async def _begin(self) -> Place:
        """A fresh position. Without `since_ms` the server's now, by its own clock."""
        since_ms = self._since_ms
        if since_ms is None:
            since_ms = (await self._feed.rest.paging_token(int(time.time() * 1000))).server_ms
        minted = await self._feed.rest.paging_token(since_ms)
        return Place(changes=minted.token, deletions=minted.token, merges=minted.token, time=since_ms)

    async def _changes(self, place: Place, lane: Lane) -> tuple[Step, Place]:
        step, token = await self._read(self._feed.changes, place.changes, place.time, CHANGES_RETENTION_MS, lane)
        if step.at - place.time > DELETIONS_RETENTION_MS and not self.feed_time_ms:
            raise Gap(
                "Marketo's activity feed was last read more than 14 days ago: deletions since then may be pruned", since_ms=place.time
            )
        return step, msgspec.structs.replace(place, changes=token)

    async def _sides(self, place: Place) -> tuple[list[ChangeEvent], list[DeadLetter], Place]:
        """Deletions and merges, a few pages each."""
        events: list[ChangeEvent] = []
        dead: list[DeadLetter] = []
        tokens = {"deletions": place.deletions, "merges": place.merges}
        for name, read in (("merges", self._feed.merges), ("deletions", self._feed.deletions)):
            for _ in range(_SIDE_PAGES_MAX):
                step, _minted = await self._read(read, tokens[name], place.time, DELETIONS_RETENTION_MS, Lane.LIVE)
                events += step.events
                dead += step.dead
                tokens[name] = step.token
                if not step.more:
                    break
        return events, dead, msgspec.structs.replace(place, **tokens)

    async def _read(
        self, read: Callable[[str, Lane], Awaitable[Step]], token: str, time_ms: int, retention_ms: int, lane: Lane
    ) -> tuple[Step, str]:
        """One page and the token that followed it; a lost token is minted again, once."""
        try:
            step = await read(token, lane)
        except Reject as error:
            if not token_lost(error):
                raise
            minted = await self._feed.rest.paging_token(time_ms - self._overlap_ms, lane)
            if minted.server_ms - time_ms > retention_ms:
                raise Gap("Marketo no longer knows the paging token, nor the time it stood for", since_ms=time_ms) from error
            step = await read(minted.token, lane)
        return step, step.token

    def _advanced(self, place: Place, step: Step) -> Place:
        """At the end of the feed everything up to the reading has been read, before it what the rows show."""
        reached = step.last_ms if step.more else step.at
        self.feed_time_ms = max(place.time, reached)
        self.backlog = step.more
        return msgspec.structs.replace(place, time=self.feed_time_ms)

    def _lane(self, step: Step) -> Lane:
        far = step.more and (step.own > _DRAIN_SHARE or step.at - step.last_ms > _NEAR_MS)
        return Lane.REPAIR if far else Lane.LIVE

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass  # nobody called: it is time

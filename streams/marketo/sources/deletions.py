"""Deleted leads, read beside the changes and never in front of them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from streams.budget.port import Lane
from streams.marketo.api.wire import Page
from streams.wire.events import ChangeEvent, DeadLetter

PAGES_MAX = 20
"""Pages read at a time once there are more than one: behind a drain Marketo walks through every activity of it to find the few
deletions."""
_GRACE_SECONDS = 0.25


@dataclass(slots=True, kw_only=True)
class Deleted:
    """What was read: the token to go on from, and the time up to which everything has been (0: more is waiting)."""

    token: str
    until: int = 0
    events: list[ChangeEvent] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)


class DeletionWalk:
    """Reads at every `beat`-th asking, `seconds` apart at the least; where more is waiting, at every asking, behind the live lane."""

    def __init__(
        self,
        read: Callable[[str, int, Lane], Awaitable[Page]],
        told: Callable[[Page, Lane], Awaitable[tuple[list[ChangeEvent], list[DeadLetter]]]],
        *,
        beat: int,
        seconds: float,
    ) -> None:
        """`read`: the page at a token, minted again from a time if it is lost. `told`: what a page says."""
        self._read, self._told = read, told
        self._beat, self._seconds = beat, seconds
        self._asked, self._from = 0, 0.0
        self._task: asyncio.Task[Deleted] | None = None
        self._more = False

    def begin(self, token: str, since_ms: int) -> None:
        """Another asking: reads on from `token` (which stands for `since_ms`) where it is time to, beside whatever the caller does."""
        if self._task is not None:
            return
        due = self._asked % self._beat == 0 and time.monotonic() >= self._from
        self._asked += 1
        if due or self._more:
            self._from = time.monotonic() + self._seconds
            lane, pages = (Lane.REPAIR, PAGES_MAX) if self._more else (Lane.LIVE, 1)
            self._task = asyncio.create_task(self._walk(token, since_ms, lane, pages))

    async def taken(self) -> Deleted | None:
        """What has been read since; None: nothing yet. Waits for a moment, no longer. Raises what reading raised."""
        if self._task is None:
            return None
        await asyncio.wait({self._task}, timeout=_GRACE_SECONDS)
        if not self._task.done():
            return None
        task, self._task = self._task, None
        found = task.result()
        self._more = not found.until
        return found

    async def close(self) -> None:
        """Give up what is being read."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _walk(self, token: str, since_ms: int, lane: Lane, pages: int) -> Deleted:
        deleted = Deleted(token=token)
        for _ in range(pages):
            page = await self._read(deleted.token, since_ms, lane)
            events, dead = await self._told(page, lane)
            deleted.token = page.token
            deleted.events += events
            deleted.dead += dead
            if not page.more:
                deleted.until = page.at
                break
        return deleted

"""The one loop that carries any source onto Kafka.

Order of effects, for each batch: published, every message acknowledged, position saved. A crash between any two is a repeat: the
source yields the batch again from the position saved before it. A gap: recorded together with the position to go on from, then
announced; a crash between the two is made good at the next start, which announces whatever is open.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any, Protocol

import structlog

from streams.ground import clock
from streams.relay.positions import OpenGap, Positions, Standing, TakenOver
from streams.relay.publisher import Published
from streams.relay.singleton import Singleton
from streams.wire.errors import Gap, Retry, SyncError
from streams.wire.events import AsyncBatches, Batch, ChangeEvent, DeadLetter, Source

OnGap = Callable[[OpenGap], None]
"""Tells whoever reads again (the reconciliation sources) of a gap. Quick; may be told of the same gap more than once."""

FATAL_SECONDS = 120.0
"""How long until another try when a person has to act: they mend it, and need not restart anything."""
_RETRY_SECONDS_MAX = 60.0


class PublishesBatches(Protocol):
    """What the relay needs of `streams.relay.publisher.Publisher`."""

    trouble: str | None

    async def publish(self, events: Sequence[ChangeEvent], dead: Sequence[DeadLetter] = ()) -> Published:
        """Send all, await every acknowledgement."""
        ...

    async def close(self) -> None:
        """Disconnect."""
        ...


class RelayWatch(Protocol):
    """Who is told what a relay does (metrics)."""

    def relayed(self, source: str, events: Sequence[ChangeEvent], dead: int, feed_ms: int | None) -> None:
        """A batch is through, its position saved."""
        ...

    def gap(self, source: str) -> None:
        """A gap was opened."""
        ...

    def failed(self, source: str, error: SyncError) -> None:
        """The source can't go on for now."""
        ...

    def state(self, source: str, state: str) -> None:
        """`standby`, `running`, `retrying`, `fatal` or `stopped`."""
        ...


class Relay:
    """Carries one source, as the only one of its fleet.

    `on_gap` is called for every gap that this source opens, and at the start for those still open. A source that ends (one cycle, a
    first copy) ends the relay, unless `again_seconds` says when to start it anew.
    """

    def __init__(
        self,
        source: Source,
        publisher: PublishesBatches,
        positions: Positions,
        singleton: Singleton,
        *,
        on_gap: OnGap | None = None,
        watch: RelayWatch | None = None,
        again_seconds: float | None = None,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now_ms: Callable[[], int] = clock.now_ms,
    ) -> None:
        self.name = source.name
        self._source, self._publisher, self._positions, self._singleton = source, publisher, positions, singleton
        self._on_gap: OnGap = on_gap or (lambda _: None)
        self._watch: RelayWatch = watch or _Unwatched()
        self._again_seconds = again_seconds
        self._wait, self._now_ms = wait, now_ms
        self._failures = 0
        self._fatal: str | None = None
        self._standing: Standing | None = None
        self._state = "stopped"
        self._log = structlog.get_logger("streams.relay.relay").bind(source=source.name)

    @property
    def state(self) -> str:
        """`standby`, `running`, `retrying`, `fatal` or `stopped`."""
        return self._state

    def trouble(self) -> str | None:
        """Why this source doesn't flow; None while it does, or while another worker carries it."""
        if self._fatal is not None:
            return f"{self.name}: {self._fatal}"
        return f"{self.name}: {self._publisher.trouble}" if self._publisher.trouble else None

    async def run(self, stop: asyncio.Event) -> None:
        """Stand by, then carry the source until `stop` (after the batch in hand) or the end of the source.

        When the lock is lost everything stops at once, and the relay stands by again. Raises what is not a `SyncError`: a defect.
        """
        try:
            while not await self._term(stop):
                self._log.info("standing by again")
        finally:
            self._enter("stopped")
            await self._publisher.close()

    async def _term(self, stop: asyncio.Event) -> bool:
        """From standing by to the end of one term of office; True when there shall be no other."""
        self._enter("standby")
        leading, stopping = asyncio.create_task(self._lead(stop)), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({leading, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not leading.done() and self._state == "standby":
                return True
            return await leading
        finally:
            await _end(stopping)
            await _end(leading)

    async def _lead(self, stop: asyncio.Event) -> bool:
        async with self._singleton.hold(f"relay {self.name}") as lost:
            self._standing = None
            losing, carrying = asyncio.create_task(lost.wait()), asyncio.create_task(self._carry(stop))
            try:
                await asyncio.wait({carrying, losing}, return_when=asyncio.FIRST_COMPLETED)
                if carrying.done():
                    return carrying.result()
                self._log.error("lock lost: another worker may carry this source now; stopping at once")
                return False
            finally:
                await _end(losing)
                await _end(carrying)

    async def _carry(self, stop: asyncio.Event) -> bool:
        gap: Gap | None = None
        while not stop.is_set():
            try:
                standing = self._standing or await self._take()
                if gap is not None:
                    standing, gap = await self._jump(gap, standing), None
                await self._flow(standing, stop)
                if self._again_seconds is None or stop.is_set():
                    return True
                await self._pause(self._again_seconds, stop)
            except TakenOver as error:
                self._log.error("taken over", error=str(error))
                return False
            except Gap as error:
                gap = error
                await self._wait_out(error, stop)
            except SyncError as error:
                await self._wait_out(error, stop)
        return True

    async def _take(self) -> Standing:
        self._standing = standing = await self._positions.take(self.name)
        for gap in await self._positions.open_gaps(self.name):
            self._on_gap(gap)
        self._enter("running")
        self._log.info("carrying", epoch=standing.epoch, fresh=standing.position is None)
        return standing

    async def _flow(self, standing: Standing, stop: asyncio.Event) -> None:
        async with aclosing(_until(stop, self._source, standing.position)) as batches:
            async for batch in batches:
                standing = self._standing = await self._pass_on(standing, batch)

    async def _pass_on(self, standing: Standing, batch: Batch) -> Standing:
        """Publish, all acknowledgements, save: in this order."""
        published = await self._publisher.publish(batch.events, batch.dead)
        feed_ms = _latest_change(batch.events, standing.feed_ms)
        await self._positions.save(standing, batch.position, feed_ms, caught_up=batch.caught_up)
        self._failures, self._fatal = 0, None
        self._enter("running")
        self._watch.relayed(self.name, batch.events, published.dead, feed_ms)
        return replace(standing, position=batch.position, feed_ms=feed_ms, saved_ms=self._now_ms())

    async def _jump(self, gap: Gap, standing: Standing) -> Standing:
        """Record what can't be read here, say so loudly, and go on behind it. Not to be known since when means: since the last change."""
        since_ms = next((known for known in (gap.since_ms, standing.feed_ms) if known is not None), 0)
        found = OpenGap(id=0, source=self.name, object=gap.object, since_ms=since_ms, reason=str(gap), cause=gap.cause or "")
        opened = await self._positions.open_gap(standing, found, gap.resume)
        self._log.error("gap: changes are missing here, reconciliation reads them", since_ms=since_ms, object=gap.object, reason=str(gap))
        self._watch.gap(self.name)
        self._on_gap(opened)
        self._standing = replace(standing, position=gap.resume)
        return self._standing

    async def _wait_out(self, error: SyncError, stop: asyncio.Event) -> None:
        self._failures += 1
        self._watch.failed(self.name, error)
        match error:
            case Gap():
                if self._failures > 1:  # nothing came since the last one
                    await self._pause(_backoff(self._failures), stop)
            case Retry():
                self._enter("retrying")
                self._log.warning("retrying", error=str(error), failures=self._failures)
                await self._pause(max(error.after_seconds, _backoff(self._failures)) * random.uniform(1.0, 1.2), stop)
            case _:
                self._fatal = str(error)
                self._enter("fatal")
                self._log.error("a person has to act; trying again in some minutes", error=str(error))
                await self._pause(FATAL_SECONDS * random.uniform(1.0, 1.2), stop)

    async def _pause(self, seconds: float, stop: asyncio.Event) -> None:
        """Wait, but not beyond `stop`."""
        waiting, stopping = asyncio.ensure_future(self._wait(seconds)), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _end(waiting)
            await _end(stopping)

    def _enter(self, state: str) -> None:
        if state != self._state:
            self._state = state
            self._watch.state(self.name, state)


class _Unwatched:
    def relayed(self, source: str, events: Sequence[ChangeEvent], dead: int, feed_ms: int | None) -> None:
        """Nobody looks."""

    def gap(self, source: str) -> None:
        """Nobody looks."""

    def failed(self, source: str, error: SyncError) -> None:
        """Nobody looks."""

    def state(self, source: str, state: str) -> None:
        """Nobody looks."""


async def _until(stop: asyncio.Event, source: Source, position: str | None) -> AsyncGenerator[Batch, None]:
    """The source's batches; ends at `stop`, leaving alone a batch that is not there yet."""
    batches = source.batches(position)
    stopping = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            coming = asyncio.ensure_future(_next(batches))
            try:
                await asyncio.wait({coming, stopping}, return_when=asyncio.FIRST_COMPLETED)
                batch = coming.result() if coming.done() else None
            finally:
                await _end(coming)
            if batch is None:
                return
            yield batch
    finally:
        await _end(stopping)
        await batches.aclose()


async def _next(batches: AsyncBatches) -> Batch | None:
    try:
        return await batches.__anext__()
    except StopAsyncIteration:
        return None


async def _end(task: "asyncio.Future[Any]") -> None:
    """Cancel it if it runs, and see it gone."""
    if not task.done():
        task.cancel()
        await asyncio.wait({task})


def _latest_change(events: Sequence[ChangeEvent], before: int | None) -> int | None:
    changes = [event.at for event in events if not event.is_read]
    return max([*changes, *([] if before is None else [before])], default=None)


def _backoff(failures: int) -> float:
    seconds: float = min(_RETRY_SECONDS_MAX, 0.5 * 2.0 ** min(failures, 10))
    return seconds

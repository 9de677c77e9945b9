"""What the pages stand on: the settings, a few connections for sessions and the audit log, and how things have stood of late."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import structlog

from consumers.answers.desk.control import pauses_of
from consumers.answers.looking.ledger import status_of
from consumers.audit_log.deeds import Deed, write_down
from consumers.configuration.loading import Settings
from consumers.console.access.roles import Visitor
from consumers.reports.standing.backlog import waits
from consumers.reports.standing.health import Pause, Trend, behind, waiting_writes
from consumers.reports.standing.status import Status
from streams.ground.clock import now_ms
from streams.ground.database import away_is_retry
from streams.wire.errors import SyncError

_SAMPLE_SECONDS = 5.0
_SAMPLES_MAX = 1_440
"""Two hours."""
_TREND_SAMPLES = 12
_FRESH_MS = 2_000
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """How things stood at a moment: what waits, and how far everything had come since the beginning."""

    at_ms: int
    waiting: int
    behind: int
    oldest_ms: int
    judged: Mapping[str, int]
    """Events of each system that are judged, ever."""
    calls: Mapping[str, int]
    """Of the day, by system."""
    waits: Mapping[str, int] = field(default_factory=dict)
    """What is to be done now, by the system that is written to."""
    p50_ms: int = 0
    p99_ms: int = 0
    """How long the edits of the last minutes took to the other side."""
    workers: tuple[str, ...] = ()
    """Those that were there."""


@dataclass(slots=True)
class Ground:
    """One console."""

    settings: Settings
    pool: Any
    file: Path | None = None
    """The configuration; None: nobody has said where it lies."""
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=_SAMPLES_MAX))
    _status: Status | None = None
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def status(self) -> Status:
        """How everything stands, not older than two seconds: however many look, it is asked once. Raises as `status_of`."""
        async with self._asking:
            if self._status is None or now_ms() - self._status.at_ms > _FRESH_MS:
                self._status = await status_of(self.settings)
            return self._status

    async def paused(self) -> list[Pause]:
        """What somebody has stopped for more than single records. Raises as `pauses_of`."""
        told = [each.pause for each in await pauses_of(self.settings) if not each.pause.pair]
        return [Pause(what=_stopped(each.system, each.object), who=each.who, why=each.why) for each in told]

    def trend(self) -> Trend | None:
        """Over the last minute; None: nobody has watched for so long."""
        if len(self.samples) < _TREND_SAMPLES:
            return None
        first, last = self.samples[-_TREND_SAMPLES], self.samples[-1]
        seconds = max(1.0, (last.at_ms - first.at_ms) / 1000)
        return Trend(drained_a_second=((first.waiting + first.behind) - (last.waiting + last.behind)) / seconds)

    def drained(self) -> dict[str, float]:
        """As `trend`, by the system that is written to; empty: nobody has watched for so long."""
        if len(self.samples) < _TREND_SAMPLES:
            return {}
        first, last = self.samples[-_TREND_SAMPLES], self.samples[-1]
        seconds = max(1.0, (last.at_ms - first.at_ms) / 1000)
        return {system: (first.waits.get(system, 0) - count) / seconds for system, count in last.waits.items()}

    async def watch(self) -> None:
        """Take a sample every few seconds, until cancelled."""
        while True:
            try:
                self.samples.append(sample_of(await self.status()))
            except SyncError as error:
                _log.warning("no sample", error=str(error))
            await asyncio.sleep(_SAMPLE_SECONDS)

    async def note(self, visitor: Visitor, act: str, what: Mapping[str, Any], why: str = "") -> None:
        """Write into the audit log what this visitor does, before it is done. Raises `Retry`: then nothing may be done."""
        async with self.connection() as connection:
            await write_down(connection, Deed(at=now_ms(), who=visitor.who, act=act, what=what, why=why.strip()))

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Any]:
        """One of the few. Raises `Retry` where PostgreSQL is away."""
        with away_is_retry("the console's connection"):
            connection = await self.pool.acquire(timeout=10.0)
        try:
            yield connection
        finally:
            await self.pool.release(connection)


def _stopped(system: str, obj: str) -> str:
    return f"no {obj} is written to {system}" if obj else f"nothing is written to {system}"


def sample_of(status: Status) -> Sample:
    """The numbers of a status that plots are made of."""
    count, oldest = waiting_writes(status)
    judged: dict[str, int] = {}
    for part in status.partitions:
        words = part.topic.split(".")
        system = words[1] if len(words) > 1 else part.topic
        judged[system] = judged.get(system, 0) + part.next_offset
    return Sample(
        at_ms=status.at_ms,
        waiting=count,
        behind=behind(status),
        oldest_ms=max(0, oldest),
        judged=judged,
        calls={row.system: row.used for row in status.spent},
        waits={system: sum(counts) for system, counts in waits(status).items()},
        p50_ms=status.arrivals.p50_ms,
        p99_ms=status.arrivals.p99_ms,
        workers=status.workers,
    )


@asynccontextmanager
async def grounded(settings: Settings, file: Path | None = None) -> AsyncGenerator[Ground]:
    """A ground whose connections are made when they are needed."""
    pool = asyncpg.create_pool(
        settings.postgres.dsn.reveal(), min_size=0, max_size=4, command_timeout=30.0, server_settings={"application_name": "tandem-console"}
    )
    async with pool:
        ground = Ground(settings=settings, pool=pool, file=file)
        watching = asyncio.create_task(ground.watch())
        try:
            yield ground
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

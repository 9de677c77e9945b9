"""A first copy: what it would cost, begun, moved on, and how far it is."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from consumers.configuration.loading import Settings
from consumers.copy.progress import Progress, progress
from consumers.copy.quote import Quote
from consumers.copy.store import LANE_OWED, MARKS, State, begin, latest, move
from consumers.fitting.grounds import look_at_migrations
from consumers.reports.database import ledger_connection
from consumers.worker.assembly.quoting import quote_of
from consumers.worker.process.process import Process
from consumers.worker.tools.opening import opened
from streams.budget.port import Lane
from streams.ground.clock import now_ms
from streams.ground.database import away_is_retry, connected


async def quote(settings: Settings) -> Quote:
    """What a first copy would cost. Both systems are asked; nothing is written."""
    async with AsyncExitStack() as stack:
        process = Process()
        return await quote_of(await opened(settings, process.metrics, stack), process)


async def started(settings: Settings, said: Quote) -> int | None:
    """The number of a copy that the workers begin within seconds; None: one is open already."""
    async with _writing(settings) as connection:
        return await begin(connection, said, now_ms())


async def moved(settings: Settings, wanted: State, before: tuple[State, ...]) -> bool:
    """Whether the latest copy was one of those before, and is what is wanted since."""
    async with _writing(settings) as connection:
        return await move(connection, wanted, before, now_ms())


async def progress_of(settings: Settings) -> Progress | None:
    """How far the latest copy is; None: there never was one. The ledger is asked, and no system."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        copy = await latest(connection)
        if copy is None:
            return None
        marks = {row["source"]: row["position"] for row in await connection.fetch(MARKS)}
        return progress(copy, marks, await connection.fetchval(LANE_OWED, int(Lane.COPY)))


@asynccontextmanager
async def _writing(settings: Settings) -> AsyncIterator[Any]:
    dsn = settings.postgres.dsn.reveal()
    connection = await connected(dsn, application_name="tandem-copy")
    try:
        await look_at_migrations(connection, dsn)
        with away_is_retry("ask for a first copy"):
            yield connection
    finally:
        connection.terminate()

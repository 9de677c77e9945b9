"""The commands about what was read: cycles, coverage."""

from collections.abc import Sequence

from consumers.configuration.loading import Settings
from consumers.configuration.mapping.defaults import synced
from consumers.configuration.mapping.registered import registry_of
from consumers.reports.database import ledger_connection
from consumers.reports.standing.coverage import Coverage, coverage, sources_by_kind
from consumers.reports.standing.cycles import cycles
from consumers.reports.standing.status import Cycle
from streams.ground.clock import now_ms


async def cycles_of(settings: Settings, obj: str, *, only_missed: bool, most: int) -> Sequence[Cycle]:
    """The last cycles. Raises as `ledger_connection`."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        return await cycles(connection, now_ms(), obj=obj, only_missed=only_missed, most=most)


async def coverage_of(settings: Settings, *, hours: int) -> Coverage:
    """What was read in the last hours, and the holes. Raises as `ledger_connection`."""
    known, now = registry_of(settings).sorts, now_ms()
    sources = sources_by_kind({obj: known[obj].entity.stream for obj in synced(settings)})
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        return await coverage(connection, sources, now, now - hours * 3_600_000)

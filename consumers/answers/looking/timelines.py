"""What happened to a record."""

from consumers.configuration.loading import Settings
from consumers.reports.database import ledger_connection
from consumers.reports.records.timeline import Cause, recent_decisions, timeline

DECISIONS_MAX = 300


async def timeline_of(settings: Settings, pair: int, *, most: int = DECISIONS_MAX) -> tuple[Cause, ...]:
    """Of the newest `most` decisions, newest first. Raises as `ledger_connection`."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        return timeline(await recent_decisions(connection, pair, most=most))

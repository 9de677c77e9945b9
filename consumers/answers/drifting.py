"""What differs between both sides, and how far the audit has come."""

from collections.abc import Sequence

from consumers.audit.compare import Class
from consumers.configuration.loading import Settings
from consumers.ledger.spent import spent
from consumers.reports.database import ledger_connection
from consumers.reports.standing.drift import Drift, drift
from streams.ground.clock import now_ms
from streams.wire.systems import Object, System


async def drift_of(settings: Settings, only: Object | None, classes: Sequence[Class], *, most: int) -> Drift:
    """What differs, and how far the audit has come: the ledger is asked, and no system. Raises as `ledger_connection`."""
    days = {System.SALESFORCE: settings.salesforce.calls_per_day, System.MARKETO: settings.marketo.calls_per_day}
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        told = {each.system: each.limit for each in await spent(connection, now_ms(), days)}
        a_day = {system: told.get(system, limit) * settings.audit.calls_percent / 100 for system, limit in days.items()}
        return await drift(
            connection,
            only=only,
            classes=classes,
            most=most,
            salesforce_a_day=a_day[System.SALESFORCE],
            marketo_a_day=a_day[System.MARKETO],
        )

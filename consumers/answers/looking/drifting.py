"""What differs between both sides, and how far the audit has come."""

from collections.abc import Sequence

from consumers.audit.compare import Class
from consumers.configuration.loading import Settings
from consumers.configuration.systems import limits_of
from consumers.ledger.spent import spent
from consumers.reports.database import ledger_connection
from consumers.reports.standing.drift import Drift, drift
from streams.ground.clock import now_ms
from streams.wire.systems import Object, System


async def drift_of(settings: Settings, only: Object | None, classes: Sequence[Class], *, most: int) -> Drift:
    """What differs, and how far the audit has come: the ledger is asked, and no system. Raises as `ledger_connection`."""
    limits = limits_of(settings)
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        told = {each.system: each.limit for each in await spent(connection, now_ms(), limits)}
        a_day = {system: told.get(system, of.day_calls or 0) * settings.audit.calls_percent / 100 for system, of in limits.items()}
        return await drift(
            connection,
            only=only,
            classes=classes,
            most=most,
            salesforce_a_day=a_day[System.SALESFORCE],
            marketo_a_day=a_day[System.MARKETO],
        )

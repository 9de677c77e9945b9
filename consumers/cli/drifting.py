"""What `tandem drift` and `tandem drift repair` ask and do, as values."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

from consumers.audit.book import Book
from consumers.audit.compare import Class
from consumers.audit.repair import Repair, Repairing
from consumers.configuration.loading import Settings
from consumers.ledger.spent import spent
from consumers.reports.database import ledger_connection
from consumers.reports.standing.drift import Drift, drift
from consumers.worker.assembly.auditing import counted_budgets, reader_of
from consumers.worker.process.process import Process
from consumers.worker.tools.opening import opened
from streams.budget.port import Lane
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


async def repaired(settings: Settings, only: Object | None, *, most: int, apply: bool) -> list[Repair]:
    """What mending true drift writes; both systems are asked for the records as they are now. `apply`: it is done, too."""
    found = await drift_of(settings, only, [Class.TRUE_DRIFT], most=most)
    pairs = list(dict.fromkeys(each.pair for each in found.differences if each.pair))
    if not pairs:
        return []
    async with AsyncExitStack() as stack:
        process = Process()
        tools = await opened(settings, process.metrics, stack)
        reader = reader_of(tools, counted_budgets(tools, process), lane=Lane.REPAIR)
        return await Repairing(Book(tools.pool), tools.ledger, reader, tools.terms, now_ms).repair(pairs, apply=apply)

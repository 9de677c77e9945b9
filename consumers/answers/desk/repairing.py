"""Records in true drift, read once more and mended."""

from contextlib import AsyncExitStack

from consumers.answers.looking.drifting import drift_of
from consumers.audit.book import Book
from consumers.audit.compare import Class
from consumers.audit.repair import Repair, Repairing
from consumers.configuration.loading import Settings
from consumers.worker.assembly.auditing import counted_budgets, reader_of
from consumers.worker.process.process import Process
from consumers.worker.tools.opening import opened
from streams.budget.port import Lane
from streams.ground.clock import now_ms
from streams.wire.systems import Object


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

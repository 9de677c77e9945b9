"""What a person does by hand with what waits, or was done: opened for a command, or for a page."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from consumers.audit.reading import Reader
from consumers.configuration.loading import Settings
from consumers.desk.doing import Doing
from consumers.worker.assembly.auditing import counted_budgets, reader_of
from consumers.worker.process.process import Process
from consumers.worker.tools.opening import Tools, opened
from streams.budget.port import Lane
from streams.ground.clock import now_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """`doing`: the ledger, for whoever acts; `reader`: both systems, asked as they are now."""

    doing: Doing
    reader: Reader
    tools: Tools


@asynccontextmanager
async def open_desk(settings: Settings, who: str) -> AsyncIterator[Desk]:
    """`who` acts, as the audit log names them. Raises as `opened`."""
    async with AsyncExitStack() as stack:
        process = Process()
        tools = await opened(settings, process.metrics, stack)
        reader = reader_of(tools, counted_budgets(tools, process), lane=Lane.REPAIR)
        yield Desk(doing=Doing(tools.pool, tools.ledger, tools.terms, now_ms, who=who), reader=reader, tools=tools)

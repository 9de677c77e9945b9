"""What each day allows, asked of the systems now and then by one worker of the fleet.

What others on the account have used of Marketo's calls (Salesforce tells that with each answer), and how many events Salesforce delivers.
"""

import asyncio

import structlog

from consumers.ledger.allowances import events_of, save_events
from consumers.worker.process.process import Process
from consumers.worker.tools.opening import Tools
from streams.budget.port import Lane
from streams.budget.reckoning.allowance import EVENTS, told
from streams.ground.clock import now_ms
from streams.ground.database import away_is_retry
from streams.ground.pause import pause
from streams.ground.together import until_stopped
from streams.wire.errors import SyncError
from streams.wire.systems import System

ROLE = "reconcile.allowances"
_log = structlog.get_logger(__name__)


class Allowances:
    """One process's part in it."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def run(self, tools: Tools, stop: asyncio.Event) -> None:
        """Ask and keep, until stopped. A system that doesn't tell (a permission is missing, the day is over) keeps nobody from working."""
        self._process.says(ROLE, None)
        await until_stopped(_asking(tools), stop)


async def _asking(tools: Tools) -> None:
    seconds = tools.settings.intervals.allowances_seconds
    while True:
        async with tools.singleton.hold(ROLE) as lost:
            while not lost.is_set():
                await ask(tools)
                await pause(seconds, lost)


async def ask(tools: Tools) -> None:
    """Once."""
    for system, asked in ((System.MARKETO, _calls_of_others), (System.SALESFORCE, _events)):
        try:
            await asked(tools)
        except SyncError as error:
            _log.warning("what the day allows was not told", system=str(system), error=str(error))


async def _calls_of_others(tools: Tools) -> None:
    """Marketo tells the calls of the day by API user; Salesforce with each answer."""
    usage = await tools.marketo.usage(Lane.RECONCILE)
    own = usage.users.get(tools.terms.identity.marketo_user or "", 0)
    tools.budgets[System.MARKETO].others_used(usage.date, max(0, usage.total - own))


async def _events(tools: Tools) -> None:
    limits = await tools.salesforce.limits(Lane.RECONCILE)
    daily = limits.get(EVENTS)
    if not isinstance(daily, dict) or not daily.get("Max"):
        return
    most, left, at = int(daily["Max"]), int(daily.get("Remaining", 0)), now_ms()
    with away_is_retry("keep what is left of Salesforce's events"):
        async with tools.pool.acquire() as connection:
            before = await events_of(connection, at)
            now = told(before, most, most - left, at, can_save=tools.settings.salesforce.quiet_channel is not None)
            await save_events(connection, now)
    if now.saving != (before is not None and before.saving):
        _log.warning("Salesforce's events are saved" if now.saving else "Salesforce's events are plenty again", left=left, most=most)

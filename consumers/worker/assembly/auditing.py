"""Both sides compared in the background by one worker of the fleet, with calls of its own that are counted as the audit's."""

import asyncio
from collections.abc import Mapping
from functools import partial

from consumers.audit.allowance import DAY_SECONDS, pause_seconds
from consumers.audit.auditor import Audited, Auditor, Scope
from consumers.audit.book import Book
from consumers.audit.reading import LANE, Counted, Reader
from consumers.configuration.mapping.registered import registry_of
from consumers.configuration.systems import limits_of
from consumers.ledger.spent import spent
from consumers.settle.writers.marketo.writer import MarketoWriter
from consumers.settle.writers.salesforce.writer import SalesforceWriter
from consumers.settle.writers.sighted import SightedWriter
from consumers.worker.process.process import Process, Work
from consumers.worker.tools.opening import Tools
from consumers.worker.tools.watched import CallWatched, WaitWatched
from streams.budget.port import Lane
from streams.ground.clock import now_ms
from streams.ground.database import away_is_retry
from streams.marketo.api.rest import MarketoRest
from streams.salesforce.api.rest import SalesforceRest
from streams.wire.systems import MARKETO, SALESFORCE, Object, System

PURPOSE = "audit"


class Auditing:
    """One process's part in it."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def works(self) -> Mapping[str, Work]:
        """By role: what it does."""
        return {"audit": self._audit}

    async def _audit(self, tools: Tools, stop: asyncio.Event) -> None:
        settings = tools.settings.audit
        if not settings.calls_percent:
            await stop.wait()
            return
        book, counted = Book(tools.pool, tools.terms.rules.objects), counted_budgets(tools, self._process)
        auditor = Auditor(
            book,
            reader_of(tools, counted),
            tools.terms,
            counted,
            clock=now_ms,
            confirm_ms=round(settings.confirm_seconds * 1000),
            every_ms=round(settings.every_seconds * 1000),
            wait_seconds=partial(_wait_seconds, tools),
            scopes=scopes_of(tools),
            late=tools.feed_lag.behind,
            audited=self._audited,
        )
        # the flow of changes doesn't hang on it; `tandem drift` says of each kind what keeps it
        self._process.troubles["audit"] = lambda: None
        await auditor.run(tools.singleton, stop)

    async def _audited(self, audited: Audited, book: Book) -> None:
        metrics = self._process.metrics
        if audited.object is not None:
            metrics.audited.labels(audited.object).inc(audited.records)
        for klass, count in (await book.counts()).items():
            metrics.differences.labels(klass).set(count)


def counted_budgets(tools: Tools, process: Process) -> dict[System, Counted]:
    """The calls of the audit, told from those of all others."""
    watch = process.metrics
    return {
        system: Counted(CallWatched(WaitWatched(budget.for_purpose(PURPOSE), system, watch), system, PURPOSE, watch))
        for system, budget in tools.budgets.items()
    }


def reader_of(tools: Tools, counted: Mapping[System, Counted], *, lane: Lane = LANE) -> Reader:
    """What reads both systems on these budgets."""
    rules, sight = tools.terms.rules, tools.sight
    pages = SalesforceWriter(SalesforceRest(tools.session, counted[SALESFORCE]), rules, sight.visible)
    marketo = MarketoWriter(
        MarketoRest(tools.marketo_session, counted[MARKETO]), rules, tools.terms.identity.marketo_user, sight.visible, tools.links.goes_back
    )
    writers = {SALESFORCE: SightedWriter(pages, sight), MARKETO: SightedWriter(marketo, sight)}
    return Reader(writers, pages, Book(tools.pool, rules.objects), rules, sight.doubts, lane=lane)


def scopes_of(tools: Tools) -> Mapping[Object, tuple[str, Scope]]:
    """Sorts of which only the records of some parents count."""
    sorts = registry_of(tools.settings).sorts
    wanted = {obj: sorts[obj].entity.scope for obj in tools.terms.rules.objects if obj in sorts}
    return {obj: (scope, tools.links.campaigns) for obj, scope in wanted.items() if scope}


async def _wait_seconds(tools: Tools, calls: Mapping[System, int]) -> float:
    """As long as the system that is shorter of calls makes it wait."""
    settings = tools.settings
    with away_is_retry("count the calls of the drift audit"):
        async with tools.pool.acquire() as connection:
            limits = limits_of(settings)
            told = {each.system: each for each in await spent(connection, now_ms(), limits)}
    left = DAY_SECONDS - (now_ms() / 1000) % DAY_SECONDS
    waits = [0.0]
    for system, cost in calls.items():
        day = told.get(system)
        limit = day.limit if day is not None else limits[system].day_calls or 0
        used = sum(count for name, count in day.by_purpose.items() if name.endswith(f" {PURPOSE}")) if day is not None else 0
        waits.append(pause_seconds(allowed=limit * settings.audit.calls_percent / 100, spent=used, cost=cost, left_seconds=left))
    return max(waits)

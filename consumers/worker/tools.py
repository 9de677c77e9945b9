"""What the roles of a worker work with: sessions, budgets, the ledger, the terms. Opened once a process, by whoever needs it first."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import asyncpg
import structlog

from consumers.configuration.defaults import build
from consumers.configuration.loading import Settings
from consumers.configuration.settings import Echo
from consumers.configuration.systems import marketo_settings, salesforce_settings
from consumers.fitting.canary import Patience as CanaryPatience
from consumers.fitting.canary import canary
from consumers.fitting.grounds import look_at_database
from consumers.fitting.sight import Sight
from consumers.fitting.survey import survey
from consumers.ledger.postgres import PostgresLedger, open_ledger
from consumers.mapping.describes import Describes
from consumers.mapping.fields import SyncRules
from consumers.merge.setting import Identity
from consumers.merge.terms import Terms
from consumers.merge.writes import Patience
from consumers.reconcile.gaps import Gaps
from consumers.reconcile.returned_fields import welcome
from consumers.settle.prepaid import PrepaidBudget
from consumers.settle.writers.marketo import MarketoWriter
from consumers.settle.writers.port import Writer
from consumers.settle.writers.salesforce import SalesforceWriter
from consumers.settle.writers.sighted import SightedWriter
from consumers.worker.watched import CallWatch, CallWatched, WaitWatched
from streams.budget.limits import MARKETO, SALESFORCE
from streams.budget.port import Budget
from streams.budget.postgres import PostgresBudget
from streams.ground.database import away_is_retry
from streams.marketo.rest import MarketoRest
from streams.marketo.session import MarketoSession
from streams.relay.positions import PostgresPositions
from streams.salesforce.rest import SalesforceRest
from streams.salesforce.session import Session
from streams.wire.errors import Fatal, Unprepared
from streams.wire.events import DeadLetter
from streams.wire.systems import System

_ECHO, _SAVE_ECHO = (
    "select value from findings where name = 'echo'",
    "insert into findings (name, value, at) values ('echo', $1, $2) on conflict (name) do update set value = $1, at = $2",
)
_CLOSE_SECONDS = 0.5
_log = structlog.get_logger(__name__)


def now_ms() -> int:
    """Our clock: ms since the epoch."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """Everything opened. Writers have budgets of their own, whose leave is taken before work is claimed."""

    settings: Settings
    pool: Any
    ledger: PostgresLedger
    describes: Describes
    terms: Terms
    budgets: dict[System, PostgresBudget]
    leave: dict[System, Budget]
    """To write: taken before the work is claimed."""
    session: Session
    salesforce: SalesforceRest
    marketo: MarketoRest
    writers: dict[System, Writer]
    sight: Sight

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Keep dead letters of a relay."""
        async with self.ledger.transaction() as tx:
            await tx.bury(letters)


class Toolbox:
    """Opens the tools when they are first asked for; `close` gives everything back."""

    def __init__(self, settings: Settings, watch: CallWatch) -> None:
        """`watch` is told of every call to the systems."""
        self._settings, self._watch = settings, watch
        self._tools: Tools | None = None
        self._fatal: Fatal | None = None
        self._lock: asyncio.Lock | None = None
        self._stack = AsyncExitStack()

    async def open(self) -> Tools:
        """The tools. Raises `Retry` while something is away, `Fatal` (to all who ask) where a person has to act."""
        if self._lock is None:
            self._lock = asyncio.Lock()
        async with self._lock:
            if self._fatal is not None:
                raise self._fatal
            if self._tools is None:
                try:
                    async with AsyncExitStack() as stack:
                        self._tools = await _opened(self._settings, self._watch, stack)
                        self._stack = stack.pop_all()
                except Fatal as error:
                    self._fatal = error
                    raise
            return self._tools

    @property
    def tools(self) -> Tools | None:
        """The tools, if they have been opened."""
        return self._tools

    async def close(self) -> None:
        """Give everything back."""
        self._tools = None
        await self._stack.aclose()


async def _opened(settings: Settings, watch: CallWatch, stack: AsyncExitStack) -> Tools:
    dsn = settings.postgres.dsn.reveal()
    await look_at_database(dsn)
    with away_is_retry("open the database"):
        pool = await asyncpg.create_pool(dsn, min_size=1, max_size=4, command_timeout=60, server_settings={"application_name": "tandem"})
    stack.push_async_callback(_close, pool)
    ledger = await open_ledger(dsn, transactions_max=settings.postgres.connections_max)
    stack.push_async_callback(ledger.close)
    budgets = _budgets(settings, dsn)
    for budget in budgets.values():
        stack.push_async_callback(budget.close)
    session = await stack.enter_async_context(Session(salesforce_settings(settings)))
    marketo_session = await stack.enter_async_context(MarketoSession(marketo_settings(settings)))
    reading = {
        system: CallWatched(WaitWatched(budget.for_purpose("read"), system, watch), system, "read", watch)
        for system, budget in budgets.items()
    }
    salesforce, marketo = SalesforceRest(session, reading[System.SALESFORCE]), MarketoRest(marketo_session, reading[System.MARKETO])
    describes = await survey(salesforce, marketo)
    echo = await _echo(settings, pool, marketo_session, marketo)
    rules = _rules(settings, describes, stamped=echo is Echo.STAMP)
    own = Identity(salesforce_user=await session.user_id(), marketo_user=await marketo_session.user(), stamp=rules.links.stamp)
    if not own.marketo_user:
        raise Fatal("Marketo's identity service doesn't name the API user of these credentials.", remedy="Set `echo: stamp`.")
    ours, theirs = _patience(settings)
    late_ms = round(settings.intervals.lateness_seconds * 1000)
    terms = Terms(rules=rules, identity=own, lateness_ms=late_ms, salesforce=ours, marketo=theirs)
    leave: dict[System, Budget] = {system: WaitWatched(budget.for_purpose("write"), system, watch) for system, budget in budgets.items()}
    paid = {system: CallWatched(PrepaidBudget(budget), system, "write", watch) for system, budget in leave.items()}
    gaps = Gaps(pool, PostgresPositions(pool), now_ms)
    poll_seconds = settings.intervals.poll_seconds
    back = partial(welcome, gaps=gaps, pool=pool, ledger=ledger, terms=terms, poll_seconds=poll_seconds, now_ms=now_ms)
    sight = Sight(rules, describes, partial(survey, salesforce, marketo), back, now_ms, monotonic=time.monotonic)
    into_salesforce = SalesforceWriter(SalesforceRest(session, paid[System.SALESFORCE]), rules, sight.visible)
    into_marketo = MarketoWriter(MarketoRest(marketo_session, paid[System.MARKETO]), rules, own.marketo_user, sight.visible)
    writers: dict[System, Writer] = {
        System.SALESFORCE: SightedWriter(into_salesforce, sight),
        System.MARKETO: SightedWriter(into_marketo, sight),
    }
    _log.info("open", salesforce_user=own.salesforce_user, echo=str(echo), fields=len(describes.marketo))
    return Tools(
        settings=settings,
        pool=pool,
        ledger=ledger,
        describes=describes,
        terms=terms,
        budgets=budgets,
        leave=leave,
        session=session,
        salesforce=salesforce,
        marketo=marketo,
        writers=writers,
        sight=sight,
    )


async def _close(pool: Any) -> None:
    """Wait a moment for what is under way on its connections, then cut them."""
    try:
        await asyncio.wait_for(pool.close(), _CLOSE_SECONDS)
    except TimeoutError:
        pool.terminate()


def _budgets(settings: Settings, dsn: str) -> dict[System, PostgresBudget]:
    ours, theirs = settings.salesforce, settings.marketo
    salesforce = replace(SALESFORCE, places=ours.calls_at_once, day_calls=ours.calls_per_day)
    marketo = replace(MARKETO, calls=theirs.calls_per_20_seconds, places=theirs.calls_at_once, day_calls=theirs.calls_per_day)
    return {
        System.SALESFORCE: PostgresBudget(dsn, System.SALESFORCE, salesforce),
        System.MARKETO: PostgresBudget(dsn, System.MARKETO, marketo),
    }


def _rules(settings: Settings, describes: Describes, *, stamped: bool) -> SyncRules:
    rules = build(settings, describes, stamp=stamped)
    links = rules.links
    missing = [name for name in (links.lead_id, links.contact_id, links.type, links.is_deleted) if name not in describes.marketo]
    if missing:
        raise Unprepared(f"Marketo has no field {', '.join(missing)} that Tandem's user can see.", remedy="Run `tandem setup`.")
    if links.stamp and links.stamp not in describes.marketo:
        raise Unprepared(f"Marketo has no field {links.stamp} that Tandem's user can see.", remedy="Run `tandem setup`.")
    return rules


def _patience(settings: Settings) -> tuple[Patience, Patience]:
    """With Salesforce, and with Marketo, whose feed is polled."""
    call_ms = round(settings.settle.lease_seconds * 1000)
    poll_ms = round(settings.intervals.poll_seconds * 1000)
    theirs = marketo_settings(settings)
    theirs_ms = round(max(theirs.write_seconds, theirs.merge_seconds) * 1000)
    slow_ms = round(settings.intervals.activities_max_seconds * 1000) + 20_000
    return (
        Patience(
            call_ms=call_ms,
            time_out_ms=round(salesforce_settings(settings).request_timeout_seconds * 1000),
            silent_ms=20_000,
            lost_ms=max(60_000, 2 * poll_ms),
        ),
        Patience(call_ms=call_ms, time_out_ms=theirs_ms, silent_ms=slow_ms, lost_ms=max(2 * slow_ms, 2 * poll_ms)),
    )


async def _echo(settings: Settings, pool: Any, session: MarketoSession, rest: MarketoRest) -> Echo:
    """How own writes are told: as configured, as the canary found before, or as it finds now."""
    if settings.echo is not Echo.AUTO:
        return settings.echo
    with away_is_retry("read what the canary found"):
        known = await pool.fetchval(_ECHO)
    if known:
        return Echo(known)
    patience = CanaryPatience(now_ms=now_ms, monotonic=time.monotonic, sleep=asyncio.sleep)
    sung = await canary(session, rest, settings.links.stamp, None, patience)
    with away_is_retry("keep what the canary found"):
        await pool.execute(_SAVE_ECHO, str(sung.mode), now_ms())
    _log.info("canary", mode=str(sung.mode), detail=sung.detail)
    return sung.mode

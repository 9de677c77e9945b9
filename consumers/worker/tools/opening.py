"""What the roles of a worker work with, and how it is opened: sessions, budgets, the ledger, the terms."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import asyncpg
import structlog

from consumers.configuration.loading import Settings
from consumers.configuration.mapping.defaults import sorts
from consumers.configuration.rules import rules_part
from consumers.configuration.settings import Echo
from consumers.configuration.systems import limits_of, marketo_settings, salesforce_settings
from consumers.fitting.canary import Patience as CanaryPatience
from consumers.fitting.canary import canary
from consumers.fitting.custom.objects import say_differences
from consumers.fitting.grounds import look_at_database
from consumers.fitting.left_out import Place
from consumers.fitting.redefined import Definitions
from consumers.fitting.remembered import Memory
from consumers.fitting.sight import Returned, Sight
from consumers.fitting.survey import survey
from consumers.ledger.findings import keep_mapped, newly_mapped
from consumers.ledger.postgres.ledger import PostgresLedger, open_ledger
from consumers.ledger.versions import numbered
from consumers.links.links import Links
from consumers.mapping.describes import Describes
from consumers.mapping.fields import SyncRules
from consumers.merge.terms import Identity, Terms
from consumers.pauses.pauses import Pauses
from consumers.reconcile.gaps import Gaps
from consumers.reconcile.returned_fields import welcome
from consumers.settle.conditions.feed_lag import FeedLag
from consumers.settle.conditions.prepaid import PrepaidBudget
from consumers.settle.writers.marketo.writer import MarketoWriter
from consumers.settle.writers.port import Writer
from consumers.settle.writers.salesforce.writer import SalesforceWriter
from consumers.settle.writers.sighted import SightedWriter
from consumers.worker.tools.terms import rules_of, terms_of
from consumers.worker.tools.watched import CallWatch, CallWatched, WaitWatched
from streams.budget.port import Budget
from streams.budget.shared.postgres import PostgresBudget
from streams.ground.clock import now_ms
from streams.ground.database import away_is_retry
from streams.marketo.api.rest import MarketoRest
from streams.marketo.api.session import MarketoSession
from streams.relay.positions import PostgresPositions
from streams.relay.singleton import PostgresSingleton
from streams.salesforce.api.access.session import Session
from streams.salesforce.api.rest import SalesforceRest
from streams.wire.errors import Cause, Fatal
from streams.wire.events import DeadLetter
from streams.wire.systems import System

_ECHO, _SAVE_ECHO = (
    "select value from findings where name = 'echo'",
    "insert into findings (name, value, at) values ('echo', $1, $2) on conflict (name) do update set value = $1, at = $2",
)
_CLOSE_SECONDS = 0.5
_log = structlog.get_logger(__name__)


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
    marketo_session: MarketoSession
    salesforce: SalesforceRest
    marketo: MarketoRest
    writers: dict[System, Writer]
    sight: Sight
    definitions: Definitions
    gaps: Gaps
    links: Links
    pauses: Pauses
    feed_lag: FeedLag
    singleton: PostgresSingleton

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Keep dead letters of a relay."""
        async with self.ledger.transaction() as tx:
            await tx.bury(letters)


async def opened(settings: Settings, watch: CallWatch, stack: AsyncExitStack) -> Tools:
    """Opens them all; `stack` gives them back. Raises `Retry` while something is away, `Fatal` where a person has to act."""
    dsn = settings.postgres.dsn.reveal()
    pool, ledger, budgets = await _database(settings, dsn, stack)
    session = await stack.enter_async_context(Session(salesforce_settings(settings)))
    marketo_session = await stack.enter_async_context(MarketoSession(marketo_settings(settings)))
    reading = {
        system: CallWatched(WaitWatched(budget.for_purpose("read"), system, watch), system, "read", watch)
        for system, budget in budgets.items()
    }
    salesforce, marketo = SalesforceRest(session, reading[System.SALESFORCE]), MarketoRest(marketo_session, reading[System.MARKETO])
    surveying = partial(survey, salesforce, marketo, sorts(settings))
    definitions = Definitions(salesforce, lambda: session.server_now_ms() or 0)
    describes = await surveying()
    echo = await _echo(settings, pool, marketo_session, marketo)
    await say_differences(settings, salesforce, marketo, describes)
    rules = rules_of(settings, describes, stamped=echo is Echo.STAMP)
    terms = terms_of(settings, rules, await _identity(session, marketo_session, rules.links.stamp))
    leave: dict[System, Budget] = {system: WaitWatched(budget.for_purpose("write"), system, watch) for system, budget in budgets.items()}
    paid = {system: CallWatched(PrepaidBudget(budget), system, "write", watch) for system, budget in leave.items()}
    links = Links(pool)
    await links.all()
    pauses = Pauses(pool)
    await pauses.all()
    terms = replace(terms, winner_of=links.winner_of, version=await numbered(pool, rules, now_ms(), rules_part(settings)))
    gaps = await _gaps(pool, rules)
    poll_seconds = settings.intervals.poll_seconds
    back = partial(welcome, gaps=gaps, pool=pool, ledger=ledger, terms=terms, poll_seconds=poll_seconds, now_ms=now_ms)
    memory = Memory(pool, rules)
    sight = Sight(rules, describes, surveying, back, now_ms, monotonic=time.monotonic, seen=partial(_remembered, memory, _nobody))
    await _remembered(memory, back, describes, sight.unread)
    _log.info("open", salesforce_user=terms.identity.salesforce_user, echo=str(echo), fields=len(describes.marketo))
    return Tools(
        settings=settings,
        pool=pool,
        ledger=ledger,
        describes=describes,
        terms=terms,
        budgets=budgets,
        leave=leave,
        session=session,
        marketo_session=marketo_session,
        salesforce=salesforce,
        marketo=marketo,
        writers=_writers(session, marketo_session, paid, terms, sight, links=links),
        sight=sight,
        definitions=definitions,
        gaps=gaps,
        links=links,
        pauses=pauses,
        feed_lag=FeedLag(pool, now_ms),
        singleton=PostgresSingleton(dsn),
    )


async def _database(settings: Settings, dsn: str, stack: AsyncExitStack) -> tuple[Any, PostgresLedger, dict[System, PostgresBudget]]:
    """What stands on PostgreSQL: connections for everyday work, the ledger, the budgets."""
    await look_at_database(dsn)
    with away_is_retry("open the database"):
        pool = await asyncpg.create_pool(dsn, min_size=1, max_size=4, command_timeout=60, server_settings={"application_name": "tandem"})
    stack.push_async_callback(_close, pool)
    ledger = await open_ledger(dsn, transactions_max=settings.postgres.connections_max)
    stack.push_async_callback(ledger.close)
    budgets = budgets_of(settings, dsn)
    for budget in budgets.values():
        stack.push_async_callback(budget.close)
    return pool, ledger, budgets


async def _gaps(pool: Any, rules: SyncRules) -> Gaps:
    """What the feeds have lost; with what is newly mapped, which no feed told of before."""
    gaps = Gaps(pool, PostgresPositions(pool), tuple(rules.objects), now_ms)
    for obj, names in (await newly_mapped(pool, rules)).items():
        await gaps.open(f"fields.{System.SALESFORCE}", obj, f"{', '.join(names)} of {obj} are kept in step from now on", cause=Cause.SIGHT)
    await keep_mapped(pool, rules, now_ms())
    return gaps


async def _remembered(
    memory: Memory, back: Callable[[list[Returned]], Awaitable[None]], describes: Describes, unread: Mapping[Place, list[str]]
) -> None:
    await memory.take_in(describes, unread, now_ms(), back)


async def _nobody(returned: list[Returned]) -> None:
    """While it runs, `Sight` itself tells of what is back."""
    del returned


async def _close(pool: Any) -> None:
    """Wait a moment for what is under way on its connections, then cut them."""
    try:
        await asyncio.wait_for(pool.close(), _CLOSE_SECONDS)
    except TimeoutError:
        pool.terminate()


def budgets_of(settings: Settings, dsn: str) -> dict[System, PostgresBudget]:
    """The budgets that all processes share, of both systems."""
    return {system: PostgresBudget(dsn, system, limits) for system, limits in limits_of(settings).items()}


async def _identity(session: Session, marketo_session: MarketoSession, stamp: str | None) -> Identity:
    own = Identity(salesforce_user=await session.user_id(), marketo_user=await marketo_session.user(), stamp=stamp)
    if not own.marketo_user:
        raise Fatal("Marketo's identity service doesn't name the API user of these credentials.", remedy="Set `echo: stamp`.")
    return own


def _writers(
    session: Session, marketo_session: MarketoSession, paid: Mapping[System, Budget], terms: Terms, sight: Sight, *, links: Links
) -> dict[System, Writer]:
    """Their calls have their leave already."""
    rules, user = terms.rules, terms.identity.marketo_user
    salesforce = SalesforceWriter(SalesforceRest(session, paid[System.SALESFORCE]), rules, sight.visible)
    marketo = MarketoWriter(MarketoRest(marketo_session, paid[System.MARKETO]), rules, user, sight.visible, links.goes_back)
    return {System.SALESFORCE: SightedWriter(salesforce, sight), System.MARKETO: SightedWriter(marketo, sight)}


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

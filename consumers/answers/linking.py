"""Campaigns linked with programs, and unlinked."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import asyncpg

from consumers.configuration.loading import Settings
from consumers.configuration.mapping.defaults import build
from consumers.configuration.systems import marketo_settings, salesforce_settings
from consumers.fitting.grounds import look_at_database
from consumers.ledger.postgres.ledger import open_ledger
from consumers.links.linking import Asked, Linking
from consumers.links.links import ALL, Link, links_in
from consumers.merge.terms import Identity, Terms
from consumers.reports.database import ledger_connection
from consumers.worker.tools.opening import budgets_of
from streams.ground.database import away_is_retry
from streams.marketo.api.calling import BY_HAND_SECONDS
from streams.marketo.api.rest import MarketoRest
from streams.marketo.api.session import MarketoSession
from streams.salesforce.api.access.session import Session
from streams.salesforce.api.rest import SalesforceRest
from streams.wire.systems import MARKETO, SALESFORCE

_COUNT = """
select count(*) from pairs where marketo_object = 'member' and not gone and marketo_id collate "C" > $1 and marketo_id collate "C" < $2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """A link, and how many members are kept in step by it."""

    link: Link
    members: int


async def linked(settings: Settings, asked: Asked) -> Link:
    """Link them. Raises `NotLinked` where that can't be."""
    async with _linking(settings) as linking:
        return await linking.link(asked, round(time.time() * 1000))


async def linkable(settings: Settings, asked: Asked) -> Asked:
    """Whether they can be linked, with ids in full; nothing is changed. Raises `NotLinked` where they can't."""
    async with _linking(settings) as linking:
        return await linking.look(asked)


async def unlinked(settings: Settings, campaign: str) -> Linked:
    """What was linked. Raises `NotLinked` where nothing was."""
    async with _linking(settings) as linking:
        link, members = await linking.unlink(campaign)
        return Linked(link=link, members=members)


async def links_of(settings: Settings) -> tuple[Linked, ...]:
    """All that are linked: the ledger is asked, and no system."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        found = links_in(await connection.fetch(ALL))
        counts = [await connection.fetchval(_COUNT, f"{link.program}.", f"{link.program}/") for link in found]
        return tuple(Linked(link=link, members=count) for link, count in zip(found, counts, strict=True))


@asynccontextmanager
async def _linking(settings: Settings) -> AsyncIterator[Linking]:
    dsn = settings.postgres.dsn.reveal()
    await look_at_database(dsn)
    async with AsyncExitStack() as stack:
        with away_is_retry("open the database"):
            pool = await stack.enter_async_context(asyncpg.create_pool(dsn, min_size=1, max_size=2, command_timeout=60))
        ledger = await open_ledger(dsn, transactions_max=1)
        stack.push_async_callback(ledger.close)
        session = await stack.enter_async_context(Session(salesforce_settings(settings)))
        marketo_session = await stack.enter_async_context(MarketoSession(marketo_settings(settings)))
        shared = budgets_of(settings, dsn)
        for budget in shared.values():
            stack.push_async_callback(budget.close)
        ours, theirs = (shared[system].for_purpose("read") for system in (SALESFORCE, MARKETO))
        nobody = Identity(salesforce_user="", marketo_user="")  # nothing is judged here
        terms = Terms(rules=build(settings), identity=nobody)
        yield Linking(ledger, pool, SalesforceRest(session, ours), MarketoRest(marketo_session, theirs, BY_HAND_SECONDS), terms)

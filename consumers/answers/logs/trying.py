"""Rules that are tried before they are used, what would be written now, and the ledger built again: from the topics and the ledger."""

from collections.abc import Callable
from typing import Any

from consumers.configuration.access import kafka_access
from consumers.configuration.loading import Settings
from consumers.configuration.mapping.defaults import build
from consumers.configuration.mapping.registered import registry_of
from consumers.fitting.grounds import look_at_migrations
from consumers.ledger.findings import mapped
from consumers.ledger.postgres.ledger import open_ledger
from consumers.ledger.versions import Version, versions
from consumers.links.links import Links
from consumers.mapping.fields import SyncRules
from consumers.merge.pair.stored import unpack
from consumers.merge.terms import Identity, Terms
from consumers.replay.log import Log
from consumers.replay.pending import Pending, pending
from consumers.replay.planning import Planned, Trial
from consumers.replay.rebuild import Compared, Rebuilt, compare, look_empty, rebuild
from consumers.reports.database import ledger_connection
from streams.ground.clock import now_ms
from streams.ground.database import connected
from streams.wire.errors import SyncError

_STATES = "select id, state from pairs where id = any($1::bigint[])"
_NOBODY = Identity(salesforce_user="", marketo_user="")
"""Who we are matters to whoever judges events anew; here the log has told our own changes from those of others."""
_PATIENCE_SECONDS = 10.0
Said = Callable[[int], None]


async def plan_of(present: Settings, new: Settings, *, since_ms: int, said: Said) -> Planned:
    """What the rules of `new` would have decided otherwise since then. Raises as `ledger_connection` and `Log.entries`."""
    async with ledger_connection(present.postgres.dsn.reveal()) as connection:
        terms = await _terms(present, connection), await _terms(new, connection)
        trial = Trial(*terms, since_ms=since_ms)
        log = Log(kafka_access(present), registry_of(present))
        async for some in log.entries():
            if unknown := trial.unknown(some):
                rows = await connection.fetch(_STATES, sorted(unknown))
                trial.seeds |= {row["id"]: unpack(row["state"]) for row in rows}
            for each in some:
                trial.take(each)
            said(log.decisions)
    return trial.planned()


async def pending_of(settings: Settings) -> list[Pending]:
    """What would be written right now. Raises as `ledger_connection`."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        return await pending(connection, await _terms(settings, connection), now_ms())


async def versions_of(settings: Settings, most: int) -> list[Version]:
    """The versions of the rules, the newest first. Raises as `ledger_connection`."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        return await versions(connection, most)


async def rebuild_of(settings: Settings, into: str, *, compared: bool, said: Said) -> tuple[Rebuilt, Compared | None]:
    """The ledger, built again in the database behind `into`, and (`compared`) how it compares with the live one. Raises as above, and
    `Fatal` where there is a ledger already."""
    connection = await connected(into, seconds=_PATIENCE_SECONDS, application_name="tandem-rebuild")
    try:
        await look_at_migrations(connection, into)
        await look_empty(connection)
        terms = await _known_terms(settings)
        ledger = await open_ledger(into)
        try:
            log = Log(kafka_access(settings), registry_of(settings))
            built = await rebuild(log, ledger, connection, terms, said=said, now_ms=now_ms())
        finally:
            await ledger.close()
        if not compared:
            return built, None
        async with ledger_connection(settings.postgres.dsn.reveal()) as live:
            return built, await compare(live, connection)
    finally:
        connection.terminate()


async def _known_terms(settings: Settings) -> Terms:
    """As the live ledger knows them, while there is one."""
    try:
        async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
            return await _terms(settings, connection)
    except SyncError:
        return Terms(rules=build(settings), identity=_NOBODY)


async def _terms(settings: Settings, connection: Any) -> Terms:
    rules: SyncRules = build(settings, known=await mapped(connection))
    links = Links(connection)
    await links.all()
    return Terms(rules=rules, identity=_NOBODY, winner_of=links.winner_of)

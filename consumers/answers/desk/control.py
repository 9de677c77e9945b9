"""Writing paused and resumed, by what people call it: a direction, a kind, a record."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from consumers.configuration.loading import Settings
from consumers.configuration.mapping.registered import registry_of
from consumers.desk.control import Queued, Wanted, ending, owed_now, pause_writing, paused, resume_writing
from consumers.fitting.grounds import look_at_database
from consumers.reports.database import ledger_connection
from consumers.reports.records.people import find
from streams.ground.clock import now_ms
from streams.ground.database import away_is_retry
from streams.wire.systems import Object, System


class UnknownKind(LookupError):  # noqa: N818 - an answer to the operator, not a failure
    """No kind or object has that name; the message has those that there are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What is meant. `to`: the system that is written to, None: both; `kind`: a kind (person) or an object (lead); `records`: by name."""

    to: System | None = None
    kind: str = ""
    records: Sequence[str] = ()


async def pauses_of(settings: Settings) -> list[Queued]:
    """What is paused, by whom and why, and how much waits for it."""
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        return await paused(connection)


async def pause(settings: Settings, chosen: Chosen, *, who: str, why: str) -> list[Queued]:
    """Pause it; all that is paused then. Raises `UnknownKind`, `UnknownRecord`."""
    wanted = await wanted_of(settings, chosen)
    async with a_pool(settings) as pool:
        return await pause_writing(pool, wanted, who=who, why=why, now_ms=now_ms())


async def pausing(settings: Settings, chosen: Chosen, *, who: str, why: str) -> list[Queued]:
    """What `pause` would pause, and how much is owed of it now. Raises as `pause`."""
    wanted = await wanted_of(settings, chosen)
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        return await owed_now(connection, wanted, who=who, why=why, now_ms=now_ms())


async def resuming(settings: Settings, chosen: Chosen) -> list[Queued]:
    """The pauses that `resume` would end. Raises as `resume`."""
    wanted = await wanted_of(settings, chosen)
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        return await ending(connection, wanted)


async def resume(settings: Settings, chosen: Chosen) -> list[Queued]:
    """End the pauses of it; those that were. Raises `UnknownKind`, `UnknownRecord`."""
    wanted = await wanted_of(settings, chosen)
    async with a_pool(settings) as pool:
        return await resume_writing(pool, wanted)


async def wanted_of(settings: Settings, chosen: Chosen) -> Wanted:
    """By the ledger's own names. Raises `UnknownKind`, `UnknownRecord`."""
    systems = (chosen.to,) if chosen.to is not None else tuple(System)
    pairs: list[int] = []
    if chosen.records:
        async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
            pairs = [found.pair for name in chosen.records for found in await find(connection, name)]
    return Wanted(systems=systems, objects=objects_of(settings, chosen.kind) if chosen.kind else (), pairs=pairs)


def objects_of(settings: Settings, name: str) -> tuple[Object, ...]:
    """The Salesforce objects of a kind, or the one of that name. Raises `UnknownKind`."""
    known = registry_of(settings)
    kind, obj = known.by_name.get(name.casefold()), known.called(name)
    if obj is not None and (kind is None or kind.name == obj):
        return (obj,)
    if kind is not None:
        return tuple(sort.entity.object for sort in kind.sorts)
    raise UnknownKind(f"{name}: one of {', '.join(dict.fromkeys((*known.by_name, *map(str, known.sorts))))}")


@asynccontextmanager
async def a_pool(settings: Settings) -> AsyncIterator[Any]:
    dsn = settings.postgres.dsn.reveal()
    await look_at_database(dsn)
    with away_is_retry("open the database"):
        pool = await asyncpg.create_pool(dsn, min_size=1, max_size=2, command_timeout=60)
    try:
        yield pool
    finally:
        await pool.close()

"""What Tandem stands on: a database with every migration, a broker with every topic. Looked at once, at a start, by every command alike."""

from collections.abc import Iterable, Sequence
from typing import Any

import asyncpg
from aiokafka.errors import KafkaError

from consumers.kinds.registry import OBJECTS
from streams.ground.access import KafkaAccess, access_of
from streams.ground.database import AWAY, MIGRATE, address, connected, told
from streams.ground.kafka import admin, why_not
from streams.wire.errors import Unprepared
from streams.wire.systems import Object, System
from streams.wire.topics import all_topics

Place = tuple[System, Object]

MIGRATIONS = 39
"""The last migration that this version needs (infra/postgres/migrations): whoever adds one counts on here."""
APPLIED = "select number from schema_migrations order by number"
TOPICS = "Run tandem-topics."
_SHOWN = 3


async def look_at_database(dsn: str) -> None:
    """Raises `Retry` while nothing answers there, `Fatal` where it refuses, `Unprepared` where migrations are missing."""
    connection = await connected(dsn, application_name="tandem-look")
    try:
        await look_at_migrations(connection, dsn)
    finally:
        connection.terminate()


async def look_at_migrations(connection: Any, dsn: str) -> None:
    """The same on a connection that is there already.

    A database that is ahead is fine: migrations leave the version before able to run, or rename a column that each of its statements asks
    for, so that it stops and says so (0018).
    """
    where = f"the database at {address(dsn)}"
    try:
        applied = {row["number"] for row in await connection.fetch(APPLIED)}
    except asyncpg.UndefinedTableError:
        raise Unprepared(f"{where} has no tables of Tandem's yet.", remedy=MIGRATE) from None
    except (asyncpg.InsufficientPrivilegeError, *AWAY) as error:
        raise told(f"look at {where}", error) from error
    missing = [f"{number:04}" for number in range(1, MIGRATIONS + 1) if number not in applied]
    if missing:
        raise Unprepared(f"{where} lacks {_named('migration', missing)}.", remedy=MIGRATE)


async def look_at_kafka(kafka: KafkaAccess | str, objects: Sequence[Place] = OBJECTS) -> None:
    """Raises `Retry` while no broker answers, `Fatal` where it refuses, `Unprepared` where topics are missing. `objects`: what has one."""
    async with admin(kafka, client_id="tandem-look") as client:
        try:
            there = set(await client.list_topics())
        except (KafkaError, OSError) as error:
            raise await why_not(kafka, error) from error
    look_at_topics(there, access_of(kafka).bootstrap, objects)


def look_at_topics(there: Iterable[str], bootstrap: str, objects: Sequence[Place] = OBJECTS) -> None:
    """Raises `Unprepared` where one of ours isn't among them."""
    missing = sorted({spec.name for spec in all_topics(objects)} - set(there))
    if missing:
        raise Unprepared(f"Kafka at {bootstrap} lacks {_named('topic', missing)}.", remedy=TOPICS)


def _named(what: str, names: list[str]) -> str:
    left = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"the {what}{'s' if len(names) > 1 else ''} {', '.join(names[:_SHOWN])}{left}"

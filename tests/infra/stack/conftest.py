"""A broker and a database server that the stacks of one session use one after the other: each finds them as if they were new."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from infra.kafka.broker import Broker
from infra.postgres.server import Server
from infra.stack.stack import Lent
from streams.ground.kafka import admin

DEADLINE_SECONDS = 180
OURS = "crm."
"""Tests that need a broker alone leave records on topics of these names: a stack would take them for its own."""


@pytest.fixture
async def lent(kafka_broker: Broker, postgres_server: Server) -> AsyncIterator[Lent]:
    """For a stack whose Kafka and PostgreSQL nobody stops: half of what a test costs would be to start them."""
    for part in (kafka_broker, postgres_server):
        if not part.running():
            part.start()
    async with admin(kafka_broker.bootstrap) as client:
        before = {each for each in await client.list_topics() if not each.startswith(OURS)}
        await _forget(client, before)
    name = f"stack_{secrets.token_hex(6)}"
    await _execute(postgres_server, f"CREATE DATABASE {name}")
    try:
        yield Lent(kafka=kafka_broker, postgres=postgres_server, database=name)
    finally:
        await _execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")
        async with admin(kafka_broker.bootstrap) as client:
            await _forget(client, before)


async def _forget(client: Any, before: set[str]) -> None:
    """No new topic is there, and no group knows of one."""

    async def knowing() -> list[str]:
        groups = [name for name, _ in await client.list_consumer_groups()]
        return [name for name in groups if {place.topic for place in await client.list_consumer_group_offsets(name)} - before]

    async def gone() -> bool:
        return not set(await client.list_topics()) - before and not await knowing()

    if made := set(await client.list_topics()) - before:
        await client.delete_topics(sorted(made))
    await _until(gone)


async def _until(what: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await what():
            await asyncio.sleep(0.1)


async def _execute(server: Server, sql: str) -> None:
    connection = await asyncpg.connect(server.dsn("postgres"))
    try:
        await connection.execute(sql)
    finally:
        await connection.close()

"""A ledger that is built again stands in PostgreSQL as it was: pairs, how far topics were read, ids of writes; never beside another one."""

from collections.abc import AsyncGenerator
from typing import Any

import asyncpg
import pytest

from consumers.ledger.postgres.ledger import open_ledger
from consumers.merge.pair.stored import unpack
from consumers.replay.rebuild import compare, look_empty, rebuild
from consumers.shadow.logged import Logged
from streams.wire.errors import Fatal
from tests.consumers.shadow.test_shadow_of_histories import lived, told
from tests.consumers.simulation.plot import Plot
from tests.consumers.simulation.world import World

pytestmark = pytest.mark.integration


class History:
    """The log of a simulated world."""

    def __init__(self, world: World) -> None:
        self._told = world.ledger.decisions
        self.decisions, self.events, self.gone = len(self._told), 0, 0
        self.first_ms, self.last_ms = self._told[0].at, self._told[-1].at
        origins = [each.event for each in self._told if each.event is not None and each.event.topic]
        self.read = {(each.topic, each.partition): each.offset for each in origins}

    async def entries(self) -> AsyncGenerator[list[Logged]]:
        yield [Logged(decision) for decision in self._told]


async def built(world: World, dsn: str) -> Any:
    connection = await asyncpg.connect(dsn)
    ledger = await open_ledger(dsn)
    try:
        await look_empty(connection)
        return await rebuild(History(world), ledger, connection, world.terms, said=lambda _: None, now_ms=1)  # type: ignore[arg-type]
    finally:
        await ledger.close()
        await connection.close()


@pytest.fixture(scope="module")
def world() -> World:
    return lived(Plot(seed=3, born="twice"))[0]


async def test_what_is_built_again_is_what_was(world: World, postgres: str) -> None:
    came = await built(world, postgres)
    connection = await asyncpg.connect(postgres)
    try:
        rows = await connection.fetch("select state from pairs")
        places = await connection.fetch("select topic, partition, next_offset from partition_offsets")
        next_write = await connection.fetchval("select nextval('write_ids')")
        same = await compare(connection, connection)
    finally:
        await connection.close()
    assert [told(unpack(row["state"])) for row in rows] == [told(state) for state in world.ledger.pairs.values()]
    assert came.pairs == len(rows) == same.equal
    assert {(row[0], row[1]): row[2] for row in places} == {place: offset + 1 for place, offset in History(world).read.items()}
    assert next_write > max(each.write for each in world.ledger.decisions)
    assert came.holes[-1].startswith("writes under way")


async def test_a_difference_is_found_and_named(world: World, postgres: str) -> None:
    await built(world, postgres)
    connection = await asyncpg.connect(postgres)
    other = await asyncpg.connect(postgres)
    try:
        await other.execute("begin; delete from pairs")
        missing = await compare(connection, other)
    finally:
        await other.close()
        await connection.close()
    assert (missing.equal, missing.different, missing.missing) == (0, 0, len(world.ledger.pairs))
    assert "is missing" in missing.examples[0]


async def test_nothing_is_built_where_a_ledger_is(world: World, postgres: str) -> None:
    await built(world, postgres)
    with pytest.raises(Fatal, match="a ledger in that database already"):
        await built(world, postgres)

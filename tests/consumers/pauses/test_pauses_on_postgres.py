"""Writing paused and resumed: what is owed queues, of what is paused alone, and nothing of it stays behind."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from consumers.desk.control import Wanted, pause_writing, paused, resume_writing
from consumers.judging.batch import NOWHERE, Judging
from consumers.ledger.port import Duty, Pair
from consumers.ledger.postgres.ledger import PostgresLedger, open_ledger
from consumers.pauses.pauses import Pauses
from consumers.settle.rounds.settler import Settler
from consumers.troubles.pauses import paused as troubles
from streams.wire.systems import LEAD, Object, System
from tests.consumers.merge.person_pair import MK, SF, T, event, terms
from tests.consumers.pairs_in_memory import Clock, ids, owing
from tests.consumers.scripted_writer import ScriptedWriter

pytestmark = pytest.mark.integration
TERMS = terms()


@pytest.fixture
async def ledger(postgres: str) -> AsyncIterator[PostgresLedger]:
    opened = await open_ledger(postgres)
    yield opened
    await opened.close()


@pytest.fixture
async def pool(postgres: str) -> AsyncIterator[Any]:
    made = await asyncpg.create_pool(postgres, min_size=1, max_size=4)
    yield made
    await made.close()


async def fill(ledger: PostgresLedger, count: int) -> list[int]:
    pairs = [Pair(id=0, state=TERMS.with_due(owing(number, MK), T), loaded=None) for number in range(1, count + 1)]
    async with ledger.transaction() as tx:
        await tx.save(pairs, T)
    return [pair.id for pair in pairs]


def settler(ledger: PostgresLedger, writer: ScriptedWriter, pauses: Pauses, system: System = MK) -> Settler:
    return Settler(ledger, writer, TERMS, Clock(), paused=lambda pair: pauses.keeping(system, pair.state.object, pair.id))


async def heard(pool: Any) -> Pauses:
    pauses = Pauses(pool)
    await pauses.all()
    return pauses


async def pause(pool: Any, *, obj: str = "", pairs: tuple[int, ...] = (), system: System = MK) -> None:
    wanted = Wanted(systems=(system,), objects=(Object(obj),) if obj else (), pairs=pairs)
    await pause_writing(pool, wanted, who="ann", why="a migration", now_ms=T)


async def test_one_record_is_paused_the_others_are_written_and_it_is_when_it_goes_on(ledger: PostgresLedger, pool: Any) -> None:
    numbers = await fill(ledger, 3)
    await pause(pool, pairs=(numbers[1],))
    writer = ScriptedWriter(MK)
    assert (await settler(ledger, writer, await heard(pool)).round()).records == 2
    assert await ledger.waiting(Duty.WRITE_MARKETO, T) is None
    async with pool.acquire() as connection:
        assert [(each.records, each.pause.who, each.pause.why) for each in await paused(connection)] == [(1, "ann", "a migration")]
    (ended,) = await resume_writing(pool, Wanted(systems=(MK,), pairs=(numbers[1],)))
    assert ended.records == 1
    assert (await settler(ledger, writer, await heard(pool)).round()).records == 1


async def test_a_kind_is_paused_in_one_direction_alone(ledger: PostgresLedger, pool: Any) -> None:
    await fill(ledger, 2)
    await pause(pool, obj=LEAD, system=SF)
    assert (await settler(ledger, ScriptedWriter(MK), await heard(pool)).round()).records == 2
    await fill_more(ledger)
    await pause(pool, obj="contact")
    assert (await settler(ledger, ScriptedWriter(MK), await heard(pool)).round()).records == 1
    await fill_more(ledger, 8)
    await pause(pool, obj=LEAD)
    assert (await settler(ledger, ScriptedWriter(MK), await heard(pool)).round()).records == 0


async def fill_more(ledger: PostgresLedger, number: int = 7) -> None:
    async with ledger.transaction() as tx:
        await tx.save([Pair(id=0, state=TERMS.with_due(owing(number, MK), T), loaded=None)], T)


async def test_what_becomes_due_while_a_kind_is_paused_is_parked_by_whoever_claims_it(ledger: PostgresLedger, pool: Any) -> None:
    await pause(pool, obj=LEAD)
    pauses, writer = await heard(pool), ScriptedWriter(MK)
    await fill(ledger, 3)
    assert (await settler(ledger, writer, pauses).round()).claimed == 0
    async with ledger.transaction() as tx:
        judging = Judging(tx, TERMS, T + 9_000)
        told = event(SF, {"Title": "c"}, T + 9_000, id=ids(1)[SF])
        await judging.load([told])
        judging.judge(told, NOWHERE)
        await judging.save()
    assert (await settler(ledger, writer, pauses).round()).claimed == 0, "an edit meanwhile queues, too"
    await resume_writing(pool, Wanted(systems=(MK,), objects=(LEAD,)))
    assert (await settler(ledger, writer, pauses).round()).records == 3, "whoever has not heard of the end yet parks nothing any more"
    assert [out.value for item in writer.calls[0] for out in item.order.fields if item.order.id == ids(1)[MK]] == ["c"]  # type: ignore[union-attr]


async def test_what_another_pause_keeps_stays(ledger: PostgresLedger, pool: Any) -> None:
    numbers = await fill(ledger, 2)
    await pause(pool, obj=LEAD)
    await pause(pool, pairs=(numbers[0],))
    await resume_writing(pool, Wanted(systems=(MK,), objects=(LEAD,)))
    pauses = await heard(pool)
    assert (await settler(ledger, ScriptedWriter(MK), pauses).round()).records == 1
    async with pool.acquire() as connection:
        assert [each.records for each in await paused(connection)] == [1]


async def test_a_pause_that_ends_while_something_is_parked_for_it_leaves_nothing_behind(ledger: PostgresLedger, pool: Any) -> None:
    numbers = await fill(ledger, 1)
    await pause(pool, obj=LEAD)
    (number,) = [each.number for each in (await heard(pool)).now]
    await pool.execute("update due set lane = 0 where lane >= 10")
    async with ledger.transaction() as tx:
        await tx.claim(Duty.WRITE_MARKETO, T, 9, 2)
        assert await tx.park(Duty.WRITE_MARKETO, {numbers[0]: number}) == {numbers[0]}
        ending = asyncio.create_task(resume_writing(pool, Wanted(systems=(MK,), objects=(LEAD,))))
        while not await pool.fetchval(
            "select exists (select from pg_stat_activity where wait_event_type = 'Lock' and query like 'delete from pauses%')"
        ):
            await asyncio.sleep(0)
    await ending
    assert await ledger.waiting(Duty.WRITE_MARKETO, T) == 0


async def test_everybody_sees_who_paused_what_and_why(pool: Any) -> None:
    async with pool.acquire() as connection:
        assert await troubles(connection, None) == []
        await pause(pool)
        await pause(pool, obj=LEAD)
        (told,) = await troubles(connection, None)
    assert (told.where, told.since_ms, told.grade) == ("paused.marketo", T, "attention")
    assert told.what == (
        "writing to Marketo is paused (by ann: a migration); writing of lead records to Marketo is paused (by ann: a migration)"
    )
    assert (await heard(pool)).whole(MK)
    assert not (await heard(pool)).whole(SF)
    await resume_writing(pool, Wanted(systems=tuple(System)))
    assert (await heard(pool)).now == ()

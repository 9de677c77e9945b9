"""What a cycle passes on is missed only where the stream had had its time, and is looked at again once it is judged."""

import asyncio
from collections.abc import AsyncIterator, Collection, Coroutine
from typing import Any

import asyncpg
import msgspec
import pytest

from consumers.ledger.memory import MemoryLedger
from consumers.merge.pair.state import PairState, Record
from consumers.reconcile.cycles import Account, Became, Cycle, is_untold, reason, what_became
from consumers.reconcile.gaps import Gaps
from consumers.reconcile.heard import Heard, heard_in
from consumers.reconcile.in_time import InTime, Stood, Told
from consumers.troubles.cycles import changes_missed
from streams.relay.positions import PostgresPositions
from streams.wire.errors import Retry, Unprepared
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import LEAD
from tests.consumers.merge.person_pair import SF, paired, reading, terms
from tests.consumers.pairs_in_memory import ledger_with

TERMS = terms()
ROW: dict[str, Value] = {"Email": "ada@example.com", "LastName": "Lovelace", "Title": "a", "Score__c": 10}
STREAM, POLL = "salesforce.cdc", "salesforce.poll.lead"
TOPIC = ("crm.salesforce.lead.v1", 0)


def row(**fields: Value) -> ChangeEvent:
    return reading(SF, {**ROW, **fields})


def named(event: ChangeEvent) -> Any:
    return event.system, event.object, event.id


@pytest.mark.parametrize(
    ("event", "state", "untold"),
    [
        (row(Title="b"), paired(), False),
        (row(Score__c=11), paired(), True),
        (row(Score__c=11, Title="b"), paired(), False),
        (row(), None, False),
        (row(), paired().with_record(SF, Record(id="x")), True),
    ],
    ids=["a field", "a formula", "both", "nobody knows the record", "known by name only"],
)
def test_what_no_stream_would_have_told(event: ChangeEvent, state: PairState | None, untold: bool) -> None:
    assert is_untold(event, state, TERMS, frozenset({"Score__c"})) is untold


def test_what_became_of_what_was_passed_on() -> None:
    known, late, other = row(), row(Title="b"), msgspec.structs.replace(row(), id="00Q000000000009AAA")
    held = msgspec.structs.replace(paired(), hold="ambiguous: two of them")
    assert what_became([known, other], {named(known): held}, TERMS) == Became(known=1, repaired=1, held=1)
    assert what_became([late], {named(late): paired()}, TERMS) == Became(known=1, repaired=0, held=0)


@pytest.mark.parametrize(
    ("stood", "words"), [(Stood.IN_TIME, "silent"), (Stood.BEHIND, "behind"), (Stood.AWAY, "1970-01-01"), (Stood.GAP, "lost")]
)
def test_why_the_stream_had_not_brought_it(stood: Stood, words: str) -> None:
    assert words in reason(Told(stood=stood, since_ms=1_000, gap="it was lost"), STREAM)


@pytest.fixture
async def pool(postgres: str) -> AsyncIterator[Any]:
    async with asyncpg.create_pool(postgres, min_size=1, max_size=4) as made:
        yield made


class Ground:
    """A poll and a stream that have both been there before, and a topic of which all is judged."""

    def __init__(self, pool: Any) -> None:
        self.pool, self.positions, self.end = pool, PostgresPositions(pool), 5
        self.ledger, self.gaps = ledger_with(), Gaps(pool, self.positions, (LEAD,))
        self.missed: list[int] = []
        self.news: list[ChangeEvent] = []
        self.heard = Heard(ever=True)
        self.heard_on: list[str] = []

    async def opened(self) -> "Ground":
        poll, self.stream = await self.positions.take(POLL), await self.positions.take(STREAM)
        await self.positions.save(poll, "{}", None, caught_up=True)
        await self.lives()
        await self.pool.execute("insert into partition_offsets (topic, partition, next_offset) values ($1, $2, $3)", *TOPIC, self.end)
        return self

    async def lives(self) -> None:
        """The stream's sign of life."""
        await self.positions.save(self.stream, "1", None, caught_up=True)

    async def ends(self) -> dict[tuple[str, int], int]:
        return {TOPIC: self.end, ("crm.marketo.person.v1", 0): 99}

    def account(self, *, patience: float = 60.0, ledger: MemoryLedger | None = None) -> Account:
        kept = ledger or self.ledger
        in_time = InTime(self.pool, self.ends, system="salesforce", stream=STREAM, poll=POLL, lag_seconds=60.0, patience_seconds=patience)
        return Account(
            POLL, "lead", unseen=self.unseen, in_time=in_time, hear=self.hear, pool=self.pool, gaps=self.gaps, ledger=kept, terms=TERMS,
            interval_seconds=300.0, stream_name=STREAM, missed=lambda _, count: self.missed.append(count), now_ms=lambda: 1_000_000,
        )  # fmt: skip

    async def unseen(self, events: list[ChangeEvent]) -> list[ChangeEvent]:
        return [event for event in events if event in self.news]

    async def hear(self, topic: str, ids: Collection[str]) -> Heard:
        assert ids
        self.heard_on.append(topic)
        return self.heard

    async def beside(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The work, while the stream shows that it lives."""

        async def live() -> None:
            while True:
                await self.lives()
                await asyncio.sleep(0)

        living = asyncio.create_task(live())
        try:
            async with asyncio.timeout(60):
                return await work
        finally:
            living.cancel()

    async def told(self) -> dict[str, Any]:
        """The row, once it is judged."""
        async with asyncio.timeout(60):
            while not (rows := await self.pool.fetch("select * from cycles where judged_ms is not null order by id desc limit 1")):
                await asyncio.sleep(0)
        return dict(rows[0])


CYCLE = Cycle(read=3, known=2, relayed=1, calls=4, seconds=0.5, from_ms=10, until_ms=20)


async def judged(ground: Ground, account: Account, *, missed: int = 0) -> dict[str, Any]:
    """The row, once all has been done about it, while the stream shows that it lives."""
    running = asyncio.create_task(account.run(asyncio.Event()))

    async def done() -> dict[str, Any]:
        while sum(ground.missed) < missed:
            await asyncio.sleep(0)
        return await ground.told()

    try:
        told: dict[str, Any] = await ground.beside(done())
        return told
    finally:
        running.cancel()


async def found(ground: Ground, account: Account, *events: ChangeEvent) -> None:
    """A cycle finds these, and is complete."""
    ground.news = list(events)
    assert await account.unseen([*events]) == [*events], "passed on at once"
    await account.close(CYCLE)


CHANGED = 5_000_400


@pytest.mark.integration
async def test_what_the_stream_had_not_brought_in_its_time_is_missed(pool: Any) -> None:
    ground = await Ground(pool).opened()
    event = row(Title="b")
    account = ground.account(ledger=ledger_with(paired()))
    await found(ground, account, event)
    told = await judged(ground, account, missed=1)
    assert (told["relayed"], told["missed"], told["repaired"], told["next_ms"]) == (1, 1, 0, 1_300_000)
    assert "silent" in told["why"]
    assert (ground.missed, ground.heard_on) == ([1], ["crm.salesforce.lead.v1"])
    hole = await pool.fetchrow("select g.*, r.collapsed_ids from gaps as g join gap_reads as r on r.gap = g.id")
    assert (hole["source"], hole["object"], hole["cause"], hole["missed"]) == (STREAM, "lead", "silent", 1)
    assert (hole["closed_ms"] is not None, hole["collapsed_ids"]) == (True, [event.id])
    async with pool.acquire() as connection:
        trouble = await changes_missed(connection, Expected(now_ms=1_000_000))
    assert "1 change that the stream had missed" in trouble[0].what


@pytest.mark.integration
async def test_nobody_waits_for_a_stream_before_what_was_found_is_passed_on(pool: Any) -> None:
    """Without a sign of life of the stream's: whoever waited for one would wait for a minute."""
    ground = await Ground(pool).opened()
    account = ground.account(ledger=ledger_with(paired()))
    async with asyncio.timeout(30):
        await found(ground, account, row(Title="b"))


@pytest.mark.integration
@pytest.mark.parametrize(
    ("heard", "missed"),
    [
        (Heard(ever=True, latest={row().id: CHANGED - 400}), 0),
        (Heard(ever=True, latest={row().id: CHANGED - 401}), 1),
        (Heard(ever=True, latest={"00Q000000000009AAA": CHANGED}), 1),
        (Heard(ever=False), 0),
    ],
    ids=["it told of that in the end", "of an earlier change only", "of others only", "of none, ever: the poll is the feed"],
)
async def test_the_topic_says_what_the_stream_has_told(heard: Heard, missed: int, pool: Any) -> None:
    ground = await Ground(pool).opened()
    ground.heard = heard
    account = ground.account(ledger=ledger_with(paired()))
    await found(ground, account, msgspec.structs.replace(row(Title="b"), modified_at=CHANGED))
    told = await judged(ground, account, missed=missed)
    assert (told["relayed"], told["missed"], bool(told["why"])) == (1, missed, bool(missed))
    assert await pool.fetchval("select count(*) from gaps") == missed


def test_only_streams_are_heard() -> None:
    read = row()
    told = msgspec.structs.replace(read, source="cdc", kind=Happened.UPDATED, at=7)
    later = msgspec.structs.replace(told, at=9)
    other = msgspec.structs.replace(told, id="00Q000000000009AAA")
    assert heard_in([read], {read.id}) == Heard(ever=False)
    assert heard_in([read, later, told, other], {read.id}) == Heard(ever=True, latest={read.id: 9})


class Expected:
    poll_seconds = 300.0

    def __init__(self, now_ms: int) -> None:
        self.now_ms = now_ms


@pytest.mark.integration
@pytest.mark.parametrize(
    ("statement", "stood"),
    [
        ("delete from source_positions where source = 'salesforce.cdc'", Stood.NONE),
        ("update source_positions set saved_ms = 1 where source = 'salesforce.cdc'", Stood.AWAY),
        ("update source_positions set caught_ms = null where source = 'salesforce.poll.lead'", Stood.COPY),
        ("insert into gaps (source, reason, opened_ms) values ('salesforce.cdc', 'expired', 1)", Stood.GAP),
        ("insert into gaps (source, reason, opened_ms) values ('fields.salesforce', 'hidden', 1)", Stood.BEHIND),
        ("insert into gaps (source, reason, opened_ms) values ('marketo.activities', 'pruned', 1)", Stood.BEHIND),
    ],
)
async def test_how_the_stream_stands(pool: Any, statement: str, stood: Stood) -> None:
    ground = await Ground(pool).opened()
    await pool.execute(statement)
    in_time = InTime(pool, ground.ends, system="salesforce", stream=STREAM, poll=POLL, lag_seconds=60.0, patience_seconds=0.0)
    assert (await in_time.wait(2**62)).stood is stood
    _, known = await in_time.now()
    assert known is None if stood is Stood.BEHIND else known is not None and known.stood is stood


@pytest.mark.integration
async def test_a_record_that_concerns_nobody_was_not_missed(pool: Any) -> None:
    ground = await Ground(pool).opened()
    account = ground.account()
    await found(ground, account, row())
    told = await judged(ground, account)
    assert (told["relayed"], told["missed"], told["repaired"]) == (1, 0, 0)


@pytest.mark.integration
async def test_a_topic_that_is_away_for_a_moment_ends_nobody(pool: Any) -> None:
    async def ends() -> dict[tuple[str, int], int]:
        raise Unprepared("a topic is missing.", remedy="Run tandem-topics.")

    in_time = InTime(pool, ends, system="salesforce", stream=STREAM, poll=POLL, lag_seconds=60.0, patience_seconds=0.0)
    with pytest.raises(Retry, match="a topic is missing"):
        await in_time.judged(0.0)

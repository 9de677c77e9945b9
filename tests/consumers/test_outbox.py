"""The outbox on a real ledger, with a Kafka in memory that can refuse and go away."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import orjson
import pytest
from aiokafka.errors import KafkaConnectionError, RequestTimedOutError

from consumers.ledger.postgres import PostgresLedger, open_ledger
from consumers.merge.decision import Decision, Ruling, Verdict, decode, encode
from consumers.publish.outbox import MESSAGE_BYTES_MAX, Outbox
from streams.relay.singleton import PostgresSingleton
from streams.wire.errors import Retry
from streams.wire.events import DeadLetter
from streams.wire.systems import System
from streams.wire.topics import DEAD_LETTERS, DECISIONS

pytestmark = pytest.mark.integration

NOW = 1_700_000_000_000
DEADLINE_SECONDS = 20.0


class Broker:
    """What Kafka has acknowledged, and what it is told to fail at (by the number of the message sent)."""

    def __init__(self) -> None:
        self.log: list[tuple[str, bytes, bytes]] = []
        self.fail: set[int] = set()
        self.refuse_connections = 0
        self.sent = self.producers = 0
        self.grew = asyncio.Event()

    def producer(self) -> "BrokersProducer":
        return BrokersProducer(self)

    def decisions(self) -> list[int]:
        return [decode(value).pair for topic, _, value in self.log if topic == DECISIONS]

    async def until(self, count: int) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(self.log) < count:
                self.grew.clear()
                await self.grew.wait()


class BrokersProducer:
    def __init__(self, broker: Broker) -> None:
        self.broker = broker

    async def start(self) -> None:
        self.broker.producers += 1
        if self.broker.refuse_connections:
            self.broker.refuse_connections -= 1
            raise KafkaConnectionError("nobody there")

    async def stop(self) -> None:
        return

    async def send(self, topic: str, value: bytes, key: bytes) -> "asyncio.Future[object]":
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self.broker.sent += 1
        if self.broker.sent in self.broker.fail:
            future.set_exception(RequestTimedOutError())
        else:
            self.broker.log.append((topic, key, value))
            self.broker.grew.set()
            future.set_result(None)
        return future


class Alone:
    """A singleton without rivals."""

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[asyncio.Event]:
        yield asyncio.Event()


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
async def ledger(postgres_module: str) -> AsyncIterator[PostgresLedger]:
    opened = await open_ledger(postgres_module)
    await opened._pool.execute("truncate decisions, dead_letters, outbox restart identity")
    try:
        yield opened
    finally:
        await opened.close()


@pytest.fixture
def outbox(ledger: PostgresLedger, broker: Broker) -> Outbox:
    return Outbox(ledger._pool, Alone(), broker.producer, now_ms=lambda: NOW, sleep=soon)


async def soon(_: float) -> None:
    await asyncio.sleep(0)


def judged(pair: int, value: str = "Zoë", at: int = NOW) -> Decision:
    ruling = Ruling(field="firstName", verdict=Verdict.LOST, value=value, agreed="Ada", lost=value)
    return Decision(kind="judged", at=at, pair=pair, system=System.MARKETO, record="17", fields=(ruling,) * 2)


async def record(ledger: PostgresLedger, *pairs: int, at: int = NOW) -> None:
    async with ledger.transaction() as tx:
        await tx.record([judged(pair, at=at) for pair in pairs])


async def test_decisions_go_out_once_in_their_order_with_their_pair_as_key(ledger: PostgresLedger, outbox: Outbox, broker: Broker) -> None:
    await record(ledger, 7, 8, 7)
    assert await outbox.publish(broker.producer()) == 3
    await record(ledger, 0)
    assert await outbox.publish(broker.producer()) == 1
    assert await outbox.publish(broker.producer()) == 0
    assert [(topic, key) for topic, key, _ in broker.log] == [(DECISIONS, key) for key in (b"7", b"8", b"7", b"0")]
    assert decode(broker.log[0][2]) == judged(7)


async def test_more_than_a_batch_goes_out_whole(ledger: PostgresLedger, outbox: Outbox, broker: Broker) -> None:
    await record(ledger, *range(1, 2_001))
    assert await outbox.publish(broker.producer()) == 2_000
    assert broker.decisions() == list(range(1, 2_001))


@pytest.mark.parametrize("kept", [True, False])
async def test_an_id_that_is_committed_late_is_waited_for(
    ledger: PostgresLedger, outbox: Outbox, broker: Broker, postgres_module: str, kept: bool
) -> None:
    waited = asyncio.Event()

    async def waiting(_: float) -> None:
        waited.set()
        await asyncio.sleep(0)

    outbox._sleep = waiting
    late = await asyncpg.connect(postgres_module)
    transaction = late.transaction()
    await transaction.start()
    await late.execute("insert into decisions (at, pair, kind, body) values (1, 1, 'judged', $1)", encode(judged(1)))
    await record(ledger, 2)
    publishing = asyncio.create_task(outbox.publish(broker.producer()))
    async with asyncio.timeout(DEADLINE_SECONDS):
        await waited.wait()
    await record(ledger, 3)
    assert broker.log == []
    await (transaction.commit() if kept else transaction.rollback())
    await publishing
    assert broker.decisions() == ([1, 2] if kept else [2])
    await outbox.publish(broker.producer())
    assert broker.decisions()[-1] == 3
    await late.close()


async def test_a_transaction_elsewhere_holds_nobody_up(
    ledger: PostgresLedger, outbox: Outbox, broker: Broker, postgres_module: str
) -> None:
    other = await asyncpg.connect(postgres_module)
    transaction = other.transaction()
    await transaction.start()
    await other.execute("insert into budgets (system, state) values ('elsewhere', '')")
    await other.fetch("select * from decisions")
    await record(ledger, 1)
    async with asyncio.timeout(DEADLINE_SECONDS):
        assert await outbox.publish(broker.producer()) == 1
    await transaction.rollback()
    await other.close()


async def test_many_writers_at_once_and_not_one_row_is_left_out(ledger: PostgresLedger, outbox: Outbox, broker: Broker) -> None:
    done = asyncio.Event()

    async def write(worker: int) -> None:
        for turn in range(15):
            async with ledger.transaction(durable=False) as tx:
                await tx.record([judged(worker * 100 + turn)])
                await tx.record([judged(10_000 + worker * 100 + turn)])

    async def publish() -> None:
        while not done.is_set():
            await outbox.publish(broker.producer())

    publishing = asyncio.create_task(publish())
    await asyncio.gather(*(write(worker) for worker in range(1, 6)))
    done.set()
    await publishing
    await outbox.publish(broker.producer())
    rows = await ledger._pool.fetch("select pair from decisions order by id")
    assert broker.decisions() == [row["pair"] for row in rows]
    assert len(rows) == 150


async def test_what_was_not_acknowledged_is_sent_again(ledger: PostgresLedger, outbox: Outbox, broker: Broker) -> None:
    await record(ledger, 1, 2, 3)
    broker.fail = {2}
    with pytest.raises(Retry):
        await outbox.publish(broker.producer())
    await outbox.publish(broker.producer())
    assert broker.decisions() == [1, 3, 1, 2, 3]


async def test_it_runs_through_outages_until_it_is_stopped(ledger: PostgresLedger, outbox: Outbox, broker: Broker) -> None:
    broker.refuse_connections, broker.fail = 2, {1}
    stop = asyncio.Event()
    await record(ledger, 1)
    running = asyncio.create_task(outbox.run(stop))
    await broker.until(1)
    outbox._interval_seconds = 60.0
    await record(ledger, 2)
    outbox.wake()
    await broker.until(2)
    stop.set()
    async with asyncio.timeout(DEADLINE_SECONDS):
        await running
    assert broker.decisions() == [1, 2]
    assert broker.producers == 4
    assert await outbox.publish(broker.producer()) == 0, "a clean stop leaves nothing to repeat"


async def test_of_two_one_works_and_the_other_stops_when_told(ledger: PostgresLedger, broker: Broker, postgres_module: str) -> None:
    stop = asyncio.Event()
    fleet = [Outbox(ledger._pool, PostgresSingleton(postgres_module), broker.producer, interval_seconds=0.01) for _ in range(2)]
    running = [asyncio.create_task(one.run(stop)) for one in fleet]
    await record(ledger, *range(1, 6))
    await broker.until(5)
    await record(ledger, 6)
    await broker.until(6)
    stop.set()
    async with asyncio.timeout(DEADLINE_SECONDS):
        await asyncio.gather(*running)
    assert broker.decisions() == [1, 2, 3, 4, 5, 6]
    assert broker.producers == 1


async def test_who_was_overtaken_says_so_and_moves_nothing_back(ledger: PostgresLedger, outbox: Outbox, broker: Broker) -> None:
    await record(ledger, 1, 2)

    class Overtaken(BrokersProducer):
        async def send(self, topic: str, value: bytes, key: bytes) -> "asyncio.Future[object]":
            await ledger._pool.execute("insert into outbox values ('decisions', 2, 0) on conflict do nothing")
            return await super().send(topic, value, key)

    with pytest.raises(Retry, match="somebody else"):
        await outbox.publish(Overtaken(broker))
    assert await ledger._pool.fetchval("select published from outbox") == 2


async def test_dead_letters_of_observe_go_out_with_their_bytes_and_those_of_relays_do_not(
    ledger: PostgresLedger, outbox: Outbox, broker: Broker
) -> None:
    message = DeadLetter(
        stage="observe", reason="not a change event", original=b"\xff{", key="lead:1", topic="t", partition=1, offset=5, at=NOW
    )
    relays = DeadLetter(stage="relay", reason="oversized event", original=b"{}", topic="t", at=NOW)
    async with ledger.transaction() as tx:
        await tx.bury([relays, message, relays])
    assert await outbox.publish(broker.producer()) == 1
    [(topic, key, value)] = broker.log
    told = orjson.loads(value)
    assert (topic, key) == (DEAD_LETTERS, b"lead:1")
    assert base64.b64decode(told["original"]) == b"\xff{"
    assert (told["topic"], told["partition"], told["offset"], told["reason"]) == ("t", 1, 5, "not a change event")


async def test_a_decision_too_big_goes_out_with_its_long_values_cut(ledger: PostgresLedger, outbox: Outbox, broker: Broker) -> None:
    async with ledger.transaction() as tx:
        await tx.record([judged(1, value="ü" * 300_000)])
    await outbox.publish(broker.producer())
    told = decode(broker.log[0][2])
    assert len(broker.log[0][2]) < MESSAGE_BYTES_MAX
    assert told.fields[0].verdict is Verdict.LOST
    assert told.fields[0].lost == "ü" * 500
    assert "cut" in told.detail

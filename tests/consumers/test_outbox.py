"""The outbox on a real ledger, with a Kafka in memory that can refuse and go away."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson
import pytest
from aiokafka.errors import KafkaConnectionError, RequestTimedOutError

from consumers.ledger.postgres.blocks import INSERT, draw, packed, unpacked
from consumers.ledger.postgres.ledger import PostgresLedger, open_ledger
from consumers.merge.pair.decision import Decision, Ruling, Verdict, decode, encode
from consumers.publish.outbox import MESSAGE_BYTES_MAX, Outbox
from streams.relay.singleton import PostgresSingleton
from streams.wire.cloud import Headers
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

    async def send(self, topic: str, value: bytes | None, key: bytes, *, headers: Headers) -> "asyncio.Future[object]":
        assert value is not None
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
    await opened._pool.execute("truncate decisions, decision_blocks, dead_letters, outbox restart identity")
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


async def test_what_an_earlier_version_recorded_goes_out_first_and_once(ledger: PostgresLedger, outbox: Outbox, broker: Broker) -> None:
    await record(ledger, 2)
    await ledger._pool.execute("insert into decisions (at, pair, kind, body) values (1, 1, 'judged', $1)", encode(judged(1)))
    assert await outbox.publish(broker.producer()) == 2
    await record(ledger, 3)
    assert await outbox.publish(broker.producer()) == 1
    assert broker.decisions() == [1, 2, 3]


async def test_what_goes_out_at_once_is_bounded_however_much_a_block_holds(
    ledger: PostgresLedger, outbox: Outbox, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.publish.outbox.BATCH_ROWS_MAX", 4)
    blocks = [(1, 2, 3), (4,), (5,), (6, 7, 8, 9, 10), (11,)]
    for pairs in blocks:
        await record(ledger, *pairs)
    sent: list[int] = []
    send = outbox._send

    async def counted(topic: Any, producer: Any, messages: Any) -> None:
        sent.append(len(messages))
        await send(topic, producer, messages)

    monkeypatch.setattr(outbox, "_send", counted)
    assert await outbox.publish(broker.producer()) == 11
    assert broker.decisions() == list(range(1, 12))
    assert [count for count in sent if count] == [4, 1, 5, 1]


async def test_more_than_a_batch_goes_out_whole(ledger: PostgresLedger, outbox: Outbox, broker: Broker) -> None:
    await record(ledger, *range(1, 2_001))
    assert await outbox.publish(broker.producer()) == 2_000
    assert broker.decisions() == list(range(1, 2_001))


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("earlier_version", [True, False])
async def test_an_id_that_is_committed_late_is_waited_for(
    ledger: PostgresLedger, outbox: Outbox, broker: Broker, kept: bool, earlier_version: bool
) -> None:
    """Also one that has only been drawn when the publishing begins."""
    waited = asyncio.Event()

    async def waiting(_: float) -> None:
        waited.set()
        await asyncio.sleep(0)

    outbox._sleep = waiting
    late = await ledger._pool.acquire()
    transaction = late.transaction()
    await transaction.start()
    block = 0 if earlier_version else await draw(late, ledger._days)
    if earlier_version:
        await late.execute("insert into decisions (at, pair, kind, body) values (1, 1, 'judged', $1)", encode(judged(1)))
    await record(ledger, 2)
    publishing = asyncio.create_task(outbox.publish(broker.producer()))
    async with asyncio.timeout(DEADLINE_SECONDS):
        await waited.wait()
    await record(ledger, 3)
    assert broker.log == []
    if not earlier_version:
        await late.execute(INSERT, block, NOW, 1, packed([judged(1)], {}))
    await (transaction.commit() if kept else transaction.rollback())
    await publishing
    assert broker.decisions() == [*([1] if kept else []), 2, *([3] if earlier_version else [])], "the tables go one after the other"
    await outbox.publish(broker.producer())
    assert broker.decisions()[-1] == 3
    await ledger._pool.release(late)


async def test_a_transaction_elsewhere_holds_nobody_up(
    ledger: PostgresLedger, outbox: Outbox, broker: Broker, postgres_module: str
) -> None:
    other = await asyncpg.connect(postgres_module)
    transaction = other.transaction()
    await transaction.start()
    await other.execute("insert into budgets (system, state) values ('elsewhere', '')")
    await other.fetch("select * from decisions")
    await other.fetch("select * from decision_blocks")
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
    rows = await ledger._pool.fetch("select body from decision_blocks order by id")
    assert broker.decisions() == [entry.pair for row in rows for entry in unpacked(row["body"])]
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
        async def send(self, topic: str, value: bytes | None, key: bytes, *, headers: Headers) -> "asyncio.Future[object]":
            assert value is not None
            await ledger._pool.execute("insert into outbox values ('decision_blocks', 2, 0) on conflict do nothing")
            return await super().send(topic, value, key, headers=headers)

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

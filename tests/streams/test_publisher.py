"""The publisher against a broker in memory that can refuse, forget and go away."""

import asyncio
import base64
from collections.abc import Sequence

import orjson
import pytest
from aiokafka.errors import KafkaConnectionError, MessageSizeTooLargeError, OutOfOrderSequenceNumber

from streams.relay.publisher import DEAD_ORIGINAL_BYTES_MAX, Publisher
from streams.wire.cloud import Headers
from streams.wire.codec import EVENT_BYTES_MAX, decode
from streams.wire.events import ChangeEvent, DeadLetter, Happened
from streams.wire.systems import PERSON, System
from streams.wire.topics import DEAD_LETTERS


class Broker:
    """Remembers every message it acknowledged, in order; fails as the script says."""

    def __init__(self) -> None:
        self.log: list[tuple[str, bytes, bytes]] = []
        self.refuse_connections = 0
        self.fail_at: dict[int, Exception] = {}
        self.sends = 0
        self.producers: list[FakeProducer] = []
        self.hold = False
        self.sent = asyncio.Event()
        self.limit = 10_000_000

    def producer(self) -> "FakeProducer":
        made = FakeProducer(self)
        self.producers.append(made)
        return made


class FakeProducer:
    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.stopped = False
        self.broken: Exception | None = None

    async def start(self) -> None:
        if self.broker.refuse_connections:
            self.broker.refuse_connections -= 1
            raise KafkaConnectionError("nobody there")

    async def stop(self) -> None:
        self.stopped = True

    async def send(self, topic: str, value: bytes | None, key: bytes, *, headers: Headers) -> "asyncio.Future[object]":
        assert value is not None
        assert not self.stopped
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        failure = self.broken or self.broker.fail_at.pop(self.broker.sends, None)
        self.broker.sends += 1
        self.broker.sent.set()
        if len(value) > self.broker.limit:
            failure = MessageSizeTooLargeError()
        if failure is not None:
            self.broken = failure  # an idempotent producer takes nothing after a lost sequence
            future.set_exception(failure)
        elif not self.broker.hold:
            self.broker.log.append((topic, key, value))
            future.set_result(None)
        return future


class Waits:
    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def event(number: int, *, record: str = "1", text: str = "x") -> ChangeEvent:
    return ChangeEvent(
        system=System.MARKETO, object=PERSON, id=record, kind=Happened.UPDATED, source="activities", at=number, fields={"a": text}
    )


def times(broker: Broker) -> list[int]:
    return [decode(value).at for topic, _, value in broker.log if topic != DEAD_LETTERS]


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def waits() -> Waits:
    return Waits()


async def test_events_go_to_their_topic_keyed_by_record_and_stamped(broker: Broker) -> None:
    publisher = Publisher(broker.producer, now_ms=lambda: 77)
    published = await publisher.publish([event(1), event(2, record="9")])
    assert (published.events, published.dead) == (2, 0)
    assert [(topic, key) for topic, key, _ in broker.log] == [
        ("crm.marketo.person.v1", b"person:1"),
        ("crm.marketo.person.v1", b"person:9"),
    ]
    assert decode(broker.log[0][2]).relayed_at == 77


async def test_nothing_to_publish_is_no_work(broker: Broker) -> None:
    published = await Publisher(broker.producer).publish([])
    assert (published.events, published.dead, broker.log) == (0, 0, [])


async def test_a_broker_away_is_waited_for(broker: Broker, waits: Waits) -> None:
    broker.refuse_connections = 12
    publisher = Publisher(broker.producer, sleep=waits)
    await publisher.publish([event(1)])
    assert times(broker) == [1]
    assert len(waits.seconds) == 12
    assert max(waits.seconds) <= 30.0
    assert publisher.trouble is None


async def test_trouble_is_told_while_the_broker_is_away(broker: Broker) -> None:
    broker.refuse_connections = 1
    seen: list[str | None] = []

    async def look(_: float) -> None:
        seen.append(publisher.trouble)

    publisher = Publisher(broker.producer, sleep=look)
    await publisher.publish([event(1)])
    assert seen[0] is not None
    assert "nobody there" in seen[0]


@pytest.mark.parametrize("lost_at", range(5))
async def test_a_lost_sequence_repeats_the_whole_batch_with_a_new_producer(broker: Broker, waits: Waits, lost_at: int) -> None:
    broker.fail_at[lost_at] = OutOfOrderSequenceNumber()
    publisher = Publisher(broker.producer, sleep=waits)
    await publisher.publish([event(n) for n in range(5)])
    assert times(broker) == [*range(lost_at), *range(5)]
    assert [producer.stopped for producer in broker.producers] == [True, False]


async def test_an_oversized_event_is_a_dead_letter_and_the_rest_flows(broker: Broker) -> None:
    kept: list[DeadLetter] = []

    async def keep(letters: Sequence[DeadLetter]) -> None:
        assert not broker.log, "stored before it is sent"
        kept.extend(letters)

    huge = event(2, text="y" * EVENT_BYTES_MAX)
    published = await Publisher(broker.producer, keep_dead=keep).publish([event(1), huge, event(3)])
    assert (published.events, published.dead) == (2, 1)
    assert times(broker) == [1, 3]
    letter = orjson.loads(broker.log[-1][2])
    assert broker.log[-1][0] == DEAD_LETTERS
    assert "oversized" in letter["reason"]
    assert len(base64.b64decode(letter["original"])) == DEAD_ORIGINAL_BYTES_MAX
    assert len(kept[0].original) > EVENT_BYTES_MAX, "the stored letter keeps every byte"
    assert kept[0].key == "person:1"


async def test_an_event_that_can_not_be_encoded_is_a_dead_letter_and_the_rest_flows(broker: Broker) -> None:
    kept: list[DeadLetter] = []

    async def keep(letters: Sequence[DeadLetter]) -> None:
        kept.extend(letters)

    published = await Publisher(broker.producer, keep_dead=keep).publish([event(1), event(2, text="half a pair: \ud800"), event(3)])
    assert (published.events, published.dead) == (2, 1)
    assert times(broker) == [1, 3]
    assert b"half a pair" in kept[0].original
    assert "half a pair" not in kept[0].reason


async def test_an_event_too_big_for_the_broker_alone_does_not_block_the_source(broker: Broker, waits: Waits) -> None:
    broker.limit = 500_000
    kept: list[DeadLetter] = []

    async def keep(letters: Sequence[DeadLetter]) -> None:
        kept.extend(letters)

    publisher = Publisher(broker.producer, keep_dead=keep, sleep=waits)
    published = await publisher.publish([event(1), event(2, text="y" * 600_000), event(3)])
    assert (published.events, published.dead) == (2, 1)
    assert times(broker)[-2:] == [1, 3]
    assert len(kept) == 1
    assert len(kept[0].original) > 600_000
    stub = base64.b64decode(orjson.loads(broker.log[-1][2])["original"])
    assert kept[0].original.startswith(stub)
    assert len(stub) == 10_000, "even the dead letter was too big for this broker"


async def test_dead_letters_of_the_source_are_stored_and_sent(broker: Broker) -> None:
    kept: list[DeadLetter] = []

    async def keep(letters: Sequence[DeadLetter]) -> None:
        kept.extend(letters)

    letter = DeadLetter(stage="marketo.activities", reason="no id", original=b"{\x00}", key="person:4")
    published = await Publisher(broker.producer, keep_dead=keep).publish([], [letter])
    assert (published.events, published.dead) == (0, 1)
    assert kept == [letter]
    assert base64.b64decode(orjson.loads(broker.log[0][2])["original"]) == b"{\x00}"


async def test_dead_letters_that_cant_be_stored_stop_the_batch(broker: Broker) -> None:
    async def keep(_: Sequence[DeadLetter]) -> None:
        raise ConnectionError("no database")

    with pytest.raises(ConnectionError):
        await Publisher(broker.producer, keep_dead=keep).publish([event(1)], [DeadLetter(stage="s", reason="r", original=b"")])
    assert broker.log == []


async def test_a_cancelled_publish_takes_its_producer_down(broker: Broker) -> None:
    broker.hold = True
    publisher = Publisher(broker.producer)
    task = asyncio.ensure_future(publisher.publish([event(1)]))
    await broker.sent.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert broker.producers[0].stopped


async def test_close_is_repeatable(broker: Broker) -> None:
    publisher = Publisher(broker.producer)
    await publisher.publish([event(1)])
    await publisher.close()
    await publisher.close()
    assert broker.producers[0].stopped

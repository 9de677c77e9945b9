"""The publisher on a real broker, which restarts, is slow to come, and refuses what is too big."""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Sequence

import orjson
import pytest
from aiokafka import AIOKafkaConsumer

from consumers.kinds.registry import OBJECTS
from infra.kafka.admin import ensure_topics
from infra.kafka.broker import Broker
from streams.relay.publisher import Publisher, kafka_producer
from streams.wire.codec import EVENT_BYTES_MAX, decode
from streams.wire.events import ChangeEvent, DeadLetter, Happened
from streams.wire.systems import CONTACT, System
from streams.wire.topics import DEAD_LETTERS, all_topics, change_topic

pytestmark = pytest.mark.integration
TOPIC = change_topic(System.SALESFORCE, CONTACT)


def event(number: int, record: str, text: str = "") -> ChangeEvent:
    return ChangeEvent(
        system=System.SALESFORCE, object=CONTACT, id=record, kind=Happened.UPDATED, source="cdc", at=number, fields={"Title": text}
    )


async def read_all(bootstrap: str, topic: str) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest", max_partition_fetch_bytes=4_000_000
    )
    await consumer.start()
    try:
        partitions = sorted(consumer.assignment())
        ends = await consumer.end_offsets(partitions)
        await consumer.seek_to_beginning(*partitions)
        found: list[bytes] = []
        async with asyncio.timeout(30):
            while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
                for messages in (await consumer.getmany(timeout_ms=200)).values():
                    found += [message.value for message in messages]
        assert partitions
        return found
    finally:
        await consumer.stop()


async def read_back(bootstrap: str, run: str) -> dict[str, list[int]]:
    """By record: the numbers of this run's events, in their order on the topic."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for value in await read_all(bootstrap, TOPIC):
        found = decode(value)
        if found.id.startswith(run):
            numbers[found.id].append(found.at)
    return numbers


async def test_many_events_arrive_once_each_in_order_by_record(kafka: str) -> None:
    await ensure_topics(kafka, all_topics(OBJECTS))
    run = secrets.token_hex(4)
    publisher = Publisher(lambda: kafka_producer(kafka))
    for start in range(0, 5_000, 500):
        await publisher.publish([event(number, f"{run}x{number % 50}") for number in range(start, start + 500)])
    await publisher.close()
    found = await read_back(kafka, run)
    assert found == {f"{run}x{rest}": list(range(rest, 5_000, 50)) for rest in range(50)}


async def test_a_broker_that_restarts_in_the_middle_loses_and_disorders_nothing(kafka: str, kafka_broker: Broker) -> None:
    await ensure_topics(kafka, all_topics(OBJECTS))
    run = secrets.token_hex(4)
    publisher = Publisher(lambda: kafka_producer(kafka))
    halfway = asyncio.Event()

    async def publish() -> None:
        for start in range(0, 3_000, 100):
            await publisher.publish([event(number, f"{run}x{number % 10}") for number in range(start, start + 100)])
            if start == 1_000:
                halfway.set()

    async with asyncio.timeout(120):
        publishing = asyncio.create_task(publish())
        await halfway.wait()
        await asyncio.to_thread(kafka_broker.kill)
        await asyncio.to_thread(kafka_broker.start)
        await publishing
        await publisher.close()
    for record, numbers in (await read_back(kafka, run)).items():
        rest = int(record.rpartition("x")[2])
        assert list(dict.fromkeys(numbers)) == list(range(rest, 3_000, 10))


async def test_stopping_while_the_broker_is_away_takes_seconds(kafka: str, kafka_broker: Broker) -> None:
    await ensure_topics(kafka, all_topics(OBJECTS))
    publisher = Publisher(lambda: kafka_producer(kafka))
    await publisher.publish([event(1, "before")])
    await asyncio.to_thread(kafka_broker.stop)
    try:
        async with asyncio.timeout(60):
            publishing = asyncio.create_task(publisher.publish([event(2, "during")]))
            done, _ = await asyncio.wait({publishing}, timeout=0.5)
            assert not done
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)
        left = [task.get_coro().__qualname__ for task in asyncio.all_tasks() if task is not asyncio.current_task()]  # type: ignore[union-attr]
        assert left == []
    finally:
        await asyncio.to_thread(kafka_broker.start)


async def test_large_and_oversized_events(kafka: str) -> None:
    await ensure_topics(kafka, all_topics(OBJECTS))
    run = secrets.token_hex(4)
    kept: list[DeadLetter] = []

    async def keep(letters: Sequence[DeadLetter]) -> None:
        kept.extend(letters)

    publisher = Publisher(lambda: kafka_producer(kafka), keep_dead=keep)
    large, over = event(1, f"{run}xlarge", "x" * (EVENT_BYTES_MAX - 1_000)), event(2, f"{run}xover", "x" * EVENT_BYTES_MAX)
    published = await publisher.publish([event(0, f"{run}xa"), large, over, event(3, f"{run}xb")])
    await publisher.close()
    assert (published.events, published.dead) == (3, 1)
    assert set(await read_back(kafka, run)) == {f"{run}xa", f"{run}xlarge", f"{run}xb"}
    letters = [orjson.loads(value) for value in await read_all(kafka, DEAD_LETTERS)]
    assert [letter["key"] for letter in letters if run in letter["key"]] == [f"contact:{run}xover"]
    assert [letter.key for letter in kept] == [f"contact:{run}xover"]

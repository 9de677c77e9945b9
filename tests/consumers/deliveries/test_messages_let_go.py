"""What Kafka has let go of before it was delivered is counted and said, and what it keeps is delivered."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

from consumers.deliveries.streaming import events
from consumers.subscriptions.following import behind, first_places, places_at, stretches
from consumers.subscriptions.message import Choice
from consumers.subscriptions.topics import Content, Topic
from streams.ground.access import KafkaAccess
from streams.relay.publisher import kafka_producer
from tests.consumers.deliveries.receiver import DEADLINE_SECONDS

pytestmark = pytest.mark.integration


@pytest.fixture
async def topic(kafka: str) -> AsyncIterator[Topic]:
    """Ten messages on two partitions, of which the first four of partition 0 are gone."""
    name = f"test.{secrets.token_hex(6)}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(name, num_partitions=2, replication_factor=1)])
    producer: Any = kafka_producer(kafka)
    await producer.start()
    for number in range(10):
        value = b'{"id":"%d","kind":"updated"}' % number
        await (await producer.send(name, value=value, key=b"x", headers=[], partition=0 if number < 7 else 1))
    await producer.stop()
    await admin.delete_records({TopicPartition(name, 0): RecordsToDelete(before_offset=4)})
    yield Topic(name=name, content=Content.CHANGES, words="of this test")
    await admin.delete_topics([name])
    await admin.close()


async def test_a_hole_is_counted_once_and_the_rest_comes(kafka: str, topic: Topic) -> None:
    access = KafkaAccess(bootstrap=kafka)
    assert await first_places(access, topic) == {0: 4, 1: 0}
    assert await places_at(access, topic, 2**42) == {0: 7, 1: 3}
    assert await behind(access, topic, {0: 6, 1: 0}) == 4
    missed, found = 0, 0
    async with asyncio.timeout(DEADLINE_SECONDS):
        async for stretch in stretches(access, topic, {0: 1, 1: 1}):
            missed, found = missed + stretch.missed, found + len(stretch.records)
            if found == 5:
                break
    assert missed == 3
    assert stretch.places == {0: 7, 1: 3}
    assert stretch.behind == 0


async def test_a_listener_is_told_of_a_hole(kafka: str, topic: Topic) -> None:
    told = b""
    async with asyncio.timeout(DEADLINE_SECONDS):
        async for part in events(KafkaAccess(bootstrap=kafka), topic, Choice(), {0: 1, 1: 0}, revealed=True):
            told += part
            if told.count(b'\ndata: {"topic"') == 6:
                break
    assert b'event: hole\ndata: {"missed":3' in told
    assert b"id: 0-7.1-3\n" in told
    last = told.rpartition(b"id: ")[2].partition(b"\n")[0]
    assert last == b"0-7.1-3"

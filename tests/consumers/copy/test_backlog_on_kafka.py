"""How much is not judged yet, asked of a real Kafka: counted, and none of it fetched."""

import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from consumers.copy.backlog import Backlog
from streams.ground.access import KafkaAccess

pytestmark = pytest.mark.integration

PARTITIONS, EACH = 3, 40


class Ledger:
    """Where observers stand, as a pool of connections tells it."""

    def __init__(self) -> None:
        self.stands: dict[tuple[str, int], int] = {}

    async def fetch(self, _query: str, _topics: Sequence[str]) -> list[dict[str, Any]]:
        """As asyncpg's."""
        return [{"topic": topic, "partition": place, "next_offset": at} for (topic, place), at in self.stands.items()]


@pytest.fixture
async def topic(kafka: str) -> AsyncIterator[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    name = f"backlog.{uuid.uuid4().hex}"
    try:
        await admin.create_topics([NewTopic(name, PARTITIONS, 1)])
        yield name
        await admin.delete_topics([name])
    finally:
        await admin.close()


async def _publish(kafka: str, topic: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        for number in range(PARTITIONS * EACH):
            await producer.send_and_wait(topic, bytes(1_000), partition=number % PARTITIONS)
    finally:
        await producer.stop()


async def test_what_is_not_judged_is_counted_and_nothing_is_fetched(kafka: str, topic: str) -> None:
    ledger = Ledger()
    backlog = Backlog(KafkaAccess(bootstrap=kafka), [topic], ledger)
    try:
        assert await backlog.count() == 0
        await _publish(kafka, topic)
        assert await backlog.count() == PARTITIONS * EACH
        ledger.stands = {(topic, 0): EACH, (topic, 1): EACH - 10}
        assert await backlog.count() == 10 + EACH
        assert backlog._consumer.paused() == {TopicPartition(topic, each) for each in range(PARTITIONS)}
    finally:
        await backlog.close()

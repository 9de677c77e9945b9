"""How many events on the change topics nobody has judged yet: asked of Kafka and of the ledger."""

from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.ground.access import KafkaAccess
from streams.ground.database import away_is_retry
from streams.wire.errors import Retry

OFFSETS = "select topic, partition, next_offset from partition_offsets where topic = any($1::text[])"
_ASK_MS = 10_000


class Backlog:
    """Opened when it is first asked; whoever has one closes it. Raises `Retry` while Kafka or the database is away."""

    def __init__(self, kafka: KafkaAccess, topics: Sequence[str], pool: Any) -> None:
        self._kafka, self._topics, self._pool = kafka, list(topics), pool
        self._consumer: Any = None
        self._places: list[TopicPartition] = []
        self._begins: dict[TopicPartition, int] = {}

    async def count(self) -> int:
        """All that was published before this was asked, and is not judged."""
        try:
            if self._consumer is None:
                await self._open()
            ends = await self._consumer.end_offsets(self._places)
        except (KafkaError, OSError) as error:
            await self.close()
            raise Retry(f"Kafka at {self._kafka.bootstrap}: {type(error).__name__} {error}", after_seconds=2.0) from error
        with away_is_retry("look how far the topics are judged"):
            rows = await self._pool.fetch(OFFSETS, self._topics)
        stands = {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        return sum(max(0, end - stands.get(place, self._begins[place])) for place, end in ends.items())

    async def close(self) -> None:
        """Disconnect."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def _open(self) -> None:
        """Of topics that nobody has subscribed to, a client of aiokafka knows no partitions; subscribed, it would fetch and keep messages
        that nobody takes, a MiB of each partition."""
        consumer = AIOKafkaConsumer(*self._topics, enable_auto_commit=False, request_timeout_ms=_ASK_MS, **self._kafka.options())
        self._consumer = consumer
        await consumer.start()
        self._places = [
            TopicPartition(topic, each) for topic in self._topics for each in sorted(consumer.partitions_for_topic(topic) or ())
        ]
        consumer.pause(*self._places)
        self._begins = await consumer.beginning_offsets(self._places)

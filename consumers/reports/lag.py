"""How far Kafka's partitions reach, for comparing with the ledger's offsets."""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from consumers.reports.database import Unreachable
from streams.topics import CHANGE_TOPICS

_PATIENCE_SECONDS = 5.0


async def end_offsets(bootstrap_servers: str) -> dict[tuple[str, int], int]:
    """End offset of every partition of the change topics. Raises `Unreachable`."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, request_timeout_ms=int(_PATIENCE_SECONDS * 1000))
    try:
        async with asyncio.timeout(2 * _PATIENCE_SECONDS):
            await consumer.start()
            topics = await consumer.topics()
            partitions = [
                TopicPartition(topic, number)
                for topic in CHANGE_TOPICS
                if topic in topics
                for number in sorted(consumer.partitions_for_topic(topic) or ())
            ]
            ends = await consumer.end_offsets(partitions) if partitions else {}
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unreachable(f"Kafka can't be reached at {bootstrap_servers} ({type(error).__name__}); check that it runs") from error
    finally:
        await consumer.stop()
    return {(place.topic, place.partition): offset for place, offset in ends.items()}

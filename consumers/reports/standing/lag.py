"""How far Kafka's partitions reach, for comparing with the ledger's offsets."""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from consumers.fitting.grounds import look_at_kafka
from consumers.kinds.registry import STANDARD, Registry
from streams.ground.access import KafkaAccess, access_of
from streams.ground.kafka import why_not

_PATIENCE_SECONDS = 5.0


async def end_offsets(kafka: KafkaAccess | str, kinds: Registry = STANDARD) -> dict[tuple[str, int], int]:
    """End offset of every partition of the change topics. Raises as `consumers.fitting.grounds.look_at_kafka`."""
    access = access_of(kafka)
    await look_at_kafka(access, kinds.objects)  # a client that asks for a topic that isn't there fails, and doesn't say for which
    # of topics that nobody has subscribed to, a client of aiokafka knows no partitions
    consumer = AIOKafkaConsumer(
        *kinds.change_topics, enable_auto_commit=False, request_timeout_ms=int(_PATIENCE_SECONDS * 1000), **access.options()
    )
    try:
        async with asyncio.timeout(2 * _PATIENCE_SECONDS):
            await consumer.start()
            partitions = [
                TopicPartition(topic, number)
                for topic in kinds.change_topics
                for number in sorted(consumer.partitions_for_topic(topic) or ())
            ]
            ends = await consumer.end_offsets(partitions) if partitions else {}
    except (KafkaError, OSError, TimeoutError) as error:
        raise await why_not(access, error) from error
    finally:
        await consumer.stop()
    return {(place.topic, place.partition): offset for place, offset in ends.items()}

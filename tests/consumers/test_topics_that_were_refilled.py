"""Whether topics still are the ones that were read, on a real broker: each partition may stand otherwise."""

import asyncio
import secrets

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from consumers.observe.refilled import fingerprint, refilled
from infra.kafka.admin import ensure_topics
from streams.ground.access import KafkaAccess
from streams.wire.topics import TopicSpec

pytestmark = pytest.mark.integration
SAME, CUT, SHORTER, ANOTHER, EMPTY = range(5)


async def filled(kafka: str, topic: str) -> None:
    """Three messages in each partition, but for the one that stays empty; of one partition they have grown too old since."""
    await ensure_topics(kafka, [TopicSpec(name=topic, partitions=5)])
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    for partition in (SAME, CUT, SHORTER, ANOTHER):
        for number in range(3):
            await producer.send_and_wait(topic, value=f"{partition}-{number}".encode(), partition=partition)
    await producer.stop()
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.delete_records({TopicPartition(topic, CUT): RecordsToDelete(before_offset=3)})
    await admin.close()


@pytest.mark.parametrize("with_one_that_is_the_same", [True, False])
async def test_each_partition_is_judged_by_itself(kafka: str, with_one_that_is_the_same: bool) -> None:
    topic = f"crm.salesforce.lead.{secrets.token_hex(4)}"
    await filled(kafka, topic)
    read = {
        TopicPartition(topic, CUT): (2, fingerprint(None, b"1-2")),
        TopicPartition(topic, SHORTER): (7, fingerprint(None, b"2-7")),
        TopicPartition(topic, ANOTHER): (2, fingerprint(None, b"3-2 of before")),
        TopicPartition(topic, EMPTY): (0, fingerprint(None, b"4-0")),
    }
    if with_one_that_is_the_same:
        read[TopicPartition(topic, SAME)] = (2, fingerprint(None, b"0-2"))
    async with asyncio.timeout(60):
        told = await refilled(KafkaAccess(bootstrap=kafka), read)
    assert {place.partition for place in told} == {SHORTER, ANOTHER, EMPTY}


async def test_what_has_grown_too_old_alone_is_taken_for_the_same(kafka: str) -> None:
    topic = f"crm.salesforce.lead.{secrets.token_hex(4)}"
    await filled(kafka, topic)
    assert await refilled(KafkaAccess(bootstrap=kafka), {TopicPartition(topic, CUT): (2, fingerprint(None, b"1-2"))}) == frozenset()

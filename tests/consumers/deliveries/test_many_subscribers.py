"""Fifty subscribers of one topic: one goes back a day, and nobody else notices. Counted, not timed."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from consumers.deliveries import acts, store
from consumers.deliveries.acts import Wish
from consumers.deliveries.courier import Ground
from consumers.deliveries.delivery import Delivery, Secret, Way
from consumers.deliveries.running import Deliveries
from consumers.deliveries.sending import Answer, Result
from consumers.subscriptions.following import behind
from consumers.subscriptions.topics import Content, Topic
from streams.ground.access import KafkaAccess
from streams.relay.publisher import kafka_producer
from streams.relay.singleton import PostgresSingleton
from tests.consumers.deliveries.receiver import DEADLINE_SECONDS
from tests.consumers.deliveries.runner import Quiet

pytestmark = pytest.mark.integration
SUBSCRIBERS, BEFORE, AFTER = 50, 12, 6
DAY_MS = 86_400_000


class Taking:
    """Takes everything, and counts who got what under which id."""

    def __init__(self) -> None:
        self.got: dict[str, Counter[str]] = {}
        self.stirred = asyncio.Event()

    async def post(self, url: str, secrets: Sequence[Secret], *, identity: str, body: bytes, at_ms: int) -> Answer:
        """As `consumers.deliveries.sending.Sender`."""
        del secrets, body, at_ms
        self.got.setdefault(url, Counter())[identity] += 1
        self.stirred.set()
        return Answer(result=Result.DELIVERED, status=204)

    async def until(self, each: int) -> None:
        """Wait until every subscriber has so many messages."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(self.got) < SUBSCRIBERS or min(len(told) for told in self.got.values()) < each:
                self.stirred.clear()
                await self.stirred.wait()


@pytest.fixture
async def topic(kafka: str) -> AsyncIterator[Topic]:
    name = f"test.{secrets.token_hex(6)}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.create_topics([NewTopic(name, num_partitions=2, replication_factor=1)])
    yield Topic(name=name, content=Content.CHANGES, words="of this test")
    await admin.delete_topics([name])
    await admin.close()


async def publish(kafka: str, topic: Topic, count: int) -> None:
    producer: Any = kafka_producer(kafka)
    await producer.start()
    for number in range(count):
        value = b'{"id":"%d","kind":"updated"}' % number
        await (await producer.send(topic.name, value=value, key=b"%d" % number, headers=[]))
    await producer.stop()


async def settled(connection: Any, each: int) -> list[Delivery]:
    """All of them, once every one has saved that it delivered so many."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        found = await store.every(connection)
        while any(told.delivered < each for told in found):
            await asyncio.sleep(0.1)
            found = await store.every(connection)
    return found


async def test_one_of_fifty_goes_back_a_day_and_the_others_stay_where_they_are(kafka: str, postgres: str, topic: Topic) -> None:
    access, taking, now = KafkaAccess(bootstrap=kafka), Taking(), round(time.time() * 1000)
    await publish(kafka, topic, 0)
    async with asyncpg.create_pool(postgres, min_size=1, max_size=4) as pool:
        sender: Any = taking
        ground = Ground(
            pool=pool, kafka=access, sender=sender, watch=Quiet(), clock=lambda: round(time.time() * 1000), wait_most_seconds=5.0
        )  # fmt: skip
        async with pool.acquire() as connection:
            for number in range(SUBSCRIBERS):
                wish = Wish(name=f"s{number:02}", topic=topic, way=Way.WEBHOOK, url=f"https://s{number:02}.example/", since_ms=None)
                await acts.create(connection, access, wish, who="ann", private_hosts=frozenset(), now_ms=now)
            deliveries, stop = Deliveries(ground, lambda _: topic), asyncio.Event()
            running = asyncio.create_task(deliveries.run(PostgresSingleton(postgres), stop))
            try:
                await publish(kafka, topic, BEFORE)
                await taking.until(BEFORE)
                before = {each.name: each for each in await settled(connection, BEFORE)}
                await acts.rewind(connection, access, topic, "s07", since_ms=now - DAY_MS, now_ms=now)
                after = {each.name: each for each in await settled(connection, BEFORE) if each.name != "s07"}
                assert {name: (each.places, each.revision) for name, each in after.items()} == {
                    name: (each.places, each.revision) for name, each in before.items() if name != "s07"
                }
                assert [await behind(access, topic, each.places) for each in list(after.values())[:3]] == [0, 0, 0]
                await publish(kafka, topic, AFTER)
                await taking.until(BEFORE + AFTER)
                async with asyncio.timeout(DEADLINE_SECONDS):
                    while taking.got["https://s07.example/"].total() < 2 * BEFORE + AFTER:
                        await asyncio.sleep(0.05)
            finally:
                stop.set()
                await running
    again = taking.got.pop("https://s07.example/")
    assert sorted(again.values()) == [1] * AFTER + [2] * BEFORE, "it has the day once more, each under the id that it had"
    assert all(set(told.values()) == {1} and len(told) == BEFORE + AFTER for told in taking.got.values()), "the others: each once"

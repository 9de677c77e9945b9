"""Intake from a real topic that is not the one that was read: deleted and made again, refilled to any length."""

import asyncio
import secrets
from collections.abc import Callable

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from consumers.judging.observed import Observed
from consumers.ledger.memory import MemoryLedger
from consumers.observe.intake import Intake
from consumers.observe.observer import Message, Observer
from infra.kafka.admin import ensure_topics
from streams.relay.publisher import kafka_producer
from streams.wire import codec
from streams.wire.topics import TopicSpec
from tests.consumers.merge.person_pair import T, paired, terms
from tests.consumers.pairs_in_memory import Clock, ledger_with, renamed
from tests.consumers.test_observe_batches import edit

pytestmark = pytest.mark.integration
SECONDS = 60.0


class Bench:
    """A topic of one partition, and what is read of it."""

    def __init__(self, kafka: str) -> None:
        self.kafka, self.topic = kafka, f"crm.salesforce.lead.{secrets.token_hex(4)}"
        self.ledger: MemoryLedger = ledger_with(renamed(paired(), 1))
        self.gaps: list[tuple[int, int]] = []
        self.events = 0

    async def make(self, *values: str) -> None:
        """The topic, with one edit of a title each. A topic that is being deleted is waited for."""
        async with asyncio.timeout(SECONDS):
            while not (await ensure_topics(self.kafka, [TopicSpec(name=self.topic, partitions=1)])).created:
                await asyncio.sleep(0.1)
        await self.fill(0, *values)

    async def fill(self, begin: int, *values: str) -> None:
        producer = kafka_producer(self.kafka)
        await producer.start()
        for place, value in enumerate(values, begin):
            told = edit(1, value, T + 9_000 + place * 1_000)
            await (await producer.send(self.topic, value=codec.encode(told), key=b"lead:1", headers=[]))
        await producer.stop()

    async def delete(self) -> None:
        client = AIOKafkaAdminClient(bootstrap_servers=self.kafka)
        await client.start()
        await client.delete_topics([self.topic])
        await client.close()

    async def read_until(self, true: Callable[[], bool]) -> None:
        """A worker of its own that reads until that is so."""

        def observed(_topic: str, _partition: int, told: Observed) -> None:
            self.events += told.events

        async def gap(_topic: str, _partition: int, stood: int, begins: int) -> None:
            self.gaps.append((stood, begins))

        stop = asyncio.Event()
        observer = Observer(self.ledger, terms(), Clock())
        intake = Intake(self.kafka, self.ledger, observer, observed, gap, topics=[self.topic], group=f"group-{secrets.token_hex(4)}")
        running = asyncio.create_task(intake.run(stop))
        try:
            async with asyncio.timeout(SECONDS):
                while not true() and not running.done():
                    await asyncio.sleep(0.02)
        finally:
            stop.set()
            await running

    def title(self) -> object:
        return self.ledger.pairs[1].fields["title"].value


@pytest.mark.parametrize("length", [2, 3, 8])
async def test_a_topic_made_anew_is_read_from_its_beginning_however_far_it_goes(kafka: str, length: int) -> None:
    bench = Bench(kafka)
    await bench.make("b", "c", "d")
    await bench.read_until(lambda: bench.events == 3)
    await bench.delete()
    await bench.make(*(f"anew {place}" for place in range(length)))
    await bench.fill(20, "last")
    await bench.read_until(lambda: bench.title() == "last" and bench.events == 3 + length + 1)
    assert bench.gaps == [(3, 0)]
    assert await bench.ledger.offset(bench.topic, 0) == length + 1


async def test_the_same_topic_is_read_on(kafka: str) -> None:
    bench = Bench(kafka)
    await bench.make("b", "c", "d")
    await bench.read_until(lambda: bench.events == 3)
    await bench.fill(20, "e")
    await bench.read_until(lambda: bench.events == 4)
    assert (bench.gaps, bench.title()) == ([], "e")


async def test_what_was_read_is_not_judged_again(kafka: str) -> None:
    """A consumer may stand before the ledger: what it brings again moves no offset back."""
    bench = Bench(kafka)
    await bench.make("b", "c")
    await bench.read_until(lambda: bench.events == 2)
    observer = Observer(bench.ledger, terms(), Clock())
    taken = Intake(kafka, bench.ledger, observer, lambda *_: None, lambda *_: asyncio.sleep(0), topics=[bench.topic])
    place = TopicPartition(bench.topic, 0)
    taken.assigned, taken._places = frozenset({place}), {place: 2}
    again = [Message(offset=offset, key=b"lead:1", value=codec.encode(edit(1, "z", T + 50_000))) for offset in (0, 1)]
    await taken._partition(None, place, again, asyncio.Event())
    assert (await bench.ledger.offset(bench.topic, 0), bench.title()) == (2, "c")

"""Reading a topic as any subscriber does: what is kept of it, then what comes, without a hole between the two.

No group, no committed offsets: nothing of Tandem's own moves, and nobody else's lag.
"""

import heapq
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from consumers.fitting.grounds import TOPICS
from consumers.subscriptions.message import Message, message_of
from consumers.subscriptions.topics import Topic
from streams.ground.access import KafkaAccess
from streams.ground.kafka import admin, why_not
from streams.wire.errors import Retry, Unprepared

_CLIENT = "tandem-subscribe"
FETCH_MS = 200
NOWHERE: Mapping[int, int] = {}
_AHEAD_MAX = 2_000
"""Messages of a partition that wait for those of others."""


async def messages(kafka: KafkaAccess, topic: Topic, *, since_ms: int | None, follow: bool) -> AsyncGenerator[Message]:
    """What the topic keeps, from `since_ms` on (None: from its beginning), in the order in which the broker took it; with `follow` then
    what comes, for ever. Each partition's own order, which is that of each record, is kept.

    Raises `Retry` where the broker is or goes away, or lets go of messages while they are read; `Fatal` where it refuses; `Unprepared`
    where the topic isn't there.
    """
    async with aclosing(records(kafka, topic, since_ms=since_ms, follow=follow)) as read:
        async for record in read:
            yield told(topic, record)


async def records(
    kafka: KafkaAccess, topic: Topic, *, since_ms: int | None, follow: bool, begin: Mapping[int, int] = NOWHERE
) -> AsyncGenerator[Any]:
    """The same as the broker has them: aiokafka's records. `begin`: offsets, by partition, where it begins instead."""
    await look(kafka, topic)
    async with consumer_of(kafka, topic) as consumer:
        try:
            ends = await begun(consumer, since_ms, begin)
            complete = Complete(topic)
            async for record in kept(consumer, ends):
                yield complete.checked(record)
            while follow:
                fetched = await consumer.getmany(timeout_ms=FETCH_MS)
                for record in sorted((each for found in fetched.values() for each in found), key=place_of):
                    yield complete.checked(record)
        except (KafkaError, OSError) as error:
            raise await why_not(kafka, error) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The newest messages of a topic, oldest first. `passed_over`: older ones of the same span that were not read."""

    messages: list[Message]
    passed_over: int


async def newest(kafka: KafkaAccess, topic: Topic, *, since_ms: int, most: int) -> Newest:
    """What the topic has taken since then, not more than about `most`, of each partition its newest. Raises as `messages`."""
    await look(kafka, topic)
    async with consumer_of(kafka, topic) as consumer:
        try:
            ends, passed_over = await begun(consumer, since_ms, NOWHERE), 0
            share = max(1, most // max(1, len(ends)))
            for place, end in ends.items():
                over = end - share - await consumer.position(place)
                if over > 0:
                    passed_over += over
                    consumer.seek(place, end - share)
            return Newest(messages=[told(topic, record) async for record in kept(consumer, ends)], passed_over=passed_over)
        except (KafkaError, OSError) as error:
            raise await why_not(kafka, error) from error


async def message_at(kafka: KafkaAccess, topic: Topic, partition: int, offset: int) -> Message | None:
    """The message at that place; None: there is none, or the broker has let it go. Raises as `messages`."""
    await look(kafka, topic)
    async with consumer_of(kafka, topic) as consumer:
        try:
            place = TopicPartition(topic.name, partition)
            if place not in consumer.assignment():
                return None
            first, end = (await consumer.beginning_offsets([place]))[place], (await consumer.end_offsets([place]))[place]
            if not first <= offset < end:
                return None
            consumer.seek(place, offset)
            while await consumer.position(place) <= offset:
                for record in (await consumer.getmany(place, timeout_ms=FETCH_MS)).get(place, []):
                    return told(topic, record) if record.offset == offset else None
        except (KafkaError, OSError) as error:
            raise await why_not(kafka, error) from error
    return None


class Complete:
    """Sees to it that no message is left out: offsets have no holes, but where only the last message of each key is kept."""

    def __init__(self, topic: Topic) -> None:
        self._compacted = topic.latest
        self._next: dict[int, int] = {}

    def checked(self, record: Any) -> Any:
        """The record. Raises `Retry` where some before it were let go while others were read."""
        due = self._next.get(record.partition, record.offset)
        if record.offset > due and not self._compacted:
            gone = (
                f"{record.topic}: the broker let go of {record.offset - due} messages of partition {record.partition} while they were read"
            )
            raise Retry(f"{gone}; begin later (--since)")
        self._next[record.partition] = record.offset + 1
        return record


async def look(kafka: KafkaAccess, topic: Topic) -> None:
    """Raises `Unprepared` where the topic isn't there, and as `messages`."""
    async with admin(kafka, client_id=_CLIENT) as client:
        try:
            there = await client.list_topics()
        except (KafkaError, OSError) as error:
            raise await why_not(kafka, error) from error
    if topic.name not in there:
        raise Unprepared(f"Kafka at {kafka.bootstrap} has no topic {topic.name}.", remedy=TOPICS)


@asynccontextmanager
async def consumer_of(kafka: KafkaAccess, topic: Topic) -> AsyncGenerator[Any]:
    """A consumer of all of its partitions, in no group. Raises as `messages`."""
    consumer = AIOKafkaConsumer(
        topic.name,
        client_id=_CLIENT,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        **kafka.options(),
    )
    try:
        try:
            await consumer.start()
        except (KafkaError, OSError) as error:
            raise await why_not(kafka, error) from error
        yield consumer
    finally:
        await consumer.stop()


async def begun(consumer: Any, since_ms: int | None, begin: Mapping[int, int]) -> dict[TopicPartition, int]:
    """Set to where it begins. Where each partition ends at this moment."""
    places = consumer.assignment()
    ends: dict[TopicPartition, int] = await consumer.end_offsets(places)
    if since_ms is None:
        firsts = await consumer.beginning_offsets(places)
    else:
        found = await consumer.offsets_for_times(dict.fromkeys(places, since_ms))
        firsts = {place: found[place].offset if found.get(place) else end for place, end in ends.items()}
    for place, first in firsts.items():
        consumer.seek(place, begin.get(place.partition, first))
    return ends


async def kept(consumer: Any, ends: Mapping[TopicPartition, int]) -> AsyncGenerator[Any]:
    """Up to the ends, all partitions in the order of time: a message goes when every partition that has more has shown its next."""
    waiting: dict[TopicPartition, deque[Any]] = {place: deque() for place in ends}
    heads: list[tuple[tuple[int, int, int], TopicPartition]] = []
    unread = {place for place, end in ends.items() if await consumer.position(place) < end}
    lacking = set(unread)
    while unread or heads:
        if lacking & unread:
            full = [place for place, found in waiting.items() if len(found) >= _AHEAD_MAX]
            consumer.pause(*full)
            fetched = await consumer.getmany(*(unread - set(full)), timeout_ms=FETCH_MS)
            consumer.resume(*full)
            for place, found in fetched.items():
                waiting[place].extend(found)
            for place in list(unread):
                if await consumer.position(place) >= ends[place]:
                    unread.discard(place)
        for place in list(lacking):
            if waiting[place]:
                lacking.discard(place)
                heapq.heappush(heads, (place_of(waiting[place][0]), place))
            elif place not in unread:
                lacking.discard(place)
        while heads and not lacking:
            _, place = heapq.heappop(heads)
            yield waiting[place].popleft()
            if waiting[place]:
                heapq.heappush(heads, (place_of(waiting[place][0]), place))
            elif place in unread:
                lacking.add(place)


def place_of(record: Any) -> tuple[int, int, int]:
    """In the order in which the broker took them."""
    return record.timestamp, record.partition, record.offset


def told(topic: Topic, record: Any) -> Message:
    """A record of the broker's as a subscriber sees it."""
    return message_of(
        topic.content,
        topic.name,
        record.partition,
        record.offset,
        record.timestamp,
        key=record.key,
        value=record.value,
        headers=iter(record.headers),
    )

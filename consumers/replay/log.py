"""The log: every decision in the order in which they were made, with the event that it is about, as far as topics still have it.

Decisions are the spine, kept longer than changes; each names its event by topic, partition and offset. Read as any subscriber does.
"""

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from consumers.kinds.registry import Registry
from consumers.merge.pair.decision import Decision, decode
from consumers.shadow.logged import Logged
from consumers.subscriptions.reading import records
from consumers.subscriptions.topics import topic_named
from streams.ground.access import KafkaAccess
from streams.ground.kafka import admin, why_not
from streams.wire.codec import Undecodable
from streams.wire.codec import decode as decode_event
from streams.wire.topics import DECISIONS, change_topics

_CLIENT = "tandem-replay"
_TOGETHER = 500
_FETCH_MS, _SILENT_FETCHES = 500, 20
_KEPT = 20_000
"""Events of a partition that are kept beside the one that was asked for last: decisions of one moment come a little out of its order."""
_FROM = "earliest"


class Log:
    """What is read, and how much of it was there. `since_ms`: decisions from then on; None: all that are kept."""

    def __init__(self, kafka: KafkaAccess, kinds: Registry, *, since_ms: int | None = None) -> None:
        self._kafka, self._kinds, self._since_ms = kafka, kinds, since_ms
        self.decisions = self.events = self.gone = 0
        """`gone`: decisions about an event that its topic has let go of."""
        self.first_ms = self.last_ms = 0
        self.read: dict[tuple[str, int], int] = {}
        """By topic and partition: the last offset that a decision is about."""

    async def entries(self) -> AsyncGenerator[list[Logged]]:
        """Some at a time. Raises as `consumers.subscriptions.reading.messages`."""
        topic = topic_named(DECISIONS, self._kinds)
        async with _events(self._kafka, self._kinds) as events, aclosing(
            records(self._kafka, topic, since_ms=self._since_ms, follow=False)
        ) as read:  # fmt: skip
            waiting: list[Decision] = []
            async for record in read:
                waiting.append(decode(record.value))
                if len(waiting) == _TOGETHER:
                    yield await self._with_events(waiting, events)
                    waiting = []
            if waiting:
                yield await self._with_events(waiting, events)

    async def _with_events(self, decisions: list[Decision], events: "_Events") -> list[Logged]:
        wanted: dict[TopicPartition, list[int]] = {}
        for decision in decisions:
            origin = decision.event
            if origin is not None and origin.topic:
                wanted.setdefault(TopicPartition(origin.topic, origin.partition), []).append(origin.offset)
                place = (origin.topic, origin.partition)
                self.read[place] = max(self.read.get(place, -1), origin.offset)
        try:
            found = await events.at(wanted)
        except (KafkaError, OSError) as error:
            raise await why_not(self._kafka, error) from error
        self.decisions += len(decisions)
        self.first_ms, self.last_ms = self.first_ms or decisions[0].at, decisions[-1].at
        return [self._one(decision, found) for decision in decisions]

    def _one(self, decision: Decision, found: Mapping[tuple[str, int, int], bytes]) -> Logged:
        origin = decision.event
        if origin is None or not origin.topic:
            return Logged(decision)
        value = found.get((origin.topic, origin.partition, origin.offset))
        if value is None:
            self.gone += 1
            return Logged(decision)
        try:
            event = decode_event(value)
        except Undecodable:
            return Logged(decision)
        self.events += 1
        return Logged(decision, event)


class _Events:
    """Events by their offsets, which are asked for nearly in their order."""

    def __init__(self, consumer: Any, begins: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]) -> None:
        self._consumer, self._begins, self._ends = consumer, begins, ends
        self._next: dict[TopicPartition, int] = {}
        self._held: dict[TopicPartition, dict[int, bytes]] = {}

    async def at(self, wanted: Mapping[TopicPartition, list[int]]) -> dict[tuple[str, int, int], bytes]:
        """Those that are there."""
        for place, offsets in wanted.items():
            if place in self._ends:
                await self._read(place, min(offsets), min(max(offsets), self._ends[place] - 1))
        held = {place: self._held.get(place, {}) for place in wanted}
        return {
            (place.topic, place.partition, offset): held[place][offset]
            for place, offsets in wanted.items() for offset in offsets if offset in held[place]
        }  # fmt: skip

    async def _read(self, place: TopicPartition, low: int, high: int) -> None:
        held = self._held.setdefault(place, {})
        if place not in self._next:
            self._next[place] = max(low, self._begins[place])
            self._consumer.seek(place, self._next[place])
        silent = 0
        while self._next[place] <= high and silent < _SILENT_FETCHES:
            fetched = (await self._consumer.getmany(place, timeout_ms=_FETCH_MS, max_records=_KEPT)).get(place, [])
            silent = 0 if fetched else silent + 1
            held.update((record.offset, record.value) for record in fetched if record.value is not None)
            if fetched:
                self._next[place] = fetched[-1].offset + 1
        if len(held) > 2 * _KEPT:
            for offset in [each for each in held if each < low - _KEPT]:
                del held[offset]


@asynccontextmanager
async def _events(kafka: KafkaAccess, kinds: Registry) -> AsyncGenerator[_Events]:
    consumer = AIOKafkaConsumer(client_id=_CLIENT, enable_auto_commit=False, auto_offset_reset=_FROM, **kafka.options())
    try:
        try:
            await consumer.start()
            places = await _places(kafka, change_topics(kinds.objects))
            consumer.assign(places)
            begins, ends = (await consumer.beginning_offsets(places), await consumer.end_offsets(places)) if places else ({}, {})
        except (KafkaError, OSError) as error:
            raise await why_not(kafka, error) from error
        yield _Events(consumer, begins, ends)
    finally:
        await consumer.stop()


async def _places(kafka: KafkaAccess, topics: Iterable[str]) -> list[TopicPartition]:
    async with admin(kafka, client_id=_CLIENT) as client:
        there = set(await client.list_topics())
        told = await client.describe_topics([topic for topic in topics if topic in there])
    return sorted(TopicPartition(topic["topic"], each["partition"]) for topic in told for each in topic["partitions"])

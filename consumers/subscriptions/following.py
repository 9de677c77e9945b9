"""Following a topic from a place on, for whoever keeps places of their own: what is kept, then what comes, and what was let go is said."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from consumers.subscriptions.reading import FETCH_MS, NOWHERE, Complete, begun, consumer_of, kept, look, place_of
from consumers.subscriptions.topics import Topic
from streams.ground.access import KafkaAccess
from streams.ground.kafka import why_not

_STRETCH_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What one look at the broker brought, perhaps nothing. `missed`: messages before these that it had let go of; `behind`: how many it
    has beyond these; `began`, `places`: by partition, where these begin, and where to go on after them."""

    records: list[Any]
    began: dict[int, int]
    places: dict[int, int]
    behind: int
    missed: int = 0


async def stretches(kafka: KafkaAccess, topic: Topic, begin: Mapping[int, int]) -> AsyncGenerator[Stretch]:
    """From these places on, what is kept in the order in which the broker took it, then what comes, for ever; what was let go before it
    was read is counted, not passed over silently. Also where nothing comes there is a stretch every now and then. Raises as `messages`.
    """
    await look(kafka, topic)
    async with consumer_of(kafka, topic) as consumer:
        try:
            places, missed = await _resumed(consumer, topic, begin)
            ends = await consumer.end_offsets(consumer.assignment())
            yield Stretch(records=[], began=places, places=places, behind=_left(ends, places), missed=missed)
            complete, taken = Complete(topic), []
            async for record in kept(consumer, ends):
                taken.append(complete.checked(record))
                if len(taken) == _STRETCH_MAX:
                    began, places = places, _after(places, taken)
                    yield Stretch(records=taken, began=began, places=places, behind=_left(ends, places))
                    taken = []
            began, places = places, _after(places, taken)
            places |= {place.partition: max(end, places[place.partition]) for place, end in ends.items()}
            yield Stretch(records=taken, began=began, places=places, behind=0)
            while True:
                fetched = await consumer.getmany(timeout_ms=FETCH_MS)
                found = [complete.checked(each) for each in sorted((each for some in fetched.values() for each in some), key=place_of)]
                began, places = places, _after(places, found)
                ends |= {place: consumer.highwater(place) or ends[place] for place in ends}
                yield Stretch(records=found, began=began, places=places, behind=_left(ends, places))
        except (KafkaError, OSError) as error:
            raise await why_not(kafka, error) from error


async def _resumed(consumer: Any, topic: Topic, begin: Mapping[int, int]) -> tuple[dict[int, int], int]:
    """Set to where it goes on: by partition where that is, and how many messages were let go before."""
    await begun(consumer, None, begin)
    firsts = await consumer.beginning_offsets(consumer.assignment())
    places, missed = {}, 0
    for place, first in firsts.items():
        due = begin.get(place.partition, first)
        if due < first:
            missed += 0 if topic.latest else first - due
            consumer.seek(place, first)
        places[place.partition] = max(due, first)
    return places, missed


def _after(places: Mapping[int, int], records: list[Any]) -> dict[int, int]:
    return {**places, **{record.partition: record.offset + 1 for record in records}}


def _left(ends: Mapping[TopicPartition, int], places: Mapping[int, int]) -> int:
    return sum(max(0, end - places.get(place.partition, 0)) for place, end in ends.items())


async def first_places(kafka: KafkaAccess, topic: Topic) -> dict[int, int]:
    """By partition: the offset of the first message that is kept. Raises as `messages`."""
    await look(kafka, topic)
    async with consumer_of(kafka, topic) as consumer:
        try:
            firsts = await consumer.beginning_offsets(consumer.assignment())
        except (KafkaError, OSError) as error:
            raise await why_not(kafka, error) from error
    return {place.partition: first for place, first in firsts.items()}


async def places_at(kafka: KafkaAccess, topic: Topic, at_ms: int) -> dict[int, int]:
    """By partition: the offset of the first message since then; of the next one, where there is none. Raises as `messages`."""
    await look(kafka, topic)
    async with consumer_of(kafka, topic) as consumer:
        try:
            await begun(consumer, at_ms, NOWHERE)
            return {place.partition: await consumer.position(place) for place in consumer.assignment()}
        except (KafkaError, OSError) as error:
            raise await why_not(kafka, error) from error


async def behind(kafka: KafkaAccess, topic: Topic, places: Mapping[int, int]) -> int:
    """How many messages there are from these places on. Raises as `messages`."""
    ends = await _ends(kafka, topic)
    return sum(max(0, end - places.get(partition, 0)) for partition, end in ends.items())


async def _ends(kafka: KafkaAccess, topic: Topic) -> dict[int, int]:
    await look(kafka, topic)
    async with consumer_of(kafka, topic) as consumer:
        try:
            ends = await consumer.end_offsets(consumer.assignment())
        except (KafkaError, OSError) as error:
            raise await why_not(kafka, error) from error
    return {place.partition: end for place, end in ends.items()}

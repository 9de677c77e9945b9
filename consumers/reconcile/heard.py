"""What a stream itself has told of records: read from their topic, as any subscriber would, up to where it ends now."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.ground.access import KafkaAccess
from streams.ground.kafka import why_not
from streams.wire.codec import Undecodable, decode
from streams.wire.errors import Fatal, Retry
from streams.wire.events import ChangeEvent

READ_MAX = 20_000
"""Messages of a topic that are looked through, the newest."""
_STREAMS = frozenset({"cdc", "activities"})
"""The sources of events that tell of changes as they are made; all others read."""
_FETCH_MS, _AGAIN_SECONDS = 500, 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """`ever`: whether the stream has told of any record of the topic, as far as was looked; `latest`: of those that were asked for, the
    time of the last change that it has told (ms, the system's clock)."""

    ever: bool = False
    latest: Mapping[str, int] = field(default_factory=dict)


Hear = Callable[[str, Collection[str]], Awaitable[Heard]]
"""Looks through a topic for these records."""


def heard_in(events: Iterable[ChangeEvent], ids: Collection[str]) -> Heard:
    """What events of a topic say of that. Pure."""
    ever, latest = False, dict[str, int]()
    for event in events:
        if event.source not in _STREAMS:
            continue
        ever = True
        if event.id in ids:
            latest[event.id] = max(latest.get(event.id, 0), event.at)
    return Heard(ever=ever, latest=latest)


async def heard_on(kafka: KafkaAccess, topic: str, ids: Collection[str]) -> Heard:
    """The same on a broker. Raises `Retry` where it or the topic is away."""
    consumer = AIOKafkaConsumer(topic, client_id="tandem-heard", enable_auto_commit=False, auto_offset_reset="earliest", **kafka.options())
    try:
        await consumer.start()
        return heard_in([event async for event in _newest(consumer)], frozenset(ids))
    except (KafkaError, OSError) as error:
        said = await why_not(kafka, error)
        if isinstance(said, Fatal):  # whoever reads and writes the topics says so, and ends where it has to
            raise Retry(f"{topic} can't be looked through: {said}", after_seconds=_AGAIN_SECONDS) from error
        raise said from error
    finally:
        await consumer.stop()


async def _newest(consumer: Any) -> Any:
    places: Collection[TopicPartition] = consumer.assignment()
    ends, firsts = await consumer.end_offsets(places), await consumer.beginning_offsets(places)
    each = READ_MAX // max(1, len(places))
    unread = {place for place in places if ends[place] > firsts[place]}
    for place in unread:
        consumer.seek(place, max(firsts[place], ends[place] - each))
    while unread:
        for place, records in (await consumer.getmany(*unread, timeout_ms=_FETCH_MS)).items():
            for record in records:
                try:
                    yield decode(record.value)
                except Undecodable:
                    continue  # it is buried by whoever judges
            if await consumer.position(place) >= ends[place]:
                unread.discard(place)

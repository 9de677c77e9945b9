"""Whether a topic still is the one that was read: the last message read is looked up in its place, and compared by its fingerprint.

A topic that was deleted and made again, or whose log was cut and filled anew, holds another message there, or none. Kafka's topic ids
would tell the first only, and aiokafka 0.14 does not ask for them.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.ground.access import KafkaAccess
from streams.wire.errors import Retry

_SECONDS = 15.0
_POLL_MS = 500


def fingerprint(key: bytes | None, value: bytes | None) -> int:
    """Of a message; every event carries when it was relayed, so no two are the same."""
    return int.from_bytes(blake2b((key or b"") + b"\0" + (value or b""), digest_size=8).digest(), signed=True)


async def refilled(kafka: KafkaAccess, last: Mapping[TopicPartition, tuple[int, int]]) -> frozenset[TopicPartition]:
    """The partitions that do not hold, where it was read, what was read last. `last`: for each the offset and the fingerprint.

    What has grown too old to be kept can't be compared, and is taken for the same. Raises `Retry` when Kafka doesn't tell.
    """
    if not last:
        return frozenset()
    consumer = AIOKafkaConsumer(**kafka.options(), group_id=None, enable_auto_commit=False, auto_offset_reset="none")
    try:
        async with asyncio.timeout(_SECONDS):
            await consumer.start()
            return await _compared(consumer, last)
    except (KafkaError, OSError, TimeoutError) as error:
        raise Retry(f"looking up the last messages read at {kafka.bootstrap}: {type(error).__name__} {error}", after_seconds=2.0) from error
    finally:
        with suppress(KafkaError, OSError):
            await asyncio.wait_for(consumer.stop(), _SECONDS)


async def _compared(consumer: AIOKafkaConsumer, last: Mapping[TopicPartition, tuple[int, int]]) -> frozenset[TopicPartition]:
    begins, ends = await consumer.beginning_offsets(list(last)), await consumer.end_offsets(list(last))
    other = {place for place, (offset, _) in last.items() if offset >= ends[place]}
    open_ = {place for place, (offset, _) in last.items() if begins[place] <= offset < ends[place]}
    consumer.assign(list(open_))  # not the others: a position that can't be read ends every read
    for place in open_:
        consumer.seek(place, last[place][0])
    while open_:
        for place, records in (await consumer.getmany(timeout_ms=_POLL_MS)).items():
            if place in open_ and records:
                open_.discard(place)
                consumer.pause(place)
                offset, print_ = last[place]
                if records[0].offset == offset and fingerprint(records[0].key, records[0].value) != print_:
                    other.add(place)
    return frozenset(other)

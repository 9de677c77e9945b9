"""When the partitions of this worker last answered a poll: whether something flows is known from that, idle or not."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import IllegalStateError

_SILENT_MS = 9_000
"""So long without an answer, and Kafka counts as away; a rebalance is over long before."""


class LastPoll:
    """Told when partitions are given and taken. `now_ms`: ms since the epoch, as aiokafka stamps polls."""

    def __init__(self, now_ms: Callable[[], float] = lambda: time.time() * 1000) -> None:
        self._now_ms = now_ms
        self._without_ms: float | None = None
        self._given_ms = 0.0

    def given(self) -> None:
        """This worker has its share of the partitions; it may be none."""
        self._without_ms, self._given_ms = None, self._now_ms()

    def taken(self, consumer: AIOKafkaConsumer) -> None:
        """The partitions are shared anew. Where none answers any more, it has been so since their last poll."""
        if self._without_ms is None:
            self._without_ms = min(self._polls(consumer), default=self._now_ms())

    def trouble(self, consumer: AIOKafkaConsumer) -> str | None:
        """Why nothing can be read; None while polls are answered."""
        now = self._now_ms()
        if self._without_ms is not None:
            late = now - self._without_ms > _SILENT_MS
            return "the consumer group has not shared the partitions of the change topics" if late else None
        silent = sum(now - polled > _SILENT_MS for polled in self._polls(consumer))
        return f"{silent} of {len(consumer.assignment())} partitions of the change topics do not answer" if silent else None

    def _polls(self, consumer: AIOKafkaConsumer) -> Iterator[float]:
        """When each partition was polled last, or given; not of one that waits until what was read from it is judged."""
        for place in consumer.assignment():
            with suppress(IllegalStateError, AssertionError):  # taken away while we look
                if (consumer.highwater(place) or 0) <= _position(consumer, place):
                    yield max(self._given_ms, consumer.last_poll_timestamp(place) or 0)


def _position(consumer: AIOKafkaConsumer, place: TopicPartition) -> int:
    """Where the next read begins; without asking anybody."""
    state = consumer._subscription.subscription.assignment.state_value(place)  # noqa: SLF001
    return int(state.position) if state.has_valid_position else 0

"""Intake: from the change topics to `observe`, partition by partition, from where the ledger stands.

The ledger's offsets are the truth; Kafka's committed offsets are only for lag tools. Two workers share the partitions as one
consumer group; one that has lost a partition without knowing is fenced by the ledger.

aiokafka fetches while an asynchronous `on_partitions_assigned` still awaits, and swallows what a listener raises; so partitions are
paused before the first await, and a failure is kept and raised by the loop (both measured on 0.14).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from consumers.judging.observed import Observed
from consumers.ledger.port import Fenced, Ledger
from consumers.observe.last_poll import LastPoll
from consumers.observe.leaving import leave
from consumers.observe.observer import Message, Observer
from consumers.observe.refilled import refilled
from streams.ground.access import KafkaAccess, access_of
from streams.ground.together import together
from streams.wire.errors import Retry

BATCH_EVENTS_MAX = 500
_FETCH_EVENTS_MAX = 3_000
_COMMIT_EVERY = 5.0
_HEARTBEAT_MS = 500
"""A member learns by its heartbeat that the others wait for it to share the partitions anew: nothing flows till then."""
_log = structlog.get_logger(__name__)

OnObserved = Callable[[str, int, Observed], None]
OnGap = Callable[[str, int, int, int], Awaitable[None]]
"""(topic, partition, where the ledger stood, where it is read from now): events between the two are lost to the topic; or, where it
is read from an earlier place, all that was not read of a topic that is there no more."""


class Intake:
    """Consumes the change topics into the ledger until stopped. `on_observed` is told of each batch."""

    def __init__(
        self, kafka: KafkaAccess | str, ledger: Ledger, observer: Observer, on_observed: OnObserved, on_gap: OnGap, *,
        topics: Iterable[str], group: str = "tandem",
    ) -> None:  # fmt: skip
        self._ledger, self._observer, self._on_observed, self._on_gap = ledger, observer, on_observed, on_gap
        self._kafka, self._topics, self._group = access_of(kafka), list(topics), group
        self._places: dict[TopicPartition, int] = {}
        self._consumer: AIOKafkaConsumer | None = None
        self._failure: BaseException | None = None
        self._away: str | None = None
        self._last_poll = LastPoll()
        self.assigned: frozenset[TopicPartition] = frozenset()

    def behind(self) -> dict[tuple[str, int], int]:
        """How many events of each partition of this worker are not judged yet, as far as its last fetches told."""
        if self._consumer is None:
            return {}
        ends = {place: self._consumer.highwater(place) for place in self.assigned if place in self._places}
        return {(place.topic, place.partition): max(0, end - self._places[place]) for place, end in ends.items() if end is not None}

    def trouble(self) -> str | None:
        """Why nothing is observed, by the last successful poll and commit; None while all is well."""
        if self._away is not None:
            return self._away
        return self._last_poll.trouble(self._consumer) if self._consumer else None

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop`. Raises `Retry` when Kafka is away; the caller runs it again."""
        consumer = AIOKafkaConsumer(
            **self._kafka.options(),
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_poll_records=_FETCH_EVENTS_MAX,
            fetch_max_wait_ms=100,
            max_partition_fetch_bytes=4 << 20,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=_HEARTBEAT_MS,
        )
        consumer.subscribe(self._topics, listener=_Listener(consumer, self))
        try:
            await consumer.start()
            self._consumer = consumer
            await self._consume(consumer, stop)
        except (KafkaError, OSError) as error:
            self._away = f"Kafka at {self._kafka.bootstrap}: {type(error).__name__} {error}"
            raise Retry(self._away, after_seconds=2.0) from error
        finally:
            self._consumer = None
            await leave(consumer)

    async def _consume(self, consumer: AIOKafkaConsumer, stop: asyncio.Event) -> None:
        committed_at = asyncio.get_running_loop().time()
        while not stop.is_set():
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            try:
                fetched = await consumer.getmany(timeout_ms=250, max_records=_FETCH_EVENTS_MAX)
            except NoOffsetForPartitionError:
                continue  # the fetcher asked the group for its place while `assign` was still asking the ledger, which then seeks
            except OffsetOutOfRangeError as error:
                await self._jump(consumer, error)
                continue
            if fetched:
                async with together() as group:
                    for place, records in fetched.items():
                        group.create_task(self._partition(consumer, place, records, stop))
            if asyncio.get_running_loop().time() - committed_at > _COMMIT_EVERY:
                committed_at = asyncio.get_running_loop().time()
                await self._commit(consumer)

    async def _partition(self, consumer: AIOKafkaConsumer, place: TopicPartition, records: Sequence[Message], stop: asyncio.Event) -> None:
        """One partition's records in their order, in batches."""
        since = self._places.get(place, 0)
        messages = [record for record in records if record.offset >= since]
        for begin in range(0, len(messages), BATCH_EVENTS_MAX):
            part = messages[begin : begin + BATCH_EVENTS_MAX]
            while not stop.is_set() and place in self.assigned:
                try:
                    observed = await self._observer.observe(place.topic, place.partition, self._places[place], part)
                except Fenced as error:
                    _log.warning("fenced", topic=place.topic, partition=place.partition, detail=str(error))
                    await self.stand(consumer, [place])
                    return
                except Retry as error:
                    self._away = str(error)
                    _log.warning("ledger.away", detail=str(error))
                    await asyncio.sleep(error.after_seconds)
                    continue
                self._away = None
                self._places[place] = part[-1].offset + 1
                self._on_observed(place.topic, place.partition, observed)
                break

    async def stand(self, consumer: AIOKafkaConsumer, places: Iterable[TopicPartition]) -> None:
        """Put the consumer where the ledger stands."""
        for place in places:
            offset = await self._offset(place)
            with suppress(IllegalStateError):  # taken away while we asked
                if offset is None:
                    offset = (await consumer.beginning_offsets([place]))[place]
                self._places[place] = offset
                consumer.seek(place, offset)

    async def _offset(self, place: TopicPartition) -> int | None:
        while True:
            try:
                return await self._ledger.offset(place.topic, place.partition)
            except Retry as error:
                await asyncio.sleep(error.after_seconds)

    async def assign(self, consumer: AIOKafkaConsumer, places: Iterable[TopicPartition]) -> None:
        """Partitions were given to this worker."""
        taken = list(places)
        with suppress(IllegalStateError):
            consumer.pause(*taken)
        self.assigned = frozenset(taken)
        try:
            await self.stand(consumer, taken)
            await self._compare(consumer, taken)
        except Exception as error:  # noqa: BLE001 - raised by the loop: aiokafka would swallow it here
            self._failure = error
            return
        with suppress(IllegalStateError):
            consumer.resume(*taken)
        self._last_poll.given()
        self._away = None
        _log.info("partitions", count=len(taken))

    async def _compare(self, consumer: AIOKafkaConsumer, places: Sequence[TopicPartition]) -> None:
        """A partition that is not the one that was read, though it goes as far, is read from its beginning."""
        known = {place: await self._ledger.last_read(place.topic, place.partition) for place in places}
        others = await refilled(self._kafka, {place: last for place, last in known.items() if last is not None})
        begins = await consumer.beginning_offsets(list(others)) if others else {}
        for place in others:
            await self._go(consumer, place, self._places[place], begins[place], anew=True)

    async def _go(self, consumer: AIOKafkaConsumer, place: TopicPartition, stood: int, begin: int, *, anew: bool) -> None:
        """Go on from elsewhere: a gap, told loudly, never skipped in silence. `anew`: what is there now was never read."""
        await self._on_gap(place.topic, place.partition, stood, begin)
        async with self._ledger.transaction() as tx:
            if anew:
                await tx.rewind(place.topic, place.partition, stood, begin)
            else:
                await tx.advance(place.topic, place.partition, stood, begin)
        self._places[place] = begin
        consumer.seek(place, begin)

    def revoke(self, consumer: AIOKafkaConsumer) -> None:
        """All partitions are taken away until the next assignment."""
        self._last_poll.taken(consumer)
        self.assigned = frozenset()

    async def _jump(self, consumer: AIOKafkaConsumer, error: OffsetOutOfRangeError) -> None:
        """The topic does not hold what comes next: it has forgotten that, or it is another topic, shorter than the one that was read."""
        offsets: dict[TopicPartition, int] = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
        places = [place for place in (list(offsets) or list(self.assigned)) if place in self._places]
        begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
        for place in places:
            stood = self._places[place]
            if not begins[place] <= stood <= ends[place]:
                await self._go(consumer, place, stood, begins[place], anew=stood > ends[place])

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        places = {place: self._places[place] for place in self.assigned if place in self._places}
        if places:
            with suppress(KafkaError, IllegalStateError):  # for lag tools only
                await consumer.commit(places)


class _Listener(ConsumerRebalanceListener):
    def __init__(self, consumer: AIOKafkaConsumer, intake: Intake) -> None:
        self._consumer, self._intake = consumer, intake

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        del revoked
        self._intake.revoke(self._consumer)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        await self._intake.assign(self._consumer, assigned)

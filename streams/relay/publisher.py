"""Change events onto Kafka: in order, acknowledged, for as long as it takes."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from streams.ground import clock
from streams.ground.access import KafkaAccess, access_of
from streams.wire.cloud import Headers, change_headers, letter_headers
from streams.wire.codec import EVENT_BYTES_MAX, encode, encode_dead_letter, relayed
from streams.wire.events import ChangeEvent, DeadLetter
from streams.wire.topics import DEAD_LETTERS, change_topic

KeepDead = Callable[[Sequence[DeadLetter]], Awaitable[None]]
"""Stores dead letters where people look for them (PostgreSQL). Called again with the same letters after a crash."""

DEAD_ORIGINAL_BYTES_MAX = 600_000
"""Original bytes that fit into a dead letter on the topic, base64 and all; the stored letter keeps everything."""
_MESSAGE_BYTES_MAX = 1_000_000
_BATCH_BYTES = 131_072
_STUB_BYTES = 10_000
_BACKOFF_SECONDS = (0.2, 30.0)
_CANCEL_SECONDS = 0.2


class Producer(Protocol):
    """What is needed of a Kafka producer. `send` queues a message and gives the future of its acknowledgement."""

    async def start(self) -> None:
        """Connect."""
        ...

    async def stop(self) -> None:
        """Send what is queued and disconnect."""
        ...

    async def send(self, topic: str, value: bytes | None, key: bytes, *, headers: Headers) -> "asyncio.Future[object]":
        """Queue one message; without a value it is a tombstone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What became of a batch: all of it is acknowledged."""

    events: int
    dead: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Message:
    topic: str
    key: bytes
    value: bytes
    headers: Headers
    letter: DeadLetter | None = None


def kafka_producer(kafka: KafkaAccess | str, *, linger_ms: int = 1, compression: str | None = None) -> Producer:
    """An idempotent producer: `acks=all`, one request in flight per partition, so that a retry neither doubles nor reorders.

    `compression`: `gzip` or None. None by default: events are small, and the time of the relay is worth more than the wire's.
    """
    producer: Producer = AIOKafkaProducer(
        **access_of(kafka).options(),
        acks="all",
        enable_idempotence=True,
        linger_ms=linger_ms,
        compression_type=compression,
        max_batch_size=_BATCH_BYTES,
        max_request_size=_MESSAGE_BYTES_MAX,
        request_timeout_ms=20_000,
        retry_backoff_ms=100,
    )
    return producer


class Publisher:
    """Publishes batches, one at a time, to the change topics; one per relay.

    A batch goes out whole and in order. While the broker is away `publish` waits and tries again for ever; after an error that
    the producer can't get over (a batch given up, a lost sequence) a new producer sends the *whole* batch again: a repeat, which
    consumers know how to treat, never a hole and never another order within a record.
    """

    def __init__(
        self,
        make_producer: Callable[[], Producer],
        *,
        keep_dead: KeepDead | None = None,
        now_ms: Callable[[], int] = clock.now_ms,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._make_producer = make_producer
        self._keep_dead = keep_dead
        self._now_ms = now_ms
        self._sleep = sleep
        self._producer: Producer | None = None
        self._log = structlog.get_logger("streams.relay.publisher")
        self.trouble: str | None = None
        """Why nothing gets through at the moment; None while all is well."""

    async def publish(self, events: Sequence[ChangeEvent], dead: Sequence[DeadLetter] = ()) -> Published:
        """Send all and await every acknowledgement; dead letters are stored first, then sent.

        An event that is too big for its topic, or can't be encoded, becomes a dead letter. Raises what `keep_dead` raises, not Kafka's.
        """
        messages, oversized = self._encode(events)
        letters = [*dead, *oversized]
        if letters:
            await self._store(letters)
            messages += [_dead_message(letter) for letter in letters]
        attempt = 0
        while refused := await self._attempt(messages, attempt):
            attempt += 1
            if refused.too_big is not None:
                messages.remove(refused.too_big)
                messages.append(await self._replaced(refused.too_big, letters))
        return Published(events=len(messages) - len(letters), dead=len(letters))

    async def close(self) -> None:
        """Disconnect; anything unacknowledged counts as not sent."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer)

    def _encode(self, events: Sequence[ChangeEvent]) -> tuple[list[_Message], list[DeadLetter]]:
        now = self._now_ms()
        messages, oversized = [], []
        for event in events:
            try:
                body = encode(msgspec.structs.replace(event, relayed_at=0) if event.relayed_at else event)
                message = _Message(
                    topic=change_topic(event.system, event.object),
                    key=f"{event.object}:{event.id}".encode(),
                    value=relayed(body, event.relayed_at or now),
                    headers=change_headers(event, body),
                )
            except Exception as error:  # noqa: BLE001 - whatever one event holds, the others go out
                oversized.append(self._unencodable(event, error))
                continue
            if len(message.value) > EVENT_BYTES_MAX:
                oversized.append(self._too_big(message))
            else:
                messages.append(message)
        return messages, oversized

    async def _replaced(self, message: _Message, letters: list[DeadLetter]) -> _Message:
        """A dead letter in place of a message that the broker finds too big, or a shorter one in place of a dead letter."""
        if message.letter is not None:
            return _dead_message(message.letter, keep_bytes=_STUB_BYTES)
        letter = self._too_big(message)
        await self._store([letter])
        letters.append(letter)
        return _dead_message(letter)

    def _too_big(self, message: _Message) -> DeadLetter:
        reason = (
            f"oversized event: {len(message.value)} bytes, at most {EVENT_BYTES_MAX} (or less by the broker's max.message.bytes)"
            " go onto a change topic; leave the long field out of the mapping, then replay the record"
        )
        return DeadLetter(
            stage="relay", reason=reason, original=message.value, key=message.key.decode(), topic=message.topic, at=self._now_ms()
        )

    def _unencodable(self, event: ChangeEvent, error: Exception) -> DeadLetter:
        """With its bytes as far as they can be told."""
        reason = f"an event can't be put on its topic ({type(error).__name__}); read the record again"
        key = f"{event.object}:{event.id}".encode(errors="replace").decode()
        original = repr(event).encode(errors="backslashreplace")
        return DeadLetter(
            stage="relay", reason=reason, original=original, key=key, topic=change_topic(event.system, event.object), at=self._now_ms()
        )

    async def _store(self, letters: Sequence[DeadLetter]) -> None:
        for letter in letters:
            self._log.warning("dead letter", stage=letter.stage, reason=letter.reason, key=letter.key, bytes=len(letter.original))
        if self._keep_dead is not None:
            await self._keep_dead(letters)

    async def _attempt(self, messages: Sequence[_Message], attempt: int) -> "_Refused | None":
        """One go at the whole batch; None = every message is acknowledged."""
        try:
            if attempt:
                await self._sleep(_backoff(attempt))
            if self._producer is None:
                self._producer = await self._connect()
            await _send_all(self._producer, messages)
        except KafkaError as error:
            await self._give_up(error, attempt)
            return _Refused(too_big=None)
        except _TooBig as error:
            await self._give_up(error, attempt)
            return _Refused(too_big=error.message)
        except asyncio.CancelledError:
            # what is queued must not reach the broker behind the back of whoever publishes next
            await asyncio.shield(self.close())
            raise
        self._recovered()
        return None

    async def _connect(self) -> Producer:
        producer = self._make_producer()
        try:
            await producer.start()
        except BaseException:
            await asyncio.shield(_stop(producer))
            raise
        return producer

    async def _give_up(self, error: Exception, attempt: int) -> None:
        self.trouble = f"Kafka takes no events: {type(error).__name__}: {error}"
        self._log.warning("batch not acknowledged, sending it again", error=self.trouble, attempt=attempt + 1)
        await self.close()

    def _recovered(self) -> None:
        if self.trouble is not None:
            self._log.info("Kafka takes events again")
            self.trouble = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refused:
    too_big: _Message | None


class _TooBig(Exception):  # noqa: N818 (a signal inside this module)
    def __init__(self, message: _Message) -> None:
        super().__init__(f"one message of {len(message.value)} bytes is more than the broker allows")
        self.message = message


async def _send_all(producer: Producer, messages: Sequence[_Message]) -> None:
    """Queue all in order, wait for all; the first failure ends it and disowns the rest."""
    sent: dict[asyncio.Future[object], _Message] = {}
    try:
        for message in messages:
            sent[await _send(producer, message)] = message
        if sent:
            done, _ = await asyncio.wait(sent, return_when=asyncio.FIRST_EXCEPTION)
            _raise_first(done, sent)
    finally:
        for acknowledgement in sent:
            acknowledgement.cancel()


async def _send(producer: Producer, message: _Message) -> "asyncio.Future[object]":
    try:
        return await producer.send(message.topic, value=message.value, key=message.key, headers=message.headers)
    except MessageSizeTooLargeError as error:
        raise _TooBig(message) from error


def _raise_first(done: "set[asyncio.Future[object]]", sent: "dict[asyncio.Future[object], _Message]") -> None:
    failures = [(sent[future], error) for future in done if (error := future.exception()) is not None]
    for message, error in failures:
        if isinstance(error, MessageSizeTooLargeError) and _alone_in_its_batch(message):
            raise _TooBig(message) from error
    for _, error in failures:
        raise error


def _alone_in_its_batch(message: _Message) -> bool:
    """Whether a refusal by size can only mean this message (smaller ones share a producer batch)."""
    return len(message.value) >= _BATCH_BYTES


def _dead_message(letter: DeadLetter, keep_bytes: int = DEAD_ORIGINAL_BYTES_MAX) -> _Message:
    sent = letter
    if len(letter.original) > keep_bytes:
        reason = f"{letter.reason} (the first {keep_bytes} of {len(letter.original)} bytes; all of them are stored)"
        sent = msgspec.structs.replace(letter, original=letter.original[:keep_bytes], reason=reason)
    value = encode_dead_letter(sent)
    return _Message(topic=DEAD_LETTERS, key=letter.key.encode(), value=value, headers=letter_headers(letter), letter=letter)


def _backoff(attempt: int) -> float:
    shortest, longest = _BACKOFF_SECONDS
    ceiling: float = min(longest, shortest * 2.0 ** min(attempt, 20))
    return random.uniform(shortest, ceiling)


async def _stop(producer: Producer) -> None:
    """Disconnect at once, broker or no broker: whatever is not acknowledged by now is given up, to be sent again or by another."""
    if not isinstance(producer, AIOKafkaProducer):
        return await producer.stop()
    # its own stop() waits for a flush and for metadata, for ever while the broker is away; there is no public way to a quick end
    producer._closed = True  # noqa: SLF001
    if producer._sender.sender_task is not None:  # noqa: SLF001
        await _end(producer._sender.sender_task)  # noqa: SLF001
    metadata_task = producer.client._sync_task  # noqa: SLF001
    if metadata_task is not None:
        await _end(metadata_task)
    await producer.client.close()
    return None


async def _end(task: "asyncio.Task[None]") -> None:
    """Cancel till it ends: a first cancellation may only make it wait for what it has begun."""
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=_CANCEL_SECONDS)

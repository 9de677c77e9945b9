"""Where messages that are sent again go: standard output, a file, a topic. Each says when what it was given is kept for good."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from aiokafka.errors import KafkaError

from consumers.kinds.registry import Registry
from consumers.subscriptions.message import Message, line
from consumers.subscriptions.topics import topics
from streams.ground.access import KafkaAccess
from streams.ground.kafka import admin, why_not
from streams.relay.publisher import Producer, kafka_producer
from streams.wire.errors import Fatal

ORIGIN = "tandem_replayed_from"
"""The header of a message that was sent again: TOPIC/PARTITION@OFFSET."""
Shown = Callable[[Message], Message]


class Output(Protocol):
    """Takes messages one by one. `kept` returns once all of them are there for good, with how many bytes that are, where it counts."""

    async def put(self, record: Any, message: Message) -> None: ...
    async def kept(self) -> int: ...


class Lines:
    """Standard output, a line of JSON a message."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown

    async def put(self, record: Any, message: Message) -> None:
        """One line."""
        del record
        sys.stdout.write(line(self._shown(message)).decode())

    async def kept(self) -> int:
        """Written out."""
        sys.stdout.flush()
        return 0


class File:
    """The same in a file, from `size` on: whatever a replay that was killed had put there behind it is written again."""

    def __init__(self, path: Path, shown: Shown, *, size: int) -> None:
        self._shown = shown
        self._file = path.open("r+b" if size else "wb")
        if self._file.seek(0, os.SEEK_END) < size:
            self._file.close()
            raise Fatal(f"{path} is shorter than the replay had made it.", remedy="Remove the file and its cursor to begin anew.")
        self._file.truncate(size)
        self._file.seek(size)

    async def put(self, record: Any, message: Message) -> None:
        """One line."""
        del record
        self._file.write(line(self._shown(message)))

    async def kept(self) -> int:
        """On the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """The file is whole."""
        self._file.close()


class Topic:
    """Another topic: key, value and headers as they were, and a header that names the place each came from."""

    def __init__(self, producer: Producer, name: str) -> None:
        self._producer, self._name = producer, name
        self._waiting: list[asyncio.Future[object]] = []

    async def put(self, record: Any, message: Message) -> None:
        """One message, sent."""
        origin = f"{message.topic}/{message.partition}@{message.offset}".encode()
        headers = [*record.headers, (ORIGIN, origin)]
        self._waiting.append(await self._producer.send(self._name, value=record.value or b"", key=record.key or b"", headers=headers))

    async def kept(self) -> int:
        """Acknowledged."""
        waiting, self._waiting = self._waiting, []
        await asyncio.gather(*waiting)
        return 0


@asynccontextmanager
async def to_file(path: Path, shown: Shown, *, size: int) -> AsyncGenerator[File]:
    """Opened. Raises `Fatal` where it can't be."""
    try:
        file = File(path, shown, size=size)
    except OSError as error:
        raise Fatal(f"{path} can't be written: {error.strerror}.", remedy="Name another file.") from error
    try:
        yield file
    finally:
        file.close()


@asynccontextmanager
async def to_topic(kafka: KafkaAccess, name: str, kinds: Registry) -> AsyncGenerator[Topic]:
    """Opened. Raises `Fatal` where it is one of Tandem's own, or isn't there; `Retry` where no broker answers."""
    if name in {each.name for each in topics(kinds)}:
        raise Fatal(f"{name} is one of Tandem's own topics: what is sent there again would be taken for news.", remedy="Name another one.")
    async with admin(kafka, client_id="tandem-replay") as client:
        if name not in await client.list_topics():
            raise Fatal(f"Kafka at {kafka.bootstrap} has no topic {name}.", remedy="Create it first, with the partitions it is to have.")
    producer = kafka_producer(kafka, linger_ms=5)
    try:
        try:
            await producer.start()
            yield Topic(producer, name)
        except (KafkaError, OSError) as error:
            raise await why_not(kafka, error) from error
    finally:
        await producer.stop()

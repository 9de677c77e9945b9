"""A Kafka that keeps what it is given, and a lease without rivals."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from streams.wire.cloud import Headers


class Kept:
    """A producer that keeps what it is given."""

    def __init__(self) -> None:
        self.log: list[tuple[str, bytes, bytes | None]] = []

    async def start(self) -> None:
        return

    async def stop(self) -> None:
        return

    async def send(self, topic: str, value: bytes | None, key: bytes, *, headers: Headers) -> "asyncio.Future[object]":
        assert {"ce_id", "ce_source", "ce_type"} <= {name for name, _ in headers}
        self.log.append((topic, key, value))
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future


class Alone:
    """A singleton without rivals."""

    @asynccontextmanager
    async def hold(self, name: str) -> AsyncIterator[asyncio.Event]:
        del name
        yield asyncio.Event()

"""A carrier takes what the ledger has to a topic, pass after pass: one in a fleet works, through every outage, the others stand by."""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import structlog
from aiokafka.errors import KafkaError

from consumers.troubles.trouble import Grade, Trouble
from streams.ground import clock
from streams.relay.publisher import Producer
from streams.relay.singleton import Singleton
from streams.wire.cloud import Headers
from streams.wire.errors import Retry

_BACKOFF_SECONDS = (0.2, 15.0)
_CLOSE_SECONDS = 5.0


class Message(NamedTuple):
    """One message; `value`: None: a tombstone."""

    key: bytes
    value: bytes | None
    headers: Headers


class Carrier(ABC):
    """Until stopped. `name`: of its lease."""

    name: str

    def __init__(
        self,
        pool: Any,
        singleton: Singleton,
        make_producer: Callable[[], Producer],
        *,
        interval_seconds: float = 0.25,
        now_ms: Callable[[], int] = clock.now_ms,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`pool`: an asyncpg pool."""
        self._pool, self._singleton, self._make_producer = pool, singleton, make_producer
        self._interval_seconds = interval_seconds
        self._now_ms, self._sleep = now_ms, sleep
        self._awake, self._passing = asyncio.Event(), asyncio.Lock()
        self._log = structlog.get_logger(f"consumers.publish.{self.name}")
        self.trouble: str | None = None
        """Why nothing gets through at the moment; None while all is well."""

    def wrong(self) -> Iterator[Trouble]:
        """What is wrong with what nobody waits for: all else flows."""
        if self.trouble is not None:
            yield Trouble(where=self.name, what=self.trouble.rstrip("."), grade=Grade.ATTENTION)

    @abstractmethod
    async def publish(self, producer: Producer) -> int:
        """One pass. How many messages it was. Raises `Retry`."""

    def wake(self) -> None:
        """Something was committed in this process: look at once. Others are found by looking every `interval_seconds`.

        Not LISTEN and NOTIFY: a commit that notifies waits for every other one that does (PostgreSQL takes one lock for all).
        """
        self._awake.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop`, through every outage; a pass under way is finished, if that takes no more than some seconds."""
        working, stopping = asyncio.create_task(self._work()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._passing.acquire(), _CLOSE_SECONDS)
        finally:
            stopping.cancel()
            working.cancel()
            await asyncio.wait({working})
        if not working.cancelled():
            working.result()

    async def _work(self) -> None:
        failures = 0
        while True:
            try:
                async with self._singleton.hold(self.name) as lost:
                    await self._carry(lost)
            except Retry as error:
                failures = failures + 1 if self.trouble else 1
                self.trouble = str(error)
                self._log.warning(f"{self.name}.trouble", detail=self.trouble, failures=failures)
                await self._sleep(_backoff(failures))

    async def _carry(self, lost: asyncio.Event) -> None:
        producer = self._make_producer()
        try:
            with _kafka_is_retry("connecting"):
                await producer.start()
            while not lost.is_set():
                self._awake.clear()
                async with self._passing:
                    await self.publish(producer)
                self.trouble = None
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._interval_seconds):  # wait_for may swallow a cancellation that comes with the event
                        await self._awake.wait()
        finally:
            await asyncio.shield(_stopped(producer))

    async def _send(self, topic: str, producer: Producer, messages: Sequence[Message]) -> None:
        """All of them are acknowledged. Raises `Retry`."""
        acknowledgements: list[asyncio.Future[object]] = []
        try:
            with _kafka_is_retry("publishing"):
                for key, value, headers in messages:
                    acknowledgements.append(await producer.send(topic, value=value, key=key, headers=headers))
                await asyncio.gather(*acknowledgements)
        finally:
            for acknowledgement in acknowledgements:
                acknowledgement.cancel()


@contextmanager
def _kafka_is_retry(doing: str) -> Iterator[None]:
    try:
        yield
    except (KafkaError, OSError) as error:
        raise Retry(f"{doing}: Kafka takes nothing ({type(error).__name__})", after_seconds=1.0) from error


async def _stopped(producer: Producer) -> None:
    """A producer with something unsent and no broker never ends by itself."""
    with suppress(KafkaError, OSError, TimeoutError):
        await asyncio.wait_for(producer.stop(), _CLOSE_SECONDS)


def _backoff(failures: int) -> float:
    shortest, longest = _BACKOFF_SECONDS
    ceiling: float = min(longest, shortest * 2.0 ** min(failures, 10))
    return random.uniform(shortest, ceiling)

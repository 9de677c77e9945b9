"""One process of the observe benchmark: `python -m tests.benchmarks.observing MODE BOOTSTRAP GROUP`, DSN in BENCH_DSN.

It joins the group and waits for a line on its standard input; then it consumes, and tells on its standard output how far it is, one
JSON object a line. Another line ends it. MODE: `observe` (Intake and Observer, as a worker runs them), `one` (the same with one event
a transaction), `plain` (`getmany` and decode, nothing else).
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog
import uvloop
from aiokafka import AIOKafkaConsumer

from consumers.judging.observed import Observed
from consumers.kinds.registry import CHANGE_TOPICS
from consumers.ledger.postgres.ledger import open_ledger
from consumers.observe import intake
from consumers.observe.intake import Intake
from consumers.observe.observer import Message, Observer
from consumers.worker.telemetry.collector import calm
from streams.wire.codec import decode
from tests.benchmarks import person

_TELL_SECONDS = 0.1


@dataclass(slots=True)
class Course:
    """How far this process is."""

    go: asyncio.Event = field(default_factory=asyncio.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    events: int = 0
    dead: int = 0
    last: float = 0.0
    """When the last batch was done (monotonic clock, the same for all processes of the machine)."""

    def done(self, events: int) -> None:
        """A batch is through."""
        self.events += events
        self.last = time.monotonic()


class HeldBack:
    """The observer, waiting for the start."""

    def __init__(self, observer: Observer, course: Course) -> None:
        self._observer, self._course = observer, course

    async def observe(self, topic: str, partition: int, start: int, messages: Sequence[Message]) -> Observed:
        """As the observer's own, once begun."""
        await self._course.go.wait()
        return await self._observer.observe(topic, partition, start, messages)


async def main() -> None:
    """Joins, waits, consumes, ends."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    mode, bootstrap, group = sys.argv[1:4]
    course = Course()
    reading = asyncio.create_task(_obey(course))
    calm()
    run = _plain if mode == "plain" else _observe
    if mode == "one":
        intake.BATCH_EVENTS_MAX = 1
    await run(course, bootstrap, group)
    reading.cancel()


async def _observe(course: Course, bootstrap: str, group: str) -> None:
    def observed(_topic: str, _partition: int, told: Observed) -> None:
        course.dead += told.dead
        course.done(told.events)

    async def gap(topic: str, partition: int, stood: int, begins: int) -> None:
        raise RuntimeError(f"{topic}/{partition}: stood at {stood}, begins at {begins}")

    ledger = await open_ledger(os.environ["BENCH_DSN"])
    observer = HeldBack(Observer(ledger, person.terms(), lambda: time.time_ns() // 1_000_000), course)
    taken = Intake(bootstrap, ledger, observer, observed, gap, topics=CHANGE_TOPICS, group=group)  # type: ignore[arg-type]
    telling = asyncio.create_task(_tell(course, lambda: len(taken.assigned)))
    await taken.run(course.stop)
    telling.cancel()
    await ledger.close()


async def _plain(course: Course, bootstrap: str, group: str) -> None:
    consumer = AIOKafkaConsumer(
        *CHANGE_TOPICS,
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=3_000,
        max_partition_fetch_bytes=4 << 20,
    )
    await consumer.start()
    telling = asyncio.create_task(_tell(course, lambda: len(consumer.assignment())))
    await course.go.wait()
    while not course.stop.is_set():
        for records in (await consumer.getmany(timeout_ms=250)).values():
            for record in records:
                decode(record.value)
            course.done(len(records))
    telling.cancel()
    await consumer.stop()


async def _tell(course: Course, assigned: Callable[[], int]) -> None:
    while True:
        told = {"assigned": assigned(), "events": course.events, "dead": course.dead, "last": course.last, "cpu": time.process_time()}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        await asyncio.sleep(_TELL_SECONDS)


async def _obey(course: Course) -> None:
    """The first line starts, the second one (or the end of the input) stops."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.readline()
    course.go.set()
    await reader.readline()
    course.stop.set()


if __name__ == "__main__":
    uvloop.run(main())

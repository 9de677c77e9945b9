"""Observe: events a second from real Kafka into the ledger, beside a plain read of the same topic and beside one transaction an event.

A topic of edits of two fields on random pairs is filled while the processes hold back; then all begin at once. Each run gets events of
its own, since events that were judged before would be superseded for nothing.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from consumers.kinds.registry import CHANGE_TOPICS
from infra.stack.part import program_environment
from infra.stack.stack import Stack
from streams.relay.publisher import Publisher, kafka_producer
from streams.wire.topics import PARTITIONS
from tests.benchmarks import person
from tests.benchmarks.observe_storage import cpu_seconds, fill

_READY_SECONDS, _RUN_SECONDS = 60.0, 600.0
_PUBLISHED_AT_ONCE = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is measured."""

    pairs: int
    events: int
    one_by_one: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run's figures. `cpu_us`: processor time of the observing processes for each event; `database_us`: PostgreSQL's."""

    processes: int
    events: int
    seconds: float
    cpu_us: float
    database_us: float

    @property
    def rate(self) -> float:
        """Events a second."""
        return self.events / self.seconds


@dataclass(slots=True)
class Child:
    """One observing process and what it told last."""

    process: asyncio.subprocess.Process
    told: dict[str, Any] = field(default_factory=dict)
    reading: asyncio.Task[None] | None = None

    async def read(self) -> None:
        """Follow what it tells."""
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.told = json.loads(line)

    def say(self) -> None:
        """The next line: start, then stop."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")


class ObserveBench:
    """Needs Kafka and PostgreSQL of a stack of its own."""

    def __init__(self, stack: Stack, size: Size, say: Callable[[str], None]) -> None:
        self._stack, self._size, self._say = stack, size, say
        self._turn = 0

    async def measure(self) -> dict[str, Any]:
        """The figures of `bench.json`, and those behind them."""
        await self.prepare()
        runs: dict[str, Run] = {}
        for mode, processes, events in (
            ("observe", 1, self._size.events),
            ("observe", 2, self._size.events),
            ("plain", 1, self._size.events),
            ("plain", 2, self._size.events),
            ("one", 2, self._size.one_by_one),
        ):
            run = runs[f"{mode} {processes}"] = await self.run(mode, processes, events)
            self._say(
                f"observe: {mode:8} {processes} process(es) {run.rate:9,.0f} events/s; "
                f"processor time of an event: {run.cpu_us:.0f} us, of PostgreSQL {run.database_us:.0f} us"
            )
        best = max((runs["observe 1"], runs["observe 2"]), key=lambda run: run.rate)
        return {
            "events_per_s": round(best.rate),
            "processes": best.processes,
            "ratio_to_plain_read": round(best.rate / runs[f"plain {best.processes}"].rate, 3),
            "ratio_to_one_by_one": round(best.rate / runs["one 2"].rate, 2),
            "pairs": self._size.pairs,
            "runs": {
                name: {"events_per_s": round(run.rate), "cpu_us": round(run.cpu_us), "database_us": round(run.database_us)}
                for name, run in runs.items()
            },
        }

    async def prepare(self) -> None:
        """The pairs, and what they are put back to before each run."""
        bytes_ = await fill(self._stack.postgres.dsn(), self._size.pairs)
        connection = await asyncpg.connect(self._stack.postgres.dsn())
        await connection.execute("create unlogged table pairs_at_rest as select * from pairs")
        await connection.close()
        self._say(f"observe: {self._size.pairs:,} pairs in the ledger, {bytes_ >> 20} MiB")

    async def run(self, mode: str, processes: int, events: int) -> Run:
        """Fill while they hold back, start, wait until all is through. Every pair is in step when it begins."""
        self._turn += 1
        await self._stand_at_the_end()
        children = [await self._child(mode, f"bench-{self._turn}") for _ in range(processes)]
        try:
            partitions = len(CHANGE_TOPICS) * PARTITIONS
            shares = _shares(partitions, processes)
            await _until(lambda: sorted(child.told.get("assigned", 0) for child in children) == shares, children, _READY_SECONDS)
            before = 0 if mode != "plain" else await self._published()
            await self._publish(events)
            expected = before + events
            database = database_cpu(self._stack)
            cpu = sum(child.told["cpu"] for child in children)
            began = time.monotonic()
            for child in children:
                child.say()
            await _until(lambda: sum(child.told["events"] for child in children) >= expected, children, _RUN_SECONDS)
            assert all(child.told["dead"] == 0 for child in children)
            seconds = max(child.told["last"] for child in children) - began
            used = sum(child.told["cpu"] for child in children) - cpu
            return Run(
                processes=processes,
                events=expected,
                seconds=seconds,
                cpu_us=used / expected * 1e6,
                database_us=(database_cpu(self._stack) - database) / expected * 1e6,
            )
        finally:
            for child in children:
                child.say()
            await asyncio.gather(*(child.process.wait() for child in children))

    async def _child(self, mode: str, group: str) -> Child:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.benchmarks.observing", mode, self._stack.kafka.bootstrap, group,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
            env=program_environment({"BENCH_DSN": self._stack.postgres.dsn()}),
        )  # fmt: skip
        child = Child(process)
        child.reading = asyncio.create_task(child.read())
        return child

    async def _publish(self, events: int) -> None:
        """Edits of random pairs, later ones with later places in the feed."""
        chance = Random(self._turn)
        publisher = Publisher(lambda: kafka_producer(self._stack.kafka.bootstrap, linger_ms=5))
        for begin in range(0, events, _PUBLISHED_AT_ONCE):
            some = range(begin, min(begin + _PUBLISHED_AT_ONCE, events))
            await publisher.publish([person.edit(chance.randrange(self._size.pairs), self._turn * 10_000_000 + place) for place in some])
        await publisher.close()

    async def _stand_at_the_end(self) -> None:
        """The ledger has judged everything that is on the topics."""
        connection = await asyncpg.connect(self._stack.postgres.dsn())
        for (topic, partition), end in (await self._ends()).items():
            await connection.execute(
                "insert into partition_offsets (topic, partition, next_offset) values ($1, $2, $3)"
                " on conflict (topic, partition) do update set next_offset = $3, last_read = null", topic, partition, end)  # fmt: skip
        await connection.execute("truncate pairs, due, decision_blocks")
        await connection.execute("insert into pairs overriding system value select * from pairs_at_rest order by id")
        await connection.execute("vacuum analyze pairs")
        await connection.execute("checkpoint")
        await connection.close()

    async def _published(self) -> int:
        return sum((await self._ends()).values())

    async def _ends(self) -> dict[tuple[str, int], int]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self._stack.kafka.bootstrap)
        await consumer.start()
        places = [TopicPartition(topic, partition) for topic in CHANGE_TOPICS for partition in range(PARTITIONS)]
        ends = await consumer.end_offsets(places)
        await consumer.stop()
        return {(place.topic, place.partition): end for place, end in ends.items()}


def database_cpu(stack: Stack) -> float:
    """Processor time of the database's sessions that are open now."""
    root = _server_pid(stack)
    return sum(cpu_seconds(pid) for pid in [root, *_children(root)])


def _server_pid(stack: Stack) -> int:
    return int(json.loads(stack.postgres.process.pidfile.read_text())["pid"])


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _shares(partitions: int, processes: int) -> list[int]:
    each, more = divmod(partitions, processes)
    return sorted(each + (place < more) for place in range(processes))


async def _until(true: Callable[[], bool], children: Sequence[Child], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            for child in children:
                if child.process.returncode is not None:
                    raise RuntimeError(f"an observing process ended with {child.process.returncode}")
            await asyncio.sleep(0.05)

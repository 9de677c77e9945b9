"""Observe beside Debezium's JDBC sink, in turns, on one broker and one database: as many events of as many people, as many processes.

What is compared. Both have 200,000 people to begin with, all of them at rest, and are told of 240,000 edits of two fields of random ones.
Debezium's sink upserts the two columns of a table of 27 by its key: no judging, no decisions, nothing owed to anyone. Observe judges each
field against the pair, keeps the decision and what is owed, and moves its offset, in one transaction. Each edit is on its side's own topic
beforehand. Debezium's has the record's key and the two values only, and no schema in any message (the converter knows it), which is
the least work that its formats allow; it runs two tasks in one JVM that stays warm between rounds, observe two processes that start cold.
"""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from random import Random
from statistics import median
from typing import Any

import asyncpg
from aiokafka import AIOKafkaProducer

from infra.kafka.admin import ensure_topics
from infra.stack.stack import Stack
from streams.wire.topics import PARTITIONS, TopicSpec
from tests.benchmarks import person
from tests.benchmarks.debezium.sink import Sink
from tests.benchmarks.observe_speed import ObserveBench, Run, Size, database_cpu
from tests.benchmarks.observe_storage import cpu_seconds

_PROCESSES = 2
_RUN_SECONDS, _WATCH_SECONDS = 600.0, 0.05
_PUBLISHED_AT_ONCE = 4_000
_KINDS = {"boolean": "boolean", "number": "double precision", "currency": "double precision"}
_END = "the end of partition "


class Peers:
    """Needs Kafka and PostgreSQL of a stack of its own."""

    def __init__(self, stack: Stack, size: Size, say: Callable[[str], None], *, rounds: int) -> None:
        self._stack, self._size, self._say, self._rounds = stack, size, say, rounds
        self._dsn = stack.postgres.dsn()
        self._sink = Sink(stack.run_dir / "connect", bootstrap=stack.kafka.bootstrap, dsn=self._dsn)
        self._observe = ObserveBench(stack, size, say)

    async def measure(self) -> dict[str, Any]:
        """The figures of `bench.json`: medians of the rounds, and the ratio of each."""
        await self._observe.prepare()
        await self._people()
        ours: list[Run] = []
        theirs: list[Run] = []
        try:
            await asyncio.to_thread(self._sink.start)
            await self._upsert("warm")
            for turn in range(self._rounds):
                theirs.append(await self._told("debezium", await self._upsert(f"round-{turn}")))
                ours.append(await self._told("observe", await self._observe.run("observe", _PROCESSES, self._size.events)))
        finally:
            await asyncio.to_thread(self._sink.stop)
        ratios = [one.rate / other.rate for one, other in zip(ours, theirs, strict=True)]
        return {
            "observe": _figures(ours),
            "debezium": _figures(theirs),
            "ratio": round(median(ratios), 3),
            "ratios": [round(ratio, 2) for ratio in ratios],
            "people": self._size.pairs,
            "events": self._size.events,
            "processes": _PROCESSES,
        }

    async def _told(self, name: str, run: Run) -> Run:
        self._say(
            f"peers: {name:8} {run.processes} process(es) {run.rate:9,.0f} events/s; "
            f"processor time of an event: {run.cpu_us:.0f} us, of PostgreSQL {run.database_us:.0f} us"
        )
        return run

    async def _people(self) -> None:
        """The sink's table, with everyone in it, as roomy as ours."""
        mapped = person.columns()
        connection = await asyncpg.connect(self._dsn)
        columns = ", ".join(f"{name} {_KINDS.get(kind, 'text')}" for name, kind in mapped.items())
        await connection.execute(f"create table people (id text primary key, {columns}) with (fillfactor = 75)")
        names = ("id", *mapped)
        for begin in range(0, self._size.pairs, 20_000):
            rows = [(person.salesforce_id(number), *person.row(number)) for number in range(begin, min(begin + 20_000, self._size.pairs))]
            await connection.copy_records_to_table("people", records=rows, columns=names)
        await connection.execute("create unlogged table people_at_rest as select * from people")
        await connection.close()

    async def _publish(self, topic: str) -> None:
        """The edits, and behind them one row for each partition that says it is through."""
        producer = AIOKafkaProducer(bootstrap_servers=self._stack.kafka.bootstrap, linger_ms=5, acks="all", max_batch_size=131_072)
        await producer.start()
        chance = Random(0)
        for begin in range(0, self._size.events, _PUBLISHED_AT_ONCE):
            turns = range(begin, min(begin + _PUBLISHED_AT_ONCE, self._size.events))
            sent = [await producer.send(topic, _edit(turn), _key(chance.randrange(self._size.pairs))) for turn in turns]
            await asyncio.gather(*sent)
        for partition in range(PARTITIONS):
            await producer.send_and_wait(topic, _edit(0), _message({"id": _end(partition)}), partition=partition)
        await producer.stop()

    async def _upsert(self, name: str) -> Run:
        """One round of the sink: ready, then given the edits, then begun and waited for."""
        topic = f"bench.people.{name}"
        await ensure_topics(self._stack.kafka.bootstrap, [TopicSpec(name=topic)])
        await asyncio.to_thread(self._sink.hold, name, topic, tasks=_PROCESSES)
        await self._publish(topic)
        await self._at_rest()
        connection = await asyncpg.connect(self._dsn)
        database, cpu, began = database_cpu(self._stack), cpu_seconds(self._sink.pid), time.monotonic()
        await asyncio.to_thread(self._sink.go, name)
        await self._through(connection, name)
        seconds, events = time.monotonic() - began, self._size.events
        run = Run(
            processes=_PROCESSES,
            events=events,
            seconds=seconds,
            cpu_us=(cpu_seconds(self._sink.pid) - cpu) / events * 1e6,
            database_us=(database_cpu(self._stack) - database) / events * 1e6,
        )
        await asyncio.to_thread(self._sink.drop, name)
        titles = await connection.fetchval("select count(*) from people where title like 'Head of Procurement %'")
        await connection.close()
        if titles < self._size.pairs // 2:
            raise RuntimeError(f"Debezium's sink is through, and only {titles} people have new titles")
        return run

    async def _through(self, connection: Any, name: str) -> None:
        """Returns when the last row of every partition is in the table."""
        ends = [_end(partition) for partition in range(PARTITIONS)]
        async with asyncio.timeout(_RUN_SECONDS):
            while await connection.fetchval("select count(*) from people where id = any($1::text[])", ends) < PARTITIONS:
                await asyncio.sleep(_WATCH_SECONDS)
                await asyncio.to_thread(self._sink.check, name)

    async def _at_rest(self) -> None:
        connection = await asyncpg.connect(self._dsn)
        await connection.execute("truncate people")
        await connection.execute("insert into people select * from people_at_rest order by id")
        await connection.execute("vacuum analyze people")
        await connection.execute("checkpoint")
        await connection.close()


def _end(partition: int) -> str:
    return f"{_END}{partition}"


def _key(number: int) -> bytes:
    return _message({"id": person.salesforce_id(number)})


def _edit(turn: int) -> bytes:
    told = person.edited(turn)
    return _message({"title": told["Title"], "phone": told["Phone"]})


def _message(payload: dict[str, Any]) -> bytes:
    return json.dumps(payload).encode()


def _figures(runs: Sequence[Run]) -> dict[str, Any]:
    return {
        "events_per_s": round(median(run.rate for run in runs)),
        "cpu_us": round(median(run.cpu_us for run in runs)),
        "database_us": round(median(run.database_us for run in runs)),
        "rounds": [round(run.rate) for run in runs],
    }

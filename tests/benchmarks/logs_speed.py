"""How quickly the logs are used again: `python -m tests.benchmarks.logs_speed [EVENTS]`. Kafka and PostgreSQL of its own; ten edits a lead.

Prints events a second of reading the log (decisions with their events), of a plan (two shadows), of building the ledger again, and of a
replay into a file.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg

from consumers.kinds.registry import STANDARD
from consumers.ledger.postgres.ledger import open_ledger
from consumers.mapping.fields import RuleName, SyncRules
from consumers.merge.pair.decision import Decision, Origin, Ruling, Verdict
from consumers.merge.pair.decision import encode as encode_decision
from consumers.merge.terms import Terms
from consumers.replay.again import again
from consumers.replay.cursor import Cursor
from consumers.replay.log import Log
from consumers.replay.outputs import to_file
from consumers.replay.planning import Trial
from consumers.replay.rebuild import rebuild
from consumers.replay.selection import Span
from consumers.subscriptions.topics import topic_named
from infra.kafka.admin import ensure_topics
from infra.kafka.broker import Broker
from infra.postgres.migrate import migrate
from infra.postgres.server import Server
from streams.ground.access import KafkaAccess
from streams.relay.publisher import kafka_producer
from streams.wire.codec import encode
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import LEAD, SALESFORCE, salesforce_id
from streams.wire.topics import DECISIONS, all_topics, change_topic
from tests.benchmarks import person

EVENTS, EDITS = 100_000, 10
BEGUN = 1_760_000_000_000
TOPIC = change_topic(SALESFORCE, LEAD)
PARTITIONS = 6


async def main(events: int) -> None:
    """Fills the topics, then measures each."""
    with tempfile.TemporaryDirectory() as home:
        broker, server = Broker(Path(home) / "kafka"), Server(Path(home) / "postgres")
        try:
            broker.start()
            server.start()
            await migrate(server.dsn())
            kafka = KafkaAccess(bootstrap=broker.bootstrap)
            await ensure_topics(broker.bootstrap, all_topics(STANDARD.objects))
            await _fill(kafka, events)
            await _measure(kafka, server.dsn(), events, Path(home))
        finally:
            broker.remove()
            server.remove()


async def _fill(kafka: KafkaAccess, events: int) -> None:
    producer = kafka_producer(kafka, linger_ms=20)
    await producer.start()
    offsets = [0] * PARTITIONS
    try:
        for number in range(events):
            lead, edit = number % (events // EDITS), number // (events // EDITS)
            partition = lead % PARTITIONS
            event, decision = _told(lead, edit, number, partition, offsets[partition])
            offsets[partition] += 1
            await _send(producer, TOPIC, event.id, encode(event), partition)
            await _send(producer, DECISIONS, str(decision.pair), encode_decision(decision), decision.pair % PARTITIONS)
    finally:
        await producer.stop()


async def _send(producer: Any, topic: str, key: str, value: bytes, partition: int) -> None:
    await producer.send(topic, value=value, key=key.encode(), headers=[], partition=partition)


def _told(lead: int, edit: int, number: int, partition: int, offset: int) -> tuple[ChangeEvent, Decision]:
    record, title = salesforce_id(f"00Q{lead:012d}"), f"title {edit}"
    event = ChangeEvent(
        system=SALESFORCE, object=LEAD, id=record, kind=Happened.UPDATED if edit else Happened.CREATED, source="cdc", at=BEGUN + number,
        seq=number + 1, author="005000000000009AAA", fields={"Title": title, "City": title},
    )  # fmt: skip
    rulings = tuple(Ruling(each, Verdict.ACCEPTED, title, title, edit + 1) for each in ("title", "city"))
    origin = Origin(TOPIC, partition, offset, event.source, event.kind, event.at, event.author)
    return event, Decision("judged", BEGUN + number, lead + 1, SALESFORCE, record, origin, rulings)


async def _measure(kafka: KafkaAccess, dsn: str, events: int, home: Path) -> None:
    terms = person.terms()
    await _timed("read", events, _read(kafka))
    await _timed("plan", events, _plan(kafka, terms))
    await _timed("rebuild", events, _rebuild(kafka, dsn, terms))
    await _timed("replay", events, _replay(kafka, home / "replayed"))


async def _timed(name: str, events: int, work: Awaitable[None]) -> None:
    began, processor = time.perf_counter(), time.process_time()
    await work
    took, used = time.perf_counter() - began, time.process_time() - processor
    print(f"{name:8} {events / took:9,.0f} events a second, {1e6 * used / events:5.0f} us of processor time an event")


async def _read(kafka: KafkaAccess) -> None:
    async for _ in Log(kafka, STANDARD).entries():
        pass


async def _plan(kafka: KafkaAccess, terms: Terms) -> None:
    trial = Trial(terms, replace(terms, rules=_otherwise(terms.rules)), since_ms=0)
    async for some in Log(kafka, STANDARD).entries():
        for each in some:
            trial.take(each)
    trial.planned()


def _otherwise(rules: SyncRules) -> SyncRules:
    mapping = rules.objects[LEAD]
    fields = tuple(replace(each, rule=replace(each.rule, name=RuleName.NEWEST)) for each in mapping.fields)
    return replace(rules, objects={**rules.objects, LEAD: replace(mapping, fields=fields)})


async def _rebuild(kafka: KafkaAccess, dsn: str, terms: Terms) -> None:
    connection, ledger = await asyncpg.connect(dsn), await open_ledger(dsn)
    try:
        await rebuild(Log(kafka, STANDARD), ledger, connection, terms, said=lambda _: None, now_ms=BEGUN)
    finally:
        await ledger.close()
        await connection.close()


async def _replay(kafka: KafkaAccess, path: Path) -> None:
    topic, span = topic_named("salesforce.lead", STANDARD), Span(until_ms=2**62)
    async with to_file(path, lambda message: message, size=0) as file:
        await again(kafka, topic, span, file, Cursor(asked=""), path=None, rate=None, said=lambda _: None)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS))

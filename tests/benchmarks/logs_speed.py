"""How quickly the logs are used again (part `logs`): read, planned on, built again, replayed, explained, and followed by fifty at once.

Ten edits a lead, one decision an edit. Beside each figure stands what a plain consumer does in the same minutes on the same broker: rates
on a shared machine mean little, ratios do. `python -m tests.benchmarks --only logs`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
from aiokafka import AIOKafkaConsumer

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
from consumers.reports.records.story import decisions_about, story
from consumers.subscriptions import reading
from consumers.subscriptions.following import stretches
from consumers.subscriptions.topics import topic_named
from infra.kafka.admin import ensure_topics
from infra.stack.stack import Stack
from streams.ground.access import KafkaAccess
from streams.relay.publisher import kafka_producer
from streams.wire.codec import encode
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import LEAD, SALESFORCE, salesforce_id
from streams.wire.topics import DECISIONS, all_topics, change_topic
from tests.benchmarks import person

EDITS, CLIENTS, EXPLAINED = 10, 50, 200
DECISIONS_TOGETHER = 1_000
BEGUN = 1_760_000_000_000
TOPIC = change_topic(SALESFORCE, LEAD)
PARTITIONS = 6


class LogsBench:
    """One measurement, on Kafka and PostgreSQL of its own."""

    def __init__(self, stack: Stack, events: int, home: Path, say: Callable[[str], None]) -> None:
        self._stack, self._events, self._home, self._say = stack, events, home, say
        self._found: dict[str, Any] = {"events": events}

    async def measure(self) -> dict[str, Any]:
        """Events a second of each, the share of a plain read's rate, and milliseconds of an explanation."""
        kafka, dsn = KafkaAccess(bootstrap=self._stack.kafka.bootstrap), self._stack.postgres.dsn()
        await ensure_topics(kafka.bootstrap, all_topics(STANDARD.objects))
        await _fill(kafka, self._events)
        terms = person.terms()
        await self._rate("plain read", plain_read(kafka))
        await self._rate("read", _read(kafka))
        await self._rate("plan", _plan(kafka, terms))
        await self._rate("rebuild", _rebuild(kafka, dsn, terms))
        await self._rate("replay", _replay(kafka, self._home / "replayed"))
        await self._rate("plain read again", plain_read(kafka))
        self._ratios()
        self._found["fan_out"] = await fan_out(kafka, self._events, self._say)
        self._found["explain_ms"] = await explained(dsn, self._events, self._say)
        return self._found

    async def _rate(self, name: str, work: Awaitable[None]) -> None:
        began, processor = time.perf_counter(), time.process_time()
        await work
        took, used = time.perf_counter() - began, time.process_time() - processor
        rate, cost = round(self._events / took), round(1e6 * used / self._events, 1)
        self._found[name] = {"events_per_s": rate, "processor_us_per_event": cost}
        self._say(f"logs: {name}: {rate:,} events/s, {cost:g} us of processor time an event")

    def _ratios(self) -> None:
        plain = max(self._found[name]["events_per_s"] for name in ("plain read", "plain read again"))
        for name in ("read", "plan", "rebuild", "replay"):
            self._found[name]["ratio_to_plain_read"] = round(self._found[name]["events_per_s"] / plain, 3)


def rows(told: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """For the table."""
    for name in ("read", "plan", "rebuild", "replay") if told else ():
        each = told[name]
        yield (
            f"logs: {name} {told['events']:,} events",
            f"{each['events_per_s']:,}/s, {each['ratio_to_plain_read']:.2f} of a plain read",
            "",
        )
    if told:
        fan, explain = told["fan_out"], told["explain_ms"]
        yield f"logs: one topic to {fan['clients']} clients", f"{fan['messages_per_s']:,} messages/s, {fan['ratio_to_one']:.1f} of one", ""
        yield f"logs: explain at {explain['decisions']:,} decisions", f"p50 {explain['p50']} ms, p95 {explain['p95']} ms", "p95 < 50"


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


async def plain_read(kafka: KafkaAccess) -> None:
    """Decisions taken off the broker by a consumer that does nothing with them: the baseline."""
    consumer = AIOKafkaConsumer(DECISIONS, auto_offset_reset="earliest", enable_auto_commit=False, **kafka.options())
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            await consumer.getmany(timeout_ms=200)
    finally:
        await consumer.stop()


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


async def fan_out(kafka: KafkaAccess, events: int, say: Callable[[str], None]) -> dict[str, Any]:
    """The changes to one subscriber, then to fifty at once, each with a cursor of its own."""
    share = events // CLIENTS
    one = await _followed(kafka, 1, share)
    many = await _followed(kafka, CLIENTS, share)
    told = {"clients": CLIENTS, "messages": share, "one_per_s": one, "messages_per_s": many, "ratio_to_one": round(many / one, 2)}
    say(f"logs: fan-out: {told}")
    return told


async def _followed(kafka: KafkaAccess, clients: int, share: int) -> int:
    """Messages a second, of all of them together."""
    topic = topic_named("salesforce.lead", STANDARD)

    async def follow() -> None:
        left = share
        async with aclosing(stretches(kafka, topic, {})) as read:
            async for stretch in read:
                left -= sum(1 for record in stretch.records if reading.told(topic, record).data)
                if left <= 0:
                    return

    began = time.perf_counter()
    await asyncio.gather(*(follow() for _ in range(clients)))
    return round(clients * share / (time.perf_counter() - began))


async def explained(dsn: str, events: int, say: Callable[[str], None]) -> dict[str, Any]:
    """As many decisions in a ledger, and how long the story of a field takes to be read and told."""
    ledger, connection = await open_ledger(dsn), await asyncpg.connect(dsn)
    try:
        for begin in range(0, events, DECISIONS_TOGETHER):
            some = [
                _told(each % (events // EDITS), each // (events // EDITS), each, 0, each)[1]
                for each in range(begin, begin + DECISIONS_TOGETHER)
            ]
            async with ledger.transaction(durable=False) as tx:
                await tx.record(some)
        await connection.execute("analyze")
        took = []
        for number in range(EXPLAINED):
            pair, began = 1 + number * 7919 % (events // EDITS), time.perf_counter()
            found = await decisions_about(connection, pair, "title", most=50, until_ms=None)
            assert story(found, "title", most=50, people={})
            took.append(1000 * (time.perf_counter() - began))
    finally:
        await connection.close()
        await ledger.close()
    took.sort()
    told = {"decisions": events, "p50": round(took[len(took) // 2], 1), "p95": round(took[len(took) * 95 // 100], 1), "n": len(took)}
    say(f"logs: explain: {told}")
    return told

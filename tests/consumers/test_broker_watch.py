"""Whether Kafka answers is known idle or not, and whoever leaves a group waits for nobody."""

import asyncio
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener

from consumers.fitting.grounds import look_at_kafka
from consumers.kinds.registry import CHANGE_TOPICS, OBJECTS
from consumers.ledger.memory import MemoryLedger
from consumers.observe.intake import Intake
from consumers.observe.leaving import leave
from consumers.troubles.beat import BEAT_SECONDS
from consumers.troubles.board import STALE_MS
from consumers.worker.telemetry.broker_watch import LOOK_SECONDS, SILENT_SECONDS, BrokerWatch
from infra.kafka.admin import ensure_topics
from infra.kafka.broker import Broker
from streams.ground.access import KafkaAccess
from streams.wire.errors import Retry
from streams.wire.topics import all_topics

pytestmark = pytest.mark.integration
DEADLINE_SECONDS = 90
SESSION_SECONDS = 30


def test_an_outage_shows_within_fifteen_seconds_whatever_a_look_takes() -> None:
    assert SILENT_SECONDS + LOOK_SECONDS <= 15
    assert STALE_MS / 1000 + BEAT_SECONDS <= 15


def test_silence_is_told_by_the_clock_alone() -> None:
    now = 100.0
    watch = BrokerWatch(KafkaAccess(bootstrap="somewhere:9092"), monotonic=lambda: now)
    assert watch.trouble() is None, "what was never open is told by those who wait for it"
    watch._answered([spec.name for spec in all_topics(OBJECTS)])
    now += SILENT_SECONDS
    assert watch.trouble() is None
    now += 0.1
    assert watch.trouble() == "Kafka at somewhere:9092 does not answer"
    watch._silent("no route to host")
    assert watch.trouble() == "Kafka at somewhere:9092 does not answer (no route to host)"
    watch._answered(list(CHANGE_TOPICS))
    lacking = "crm.anchors.v1, crm.conflicts.v1, crm.dead-letters.v1 and 1 more"
    assert watch.trouble() == f"Kafka at somewhere:9092 lacks the topics {lacking}. Run tandem-topics"
    watch._answered([spec.name for spec in all_topics(OBJECTS)])
    assert watch.trouble() is None


async def keep_going(intake: Intake, stop: asyncio.Event) -> None:
    """As the worker does."""
    while not stop.is_set():
        with suppress(Retry):
            await intake.run(stop)
        await asyncio.sleep(0.1)


async def until(right: Any) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not right():
            await asyncio.sleep(0.05)


async def test_an_idle_worker_knows_that_its_broker_is_away_and_back(tmp_path: Path) -> None:
    broker = Broker(tmp_path / "kafka", heap_mib=256)
    stop = asyncio.Event()
    try:
        await asyncio.to_thread(broker.start)
        await ensure_topics(broker.bootstrap, all_topics(OBJECTS))
        await look_at_kafka(broker.bootstrap)
        watch = BrokerWatch(KafkaAccess(bootstrap=broker.bootstrap))
        ledger, nobody = MemoryLedger(), SimpleNamespace()
        intake = Intake(broker.bootstrap, ledger, nobody, nobody, nobody, topics=CHANGE_TOPICS, group="idle")  # type: ignore[arg-type]
        await watch.opened()
        async with asyncio.TaskGroup() as group:
            group.create_task(watch.run(stop))
            group.create_task(keep_going(intake, stop))
            await until(lambda: len(intake.assigned) == 6 * len(CHANGE_TOPICS))
            assert (watch.trouble(), intake.trouble()) == (None, None)
            await asyncio.to_thread(broker.kill)
            await until(lambda: watch.trouble() is not None and intake.trouble() is not None)
            await asyncio.to_thread(broker.start)
            await until(lambda: watch.trouble() is None and intake.trouble() is None)
            stop.set()
    finally:
        stop.set()
        await asyncio.to_thread(broker.remove)


class Stubborn(ConsumerRebalanceListener):
    """A member that does not give its partitions back, so that no rebalance ends."""

    def __init__(self) -> None:
        self.asked, self.released = asyncio.Event(), asyncio.Event()

    async def on_partitions_revoked(self, revoked: Any) -> None:
        if revoked:
            self.asked.set()
            await self.released.wait()

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """Nothing to do."""


def member(kafka: str, listener: ConsumerRebalanceListener | None = None) -> AIOKafkaConsumer:
    made = AIOKafkaConsumer(
        bootstrap_servers=kafka, group_id="slow to share", session_timeout_ms=SESSION_SECONDS * 1000, heartbeat_interval_ms=200
    )
    made.subscribe(list(CHANGE_TOPICS), listener=listener)
    return made


async def test_leaving_in_the_middle_of_a_rebalance_waits_for_nobody(kafka: str) -> None:
    """The member that leaves has not handed over yet: its own part of the rebalance does not end, and the others get all the same."""
    await ensure_topics(kafka, all_topics(OBJECTS))
    stubborn = Stubborn()
    first, second = member(kafka, stubborn), member(kafka)
    await first.start()
    try:
        await until(lambda: len(first.assignment()) > 0)
        await second.start()
        async with asyncio.timeout(DEADLINE_SECONDS):
            await stubborn.asked.wait()
        async with asyncio.timeout(8):
            await leave(first)
        assert not stubborn.released.is_set()
        async with asyncio.timeout(SESSION_SECONDS - 5):
            while len(second.assignment()) != 6 * len(CHANGE_TOPICS):
                await asyncio.sleep(0.05)
    finally:
        stubborn.released.set()
        await leave(second)

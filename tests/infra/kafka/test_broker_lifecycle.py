"""The broker as a process: what is written into its configuration, and that clients find it again after a restart and after `kill -9`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from consumers.kinds.registry import OBJECTS
from infra.kafka.admin import AdminError, ensure_topics
from infra.kafka.broker import Broker, _cluster_id
from infra.kafka.wire import coordinator_ready
from infra.ports import LOOPBACK, free_port
from infra.process import StartError
from infra.setup import found
from streams.wire.errors import Retry
from streams.wire.topics import TopicSpec, all_topics


@asynccontextmanager
async def _producer(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def _read_all(bootstrap: str, topic: str) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        values: list[bytes] = []
        while await consumer.position(partition) < end:
            values.append((await consumer.getone(partition)).value)
        return values
    finally:
        await consumer.stop()


@pytest.mark.integration
async def test_what_was_acknowledged_is_there_after_a_restart_and_after_kill(kafka: str, kafka_broker: Broker) -> None:
    spec = TopicSpec(name="lifecycle.v1", partitions=1)
    await ensure_topics(kafka, [spec])
    async with _producer(kafka) as producer:
        await producer.send_and_wait(spec.name, b"before the restart")
        kafka_broker.restart()
        await producer.send_and_wait(spec.name, b"before the kill")
        kafka_broker.kill()
        assert not kafka_broker.ready()
        kafka_broker.start()
        await producer.send_and_wait(spec.name, b"after")
    assert kafka_broker.bootstrap == kafka
    assert await _read_all(kafka, spec.name) == [b"before the restart", b"before the kill", b"after"]


@pytest.mark.integration
async def test_all_topics_are_made_once_and_a_second_time_changes_nothing(kafka: str) -> None:
    first = await ensure_topics(kafka, all_topics(OBJECTS))
    again = await ensure_topics(kafka, all_topics(OBJECTS))
    assert set(first.created) <= {spec.name for spec in all_topics(OBJECTS)}
    assert again.created == ()
    assert again.drift == ()


@pytest.mark.integration
async def test_drift_is_said_and_left(kafka: str) -> None:
    await ensure_topics(kafka, [TopicSpec(name="drift.v1", partitions=2, configs={"retention.ms": "60000"})])
    changed = [TopicSpec(name="drift.v1", partitions=3, configs={"retention.ms": "120000"})]
    report = await ensure_topics(kafka, changed)
    assert [str(drift) for drift in report.drift] == [
        "topic drift.v1: the number of partitions is 2, the code says 3",
        "topic drift.v1: retention.ms is 60000, the code says 120000",
    ]
    assert (await ensure_topics(kafka, changed)).drift == report.drift


@pytest.mark.integration
@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (TopicSpec(name="not a name"), "not a name: Topic name is invalid"),
        (TopicSpec(name="wrong.v1", configs={"cleanup.policy": "sometimes"}), "wrong.v1: .*cleanup.policy"),
        (TopicSpec(name="copies.v1", replication=3), "copies.v1: .*replication"),
    ],
)
async def test_a_topic_that_kafka_refuses_is_named_with_its_reason(kafka: str, spec: TopicSpec, words: str) -> None:
    with pytest.raises(AdminError, match=words):
        await ensure_topics(kafka, [spec])


@pytest.mark.integration
async def test_no_topic_comes_into_being_by_being_written_to(kafka: str, kafka_broker: Broker) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka)
    await consumer.start()
    try:
        consumer.assign([TopicPartition("never.made", 0)])
        assert "never.made" not in await consumer.topics()
    finally:
        await consumer.stop()
    assert "auto.create.topics.enable=false" in (kafka_broker.home / "server.properties").read_text()


@pytest.mark.integration
def test_it_listens_on_loopback_alone(kafka_broker: Broker) -> None:
    listeners = next(
        line for line in (kafka_broker.home / "server.properties").read_text().splitlines() if line.startswith("listeners=")
    ).removeprefix("listeners=")
    assert [listener.split("://")[1].split(":")[0] for listener in listeners.split(",")] == [LOOPBACK, LOOPBACK]


async def test_an_absent_broker_is_told_in_one_sentence() -> None:
    address = f"{LOOPBACK}:{free_port()}"
    with pytest.raises((Retry, AdminError), match=f"at {address}"):
        await ensure_topics(address, [], timeout_seconds=5)


def test_nobody_there_is_not_ready() -> None:
    assert not coordinator_ready(LOOPBACK, free_port())


def test_the_address_of_a_broker_that_never_ran_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="has not been started here yet"):
        _ = Broker(tmp_path).bootstrap


def test_without_java_a_sentence_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found, "java", lambda: None)
    with pytest.raises(StartError, match="make setup"):
        Broker(tmp_path).start()


def test_a_cluster_id_never_looks_like_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [b"\xfb" * 16, b"\xf8" + bytes(15), bytes(16)]
    monkeypatch.setattr("infra.kafka.broker.secrets.token_bytes", lambda _length: drawn.pop(0))
    assert _cluster_id() == "A" * 22
    assert not drawn


def test_the_pom_names_exact_versions_and_no_place_to_fetch_from() -> None:
    pom = ET.fromstring(found.POM.read_text())  # noqa: S314 - our own file
    versions = {d.findtext("artifactId"): d.findtext("version") for d in pom.iter("dependency")}
    assert versions["kafka_2.13"] == "4.4.0"
    assert all(version and version[0].isdigit() for version in versions.values())
    assert pom.find("repositories") is None

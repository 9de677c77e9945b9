"""The admin step: makes the topics that are missing and says where the others differ from the code. Also `tandem-topics`."""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from streams.topics import TopicSpec, all_topics

POLL_SECONDS = 0.05


class AdminError(Exception):
    """Kafka refused, or could not be reached in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One way in which a topic differs from its definition. Nothing is changed: more partitions would break the order per record."""

    topic: str
    what: str
    wanted: str
    found: str

    def __str__(self) -> str:
        return f"topic {self.topic}: {self.what} is {self.found}, the code says {self.wanted}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the admin step did and saw."""

    created: tuple[str, ...]
    drift: tuple[Drift, ...]


async def ensure_topics(bootstrap: str, specs: Sequence[TopicSpec], *, timeout_seconds: float = 30.0) -> Report:
    """Creates what is missing, returns when every partition has a leader, and reports drift. May be repeated. Raises AdminError."""
    try:
        async with asyncio.timeout(timeout_seconds), _client(bootstrap) as client:
            there = set(await client.list_topics())
            created = await _create(client, [spec for spec in specs if spec.name not in there])
            await _leaders(client, specs)
            return Report(created=created, drift=(*await _partition_drift(client, specs), *await _config_drift(client, specs)))
    except (KafkaError, OSError, TimeoutError) as error:
        raise AdminError(f"topics could not be made at {bootstrap}: {error or type(error).__name__}") from error


@asynccontextmanager
async def _client(bootstrap: str) -> AsyncIterator[Any]:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, client_id="tandem-admin")
    try:
        await client.start()
        yield client
    finally:
        await client.close()


async def _create(client: Any, specs: Sequence[TopicSpec]) -> tuple[str, ...]:
    if not specs:
        return ()
    topics = [
        NewTopic(name=spec.name, num_partitions=spec.partitions, replication_factor=spec.replication, topic_configs=dict(spec.configs))
        for spec in specs
    ]
    response = await client.create_topics(topics)
    created = []
    for name, code, *rest in response.topic_errors:
        if code == TopicAlreadyExistsError.errno:
            continue  # somebody else's admin step was quicker
        if code:
            raise AdminError(f"topic {name}: {(rest[0] if rest else '') or for_code(code).__name__}")
        created.append(name)
    return tuple(sorted(created))


async def _leaders(client: Any, specs: Sequence[TopicSpec]) -> None:
    while True:
        seen = {row["topic"]: row for row in await client.describe_topics([spec.name for spec in specs])}
        if all(_led(seen.get(spec.name)) for spec in specs):
            return
        await asyncio.sleep(POLL_SECONDS)


def _led(row: Mapping[str, Any] | None) -> bool:
    return bool(row and not row["error_code"] and row["partitions"] and all(part["leader"] >= 0 for part in row["partitions"]))


async def _partition_drift(client: Any, specs: Sequence[TopicSpec]) -> list[Drift]:
    counts = {row["topic"]: len(row["partitions"]) for row in await client.describe_topics([spec.name for spec in specs])}
    return [
        Drift(topic=spec.name, what="the number of partitions", wanted=str(spec.partitions), found=str(counts[spec.name]))
        for spec in specs
        if counts[spec.name] != spec.partitions
    ]


async def _config_drift(client: Any, specs: Sequence[TopicSpec]) -> list[Drift]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, spec.name) for spec in specs]
    found: dict[str, dict[str, str]] = {}
    for response in await client.describe_configs(resources):
        for _code, _message, _kind, name, entries in response.resources:
            found[name] = {entry[0]: entry[1] for entry in entries}
    return [drift for spec in specs for drift in _differences(spec, found.get(spec.name, {}))]


def _differences(spec: TopicSpec, found: Mapping[str, str]) -> Iterator[Drift]:
    for key, wanted in spec.configs.items():
        if found.get(key) != wanted:
            yield Drift(topic=spec.name, what=key, wanted=wanted, found=str(found.get(key)))


def main() -> None:
    """`tandem-topics`: makes Tandem's topics at TANDEM_KAFKA_BOOTSTRAP. Exit code 1 when Kafka refuses, 2 without an address."""
    parser = argparse.ArgumentParser(prog="tandem-topics", description="Makes Tandem's topics and says where existing ones differ.")
    parser.add_argument("--replication", type=int, default=1, help="copies of each partition (default 1)")
    parser.add_argument("--timeout-seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    bootstrap = os.environ.get("TANDEM_KAFKA_BOOTSTRAP")
    if not bootstrap:
        parser.error("set TANDEM_KAFKA_BOOTSTRAP to the broker's host:port")
    begun = time.monotonic()
    try:
        specs = all_topics(replication=arguments.replication)
        report = asyncio.run(ensure_topics(bootstrap, specs, timeout_seconds=arguments.timeout_seconds))
    except AdminError as error:
        sys.exit(f"tandem-topics: {error}")
    for drift in report.drift:
        sys.stderr.write(f"tandem-topics: {drift}\n")
    sys.stdout.write(f"tandem-topics: {len(report.created)} made, {len(report.drift)} differences, {time.monotonic() - begun:.1f} s\n")

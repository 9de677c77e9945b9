"""The admin step: makes the topics that are missing and says where the others differ from the code. Also `tandem-topics`."""

import asyncio
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from consumers.configuration.access import access_to
from consumers.configuration.alone import custom_objects_in, kafka_in
from consumers.configuration.groups.custom import registry_with
from consumers.configuration.reading.places import ConfigurationError
from infra import step
from streams.ground.access import KafkaAccess, access_of
from streams.ground.kafka import admin
from streams.wire.errors import SyncError
from streams.wire.topics import TopicSpec, all_topics

POLL_SECONDS = 0.05
PROG, ADDRESS = "tandem-topics", "TANDEM_KAFKA_BOOTSTRAP"


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


async def ensure_topics(kafka: KafkaAccess | str, specs: Sequence[TopicSpec], *, timeout_seconds: float = 30.0) -> Report:
    """Creates what is missing, returns when every partition has a leader, and reports drift. May be repeated.

    Raises AdminError where Kafka refuses to make them; `Retry` where no broker answers, `Fatal` where none lets us in.
    """
    try:
        async with asyncio.timeout(timeout_seconds), admin(kafka) as client:
            there = set(await client.list_topics())
            created = await _create(client, [spec for spec in specs if spec.name not in there])
            await _leaders(client, specs)
            return Report(created=created, drift=(*await _partition_drift(client, specs), *await _config_drift(client, specs)))
    except (KafkaError, OSError, TimeoutError) as error:
        raise AdminError(f"topics could not be made at {access_of(kafka).bootstrap}: {error or type(error).__name__}") from error


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
    """`tandem-topics`: makes Tandem's topics. Exit code 1 when Kafka refuses, 2 without an address or a way in, 3 when it is away."""
    parser = step.parser(PROG, "Makes Tandem's topics and says where existing ones differ.", ADDRESS)
    parser.add_argument("--replication", type=int, default=1, help="copies of each partition (default 1)")
    parser.add_argument("--timeout-seconds", type=float, default=60.0)
    arguments, environ = parser.parse_args(), step.environment()
    begun = time.monotonic()
    try:
        told = step.settings_of(
            arguments.config,
            environ,
            ADDRESS,
            lambda path: (access_to(kafka_in(path, environ)), custom_objects_in(path, environ)),
            lambda text: (KafkaAccess(bootstrap=text), {}),
        )
        if told is None:
            parser.error(f"there is no tandem.yaml here; name the configuration with --config, or set {ADDRESS} to the broker's host:port")
        access, custom = told
        known = registry_with(custom)
        specs = all_topics(known.objects, replication=arguments.replication, kinds=known.by_name)
        report = asyncio.run(ensure_topics(access, specs, timeout_seconds=arguments.timeout_seconds))
    except (AdminError, SyncError, ConfigurationError, OSError) as error:
        step.end(PROG, error)
    for drift in report.drift:
        sys.stderr.write(f"{PROG}: {drift}\n")
    sys.stdout.write(f"{PROG}: {len(report.created)} made, {len(report.drift)} differences, {time.monotonic() - begun:.1f} s\n")

"""The topics as code: names, partitions, retention. Applied by the admin step; Kafka's auto-creation is off."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from streams.wire.systems import Object, System

DECISIONS = "crm.decisions.v1"
CONFLICTS = "crm.conflicts.v1"
DEAD_LETTERS = "crm.dead-letters.v1"
ANCHORS = "crm.anchors.v1"
"""Where the chain of decisions ends, now and then."""
PARTITIONS = 6
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicSpec:
    """One topic as it should be. `configs` are Kafka's topic settings, values as text."""

    name: str
    partitions: int = PARTITIONS
    replication: int = 1
    configs: dict[str, str] = field(default_factory=dict)


def change_topic(system: System, obj: Object) -> str:
    """The topic that carries the changes of one kind of record: `crm.salesforce.lead.v1`."""
    return f"crm.{system}.{obj}.v1"


def change_topics(objects: Iterable[tuple[System, Object]]) -> tuple[str, ...]:
    """The topics that carry the changes of these, each once, in their order."""
    return tuple(dict.fromkeys(change_topic(system, obj) for system, obj in objects))


def state_topic(kind: str) -> str:
    """The topic that carries what is agreed of each record of a kind: `crm.state.person.v1`."""
    return f"crm.state.{kind}.v1"


def all_topics(objects: Iterable[tuple[System, Object]], replication: int = 1, *, kinds: Iterable[str] = ()) -> list[TopicSpec]:
    """Every topic Tandem needs to keep these in step. `kinds`: those that have a table of what is agreed.

    Change topics keep 14 days (longer than Salesforce's 3), decisions and conflicts 30, dead letters 90; of anchors the last of each day
    stays, of states the last of each record.
    """
    changes = [_kept(name, days=14, replication=replication) for name in change_topics(objects)]
    ours = [_kept(name, days=days, replication=replication) for name, days in ((DECISIONS, 30), (CONFLICTS, 30), (DEAD_LETTERS, 90))]
    states = [_latest(state_topic(kind), replication=replication) for kind in kinds]
    return [*changes, *ours, *states, _latest(ANCHORS, partitions=1, replication=replication)]


def _latest(name: str, *, partitions: int = PARTITIONS, replication: int) -> TopicSpec:
    """Of each key the last message is kept, for ever, until a tombstone takes it."""
    configs = {"cleanup.policy": "compact", "compression.type": "producer"}
    return TopicSpec(name=name, partitions=partitions, replication=replication, configs=configs)


def _kept(name: str, *, days: int, replication: int) -> TopicSpec:
    configs = {"retention.ms": str(days * _DAY_MS), "cleanup.policy": "delete", "compression.type": "producer"}
    return TopicSpec(name=name, replication=replication, configs=configs)

"""Topics, who is told of them, and what feeds them."""

from collections.abc import Sequence
from typing import Any

from consumers.answers.logs.delivering import deliveries_of
from consumers.configuration.mapping.registered import registry_of
from consumers.console.ground import Ground
from consumers.console.tables.table import Column, Shape, Table
from consumers.subscriptions.topics import topics
from streams.wire.errors import Retry, Unprepared


async def _deliveries(ground: Ground, most: int) -> Sequence[Any]:
    try:
        return (await deliveries_of(ground.settings))[:most]
    except (Retry, Unprepared):  # without Kafka nobody knows how far each is behind; how they stand the ledger knows
        return (await deliveries_of(ground.settings, counted=False))[:most]


async def _topics(ground: Ground, _most: int) -> Sequence[Any]:
    partitions = (await ground.status()).partitions
    return [(topic, [each for each in partitions if each.topic == topic.name]) for topic in topics(registry_of(ground.settings))]


async def _sources(ground: Ground, _most: int) -> Sequence[Any]:
    status = await ground.status()
    return [(each, status.at_ms) for each in status.sources]


def _behind(row: Any) -> Any:
    told = [each.behind for each in row[1] if each.behind is not None]
    return sum(told) if told else None


TABLES: tuple[Table, ...] = (
    Table(
        name="topics",
        title="Topics",
        words="Whatever happens is a message on one of these; any Kafka client may read along, and so does `tandem subscribe`.",
        teaches="There is no topic.",
        ask=_topics,
        columns=(
            Column(key="topic", title="Topic", get=lambda row: row[0].name),
            Column(key="words", title="What it tells", get=lambda row: row[0].words),
            Column(key="content", title="Content", get=lambda row: str(row[0].content), choices=True),
            Column(key="judged", title="Judged", get=lambda row: sum(each.next_offset for each in row[1]) or None, shape=Shape.COUNT),
            Column(key="behind", title="Not judged yet", get=_behind, shape=Shape.COUNT),
        ),
    ),
    Table(
        name="deliveries",
        title="Deliveries",
        words="Topics for those without Kafka: webhooks that are called, and streams that are listened to, each with a cursor of its own.",
        teaches="Nobody has asked for a delivery. “A new delivery”, above, begins one; so does `tandem deliveries create`.",
        ask=_deliveries,
        columns=(
            Column(key="name", title="Name", get=lambda row: row.name, link=lambda row: f"/deliveries/{row.name}"),
            Column(key="topic", title="Topic", get=lambda row: row.topic, choices=True),
            Column(key="way", title="How", get=lambda row: row.way, choices=True),
            Column(key="state", title="Stands", get=lambda row: "failing" if row.failing_since else row.state, choices=True),
            Column(key="behind", title="Behind", get=lambda row: row.behind, shape=Shape.COUNT),
            Column(key="delivered", title="Delivered", get=lambda row: row.delivered, shape=Shape.COUNT),
            Column(key="delivered_at", title="Last", get=lambda row: row.delivered_at, shape=Shape.WHEN),
            Column(key="attempts", title="Attempts", get=lambda row: row.attempts, shape=Shape.COUNT),
            Column(key="next_at", title="Next attempt", get=lambda row: row.next_at, shape=Shape.WHEN),
            Column(key="trouble", title="What went wrong", get=lambda row: row.trouble or row.why, shape=Shape.PLAIN),
        ),
    ),
    Table(
        name="sources",
        title="Sources",
        words="What tells of changes, how far it has come, and which gaps are open.",
        teaches="No source has begun: start a worker (tandem run).",
        ask=_sources,
        columns=(
            Column(key="source", title="Source", get=lambda row: row[0].source),
            Column(key="saved_ms", title="Position saved", shape=Shape.WHEN,
                   get=lambda row: 0 if row[0].saved_ago_ms is None else row[1] - row[0].saved_ago_ms),
            Column(key="feed_ms", title="Newest change", shape=Shape.WHEN,
                   get=lambda row: 0 if row[0].feed_ago_ms is None else row[1] - row[0].feed_ago_ms),
            Column(key="gaps", title="Open gaps", get=lambda row: "; ".join(row[0].gaps), shape=Shape.PLAIN),
        ),
    ),
)  # fmt: skip

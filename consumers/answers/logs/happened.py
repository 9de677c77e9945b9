"""What has happened of late, and one thing that happened, with what was decided of it and written for it."""

from dataclasses import dataclass
from typing import Any

from consumers.configuration.access import kafka_access
from consumers.configuration.loading import Settings
from consumers.configuration.mapping.registered import registry_of
from consumers.merge.pair.decision import Decision
from consumers.reports.database import ledger_connection
from consumers.reports.records.people import UnknownRecord, find
from consumers.reports.records.timeline import Cause, recent_decisions, timeline
from consumers.subscriptions.message import Message
from consumers.subscriptions.reading import Newest, message_at, newest
from consumers.subscriptions.topics import Content, Topic, topic_named, topics

_DECISIONS_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One message, and what it led to. `pair`: 0: nothing was decided of it yet, or that is not kept any more."""

    message: Message
    pair: int
    causes: tuple[Cause, ...]


def followed(settings: Settings) -> tuple[Topic, ...]:
    """The topics on which things happen: decisions, and the changes of each kind and side."""
    found = topics(registry_of(settings))
    return tuple(sorted((each for each in found if each.content in (Content.DECISIONS, Content.CHANGES)), key=_decisions_first))


async def of_late(settings: Settings, topic: Topic, *, since_ms: int, most: int) -> Newest:
    """What a topic has taken since then, the newest. Raises as `consumers.subscriptions.reading.messages`."""
    return await newest(kafka_access(settings), topic, since_ms=since_ms, most=most)


async def happening_at(settings: Settings, topic: str, partition: int, offset: int) -> Happening | None:
    """The message at that place; None: it isn't there. Raises `UnknownTopic`, and as `messages` and `ledger_connection`."""
    message = await message_at(kafka_access(settings), topic_named(topic, registry_of(settings)), partition, offset)
    if message is None:
        return None
    async with ledger_connection(settings.postgres.dsn.reveal()) as connection:
        for pair in await _pairs(connection, message):
            decisions = await recent_decisions(connection, pair, most=_DECISIONS_MAX)
            numbers = {number for number, decision in decisions if _is_of(decision, message)}
            causes = tuple(
                each for each in timeline(decisions) if each.decision in numbers or any(step.decision in numbers for step in each.steps)
            )
            if numbers:
                return Happening(message=message, pair=pair, causes=causes)
    return Happening(message=message, pair=0, causes=())


async def _pairs(connection: Any, message: Message) -> list[int]:
    names = [name for name in message.records if message.content is not Content.DECISIONS or name.startswith("pair:")]
    found: list[int] = []
    for name in names:
        try:
            found += [each.pair for each in await find(connection, name)]
        except UnknownRecord:
            continue  # nobody knows it yet
    return found


def _is_of(decision: Decision, message: Message) -> bool:
    """Whether it is the message's decision: that one itself, or one about that change."""
    if message.content is Content.DECISIONS:
        told = message.data or {}
        return (decision.at, decision.kind, decision.record, decision.write) == (
            told.get("at"), told.get("kind"), told.get("record"), told.get("write", 0)
        )  # fmt: skip
    event = decision.event
    return event is not None and (event.topic, event.partition, event.offset) == (message.topic, message.partition, message.offset)


def _decisions_first(topic: Topic) -> bool:
    return topic.content is not Content.DECISIONS

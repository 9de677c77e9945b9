"""What `tandem subscribe` reads, and how it goes out."""

import sys
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from consumers.answers.logs.choosing import choice_of
from consumers.cli.noted import note
from consumers.cli.text.looking.subscribed import line_of
from consumers.configuration.access import kafka_access
from consumers.configuration.loading import Settings
from consumers.configuration.mapping.registered import registry_of
from consumers.subscriptions.masking import masked
from consumers.subscriptions.message import Message, line
from consumers.subscriptions.reading import messages
from consumers.subscriptions.topics import topic_named

if TYPE_CHECKING:
    from rich.console import Console

REVEAL = "reveal"
"""The act in the audit log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The command's arguments, as they were given."""

    topic: str
    since_ms: int | None
    follow: bool
    kinds: list[str]
    fields: list[str]
    records: list[str]
    actors: list[str]
    verdicts: list[str]
    most: int | None
    reveal: bool
    json: bool


async def printed(settings: Settings, asked: Asked, console: "Console") -> None:
    """Every message that is asked for, as it is read. Raises `UnknownTopic`, `UnknownRecord`, and as `messages` and `ledger_connection`."""
    topic = topic_named(asked.topic, registry_of(settings))
    choice = await choice_of(
        settings, kinds=asked.kinds, fields=asked.fields, records=asked.records, actors=asked.actors, verdicts=asked.verdicts
    )
    if asked.reveal:
        what = {"topic": topic.name, "since_ms": asked.since_ms, "follow": asked.follow, "records": len(asked.records)}
        await note(settings, REVEAL, what)
    out = _json_out if asked.json else _people_out(console)
    count = 0
    async with aclosing(messages(kafka_access(settings), topic, since_ms=asked.since_ms, follow=asked.follow)) as read:
        async for message in read:
            if not choice.takes(message):
                continue
            out(message if asked.reveal else masked(message))
            count += 1
            if count == asked.most:
                break
    if not asked.json and not asked.follow:
        print(f"{count:,} message{'' if count == 1 else 's'} of {topic.name}", file=sys.stderr)  # noqa: T201 - a command line prints


def _people_out(console: "Console") -> Callable[[Message], None]:
    return lambda message: console.print(line_of(message), soft_wrap=True)


def _json_out(message: Message) -> None:
    sys.stdout.write(line(message).decode())
    sys.stdout.flush()

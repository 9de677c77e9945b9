"""What `tandem replay` sends again, and where it goes."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from consumers.answers.choosing import choice_of
from consumers.cli.noted import note
from consumers.cli.subscribed import REVEAL
from consumers.configuration.access import kafka_access
from consumers.configuration.loading import Settings
from consumers.configuration.mapping.registered import registry_of
from consumers.replay.again import again, names
from consumers.replay.cursor import Cursor, cursor_in
from consumers.replay.outputs import Lines, Output, to_file, to_topic
from consumers.replay.selection import Span
from consumers.subscriptions.masking import masked
from consumers.subscriptions.topics import topic_named
from streams.ground.clock import now_ms

REPLAY = "replay"
"""The act in the audit log of sending messages to another topic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The command's arguments, as they were given."""

    topic: str
    since_ms: int | None
    until_ms: int | None
    offsets: dict[int, tuple[int, int | None]]
    positions: tuple[int, int | None] | None
    kinds: list[str]
    fields: list[str]
    records: list[str]
    actors: list[str]
    verdicts: list[str]
    rules: list[str]
    causes: list[str]
    versions: list[int]
    out: Path | None
    to_topic: str | None
    rate: float | None
    resume: Path | None
    reveal: bool
    reason: str
    said_since: tuple[str | None, str | None]
    """The moments as they were written: the same words ask for the same replay."""


async def replayed(settings: Settings, asked: Asked, said: Callable[[int], None]) -> Cursor:
    """Send it. Raises `UnknownTopic`, `UnknownRecord`, `Fatal` where an output can't be used, and as `again` and `ledger_connection`."""
    topic = topic_named(asked.topic, registry_of(settings))
    choice = await choice_of(
        settings, kinds=asked.kinds, fields=asked.fields, records=asked.records, actors=asked.actors, verdicts=asked.verdicts
    )
    span = Span(
        since_ms=asked.since_ms,
        until_ms=asked.until_ms or now_ms(),
        offsets=asked.offsets,
        positions=asked.positions,
        rules=frozenset(asked.rules),
        causes=frozenset(asked.causes),
        versions=frozenset(asked.versions),
        choice=choice,
    )
    cursor = _cursor(asked, names(_as_written(span), topic, repr((asked.said_since, str(asked.out), asked.to_topic, asked.reveal))))
    if asked.to_topic is not None:
        await note(settings, REPLAY, {"topic": topic.name, "to_topic": asked.to_topic, "since": asked.said_since[0]}, asked.reason)
    elif asked.reveal:
        await note(settings, REVEAL, {"topic": topic.name, "replay": True, "records": len(asked.records)}, asked.reason)
    async with _output(settings, asked, cursor) as output:
        try:
            await again(kafka_access(settings), topic, span, output, cursor, path=asked.resume, rate=asked.rate, said=said)
        except asyncio.CancelledError:
            _say(cursor, asked, "stopped")
            raise
    _say(cursor, asked, "done")
    return cursor


def _as_written(span: Span) -> Span:
    """Without the moments, which `said_since` has in words."""
    return replace(span, since_ms=None, until_ms=0)


def _cursor(asked: Asked, question: str) -> Cursor:
    return cursor_in(asked.resume, question) if asked.resume is not None else Cursor(asked=question)


@asynccontextmanager
async def _output(settings: Settings, asked: Asked, cursor: Cursor) -> AsyncGenerator[Output]:
    shown = (lambda message: message) if asked.reveal else masked
    if asked.out is not None:
        async with to_file(asked.out, shown, size=cursor.size) as file:
            yield file
    elif asked.to_topic is not None:
        async with to_topic(kafka_access(settings), asked.to_topic, registry_of(settings)) as topic:
            yield topic
    else:
        yield Lines(shown)


def _say(cursor: Cursor, asked: Asked, how: str) -> None:
    """Beside what is put out, for people."""
    on = f"; the same command with --resume {asked.resume} goes on" if how == "stopped" and asked.resume else ""
    print(f"{how}: {cursor.count:,} message{'' if cursor.count == 1 else 's'}{on}", file=sys.stderr)  # noqa: T201 - a command line prints

"""What `tandem replay` sends again, and where it goes."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from consumers.answers.logs.applying import applied
from consumers.answers.logs.choosing import choice_of
from consumers.audit_log.deeds import who_acts
from consumers.cli.noted import note
from consumers.cli.subscribed import REVEAL
from consumers.configuration.access import kafka_access
from consumers.configuration.loading import Settings
from consumers.configuration.mapping.registered import registry_of
from consumers.desk.replaying import Applied
from consumers.replay.again import again, names
from consumers.replay.cursor import Cursor, cursor_in
from consumers.replay.outputs import Lines, Output, to_file, to_topic
from consumers.replay.selection import Span
from consumers.subscriptions.masking import masked
from consumers.subscriptions.topics import Topic, topic_named
from streams.ground.clock import now_ms

REPLAY = "replay"
"""The act in the audit log of sending messages to another topic, or applying them."""
APPLY = "(applied)"


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
    topic, span = await _part(settings, asked)
    cursor = _cursor(asked, _question(asked, span, topic, asked.to_topic))
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


async def applied_part(settings: Settings, asked: Asked, said: Callable[[int], None], *, apply: bool) -> Applied:
    """What would be written of the records that this part names, as they are today; with `apply` it is owed from then on, and `--resume`
    goes on where an earlier one was stopped. Raises as `consumers.answers.logs.applying.applied`."""
    topic, span = await _part(settings, asked)
    cursor = _cursor(asked, _question(asked, span, topic, APPLY))
    if apply:
        since, until = asked.said_since
        what = {"topic": topic.name, "apply": True, "since": since, "until": until, "records": len(asked.records)}
        await note(settings, REPLAY, what, asked.reason)
    elif asked.reveal:
        await note(settings, REVEAL, {"topic": topic.name, "replay": True, "records": len(asked.records)}, asked.reason)
    path = asked.resume if apply else None
    try:
        return await applied(settings, topic, span, cursor, who=who_acts(), apply=apply, rate=asked.rate, path=path, said=said)
    except asyncio.CancelledError:
        if apply:
            _say(cursor, asked, "stopped")
        raise


def _question(asked: Asked, span: Span, topic: Topic, where: str | None) -> str:
    """What is replayed, in words that are the same for the same question."""
    return names(_as_written(span), topic, repr((asked.said_since, str(asked.out), where, asked.reveal)))


async def _part(settings: Settings, asked: Asked) -> tuple[Topic, Span]:
    topic = topic_named(asked.topic, registry_of(settings))
    choice = await choice_of(
        settings, kinds=asked.kinds, fields=asked.fields, records=asked.records, actors=asked.actors, verdicts=asked.verdicts
    )
    return topic, Span(
        since_ms=asked.since_ms,
        until_ms=asked.until_ms or now_ms(),
        offsets=asked.offsets,
        positions=asked.positions,
        rules=frozenset(asked.rules),
        causes=frozenset(asked.causes),
        versions=frozenset(asked.versions),
        choice=choice,
    )


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

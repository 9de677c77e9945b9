"""Messages sent again: a span of a topic, in the order in which the broker took it, to an output; stopped and gone on with at will.

A span that lies in the past gives the same bytes each time: order and content depend on nothing but the messages.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

from consumers.replay.cursor import Cursor
from consumers.replay.outputs import Output
from consumers.replay.selection import Span
from consumers.subscriptions.reading import records, told
from consumers.subscriptions.topics import Topic
from streams.ground.access import KafkaAccess

_TOGETHER, _SECONDS = 1_000, 1.0


async def again(
    kafka: KafkaAccess, topic: Topic, span: Span, output: Output, cursor: Cursor, *,
    path: Path | None, rate: float | None, said: Callable[[int], None],
) -> Cursor:  # fmt: skip
    """Send it. `cursor`: where it begins, and is moved on; kept in `path`, if there is one. `rate`: messages a second, at most.

    Stopped (cancelled) at any moment, what was put out so far is kept, and the cursor with it. Raises as `records`.
    """
    pace, saved, clock = _Pace(rate), cursor.count, time.monotonic()
    try:
        async with aclosing(_records(kafka, topic, span, cursor)) as read:
            async for record in read:
                message = told(topic, record)
                if span.takes(message):
                    await output.put(record, message)
                    cursor.count += 1
                    said(cursor.count)
                    await pace.step()
                cursor.next[record.partition] = record.offset + 1
                if cursor.count - saved >= _TOGETHER or time.monotonic() - clock > _SECONDS:
                    await _keep(output, cursor, path)
                    saved, clock = cursor.count, time.monotonic()
        cursor.done = True
    finally:
        await _keep(output, cursor, path)
    return cursor


def _records(kafka: KafkaAccess, topic: Topic, span: Span, cursor: Cursor) -> AsyncGenerator[Any]:
    begin = {**{place: first for place, (first, _) in span.offsets.items()}, **cursor.next}
    return records(kafka, topic, since_ms=span.since_ms, follow=False, begin=begin)


async def _keep(output: Output, cursor: Cursor, path: Path | None) -> None:
    cursor.size = await output.kept()
    if path is not None:
        cursor.save(path)


class _Pace:
    """So many steps a second, at most; a pause that was too long is not made up for."""

    def __init__(self, rate: float | None) -> None:
        self._rate, self._next = rate, time.monotonic()

    async def step(self) -> None:
        """Wait until the next one may be."""
        if self._rate is None:
            return
        now = time.monotonic()
        self._next = max(self._next, now - 1 / self._rate) + 1 / self._rate
        if self._next > now:
            await asyncio.sleep(self._next - now)


def names(span: Span, topic: Topic, where: str) -> str:
    """What is replayed, in words that are the same for the same question."""
    choice = span.choice
    told = (
        topic.name, where, span.since_ms, span.until_ms, sorted(span.offsets.items()), span.positions,
        *(sorted(each) for each in (span.rules, span.causes, span.versions)),
        *(sorted(each) for each in (choice.kinds, choice.fields, choice.records, choice.actors, choice.verdicts)),
    )  # fmt: skip
    return repr(told)

"""A topic as server-sent events: what is kept from the cursor on, then what comes, without a hole between.

The id of each event is the cursor after it: a client that comes again with `Last-Event-ID` goes on exactly there, at whichever server.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from consumers.deliveries import letter
from consumers.deliveries.delivery import Places, cursor_of
from consumers.subscriptions.following import Stretch, stretches
from consumers.subscriptions.masking import masked
from consumers.subscriptions.message import Choice
from consumers.subscriptions.reading import told
from consumers.subscriptions.topics import Topic
from streams.ground.access import KafkaAccess
from streams.wire.errors import SyncError

KEEP_ALIVE_SECONDS = 15.0


async def events(
    kafka: KafkaAccess,
    topic: Topic,
    choice: Choice,
    begin: Places,
    *,
    revealed: bool,
    monotonic: Callable[[], float] | None = None,
    keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
) -> AsyncGenerator[bytes]:
    """The stream, for ever; where the broker goes away it says so and ends, and the client comes again by itself."""
    clock = monotonic or asyncio.get_running_loop().time
    yield letter.OPENING
    said, cursor = clock(), ""
    try:
        async with aclosing(stretches(kafka, topic, begin)) as read:
            async for stretch in read:
                for part in _told(topic, choice, stretch, revealed=revealed):
                    said, cursor = clock(), cursor_of(stretch.places)
                    yield part
                if clock() - said >= keep_alive_seconds:
                    now, said = cursor_of(stretch.places), clock()
                    yield letter.passed(now) if now != cursor else letter.KEEP_ALIVE
                    cursor = now
    except SyncError as error:
        yield letter.ended(str(error))


def _told(topic: Topic, choice: Choice, stretch: Stretch, *, revealed: bool) -> list[bytes]:
    """What a stretch brought, for this listener."""
    places = dict(stretch.began)
    parts = [letter.hole(stretch.missed, cursor_of(stretch.places))] if stretch.missed else []
    for record in stretch.records:
        message = told(topic, record)
        places[message.partition] = message.offset + 1
        if choice.takes(message):
            parts.append(letter.event(message if revealed else masked(message), cursor_of(places)))
    return parts

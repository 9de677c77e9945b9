"""A part of the log applied to the present: planned first, then done by whoever has seen the plan."""

from collections.abc import Callable
from pathlib import Path

from consumers.configuration.access import kafka_access
from consumers.configuration.loading import Settings
from consumers.desk.replaying import APPLICABLE, Applied, Applying
from consumers.replay.again import again
from consumers.replay.cursor import Cursor
from consumers.replay.selection import Span
from consumers.subscriptions.topics import Topic
from consumers.worker.assembly.desk import open_desk
from streams.wire.errors import Fatal


async def applied(
    settings: Settings,
    topic: Topic,
    span: Span,
    cursor: Cursor,
    *,
    who: str,
    apply: bool,
    rate: float | None,
    path: Path | None,
    said: Callable[[int], None],
) -> Applied:
    """What would be written of the records that this part names, as they are today; with `apply` it is owed from then on. `path`: where the
    cursor is kept. Raises `Fatal` for a topic whose messages name no records, and as `again` and `open_desk`."""
    if topic.content not in APPLICABLE:
        raise Fatal(f"The messages of {topic.name} name no records that could be judged.", remedy="Apply a topic of changes, or decisions.")
    async with open_desk(settings, who) as desk:
        output = Applying(desk.doing, desk.reader, apply=apply)
        await again(kafka_access(settings), topic, span, output, cursor, path=path, rate=rate, said=said)
    return output.applied

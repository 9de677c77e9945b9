"""A message as it goes out: the body of a webhook, an event of a stream. Pure: the same message gives the same bytes and the same id."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import orjson

from consumers.subscriptions.message import Message, line

KEEP_ALIVE = b": here\n\n"
OPENING = b"retry: 2000\n\n"
"""How long a client that was cut off waits before it comes again (ms)."""
TRIAL = "tandem.test"
_CE_TYPE, _CE_TIME = "type", "time"


def identity(delivery: str, message: Message) -> str:
    """The `webhook-id`: the same whenever this message is delivered again under this name."""
    told = f"{delivery}\n{message.topic}\n{message.partition}\n{message.offset}"
    return f"msg_{hashlib.sha256(told.encode()).hexdigest()[:32]}"


def body(message: Message) -> bytes:
    """The body of a webhook: type, timestamp and data as the specification recommends them, and where the message stands in its topic."""
    return _dumped(
        {
            "type": message.attributes.get(_CE_TYPE) or message.content.value,
            "timestamp": message.attributes.get(_CE_TIME) or _moment(message.at),
            "topic": message.topic,
            "partition": message.partition,
            "offset": message.offset,
            "key": message.key,
            "attributes": message.attributes,
            "data": message.data,
        }
    )


def trial_body(delivery: str, topic: str, at_ms: int) -> bytes:
    """The body of a delivery that tries a receiver out."""
    words = "A test of this delivery: nothing has happened."
    return _dumped({"type": TRIAL, "timestamp": _moment(at_ms), "topic": topic, "data": {"delivery": delivery, "message": words}})


def event(message: Message, cursor: str) -> bytes:
    """An event of a stream; its id is the cursor after it."""
    return b"id: %s\ndata: %s\n" % (cursor.encode(), line(message))


def passed(cursor: str) -> bytes:
    """Nothing to tell, but a client that comes again need not have these messages looked at again: an id alone dispatches no event."""
    return b"id: %s\n\n" % cursor.encode()


def hole(missed: int, cursor: str) -> bytes:
    """That Kafka has let go of messages that this client has not had."""
    told = {"missed": missed, "words": f"Kafka had let go of {missed} messages before they were read; what is kept follows."}
    return b"id: %s\nevent: hole\ndata: %s\n\n" % (cursor.encode(), _dumped(told))


def ended(why: str) -> bytes:
    """That the stream ends here, and why; a client comes again by itself."""
    return b"event: ended\ndata: %s\n\n" % _dumped({"why": why})


def _dumped(told: Any) -> bytes:
    return orjson.dumps(told)


def _moment(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""Events to bytes and back."""

import base64
import re

import msgspec
import orjson

from streams.wire.events import ChangeEvent, DeadLetter

EVENT_BYTES_MAX = 900_000
"""Largest event put on a topic; Kafka's default message limit is 1 MiB with its overhead."""

_ID_LENGTH_MAX = 64
_PARTS = re.compile(r"[0-9A-Za-z]+([-.][0-9A-Za-z]+)+")
"""Marketo's GUIDs; what is named by two others."""
_decoder = msgspec.json.Decoder(ChangeEvent)
_encoder = msgspec.json.Encoder()


class Undecodable(ValueError):  # noqa: N818 - a verdict on a message
    """The bytes are not a change event; the message says why."""


def encode(event: ChangeEvent) -> bytes:
    """The event as UTF-8 JSON."""
    return _encoder.encode(event)


def relayed(body: bytes, at: int) -> bytes:
    """An encoded event without `relayed_at`, with it. `at`: ms since the epoch."""
    return b'%b,"relayed_at":%d}' % (body[:-1], at)


def decode(value: bytes | None) -> ChangeEvent:
    """The event in a message. Raises `Undecodable` with the reason."""
    if value is None:
        raise Undecodable("empty message (a tombstone) on a change topic")
    if len(value) > EVENT_BYTES_MAX:
        raise Undecodable(f"oversized event: {len(value)} bytes, at most {EVENT_BYTES_MAX}")
    try:
        event = _decoder.decode(value)
    except msgspec.ValidationError as error:
        event = _with_long_numbers(value, error)
    except msgspec.DecodeError as error:
        raise Undecodable(f"not a change event: {error}") from error
    if not is_record_id(event.id) or (event.into and not is_record_id(event.into)):
        bad = event.into if is_record_id(event.id) else event.id
        wanted = f"want letters and digits, dashes and dots between them, at most {_ID_LENGTH_MAX}"
        raise Undecodable(f"not a record id: {bad[:_ID_LENGTH_MAX]!r} ({wanted})")
    return event


def is_record_id(text: str) -> bool:
    """Whether this can be the id of a record on either side."""
    return len(text) <= _ID_LENGTH_MAX and (text.isalnum() or _PARTS.fullmatch(text) is not None)


def _with_long_numbers(value: bytes, error: msgspec.ValidationError) -> ChangeEvent:
    """The event whose fields hold numbers that no column and no message keeps: they become text, and are judged as that."""
    try:
        raw = msgspec.json.decode(value)
        for part in ("fields", "before"):
            told = raw.get(part)
            if isinstance(told, dict):
                raw[part] = {name: str(each) if _is_long(each) else each for name, each in told.items()}
        return msgspec.convert(raw, ChangeEvent)
    except (msgspec.DecodeError, msgspec.ValidationError, AttributeError, ValueError) as again:
        raise Undecodable(f"not a change event: {error}") from again


def _is_long(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63


def encode_dead_letter(letter: DeadLetter) -> bytes:
    """The dead letter as JSON; `original` in base64."""
    body = msgspec.structs.asdict(letter)
    body["original"] = base64.b64encode(letter.original).decode()
    return orjson.dumps(body)

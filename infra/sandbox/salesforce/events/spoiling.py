"""Faults of the stream as a client sees it: messages doubled, out of order, or not as they should be."""

from __future__ import annotations

from typing import Any

import orjson

from infra.sandbox.kernel.faults import Fault, FaultBoard


def with_stream_faults(faults: FaultBoard, messages: list[tuple[str, bytes]]) -> list[bytes]:
    """The messages (channel, JSON) of one answer as the standing faults leave them; uses the faults up."""
    out: list[bytes] = []
    for channel, message in messages:
        malformed = faults.take(("malformed",), path=channel)
        out.append(message if malformed is None else _spoiled(message, malformed))
        if faults.take(("duplicate",), path=channel) is not None:
            out.append(message)
    if len(out) > 1 and faults.take(("reorder",), path=messages[0][0]) is not None:
        out.reverse()
    return out


def with_avro_faults(faults: FaultBoard, topic: str, events: list[Any]) -> list[Any]:
    """The same of `ConsumerEvent`s: an event that is malformed can't be read by its schema, a truncated one ends early."""
    out: list[Any] = []
    for event in events:
        malformed = faults.take(("malformed",), path=topic)
        if malformed is not None:
            payload = event.event.payload
            event.event.payload = payload[: len(payload) // 2] if malformed.action.get("how") == "truncated" else b"\xff" * len(payload)
        out.append(event)
        if faults.take(("duplicate",), path=topic) is not None:
            out.append(event)
    if len(out) > 1 and faults.take(("reorder",), path=topic) is not None:
        out.reverse()
    return out


def _spoiled(message: bytes, fault: Fault) -> bytes:
    """A message as it should never be: `how` is no_header, no_record_ids, not_object, no_payload, wrong_types or truncated."""
    if fault.action.get("how") == "truncated":
        return message[: len(message) // 2]
    whole = orjson.loads(message)
    payload = whole["data"]["payload"]
    match fault.action.get("how", "no_header"):
        case "no_record_ids":
            del payload["ChangeEventHeader"]["recordIds"]
        case "not_object":
            whole["data"]["payload"] = "spoiled"
        case "no_payload":
            del whole["data"]["payload"]
        case "wrong_types":
            payload["ChangeEventHeader"] |= {"recordIds": "none", "commitTimestamp": "yesterday", "changeType": 7}
        case _:
            del payload["ChangeEventHeader"]
    return orjson.dumps(whole)

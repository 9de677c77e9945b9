"""One subscription on the event bus: where it stands, how many events are asked for, what it is sent next. No I/O."""

from __future__ import annotations

from typing import Any

import grpc
import msgspec

from infra.sandbox.salesforce.events.channels import ChannelError, carries, entities_of, payloads
from infra.sandbox.salesforce.events.spoiling import with_avro_faults
from infra.sandbox.salesforce.org.org import Org
from infra.sandbox.salesforce.pubsub.avro import Encoder
from infra.sandbox.salesforce.pubsub.messages import message

PENDING_MAX = 100
"""More requested events than this are treated as this many (Pub/Sub API guide, flow control)."""
EVENTS_PER_ANSWER = 100
_CODES = "sfdc.platform.eventbus.grpc"


class RpcError(Exception):
    """Ends a call: gRPC status, text, and the `error-code` trailer."""

    def __init__(self, status: grpc.StatusCode, error_code: str, details: str) -> None:
        super().__init__(details)
        self.status = status
        self.error_code = f"{_CODES}.{error_code}"
        self.details = details


class Encoders:
    """Avro encoders by schema id."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._known: dict[str, Encoder] = {}

    def of(self, entity: str) -> tuple[str, Encoder]:
        schema_id = self._org.event_schemas.id_of(entity)
        if schema_id not in self._known:
            self._known[schema_id] = Encoder(self._org.event_schemas.text_of(schema_id) or b"{}")
        return schema_id, self._known[schema_id]


class Subscription(msgspec.Struct, kw_only=True):
    org: Org
    encoders: Encoders
    user_id: str
    topic: str
    entities: frozenset[str]
    at: int
    """The replay id after which events are due."""
    pending: int = 0

    def request(self, count: int) -> None:
        """Asks for so many more events. Raises `RpcError` for a number that is not positive."""
        if count <= 0:
            raise RpcError(
                grpc.StatusCode.INVALID_ARGUMENT, "subscription.fetch.requested.events.invalid", "num_requested must be positive"
            )
        self.pending = min(PENDING_MAX, self.pending + count)

    def due(self) -> list[Any]:
        """The next events as `ConsumerEvent`s, at most as many as were asked for. Raises `RpcError` when the day's allowance is used up."""
        found: list[Any] = []
        room = min(self.pending, EVENTS_PER_ANSWER)
        if not room:
            return found
        at, name = self.at, self.topic.removeprefix("/data/")
        for event in self.org.log.after(self.at, 1000):
            if len(found) >= room:
                break
            if carries(self.org, name, self.entities, event.entity):
                schema_id, encoder = self.encoders.of(event.entity)
                for body in payloads(self.org, self.user_id, name, event):
                    produced = message("ProducerEvent")(id="", schema_id=schema_id, payload=encoder.encode(body))
                    found.append(message("ConsumerEvent")(event=produced, replay_id=replay_bytes(event.replay_id)))
            at = event.replay_id
        if found:
            now_ms = self.org.clock.now_ms()
            if self.org.delivered.remaining(now_ms) < len(found):
                text = "You have exceeded the event delivery limit for your org."
                raise RpcError(grpc.StatusCode.RESOURCE_EXHAUSTED, "subscription.limit.exceeded", text)
            self.org.delivered.spend(now_ms, len(found))
        self.at = at
        self.pending = max(0, self.pending - len(found))
        return with_avro_faults(self.org.faults, self.topic, found)


def entities(org: Org, user_id: str, topic: str) -> frozenset[str]:
    """What the topic carries for the user. Raises `RpcError`."""
    try:
        if topic.startswith("/data/"):
            return entities_of(org, user_id, topic.removeprefix("/data/"))
    except ChannelError as refused:
        if refused.denied:
            text = "User does not have the permissions to subscribe to this topic"
            raise RpcError(grpc.StatusCode.PERMISSION_DENIED, "subscription.permission.denied", text) from None
    raise RpcError(grpc.StatusCode.NOT_FOUND, "topic.not.found", f"The topic {topic} does not exist")


def start(org: Org, topic: str, preset: int, replay_id: bytes) -> int:
    """The replay id after which the subscription begins: 0 latest, 1 earliest, 2 the one given. Raises `RpcError`."""
    org.log.forget_before(org.clock.now_ms())
    if preset == 0:
        return org.log.last_replay_id
    if preset == 1:
        return 0
    if not replay_id:
        text = "A replay ID is required for the CUSTOM replay preset"
        raise RpcError(grpc.StatusCode.INVALID_ARGUMENT, "subscription.fetch.replayid.validation.failed", text)
    wanted = int.from_bytes(replay_id, "big")
    if not org.log.holds(wanted) or org.faults.take(("replay_refused",), path=topic) is not None:
        text = "The Replay ID validation failed. Ensure that the Replay ID is valid."
        raise RpcError(grpc.StatusCode.INVALID_ARGUMENT, "subscription.fetch.replayid.corrupted", text)
    return wanted


def replay_bytes(replay_id: int) -> bytes:
    return replay_id.to_bytes(8, "big")

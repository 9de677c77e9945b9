"""CometD clients of the event bus: handshake, subscriptions with replay, and what each may be sent (Streaming API guide).

No I/O here: a message comes in as a value, answers go out as values. Only waiting for events is `streaming`'s business.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from infra.sandbox.salesforce.access.sessions import Session
from infra.sandbox.salesforce.events.channels import ChannelError, carries, entities_of, payloads
from infra.sandbox.salesforce.events.log import Event
from infra.sandbox.salesforce.events.spoiling import with_stream_faults
from infra.sandbox.salesforce.org.org import Org

NEW_EVENTS, ALL_EVENTS = -1, -2
EVENTS_PER_ANSWER = 1000
COOKIE = "BAYEUX_BROWSER"
Message = dict[str, Any]
HANDSHAKE_AGAIN = {"interval": 0, "reconnect": "handshake"}
GIVE_UP = {"reconnect": "none", "interval": 0}


class Subscription(msgspec.Struct):
    """`at` is the replay id after which events are due; `entities` were settled when the subscription began."""

    channel: str
    entities: frozenset[str]
    at: int


class Client(msgspec.Struct):
    id: str
    user_id: str
    cookie: str
    wake: asyncio.Event
    seen_at: float
    subscriptions: dict[str, Subscription] = msgspec.field(default_factory=dict)
    connected: bool = False
    turn: int = 0
    """Number of the latest connect; an earlier one that still waits gives way to it."""
    waiting: int = 0
    """How many connects are held now."""


class StreamingError(Exception):
    """A refused message: the `error` text, the advice, and the nested reason where Salesforce gives one."""

    def __init__(self, error: str, advice: Mapping[str, Any] | None = None, reason: str | None = None) -> None:
        super().__init__(error)
        self.error = error
        self.advice = advice
        self.reason = reason


class Hub:
    """All CometD clients of the org."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._clients: dict[str, Client] = {}
        self.closing = False
        org.log.listeners.add(self.wake_all)
        org.faults.changed = self.wake_all
        org.streaming_clients = lambda: len(self._clients)

    def wake_all(self) -> None:
        for client in self._clients.values():
            client.wake.set()

    def close(self) -> None:
        """Ends all waiting connects: the server stops."""
        self.closing = True
        self.wake_all()

    # -- messages

    def handshake(self, message: Message, session: Session | None, *, authorised: bool) -> tuple[Message, Client | None]:
        """The answer and, when it succeeds, the new client."""
        try:
            user_id = self._admit(session, authorised=authorised)
        except StreamingError as refused:
            return refusal(message, refused), None
        client = Client(secrets.token_hex(14), user_id, secrets.token_hex(8), asyncio.Event(), time.monotonic())
        self._clients[client.id] = client
        return {
            **_echo(message),
            "ext": {"replay": True, "payload.format": True},
            "minimumVersion": "1.0",
            "clientId": client.id,
            "supportedConnectionTypes": ["long-polling"],
            "version": "1.0",
            "successful": True,
        }, client

    def client_of(self, message: Message, session: Session | None, cookie: str | None) -> Client:
        """The client that the message names. Raises `StreamingError`: no handshake, unknown or idle too long, other user, cookie lost."""
        if session is None:
            raise StreamingError("401::Authentication invalid", GIVE_UP)
        client_id = message.get("clientId")
        if not client_id:
            raise StreamingError("403::Client has not completed handshake", HANDSHAKE_AGAIN)
        client = self._clients.get(str(client_id))
        if client is None or self._idle(client):
            self._clients.pop(str(client_id), None)
            raise StreamingError("403::Unknown client", HANDSHAKE_AGAIN)
        if client.user_id != session.user_id:
            raise StreamingError("400::Authenticated user id does not match the session's user id", HANDSHAKE_AGAIN)
        if cookie != client.cookie:
            raise StreamingError(f"400::Client {client.id} has established a session, but no {COOKIE} cookie present")
        client.seen_at = time.monotonic()
        return client

    def subscribe(self, message: Message, client: Client) -> list[Message]:
        """One answer for each channel of the message; several may be asked at once."""
        asked = message.get("subscription")
        channels = asked if isinstance(asked, list) else [asked]
        answers = []
        for channel in channels:
            try:
                self._subscribe(message, client, channel)
                answers.append({**_echo(message), "clientId": client.id, "subscription": channel, "successful": True})
            except StreamingError as refused:
                answers.append({**refusal(message, refused), "subscription": channel})
        client.wake.set()
        return answers

    def unsubscribe(self, message: Message, client: Client) -> Message:
        client.subscriptions.pop(str(message.get("subscription")), None)
        return {**_echo(message), "clientId": client.id, "subscription": message.get("subscription"), "successful": True}

    def disconnect(self, message: Message, client: Client) -> Message:
        self.drop(client)
        return {**_echo(message), "clientId": client.id, "successful": True}

    def drop(self, client: Client) -> None:
        self._clients.pop(client.id, None)
        client.wake.set()

    def alive(self, client: Client) -> bool:
        return client.id in self._clients

    def connect_faults(self, client: Client) -> list[Message]:
        """What a fault makes of this connect. Raises `StreamingError`; returns server-sent messages, after which the client is gone."""
        self._planned_error("connect")
        if self._org.faults.take(("session_drop",), actor=self._actor(client)) is not None:
            self.drop(client)
            raise StreamingError("403::Unknown client", HANDSHAKE_AGAIN)
        if self._org.faults.take(("server_disconnect",), actor=self._actor(client)) is not None:
            self.drop(client)
            return [{"channel": "/meta/disconnect", "clientId": client.id}]
        return []

    # -- delivery

    def due(self, client: Client) -> list[bytes]:
        """The events that wait for the client, as JSON messages in order, and marks them delivered. Raises `StreamingError` when the
        day's allowance of delivered events is used up."""
        found: list[tuple[int, str, bytes]] = []
        marks: list[tuple[Subscription, int]] = []
        for subscription in client.subscriptions.values():
            events = self._org.log.after(subscription.at, EVENTS_PER_ANSWER)
            if events:
                marks.append((subscription, events[-1].replay_id))
            name = subscription.channel.removeprefix("/data/")
            for event in events:
                if carries(self._org, name, subscription.entities, event.entity):
                    bodies = payloads(self._org, client.user_id, name, event)
                    found += [(event.replay_id, subscription.channel, self._message(subscription.channel, event, body)) for body in bodies]
        if found:
            now_ms = self._org.clock.now_ms()
            if self._org.delivered.remaining(now_ms) < len(found):
                raise StreamingError("403::Organization total events daily limit exceeded", {"reconnect": "none"})
            self._org.delivered.spend(now_ms, len(found))
        for subscription, replay_id in marks:
            subscription.at = replay_id
        found.sort(key=lambda item: item[0])
        return with_stream_faults(self._org.faults, [(channel, message) for _, channel, message in found])

    # -- parts

    def _admit(self, session: Session | None, *, authorised: bool) -> str:
        """The id of the user who may shake hands. Raises `StreamingError`."""
        self._planned_error("handshake")
        if session is None:
            reason = "401::Authentication invalid" if authorised else "401::Request requires authentication"
            raise StreamingError("403::Handshake denied", {"reconnect": "none"}, reason)
        self._sweep()
        if len(self._clients) >= self._org.options.cometd_clients_max:
            raise StreamingError("403::Organization concurrent user limit exceeded", {"reconnect": "none"})
        return session.user_id

    def _subscribe(self, message: Message, client: Client, channel: Any) -> None:
        self._planned_error("subscribe")
        if not channel or not isinstance(channel, str):
            raise StreamingError("400::Channel name not specified")
        entities = self._entities_of(client, channel)
        replay = _inside(_inside(message.get("ext")).get("replay")).get(channel, NEW_EVENTS)
        if self._org.delivered.remaining(self._org.clock.now_ms()) <= 0:
            raise StreamingError("403::Organization total events daily limit exceeded")
        client.subscriptions[channel] = Subscription(channel, entities, self._start(channel, replay))

    def _entities_of(self, client: Client, channel: str) -> frozenset[str]:
        """The entities whose events the user gets on that channel. Raises `StreamingError`."""
        if channel.startswith("/meta/"):
            raise StreamingError("403::Restricted channel")
        name = channel.removeprefix("/data/") if channel.startswith("/data/") else ""
        try:
            return entities_of(self._org, client.user_id, name)
        except ChannelError as refused:
            if refused.denied:
                raise StreamingError("403::User not allowed to subscribe CDC without View All Data permissions") from None
            raise StreamingError(f"400::The channel you requested to subscribe to does not exist {{{channel}}}") from None

    def _start(self, channel: str, replay: Any) -> int:
        """The replay id after which the subscription begins. Raises `StreamingError` for one that isn't kept any more, or never was."""
        self._org.log.forget_before(self._org.clock.now_ms())
        if replay in (NEW_EVENTS, None):
            return self._org.log.last_replay_id
        if replay == ALL_EVENTS:
            return 0
        known = isinstance(replay, int) and not isinstance(replay, bool) and self._org.log.holds(replay)
        if not known or self._org.faults.take(("replay_refused",), path=channel) is not None:
            raise StreamingError(
                f"400::The replayId {{{replay}}} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to"
                " replay only new events."
            )
        return int(replay)

    def _message(self, channel: str, event: Event, body: bytes) -> bytes:
        return b'{"data":{"schema":"%s","payload":%s,"event":{"replayId":%d}},"channel":%s}' % (
            self._org.event_schemas.id_of(event.entity).encode(), body, event.replay_id, orjson.dumps(channel),
        )  # fmt: skip

    def _planned_error(self, on: str) -> None:
        fault = self._org.faults.take(("streaming_error",), method=on)
        if fault is not None:
            action = fault.action
            raise StreamingError(
                str(action.get("error", "401::Authentication invalid")), action.get("advice"), action.get("failure_reason")
            )

    def _actor(self, client: Client) -> str:
        return self._org.user_name(client.user_id)

    def _idle(self, client: Client) -> bool:
        return client.waiting == 0 and time.monotonic() - client.seen_at > self._org.options.cometd_idle_seconds

    def _sweep(self) -> None:
        for client in [each for each in self._clients.values() if self._idle(each)]:
            self.drop(client)


def refusal(message: Message, refused: StreamingError) -> Message:
    answer: Message = {**_echo(message), "error": refused.error, "successful": False}
    if message.get("clientId"):
        answer["clientId"] = message["clientId"]
    if refused.advice is not None:
        answer["advice"] = dict(refused.advice)
    if refused.reason is not None:
        answer["ext"] = {"sfdc": {"failureReason": refused.reason}}
    return answer


def _echo(message: Message) -> Message:
    answer: Message = {"channel": message.get("channel")}
    if "id" in message:
        answer["id"] = message["id"]
    return answer


def _inside(value: Any) -> Mapping[str, Any]:
    """The object; nothing where a client sent something else."""
    return value if isinstance(value, Mapping) else {}

"""The CometD endpoint: POST only, arrays of Bayeux messages, long polling (Streaming API guide, how the client connects)."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Any

import orjson
from aiohttp import web

from infra.sandbox.salesforce.access.sessions import Session, bearer_of
from infra.sandbox.salesforce.cometd.bayeux import COOKIE, Client, Hub, Message, StreamingError, refusal
from infra.sandbox.salesforce.org.org import Org
from infra.sandbox.salesforce.rest.resources import NEWEST

BODY_BYTES_MAX = 32_768
OLDEST_ROUTED = 23
"""Versions from 23.0 are routed to the latest (Streaming API guide, API end-of-life policy)."""


class Streaming:
    def __init__(self, org: Org) -> None:
        self._org = org
        self.hub = Hub(org)

    async def serve(self, request: web.Request) -> web.Response:
        raw = await request.read()
        if len(raw) > BODY_BYTES_MAX:
            return _answer([orjson.dumps({"error": "413::Maximum Request Size Exceeded", "successful": False})], status=413)
        try:
            parsed = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return _answer([orjson.dumps({"error": "400::The request is not valid JSON", "successful": False})], status=400)
        messages = parsed if isinstance(parsed, list) else [parsed]
        if not all(isinstance(message, dict) for message in messages):
            return _answer([orjson.dumps({"error": "400::Messages must be objects", "successful": False})], status=400)
        return await _Exchange(self._org, self.hub, request).run(messages)


class _Exchange:
    """One POST: its messages in order, a connect among them last. Events go before the other answers."""

    def __init__(self, org: Org, hub: Hub, request: web.Request) -> None:
        self._org = org
        self._hub = hub
        self._request = request
        self._token = bearer_of(request.headers.get("Authorization"))
        self._cookie = request.cookies.get(COOKIE)
        self._new: Client | None = None

    async def run(self, messages: list[Message]) -> web.Response:
        answers: list[bytes] = []
        connects = []
        for message in messages:
            if message.get("channel") == "/meta/connect":
                connects.append(message)
            else:
                answers += [orjson.dumps(answer) for answer in self._one(message)]
        for message in connects:
            answers += await self._connect(message, hold=len(messages) == 1)
        response = _answer(answers)
        if self._new is not None:
            response.set_cookie(COOKIE, self._new.cookie, path="/", httponly=True)
        return response

    def _one(self, message: Message) -> list[Message]:
        channel = message.get("channel")
        session = self._session()
        try:
            if channel == "/meta/handshake":
                self._check_version()
                answer, self._new = self._hub.handshake(message, session, authorised=self._token is not None)
                self._count("/meta/handshake")
                return [answer]
            client = self._hub.client_of(message, session, self._cookie)
            self._count(str(channel))
            return self._of_client(message, client)
        except StreamingError as refused:
            return [refusal(message, refused)]

    def _of_client(self, message: Message, client: Client) -> list[Message]:
        match message.get("channel"):
            case "/meta/subscribe":
                return self._hub.subscribe(message, client)
            case "/meta/unsubscribe":
                return [self._hub.unsubscribe(message, client)]
            case "/meta/disconnect":
                return [self._hub.disconnect(message, client)]
            case channel:
                raise StreamingError(f"403::Cannot create channel {{{channel}}}")

    async def _connect(self, message: Message, *, hold: bool) -> list[bytes]:
        """Events that are due, then the answer to the connect. Holds it while there are none, unless it is the client's first, or
        carries `advice.timeout: 0`, or came together with other messages."""
        try:
            client = self._connecting(message)
            self._count("/meta/connect")
            first = not client.connected
            client.connected = True
            patience = 0.0 if first or not hold else self._patience(message)
            events, sent = await self._wait(client, patience)
        except StreamingError as refused:
            return [orjson.dumps(refusal(message, refused))]
        client.seen_at = time.monotonic()
        answer: dict[str, Any] = {"clientId": client.id, "channel": "/meta/connect", "successful": True}
        if "id" in message:
            answer["id"] = message["id"]
        if first:
            timeout = int(self._org.options.cometd_connect_seconds * 1000)
            answer["advice"] = {"interval": 0, "timeout": timeout, "reconnect": "retry"}
        return [*events, *(orjson.dumps(each) for each in sent), orjson.dumps(answer)]

    def _connecting(self, message: Message) -> Client:
        wanted = message.get("connectionType", "long-polling")
        if wanted != "long-polling":
            raise StreamingError(f"400::Invalid connection type {{{wanted}}}")
        return self._hub.client_of(message, self._session(), self._cookie)

    async def _wait(self, client: Client, patience: float) -> tuple[list[bytes], list[Message]]:
        """Events and server-sent messages, at the latest after `patience` seconds; none when a newer connect took over."""
        client.turn += 1
        client.waiting += 1
        turn = client.turn
        deadline = time.monotonic() + patience
        client.wake.set()  # an older connect of this client gives way
        try:
            while True:
                client.wake.clear()
                if not self._hub.alive(client):
                    raise StreamingError("403::Unknown client", {"interval": 0, "reconnect": "handshake"})
                sent = self._hub.connect_faults(client)
                gone = self._request.transport is None or self._request.transport.is_closing()
                events = [] if gone or turn != client.turn else self._hub.due(client)
                left = deadline - time.monotonic()
                if events or sent or gone or left <= 0 or turn != client.turn or self._hub.closing:
                    return events, sent
                if self._session() is None:
                    raise StreamingError("401::Authentication invalid", {"reconnect": "none", "interval": 0})
                try:
                    async with asyncio.timeout(left):
                        await client.wake.wait()
                except TimeoutError:
                    continue
        finally:
            client.seen_at = time.monotonic()
            client.waiting -= 1

    def _patience(self, message: Message) -> float:
        longest = self._org.options.cometd_connect_seconds
        advice = message.get("advice")
        asked = advice.get("timeout") if isinstance(advice, dict) else None
        return min(longest, max(0.0, asked / 1000)) if isinstance(asked, int | float) else longest

    def _session(self) -> Session | None:
        """The caller's session; using it keeps it from expiring (Streaming API guide, authentication lifetime)."""
        return self._org.session_of(self._token)

    def _check_version(self) -> None:
        version = self._request.match_info.get("version", "")
        if not version:
            raise StreamingError("400::API version in the URI is mandatory. URI format: '/cometd/43.0'", {"reconnect": "none"})
        match = re.fullmatch(r"(\d+)\.0", version)
        if match is None or not OLDEST_ROUTED <= int(match.group(1)) <= NEWEST:
            raise StreamingError(
                f"400::Unsupported API version. Only API version {{{OLDEST_ROUTED}.0}} and above are supported", {"reconnect": "none"}
            )

    def _count(self, channel: str) -> None:
        session = self._org.sessions.known(self._token or "")
        actor = "" if session is None else self._org.user_name(session.user_id)
        self._org.meters.count(actor, f"cometd {channel}", calls=1)


def _answer(messages: list[bytes], status: int = 200) -> web.Response:
    return web.Response(status=status, body=b"[" + b",".join(messages) + b"]", content_type="application/json", charset="utf-8")

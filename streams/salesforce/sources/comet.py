"""One life of a CometD client on Salesforce's stream: the only module that touches aiosfstream-ng (0.7.5) and aiocometd-ng (0.5.6).

What those versions do wrong, and what is done here instead (each has its test):
- `receive()` raises at the first dropped connection (its timeout task fails on Python >= 3.10): never called; events are taken
  where they arrive, by an extension, so nothing waits in the library's queue and a slow consumer can't stop the heartbeat.
- After a re-handshake a refused subscription is dropped silently: a client never handshakes twice. Its first failed `/meta/` answer
  ends it, and its owner opens a new one from the position. The subscription is checked by a watchdog as well.
- `advice.interval` is taken for seconds: converted. A failed connect without advice is repeated at once with a log-in each: the
  end stops both. A connection dropped or refused, or an HTTP error page, is repeated every second for ever: it ends the client too.
- A `/meta/disconnect` from the server is ignored: it ends the client. So does silence.
- Cookies of IP hosts are dropped, closing sleeps and logs a CancelledError, the API version is fixed at 45.0: replaced.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
import orjson
from aiocometd_ng.constants import ConnectionType, TransportState
from aiocometd_ng.exceptions import AiocometdException, TransportError
from aiosfstream_ng import Client, ReplayMarkerStoragePolicy
from aiosfstream_ng.auth import AuthenticatorBase
from aiosfstream_ng.replay import ReplayMarker, ReplayMarkerStorage

from streams.salesforce.api.access.login import Token
from streams.salesforce.api.access.session import Session
from streams.salesforce.sources.arrivals import Arrivals, Message
from streams.salesforce.sources.bayeux import ending
from streams.salesforce.sources.endings import End, Ending

for _noisy in ("aiocometd_ng", "aiosfstream_ng"):  # their debug lines carry whole events, that is, personal data
    logging.getLogger(_noisy).setLevel(logging.ERROR)

_GOODBYE_SECONDS = 2.0
_HELD_SECONDS = 130.0
"""The server holds a connect for up to 110 s (Streaming API guide, clients and timeouts)."""


class CometClient:
    """Opens, subscribes, collects messages; ends at the first trouble and says why in `end`. Never reopens: make another."""

    def __init__(self, session: Session, *, channel: str, replay_id: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.wire = _Wire(channel, replay_id, monotonic, pending_max=session.settings.stream_pending_max)
        self._settings = session.settings
        self._channel = channel
        self._monotonic = monotonic
        self._login = _Login(session, self.wire)
        self._client = _Client(self._login, self.wire, session.settings.api_version)

    @property
    def end(self) -> End | None:
        """Why it ended; None while it lives."""
        return self.wire.end

    @property
    def token(self) -> Token | None:
        """The token it was opened with."""
        return self._login.token

    async def open(self) -> None:
        """Handshake, connect, subscribe from the replay id. Trouble of the stream shows in `end`; trouble of the log-in is raised."""
        try:
            async with asyncio.timeout(self._settings.stream_open_seconds):
                await self._client.open()
                await self._client.subscribe(self._channel)
        except TimeoutError:
            self.wire.finish(Ending.RECONNECT, f"the stream didn't open within {self._settings.stream_open_seconds:g} s")
        except (AiocometdException, aiohttp.ClientError, OSError) as error:
            self.wire.finish(Ending.RECONNECT, f"can't open the stream: {type(error).__name__}")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self.wire.finish(Ending.RECONNECT, f"the server's answer isn't Bayeux: {type(error).__name__}")

    async def wait(self) -> None:
        """Until something arrives or ends, or a check is due; then check that the stream is alive."""
        if await self.wire.nothing_for(self._settings.stream_check_seconds):
            self._check()

    async def close(self) -> None:
        """Release everything; say goodbye to the server if the client is well. Never raises, takes two seconds at most."""
        transport = self._client._transport  # noqa: SLF001 - the library offers no way to stop without its noise
        if transport is not None:
            well = self.end is None and transport.state is TransportState.CONNECTED
            await _still(transport)
            if well:
                await self._say_goodbye(transport)
        self.wire.finish(Ending.RECONNECT, "closed")
        await self._client.shut()

    async def _say_goodbye(self, transport: Any) -> None:
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await transport._send_message({"channel": "/meta/disconnect", "clientId": None, "id": None})  # noqa: SLF001
        except (AiocometdException, aiohttp.ClientError, TimeoutError, OSError, KeyError, TypeError, ValueError):
            return  # the server drops the session by itself after 40 s

    def _check(self) -> None:
        silent = self._monotonic() - self.wire.last_heard
        if silent > self._settings.stream_silence_seconds:
            self.wire.finish(Ending.RECONNECT, f"no successful connect for {silent:.0f} s")
        elif self._channel not in self._client.subscriptions:
            self.wire.finish(Ending.RECONNECT, "the subscription was lost silently")


async def _still(transport: Any) -> None:
    """Stop the library's connect loop for good, without its CancelledError in the log."""
    transport._follow_advice = _no_more  # noqa: SLF001 - its callback may be scheduled already, and overrules every state
    task = transport._connect_task  # noqa: SLF001
    if task is not None:
        task.remove_done_callback(transport._connect_done)  # noqa: SLF001
        if not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=_GOODBYE_SECONDS)
        elif not task.cancelled():
            task.exception()  # seen: nobody else will ask


def _no_more(_advice: str, _delay: float | None) -> None:
    """Start nothing."""


class _Wire(Arrivals, ReplayMarkerStorage):
    """Sits between the library and the wire: takes the events, judges the rest, adds the position to the subscription."""

    def __init__(self, channel: str, replay_id: int, monotonic: Callable[[], float], *, pending_max: int) -> None:
        Arrivals.__init__(self, monotonic, pending_max=pending_max)
        ReplayMarkerStorage.__init__(self)
        self._channel, self._replay_id = channel, replay_id
        self._asked = False
        self._status = 200

    async def outgoing(self, payload: list[Message], _headers: Any) -> None:
        """Called by the library before it sends."""
        for message in payload:
            match message["channel"]:
                case "/meta/handshake":
                    message["ext"] = {"replay": True}
                case "/meta/subscribe":
                    message["ext"] = {"replay": {self._channel: self._replay_id}}
                case "/meta/connect":
                    if self._asked:
                        self.finish(Ending.RECONNECT, "a connect got no answer that can be read")
                    self._asked = True
        if self.end is not None:
            raise TransportError("this client has ended")

    async def incoming(self, payload: list[Message], _headers: Any = None) -> None:
        """Called by the library when an answer was parsed, before it looks at it."""
        if not _is_bayeux(payload):
            self.http_failed(self._status, "not Bayeux")
            raise TransportError("the answer isn't Bayeux")
        meta = [each for each in payload if each["channel"].startswith("/meta/")]
        events = [each for each in payload if not each["channel"].startswith("/meta/")]
        for message in meta:
            self._judge(message, quiet=not events)
        payload[:] = meta
        self.arrived(events)

    def _judge(self, message: Message, *, quiet: bool) -> None:
        advice = message.get("advice")
        if isinstance(advice, dict) and isinstance(advice.get("interval"), int | float):
            message["advice"] = {**advice, "interval": advice["interval"] / 1000}
        message.setdefault("successful", False)
        end = ending(message)
        if end is not None:
            self.ended(end)
        elif message["channel"] == "/meta/connect":
            self.heard()
            self.quiet = quiet and self.answers > 1
        if message["channel"] == "/meta/connect":
            self._asked = False

    def http_answered(self, status: int, content_type: str) -> None:
        """Status and type of an answer, before its body is read. JSON is left to `incoming`: its words say more."""
        self._status = status
        if status >= 400 and "json" not in content_type:
            self.http_failed(status, content_type)

    def http_failed(self, status: int, what: str) -> None:
        """An answer that isn't of the stream."""
        self.finish(Ending.LOG_IN if status == 401 else Ending.RECONNECT, f"HTTP {status} {what}".strip())

    async def get_replay_marker(self, _subscription: str) -> ReplayMarker | None:
        """Not asked: `outgoing` adds the position itself."""
        return None

    async def set_replay_marker(self, _subscription: str, _replay_marker: ReplayMarker) -> None:
        """Not called: positions are the relay's, saved after Kafka's acknowledgement."""


def _is_bayeux(payload: Any) -> bool:
    return isinstance(payload, list) and all(isinstance(each, dict) and isinstance(each.get("channel"), str) for each in payload)


class _Login(AuthenticatorBase):
    """The session's token for the library, which asks for a new one at every 401 and 403: it gets none once the client has ended."""

    def __init__(self, session: Session, wire: _Wire) -> None:
        super().__init__()
        self.token: Token | None = None
        self._shared = session
        self._wire = wire

    async def _authenticate(self) -> tuple[int, dict[str, Any]]:
        if self._wire.end is not None:
            raise TransportError("this client has ended")
        self.token = await self._shared.token()
        return 200, {"access_token": self.token.access_token, "token_type": self.token.token_type, "instance_url": self.token.instance_url}


class _Client(Client):
    """The library's client with our HTTP session and API version."""

    def __init__(self, login: _Login, wire: _Wire, version: str) -> None:
        super().__init__(
            login,
            replay=wire,
            replay_storage_policy=ReplayMarkerStoragePolicy.MANUAL,
            connection_timeout=0,
            max_pending_count=0,
            json_dumps=lambda value: orjson.dumps(value).decode(),
            json_loads=orjson.loads,
        )
        self._connection_types = [ConnectionType.LONG_POLLING]
        self._http_session: aiohttp.ClientSession | None = None
        self._version = version
        self._wire = wire

    def get_cometd_url(self, instance_url: str) -> str:
        """The endpoint of our API version."""
        return f"{instance_url}/cometd/{self._version}"

    async def shut(self) -> None:
        """Close the HTTP session at once."""
        if self._http_session is not None:
            await self._http_session.close()

    async def _get_http_session(self) -> aiohttp.ClientSession:
        if self._http_session is None:
            trace = aiohttp.TraceConfig()
            trace.on_request_end.append(self._answered)
            trace.on_request_exception.append(self._broke)
            self._http_session = aiohttp.ClientSession(
                json_serialize=self._json_dumps,
                cookie_jar=aiohttp.CookieJar(unsafe=True),
                timeout=aiohttp.ClientTimeout(total=_HELD_SECONDS, sock_connect=10),
                trace_configs=[trace],
            )
        return self._http_session

    async def _close_http_session(self) -> None:
        await self.shut()

    async def _answered(self, _session: aiohttp.ClientSession, _context: SimpleNamespace, told: aiohttp.TraceRequestEndParams) -> None:
        self._wire.http_answered(told.response.status, told.response.headers.get("Content-Type", ""))

    async def _broke(self, _session: aiohttp.ClientSession, _context: SimpleNamespace, told: aiohttp.TraceRequestExceptionParams) -> None:
        if not isinstance(told.exception, asyncio.CancelledError):  # that is we, stopping
            self._wire.finish(Ending.RECONNECT, f"the connection broke: {type(told.exception).__name__}")

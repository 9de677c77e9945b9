"""One life of a subscription to the Pub/Sub API: the only module that touches grpcio."""

import asyncio
import base64
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import grpc

from streams.salesforce.api.access.login import Token
from streams.salesforce.api.access.session import Session
from streams.salesforce.sources.arrivals import Arrivals, Message
from streams.salesforce.sources.endings import End, Ending
from streams.salesforce.sources.pubsub.endings import ending
from streams.salesforce.sources.pubsub.messages import CUSTOM, EARLIEST, LATEST, SERVICE, message
from streams.salesforce.sources.pubsub.payload import Form, UnreadableError

ASKED_MAX = 100
"""More events than this can't be asked for at once (Pub/Sub API guide, flow control)."""
_MORE_BELOW = ASKED_MAX // 2
_PRESETS = {-1: LATEST, -2: EARLIEST}
_ID_BYTES, _ID_MAX = 8, 2**63
_SILENCE_SECONDS = 300.0
"""The server says something every 270 s at the latest while events are asked for."""
_PROBE_SECONDS, _PROBE_ANSWER_SECONDS = 30.0, 15.0
"""A connection that has been silent for so long is asked whether it is there (GetTopic)."""
_STANDS_SECONDS = 2.0
_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.enable_retries", 0))
"""An answer may hold 100 events of 1 MB."""


class PubSub:
    """Makes clients for one session; the forms of events that one has learnt, the next knows."""

    def __init__(self, session: Session, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._session, self._monotonic = session, monotonic
        self._forms: dict[str, Form] = {}

    def client(self, replay_id: int) -> "PubSubClient":
        """A client that begins behind `replay_id`: `Connect`."""
        return PubSubClient(self._session, replay_id=replay_id, forms=self._forms, monotonic=self._monotonic)


class PubSubClient:
    """A `StreamClient` that subscribes by gRPC. Events are asked for as they are taken in, up to 100 at a time."""

    def __init__(
        self, session: Session, *, replay_id: int, forms: dict[str, Form], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.wire = Arrivals(monotonic, pending_max=session.settings.stream_pending_max)
        self._session, self._settings, self._monotonic = session, session.settings, monotonic
        self._topic, self._replay_id, self._forms = session.settings.channel, replay_id, forms
        self._token: Token | None = None
        self._channel: Any = None
        self._call: Any = None
        self._reading: asyncio.Task[None] | None = None
        self._probing: asyncio.Task[None] | None = None
        self._answered = monotonic()

    @property
    def end(self) -> End | None:
        """See `StreamClient`."""
        return self.wire.end

    @property
    def token(self) -> Token | None:
        """See `StreamClient`."""
        return self._token

    async def open(self) -> None:
        """See `StreamClient`. What is asked for from now on is waited for until it is known to be, as far as the server says so."""
        self._token = await self._session.token()
        try:
            self._channel = _channel(self._settings.pubsub_url)
            async with asyncio.timeout(self._settings.stream_open_seconds):
                await self._probe()
                self._call = self._stream("Subscribe", "FetchResponse")
                await self._call.write(self._first())
            if self._replay_id in _PRESETS:
                await asyncio.wait([asyncio.ensure_future(self._call.initial_metadata())], timeout=_STANDS_SECONDS)
        except TimeoutError:
            self.wire.finish(Ending.RECONNECT, f"the stream didn't open within {self._settings.stream_open_seconds:g} s")
        except grpc.aio.AioRpcError as error:
            self.wire.ended(_end_of(error))
        except asyncio.InvalidStateError:
            pass  # the call has ended already: its reader learns why
        if self._call is not None and self.end is None:
            self._reading = asyncio.create_task(self._read(), name="reader of the Pub/Sub API")

    async def wait(self) -> None:
        """See `StreamClient`."""
        if await self.wire.nothing_for(self._settings.stream_check_seconds):
            self._check()

    async def close(self) -> None:
        """See `StreamClient`."""
        self.wire.finish(Ending.RECONNECT, "closed")
        for task in (self._reading, self._probing):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        if self._call is not None:
            self._call.cancel()
        if self._channel is not None:
            await self._channel.close()

    def _first(self) -> Any:
        if self._replay_id in _PRESETS:
            return message("FetchRequest")(topic_name=self._topic, replay_preset=_PRESETS[self._replay_id], num_requested=ASKED_MAX)
        place = self._replay_id.to_bytes(_ID_BYTES, "big")
        return message("FetchRequest")(topic_name=self._topic, replay_preset=CUSTOM, replay_id=place, num_requested=ASKED_MAX)

    async def _read(self) -> None:
        """Answers until the call ends, each event put into the form of the Streaming API."""
        try:
            async for answer in self._call:
                self._answered = self._monotonic()
                events = [await self._told(event) for event in answer.events]
                self.wire.heard()
                last = max((event["data"]["event"].get("replayId") or 0 for event in events), default=0)
                reached = _number(answer.latest_replay_id)
                if reached is not None and (not events or reached > last):
                    self.wire.reached = max(self.wire.reached, reached)
                self.wire.arrived(events)
                if self.end is not None:
                    return
                if answer.pending_num_requested <= _MORE_BELOW:
                    await self._call.write(message("FetchRequest")(num_requested=ASKED_MAX - answer.pending_num_requested))
            self.wire.finish(Ending.RECONNECT, "the server ended the subscription")
        except grpc.aio.AioRpcError as error:
            self.wire.ended(_end_of(error))
        except asyncio.InvalidStateError:
            self.wire.finish(Ending.RECONNECT, "the subscription ended while more was asked for")
        except UnreadableError as error:
            self.wire.finish(Ending.RECONNECT, str(error))

    async def _told(self, event: Any) -> Message:
        """The event; one that can't be read keeps its bytes, and waits alone behind the border."""
        number = _number(event.replay_id)
        if number is None:
            words = "a replay id of the Pub/Sub API that is no number of 8 bytes: positions can't be kept"
            self.wire.ended(End(kind=Ending.REFUSED, words=words, remedy="Set salesforce.stream to cometd."))
        schema = event.event.schema_id
        data: dict[str, Any] = {"schema": schema, "event": {"replayId": number}}
        try:
            data["payload"] = (await self._form(schema)).payload(event.event.payload)
        except UnreadableError as error:
            data |= {"unreadable": str(error), "avro": base64.b64encode(event.event.payload).decode()}
        return {"channel": self._topic, "data": data}

    async def _form(self, schema_id: str) -> Form:
        found = self._forms.get(schema_id)
        if found is None:
            info = await self._ask("GetSchema", "SchemaInfo", message("SchemaRequest")(schema_id=schema_id))
            found = self._forms[schema_id] = Form(info.schema_json)
        return found

    def _check(self) -> None:
        now = self._monotonic()
        if now - self._answered > _SILENCE_SECONDS:
            self.wire.finish(Ending.RECONNECT, f"no answer of the subscription for {now - self._answered:.0f} s")
        elif now - self.wire.last_heard > _PROBE_SECONDS and (self._probing is None or self._probing.done()):
            self._probing = asyncio.create_task(self._prove(), name="probe of the Pub/Sub API")

    async def _prove(self) -> None:
        """Whether the connection and the log-in are still good."""
        try:
            await self._probe()
        except grpc.aio.AioRpcError as error:
            self.wire.ended(_end_of(error))

    async def _probe(self) -> None:
        topic = await self._ask("GetTopic", "TopicInfo", message("TopicRequest")(topic_name=self._topic))
        if not topic.can_subscribe:
            words = f"the user may not subscribe to {self._topic}, or it carries nothing that he may see"
            remedy = "Give the integration user View All Data, or View All Records on each streamed object."
            self.wire.ended(End(kind=Ending.REFUSED, words=words, remedy=remedy))
        self.wire.heard()

    async def _ask(self, method: str, answer: str, request: Any) -> Any:
        call = self._channel.unary_unary(f"/{SERVICE}/{method}", request.__class__.SerializeToString, message(answer).FromString)
        return await call(request, metadata=self._metadata(), timeout=_PROBE_ANSWER_SECONDS)

    def _stream(self, method: str, answer: str) -> Any:
        serialise = message("FetchRequest").SerializeToString
        return self._channel.stream_stream(f"/{SERVICE}/{method}", serialise, message(answer).FromString)(metadata=self._metadata())

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        token = self._token
        if token is None:
            raise RuntimeError("not opened")
        return (("accesstoken", token.access_token), ("instanceurl", token.instance_url), ("tenantid", token.org_id))


def _channel(url: str) -> Any:
    """Encrypted for https. Each client has a connection of its own: a broken one isn't handed on."""
    place = urlsplit(url)
    options = (*_OPTIONS, ("grpc.use_local_subchannel_pool", 1))
    if place.scheme == "https":
        return grpc.aio.secure_channel(place.netloc, grpc.ssl_channel_credentials(), options=options)
    return grpc.aio.insecure_channel(place.netloc, options=options)


def _number(replay_id: bytes) -> int | None:
    """A replay id as the Streaming API tells it: the bytes are that number. None where they can't be."""
    found = int.from_bytes(replay_id, "big") if 0 < len(replay_id) <= _ID_BYTES else _ID_MAX
    return found if found < _ID_MAX else None


def _end_of(error: grpc.aio.AioRpcError) -> End:
    trailers: Mapping[str, Any] = {str(key): value for key, value in error.trailing_metadata() or ()}
    return ending(error.code().name, str(trailers.get("error-code") or ""), error.details() or "")

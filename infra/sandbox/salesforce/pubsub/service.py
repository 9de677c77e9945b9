"""The gRPC service: unary look-ups, and subscriptions with flow control, keep-alives and error trailers (Pub/Sub API guide)."""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import msgspec

from infra.sandbox.salesforce.org.org import Org
from infra.sandbox.salesforce.pubsub.messages import SERVICE, message
from infra.sandbox.salesforce.pubsub.subscription import Encoders, RpcError, Subscription, entities, replay_bytes, start
from infra.sandbox.salesforce.wire.ids import ORG_ID

_log = logging.getLogger(__name__)
Context = Any


_METHODS = {
    name: f"gRPC /{SERVICE}/{method}"
    for name, method in (
        ("topic", "GetTopic"), ("schema", "GetSchema"), ("publish", "Publish"), ("subscribe", "Subscribe"),
        ("managed_subscribe", "ManagedSubscribe"),
    )
}  # fmt: skip
"""Names in the meters."""


class Fetch(msgspec.Struct, kw_only=True, eq=False):
    """A running Subscribe call: requests that came, and whether the client said all that it will."""

    wake: asyncio.Event
    commits: list[Any] = msgspec.field(default_factory=list)
    problem: RpcError | None = None
    ended: bool = False
    emptied_at: float = 0.0


class PubSub:
    """`serve` gives the handlers to a gRPC server; `close` ends all subscriptions."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._encoders = Encoders(org)
        self._running: set[Fetch] = set()
        self._managed: set[str] = set()
        self._closing = False
        org.subscriptions = lambda: len(self._running)
        org.log.listeners.add(self._wake)
        self._before = org.faults.changed
        org.faults.changed = self._faults_changed

    def handlers(self) -> grpc.GenericRpcHandler:
        def unary(call: Callable[[Any, str, str], Any], request: str) -> Any:
            return grpc.unary_unary_rpc_method_handler(self._unary(call), message(request).FromString, _serialise)

        def stream(call: Callable[[AsyncIterator[Any], Context], AsyncIterator[Any]], request: str) -> Any:
            return grpc.stream_stream_rpc_method_handler(call, message(request).FromString, _serialise)

        return grpc.method_handlers_generic_handler(SERVICE, {
            "GetTopic": unary(self._topic, "TopicRequest"), "GetSchema": unary(self._schema, "SchemaRequest"),
            "Publish": unary(self._publish, "PublishRequest"), "Subscribe": stream(self.subscribe, "FetchRequest"),
            "ManagedSubscribe": stream(self.managed_subscribe, "ManagedFetchRequest"),
        })  # fmt: skip

    def close(self) -> None:
        self._closing = True
        self._wake()

    # -- look-ups

    def _topic(self, request: Any, user_id: str, rpc_id: str) -> Any:
        name = request.topic_name
        found = entities(self._org, user_id, name)
        single = self._org.schema.by_change_event.get(name.removeprefix("/data/"))
        schema_id = "" if single is None else self._org.event_schemas.id_of(single.name)
        return message("TopicInfo")(
            topic_name=name,
            tenant_guid=f"core/sandbox/{ORG_ID}",
            can_publish=False,
            can_subscribe=bool(found),
            schema_id=schema_id,
            rpc_id=rpc_id,
        )

    def _schema(self, request: Any, _: str, rpc_id: str) -> Any:
        text = self._org.event_schemas.text_of(request.schema_id)
        if text is None:
            raise RpcError(grpc.StatusCode.NOT_FOUND, "schema.not.found", f"Schema {request.schema_id} not found")
        return message("SchemaInfo")(schema_json=text.decode(), schema_id=request.schema_id, rpc_id=rpc_id)

    def _publish(self, request: Any, _: str, __: str) -> Any:
        raise RpcError(grpc.StatusCode.UNIMPLEMENTED, "publish.unavailable", f"NOT_IN_SANDBOX: publishing to {request.topic_name}")

    def _unary(self, call: Callable[[Any, str, str], Any]) -> Callable[[Any, Context], Awaitable[Any]]:
        async def handle(request: Any, context: Context) -> Any:
            rpc_id = str(uuid.uuid4())
            name = call.__name__.strip("_")
            try:
                user_id = self._user(context)
                self._planned(name, user_id)
                self._count(user_id, _METHODS[name], 0)
                return call(request, user_id, rpc_id)
            except RpcError as refused:
                return await _abort(context, refused, rpc_id)

        return handle

    # -- subscriptions

    async def subscribe(self, requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        """Topic and start come with the first request, numbers of events with each."""
        rpc_id = str(uuid.uuid4())
        fetch = Fetch(wake=asyncio.Event())
        reader: asyncio.Task[None] | None = None
        try:
            user_id = self._user(context)
            self._planned("subscribe", user_id)
            first = await anext(aiter(requests))
            at = start(self._org, first.topic_name, first.replay_preset, first.replay_id)
            subscription = self._subscription(user_id, first.topic_name, at)
            subscription.request(first.num_requested)
            self._count(user_id, _METHODS["subscribe"], 0)
            await context.send_initial_metadata(())
            reader = asyncio.create_task(_read(requests, subscription, fetch))
            async for answer in self._answers("FetchResponse", subscription, fetch, rpc_id):
                yield answer
        except RpcError as refused:
            await _abort(context, refused, rpc_id)
        except StopAsyncIteration:
            return
        finally:
            self._running.discard(fetch)
            if reader is not None:
                reader.cancel()

    async def managed_subscribe(self, requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        """A subscription whose place the org keeps (ManagedEventSubscription); one client at a time."""
        rpc_id = str(uuid.uuid4())
        fetch = Fetch(wake=asyncio.Event())
        reader: asyncio.Task[None] | None = None
        name = ""
        try:
            user_id = self._user(context)
            self._planned("subscribe", user_id)
            first = await anext(aiter(requests))
            managed = self._org.managed_of(first.subscription_id, first.developer_name)
            if managed is None:
                raise RpcError(grpc.StatusCode.NOT_FOUND, "subscription.managed.not.found", "No such managed subscription")  # noqa: TRY301
            if managed.name in self._managed:
                text = "The managed subscription is in use by another client"
                raise RpcError(grpc.StatusCode.ALREADY_EXISTS, "subscription.managed.in.use", text)  # noqa: TRY301
            name = managed.name
            self._managed.add(name)
            subscription = self._subscription(user_id, managed.topic, self._managed_start(name))
            subscription.request(first.num_requested)
            self._count(user_id, _METHODS["managed_subscribe"], 0)
            reader = asyncio.create_task(_read(requests, subscription, fetch))
            async for answer in self._answers("ManagedFetchResponse", subscription, fetch, rpc_id, managed=name):
                yield answer
        except RpcError as refused:
            await _abort(context, refused, rpc_id)
        except StopAsyncIteration:
            return
        finally:
            self._running.discard(fetch)
            self._managed.discard(name)
            if reader is not None:
                reader.cancel()

    async def _answers(self, kind: str, subscription: Subscription, fetch: Fetch, rpc_id: str, managed: str = "") -> AsyncIterator[Any]:
        """Events as they come, an empty answer now and then while events are asked for, the end when nobody asks any more."""
        self._running.add(fetch)
        options, spoke = self._org.options, time.monotonic()
        fetch.emptied_at = spoke
        while not self._closing:
            fetch.wake.clear()
            if fetch.problem is not None:
                raise fetch.problem
            self._planned("stream", subscription.user_id)
            while fetch.commits:
                yield message(kind)(rpc_id=rpc_id, commit_response=self._commit(managed, fetch.commits.pop(0)))
            events = subscription.due()
            now = time.monotonic()
            keep_alive = subscription.pending > 0 and now - spoke >= options.pubsub_keepalive_seconds
            if events or keep_alive:
                yield message(kind)(
                    events=events, latest_replay_id=replay_bytes(subscription.at), rpc_id=rpc_id, pending_num_requested=subscription.pending
                )
                self._count(subscription.user_id, "gRPC events", len(events))
                spoke = fetch.emptied_at = now
                continue
            if subscription.pending:
                fetch.emptied_at = now
                left = spoke + options.pubsub_keepalive_seconds - now
            else:
                left = fetch.emptied_at + options.pubsub_idle_seconds - now
                if left <= 0 or fetch.ended:
                    return
            try:
                async with asyncio.timeout(max(0.001, left)):  # wait_for may swallow a call's end that comes with its last request
                    await fetch.wake.wait()
            except TimeoutError:
                continue

    def _subscription(self, user_id: str, topic: str, at: int) -> Subscription:
        return Subscription(
            org=self._org, encoders=self._encoders, user_id=user_id, topic=topic, entities=entities(self._org, user_id, topic), at=at
        )

    def _managed_start(self, name: str) -> int:
        managed = self._org.managed[name]
        if managed.committed is not None and self._org.log.holds(managed.committed):
            return managed.committed
        preset = managed.default_replay if managed.committed is None else managed.error_recovery_replay
        return start(self._org, managed.topic, 1 if preset == "EARLIEST" else 0, b"")

    def _commit(self, name: str, request: Any) -> Any:
        response = message("CommitReplayResponse")(
            commit_request_id=request.commit_request_id, replay_id=request.replay_id, process_time=self._org.clock.now_ms()
        )
        replay_id = int.from_bytes(request.replay_id, "big")
        if self._org.log.holds(replay_id):
            self._org.set_up("commit_replay", {"name": name, "replay_id": replay_id})
        else:
            response.error.code, response.error.msg = 2, "The replay ID to commit is not valid"
        return response

    # -- parts

    def _user(self, context: Context) -> str:
        """The id of the caller. Raises `RpcError` UNAUTHENTICATED."""
        said = {str(key): value for key, value in context.invocation_metadata() or ()}
        session = self._org.session_of(str(said.get("accesstoken", "")) or None)
        tenant = str(said.get("tenantid", ""))
        if session is None or not said.get("instanceurl") or tenant not in (ORG_ID, ORG_ID[:15]):
            text = "An authentication exception occurred. Please check the authentication metadata."
            raise RpcError(grpc.StatusCode.UNAUTHENTICATED, "service.auth.error", text)
        return session.user_id

    def _planned(self, on: str, user_id: str) -> None:
        fault = self._org.faults.take(("pubsub_error",), method=on, actor=self._org.user_name(user_id))
        if fault is not None:
            status = getattr(grpc.StatusCode, str(fault.action.get("status", "UNAVAILABLE")))
            raise RpcError(
                status, str(fault.action.get("error_code", "service.unavailable")), str(fault.action.get("details", "unavailable"))
            )

    def _count(self, user_id: str, endpoint: str, records: int) -> None:
        self._org.meters.count(self._org.user_name(user_id), endpoint, calls=1, records=records)

    def _faults_changed(self) -> None:
        self._before()
        self._wake()

    def _wake(self) -> None:
        for fetch in self._running:
            fetch.wake.set()


async def _read(requests: AsyncIterator[Any], subscription: Subscription, fetch: Fetch) -> None:
    """Takes in the requests after the first, until the client has said all."""
    async for request in requests:
        commits = request.DESCRIPTOR.name == "ManagedFetchRequest" and request.HasField("commit_replay_id_request")
        if commits:
            fetch.commits.append(request.commit_replay_id_request)
        try:
            if request.num_requested or not commits:
                subscription.request(request.num_requested)
        except RpcError as refused:
            fetch.problem = refused
        fetch.wake.set()
    fetch.ended = True
    fetch.wake.set()


async def _abort(context: Context, refused: RpcError, rpc_id: str) -> Any:
    trailers = (("error-code", refused.error_code), ("rpc-id", rpc_id))
    return await context.abort(refused.status, refused.details, trailers)


def _serialise(answer: Any) -> bytes:
    data: bytes = answer.SerializeToString()
    return data

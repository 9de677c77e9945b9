"""The Pub/Sub API through a client that is generated from the proto file, with Avro read by fastavro."""

from __future__ import annotations

import asyncio
import importlib.util
import io
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import fastavro
import grpc
import pytest
from grpc_tools import protoc

from infra.sandbox.kernel.process import ChildSettings, start_server
from infra.sandbox.salesforce.process import build
from tests.infra.sandbox.conformance import Records
from tests.infra.sandbox.salesforce.conftest import CONTROL_TOKEN, CREDENTIALS, Client

PROTO = Path(__file__).with_name("pubsub_api.proto")
TENANT = "00D5f000000TdemEAC"
LEADS = "/data/LeadChangeEvent"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ModuleType, ModuleType]]:
    """(messages, stub) as protoc makes them."""
    folder = tmp_path_factory.mktemp("stubs")
    code = protoc.main(["protoc", f"-I{PROTO.parent}", f"--python_out={folder}", f"--grpc_python_out={folder}", str(PROTO)])
    assert code == 0
    sys.path.insert(0, str(folder))
    modules = []
    for name in ("pubsub_api_pb2", "pubsub_api_pb2_grpc"):
        spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        modules.append(module)
    yield modules[0], modules[1]
    sys.path.remove(str(folder))


@dataclass
class Bus:
    """A client of the bus, and the org behind it."""

    org: Client
    pb: Any
    stub: Any
    conformance: Records

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return (("accesstoken", self.org.token), ("instanceurl", self.org.url), ("tenantid", TENANT))

    def subscribe(self, topic: str = LEADS, *, count: int = 10, preset: int = 1, replay_id: bytes = b"") -> Any:
        """An open call with one request in it."""
        call = self.stub.Subscribe(metadata=self.metadata)
        request = self.pb.FetchRequest(topic_name=topic, replay_preset=preset, replay_id=replay_id, num_requested=count)
        return Subscribed(self, call, request)

    async def decoded(self, event: Any) -> dict[str, Any]:
        info = await self.stub.GetSchema(self.pb.SchemaRequest(schema_id=event.event.schema_id), metadata=self.metadata)
        schema = fastavro.parse_schema(json.loads(info.schema_json))
        record: Any = fastavro.schemaless_reader(io.BytesIO(event.event.payload), schema, schema)
        header = record["ChangeEventHeader"]
        fields = json.loads(info.schema_json)["fields"]
        for name in ("changedFields", "nulledFields", "diffFields"):
            header[name] = expanded(fields, header[name])
        return dict(record)


class Subscribed:
    def __init__(self, bus: Bus, call: Any, first: Any) -> None:
        self._bus, self.call, self._first = bus, call, first

    async def __aenter__(self) -> Self:
        with suppress(grpc.aio.AioRpcError):  # who is refused at once hears so from the first read, too
            await self.call.write(self._first)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.call.cancel()
        meters = self._bus.org.running.system.meters.report()["rows"]
        rows = [row for row in meters if row["endpoint"].startswith("gRPC")]
        self._bus.conformance.met(f"grpcio {grpc.__version__}", "salesforce", rows)

    async def answer(self) -> Any:
        return await asyncio.wait_for(self.call.read(), 10)

    async def events(self, count: int) -> list[Any]:
        found: list[Any] = []
        while len(found) < count:
            answer = await self.answer()
            assert answer is not grpc.aio.EOF
            found += answer.events
        return found

    async def more(self, count: int) -> None:
        await self.call.write(self._bus.pb.FetchRequest(num_requested=count))

    async def _to_the_end(self) -> None:
        while await self.answer() is not grpc.aio.EOF:
            pass

    async def refusal(self) -> tuple[grpc.StatusCode, str]:
        """(status, error-code) with which the server ends the call."""
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await self._to_the_end()
        trailers = dict(refused.value.trailing_metadata())
        assert trailers["rpc-id"]
        return refused.value.code(), trailers["error-code"].removeprefix("sfdc.platform.eventbus.grpc.")


def expanded(fields: list[dict[str, Any]], bitmaps: list[str]) -> list[str]:
    """Names of fields from bitmaps, as Salesforce's own example does it."""
    names: list[str] = []
    for bitmap in bitmaps:
        place, _, bits = bitmap.rpartition("-")
        of, prefix = fields, ""
        if place:
            parent = fields[int(place)]
            of, prefix = next(each for each in parent["type"] if isinstance(each, dict))["fields"], f"{parent['name']}."
        assert len(bits) % 2 == 0, "whole bytes"
        number = int(bits, 16)
        names += [f"{prefix}{field['name']}" for position, field in enumerate(of) if number >> position & 1]
    return names


@pytest.fixture
async def bus(tmp_path: Path, generated: tuple[ModuleType, ModuleType], conformance: Records) -> AsyncIterator[Bus]:
    import aiohttp  # noqa: PLC0415

    running = await build(ChildSettings(data=str(tmp_path / "org"), credentials=CREDENTIALS, options={"grpc_port": "0"}))
    runner, port = await start_server(running, CONTROL_TOKEN, "127.0.0.1", 0)
    async with aiohttp.ClientSession() as session, grpc.aio.insecure_channel(running.facts["pubsub"]) as channel:
        org = Client(f"http://localhost:{port}", session, running)
        await org.log_in()
        yield Bus(org, generated[0], generated[1].PubSubStub(channel), conformance)
    await runner.cleanup()
    assert running.stop is not None
    await running.stop()
    running.system.journal.close()


async def lead(org: Client, name: str, **more: Any) -> str:
    return str((await org.call("POST", "/sobjects/Lead", {"LastName": name, "Company": "Acme", **more})).body["id"])


async def test_events_arrive_as_avro_with_bitmaps(bus: Bus) -> None:
    async with bus.subscribe() as heard:
        record_id = await lead(bus.org, "Ito", City="Oslo", Title="CTO")
        created = await bus.decoded((await heard.events(1))[0])
        assert created["ChangeEventHeader"]["recordIds"] == [record_id]
        assert created["ChangeEventHeader"]["changeType"] == "CREATE"
        assert created["Name"]["LastName"] == "Ito"
        assert isinstance(created["CreatedDate"], int)
        assert created["Rating"] is None
        await bus.org.call("PATCH", f"/sobjects/Lead/{record_id}", {"City": "Bergen", "Title": None, "FirstName": "Aki"})
        updated = await bus.decoded((await heard.events(1))[0])
        header = updated["ChangeEventHeader"]
        assert set(header["changedFields"]) == {"Title", "LastModifiedDate", "Address.City", "Name.FirstName"}
        assert header["nulledFields"] == ["Title"]
        assert updated["Address"]["City"] == "Bergen"
        assert updated["Company"] is None
        await bus.org.call("DELETE", f"/sobjects/Lead/{record_id}")
        deleted = await bus.decoded((await heard.events(1))[0])
        assert deleted["ChangeEventHeader"]["changeType"] == "DELETE"
        assert deleted["ChangeEventHeader"]["changedFields"] == []


async def test_long_texts_are_differences(bus: Bus) -> None:
    lines = [f"line {number} of a long description" for number in range(80)]
    record_id = await lead(bus.org, "Long", Description="\n".join(lines))
    async with bus.subscribe() as heard:
        await bus.org.call("PATCH", f"/sobjects/Lead/{record_id}", {"Description": "\n".join([*lines[:40], "another", *lines[41:]])})
        event = await bus.decoded((await heard.events(2))[1])
    assert event["ChangeEventHeader"]["diffFields"] == ["Description"]
    assert "+another" in event["Description"]


async def test_replay_presets_and_flow_control(bus: Bus) -> None:
    for number in range(5):
        await lead(bus.org, f"n{number}")
    async with bus.subscribe(preset=1, count=2) as heard:
        first = await heard.answer()
        assert len(first.events) == 2
        assert first.pending_num_requested == 0
        await heard.more(500)
        rest = await heard.events(3)
    async with bus.subscribe(preset=2, replay_id=first.events[1].replay_id) as heard:
        again = await heard.events(3)
    assert [event.replay_id for event in again] == [event.replay_id for event in rest]
    assert again[-1].replay_id == rest[-1].replay_id


async def test_latest_is_what_comes_from_now_on(bus: Bus) -> None:
    await lead(bus.org, "before")
    async with bus.subscribe(preset=0) as heard:
        async with asyncio.timeout(10):
            while "PubSub/Subscribe" not in str((await bus.org.control("GET", "meters")).body["rows"]):
                await asyncio.sleep(0.01)
        await lead(bus.org, "after")
        [event] = await heard.events(1)
    assert (await bus.decoded(event))["Name"]["LastName"] == "after"


async def test_refusals_carry_their_codes(bus: Bus) -> None:
    await lead(bus.org, "one")
    async with bus.subscribe(preset=2, replay_id=b"\0\0\0\0\0\0\0\1") as heard:
        assert await heard.refusal() == (grpc.StatusCode.INVALID_ARGUMENT, "subscription.fetch.replayid.corrupted")
    async with bus.subscribe(preset=2) as heard:
        assert await heard.refusal() == (grpc.StatusCode.INVALID_ARGUMENT, "subscription.fetch.replayid.validation.failed")
    async with bus.subscribe(count=0) as heard:
        assert await heard.refusal() == (grpc.StatusCode.INVALID_ARGUMENT, "subscription.fetch.requested.events.invalid")
    async with bus.subscribe("/data/Nothing") as heard:
        assert (await heard.refusal())[0] == grpc.StatusCode.NOT_FOUND
    await bus.org.verb("set_object_permission", {"user": CREDENTIALS["tandem"]["username"], "object": "Lead", "view_all": False})
    async with bus.subscribe() as heard:
        assert (await heard.refusal())[0] == grpc.StatusCode.PERMISSION_DENIED
    await bus.org.verb("set_options", {"delivered_events_per_day": 0})
    await bus.org.verb("set_object_permission", {"user": CREDENTIALS["tandem"]["username"], "object": "Lead", "view_all": True})
    async with bus.subscribe(preset=1) as heard:
        assert await heard.refusal() == (grpc.StatusCode.RESOURCE_EXHAUSTED, "subscription.limit.exceeded")
    bus.org.token = "nobody"
    async with bus.subscribe() as heard:
        assert await heard.refusal() == (grpc.StatusCode.UNAUTHENTICATED, "service.auth.error")


async def test_keep_alives_and_the_end_of_an_idle_call(bus: Bus) -> None:
    await bus.org.verb("set_options", {"pubsub_keepalive_seconds": 0.05, "pubsub_idle_seconds": 0.05})
    async with bus.subscribe(count=1) as heard:
        alive = await heard.answer()
        assert list(alive.events) == []
        assert alive.pending_num_requested == 1
        await lead(bus.org, "last")
        await heard.events(1)
        assert await heard.answer() is grpc.aio.EOF


async def subscriptions(bus: Bus, count: int) -> None:
    """Until the org serves so many."""
    async with asyncio.timeout(60):
        while (await bus.org.control("GET", "meters")).body["pubsub_subscriptions"] != count:
            await asyncio.sleep(0.01)


async def test_a_subscription_that_was_cancelled_takes_nothing_any_more(bus: Bus) -> None:
    for _ in range(3):
        async with bus.subscribe() as heard:
            await lead(bus.org, "one")
            await heard.events(1)
            await subscriptions(bus, 1)
        await subscriptions(bus, 0)


async def test_a_fault_ends_the_stream(bus: Bus) -> None:
    async with bus.subscribe() as heard:
        await lead(bus.org, "one")
        await heard.events(1)
        await bus.org.fault({"type": "pubsub_error", "on": "stream", "status": "UNAVAILABLE"})
        assert await heard.refusal() == (grpc.StatusCode.UNAVAILABLE, "service.unavailable")


async def test_events_that_are_not_as_they_should_be(bus: Bus) -> None:
    await bus.org.fault({"type": "duplicate"}, {"path": LEADS})
    await bus.org.fault({"type": "truncated"}, {"path": LEADS})
    await lead(bus.org, "a")
    await lead(bus.org, "b")
    async with bus.subscribe() as heard:
        cut, again, whole = await heard.events(3)
    assert (cut.replay_id, cut.event.payload) == (again.replay_id, again.event.payload)
    with pytest.raises((EOFError, IndexError, ValueError)):
        await bus.decoded(cut)
    assert (await bus.decoded(whole))["Name"]["LastName"] == "b"
    await bus.org.fault({"type": "reorder"}, {"path": LEADS})
    await bus.org.fault({"type": "malformed"}, {"path": LEADS})
    async with bus.subscribe() as heard:
        second, first = await heard.events(2)
    assert second.replay_id > first.replay_id
    assert (await bus.decoded(second))["Name"]["LastName"] == "b"
    assert set(first.event.payload) == {0xFF}


async def test_topics_and_custom_channels(bus: Bus) -> None:
    topic = await bus.stub.GetTopic(bus.pb.TopicRequest(topic_name=LEADS), metadata=bus.metadata)
    assert (topic.can_subscribe, topic.can_publish, topic.tenant_guid) == (True, False, f"core/sandbox/{TENANT}")
    assert topic.schema_id
    await bus.org.verb("add_channel", {"name": "Sync__chn"})
    member = {"channel": "Sync__chn", "entity": "Lead", "enriched": ["Email"], "filter": "ChangeEventHeader.changeType = 'UPDATE'"}
    await bus.org.verb("add_channel_member", member)
    async with bus.subscribe("/data/Sync__chn") as heard:
        record_id = await lead(bus.org, "x", Email="x@y.example")
        await bus.org.call("PATCH", f"/sobjects/Lead/{record_id}", {"Title": "CTO"})
        event = await bus.decoded((await heard.events(1))[0])
    assert event["ChangeEventHeader"]["changeType"] == "UPDATE"
    assert event["Email"] == "x@y.example"
    assert "Email" not in event["ChangeEventHeader"]["changedFields"]


async def test_managed_subscriptions_go_on_where_they_were(bus: Bus) -> None:
    await bus.org.verb("add_managed_subscription", {"name": "Sync", "topic": LEADS, "default_replay": "EARLIEST"})
    await lead(bus.org, "one")
    await lead(bus.org, "two")

    def call() -> Subscribed:
        return Subscribed(
            bus, bus.stub.ManagedSubscribe(metadata=bus.metadata), bus.pb.ManagedFetchRequest(developer_name="Sync", num_requested=1)
        )

    async with call() as heard:
        [first] = await heard.events(1)
        request = bus.pb.CommitReplayRequest(commit_request_id="c1", replay_id=first.replay_id)
        await heard.call.write(bus.pb.ManagedFetchRequest(commit_replay_id_request=request))
        committed = await heard.answer()
        assert committed.commit_response.commit_request_id == "c1"
        assert not committed.commit_response.HasField("error")
        async with call() as second:
            assert (await second.refusal())[0] == grpc.StatusCode.ALREADY_EXISTS
    async with asyncio.timeout(10):
        while True:
            async with call() as heard:
                try:
                    [event] = await heard.events(1)
                    break
                except grpc.aio.AioRpcError:  # the first call's end has not reached the server yet
                    continue
    assert (await bus.decoded(event))["Name"]["LastName"] == "two"

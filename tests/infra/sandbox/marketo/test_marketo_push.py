"""What the instance calls: webhooks, flow-step services, the data stream as webhook and as journal."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from infra.sandbox.kernel.system import VerbRefusedError


@dataclass
class Receiver:
    """An endpoint of ours; answers with `replies` in turn, then 200."""

    url: str = ""
    calls: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    replies: list[tuple[int, str]] = field(default_factory=list)
    challenge: bool = True
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.Response:
        if request.method == "GET" and "challenge" in request.query and self.challenge:
            return web.Response(text=request.query["challenge"])
        self.calls.append((f"{request.method} {request.path_qs}", dict(request.headers), await request.read()))
        self._news.set()
        status, text = self.replies.pop(0) if self.replies else (200, '{"ok": true}')
        return web.Response(status=status, text=text)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.calls) < count:
                self._news.clear()
                await self._news.wait()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made, app = Receiver(), web.Application()
    app.router.add_route("*", "/{tail:.*}", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


async def activities(server: Any, kind: int, count: int = 1) -> list[dict[str, Any]]:
    async with asyncio.timeout(20):
        while True:
            rows, _ = await server.drain(".json", await server.since(), activityTypeIds=str(kind))
            if len(rows) >= count:
                return list(rows)
            await asyncio.sleep(0.02)


def told(row: dict[str, Any]) -> dict[str, Any]:
    return {one["name"]: one["value"] for one in row["attributes"]}


async def test_a_webhook_with_tokens_headers_and_mappings(server: Any, receiver: Receiver) -> None:
    program = (await server.verb("program/create", {"name": "Ads"}))["id"]
    form = {"folderType": "Program", "type": "text", "name": "sync key", "value": 'k"1'}
    await server.raw("POST", f"/rest/asset/v1/folder/{program}/tokens.json", data=form)
    payload = '{"leadId":{{lead.Id}},"email":{{lead.Email Address}},"city":{{lead.City}},"vip":{{lead.Unsubscribed}},"key":{{my.sync key}}}'
    hook = await server.verb(
        "webhook/create",
        {
            "name": "Hook",
            "url": f"{receiver.url}/in?mail={{{{lead.Email Address}}}}",
            "payload": payload,
            "headers": {"X-Secret": "s {{lead.First Name}}"},
            "mappings": {"data.tags[1]": "city", "data.nothing": "title"},
        },
    )
    campaign = {"name": "On create", "on": "person_created", "program": program, "steps": [{"type": "webhook", "webhook": hook["id"]}]}
    await server.verb("campaign/create", campaign)
    receiver.replies.append((200, '{"data": {"tags": ["Oslo", "Rome"]}}'))
    await server.sync({"email": "a+b@x.example", "firstName": 'Ann "A"'})
    await receiver.until(1)
    place, headers, body = receiver.calls[0]
    assert place == "POST /in?mail=a%2Bb@x.example"
    assert headers["X-Secret"] == 's Ann "A"'
    assert json.loads(body) == {"leadId": 1, "email": "a+b@x.example", "city": "", "vip": "", "key": 'k"1'}
    (row,) = await activities(server, 110)
    assert "Error Type" not in told(row)
    (person,) = server.running.system.dump("Lead")
    assert (person["city"], person.get("title")) == ("Rome", None)


@pytest.mark.parametrize(
    ("reply", "error"), [((500, "x"), "HTTP 500"), ((200, ""), "1001 Empty response"), ((200, "{"), "Unparsable response")]
)
async def test_a_webhook_is_never_repeated(server: Any, receiver: Receiver, reply: tuple[int, str], error: str) -> None:
    hook = await server.verb("webhook/create", {"name": "Hook", "url": receiver.url, "payload": "x", "mappings": {"a": "city"}})
    campaign = {"name": "C", "on": "value_changed", "key": "city", "steps": [{"type": "webhook", "webhook": hook["id"]}]}
    await server.verb("campaign/create", campaign)
    receiver.replies.append(reply)
    await server.sync({"email": "a@x.example", "city": "Oslo"})
    await server.sync({"email": "a@x.example", "title": "Dr"})
    await server.sync({"email": "a@x.example", "city": "Rome"})
    (row,) = await activities(server, 110)
    assert told(row)["Error Type"] == error
    assert len(receiver.calls) == 1


async def test_a_webhook_that_takes_too_long(server: Any) -> None:
    held = asyncio.Event()

    async def hold(_: web.Request) -> web.Response:
        await held.wait()
        return web.Response()

    app = web.Application()
    app.router.add_post("/", hold)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    hook = await server.verb("webhook/create", {"name": "Slow", "url": url, "payload": "x", "timeout_seconds": 0.05})
    await server.verb("campaign/create", {"name": "C", "on": "person_created", "steps": [{"type": "webhook", "webhook": hook["id"]}]})
    await server.sync({"email": "a@x.example"})
    (row,) = await activities(server, 110)
    assert told(row)["Error Type"] == "Timeout"
    held.set()
    await runner.cleanup()


async def test_request_campaign_runs_its_steps(server: Any) -> None:
    program = (await server.verb("program/create", {"name": "Ads"}))["id"]
    vip = (await server.verb("list/create", {"name": "VIP"}))["id"]
    steps = [
        {"type": "change_value", "field": "city", "value": "Rome"},
        {"type": "status", "program": program, "status": "Clicked"},
        {"type": "add_to_list", "list": vip},
    ]
    made = await server.verb("campaign/create", {"name": "Go", "on": "request", "steps": steps})
    await server.sync({"email": "a@x.example"})
    path = f"campaigns/{made['id']}/trigger.json"
    for leads, code in (([], "1002"), ([{"id": 9}], "1004"), ([{"id": 1}] * 101, "1003")):
        envelope = await server.call("POST", path, json={"input": {"leads": leads}})
        assert envelope["errors"][0]["code"] == code
    assert (await server.call("POST", path, json={"input": {"leads": [{"id": 1}]}}))["success"]
    rows = await activities(server, 24)
    assert rows[0]["campaignId"] == made["id"]
    (person,), (member,) = server.running.system.dump("Lead"), server.running.system.dump("ProgramMember")
    assert (person["city"], member["statusName"]) == ("Rome", "Clicked")
    await server.verb("campaign/active", {"id": made["id"], "active": False})
    assert (await server.call("POST", path, json={"input": {"leads": [{"id": 1}]}}))["errors"][0]["code"] == "1003"
    assert [one["name"] for one in (await server.call("GET", "campaigns.json"))["result"]] == ["Go"]


async def test_a_flow_step_is_submitted_and_called_back(server: Any, receiver: Receiver) -> None:
    service = await server.verb("service/create", {"name": "Sync", "url": f"{receiver.url}/submitAsyncAction", "fields": ["email"]})
    steps = [{"type": "flow_step", "service": service["id"], "context": {"owner": "queue"}}]
    campaign = await server.verb("campaign/create", {"name": "C", "on": "person_created", "steps": steps})
    receiver.replies += [(201, ""), (500, "")]
    await server.sync({"email": "a@x.example"})
    await receiver.until(1)
    body = json.loads(receiver.calls[0][2])
    assert body["objectData"][0]["objectContext"] == {"id": 1, "email": "a@x.example"}
    assert body["objectData"][0]["flowStepContext"] == {"owner": "queue"}
    answer = {"objectData": [{"leadData": {"id": 1, "city": "Rome", "nope": 1}, "activityData": {"success": True, "reason": "done"}}]}
    right = {"x-api-key": body["apiCallBackKey"], "x-callback-token": body["token"]}
    outcomes = []
    for headers in ({}, {**right, "x-callback-token": "guess"}, right, right):
        async with server.http.post(body["callbackUrl"], json=answer, headers=headers) as reply:
            outcomes.append(reply.status)
    assert outcomes == [401, 401, 200, 401]
    (row,) = await activities(server, service["activityType"])
    assert told(row) == {"Success": True, "Reason": "done"}
    rows, _ = await server.drain("/leadchanges.json", await server.since(), fields="city")
    change = next(row for row in rows if row["activityTypeId"] == 13)
    assert told(change)["Source"] == f"Sync ({service['id']})"
    assert told(change)["Reason"] == f"Smart Campaign: {campaign['id']}, Step Seq ID: 1"
    await server.sync({"email": "b@x.example"})
    rows = await activities(server, service["activityType"], 2)
    assert told(rows[1])["Error Code"] == "HTTP 500"


async def passed(server: Any, minutes: int) -> None:
    """So many minutes later; a batch that was refused waits for its time by then."""
    async with asyncio.timeout(20):
        while minutes and not server.running.system.extra_meters()["stream_batches_waiting"]:
            await asyncio.sleep(0.01)
    server.running.system.advance(minutes * 60)


async def verified(server: Any, headers: dict[str, str], body: bytes) -> bool:
    for number in (1, 2):
        async with server.http.get(server.url + headers[f"x-adobe-public-key{number}-path"]) as answer:
            key = serialization.load_pem_public_key(await answer.read())
        assert isinstance(key, rsa.RSAPublicKey)
        key.verify(base64.b64decode(headers[f"x-adobe-digital-signature-{number}"]), body, padding.PKCS1v15(), hashes.SHA256())
    return True


async def test_the_data_stream_is_signed_and_repeated(server: Any, receiver: Receiver) -> None:
    made = await server.verb("stream/create", {"client_id": "me", "url": f"{receiver.url}/events", "types": [12, 13]})
    assert made["status"] == "ACTIVE"
    receiver.replies += [(503, ""), (429, ""), (200, "")]
    await server.sync({"email": "a@x.example"})
    for count, (minutes, retry) in enumerate([(0, None), (1, "1"), (2, "2")], start=1):
        await passed(server, minutes)
        await receiver.until(count)
        _, headers, body = receiver.calls[-1]
        assert headers.get("x-adobe-retry-count") == retry
        assert await verified(server, headers, body)
    (event,) = json.loads(receiver.calls[2][2])
    assert (event["type"], event["data"]["leadId"]) == ("com.adobe.platform.marketo.activity.standard.newlead", "1")
    assert event["recipientclientid"] == "me"
    receiver.replies += [(400, "")]  # dropped for good
    await server.sync({"email": "a@x.example", "city": "Rome"})
    await receiver.until(4)
    await server.sync(*({"email": f"{n}@x.example"} for n in range(25)))
    await receiver.until(6)
    assert [len(json.loads(body)) for _, _, body in receiver.calls[4:]] == [20, 5]


async def test_a_stream_that_fails_for_a_day_is_disabled(server: Any, receiver: Receiver) -> None:
    made = await server.verb("stream/create", {"client_id": "me", "url": f"{receiver.url}/events"})
    receiver.replies += [(500, "")] * 500
    await server.sync({"email": "a@x.example"})
    await receiver.until(1)
    for count in range(2, 6):
        await passed(server, 15)
        await receiver.until(count)
    await passed(server, 24 * 60)

    def status() -> str:
        return str(next(iter(server.running.system.dump("DataStream")))["status"])

    async with asyncio.timeout(20):
        while status() != "DISABLED":
            await asyncio.sleep(0.01)
    receiver.replies.clear()
    assert (await server.verb("stream/enable", {"id": made["id"]}))["status"] == "ACTIVE"


async def test_an_address_that_fails_the_challenge_may_validate_later(server: Any, receiver: Receiver) -> None:
    receiver.challenge = False
    made = await server.verb("stream/create", {"client_id": "me", "url": f"{receiver.url}/events"})
    assert made["status"] == "PENDING"
    url = json.loads(receiver.calls[-1][2])["validationUrl"]
    outcomes = []
    for address in (url + "x", url, url):
        async with server.http.get(address) as answer:
            outcomes.append(answer.status)
    assert outcomes == [404, 200, 404]
    await server.sync({"email": "a@x.example"})
    await receiver.until(len(receiver.calls) + 1)


async def test_the_journal(server: Any) -> None:
    made = await server.verb("stream/create", {"client_id": "me"})
    headers = {"x-api-key": "me", "x-ims-org-id": "org", "Authorization": "Bearer t"}

    async def get(url: str, **more: Any) -> Any:
        return await server.http.get(url, headers=more.pop("headers", headers), **more)

    assert (await get(made["journal"], headers={})).status == 401
    assert (await get(made["journal"], headers={**headers, "x-api-key": "other"})).status == 403
    empty = await get(made["journal"])
    assert (empty.status, empty.headers["retry-after"]) == (204, "10")
    await server.sync(*({"email": f"{n}@x.example"} for n in range(5)))
    first = await get(made["journal"], params={"limit": "3"})
    body = await first.json()
    assert [one["event"]["data"]["leadId"] for one in body["events"]] == ["1", "2", "3"]
    assert body["_page"] == {"last": body["events"][-1]["position"], "count": 3}
    second = await get(first.links["next"]["url"])
    assert [one["event"]["data"]["leadId"] for one in (await second.json())["events"]] == ["4", "5"]
    assert (await get(second.links["next"]["url"])).status == 204
    latest = await get(made["journal"], params={"latest": "true"})
    await server.sync({"email": "new@x.example"})
    assert (await (await get(latest.links["next"]["url"])).json())["_page"]["count"] == 1
    assert (await (await get(made["journal"], params={"seek": "-PT1H"})).json())["_page"]["count"] == 6
    assert (await get(made["journal"], params={"seek": "yesterday"})).status == 400
    server.running.system.advance(8 * 86_400)
    server.tokens.clear()
    await server.sync({"email": "late@x.example"})
    assert (await get(first.links["next"]["url"])).status == 410
    assert (await (await get(made["journal"])).json())["_page"]["count"] == 1


async def test_a_journal_with_a_secret_wants_a_token_of_its_client(server: Any) -> None:
    made = await server.verb("stream/create", {"client_id": "me", "client_secret": "hush"})
    login = made["journal"].partition("/events/")[0] + "/ims/token/v3"

    async def token(**form: str) -> tuple[int, dict[str, Any]]:
        async with server.http.post(login, data={"grant_type": "client_credentials", "scope": "openid", **form}) as answer:
            return answer.status, await answer.json()

    async def read(bearer: str) -> int:
        headers = {"x-api-key": "me", "x-ims-org-id": "org", "Authorization": f"Bearer {bearer}"}
        async with server.http.get(made["journal"], headers=headers) as answer:
            return int(answer.status)

    assert (await token(client_id="me", client_secret="wrong"))[0] == 400
    assert (await token(client_id="me", client_secret="hush", scope=""))[0] == 400
    status, given = await token(client_id="me", client_secret="hush")
    assert (status, given["token_type"]) == (200, "bearer")
    assert [await read(bearer) for bearer in ("any", given["access_token"])] == [401, 204]
    server.running.system.advance(86_400)
    assert await read(given["access_token"]) == 401


async def test_scripted_faults_of_a_stream(server: Any, receiver: Receiver) -> None:
    made = await server.verb("stream/create", {"client_id": "me", "url": f"{receiver.url}/events"})
    path = f"/events/{made['id']}"
    people = 0

    async def heard(kind: str, count: int) -> list[tuple[str, dict[str, str], bytes]]:
        nonlocal people
        server.fault(kind, path=path)
        before, people = len(receiver.calls), people + 2
        await server.sync({"email": f"{people}@x.example"}, {"email": f"{people + 1}@x.example"})
        await receiver.until(before + count)
        return receiver.calls[before:]

    first, second = await heard("stream_duplicate", 2)
    assert first[2] == second[2]
    ((_, _, body),) = await heard("stream_reorder", 1)
    assert [one["data"]["leadId"] for one in json.loads(body)] == ["4", "3"]
    ((_, headers, body),) = await heard("stream_malformed", 1)
    assert await verified(server, headers, body)
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)
    ((_, headers, body),) = await heard("stream_bad_signature", 1)
    with pytest.raises(InvalidSignature):
        await verified(server, headers, body)
    server.fault("stream_mute", path=path)
    await server.sync({"email": "lost@x.example"})
    async with asyncio.timeout(20):
        while server.running.system.faults.standing():
            await asyncio.sleep(0.01)
    await server.sync({"email": "next@x.example"})
    await receiver.until(6)
    assert [one["data"]["leadId"] for one in json.loads(receiver.calls[5][2])] == ["10"]


async def test_a_stream_carries_the_published_types_with_typed_attributes(server: Any) -> None:
    made = await server.verb("stream/create", {"client_id": "c"})
    headers = {"Authorization": "Bearer x", "x-api-key": "c", "x-ims-org-id": "1"}
    (lead,) = await server.sync({"email": "a@x.example"})
    program = (await server.verb("program/create", {"name": "P"}))["id"]
    campaign = (await server.verb("campaign/create", {"name": "Score", "on": "request", "steps": []}))["id"]
    await server.verb("program/status", {"program": program, "ids": [lead["id"]], "status": "Clicked"})
    await server.verb("person/edit", {"id": lead["id"], "fields": {"leadScore": 10}, "campaign": campaign})
    await server.call("POST", "opportunities.json", json={"input": [{"externalOpportunityId": "O", "name": "n"}]})
    role = {"externalOpportunityId": "O", "leadId": lead["id"], "role": "r", "isPrimary": True}
    await server.call("POST", "opportunities/roles.json", json={"input": [role]})
    await server.call("POST", "opportunities.json", json={"input": [{"externalOpportunityId": "O", "stage": "Won"}]})
    await server.call("POST", "opportunities/roles/delete.json", json={"input": [role]})
    async with server.http.get(made["journal"], headers=headers) as answer:
        events = [one["event"]["data"] for one in (await answer.json())["events"]]
    assert [one["activityTypeId"] for one in events] == [12, 104, 13, 22, 34]  # no 35, no 36
    shown = [{one["name"]: (one["dataType"], one["value"]) for one in event["attributes"]} for event in events]
    assert shown[0].keys() == {"Created Date", "Source Type"}
    assert shown[1] == {
        "Acquired By": ("boolean", False),
        "Old Status": ("string", "Not in Program"),
        "New Status ID": ("integer", 21),
        "Success": ("boolean", False),
        "New Status": ("string", "Clicked"),
        "Program ID": ("integer", program),
        "Old Status ID": ("integer", 20),
    }
    assert (shown[2]["Attribute Name"], shown[2]["New Value"]) == (("string", "leadScore"), ("string", "10"))
    assert shown[2]["Campaign"] == ("string", "Score")
    assert "Old Value" not in shown[2]
    assert (shown[3]["New Value"], shown[3]["Score Name"]) == (("integer", 10), ("string", "Lead Score"))
    assert (shown[4]["Is Primary"], shown[4]["Role"]) == (("boolean", True), ("string", "r"))


DEFINITION: dict[str, Any] = {
    "apiName": "greet",
    "provider": "Us",
    "i18n": {"en_US": {"name": "Greet"}},
    "statusEndpoint": "x",
    "authSetting": {"authType": "apiKey", "headerName": "x-key"},
    "supportEmail": "us@example.com",
    "primaryAttribute": "word",
    "invocationPayloadDef": {"flowAttributes": [{"apiName": "word", "dataType": "string", "i18n": {"en_US": {"name": "Word"}}}]},
    "callbackPayloadDef": {"attributes": [{"apiName": "mood", "dataType": "string", "i18n": {"en_US": {"name": "Mood"}}}]},
}


class Provider(Receiver):
    """A service with its documents; what Marketo submits is kept, and answered as the receiver does."""

    def __init__(self) -> None:
        super().__init__()
        self.definition: dict[str, Any] = json.loads(json.dumps(DEFINITION))
        self.keys: list[str] = []
        self.deaf = 0

    async def handle(self, request: web.Request) -> web.Response:
        if request.path == "/openapi.json":
            paths: dict[str, Any] = {"/getServiceDefinition": {"get": {}}, "/status": {"get": {}}, "/submitAsyncAction": {"post": {}}}
            scheme = {"type": "apiKey", "in": "header", "name": "x-key"}
            servers, components = [{"url": self.url}], {"securitySchemes": {"key": scheme}}
            return web.json_response({"openapi": "3.0.1", "servers": servers, "paths": paths, "components": components})
        self.keys.append(request.headers.get("x-key", ""))
        if request.path == "/getServiceDefinition":
            told = {"invocationEndpoint": f"{self.url}/submitAsyncAction", **self.definition}
            told["invocationPayloadDef"]["flowAttributes"][0]["picklistUrl"] = f"{self.url}/getPicklist"
            return web.json_response(told)
        if request.path == "/getPicklist":
            return web.json_response({"choices": [{"displayValue": {"en_US": "Hello"}, "submittedValue": "hello"}]})
        answer = await super().handle(request)
        if self.deaf and request.transport is not None:
            self.deaf -= 1
            request.transport.abort()
        return answer


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    made, app = Provider(), web.Application()
    app.router.add_route("*", "/{tail:.*}", made.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


async def test_a_service_is_installed_by_its_document(server: Any, provider: Provider) -> None:
    made = await server.verb("service/install", {"url": f"{provider.url}/openapi.json", "key": "k"})
    assert (made["name"], made["choices"], provider.keys) == ("Greet", {"word": ["hello"]}, ["k", "k"])


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"primaryAttribute": "mood"}, "primaryAttribute"),
        ({"primaryAttribute": "nothing"}, "primaryAttribute"),
        ({"provider": ""}, "lacks provider"),
        ({"supportEmail": ""}, "supportPage"),
        ({"callbackPayloadDef": {"attributes": [{"apiName": "success", "dataType": "boolean", "i18n": {}}]}}, "must differ"),
        ({"callbackPayloadDef": {"attributes": [{"apiName": "x", "dataType": "blob", "i18n": {}}]}}, "unknown data types of x"),
    ],
)
async def test_a_service_that_is_not_as_the_interface_says_is_refused(server: Any, provider: Provider, change: Any, why: str) -> None:
    provider.definition |= change
    with pytest.raises(VerbRefusedError, match=why):
        await server.verb("service/install", {"url": f"{provider.url}/openapi.json", "key": "k"})


async def test_a_batch_campaign_submits_its_people_together_again_where_the_answer_is_lost(server: Any, provider: Provider) -> None:
    service = await server.verb("service/install", {"url": f"{provider.url}/openapi.json", "key": "k", "lose_callbacks": 1})
    everybody = (await server.verb("list/create", {"name": "all"}))["id"]
    steps = [{"type": "flow_step", "service": service["id"], "context": {"word": "hi"}}]
    made = await server.verb("campaign/create", {"name": "B", "on": "batch", "key": everybody, "steps": steps})
    people = [(await server.sync({"email": f"{name}@x.example"}))[0]["id"] for name in "abc"]
    await server.verb("list/add", {"list": everybody, "ids": people})
    provider.deaf, provider.replies = 1, [(201, ""), (201, "")]
    await server.verb("campaign/run", {"id": made["id"]})
    await provider.until(2)
    first, second = (json.loads(body) for _, _, body in provider.calls)
    assert first == second, "the same call once more"
    assert [each["objectContext"]["id"] for each in first["objectData"]] == people
    rows = [{"leadData": {"id": each}, "activityData": {"success": True, "mood": "good"}} for each in people]
    headers = {"x-api-key": first["apiCallBackKey"], "x-callback-token": first["token"]}
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await server.http.post(first["callbackUrl"], json={"objectData": rows}, headers=headers)
    told_ = await activities(server, service["activityType"], 3)
    assert [told(each) for each in told_] == [{"Success": True, "Word": "hi", "Mood": "good"}] * 3
    async with server.http.post(first["callbackUrl"], json={"objectData": rows}, headers=headers) as reply:
        assert reply.status == 401, "it was taken"

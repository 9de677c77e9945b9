"""A scripted Salesforce for the adapters' tests: it does what the test tells it, wrong things included."""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer, make_mocked_request

from streams.salesforce.api.access.session import Session
from streams.salesforce.api.access.settings import ClientCredentials, SalesforceSettings

Message = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
CHANNEL = "/data/ChangeEvents"
_COMPOSITE = "/services/data/v66.0/composite"
USER = "0055f000005mc66AAA"
ORG = "00D5f000000abcdEAA"


class ScriptedOrg:
    """Token endpoint, CometD endpoint, REST handlers. Everything that happened is kept for the test to look at."""

    def __init__(self) -> None:
        self.url = ""
        self.logins: list[dict[str, str]] = []
        self.login_script: deque[tuple[int, Any]] = deque()
        self.tokens: list[str] = []
        self.dead_tokens: set[str] = set()
        self.sent: list[Message] = []
        """Every Bayeux message received, with `_cookie` and `_path` added."""
        self.script: dict[str, deque[Message]] = defaultdict(deque)
        """Bayeux channel -> answers to give instead of the usual ones (merged into id, channel)."""
        self.http_script: deque[Handler] = deque()
        """What to do with the next POSTs to the CometD endpoint instead of Bayeux."""
        self.events: list[Message] = []
        self.first_retained = 0
        self.clients: dict[str, dict[str, Any]] = {}
        self.hold_seconds = 20.0
        self.cookie_required = False
        self.advice: Message = {"interval": 0, "timeout": 110000, "reconnect": "retry"}
        self.handlers: dict[tuple[str, str], Handler] = {}
        self.calls: list[web.Request] = []
        self.parts: list[web.Request] = []
        """Of calls that held several."""
        self._changed = asyncio.Condition()

    async def publish(self, *events: Message) -> None:
        """Put events on the bus, in one go."""
        async with self._changed:
            self.events.extend(events)
            self._changed.notify_all()

    async def tell(self, message: Message) -> None:
        """Send a message to every client that has a connect open."""
        async with self._changed:
            for client in self.clients.values():
                client["told"].append(message)
            self._changed.notify_all()

    async def poke(self) -> None:
        """Let waiting connects look at the script again."""
        async with self._changed:
            self._changed.notify_all()

    async def until(self, condition: Callable[[], bool], seconds: float = 5.0) -> None:
        """Wait until something is so; fails after `seconds`."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(condition)

    def asked(self, channel: str) -> list[Message]:
        """The Bayeux messages received on one channel."""
        return [each for each in self.sent if each["channel"] == channel]

    def on(self, method: str, path: str, handler: Handler) -> None:
        """Answer a REST path."""
        self.handlers[method, path] = handler

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/services/oauth2/token", self._token)
        app.router.add_post("/cometd/{version}", self._cometd)
        app.router.add_route("*", "/services/data{rest:.*}", self._rest)
        return app

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        self.logins.append({key: str(value) for key, value in form.items()})
        if self.login_script:
            status, body = self.login_script.popleft()
            return web.json_response(body, status=status) if not isinstance(body, str) else web.Response(text=body, status=status)
        self.tokens.append(f"token-{len(self.logins)}")
        identity = f"{self.url}/id/{ORG}/{USER}"
        body = {"access_token": self.tokens[-1], "instance_url": self.url, "id": identity, "token_type": "Bearer", "scope": "api"}
        return web.json_response(body)

    async def _rest(self, request: web.Request) -> web.StreamResponse:
        self.calls.append(request)
        if request.headers.get("Authorization", "").removeprefix("Bearer ") in self.dead_tokens:
            return web.json_response([{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}], status=401)
        if (request.method, request.path) == ("POST", _COMPOSITE) and request.path not in {path for _, path in self.handlers}:
            return await self._composite(request)
        return await self.handlers[request.method, request.path](request)

    async def _composite(self, request: web.Request) -> web.Response:
        """Each part as if it had been sent alone; the first one's date."""
        told, answers = [], []
        for part in (await request.json())["compositeRequest"]:
            inner = make_mocked_request(part["method"], part["url"], headers=part["httpHeaders"])
            self.parts.append(inner)
            answer = cast(web.Response, await self.handlers[inner.method, inner.path](inner))
            answers.append(answer)
            body = json.loads(answer.text or "null")
            told.append({"body": body, "httpHeaders": {}, "httpStatusCode": answer.status, "referenceId": part["referenceId"]})
        dates = {"Date": answers[0].headers["Date"]} if "Date" in answers[0].headers else {}
        return web.json_response({"compositeResponse": told}, headers=dates)

    async def _cometd(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        messages = json.loads(raw)
        for message in messages:
            self.sent.append({**message, "_cookie": request.cookies.get("sfdc-stream"), "_path": request.path})
        async with self._changed:
            self._changed.notify_all()
        if self.http_script:
            return await self.http_script.popleft()(request)
        answers: list[Message] = []
        for message in messages:
            answers += await self._answer(message, request)
        async with self._changed:
            self._changed.notify_all()
        response = web.json_response(answers)
        if any(message["channel"] == "/meta/handshake" for message in messages):
            response.set_cookie("sfdc-stream", "here")
        return response

    async def _answer(self, message: Message, request: web.Request) -> list[Message]:
        channel, back = message["channel"], {"channel": message["channel"], "id": message.get("id")}
        if request.headers.get("Authorization", "").removeprefix("Bearer ") in self.dead_tokens:
            words = {"successful": False, "error": "401::Authentication invalid", "advice": {"reconnect": "none", "interval": 0}}
            return [{**back, **words}]
        if self.cookie_required and channel != "/meta/handshake" and not request.cookies.get("sfdc-stream"):
            return [{**back, "successful": False, "error": "400::Client has established a session, but no sfdc-stream cookie present"}]
        if self.script[channel]:
            return [{**back, **self.script[channel].popleft()}]
        match channel:
            case "/meta/handshake":
                client = f"client{len(self.clients)}"
                self.clients[client] = {"connects": 0, "next": None, "told": []}
                types = ["long-polling"]
                words = {"version": "1.0", "minimumVersion": "1.0", "supportedConnectionTypes": types, "clientId": client}
                return [{**back, **words, "successful": True}]
            case "/meta/connect":
                return await self._connect(message, back)
            case "/meta/subscribe":
                return [self._subscribe(message, back)]
            case _:
                return [{**back, "successful": True}]

    def _subscribe(self, message: Message, back: Message) -> Message:
        wanted = message.get("ext", {}).get("replay", {}).get(message["subscription"], -1)
        known = [each["data"]["event"]["replayId"] for each in self.events]
        back = {**back, "subscription": message["subscription"]}
        if wanted > 0 and (wanted < self.first_retained or (known and wanted not in known)):
            error = f"400::The replayId {{{wanted}}} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1"
            return {**back, "successful": False, "error": error}
        start = {-1: len(self.events), -2: 0}.get(wanted)
        if start is None:
            start = len(known) - known[::-1].index(wanted) if wanted in known else 0
        self.clients[message["clientId"]]["next"] = start
        return {**back, "successful": True}

    async def _connect(self, message: Message, back: Message) -> list[Message]:
        client = self.clients.get(message["clientId"])
        if client is None:
            advice = {"interval": 0, "reconnect": "handshake"}
            return [{**back, "successful": False, "error": "403::Unknown client", "advice": advice}]
        client["connects"] += 1
        if client["connects"] == 1:
            return [{**back, "successful": True, "advice": self.advice}]

        def due() -> bool:
            fresh = client["next"] is not None and client["next"] < len(self.events)
            gone = message["clientId"] not in self.clients
            return bool(fresh or client["told"] or self.script["/meta/connect"] or gone)

        try:
            async with asyncio.timeout(self.hold_seconds), self._changed:
                await self._changed.wait_for(due)
        except TimeoutError:
            return [{**back, "successful": True}]
        if message["clientId"] not in self.clients:
            advice = {"interval": 0, "reconnect": "handshake"}
            return [{**back, "successful": False, "error": "403::Unknown client", "advice": advice}]
        if self.script["/meta/connect"]:
            return [{**back, **self.script["/meta/connect"].popleft()}]
        told, client["told"] = client["told"], []
        fresh: list[Message] = []
        if client["next"] is not None:
            fresh, client["next"] = self.events[client["next"] :], len(self.events)
        return [*fresh, *told, {**back, "successful": True}]


def change(replay_id: int, **header: Any) -> Message:
    """A change event as CometD shows it; `body` holds its fields."""
    body = header.pop("body", {})
    full = {
        "entityName": "Lead", "recordIds": ["00Q5f000005bwLFEAY"], "changeType": "UPDATE", "changeOrigin": "", "commitUser": USER,
        "transactionKey": f"key-{replay_id}", "sequenceNumber": 1, "commitTimestamp": 1712694387000 + replay_id * 1000,
        "commitNumber": 1721136551405445123, "changedFields": sorted(body), **header,
    }  # fmt: skip
    payload = {**body, "ChangeEventHeader": full}
    return {"channel": CHANNEL, "data": {"schema": "s", "payload": payload, "event": {"replayId": replay_id}}}


@pytest.fixture
async def org() -> AsyncIterator[ScriptedOrg]:
    """A scripted org on a numeric loopback address."""
    scripted = ScriptedOrg()
    server = TestServer(scripted.app(), host="127.0.0.1")
    await server.start_server(shutdown_timeout=0.1)
    scripted.url = str(server.make_url("")).rstrip("/")
    yield scripted
    await server.close()


@pytest.fixture
def settings(org: ScriptedOrg) -> SalesforceSettings:
    """Settings for it, with short times."""
    return SalesforceSettings(
        base_url=org.url,
        credentials=ClientCredentials(client_id="app", client_secret="s3cret-of-the-app"),
        read_attempts_max=2,
        login_spacing_seconds=0.01,
        stream_check_seconds=0.05,
        stream_backoff_seconds=0.01,
        stream_backoff_max_seconds=0.05,
    )


@pytest.fixture
async def session(settings: SalesforceSettings) -> AsyncIterator[Session]:
    """A session with it."""
    async with Session(settings) as opened:
        yield opened


@pytest.fixture
def make_change() -> Callable[..., Message]:
    """Builds a change event."""
    return change

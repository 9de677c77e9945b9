"""A running org in the test's own loop, and small clients for it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce

from infra.sandbox.kernel.clock import Clock
from infra.sandbox.kernel.journal import Journal
from infra.sandbox.kernel.meters import Meters
from infra.sandbox.kernel.process import ChildSettings, Running, start_server
from infra.sandbox.salesforce.http.server import Server
from infra.sandbox.salesforce.org.faults import CdcFaults
from infra.sandbox.salesforce.org.org import Org
from infra.sandbox.salesforce.process import build
from tests.infra.sandbox.conformance import Records

CREDENTIALS = {
    "user": {"client_id": "people-app", "client_secret": "people-secret", "username": "ann@sandbox.example", "password": "pw-ann"},
    "tandem": {"client_id": "tandem-app", "client_secret": "tandem-secret", "username": "tandem@sandbox.example", "password": "pw-tandem"},
}
CONTROL_TOKEN = "control-token"
API = "/services/data/v66.0"


@dataclass(slots=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Client:
    """A user of the org: REST calls and control verbs."""

    url: str
    session: aiohttp.ClientSession
    running: Running
    token: str = ""

    async def log_in(self, who: str = "tandem") -> str:
        app = CREDENTIALS[who]
        form = {"grant_type": "client_credentials", "client_id": app["client_id"], "client_secret": app["client_secret"]}
        async with self.session.post(f"{self.url}/services/oauth2/token", data=form) as response:
            self.token = str((await response.json())["access_token"])
        return self.token

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = path if path.startswith("http") else f"{self.url}{path if path.startswith('/services') else API + path}"
        async with self.session.request(method, url, json=body, headers={"Authorization": f"Bearer {self.token}", **named}) as response:
            raw = await response.read()
            is_json = "json" in response.headers.get("Content-Type", "")
            return Answer(response.status, await response.json() if raw and is_json else raw.decode(), dict(response.headers))

    async def made(self, object_name: str, **values: Any) -> str:
        """The id of a new record."""
        answer = await self.call("POST", f"/sobjects/{object_name}", values)
        assert answer.status == 201, answer
        return str(answer.body["id"])

    async def query(self, soql: str, resource: str = "query") -> Any:
        async with self.session.get(
            f"{self.url}{API}/{resource}", params={"q": soql}, headers={"Authorization": f"Bearer {self.token}"}
        ) as response:
            return await response.json()

    async def control(self, method: str, path: str, body: Any = None, data: bytes | None = None) -> Answer:
        async with self.session.request(
            method, f"{self.url}/__sandbox__/{path}", json=body, data=data, headers={"Authorization": f"Bearer {CONTROL_TOKEN}"}
        ) as response:
            raw = await response.read()
            is_json = response.headers.get("Content-Type", "").startswith("application/json")
            return Answer(response.status, await response.json() if is_json else raw.decode())

    async def verb(self, name: str, body: Any = None) -> Any:
        answer = await self.control("POST", f"verb/{name}", body or {})
        assert answer.status == 200, answer
        return answer.body

    async def fault(self, action: dict[str, Any], match: dict[str, Any] | None = None, times: int | None = 1) -> str:
        answer = await self.control("POST", "faults", {"action": action, "match": match or {}, "times": times})
        assert answer.status == 200, answer
        return str(answer.body["id"])


Start = Callable[[Path], Awaitable[Client]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts an org on a data folder; all of them are stopped at the end of the test."""
    runners = []
    session = aiohttp.ClientSession()

    async def start_org(data: Path) -> Client:
        settings = ChildSettings(data=str(data), credentials=CREDENTIALS)
        running = await build(settings)
        runner, port = await start_server(running, CONTROL_TOKEN, "127.0.0.1", 0)
        runners.append((runner, running))
        return Client(f"http://localhost:{port}", session, running)

    yield start_org
    await session.close()
    for runner, running in runners:
        await runner.cleanup()
        running.system.journal.close()


@pytest.fixture
async def org(start: Start, tmp_path: Path) -> Client:
    """A new org, logged in as Tandem's user."""
    client = await start(tmp_path / "org")
    await client.log_in()
    return client


Use = Callable[[Callable[[Salesforce], None]], Any]


class PlainHttp(HTTPAdapter):
    """The client insists on https addresses; this sends them without TLS."""

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        request.url = (request.url or "").replace("https://", "http://", 1)
        return super().send(request, *args, **options)


@pytest.fixture
def use(org: Client, conformance: Records) -> Use:
    """Runs a function with the client in a thread of its own."""
    session = requests.Session()
    session.mount("https://", PlainHttp())
    sf = Salesforce(instance=org.url.removeprefix("http://"), session_id=org.token, version="66.0", session=session)

    async def run(work: Callable[[Salesforce], None]) -> None:
        await asyncio.to_thread(work, sf)
        rows = org.running.system.meters.report()["rows"]
        conformance.served("salesforce", served())
        conformance.met(f"simple-salesforce {version('simple-salesforce')}", "salesforce", rows)

    return run


def served() -> list[tuple[str, str]]:
    """(verb, resource) of all that the org serves."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal")
        routes = Server(Org(journal, Clock(), CdcFaults(), Meters())).endpoints()
        journal.close()
    soap = [("POST", f"/services/Soap {verb}") for verb in ("convertLead", "getServerTimestamp", "merge", "undelete")]
    cometd = [("cometd", f"/meta/{verb}") for verb in ("handshake", "connect", "subscribe", "unsubscribe", "disconnect")]
    grpc = [("gRPC", f"/eventbus.v1.PubSub/{verb}") for verb in ("GetTopic", "GetSchema", "Subscribe", "ManagedSubscribe")]
    return [*((method, path) for method, path in routes if path), *soap, *cometd, *grpc]

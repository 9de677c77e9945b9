"""An instance in memory (with its journal on disk), and the whole HTTP server inside the test's loop."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import orjson
import pytest
from marketorestpython.client import MarketoClient
from marketorestpython.helper import http_lib

from infra.sandbox.kernel.clock import Clock
from infra.sandbox.kernel.journal import Journal
from infra.sandbox.kernel.meters import Meters
from infra.sandbox.kernel.process import ChildSettings, Running, start_server
from infra.sandbox.marketo.border.in_flight import InFlight
from infra.sandbox.marketo.border.limits import Limits
from infra.sandbox.marketo.bulk.jobs import BulkJobs
from infra.sandbox.marketo.endpoints import all_routes
from infra.sandbox.marketo.server import build
from infra.sandbox.marketo.state.instance import Instance
from infra.sandbox.marketo.state.store import Store

PERSON = "people@example.com"
CREDENTIALS = {
    "user": {"client_id": "u", "client_secret": "us", "username": "people@example.com"},
    "tandem": {"client_id": "t", "client_secret": "ts", "username": "tandem@example.com"},
}


@dataclass
class Time:
    """Real time that a test moves by hand."""

    seconds: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def instance(tmp_path: Path, time: Time) -> Iterator[Instance]:
    made = Instance.open(Journal(tmp_path / "journal"), Clock(time), Store())
    yield made
    made.journal.close()


@dataclass
class Server:
    """A running instance and a client for it. `call` returns the decoded envelope."""

    running: Running
    url: str
    http: aiohttp.ClientSession
    tokens: dict[str, str] = field(default_factory=dict)

    async def token(self, who: str = "u", secret: str | None = None) -> dict[str, Any]:
        params = {"grant_type": "client_credentials", "client_id": who, "client_secret": secret or f"{who}s"}
        async with self.http.get(f"{self.url}/identity/oauth/token", params=params) as answer:
            return {"status": answer.status, **orjson.loads(await answer.read())}

    async def raw(self, method: str, path: str, *, who: str = "u", **more: Any) -> aiohttp.ClientResponse:
        if who not in self.tokens:
            self.tokens[who] = (await self.token(who))["access_token"]
        headers = {"Authorization": f"Bearer {self.tokens[who]}", **more.pop("headers", {})}
        answer = await self.http.request(method, f"{self.url}{path}", headers=headers, **more)
        await answer.read()
        return answer

    async def call(self, method: str, path: str, *, who: str = "u", **more: Any) -> dict[str, Any]:
        answer = await self.raw(method, f"/rest/v1/{path}", who=who, **more)
        assert answer.status == 200, await answer.text()
        return orjson.loads(await answer.read())  # type: ignore[no-any-return]

    async def sync(self, *records: Mapping[str, Any], who: str = "u", **more: Any) -> list[dict[str, Any]]:
        envelope = await self.call("POST", "leads.json", who=who, json={"input": list(records), **more})
        assert envelope["success"], envelope
        return envelope["result"]  # type: ignore[no-any-return]

    async def verb(self, name: str, body: Any) -> Any:
        return await self.running.system.verbs[name](body if isinstance(body, bytes) else orjson.dumps(body))

    def fault(self, action: Any, *, times: int | None = 1, **match: str) -> str:
        return self.running.system.faults.post({"match": match, "action": action, "times": times}).id

    async def since(self, when: str = "2020-01-01T00:00:00Z") -> str:
        return str((await self.call("GET", "activities/pagingtoken.json", params={"sinceDatetime": when}))["nextPageToken"])

    async def drain(self, path: str, token: str, **params: str) -> tuple[list[dict[str, Any]], str]:
        """All rows from a token on, and the token for the next time."""
        rows: list[dict[str, Any]] = []
        while True:
            page = await self.call("GET", f"activities{path}", params={"nextPageToken": token, **params})
            rows += page.get("result", [])
            token = page["nextPageToken"]
            if not page["moreResult"]:
                return rows, token


@dataclass
class Stranger:
    """marketorestpython, pointed at the server; `do` runs one of its methods in a thread, for it blocks."""

    client: Any
    meters: Meters
    by_address: Counter[str] = field(default_factory=Counter)
    """Calls that went through `call`, by endpoint."""

    async def do(self, method: str, /, **arguments: Any) -> Any:
        return await asyncio.to_thread(lambda: self.client.execute(method=method, **arguments))

    async def call(self, verb: str, path: str, parameters: Mapping[str, str] | None = None, /, **more: Any) -> Any:
        """What the client has no method for, through its own way of calling: the address is ours, the request its own."""

        def send() -> Any:
            self.client.authenticate()
            return self.client._api_call(verb, self.client.host + path, {"access_token": self.client.token, **(parameters or {})}, **more)

        before = self._calls()
        answer = await asyncio.to_thread(send)
        self.by_address.update(self._calls() - before)
        return answer

    def _calls(self) -> Counter[str]:
        return Counter({row["endpoint"]: row["calls"] for row in self.meters.report()["rows"] if row["actor"] == PERSON})

    def rows(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """What the client's own methods called, and what went through `call`."""
        rows = [row for row in self.meters.report()["rows"] if row["actor"] == PERSON]
        own = [row for row in rows if row["calls"] > self.by_address[row["endpoint"]]]
        return own, [row for row in rows if self.by_address[row["endpoint"]]]


@pytest.fixture
async def stranger(
    server: "Server", instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, conformance: Any
) -> AsyncIterator[Stranger]:
    """What it called goes into the conformance table, as the server's meters saw it; a test that calls the server itself does so as
    `who="t"`."""
    routes = all_routes(instance, InFlight(), Limits(meters=Meters()), BulkJobs(instance, tmp_path / "bulk"))
    conformance.served("marketo", [(verb, resource) for verb, resource, _ in routes])
    ticks = itertools.count()  # the client waits 0.2 s between calls by this clock
    monkeypatch.setattr(http_lib, "time", SimpleNamespace(time=lambda: float(next(ticks)), sleep=lambda _: None))
    await server.verb("limits", {"calls_per_20s": 100_000})
    client = MarketoClient("123-ABC-456", "u", "us", requests_timeout=10)
    client.host = server.url
    met = Stranger(client, server.running.system.meters)
    yield met
    for name, rows in zip(("marketorestpython 0.5.25", "marketorestpython's requests, our addresses"), met.rows(), strict=True):
        conformance.met(name, "marketo", rows)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    running = await build(ChildSettings(data=str(tmp_path / "marketo"), credentials=CREDENTIALS))
    runner, port = await start_server(running, "control-token", "127.0.0.1", 0)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        yield Server(running, f"http://127.0.0.1:{port}", http)
    await runner.cleanup()
    if running.stop is not None:
        await running.stop()
    running.system.journal.close()
    await asyncio.sleep(0)

"""A few endpoints of Marketo in memory, with answers that a test can script."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from streams.marketo.api.settings import MarketoSettings

Script = Callable[[web.Request], Awaitable[web.StreamResponse]]
OWN = "tandem@acme.example"
NOW = datetime(2026, 3, 2, 10, 0, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
NUMBERS = {"firstName": 48, "leadScore": 146}
"""How activities name fields: by these numbers, `The firstName` being the label."""
SHOWN: dict[int | str, str] = {number: name for name, number in NUMBERS.items()}


def failure(code: str, message: str = "no") -> dict[str, Any]:
    """An error as Marketo answers it: HTTP 200, the code a string."""
    return {"requestId": "e#1", "success": False, "errors": [{"code": code, "message": message}]}


def stamp(ms: int) -> str:
    """An activity's date: whole seconds."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def change(
    guid: str, lead: int, field_name: str, old: object, new: object, *, at: int = NOW_MS, author: str | None = None, call: str | None = None
) -> dict[str, Any]:
    """A row of type 13."""
    attributes: list[dict[str, Any]] = [{"name": "Source", "value": "Web service API"}]
    attributes += [{"name": "Modifying User", "value": author}] if author else []
    attributes += [{"name": "Request Id", "value": call}] if call else []
    return {
        "id": 1,
        "marketoGUID": guid,
        "leadId": lead,
        "activityDate": stamp(at),
        "activityTypeId": 13,
        "fields": [{"id": 48, "name": field_name, "newValue": new, "oldValue": old}],
        "attributes": attributes,
    }


def as_activity(row: dict[str, Any]) -> dict[str, Any]:
    """A row as `activities.json` shows it: a changed field is the primary attribute, its values are attributes."""
    if "fields" not in row:
        return row
    (told,) = row["fields"]
    values = [{"name": "New Value", "value": told["newValue"]}, {"name": "Old Value", "value": told["oldValue"]}]
    shown = {"primaryAttributeValueId": NUMBERS.get(told["name"]), "primaryAttributeValue": f"The {told['name']}"}
    return {name: value for name, value in row.items() if name != "fields"} | shown | {"attributes": [*values, *row["attributes"]]}


def creation(guid: str, lead: int, *, at: int = NOW_MS, author: str | None = None) -> dict[str, Any]:
    """A row of type 12."""
    attributes = [{"name": "Source Type", "value": "New lead"}] + ([{"name": "Modifying User", "value": author}] if author else [])
    return {"marketoGUID": guid, "leadId": lead, "activityDate": stamp(at), "activityTypeId": 12, "attributes": attributes}


def deletion(guid: str, lead: int, *, at: int = NOW_MS) -> dict[str, Any]:
    """A row of type 37."""
    return {"marketoGUID": guid, "leadId": lead, "activityDate": stamp(at), "activityTypeId": 37, "attributes": []}


def merge(guid: str, winner: int, losers: list[int], *, at: int = NOW_MS) -> dict[str, Any]:
    """A row of type 32."""
    attributes = [{"name": "Merge IDs", "value": str(losers)}, {"name": "Merge Source", "value": "leaddb"}]
    return {"marketoGUID": guid, "leadId": winner, "activityDate": stamp(at), "activityTypeId": 32, "attributes": attributes}


@dataclass
class Seen:
    """One request as it arrived; `query` holds the form too."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class MarketoStub:
    """Leads, one activity log, and `scripts`: answers by path that go first, in order."""

    url: str = ""
    leads: dict[int, dict[str, Any]] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    now_ms: int = NOW_MS
    page: int = 300
    tokens: list[dict[str, Any]] = field(default_factory=list)
    """Answers of identity, in order; the last one for ever."""
    valid: Callable[[str], bool] = lambda _: True
    scripts: dict[str, list[Script | dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    seen: list[Seen] = field(default_factory=list)
    lost_tokens: set[str] = field(default_factory=set)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def settings(self, **changes: Any) -> MarketoSettings:
        """Settings that lead here."""
        return MarketoSettings(base_url=self.url, client_id="id", client_secret="hush", **changes)

    def paths(self, *, identity: bool = False) -> list[str]:
        """Paths asked for, in order."""
        return [each.path for each in self.seen if identity or not each.path.startswith("/identity")]

    def asked(self, path: str) -> list[Seen]:
        """Requests to one path."""
        return [each for each in self.seen if each.path == path]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["MarketoStub"]:
        """Listens on a free port."""
        app = web.Application(client_max_size=2_000_000)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        query = dict(request.query)
        if query.get("_method") == "GET":
            query |= dict(parse_qsl(body.decode()))
        self.seen.append(Seen(request.method, request.path, query, dict(request.headers), body))
        self.arrived.set()
        if request.path.startswith("/identity"):
            return await self._identity(request)
        if not self.valid(request.headers.get("Authorization", "").removeprefix("Bearer ")):
            return self._json(failure("602", "Access token expired"))
        if self.scripts[request.path]:
            script = self.scripts[request.path].pop(0)
            return self._json(script) if isinstance(script, dict) else await script(request)
        handler = getattr(self, "_" + request.path.rsplit("/", 1)[-1].removesuffix(".json"), None)
        return self._json(failure("610", "Requested resource not found") if handler is None else handler(query))

    async def _identity(self, request: web.Request) -> web.StreamResponse:
        if self.scripts[request.path]:
            script = self.scripts[request.path].pop(0)
            return self._json(script) if isinstance(script, dict) else await script(request)
        default = {"access_token": "token-1", "token_type": "bearer", "expires_in": 3599, "scope": OWN}
        answer = self.tokens.pop(0) if len(self.tokens) > 1 else (self.tokens or [default])[0]
        return self._json({**default, **answer})

    def _json(self, answer: dict[str, Any]) -> web.Response:
        headers = {"Date": formatdate(self.now_ms / 1000, usegmt=True)}
        return web.Response(body=orjson.dumps(answer), content_type="application/json", headers=headers)

    def _leads(self, query: dict[str, str]) -> dict[str, Any]:
        names = query["fields"].split(",")
        wanted = query["filterValues"].split(",")
        rows = [lead for lead in self.leads.values() if str(lead.get(query["filterType"])) in wanted]
        return {"requestId": "r#1", "success": True, "result": [{name: row.get(name) for name in names if name in row} for row in rows]}

    def _pagingtoken(self, query: dict[str, str]) -> dict[str, Any]:
        since = int(datetime.fromisoformat(query["sinceDatetime"]).timestamp() * 1000)
        index = next((index for index, row in enumerate(self.log) if _ms(row) >= since), len(self.log))
        return {"requestId": "r#1", "success": True, "nextPageToken": f"AT{index}=="}

    def _deletedleads(self, query: dict[str, str]) -> dict[str, Any]:
        return self._walk(query, {37})

    def _activities(self, query: dict[str, str]) -> dict[str, Any]:
        answer = self._walk(query, {int(each) for each in query["activityTypeIds"].split(",")})
        return answer if "result" not in answer else answer | {"result": [as_activity(row) for row in answer["result"]]}

    def _walk(self, query: dict[str, str], types: set[int]) -> dict[str, Any]:
        """Blocks of the log of `page` rows, filtered after: pages may come short or empty, as Marketo's do."""
        token = query["nextPageToken"]
        if token in self.lost_tokens:
            return failure("1003", "Invalid value for nextPageToken")
        start = int(token.removeprefix("AT").rstrip("="))
        end = min(len(self.log), start + self.page)
        rows = [row for row in self.log[start:end] if row["activityTypeId"] in types]
        return {"requestId": "r#1", "success": True, "result": rows, "nextPageToken": f"AT{end}==", "moreResult": end < len(self.log)}


def _ms(row: dict[str, Any]) -> int:
    return int(datetime.fromisoformat(row["activityDate"]).timestamp() * 1000)

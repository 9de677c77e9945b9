"""The sandbox's control API: one address in front of both systems (README.md lists the calls)."""

import asyncio
from array import array
from bisect import bisect_right
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from aiohttp import web
from aiohttp.typedefs import Handler
from yarl import URL

from infra.sandbox.kernel.control import PREFIX
from infra.sandbox.numbering import Numbering
from infra.sandbox.pages.frame import first_page
from infra.sandbox.pages.handlers import BASE_HEADER, POLICY
from infra.sandbox.supervisor import side_by_side

_FLUSH_BYTES = 1 << 18
_BODY_MAX_BYTES = 1 << 30
_PAGE_HEADERS = ("Content-Type", "Location", "Content-Security-Policy", "Cache-Control")
_FORWARDED = {"Content-Type": "application/json"}

Line = tuple[int, bytes]
"""A history line under its merged number."""


@dataclass(frozen=True, slots=True)
class Child:
    """Where a system's control routes are."""

    name: str
    url: str
    token: str

    def address(self, path: str) -> str:
        return f"{self.url}{PREFIX}/{path}"

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@dataclass(slots=True)
class Gateway:
    children: dict[str, Child]
    numbering: Numbering
    session: aiohttp.ClientSession
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=_BODY_MAX_BYTES, middlewares=[_child_away])
        app.router.add_get("/healthz", self.health)
        app.router.add_get("/history", self.history)
        app.router.add_get("/meters", self.meters)
        app.router.add_post("/meters/reset", self.reset_meters)
        app.router.add_get("/faults", self.faults)
        app.router.add_post("/faults", self.post_fault)
        app.router.add_delete("/faults", self.clear_faults)
        app.router.add_delete("/faults/{id}", self.delete_fault)
        app.router.add_post("/clock", self.clock)
        app.router.add_get("/dump/{system}/{object}", self.dump)
        app.router.add_get("/", self.pages_index)
        app.router.add_get("/ui", self.pages_index)
        app.router.add_get("/ui/", self.pages_index)
        app.router.add_route("*", "/ui/{system}", self.pages)
        app.router.add_route("*", "/ui/{system}/{tail:.*}", self.pages)
        app.router.add_post("/{system:salesforce|marketo}/{verb:.+}", self.verb)
        return app

    async def health(self, _: web.Request) -> web.Response:
        states = await side_by_side(*(self._get(child, "health") for child in self.children.values()))
        return _json({"status": "ok", "systems": {state["system"]: state for state in states}})

    async def meters(self, _: web.Request) -> web.Response:
        found = await side_by_side(*(self._get(child, "meters") for child in self.children.values()))
        return _json(dict(zip(self.children, found, strict=True)))

    async def reset_meters(self, _: web.Request) -> web.Response:
        for child in self.children.values():
            await self._send(child, "POST", "meters/reset")
        return _json({"reset": True})

    async def faults(self, _: web.Request) -> web.Response:
        found = await side_by_side(*(self._get(child, "faults") for child in self.children.values()))
        return _json([{**fault, "system": name} for name, faults in zip(self.children, found, strict=True) for fault in faults])

    async def post_fault(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            system = orjson.loads(body)["system"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return _refuse("an object with system, match, action, times is expected")
        return await self._send(self._child(system), "POST", "faults", body)

    async def clear_faults(self, _: web.Request) -> web.Response:
        for child in self.children.values():
            await self._send(child, "DELETE", "faults")
        return _json({"deleted": True})

    async def delete_fault(self, request: web.Request) -> web.Response:
        fault_id = request.match_info["id"]
        return await self._send(self._child(fault_id.rpartition("-")[0]), "DELETE", f"faults/{fault_id}")

    async def clock(self, request: web.Request) -> web.Response:
        """Moves both clocks."""
        body = await request.read()
        answers = [await self._send(child, "POST", "clock", body) for child in self.children.values()]
        refused = next((answer for answer in answers if answer.status != 200), None)
        return refused or answers[-1]

    async def verb(self, request: web.Request) -> web.Response:
        child = self._child(request.match_info["system"])
        return await self._send(child, "POST", f"verb/{request.match_info['verb']}", await request.read())

    async def dump(self, request: web.Request) -> web.StreamResponse:
        child = self._child(request.match_info["system"])
        address = child.address(f"dump/{request.match_info['object']}")
        async with self.session.get(address, headers=child.headers) as answer:
            response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
            await response.prepare(request)
            async for chunk in answer.content.iter_chunked(_FLUSH_BYTES):
                await response.write(chunk)
            await response.write_eof()
            return response

    async def pages_index(self, _: web.Request) -> web.Response:
        """Which systems have pages."""
        return web.Response(text=first_page(self.children), content_type="text/html", headers={"Content-Security-Policy": POLICY})

    async def pages(self, request: web.Request) -> web.Response:
        """A system's pages for people. A form that another site sends is refused."""
        child = self._child(request.match_info["system"])
        if request.method not in {"GET", "POST"}:
            return _refuse("GET or POST", status=405)
        origin = request.headers.get("Origin")
        if request.method == "POST" and origin not in {None, f"{request.scheme}://{request.host}"}:
            return _refuse("this form was sent by another site", status=403)
        tail = request.raw_path.partition(f"/ui/{child.name}")[2]
        headers = {**child.headers, BASE_HEADER: f"/ui/{child.name}", "Content-Type": request.headers.get("Content-Type", "")}
        address = URL(child.address(f"ui{tail.rstrip('/')}"), encoded=True)
        async with self.session.request(
            request.method, address, headers=headers, data=await request.read(), allow_redirects=False
        ) as answer:
            kept = {name: answer.headers[name] for name in _PAGE_HEADERS if name in answer.headers}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)

    async def history(self, request: web.Request) -> web.StreamResponse:
        """The merged history after line N. Both systems are asked for their tails first: a read after a write sees the write."""
        query = request.query
        try:
            after, left = int(query.get("after", "0")), int(query.get("limit", "0")) or None
        except ValueError:
            return _refuse("after and limit are numbers")
        await self._number_tails()
        chosen = [self._child(query["system"])] if "system" in query else list(self.children.values())
        filters = {name: query[name] for name in ("object", "id") if name in query}
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        async for lines in _merged([self._lines(child, after, filters) for child in chosen]):
            wanted = lines if left is None else lines[:left]
            await response.write(b"".join(line for _, line in wanted))
            if left is not None:
                left -= len(wanted)
                if left <= 0:
                    break
        await response.write_eof()
        return response

    async def _number_tails(self) -> None:
        async with self._lock:
            tails: dict[str, array[int]] = {}
            for child in self.children.values():
                address = child.address(f"stamps?after={self.numbering.known(child.name)}")
                async with self.session.get(address, headers=child.headers) as answer:
                    answer.raise_for_status()
                    tails[child.name] = array("q", await answer.read())
            self.numbering.extend(tails)

    async def _lines(self, child: Child, after: int, filters: Mapping[str, str]) -> AsyncIterator[list[Line]]:
        """One system's numbered lines, in the chunks in which they arrive."""
        known = self.numbering.known(child.name)
        params = {"after": str(self.numbering.first_after(child.name, after)), "until": str(known), **filters}
        async with self.session.get(child.address("history"), headers=child.headers, params=params) as answer:
            answer.raise_for_status()
            rest = b""
            async for chunk in answer.content.iter_chunked(_FLUSH_BYTES):
                *lines, rest = (rest + chunk).split(b"\n")
                if lines:
                    yield [self._numbered(child.name, line) for line in lines]

    def _numbered(self, system: str, line: bytes) -> Line:
        local, _, text = line.partition(b" ")
        n = self.numbering.number(system, int(local))
        return n, b'{"n":%d,%b\n' % (n, text.partition(b",")[2])

    def _child(self, name: str) -> Child:
        child = self.children.get(name)
        if child is None:
            text = orjson.dumps({"error": f"no system {name!r}; running: {', '.join(self.children)}"}).decode()
            raise web.HTTPNotFound(text=text, content_type="application/json")
        return child

    async def _get(self, child: Child, path: str) -> Any:
        async with self.session.get(child.address(path), headers=child.headers) as answer:
            answer.raise_for_status()
            return orjson.loads(await answer.read())

    async def _send(self, child: Child, method: str, path: str, body: bytes = b"") -> web.Response:
        headers = {**child.headers, **_FORWARDED}
        async with self.session.request(method, child.address(path), headers=headers, data=body) as answer:
            return web.Response(status=answer.status, body=await answer.read(), content_type=answer.content_type)


async def _merged(sources: list[AsyncIterator[list[Line]]]) -> AsyncIterator[list[Line]]:
    """The sources' lines in order of their numbers, in chunks: what lies below the smallest last number in hand is safe to pass on."""
    hands = {index: await anext(source, []) for index, source in enumerate(sources)}
    while hands := {index: lines for index, lines in hands.items() if lines}:
        safe = min(lines[-1][0] for lines in hands.values())
        ready: list[Line] = []
        for index, lines in hands.items():
            cut = bisect_right(lines, safe, key=lambda line: line[0])
            ready += lines[:cut]
            hands[index] = lines[cut:] or await anext(sources[index], [])
        ready.sort(key=lambda line: line[0])
        yield ready


@web.middleware
async def _child_away(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except aiohttp.ClientError as error:
        return _refuse(f"a system does not answer: {error}", status=503)


def _json(value: object) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")


def _refuse(text: str, status: int = 400) -> web.Response:
    return web.Response(status=status, body=orjson.dumps({"error": text}), content_type="application/json")

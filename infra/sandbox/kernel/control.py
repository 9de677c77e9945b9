"""The internal routes of one system under `/__sandbox__/`, called only by the gateway (a bearer token from the environment guards them)."""

import hmac
from collections.abc import Iterable

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from infra.sandbox.kernel.faults import FaultRefusedError
from infra.sandbox.kernel.journal import history_line
from infra.sandbox.kernel.system import System, VerbRefusedError
from infra.sandbox.pages.console import Console
from infra.sandbox.pages.handlers import PageHandlers

PREFIX = "/__sandbox__"
_FLUSH_BYTES = 1 << 18
_BODY_MAX_BYTES = 1 << 30


def control_app(system: System, token: str, console: Console | None = None) -> web.Application:
    """The control application; `kernel.process.run` mounts it under PREFIX beside the system's own routes.

    GET health | stamps?after=N | history?after&until&object&id | meters | faults | dump/{object};  POST faults | clock | meters/reset |
    verb/{name}; with a console, the pages under ui;  DELETE faults/{id} | faults.
    History lines carry this system's own numbers, before a space: `12 {"n":12,...}`.
    """
    app = web.Application(middlewares=[_guard(token)], client_max_size=_BODY_MAX_BYTES)
    handlers = ControlHandlers(system)
    app.router.add_get("/health", handlers.health)
    app.router.add_get("/stamps", handlers.stamps)
    app.router.add_get("/history", handlers.history)
    app.router.add_get("/meters", handlers.meters)
    app.router.add_post("/meters/reset", handlers.reset_meters)
    app.router.add_get("/faults", handlers.faults)
    app.router.add_post("/faults", handlers.post_fault)
    app.router.add_delete("/faults", handlers.clear_faults)
    app.router.add_delete("/faults/{id}", handlers.delete_fault)
    app.router.add_post("/clock", handlers.clock)
    app.router.add_get("/dump", handlers.objects)
    app.router.add_get("/dump/{object}", handlers.dump)
    app.router.add_post("/verb/{name:.+}", handlers.verb)
    if console is not None:
        PageHandlers(system, console).add_to(app)
    return app


class ControlHandlers:
    def __init__(self, system: System) -> None:
        self._system = system

    async def health(self, _: web.Request) -> web.Response:
        return _json({"system": self._system.name, "n": self._system.journal.last_n, "now_ms": self._system.clock.now_ms()})

    async def stamps(self, request: web.Request) -> web.Response:
        """The times (int64, ms, native byte order) of the history lines after N: what the gateway needs to number them."""
        after = int(request.query.get("after", "0"))
        return web.Response(body=self._system.journal.stamps[after:].tobytes(), content_type="application/octet-stream")

    async def history(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        until = int(query["until"]) if "until" in query else None
        wanted_object, wanted_id = query.get("object"), query.get("id")
        lines = (
            b"%d " % n + history_line(self._system.name, n, entry)
            for n, entry in self._system.journal.history(int(query.get("after", "0")), until)
            if (wanted_object is None or entry.object == wanted_object) and (wanted_id is None or entry.id == wanted_id)
        )
        return await stream(request, lines)

    async def meters(self, _: web.Request) -> web.Response:
        return _json({**self._system.meters.report(), **self._system.extra_meters()})

    async def reset_meters(self, _: web.Request) -> web.Response:
        self._system.meters.reset()
        return _json({"reset": True})

    async def faults(self, _: web.Request) -> web.Response:
        return _json(self._system.faults.standing())

    async def post_fault(self, request: web.Request) -> web.Response:
        body = await _json_body(request)
        try:
            fault = self._system.faults.post(body)
        except FaultRefusedError as refused:
            return _refuse(str(refused))
        return _json(fault.describe())

    async def delete_fault(self, request: web.Request) -> web.Response:
        return _json({"deleted": self._system.faults.remove(request.match_info["id"])})

    async def clear_faults(self, _: web.Request) -> web.Response:
        self._system.faults.clear()
        return _json({"deleted": True})

    async def clock(self, request: web.Request) -> web.Response:
        body = await _json_body(request)
        seconds = body.get("advance_seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 0:
            return _refuse("advance_seconds must be a number that is not negative")
        offset_ms = self._system.advance(seconds)
        return _json({"offset_ms": offset_ms, "now_ms": self._system.clock.now_ms()})

    async def objects(self, _: web.Request) -> web.Response:
        return _json(list(self._system.objects()))

    async def dump(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["object"]
        if name not in self._system.objects():
            return _refuse(f"no object {name!r}; there are: {', '.join(self._system.objects())}", status=404)
        rows = list(self._system.dump(name))  # one consistent view: nothing is awaited while it is taken
        return await stream(request, (orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))

    async def verb(self, request: web.Request) -> web.Response:
        verb = self._system.verbs.get(request.match_info["name"])
        if verb is None:
            return _refuse(f"no verb {request.match_info['name']!r}; there are: {', '.join(sorted(self._system.verbs))}", status=404)
        try:
            return _json(await verb(await request.read()))
        except VerbRefusedError as refused:
            return _refuse(str(refused))


async def stream(request: web.Request, lines: Iterable[bytes]) -> web.StreamResponse:
    """Sends NDJSON in chunks, whatever its length."""
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    buffer = bytearray()
    for line in lines:
        buffer += line
        if len(buffer) >= _FLUSH_BYTES:
            await response.write(bytes(buffer))
            buffer.clear()
    await response.write_eof(bytes(buffer))
    return response


def _guard(token: str) -> Middleware:
    expected = f"Bearer {token}"

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not hmac.compare_digest(request.headers.get("Authorization", ""), expected):
            return _refuse("the control routes belong to the sandbox's gateway", status=403)
        return await handler(request)

    return guard


async def _json_body(request: web.Request) -> dict[str, object]:
    try:
        body = orjson.loads(await request.read())
    except orjson.JSONDecodeError as error:
        raise web.HTTPBadRequest(text=orjson.dumps({"error": f"not JSON: {error}"}).decode(), content_type="application/json") from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text='{"error": "an object is expected"}', content_type="application/json")
    return body


def _json(value: object) -> web.Response:
    return web.Response(body=orjson.dumps(value), content_type="application/json")


def _refuse(text: str, status: int = 400) -> web.Response:
    return web.Response(status=status, body=orjson.dumps({"error": text}), content_type="application/json")

"""The instance's HTTP border: authentication, limits, faults, dispatch, envelopes.

Refusals arrive as HTTP 200 with `success: false`, except 413/414 (too large), and 401 from identity (REST API, error codes).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from infra.sandbox.kernel import wire
from infra.sandbox.kernel.clock import Clock
from infra.sandbox.kernel.faults import CALL_TYPES, CallFaults, FaultBoard
from infra.sandbox.kernel.meters import Meters
from infra.sandbox.marketo.activity_endpoints import ActivityEndpoints
from infra.sandbox.marketo.call import Answer, Call, new_request_id
from infra.sandbox.marketo.errors import MESSAGES, UNCOUNTED, ApiError
from infra.sandbox.marketo.identity import LIFE_SECONDS, Identity
from infra.sandbox.marketo.in_flight import Flight, InFlight
from infra.sandbox.marketo.instance import Instance
from infra.sandbox.marketo.lead_endpoints import LeadEndpoints
from infra.sandbox.marketo.limits import Limits
from infra.sandbox.marketo.schema_endpoints import SchemaEndpoints

FAULT_TYPES = CALL_TYPES | {"marketo_error", "record_errors", "token_expiry", "late_activity"}
URI_MAX_BYTES = 8192
BODY_MAX_BYTES = 1 << 20
_FORM = "application/x-www-form-urlencoded"
_IDENTITY = "/identity/oauth/token"

Endpoint = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    pattern: re.Pattern[str]
    name: str
    """For the meters."""
    endpoint: Endpoint


@dataclass(slots=True, kw_only=True)
class Api:
    instance: Instance
    identity: Identity
    limits: Limits
    faults: FaultBoard
    meters: Meters
    clock: Clock
    latency_ms: float
    in_flight: InFlight
    routes: Sequence[Route] = ()

    def app(self) -> web.Application:
        self.routes = _routes(
            LeadEndpoints(self.instance, self.in_flight), SchemaEndpoints(self.instance), self._activities(), self._stats()
        )
        app = web.Application(client_max_size=BODY_MAX_BYTES * 64)
        app.on_response_prepare.append(self._dated)
        app.router.add_route("*", _IDENTITY, self.token)
        app.router.add_route("*", "/{path:(?!__sandbox__).*}", self.handle)
        return app

    async def _dated(self, _: web.Request, response: web.StreamResponse) -> None:
        """The `Date` header tells the instance's clock, also when that was moved."""
        response.headers["Date"] = formatdate(self.clock.now_ms() / 1000, usegmt=True)

    async def token(self, request: web.Request) -> web.StreamResponse:
        """Identity: not metered against the limits."""
        params = {**request.query, **(dict(parse_qsl(await request.text())) if request.content_type == _FORM else {})}
        user = self.identity.user(params.get("client_id", ""), params.get("client_secret", ""))
        actor = user.username if user else ""
        faults = self.faults.for_call(request.method, request.path, actor)
        life = LIFE_SECONDS
        if faults.fault is not None and faults.fault.type == "token_expiry":
            life = int(faults.fault.action.get("seconds", 0))

        async def apply() -> web.Response:
            self.meters.count(actor, f"POST {_IDENTITY}", calls=1, error=None if user else "401")
            if user is None:
                return _json({"error": "invalid_client", "error_description": "Bad client credentials"}, status=401)
            if params.get("grant_type") != "client_credentials":
                return _json({"error": "unsupported_grant_type", "error_description": "Unsupported grant type"}, status=400)
            return _json(self.identity.issue(user, self.clock.now_ms(), life))

        return await wire.deliver(request, faults, self.latency_ms, apply)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if len(request.raw_path) > URI_MAX_BYTES:
            return web.Response(status=414, text="Request-URI Too Long")
        body = await request.read()
        if len(body) > BODY_MAX_BYTES:
            return web.Response(status=413, text="Request Entity Too Large")
        user = ""
        try:
            user = self.identity.authorise(_bearer(request), self.clock.now_ms()).username
            self.limits.enter(user, self.clock.now_ms())
        except ApiError as error:
            return await self._refused(request, user, error)
        flight = self.in_flight.arrive()
        try:
            call, faults = self._call(request, user, body, flight)
            return await wire.deliver(request, faults, self.latency_ms, lambda: self._answer(call))
        finally:
            self.in_flight.answer(flight)
            self.limits.leave()

    def _call(self, request: web.Request, user: str, body: bytes, flight: Flight) -> tuple[Call, CallFaults]:
        params = dict(request.query)
        if request.content_type == _FORM:
            params.update(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        method = "GET" if request.method == "POST" and params.get("_method", "").upper() == "GET" else request.method
        faults = self.faults.for_call(method, request.path, user)
        call = Call(
            user=user,
            method=method,
            path=request.path,
            params=params,
            body=body,
            content_type=request.content_type,
            now_ms=self.clock.now_ms(),
            flight=flight,
            fault=faults.fault,
        )
        return call, faults

    async def _answer(self, call: Call) -> web.Response:
        """Runs the endpoint and wraps its answer; nothing is awaited in between."""
        call.now_ms = self.clock.now_ms()
        name = f"{call.method} other"
        code: str | None = None
        try:
            name, endpoint = self._route(call)
            answer = self._scripted(call, endpoint)
            envelope = {"requestId": call.request_id, "success": True, **answer}
        except ApiError as error:
            code = error.code
            self.limits.error(code, call.now_ms)
            envelope = _failure(call.request_id, error)
        self.meters.count(call.user, name, calls=1, records=call.records, error=code)
        self._count_skipped(call, name, envelope)
        return _json(envelope)

    def _scripted(self, call: Call, endpoint: Endpoint) -> Answer:
        """The endpoint, under a `marketo_error` fault when there is one: with `applied` the change is made and the answer denies it."""
        fault = call.fault
        if fault is None or fault.type != "marketo_error":
            return endpoint(call)
        if fault.action.get("applied"):
            endpoint(call)
        code = str(fault.action.get("code", "611"))
        raise ApiError(code, str(fault.action.get("message") or MESSAGES.get(code, "Scripted error")))

    def _route(self, call: Call) -> tuple[str, Endpoint]:
        known = False
        for route in self.routes:
            match = route.pattern.fullmatch(call.path)
            if match is None:
                continue
            known = True
            if route.method == call.method:
                call.path_args = match.groups()
                return route.name, route.endpoint
        if known:
            raise ApiError("605", f"HTTP Method '{call.method}' is not supported")
        raise ApiError("610", f"{MESSAGES['610']} (not in the sandbox)")

    def _count_skipped(self, call: Call, name: str, envelope: Answer) -> None:
        for result in envelope.get("result") or ():
            if isinstance(result, dict) and result.get("status") == "skipped":
                self.meters.count(call.user, name, error=result["reasons"][0]["code"])

    async def _refused(self, request: web.Request, user: str, error: ApiError) -> web.StreamResponse:
        now_ms = self.clock.now_ms()
        if error.code not in UNCOUNTED:
            self.limits.error(error.code, now_ms)
        self.meters.count(user, f"{request.method} refused", error=error.code)

        async def apply() -> web.Response:
            return _json(_failure(new_request_id(now_ms), error))

        return await wire.deliver(request, CallFaults(), self.latency_ms, apply)

    def _activities(self) -> ActivityEndpoints:
        return ActivityEndpoints(self.instance)

    def _stats(self) -> dict[str, Endpoint]:
        return {
            "usage": lambda call: {"result": self.limits.usage(call.now_ms, 1)},
            "usage/last7days": lambda call: {"result": self.limits.usage(call.now_ms, 7)},
            "errors": lambda call: {"result": self.limits.errors(call.now_ms, 1)},
            "errors/last7days": lambda call: {"result": self.limits.errors(call.now_ms, 7)},
        }


def _routes(leads: LeadEndpoints, schema: SchemaEndpoints, log: ActivityEndpoints, stats: dict[str, Endpoint]) -> list[Route]:
    table: list[tuple[str, str, Endpoint]] = [
        ("POST", "leads.json", leads.sync),
        ("GET", "leads.json", leads.query),
        ("DELETE", "leads.json", leads.delete),
        ("POST", "leads/delete.json", leads.delete),
        ("GET", "lead/{id}.json", leads.get),
        ("POST", "leads/{id}/merge.json", leads.merge),
        ("GET", "leads/partitions.json", leads.partitions),
        ("GET", "leads/describe.json", schema.describe),
        ("GET", "leads/describe2.json", schema.describe2),
        ("GET", "leads/schema/fields.json", schema.fields),
        ("POST", "leads/schema/fields.json", schema.create),
        ("GET", "leads/schema/fields/{name}.json", schema.field),
        ("GET", "activities/pagingtoken.json", log.paging_token),
        ("GET", "activities.json", log.activities),
        ("GET", "activities/leadchanges.json", log.lead_changes),
        ("GET", "activities/deletedleads.json", log.deleted_leads),
        ("GET", "activities/types.json", log.types),
        *(("GET", f"stats/{name}.json", endpoint) for name, endpoint in stats.items()),
    ]
    return [_made(method, f"/rest/v1/{path}", endpoint) for method, path, endpoint in table]


def _made(method: str, path: str, endpoint: Endpoint) -> Route:
    pattern = re.escape(path).replace(r"\{id\}", r"(\d+)").replace(r"\{name\}", r"([^/]+)")
    return Route(method, re.compile(pattern), f"{method} {path}", endpoint)


def _bearer(request: web.Request) -> str | None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer" and token:
        return token.strip()
    return request.query.get("access_token")  # being removed by the vendor, still accepted


def _failure(request_id: str, error: ApiError) -> Answer:
    return {"requestId": request_id, "success": False, "errors": [{"code": error.code, "message": error.message}]}


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json", charset="utf-8")

"""The instance's HTTP border: authentication, limits, faults, dispatch, envelopes.

Refusals arrive as HTTP 200 with `success: false`, except 413/414 (too large), and 401 from identity (REST API, error codes).
"""

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from infra.sandbox.kernel import wire
from infra.sandbox.kernel.clock import Clock
from infra.sandbox.kernel.faults import CallFaults, FaultBoard
from infra.sandbox.kernel.meters import Meters
from infra.sandbox.marketo.border.call import Answer, Call, Raw, new_request_id
from infra.sandbox.marketo.border.errors import MESSAGES, UNCOUNTED, ApiError
from infra.sandbox.marketo.border.identity import LIFE_SECONDS, Identity
from infra.sandbox.marketo.border.in_flight import Flight, InFlight
from infra.sandbox.marketo.border.limits import Limits
from infra.sandbox.marketo.border.named_faults import CODES
from infra.sandbox.marketo.border.routes import Endpoint, Router

URI_MAX_BYTES = 8192
BODY_MAX_BYTES = 1 << 20
ZIP_MIN_BYTES = 1024
IMPORT_MAX_BYTES = 10 << 20
_FORM = "application/x-www-form-urlencoded"
_IDENTITY = "/identity/oauth/token"
_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Api:
    permitted: Callable[[str], Collection[str] | None]
    """What an API user's role holds; None: everything."""
    identity: Identity
    limits: Limits
    faults: FaultBoard
    meters: Meters
    clock: Clock
    latency_ms: float
    in_flight: InFlight
    router: Router

    def app(self) -> web.Application:
        app = web.Application(client_max_size=BODY_MAX_BYTES * 64)
        app.on_response_prepare.append(self._dated)
        app.router.add_route("*", _IDENTITY, self.token)
        return app

    def serve_rest(self, app: web.Application) -> None:
        """Takes every path that is not served otherwise; to be called last."""
        app.router.add_route("*", "/{path:(?!__sandbox__).*}", self.handle)

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
        if len(body) > (IMPORT_MAX_BYTES if request.content_type == "multipart/form-data" else BODY_MAX_BYTES):
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
            return _zipped(request, await wire.deliver(request, faults, self.latency_ms, lambda: self._answer(call)))
        finally:
            self.in_flight.answer(flight)
            self.limits.leave()

    def _call(self, request: web.Request, user: str, body: bytes, flight: Flight) -> tuple[Call, CallFaults]:
        params = _joined(request.query.items())
        if request.content_type == _FORM:
            params |= _joined(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        method = "GET" if request.method == "POST" and params.get("_method", "").upper() == "GET" else request.method
        faults = self.faults.for_call(method, request.path, user)
        call = Call(
            user=user,
            method=method,
            path=request.path,
            params=params,
            body=body,
            content_type=request.content_type,
            content_header=request.headers.get("Content-Type", ""),
            now_ms=self.clock.now_ms(),
            flight=flight,
            fault=faults.fault,
        )
        return call, faults

    async def _answer(self, call: Call) -> web.StreamResponse:
        """Runs the endpoint and wraps its answer; nothing is awaited in between."""
        call.now_ms = self.clock.now_ms()
        name = f"{call.method} other"
        code: str | None = None
        try:
            name, endpoint = self.router.find(call)
            self._permit(call.user, name)
            answer = self._scripted(call, endpoint)
            if isinstance(answer, Raw):
                self.meters.count(call.user, name, calls=1)
                return _raw(answer)
            envelope = {"requestId": call.request_id, "success": True, **answer}
        except ApiError as error:
            code = error.code
            self.limits.error(code, call.now_ms)
            envelope = _failure(call.request_id, error)
        except Exception:  # noqa: BLE001 - whatever goes wrong inside the instance is its error 611, as with the real one
            _log.exception("the sandbox failed at %s %s", call.method, call.path)
            code = "611"
            envelope = _failure(call.request_id, ApiError(code, MESSAGES[code]))
        self.meters.count(call.user, name, calls=1, records=call.records, error=code)
        self._count_skipped(call, name, envelope)
        return _json(envelope)

    def _permit(self, user: str, endpoint: str) -> None:
        """ApiError 603 for a user whose role has none of the endpoint's permissions."""
        held, wanted = self.permitted(user), self.router.needed[endpoint]
        if held is not None and wanted and wanted.isdisjoint(held):
            raise ApiError("603", MESSAGES["603"])

    def _scripted(self, call: Call, endpoint: Endpoint) -> Answer | Raw:
        """The endpoint, under a fault that refuses the call if there is one: with `applied` the change is made, the answer denies it."""
        fault = call.fault
        if fault is None or (fault.type != "marketo_error" and fault.type not in CODES):
            return endpoint(call)
        if fault.action.get("applied"):
            endpoint(call)
        code = str(CODES.get(fault.type) or fault.action.get("code", "611"))
        raise ApiError(code, str(fault.action.get("message") or MESSAGES.get(code, "Scripted error")))

    def _count_skipped(self, call: Call, name: str, envelope: Answer) -> None:
        for result in envelope.get("result") or ():
            if isinstance(result, dict) and result.get("status") == "skipped":
                why = result.get("reasons") or result.get("errors") or [{}]
                self.meters.count(call.user, name, error=why[0].get("code"))

    async def _refused(self, request: web.Request, user: str, error: ApiError) -> web.StreamResponse:
        now_ms = self.clock.now_ms()
        if error.code not in UNCOUNTED:
            self.limits.error(error.code, now_ms)
        self.meters.count(user, f"{request.method} refused", error=error.code)

        async def apply() -> web.Response:
            return _json(_failure(new_request_id(now_ms), error))

        return await wire.deliver(request, CallFaults(), self.latency_ms, apply)


def _zipped(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Gzip for who asks for it, but for bulk and for small bodies (performance guide)."""
    asked = "gzip" in request.headers.get("Accept-Encoding", "") and request.path.startswith("/rest/")
    if asked and isinstance(response, web.Response) and isinstance(response.body, bytes) and len(response.body) >= ZIP_MIN_BYTES:
        response.enable_compression(web.ContentCoding.gzip)
    return response


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Parameters by name; one that is given several times is the list of its values (marketorestpython sends `fields` so)."""
    found: dict[str, str] = {}
    for name, value in pairs:
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _bearer(request: web.Request) -> str | None:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer" and token:
        return token.strip()
    return request.query.get("access_token")  # being removed by the vendor, still accepted


def _raw(answer: Raw) -> web.StreamResponse:
    """A file honours `Range`."""
    if answer.file is not None:
        return web.FileResponse(answer.file, status=answer.status, headers={"Content-Type": answer.content_type})
    return web.Response(status=answer.status, text=answer.text, content_type=answer.content_type)


def _failure(request_id: str, error: ApiError) -> Answer:
    return {"requestId": request_id, "success": False, "errors": [{"code": error.code, "message": error.message}]}


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json", charset="utf-8")

"""The HTTP face of the org: token endpoint, data API, CometD. Every call is metered, counted against the day, and open to faults."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any

import orjson
from aiohttp import web

from infra.sandbox.kernel.faults import CallFaults, Fault
from infra.sandbox.kernel.wire import deliver
from infra.sandbox.salesforce.access.caller import Caller, DuplicateHeader
from infra.sandbox.salesforce.access.sessions import Session, bearer_of
from infra.sandbox.salesforce.bulk.ingest import IngestJobs
from infra.sandbox.salesforce.bulk.query import QueryJobs
from infra.sandbox.salesforce.bulk.running import Jobs
from infra.sandbox.salesforce.cometd.endpoint import Streaming
from infra.sandbox.salesforce.http.oauth import GrantError, grant
from infra.sandbox.salesforce.http.routes import absent_routes, data_routes, job_routes
from infra.sandbox.salesforce.http.soap import Soap
from infra.sandbox.salesforce.org.org import Org
from infra.sandbox.salesforce.rest import resources
from infra.sandbox.salesforce.rest.call import Call, Reply, Route, Router, json_reply
from infra.sandbox.salesforce.rest.composite import batch, composite, graph
from infra.sandbox.salesforce.rest.queries import Queries
from infra.sandbox.salesforce.rest.whoami import identity, userinfo
from infra.sandbox.salesforce.wire.errors import ApiError, RecordError

BODY_BYTES_MAX = 160 << 20
URI_BYTES_MAX = 16_384
_VERSIONED = re.compile(r"/services/data/v(\d+)\.0(/.*)?")
_log = logging.getLogger(__name__)


class Server:
    def __init__(self, org: Org, latency_ms: float = 0.0) -> None:
        self._org = org
        self._latency_ms = latency_ms
        self._queries = Queries()
        self._jobs = Jobs(org)
        self._query_jobs, self._ingest_jobs = QueryJobs(org, self._jobs), IngestJobs(org, self._jobs)
        self._router = Router(self._routes())
        self._under_way = 0
        self._soap_side = Soap(org)
        self.streaming = Streaming(org)

    def application(self) -> web.Application:
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_post("/services/oauth2/token", self._token)
        app.router.add_post("/services/oauth2/revoke", self._revoke)
        for path in ("/services/data", "/services/data/"):
            app.router.add_get(path, self._versions)
        for path in ("/cometd", "/cometd/", "/cometd/{version}", "/cometd/{version}/"):
            app.router.add_post(path, self._cometd)
        for path in ("/services/oauth2/userinfo", "/id/{organisation}/{user}"):
            app.router.add_get(path, self._who)
        app.router.add_route("*", "/services/data/{tail:.*}", self._data)
        app.router.add_post("/services/Soap/{wsdl:[uc]}/{version}", self._soap)
        app.router.add_route("*", "/services/{tail:.*}", self._absent)
        app.on_shutdown.append(self._shut_down)
        return app

    def endpoints(self) -> list[tuple[str, str]]:
        """(method, resource) of all that the data API serves."""
        routes = [route for route in self._routes() if route.handler is not resources.not_here]
        return [(method, route.pattern) for route in routes for method in route.methods]

    def resume(self) -> None:
        """Goes on with the bulk jobs that the end of the last process interrupted."""
        self._jobs.resume("query", self._query_jobs.work)
        self._jobs.resume("ingest", self._ingest_jobs.work)

    def _routes(self) -> list[Route]:
        return [
            *data_routes(self._queries),
            *job_routes(self._query_jobs, self._ingest_jobs),
            Route(methods=("POST",), pattern="/composite", handler=lambda call: composite(call, self._dispatch)),
            Route(methods=("POST",), pattern="/composite/batch", handler=lambda call: batch(call, self._dispatch)),
            Route(methods=("POST",), pattern="/composite/graph", handler=lambda call: graph(call, self._dispatch)),
            *absent_routes(),
        ]

    # -- data API

    async def _data(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        token = bearer_of(request.headers.get("Authorization"))
        known = self._org.sessions.known(token or "")
        actor = "" if known is None else self._org.user_name(known.user_id)
        faults = self._org.faults.for_call(request.method, request.path, actor)
        self._under_way += 1
        self._org.meters.gauge("calls_under_way", self._under_way)
        try:

            async def apply() -> web.StreamResponse:
                return self._apply(request, body, token, actor, faults.fault)

            return await deliver(request, faults, self._latency_ms, apply)
        finally:
            self._under_way -= 1
            self._org.meters.gauge("calls_under_way", self._under_way)

    def _apply(self, request: web.Request, body: bytes, token: str | None, actor: str, fault: Fault | None) -> web.Response:
        """Carries out one call, from session to answer, without giving way to any other."""
        call, error = None, None
        now_ms = self._org.clock.now_ms()
        try:
            call = self._call(request, body, token, fault)
            self._charge(now_ms)
            reply = self._dispatch(call)
        except ApiError as refused:
            reply, error = Reply(status=refused.status, body=refused.body()), refused.code
        except Exception:  # noqa: BLE001 - the org answers 500 to whatever goes wrong inside it, as the real one does
            _log.exception("the sandbox failed at %s %s", request.method, request.path)
            broken = ApiError(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred. Please include this ErrorId if you contact support")
            reply, error = Reply(status=500, body=broken.body()), broken.code
        endpoint = f"{request.method} {'(refused)' if call is None else call.pattern}"
        self._org.meters.count(actor, endpoint, calls=1, records=0 if call is None else call.records, error=error)
        return self._response(reply, now_ms)

    def _call(self, request: web.Request, body: bytes, token: str | None, fault: Fault | None) -> Call:
        if len(request.raw_path) > URI_BYTES_MAX:
            raise ApiError(414, "URI_TOO_LONG", "The URI is longer than 16,384 bytes")
        raw_path = request.rel_url.raw_path
        match = _VERSIONED.fullmatch(raw_path)
        if match is None or not resources.OLDEST <= int(match.group(1)) <= resources.NEWEST:
            raise ApiError(404, "NOT_FOUND", "The requested resource does not exist")
        session = self._org.session_of(token)
        if session is None:
            raise ApiError(401, "INVALID_SESSION_ID", "Session expired or invalid")
        version = f"{match.group(1)}.0"
        headers = {name.lower(): value for name, value in request.headers.items()}
        path = match.group(2) or ""
        return Call(
            org=self._org, method=request.method, path=path.rstrip("/"), query=dict(request.query), headers=headers,
            body=body, version=version, caller=self._caller(session, headers, version), view=self._org.view(session.user_id), fault=fault,
        )  # fmt: skip

    def _caller(self, session: Session, headers: Mapping[str, str], version: str) -> Caller:
        client = re.search(r"client=([^;,\s]+)", headers.get("sforce-call-options", ""))
        origin = f"com/salesforce/api/rest/{version}" + (f";client={client.group(1)}" if client else "")
        return Caller(
            user_id=session.user_id, user_name=self._org.user_name(session.user_id), request_id=secrets.token_hex(8), origin=origin,
            auto_assign=headers.get("sforce-auto-assign", "TRUE").upper() != "FALSE",
            duplicates=DuplicateHeader.read(headers.get("sforce-duplicate-rule-header", "")),
        )  # fmt: skip

    def _charge(self, now_ms: int) -> None:
        if self._org.api_calls.remaining(now_ms) <= 0:
            raise ApiError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        self._org.api_calls.spend(now_ms)

    def _dispatch(self, call: Call) -> Reply:
        route, call.params = self._router.find(call.method, call.path)
        call.pattern = route.pattern
        refuse_by_fault(call.fault)
        try:
            return route.handler(call)
        except RecordError as refused:
            raise refused.as_api_error() from refused

    def _response(self, reply: Reply, now_ms: int) -> web.Response:
        usage = f"api-usage={self._org.api_calls.used}/{self._org.api_calls.most}"
        headers = {"Sforce-Limit-Info": usage, "Date": _http_date(now_ms), **reply.headers}
        if not reply.body:
            return web.Response(status=reply.status, headers=headers)
        kind = headers.pop("Content-Type", "application/json")
        return web.Response(status=reply.status, body=reply.body, headers=headers, content_type=kind, charset="UTF-8")

    # -- SOAP

    async def _soap(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        actor = self._soap_side.actor(body)
        faults = self._org.faults.for_call(request.method, request.path, actor)

        async def apply() -> web.StreamResponse:
            now_ms, refusal = self._org.clock.now_ms(), None
            try:
                self._charge(now_ms)
                refuse_by_fault(faults.fault)
            except ApiError as refused:
                refusal = refused
            version, enterprise = request.match_info["version"], request.match_info["wsdl"] == "c"
            status, text, name, error = self._soap_side.answer(body, version, enterprise=enterprise, refusal=refusal)
            self._org.meters.count(actor, f"POST /services/Soap {name}", calls=1, records=1, error=error or None)
            return web.Response(status=status, text=text, content_type="text/xml", headers={"Date": _http_date(now_ms)})

        return await deliver(request, faults, self._latency_ms, apply)

    # -- the rest

    async def _versions(self, _: web.Request) -> web.Response:
        self._org.meters.count("", "GET /services/data", calls=1)
        return self._response(json_reply(resources.versions()), self._org.clock.now_ms())

    async def _token(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()} | dict(request.query)
        faults = self._org.faults.for_call("POST", request.path, form.get("client_id", ""))

        async def apply() -> web.StreamResponse:
            return self._grant(form, request, faults)

        return await deliver(request, faults, self._latency_ms, apply)

    def _grant(self, form: Mapping[str, str], request: web.Request, faults: CallFaults) -> web.Response:
        kind = form.get("grant_type", "").rpartition(":")[2]
        status, error = 200, None
        body: dict[str, Any]
        try:
            _refuse_by_fault(faults)
            body = grant(self._org, form, request.headers.get("Authorization"), f"{request.scheme}://{request.host}")
        except GrantError as refused:
            status, error, body = 400, refused.body["error"], refused.body
        self._org.meters.count(form.get("client_id", ""), f"token {kind}", calls=1, error=error)
        return self._response(Reply(status=status, body=orjson.dumps(body)), self._org.clock.now_ms())

    async def _revoke(self, request: web.Request) -> web.Response:
        form = await request.post()
        self._org.revoke(token=str(form.get("token", "")))
        return web.Response()

    async def _who(self, request: web.Request) -> web.Response:
        """Who the token is of: the identity URL, and OpenID's userinfo."""
        session = self._org.session_of(bearer_of(request.headers.get("Authorization")))
        wanted = request.match_info.get("user")
        user = None if session is None else self._org.store.row(session.user_id)
        if user is None or wanted not in (None, user["Id"], str(user["Id"])[:15]):
            return web.Response(status=403, text="Bad_OAuth_Token" if user is None else "Wrong_User")
        told = userinfo if wanted is None else identity
        self._org.meters.count(self._org.user_name(str(user["Id"])), f"GET {told.__name__}", calls=1)
        return self._response(json_reply(told(user, f"{request.scheme}://{request.host}")), self._org.clock.now_ms())

    async def _cometd(self, request: web.Request) -> web.StreamResponse:
        faults = self._org.faults.for_call(request.method, request.path, "")
        faults.delay_ms = 0.0  # the latency setting is one of API calls; events go out at once

        async def apply() -> web.StreamResponse:
            return await self.streaming.serve(request)

        return await deliver(request, faults, 0.0, apply)

    async def _absent(self, request: web.Request) -> web.Response:
        refused = ApiError(501, "NOT_IN_SANDBOX", f"{request.method} {request.path} is not part of this sandbox")
        return self._response(Reply(status=refused.status, body=refused.body()), self._org.clock.now_ms())

    async def _shut_down(self, _: web.Application) -> None:
        self._jobs.close()
        self._org.jobs.close()
        self.streaming.hub.close()


def refuse_by_fault(fault: Fault | None) -> None:
    """Raises what a `salesforce_error` says."""
    if fault is not None and fault.type == "salesforce_error":
        code = str(fault.action.get("code", "SERVER_UNAVAILABLE"))
        raise ApiError(int(fault.action.get("status", 503)), code, str(fault.action.get("message", code)))


def _refuse_by_fault(faults: CallFaults) -> None:
    if faults.fault is not None and faults.fault.type == "salesforce_error":
        action = faults.fault.action
        raise GrantError(str(action.get("code", "rate_limit_exceeded")), str(action.get("message", "rate limit exceeded")))


def _http_date(now_ms: int) -> str:
    return formatdate(now_ms / 1000, usegmt=True)

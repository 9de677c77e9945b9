"""Self-service flow steps: a batch is sent to the service, which answers 201 and later calls back with the results (service provider
interface). A call whose answer is lost is made again."""

import asyncio
import hmac
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from infra.sandbox.marketo.border.errors import RecordError
from infra.sandbox.marketo.border.origin import Origin
from infra.sandbox.marketo.people import people
from infra.sandbox.marketo.push.campaigns import Run
from infra.sandbox.marketo.state.instance import Instance
from infra.sandbox.marketo.state.records import Row
from infra.sandbox.marketo.state.store import SERVICE

MUNCHKIN_ID = "123-ABC-456"
CALLBACK = "/flowsteps/callback"
PEOPLE_MAX = 300
"""In one batch."""
_WAIT = aiohttp.ClientTimeout(total=30)
_TRIES, _PAUSE_SECONDS = 4, 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A batch that was accepted and waits for its callback."""

    token: str
    api_key: str
    service_id: str
    runs: tuple[Run, ...]
    step: int
    context: Mapping[str, Any]

    @property
    def run(self) -> Run:
        return self.runs[0]


@dataclass(slots=True)
class FlowSteps:
    """`base_url` is where this process serves; set when it does."""

    instance: Instance
    base_url: str = ""
    _waiting: dict[str, Waiting] = field(default_factory=dict)
    _lost: dict[str, int] = field(default_factory=dict)
    """By service: so many callbacks were taken without an answer."""

    async def submit(self, session: aiohttp.ClientSession, runs: Sequence[Run], step: Mapping[str, Any], number: int) -> None:
        """Posts a batch of people of one campaign; anything but 201 ends the step as failed for each of them."""
        key = str(step["service"])
        service = self.instance.store.table(SERVICE).get(key) or {}
        batch = str(uuid.uuid4())
        waiting = Waiting(
            token=secrets.token_hex(16), api_key=secrets.token_hex(16), service_id=key, runs=tuple(runs), step=number,
            context=step.get("context") or {},
        )  # fmt: skip
        self._waiting[batch] = waiting
        problem = await self._posted(session, service, orjson.dumps(self._body(batch, waiting)))
        if problem is not None and self._waiting.pop(batch, None) is not None:
            for run in runs:
                self._log(waiting, service, run.lead_id, {"success": False, "reason": problem, "errorCode": problem})

    async def _posted(self, session: aiohttp.ClientSession, service: Row, body: bytes) -> str | None:
        """What is wrong with the answer. Without one the same call is made again, some times."""
        headers = {"Content-Type": "application/json", **(service.get("headers") or {})}
        problem = ""
        for _ in range(_TRIES):
            try:
                async with session.post(service["url"], data=body, headers=headers, timeout=_WAIT) as answer:
                    return None if answer.status == 201 else f"HTTP {answer.status}"
            except (TimeoutError, aiohttp.ClientError) as error:
                problem = type(error).__name__
            await asyncio.sleep(_PAUSE_SECONDS)
        return problem

    async def callback(self, request: web.Request) -> web.Response:
        """Takes the results of a batch, once, with the two secrets that went out with it."""
        waiting = self._waiting.get(request.match_info["batch"])
        given = (request.headers.get("x-api-key", ""), request.headers.get("x-callback-token", ""))
        if waiting is None or not all(map(hmac.compare_digest, given, (waiting.api_key, waiting.token))):
            return web.Response(status=401)
        try:
            body = orjson.loads(await request.read())
            rows = [(one["leadData"], one.get("activityData") or {}) for one in body["objectData"]]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return web.Response(status=400)
        del self._waiting[request.match_info["batch"]]
        service = self.instance.store.table(SERVICE).get(waiting.service_id) or {}
        for data, activity in rows:
            self._write(waiting, service, data, activity)
        if self._lost.setdefault(waiting.service_id, 0) < int(service.get("lose_callbacks") or 0) and request.transport is not None:
            self._lost[waiting.service_id] += 1
            request.transport.abort()
        return web.json_response({"accepted": len(rows)})

    def _write(self, waiting: Waiting, service: Row, data: Mapping[str, Any], activity: Mapping[str, Any]) -> None:
        lead_id, store = data.get("id"), self.instance.store
        if not isinstance(lead_id, int) or store.person(lead_id) is None or lead_id not in {run.lead_id for run in waiting.runs}:
            return
        origin = _origin(waiting, service)
        with self.instance.section() as section:
            for name, value in data.items():
                if name != "id":
                    try:
                        people.change(section, lead_id, people.checked(store, {name: value}), origin)
                    except RecordError:
                        continue  # a field that is not writable or a value that does not fit
        self._log(waiting, service, lead_id, activity)

    def _log(self, waiting: Waiting, service: Row, lead_id: int, activity: Mapping[str, Any]) -> None:
        shown = [["Success", bool(activity.get("success"))], ["Reason", activity.get("reason")], ["Error Code", activity.get("errorCode")]]
        for name, label in (service.get("flowAttributes") or {}).items():
            shown.append([label, waiting.context.get(name)])
        for name, label in (service.get("attributes") or {}).items():
            shown.append([label, activity.get(name)])
        row = [lead_id, service["activityType"], int(waiting.service_id), service["name"], shown]
        with self.instance.section() as section:
            section.add("_call", "FlowStepCall", "", _origin(waiting, service), before=None, after=None, activities=[row])

    def _body(self, batch: str, waiting: Waiting) -> dict[str, Any]:
        run, store = waiting.run, self.instance.store
        service = store.table(SERVICE).get(waiting.service_id) or {}
        program_id = run.campaign.get("program")
        program = (store.table("Program").get(str(program_id)) if program_id else None) or {}
        return {
            "token": waiting.token,
            "batchid": batch,
            "apiCallBackKey": waiting.api_key,
            "campaignId": run.campaign_id,
            "callbackUrl": f"{self.base_url}{CALLBACK}/{batch}",
            "context": {
                "subscription": {"munchkinId": MUNCHKIN_ID, "prefix": "sandbox", "crmSyncStatus": store.settings.native_sync},
                "admin": service.get("admin") or {},
                "campaign": {"id": run.campaign_id, "name": run.campaign["name"], "type": _kind(run), "workspaceName": "Default"},
                "program": {"id": program_id, "name": program.get("name"), "channelName": program.get("channel")},
            },
            "objectData": [self._object(each, service, waiting) for each in waiting.runs],
        }

    def _object(self, run: Run, service: Row, waiting: Waiting) -> dict[str, Any]:
        person = self.instance.store.person(run.lead_id) or {}
        return {
            "objectType": "lead",
            "objectContext": {"id": run.lead_id, **{name: person.get(name) for name in service.get("fields") or []}},
            "flowStepContext": waiting.context,
            "triggeringContext": {"name": run.trigger, "triggerName": run.trigger},
        }


def _kind(run: Run) -> str:
    return "batch" if run.trigger == "batch" else "trigger"


def _origin(waiting: Waiting, service: Row) -> Origin:
    reason = f"Smart Campaign: {waiting.run.campaign_id}, Step Seq ID: {waiting.step}"
    name = f"{service['name']} ({waiting.service_id})"
    return Origin(actor=f"flow-step-{waiting.service_id}", source=name, reason=reason, campaign=waiting.run.campaign_id)

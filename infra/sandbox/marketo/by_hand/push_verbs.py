"""Control verbs for what pushes: webhooks, campaigns, flow-step services, data streams."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from infra.sandbox.kernel.system import Verb, VerbRefusedError
from infra.sandbox.marketo.by_hand.bodies import by_hand, member, taking_object
from infra.sandbox.marketo.objects.custom_types import next_activity_type
from infra.sandbox.marketo.push.campaigns import ON
from infra.sandbox.marketo.push.installing import installed
from infra.sandbox.marketo.push.streams import Streams
from infra.sandbox.marketo.state.instance import Instance
from infra.sandbox.marketo.state.records import Row
from infra.sandbox.marketo.state.store import CAMPAIGN, SCHEDULED, SERVICE, STREAM, WEBHOOK

_STEPS = {
    "webhook": ("webhook",),
    "flow_step": ("service",),
    "change_value": ("field", "value"),
    "status": ("program", "status"),
    "add_to_list": ("list",),
}
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True, slots=True)
class PushVerbs:
    instance: Instance
    streams: Streams

    def table(self) -> Mapping[str, Verb]:
        return {
            "webhook/create": taking_object(self.create_webhook),
            "campaign/create": taking_object(self.create_campaign),
            "campaign/active": taking_object(self.activate),
            "campaign/run": taking_object(self.run_once),
            "service/create": taking_object(self.create_service),
            "service/install": self.install_service,
            "stream/create": self.create_stream,
            "stream/enable": self.enable_stream,
        }

    def create_webhook(self, body: Mapping[str, Any]) -> Any:
        """{"name", "url", "method"?, "payload"?, "headers"?, "encoding"? ("json", "form", ""), "response"? ("json", "xml"), "mappings"?
        {path: field}, "timeout_seconds"?} -> {"id"}"""
        member(body, "name", str), member(body, "url", str)
        if body.get("method", "POST") not in _METHODS:
            raise VerbRefusedError(f"method: one of {', '.join(_METHODS)} expected")
        for name in (body.get("mappings") or {}).values():
            if name not in self.instance.store.fields:
                raise VerbRefusedError(f"no field {name!r}")
        return self._made(WEBHOOK, {"method": "POST", **body})

    def create_campaign(self, body: Mapping[str, Any]) -> Any:
        """{"name", "on": "request" / "batch" / "person_created" / "value_changed" / "added_to_list" / "program_status", "key"? (field,
        list or program id; of a batch the list that it runs for), "smart_list"? (of a batch, instead), "program"?, "steps": [{"type":
        "webhook", "webhook"} / {"type": "flow_step", "service", "context"?} / {"type": "change_value", "field", "value"} / {"type":
        "status", "program", "status"} / {"type": "add_to_list", "list"}]} -> {"id"}"""
        member(body, "name", str)
        if body.get("on") not in ON:
            raise VerbRefusedError(f"on: one of {', '.join(ON)} expected")
        for step in member(body, "steps", list):
            names = _STEPS.get(str(step.get("type"))) if isinstance(step, Mapping) else None
            if names is None or any(name not in step for name in names):
                raise VerbRefusedError(f"steps: objects like {_STEPS} expected")
        return self._made(CAMPAIGN, dict(body), first=1001)

    def activate(self, body: Mapping[str, Any]) -> Any:
        """{"id", "active": true|false}"""
        key, active = str(member(body, "id", int)), member(body, "active", bool)
        row = self.instance.store.table(CAMPAIGN).get(key)
        if row is None:
            raise VerbRefusedError(f"no campaign {key}")
        with self.instance.section() as section:
            before = {"active": row.get("active", True)}
            section.add("update", CAMPAIGN, key, by_hand(body, "Marketing activities"), before=before, after={"active": active})
        return {"id": int(key), "active": active}

    def run_once(self, body: Mapping[str, Any]) -> Any:
        """{"id"} of a batch campaign -> {"id"}: it runs now, for everybody who is on its list"""
        number = member(body, "id", int)
        row = self.instance.store.table(CAMPAIGN).get(str(number))
        if row is None or row["on"] != "batch":
            raise VerbRefusedError(f"no batch campaign {number}")
        with self.instance.section() as section:
            after = {"campaign": number, "atMs": section.now_ms, "tokens": {}}
            run = str(section.store.table(SCHEDULED).next_id)
            section.add("create", SCHEDULED, run, by_hand(body, "Run once"), before=None, after=after)
        return {"id": number}

    def create_service(self, body: Mapping[str, Any]) -> Any:
        """{"name", "url" (where batches go), "headers"?, "fields"? (sent with each person), "admin"?} -> {"id", "activityType"}"""
        member(body, "name", str), member(body, "url", str)
        number = next_activity_type(self.instance.store)
        return {**self._made(SERVICE, {**body, "activityType": number}), "activityType": number}

    async def install_service(self, body: bytes) -> Any:
        """{"url" (of the OpenAPI document), "key" (goes with each call), "lose_callbacks"? (so many are taken without an answer)} ->
        {"id", "activityType", "name", "choices"}: what an administrator does with a service provider's document"""
        given = orjson.loads(body or b"{}")
        if not isinstance(given, dict):
            raise VerbRefusedError("an object expected")
        row = await installed(member(given, "url", str), member(given, "key", str))
        number = next_activity_type(self.instance.store)
        made = self._made(SERVICE, {**row, "lose_callbacks": int(given.get("lose_callbacks") or 0), "activityType": number})
        return {**made, "activityType": number, "name": row["name"], "choices": row["choices"]}

    async def create_stream(self, body: bytes) -> Any:
        """{"client_id", "client_secret"? (for tokens), "url"?, "types"? (activity type ids)} -> {"id", "status", "journal"}. With an
        address it is challenged first."""
        given = orjson.loads(body or b"{}")
        if not isinstance(given, dict) or not isinstance(given.get("client_id"), str):
            raise VerbRefusedError("client_id: str expected")
        place = len(self.instance.store.log.commits)
        row = {
            "clientId": given["client_id"],
            "clientSecret": given.get("client_secret"),
            "url": given.get("url"),
            "types": given.get("types"),
            "from": place,
            "position": place,
        }
        key = str(self._made(STREAM, {**row, "status": "ACTIVE" if not given.get("url") else "PENDING"})["id"])
        if given.get("url"):
            await self._verified(key, given["url"])
        found = self.instance.store.table(STREAM).get(key) or {}
        return {"id": key, "status": found["status"], "journal": f"{self.streams.base_url}/events/organizations/1/integrations/1/{key}"}

    async def enable_stream(self, body: bytes) -> Any:
        """{"id"} -> {"id", "status"}: what a person does after a registration was disabled."""
        key = str(orjson.loads(body or b"{}").get("id"))
        row = self.instance.store.table(STREAM).get(key)
        if row is None or not row.get("url"):
            raise VerbRefusedError(f"no stream {key!r} with an address")
        await self._verified(key, row["url"])
        return {"id": key, "status": (self.instance.store.table(STREAM).get(key) or {})["status"]}

    async def _verified(self, key: str, url: str) -> None:
        if await self.streams.challenge(key, url):
            self.streams.set_status(key, "ACTIVE")
            self.streams.start(key)

    def _made(self, name: str, row: Row, first: int = 1) -> dict[str, Any]:
        with self.instance.section() as section:
            key = str(max(section.store.table(name).next_id, first))
            after = {one: value for one, value in row.items() if one != "user"}
            section.add("create", name, key, by_hand(row, "Admin"), before=None, after=after)
        return {"id": int(key)}

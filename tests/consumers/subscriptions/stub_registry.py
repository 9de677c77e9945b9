"""A schema registry as its public API reference describes it, as far as JSON Schemas by subject need it.

Schemas have one number over all subjects; the same schema under the same subject is one version. Whether one may follow another is told by
properties and their types, as the registry does for open models: backward (the new one reads what the old one wrote) or forward.
"""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from infra.ports import free_port

MEDIA = "application/vnd.schemaregistry.v1+json"
AUTH = f"Basic {base64.b64encode(b'tandem:secret').decode()}"


@dataclass(slots=True)
class StubRegistry:
    """`versions`: by subject, numbers of schemas; `modes`: by subject, its compatibility."""

    url: str
    versions: dict[str, list[int]] = field(default_factory=dict)
    schemas: list[str] = field(default_factory=list)
    modes: dict[str, str] = field(default_factory=dict)
    writes: int = 0

    def put(self, subject: str, schema: str) -> int:
        """Another version of a subject, without asking."""
        if schema not in self.schemas:
            self.schemas.append(schema)
        number = self.schemas.index(schema) + 1
        if number not in self.versions.setdefault(subject, []):
            self.versions[subject].append(number)
        return number

    async def look_up(self, request: web.Request) -> web.Response:
        """POST /subjects/{subject}: whether it has this very schema."""
        subject, schema = request.match_info["subject"], (await request.json())["schema"]
        if subject not in self.versions:
            return _error(404, 40401, f"Subject '{subject}' not found.")
        number = self.schemas.index(schema) + 1 if schema in self.schemas else 0
        if number not in self.versions[subject]:
            return _error(404, 40403, "Schema not found")
        version = self.versions[subject].index(number) + 1
        return _answer({"subject": subject, "id": number, "version": version, "schemaType": "JSON", "schema": schema})

    async def compatible(self, request: web.Request) -> web.Response:
        """POST /compatibility/subjects/{subject}/versions/latest."""
        subject = request.match_info["subject"]
        if subject not in self.versions:
            return _error(404, 40401, f"Subject '{subject}' not found.")
        messages = self._wrong(subject, (await request.json())["schema"])
        return _answer({"is_compatible": not messages, "messages": messages})

    async def register(self, request: web.Request) -> web.Response:
        """POST /subjects/{subject}/versions."""
        told, subject = await request.json(), request.match_info["subject"]
        if request.content_type != MEDIA or told.get("schemaType") != "JSON":
            return _error(422, 42201, "Invalid schema")
        if subject in self.versions and self._wrong(subject, told["schema"]):
            return _error(409, 409, "Schema being registered is incompatible with an earlier schema")
        self.writes += 1
        return _answer({"id": self.put(subject, told["schema"])})

    async def configure(self, request: web.Request) -> web.Response:
        """PUT /config/{subject}."""
        mode = (await request.json())["compatibility"]
        if mode not in ("BACKWARD", "FORWARD", "FULL", "NONE"):
            return _error(422, 42203, "Invalid compatibility level.")
        self.modes[request.match_info["subject"]] = mode
        return _answer({"compatibility": mode})

    def _wrong(self, subject: str, schema: str) -> list[str]:
        mode = self.modes.get(subject, "BACKWARD")
        old, new = _own(json.loads(self.schemas[self.versions[subject][-1] - 1])), _own(json.loads(schema))
        found = _differences(new, old) if mode in ("BACKWARD", "FULL") else []
        return found + (_differences(old, new) if mode in ("FORWARD", "FULL") else [])


def _differences(reader: dict[str, Any], writer: dict[str, Any]) -> list[str]:
    """Why the reader can't be sure of what the writer has written."""
    ours, theirs = reader.get("properties", {}), writer.get("properties", {})
    found = [f"PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL: {name}" for name in sorted(ours.keys() - theirs.keys())]
    found += [f"TYPE_CHANGED: {name}" for name in sorted(ours.keys() & theirs.keys()) if ours[name].get("type") != theirs[name].get("type")]
    missing = set(reader.get("required", [])) - set(writer.get("required", []))
    return found + [f"REQUIRED_ATTRIBUTE_ADDED: {name}" for name in sorted(missing)]


def _own(schema: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = schema["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return told


@asynccontextmanager
async def stub_registry(*, locked: bool = False) -> AsyncIterator[StubRegistry]:
    """One that listens. `locked`: only for whoever has the password."""
    port = free_port()
    told = StubRegistry(url=f"http://127.0.0.1:{port}")

    @web.middleware
    async def door(request: web.Request, handler: Any) -> web.StreamResponse:
        if locked and request.headers.get("authorization") != AUTH:
            return _error(401, 40101, "Unauthorized")
        answer: web.StreamResponse = await handler(request)
        return answer

    app = web.Application(middlewares=[door])
    app.router.add_post("/subjects/{subject}", told.look_up)
    app.router.add_post("/subjects/{subject}/versions", told.register)
    app.router.add_post("/compatibility/subjects/{subject}/versions/latest", told.compatible)
    app.router.add_put("/config/{subject}", told.configure)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield told
    finally:
        await runner.cleanup()


def _answer(told: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(status=status, body=json.dumps(told).encode(), content_type=MEDIA)


def _error(status: int, code: int, words: str) -> web.Response:
    return _answer({"error_code": code, "message": words}, status)

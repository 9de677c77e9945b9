"""The schemas of the topics in a Confluent-compatible schema registry: which it has, whether ours may follow them, and registering them.

By its REST API (Confluent Schema Registry API reference, v1): subjects by the TopicNameStrategy (`TOPIC-value`), schemas of the type JSON.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self
from urllib.parse import quote

import aiohttp
import orjson

from consumers.kinds.registry import Registry
from consumers.subscriptions.published import schema_of
from consumers.subscriptions.topics import Content, topics
from streams.wire.errors import Fatal, Reject, Retry

MEDIA = "application/vnd.schemaregistry.v1+json"
NO_SUBJECT, NO_VERSION, NO_SCHEMA = 40401, 40402, 40403
"""Error codes of the registry: what was asked for isn't there."""
_ABSENT = frozenset({NO_SUBJECT, NO_VERSION, NO_SCHEMA})
_REMEDY = "Check schema_registry in the configuration."


class Stand(StrEnum):
    """How the registry has a topic's schema."""

    SAME = "same"
    """As it is."""
    NEW = "new"
    """Nothing under that subject yet."""
    CHANGED = "changed"
    """Another one, which ours may follow."""
    INCOMPATIBLE = "incompatible"
    """Another one, which ours may not follow by the registry's own rules."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One of them. `id`: the registry's number of our schema, 0: it has none; `why`: what it finds wrong."""

    name: str
    topic: str
    stand: Stand
    id: int = 0
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAccess:
    """Where it is, and who asks. `compatibility`: set for each subject of ours before its first schema; empty: the registry's own."""

    url: str
    username: str = ""
    password: str = ""
    compatibility: str = ""


def wanted(kinds: Registry) -> Mapping[str, tuple[str, str]]:
    """By subject: its topic, and the schema of its values as a text that is the same for the same types."""
    told = {content: orjson.dumps(schema_of(content), option=orjson.OPT_SORT_KEYS).decode() for content in Content}
    return {f"{topic.name}-value": (topic.name, told[topic.content]) for topic in topics(kinds)}  # fmt: skip


async def looked_up(access: RegistryAccess, kinds: Registry) -> list[Subject]:
    """How all of them stand; nothing is registered. Raises `Retry` where the registry is away, `Fatal` where it refuses us."""
    async with _Client(access) as client:
        return [await _one(client, name, topic, schema) for name, (topic, schema) in sorted(wanted(kinds).items())]


async def register(access: RegistryAccess, kinds: Registry) -> list[Subject]:
    """Register what is new or has changed: all of it, or, where one may not follow what is there, nothing. How they stood before, with the
    numbers that they have now. Raises as `looked_up`."""
    known, found = wanted(kinds), await looked_up(access, kinds)
    if any(each.stand is Stand.INCOMPATIBLE for each in found):
        return found
    async with _Client(access) as client:
        return [each if each.stand is Stand.SAME else await _registered(client, access, each, known[each.name][1]) for each in found]


async def _one(client: "_Client", name: str, topic: str, schema: str) -> Subject:
    body = {"schemaType": "JSON", "schema": schema}
    there = await client.ask("POST", f"/subjects/{quote(name, safe='')}", body)
    if there is not None:
        return Subject(name=name, topic=topic, stand=Stand.SAME, id=int(there["id"]))
    told = await client.ask("POST", f"/compatibility/subjects/{quote(name, safe='')}/versions/latest?verbose=true", body)
    if told is None:
        return Subject(name=name, topic=topic, stand=Stand.NEW)
    if told.get("is_compatible"):
        return Subject(name=name, topic=topic, stand=Stand.CHANGED)
    return Subject(name=name, topic=topic, stand=Stand.INCOMPATIBLE, why=tuple(str(each) for each in told.get("messages") or ()))


async def _registered(client: "_Client", access: RegistryAccess, subject: Subject, schema: str) -> Subject:
    path = quote(subject.name, safe="")
    if access.compatibility and subject.stand is Stand.NEW:
        await client.ask("PUT", f"/config/{path}", {"compatibility": access.compatibility})
    told = await client.ask("POST", f"/subjects/{path}/versions", {"schemaType": "JSON", "schema": schema})
    if told is None:
        raise Reject(f"The schema registry did not take {subject.name}.")
    return replace(subject, id=int(told["id"]))


class _Client:
    """Calls the registry; no secret of ours is in what it raises."""

    def __init__(self, access: RegistryAccess) -> None:
        self._access = access
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        headers = {"accept": MEDIA}
        if self._access.username:
            pair = f"{self._access.username}:{self._access.password}".encode()
            headers["authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30), headers=headers)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._http is not None:
            await self._http.close()

    async def ask(self, method: str, path: str, body: Mapping[str, str]) -> dict[str, Any] | None:
        """The answer; None: what is asked for isn't there."""
        assert self._http is not None  # noqa: S101 - entered
        url = f"{self._access.url}{path}"
        try:
            headers = {"content-type": MEDIA}
            async with self._http.request(method, url, data=orjson.dumps(body), headers=headers, allow_redirects=False) as answer:
                return _told(answer.status, await answer.read())
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Retry(f"The schema registry at {self._access.url} can't be reached ({type(error).__name__}). {_REMEDY}") from error


def _told(status: int, raw: bytes) -> dict[str, Any] | None:
    try:
        told = orjson.loads(raw or b"{}")
    except orjson.JSONDecodeError:
        told = {}
    told = told if isinstance(told, dict) else {}
    if status < 300:
        return told
    code, words = told.get("error_code"), str(told.get("message", ""))[:500]
    if status == 404 and code in _ABSENT:
        return None
    if status in (401, 403):
        raise Fatal(f"The schema registry refuses us ({status}).", remedy=_REMEDY)
    if status >= 500 or status == 429:
        raise Retry(f"The schema registry answers {status}: {words}")
    if status == 404:
        raise Fatal("There is no schema registry at that address (404).", remedy=_REMEDY)
    raise Reject(f"The schema registry answers {status} ({code}): {words}")


def incompatible(found: Sequence[Subject]) -> list[Subject]:
    """Those that may not follow what is there."""
    return [each for each in found if each.stand is Stand.INCOMPATIBLE]

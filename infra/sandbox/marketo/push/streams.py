"""The lead activity data stream: signed webhook batches and the journal (Adobe I/O Events: Marketo data streams, webhooks, journaling).

Delivery is at least once and in no promised order: a batch that is refused is sent again after 1, 2, 4, 8, 15, 15 ... minutes by the
sandbox's clock, for a day; then the registration is disabled. Only 429, 5xx but 505, and failed connections are tried again. The journal
goes on whatever becomes of the webhook.
"""

import asyncio
import re
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from infra.sandbox.kernel.faults import FaultBoard
from infra.sandbox.kernel.journal import Entry
from infra.sandbox.marketo.border.named_faults import STREAM_TYPES
from infra.sandbox.marketo.push.events import event_of, streamed
from infra.sandbox.marketo.push.signing import Signing
from infra.sandbox.marketo.state.instance import Instance
from infra.sandbox.marketo.state.records import Row
from infra.sandbox.marketo.state.store import STREAM

BATCH_EVENTS_MAX = 20
RETRY_MINUTES = (1, 2, 4, 8, 15)
GIVE_UP_MS = 24 * 3_600_000
JOURNAL_DAYS = 7
VALIDATION_MS = 5 * 60_000
TOKEN_SECONDS = 86_399
FOREIGN_MUNCHKIN_ID = "999-ZZZ-999"
_JOURNAL_EVENTS = 100
_WAIT = aiohttp.ClientTimeout(total=10)
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Events under one delivery id, as sent. `headers` replace those that would be right."""

    delivery: str
    body: bytes
    first: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Streams:
    instance: Instance
    signing: Signing
    faults: FaultBoard
    base_url: str = ""
    waiting: int = 0
    """Batches that wait for their next attempt; the meters show it."""
    _session: aiohttp.ClientSession | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: dict[str, set[asyncio.Task[None]]] = field(default_factory=dict)
    _validations: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Challenge -> registration and when it ends."""
    _tokens: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Access token -> client and when it ends."""

    def notice(self, _: Sequence[Entry]) -> None:
        """Listener of the instance."""
        self._news.set()

    def resume(self) -> None:
        for key, row in self.instance.store.table(STREAM).items():
            if row["status"] == "ACTIVE" and row.get("url"):
                self.start(key)

    async def stop(self) -> None:
        tasks = [task for found in self._tasks.values() for task in found]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def challenge(self, key: str, url: str) -> bool:
        """Whether the address answers the challenge; when not, it is sent an address to visit within five minutes."""
        value = secrets.token_hex(8)
        try:
            async with self.session.get(url, params={"challenge": value}, timeout=_WAIT) as answer:
                text = await answer.text()
                if answer.status == 200 and (text == value or _json(text).get("challenge") == value):
                    return True
            self._validations[value] = (key, self.instance.clock.now_ms() + VALIDATION_MS)
            body = {"validationUrl": f"{self.base_url}/csm/registrations/validate?id={key}&challenge={value}"}
            async with self.session.post(url, json=body, timeout=_WAIT):
                return False
        except (TimeoutError, aiohttp.ClientError):
            return False

    async def validate(self, request: web.Request) -> web.Response:
        key, until_ms = self._validations.pop(request.query.get("challenge", ""), ("", 0))
        if not key or key != request.query.get("id") or self.instance.clock.now_ms() > until_ms:
            return web.Response(status=404)
        self.set_status(key, "ACTIVE")
        self.start(key)
        return web.Response(text="validated")

    async def token(self, request: web.Request) -> web.Response:
        """An access token for a project's server-to-server credentials, as Adobe's identity service gives it."""
        form = await request.post()
        client, secret = str(form.get("client_id", "")), str(form.get("client_secret", ""))
        if form.get("grant_type") != "client_credentials" or not form.get("scope"):
            return web.json_response({"error": "invalid_request"}, status=400)
        known = {str(row.get("clientSecret")) for row in self.instance.store.table(STREAM).rows() if row["clientId"] == client}
        if not secret or secret not in known:
            return web.json_response({"error": "invalid_client", "error_description": "invalid client_secret parameter"}, status=400)
        token = secrets.token_urlsafe(32)
        self._tokens[token] = client, self.instance.clock.now_ms() + TOKEN_SECONDS * 1000
        return web.json_response({"access_token": token, "token_type": "bearer", "expires_in": TOKEN_SECONDS})

    def _lets_in(self, request: web.Request, row: Row | None) -> int:
        """0, or the status that the call is refused with. A registration without a secret takes any token."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            return 401
        if row is None or request.headers.get("x-api-key") != row["clientId"] or not request.headers.get("x-ims-org-id"):
            return 403
        client, until_ms = self._tokens.get(token, ("", 0))
        right = client == row["clientId"] and self.instance.clock.now_ms() < until_ms
        return 0 if right or not row.get("clientSecret") else 401

    async def key(self, request: web.Request) -> web.Response:
        pem = self.signing.public(request.match_info["name"])
        return web.Response(status=404) if pem is None else web.Response(body=pem, content_type="application/x-pem-file")

    def start(self, key: str) -> None:
        self._spawn(key, self._deliver(key))

    def set_status(self, key: str, status: str) -> None:
        self._note(key, {"status": status})

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession()
        return self._session

    async def _deliver(self, key: str) -> None:
        """Batch after batch from where the registration stands; a batch that has to be repeated does not hold up the next."""
        while (row := self.instance.store.table(STREAM).get(key)) is not None and row["status"] == "ACTIVE":
            self._news.clear()
            events, position = self.events(row, row["position"], BATCH_EVENTS_MAX)
            if events:
                await self._send_once(key, row, [event for _, event in events])
            if position == row["position"]:
                await self._news.wait()
            else:
                self._note(key, {"position": position})

    async def _send_once(self, key: str, row: Row, events: list[dict[str, Any]]) -> None:
        """The first attempt at a batch, under a scripted fault if there is one."""
        fault = self.faults.take(STREAM_TYPES, path=f"/events/{key}")
        kind = fault.type if fault is not None else ""
        if kind == "stream_mute":
            return
        if kind == "stream_foreign":
            events = [{**event, "data": {**event["data"], "munchkinId": FOREIGN_MUNCHKIN_ID}} for event in events]
        body = orjson.dumps(events[::-1] if kind == "stream_reorder" else events)
        if kind == "stream_malformed":
            body = body[: len(body) // 2]
        headers = self.signing.headers(b"something else") if kind == "stream_bad_signature" else {}
        batch = Batch(delivery=str(uuid.uuid4()), body=body, first=events[0], headers=headers)
        for _ in range(2 if kind == "stream_duplicate" else 1):
            if not await self._sent(row, batch, 0):
                self._spawn(key, self._retry(key, row, batch))

    async def _retry(self, key: str, row: Row, batch: Batch) -> None:
        began, clock = self.instance.clock.now_ms(), self.instance.clock
        due, count = float(began), 0
        while True:
            due += RETRY_MINUTES[min(count, len(RETRY_MINUTES) - 1)] * 60_000
            count += 1
            self.waiting += 1
            try:
                await clock.wait_until(due)
            finally:
                self.waiting -= 1
            if clock.now_ms() - began > GIVE_UP_MS:
                self.set_status(key, "DISABLED")
                return
            if await self._sent(row, batch, count):
                return
            due = max(due, float(clock.now_ms()))

    async def _sent(self, row: Row, batch: Batch, retry: int) -> bool:
        """Whether the batch is done with: taken, or refused in a way that is not tried again."""
        headers = {
            "Content-Type": "application/json",
            "x-adobe-event-id": batch.first["eventid"],
            "x-adobe-event-code": batch.first["type"],
            "x-adobe-provider": "marketo",
            "x-adobe-delivery-id": batch.delivery,
            **self.signing.headers(batch.body),
            **batch.headers,
        }
        if retry:
            headers["x-adobe-retry-count"] = str(retry)
        try:
            async with self.session.post(row["url"], data=batch.body, headers=headers, timeout=_WAIT) as answer:
                return not (answer.status == 429 or (answer.status >= 500 and answer.status != 505))
        except (TimeoutError, aiohttp.ClientError):
            return False

    def events(self, row: Row, position: int, count: int) -> tuple[list[tuple[int, dict[str, Any]]], int]:
        """Up to `count` events after a position (places in the order of commits), and the position after them."""
        store, types = self.instance.store, set(row.get("types") or ())
        commits, found = store.log.commits, list[tuple[int, dict[str, Any]]]()
        while position < len(commits) and len(found) < count:
            activity = commits[position]
            position += 1
            if streamed(activity) and (not types or activity.type in types):
                found.append((position, event_of(store, activity, row["clientId"])))
        return found, position

    async def journal(self, request: web.Request) -> web.Response:
        key = request.match_info["registration"]
        row = self.instance.store.table(STREAM).get(key)
        refused = self._lets_in(request, row)
        if refused or row is None:
            return web.Response(status=refused)
        self.instance.commit_late()
        oldest, end = self._oldest(row), len(self.instance.store.log.commits)
        start = self._start_of(request, row, oldest, end)
        if start is None:
            return web.Response(status=400, text="since, seek, latest or limit can't be read")
        if start < oldest:
            return web.Response(status=410, text="Gone: the position has expired")
        events, position = self.events(row, start, max(1, int(request.query.get("limit", _JOURNAL_EVENTS))))
        following = request.url.origin().with_path(request.path).with_query(since=_position(position))
        headers = {"Link": f'<{following}>; rel="next"'}
        if not events:
            return web.Response(status=204, headers={**headers, "retry-after": "10"})
        shown = [{"position": _position(place), "event": event} for place, event in events]
        body = {"events": shown, "_page": {"last": _position(position), "count": len(shown)}}
        return web.Response(body=orjson.dumps(body), headers=headers, content_type="application/json")

    def _start_of(self, request: web.Request, row: Row, oldest: int, end: int) -> int | None:
        query = request.query
        if not query.get("limit", "1").isdecimal():
            return None
        if "since" in query:
            match = re.fullmatch(r"rabbit:(\d{12})", query["since"])
            return int(match[1]) if match and int(match[1]) <= end else None
        if query.get("latest") == "true":
            return end
        if "seek" in query:
            match = re.fullmatch(r"-PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?", query["seek"])
            if match is None:
                return None
            hours, minutes, seconds = (int(part or 0) for part in match.groups())
            since = self.instance.clock.now_ms() // 1000 - hours * 3600 - minutes * 60 - seconds
            return max(oldest, self._first_since(row, since))
        return oldest

    def _oldest(self, row: Row) -> int:
        return self._first_since(row, self.instance.clock.now_ms() // 1000 - JOURNAL_DAYS * _DAY_MS // 1000)

    def _first_since(self, row: Row, at_s: int) -> int:
        commits, place = self.instance.store.log.commits, int(row["from"])
        while place < len(commits) and commits[place].at_s < at_s:
            place += 1
        return place

    def _spawn(self, key: str, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        found = self._tasks.setdefault(key, set())
        found.add(task)
        task.add_done_callback(found.discard)

    def _note(self, key: str, after: Row) -> None:
        with self.instance.section() as section:
            section.put(Entry(section.now_ms, "sandbox", "_update", STREAM, key, None, after))


def _position(place: int) -> str:
    return f"rabbit:{place:012d}"


def _json(text: str) -> dict[str, Any]:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}

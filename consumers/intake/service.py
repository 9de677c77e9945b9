"""The HTTP server that Marketo's webhooks and Adobe's data stream call. What they tell is believed only as a hint where to look.

Answers are what makes a sender do the right thing: Adobe sends again what is answered by 5xx or 429 and drops what is answered by 4xx;
Marketo never sends again, and takes an empty answer for an error (webhooks guide, code 1001).
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from hmac import compare_digest
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
import structlog
from aiohttp import web

from consumers.configuration.groups.pushes import DataStream, PushSettings
from streams.marketo.sources.push import adobe, webhook
from streams.marketo.sources.push.hints import Hint
from streams.marketo.sources.push.journal import Pass
from streams.marketo.sources.push.signatures import Signatures
from streams.wire.errors import Fatal, Retry

WEBHOOK, DATA_STREAM = "/marketo/webhook", "/adobe/events"
HEADER = "x-tandem-secret"
VALIDATION_HOST = "csm.adobe.io"
_CHALLENGE_MAX = 512
_CLOSE_SECONDS = 2.0
_WAIT = aiohttp.ClientTimeout(total=5)
_log = structlog.get_logger("consumers.intake")
Heard = Callable[[str, str], None]
"""Told of each delivery: from whom (`webhook`, `data_stream`), and what became of it."""


class Service:
    """Serves what is configured, until it is told to stop."""

    def __init__(self, settings: PushSettings, http: aiohttp.ClientSession, pass_on: Pass, heard: Heard = lambda *_: None) -> None:
        self._settings, self._http, self._pass_on, self._heard = settings, http, pass_on, heard
        self._secret = settings.webhook_secret.reveal() if settings.webhook_secret else ""
        self._signatures = Signatures(http, settings.keys_url)
        self._said: Counter[str] = Counter()
        self._visits: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Raises `Fatal` where the port can't be had. The workers of one machine share it."""
        runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=_CLOSE_SECONDS)
        await runner.setup()
        host, port = self._settings.host, self._settings.port
        try:
            try:
                await web.TCPSite(runner, host, port, reuse_port=True).start()
            except OSError as error:
                words = f"webhooks can't be taken in at {host}:{port} ({error.strerror})."
                raise Fatal(words, remedy="Correct pushes.host and port.") from error
            _log.info("webhooks are taken in", host=host, port=port)
            await stop.wait()
        finally:
            await runner.cleanup()
            for visit in list(self._visits):
                visit.cancel()

    def app(self) -> web.Application:
        """The application."""
        app = web.Application(client_max_size=self._settings.body_kilobytes_max * 1024, middlewares=[_plain_errors])
        if self._secret:
            app.router.add_route("*", WEBHOOK, self._webhook)
        if self._settings.data_stream is DataStream.WEBHOOK:
            app.router.add_get(DATA_STREAM, self._challenge)
            app.router.add_post(DATA_STREAM, self._events)
        return app

    async def _webhook(self, request: web.Request) -> web.Response:
        if not compare_digest(request.headers.get(HEADER, "").encode(), self._secret.encode()):
            return self._refused("webhook", f"the header {HEADER} doesn't hold the secret", 401)
        try:
            hints = webhook.hints_of(await request.read())
        except webhook.UnreadableError as error:
            return self._refused("webhook", str(error), 400)
        return await self._taken("webhook", hints)

    async def _challenge(self, request: web.Request) -> web.Response:
        value = request.query.get("challenge", "")
        if not value or len(value) > _CHALLENGE_MAX:
            return _json({"error": "challenge expected"}, 400)
        return _json({"challenge": value})

    async def _events(self, request: web.Request) -> web.Response:
        body = await request.read()
        if not await self._signatures.hold(request.headers, body):
            return self._validation(body) or self._refused("data_stream", "neither signature is right", 401)
        try:
            events = adobe.events_in(body)
        except webhook.UnreadableError as error:
            _log.warning("a signed delivery of the data stream can't be read", error=str(error))
            self._heard("data_stream", "unreadable")
            return _json({"taken": 0})
        told = adobe.told_by(events, client_id=self._settings.adobe_client_id or "", munchkin_id=self._settings.munchkin_id or "")
        if told.other_clients and not told.hints:
            return self._refused("data_stream", "the events are for another client (pushes.adobe_client_id)", 403)
        if told.other_instances:
            self._say_once("events of another Marketo instance are passed over (pushes.munchkin_id)")
            self._heard("data_stream", "other_instance")
        return await self._taken("data_stream", told.hints)

    def _validation(self, body: bytes) -> web.Response | None:
        """What is sent instead of events while an address is registered: a place to visit. Only Adobe's own is."""
        try:
            url = orjson.loads(body)["validationUrl"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return None
        if not isinstance(url, str) or not self._is_adobe(url):
            return None
        visit = asyncio.create_task(self._visit(url), name="validation of the data stream")
        self._visits.add(visit)
        visit.add_done_callback(self._visits.discard)
        return _json({"validating": True})

    def _is_adobe(self, url: str) -> bool:
        parts, allowed = urlsplit(url), urlsplit(self._settings.validation_url)
        return (parts.scheme, parts.netloc, parts.path) == (allowed.scheme, allowed.netloc, allowed.path)

    async def _visit(self, url: str) -> None:
        try:
            async with self._http.get(url, timeout=_WAIT, allow_redirects=False) as answer:
                _log.info("the address of the data stream was validated", status=answer.status)
        except (TimeoutError, aiohttp.ClientError) as error:
            _log.warning("the address of the data stream could not be validated", error=type(error).__name__)

    async def _taken(self, source: str, hints: list[Hint]) -> web.Response:
        if hints:
            await self._pass_on(hints)
        self._heard(source, "taken" if hints else "passed_over")
        return _json({"taken": len(hints)})

    def _refused(self, source: str, words: str, status: int) -> web.Response:
        self._heard(source, "refused")
        self._say_once(f"{source}: {words}")
        return _json({"error": words}, status)

    def _say_once(self, words: str) -> None:
        """Whoever sends it again and again shall not fill the log."""
        self._said[words] += 1
        if self._said[words].bit_count() == 1:
            _log.warning("a delivery was not taken", why=words, times=self._said[words])


@web.middleware
async def _plain_errors(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    """What can't be done now is said so, in a way that whoever calls tries again."""
    try:
        return await handler(request)
    except Retry as error:
        _log.warning("a delivery can't be taken now", path=request.path, error=str(error))
        return _json({"error": "not now; try again"}, 503)


def _json(body: Mapping[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")

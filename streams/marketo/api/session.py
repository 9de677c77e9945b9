"""One authenticated conversation with a Marketo instance: access token, HTTP, errors translated."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Self
from urllib.parse import quote, urlencode

import aiohttp
import orjson
from yarl import URL

from streams.budget.lease import must_hold
from streams.marketo.api.refusals import EXPIRED, http_refusal, in_doubt, refusal
from streams.marketo.api.settings import MarketoSettings
from streams.wire.errors import Fatal, Reject, Retry

URI_BYTES_MAX = 7_500
"""Longest address we send; Marketo refuses 8 KB with HTTP 414 (Marketo, API limits). Longer queries travel in the body."""

_IDENTITY = "identity"
_AGAIN_SECONDS = 2.0
REFUSED_SECONDS = 30.0
"""A token that is refused for so long although identity goes on giving it is a matter for a person; before that, a hiccup."""


class Held(Retry):
    """A `Retry` for everyone that came as Marketo's own word on a limit: the budget has to be told, for `hold_seconds`."""

    def __init__(self, message: str, *, after_seconds: float, hold_seconds: float) -> None:
        super().__init__(message, after_seconds=after_seconds, everyone=True)
        self.hold_seconds = hold_seconds


class Expired(Retry):
    """The access token was refused: the call can be made again with another one. Nothing was done, but it counts as a call."""

    def __init__(self, message: str, token: "_Token") -> None:
        super().__init__(message, after_seconds=_AGAIN_SECONDS)
        self.token = token


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request. `params` go into the address, or into a form body when that would be too long (`_method=GET`)."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    write: bool = False
    timeout_seconds: float | None = None
    span: tuple[int, int] | None = None
    """Of a file: these bytes of it, from the first and before the last."""

    @property
    def what(self) -> str:
        """For messages: method and path, never the values."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A successful answer, with the stretch of server time in which it can have been made (`Date` is whole seconds)."""

    request_id: str
    result: list[Any]
    next_page_token: str
    more: bool
    warnings: list[str]
    at: int
    until: int
    body: bytes = b""
    """Of a file: what was asked for."""


@dataclass(frozen=True, slots=True)
class _Token:
    text: str = field(repr=False)
    scope: str
    due: float
    """On the monotonic clock: when to ask for another one."""
    number: int


class MarketoSession:
    """Calls with a live access token. Use as an async context manager, or `close()` at the end.

    One token for all callers, fetched by one of them while the others wait. Identity gives the *same* token with its remaining
    life until it expires, so there is nothing to fetch early; when a call is refused with 601/602 it is fetched once for everybody
    and the call repeated once (Marketo developer guide, "Authentication"). Identity calls are not counted by Marketo.
    """

    def __init__(self, settings: MarketoSettings) -> None:
        self.settings = settings
        self._http: aiohttp.ClientSession | None = None
        self._lock = asyncio.Lock()
        self._token: _Token | None = None
        self._refused_since: float | None = None
        self._clock: tuple[int, float] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connections; a later call opens new ones."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def user(self) -> str:
        """The API-only user behind the credentials, as identity names it (`scope`); empty if it doesn't."""
        return (await self._live_token()).scope

    def server_now_ms(self) -> int:
        """The server's clock, carried on from its last `Date` header; ours before the first answer."""
        if self._clock is None:
            return int(time.time()) * 1000
        stamp, heard = self._clock
        return stamp + int((time.monotonic() - heard) * 1000)

    async def call(self, call: Call) -> Answer:
        """The answer, in two attempts where the token was refused. Raises as `attempt`, but not `Expired`."""
        try:
            return await self.attempt(call)
        except Expired as error:
            return await self.attempt(call, error)

    async def attempt(self, call: Call, expired: Expired | None = None) -> Answer:
        """The answer to one request. `expired`: how the attempt before it ended; then another token is fetched first.

        Raises what `refusals` makes of an error; `Held` where Marketo named a limit of the whole instance; `Expired` where the token was
        refused; `Retry` where that was the second attempt, and `Fatal` where one that identity goes on giving has been for a while.
        """
        token = await self._live_token(refused=expired.token.number if expired else 0)
        answer = await self._exchange(call, token)
        if isinstance(answer, Answer):
            return self._taken(answer)
        if expired is None:
            raise Expired(f"Marketo {call.what}: {answer}", token)
        if token.text == expired.token.text and self._refused_for() >= REFUSED_SECONDS:
            raise Fatal(
                f"Marketo {call.what}: {answer}, and identity gives the same access token again.",
                remedy="Check that client id, secret and base URL belong to the same instance and that the custom service is active.",
            )
        raise Retry(f"Marketo {call.what}: {answer}, right after asking for an access token", after_seconds=_AGAIN_SECONDS)

    def _taken(self, answer: Answer) -> Answer:
        self._refused_since = None
        return answer

    def _refused_for(self) -> float:
        """Since when no token has been taken, in seconds."""
        now = time.monotonic()
        if self._refused_since is None:
            self._refused_since = now
        return now - self._refused_since

    async def _exchange(self, call: Call, token: _Token) -> Answer | str:
        """One request; the answer, or the code and message of a refused token."""
        if call.write:
            must_hold(f"Marketo {call.what}")
        started = time.monotonic()
        wanted = {} if call.span is None else {"Range": f"bytes={call.span[0]}-{call.span[1] - 1}"}
        status, headers, body = await self._send(call, {"Authorization": f"Bearer {token.text}", **wanted})
        date_ms = _date_ms(headers.get("Date", ""))
        self._clock = (date_ms, started)
        if call.span is not None and (file := _part_of_file(call.span, status, headers, body)) is not None:
            return Answer(request_id="", result=[], next_page_token="", more=False, warnings=[], at=date_ms, until=date_ms + 999, body=file)
        if status != 200:
            raise http_refusal(status, what=call.what, write=call.write)
        envelope = _envelope(body)
        if envelope is None:
            raise in_doubt(f"Marketo {call.what}: the answer is not a JSON object", write=call.write)
        if envelope.get("success"):
            return _answer(envelope, date_ms, elapsed=time.monotonic() - started)
        code, message = _first_error(envelope)
        if code in EXPIRED:
            return f"{code} {message}"
        refused = refusal(code, message, what=call.what, write=call.write, now_ms=date_ms)
        if refused.hold_seconds and isinstance(refused.error, Retry):
            raise Held(str(refused.error), after_seconds=refused.error.after_seconds, hold_seconds=refused.hold_seconds)
        raise refused.error

    async def _send(self, call: Call, headers: dict[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body. Only a connection that was never made is certain to have changed nothing."""
        settings = self.settings
        total = call.timeout_seconds or (settings.write_seconds if call.write else settings.read_seconds)
        method, url, data, kind = _wire(settings.base_url, call)
        if kind:
            headers["Content-Type"] = kind
        try:
            timeout = aiohttp.ClientTimeout(total=total, sock_connect=settings.connect_seconds)
            async with self._client().request(method, url, data=data, headers=headers, timeout=timeout, allow_redirects=False) as response:
                return response.status, response.headers, await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            text = f"Marketo {call.what}: no connection to {settings.base_url} ({type(error).__name__}). Check marketo.url and the network."
            raise Retry(text, after_seconds=1.0, everyone=True) from error
        except TimeoutError as error:
            raise in_doubt(f"Marketo {call.what}: no answer within {total:g} s", write=call.write) from error
        except (aiohttp.ClientError, OSError) as error:
            raise in_doubt(f"Marketo {call.what}: the connection broke ({type(error).__name__})", write=call.write) from error

    def _client(self) -> aiohttp.ClientSession:
        if self._http is None:
            connector = aiohttp.TCPConnector(limit=self.settings.connections_max)
            self._http = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._http

    async def _live_token(self, *, refused: int = 0) -> _Token:
        """The current token; a new one if it is due, or if it is the one that was refused. One caller fetches, the others wait."""
        async with self._lock:
            token = self._token
            if token is None or token.number <= refused or time.monotonic() >= token.due:
                token = self._token = await self._fetch_token(token)
            return token

    async def _fetch_token(self, previous: _Token | None) -> _Token:
        settings = self.settings
        params = {"grant_type": "client_credentials", "client_id": settings.client_id, "client_secret": settings.client_secret}
        status, _, body = await self._send(Call(method="GET", path=settings.identity_path, params=params), {})
        answer = _envelope(body) or {}
        if status in {400, 401, 403}:
            reason = answer.get("error_description") or answer.get("error") or f"HTTP {status}"
            raise Fatal(f"Marketo {_IDENTITY}: {reason}.", remedy="Check client id and client secret of the custom service.")
        text, life = answer.get("access_token"), answer.get("expires_in")
        if status != 200 or not isinstance(text, str) or not isinstance(life, int | float):
            raise Retry(f"Marketo {_IDENTITY}: HTTP {status} without a token", after_seconds=2.0, everyone=True)
        same = previous is not None and previous.text == text
        margin = 0.0 if same else min(settings.token_margin_seconds, life / 2)
        number = previous.number + 1 if previous else 1
        return _Token(text, str(answer.get("scope", "")), time.monotonic() + life - margin, number)


def _wire(base: str, call: Call) -> tuple[str, URL, bytes | None, str]:
    """Method, address, body and content type. A long query goes by POST with `_method=GET` (Marketo, "Query")."""
    query = _form(call.params)
    if call.method == "GET" and len(base) + len(call.path) + len(query) > URI_BYTES_MAX:
        return "POST", _url(base, call.path, "_method=GET"), query.encode(), "application/x-www-form-urlencoded"
    return call.method, _url(base, call.path, query), call.body, "application/json" if call.body is not None else ""


def _url(base: str, path: str, query: str) -> URL:
    return URL(f"{base}{path}?{query}" if query else f"{base}{path}", encoded=True)


def _form(params: Mapping[str, str]) -> str:
    """Every reserved character escaped: paging tokens end in `=`, datetimes carry `+`."""
    return urlencode(params, quote_via=quote, safe="")


def _part_of_file(span: tuple[int, int], status: int, headers: Mapping[str, str], body: bytes) -> bytes | None:
    """The bytes that were asked for, whether the server honours ranges or sends all; None: it is something else than a file."""
    if status == 416:
        return b""
    if status not in {200, 206} or "json" in headers.get("Content-Type", ""):
        return None
    return body if status == 206 else body[span[0] : span[1]]


def _envelope(body: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _answer(envelope: dict[str, Any], date_ms: int, *, elapsed: float) -> Answer:
    result = envelope.get("result")
    return Answer(
        request_id=str(envelope.get("requestId", "")),
        result=result if isinstance(result, list) else [],
        next_page_token=str(envelope.get("nextPageToken") or ""),
        more=bool(envelope.get("moreResult")),
        warnings=[_text(each) for each in envelope.get("warnings") or []],
        at=date_ms - int(elapsed * 1000) - 1,
        until=date_ms + 999,
    )


def _first_error(envelope: dict[str, Any]) -> tuple[str, str]:
    errors = envelope.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else {}
    if not isinstance(first, dict):
        raise Reject(f"Marketo answered an error of an unknown shape: {type(first).__name__}")
    return str(first.get("code", "")), str(first.get("message", ""))


def _text(warning: object) -> str:
    """Warnings are objects in the lead database and plain text in the asset API."""
    return f"{warning.get('code', '')} {warning.get('message', '')}".strip() if isinstance(warning, dict) else str(warning)


def _date_ms(header: str) -> int:
    """The server's clock by its `Date` header; ours where there is none."""
    try:
        return int(parsedate_to_datetime(header).timestamp() * 1000)
    except (TypeError, ValueError):
        return int(time.time()) * 1000

"""One authorised HTTP session with one org, shared by everything in this process that talks to it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Self

import aiohttp
import structlog

from streams.budget.lease import must_hold
from streams.salesforce.api.access.login import TOKEN_PATH, Token, read_token, token_form
from streams.salesforce.api.access.refusals import judge_login, refusals_in
from streams.salesforce.api.access.settings import SalesforceSettings
from streams.wire.errors import Fatal, Retry, SyncError, Unknown

log = structlog.get_logger(__name__)

_AGAIN_SECONDS = 2.0
REFUSED_SECONDS = 30.0
"""Sessions that are refused as soon as they are given, for so long, are a matter for a person; before that, a hiccup."""
_NOT_EXPIRED = ("connected app is not attached to agent", "not valid for use with the rest api")
"""Texts of a 401 that no new log-in heals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, whatever the status. `at`..`until` bound, in the server's clock, the moment that the answer shows.

    `at` = the Date header (whole seconds, rounded down) less the time the call took; `until` = Date + 1 s.
    Both are 0 when the answer has no Date.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    at: int = 0
    until: int = 0


class Session:
    """Logs in once for all waiters, again when a token dies, never in a storm.

    Between two log-ins lie at least `login_spacing_seconds`; after `login_failures_max` failures in a row, or a refusal of the
    credentials, nobody logs in for `login_pause_seconds` (the error is repeated instead). Never logs a secret.
    """

    def __init__(
        self,
        settings: SalesforceSettings,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall_seconds: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.settings = settings
        self.logins = 0
        self._monotonic, self._wall_seconds, self._sleep = monotonic, wall_seconds, sleep
        self._http: aiohttp.ClientSession | None = None
        self._token: Token | None = None
        self._lock = asyncio.Lock()
        self._last_login: float | None = None
        self._failures = 0
        self._shut: tuple[float, SyncError] | None = None
        self._clock: tuple[int, float] | None = None
        self._refused_since: float | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """Give back the connections."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def token(self) -> Token:
        """The session's token; logs in if there is none. Raises `Retry` or `Fatal`."""
        return self._token or await self._login(None)

    async def refresh(self, stale: Token) -> Token:
        """A token newer than `stale`: one log-in however many callers saw it die."""
        return await self._login(stale)

    async def user_id(self) -> str:
        """The 18-character id of the user whom our changes are made by."""
        return (await self.token()).user_id

    async def org_id(self) -> str:
        """The 18-character id of the org."""
        return (await self.token()).org_id

    def server_now_ms(self) -> int | None:
        """The server's clock, not ahead of it, carried on from the last Date header; None before the first answer."""
        if self._clock is None:
            return None
        stamp, heard = self._clock
        return stamp + int((self._monotonic() - heard) * 1000)

    async def request(
        self, method: str, path: str, *, write: bool, params: Mapping[str, str] | None = None, body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """One call with a valid token; a 401 logs in again and repeats it once (Salesforce did nothing with the first).

        Raises `Unknown` when a write's answer was lost, `Retry` when it wasn't sent or only read, or when the repetition is refused
        with 401, too; the 401 is answered once that has gone on for `REFUSED_SECONDS`.
        """
        token = await self.token()
        answer = await self._send(method, path, token, write=write, params=params, body=body, headers=headers)
        if answer.status == 401 and not _configuration(answer):
            token = await self.refresh(token)
            answer = await self._send(method, path, token, write=write, params=params, body=body, headers=headers)
            if answer.status == 401 and self._refused_for() < REFUSED_SECONDS:
                raise Retry(f"Salesforce {method} {path.partition('?')[0]}: 401 right after a log-in", after_seconds=_AGAIN_SECONDS)
        if answer.status != 401:
            self._refused_since = None
        return answer

    def _refused_for(self) -> float:
        """Since when no session has been taken, in seconds."""
        now = self._monotonic()
        if self._refused_since is None:
            self._refused_since = now
        return now - self._refused_since

    async def _send(
        self, method: str, path: str, token: Token, *, write: bool, params: Mapping[str, str] | None, body: bytes | None,
        headers: Mapping[str, str] | None,
    ) -> Answer:  # fmt: skip
        sent = {"Authorization": token.authorization, "Accept": "application/json", **(headers or {})}
        if body is not None:
            sent.setdefault("Content-Type", "application/json; charset=UTF-8")
        started = self._monotonic()
        what = f"Salesforce {method} {path.partition('?')[0]}"
        if write:
            must_hold(what)
        try:
            async with self._session().request(method, token.instance_url + path, params=params, data=body, headers=sent) as response:
                heard = self._monotonic()
                content = await response.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Retry(f"{what}: no connection ({type(error).__name__})", after_seconds=1.0) from error
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            if write:
                raise Unknown(f"{what}: sent, the answer was lost ({type(error).__name__})", after_seconds=1.0) from error
            raise Retry(f"{what}: the answer was lost ({type(error).__name__})", after_seconds=0.5) from error
        return self._heard(response, content, started, heard)

    def _heard(self, response: aiohttp.ClientResponse, content: bytes, started: float, heard: float) -> Answer:
        stamp = _date_ms(response.headers.get("Date"))
        if stamp:
            self._clock = (stamp, heard)
        at = stamp - int((heard - started) * 1000) - 1 if stamp else 0
        until = stamp + 1000 if stamp else 0
        return Answer(status=response.status, headers=response.headers, body=content, at=at, until=until)

    async def _login(self, stale: Token | None) -> Token:
        async with self._lock:
            if self._token is not None and (stale is None or self._token.generation > stale.generation):
                return self._token
            self._refuse_while_shut()
            await self._keep_distance()
            try:
                token = await self._post_login()
            except SyncError as error:
                self._failed(error)
                raise
            self._failures, self._shut, self._token = 0, None, token
            log.info("salesforce.logged_in", host=token.instance_url, user_id=token.user_id, logins=self.logins)
            return token

    async def _post_login(self) -> Token:
        form = token_form(self.settings.credentials, self._wall_seconds())
        self.logins += 1
        started = self._monotonic()
        try:
            async with self._session().post(self.settings.base_url + TOKEN_PATH, data=form) as response:
                heard = self._monotonic()
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            text = f"log-in to Salesforce: no answer from {self.settings.base_url} ({type(error).__name__})."
            raise Retry(f"{text} Check salesforce.url and the network.", after_seconds=5.0, everyone=True) from None
        finally:
            self._last_login = self._monotonic()
        answer = self._heard(response, content, started, heard)
        if answer.status != 200:
            raise judge_login(answer.status, content)
        return read_token(content, self.logins)

    async def _keep_distance(self) -> None:
        """A token that died as soon as it was given, or a refused log-in, must not become a storm."""
        if self._last_login is not None:
            wait = self._last_login + self.settings.login_spacing_seconds - self._monotonic()
            if wait > 0:
                await self._sleep(wait)

    def _refuse_while_shut(self) -> None:
        if self._shut is None:
            return
        until, error = self._shut
        left = until - self._monotonic()
        if left <= 0:
            self._shut = None
            return
        if isinstance(error, Fatal):
            raise Fatal(str(error).removesuffix(error.remedy).strip(), remedy=error.remedy)
        raise Retry(f"log-in to Salesforce is paused: {error}", after_seconds=left, everyone=True)

    def _failed(self, error: SyncError) -> None:
        self._token = None
        self._failures += 1
        if isinstance(error, Fatal) or self._failures >= self.settings.login_failures_max:
            self._shut = (self._monotonic() + self.settings.login_pause_seconds, error)
            log.warning("salesforce.login_paused", failures=self._failures, reason=str(error))

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            timeout = aiohttp.ClientTimeout(
                total=self.settings.request_timeout_seconds, connect=None, sock_connect=self.settings.connect_timeout_seconds
            )
            connector = aiohttp.TCPConnector(limit=self.settings.connections_max)
            self._http = aiohttp.ClientSession(timeout=timeout, connector=connector, cookie_jar=aiohttp.DummyCookieJar())
            # aiohttp repeats a DELETE by itself when a kept connection breaks: what is repeated is our decision
            self._http._retry_connection = False  # noqa: SLF001
        return self._http


def _configuration(answer: Answer) -> bool:
    return any(text in refusal.message.lower() for refusal in refusals_in(answer.body) for text in _NOT_EXPIRED)


def _date_ms(text: str | None) -> int:
    if not text:
        return 0
    try:
        return int(parsedate_to_datetime(text).timestamp() * 1000)
    except ValueError:
        return 0

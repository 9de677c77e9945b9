"""One call of a webhook: signed, to an address that has been looked at, without redirects, and what became of it."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum

import aiohttp
from yarl import URL

from consumers.deliveries.addresses import CheckedResolver, Forbidden, checked_url
from consumers.deliveries.delivery import Secret, Unusable
from consumers.deliveries.signing import headers

_ANSWER_BYTES_MAX = 65_536
_GONE, _LATER = 410, (429, 503)


class Result(StrEnum):
    """What became of a call."""

    DELIVERED = "delivered"
    """Answered with 2xx: the receiver has it."""
    REFUSED = "refused"
    """Answered with something else."""
    UNREACHABLE = "unreachable"
    """Not answered: it may or may not have arrived."""
    FORBIDDEN = "forbidden"
    """Not made: its address may not be called."""
    GONE = "gone"
    """Answered with 410: nothing is wanted any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`status`: 0: none; `words`: what went wrong, without anything that was sent or answered; `after_seconds`: as the receiver asks."""

    result: Result
    status: int = 0
    words: str = ""
    after_seconds: float = 0.0


class Sender:
    """Calls webhooks. Shares connections between calls to the same host."""

    def __init__(self, http: aiohttp.ClientSession, private_hosts: Iterable[str]) -> None:
        self._http, self._private_hosts = http, frozenset(private_hosts)

    async def post(self, url: str, secrets: Sequence[Secret], *, identity: str, body: bytes, at_ms: int) -> Answer:
        """One call. Raises nothing of the network's."""
        try:
            checked_url(url, self._private_hosts)
        except Unusable as error:
            return Answer(result=Result.FORBIDDEN, words=str(error))
        signed = headers(secrets, identity=identity, at_ms=at_ms, body=body)
        try:
            async with self._http.post(URL(url), data=body, headers=signed, allow_redirects=False) as response:
                await response.content.read(_ANSWER_BYTES_MAX)
                return _answered(response, at_ms)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            return _unanswered(error)


@asynccontextmanager
async def open_sender(private_hosts: Iterable[str], *, timeout_seconds: float, agent: str) -> AsyncIterator[Sender]:
    """A sender with connections of its own. `agent`: what it calls itself."""
    hosts = frozenset(private_hosts)
    connector = aiohttp.TCPConnector(resolver=CheckedResolver(hosts), use_dns_cache=False, limit=0, limit_per_host=8)
    named = {"content-type": "application/json", "user-agent": agent}
    timeout = aiohttp.ClientTimeout(total=timeout_seconds)
    async with aiohttp.ClientSession(
        connector=connector, headers=named, timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()
    ) as http:
        yield Sender(http, hosts)


def _answered(response: aiohttp.ClientResponse, at_ms: int) -> Answer:
    status = response.status
    if 200 <= status < 300:
        return Answer(result=Result.DELIVERED, status=status)
    if status == _GONE:
        return Answer(result=Result.GONE, status=status, words="the receiver answered 410 (Gone): it wants nothing more")
    words = f"the receiver answered {status}"
    if 300 <= status < 400:
        words += ", a redirect, which is not followed: give the delivery its new address"
    return Answer(result=Result.REFUSED, status=status, words=words, after_seconds=_after(response, at_ms) if status in _LATER else 0.0)


def _after(response: aiohttp.ClientResponse, at_ms: int) -> float:
    """`Retry-After`, as seconds or as a date."""
    told = response.headers.get("retry-after", "").strip()
    if told.isdigit():
        return float(told)
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - at_ms / 1000)
    except (ValueError, TypeError):
        return 0.0


def _unanswered(error: Exception) -> Answer:
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, Forbidden) or isinstance(error.__cause__, Forbidden):
        return Answer(result=Result.FORBIDDEN, words=str(cause if isinstance(cause, Forbidden) else error.__cause__))
    if isinstance(error, asyncio.TimeoutError):
        return Answer(result=Result.UNREACHABLE, words="the receiver did not answer in time")
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError) or isinstance(cause, ssl.SSLError):
        return Answer(result=Result.UNREACHABLE, words="the receiver's certificate is not valid")
    words = cause.strerror if isinstance(cause, OSError) and cause.strerror else type(error).__name__
    return Answer(result=Result.UNREACHABLE, words=f"the receiver can't be reached ({words})")

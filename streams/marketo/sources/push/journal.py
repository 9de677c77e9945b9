"""Adobe's journal of the data stream (Adobe I/O Events, journaling API): asked for, not waited for, so nobody has to be let in.

It is a source without events of its own: what it tells are hints, and its position is the address of the next page. A position that
Adobe doesn't keep any more is a `Gap`: the poll reads back over the time that nobody was told of.
"""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
import msgspec
import structlog
from yarl import URL

from streams.ground import clock
from streams.marketo.sources.push.adobe import Told, told_by
from streams.marketo.sources.push.hints import Hint
from streams.wire.errors import Fatal, Gap, Retry
from streams.wire.events import Batch

NAME = "marketo.journal"
Pass = Callable[[Sequence[Hint]], Awaitable[None]]
"""Passes hints on for good. Raises `Retry`."""
_WAIT = aiohttp.ClientTimeout(total=30)
_BACK_MS = 60_000
_NEXT = re.compile(r"<([^<>]*)>\s*;\s*rel=\"?next\"?")
"""Followed as it stands, escapes and all."""
_REST_SECONDS, _REST_SECONDS_MAX = 10.0, 60.0
_SPARE_SECONDS = 60.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSettings:
    """A registration in Adobe's developer console, and the project's credentials (server to server)."""

    url: str
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    organisation: str
    munchkin_id: str


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The position: the address of the next page, when it was told (ms), and in which journal."""

    url: str
    at: int
    journal: str


class JournalSource:
    """Hints for ever from where the position says, from now on without one."""

    name = NAME

    def __init__(
        self,
        http: aiohttp.ClientSession,
        settings: JournalSettings,
        pass_on: Pass,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        now_ms: Callable[[], int] = clock.now_ms,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._http, self._settings, self._pass_on = http, settings, pass_on
        self._monotonic, self._now_ms, self._sleep = monotonic, now_ms, sleep
        self._token, self._until = "", 0.0

    async def batches(self, position: str | None) -> AsyncGenerator[Batch, None]:
        """A batch without events for each page that was passed on, and one now and then while nothing comes."""
        place = self._begin() if position is None else self._resumed(position)
        while True:
            read_at = self._now_ms()
            told, following, rest = await self._page(place)
            if told.hints:
                await self._pass_on(told.hints)
            if told.other_clients:
                _log.warning("the journal holds events for another client", count=told.other_clients)
            place = Place(url=following, at=read_at, journal=self._settings.url)
            yield Batch(events=[], position=msgspec.json.encode(place).decode(), caught_up=rest > 0)
            if rest:
                await self._sleep(rest)

    def _begin(self) -> Place:
        joint = "&" if urlsplit(self._settings.url).query else "?"
        return Place(url=f"{self._settings.url}{joint}latest=true", at=self._now_ms(), journal=self._settings.url)

    def _resumed(self, position: str) -> Place:
        try:
            place = msgspec.json.decode(position, type=Place)
        except msgspec.DecodeError as error:
            raise self._lost(f"the saved position of {NAME} can't be read ({error})", None) from error
        if place.journal != self._settings.url:
            raise self._lost(f"the saved position of {NAME} is of another registration", place.at - _BACK_MS)
        return place

    def _lost(self, words: str, since_ms: int | None) -> Gap:
        return Gap(words, since_ms=since_ms, resume=msgspec.json.encode(self._begin()).decode())

    def _is_ours(self, url: str) -> bool:
        """Whether an address is at this journal's host: no other is shown the token."""
        ours, other = urlsplit(self._settings.url), urlsplit(url)
        return (ours.scheme, ours.netloc) == (other.scheme, other.netloc)

    async def _page(self, place: Place) -> tuple[Told, str, float]:
        """What the page tells, the address of the next one, and how long to wait before it."""
        headers = {"Authorization": f"Bearer {await self._bearer()}", "x-api-key": self._settings.client_id}
        headers["x-ims-org-id"] = self._settings.organisation
        try:
            async with self._http.get(URL(place.url, encoded=True), headers=headers, timeout=_WAIT, allow_redirects=False) as answer:
                match answer.status:
                    case 200 | 204:
                        return await self._told(answer, place)
                    case 410:
                        raise self._lost("Adobe's journal doesn't hold the position any more (410)", place.at - _BACK_MS)
                    case 401:
                        self._token = ""
                        raise Retry("Adobe's journal refuses the token; another is asked for")
                    case 429:
                        raise Retry("Adobe's journal wants quiet", after_seconds=_seconds(answer.headers.get("retry-after")))
                    case status if status >= 500:
                        raise Retry(f"Adobe's journal can't be read now (HTTP {status})")
                    case status:
                        remedy = "Check pushes.journal_url, adobe_organisation and adobe_client_id against the project in Adobe's console."
                        raise Fatal(f"Adobe's journal is refused (HTTP {status}).", remedy=remedy)
        except (TimeoutError, aiohttp.ClientError) as error:
            raise Retry(f"Adobe's journal can't be reached ({type(error).__name__})") from error

    async def _told(self, answer: aiohttp.ClientResponse, place: Place) -> tuple[Told, str, float]:
        links = (_NEXT.search(each) for each in answer.headers.getall("Link", []))
        following = next((urljoin(place.url, link[1]) for link in links if link is not None), "")
        if not self._is_ours(following):
            raise Retry("Adobe's journal names no next page of its own")
        if answer.status == 204:
            return Told(), following, _seconds(answer.headers.get("retry-after"))
        try:
            page: Any = msgspec.json.decode(await answer.read())
            events = [each.get("event") for each in page["events"]]
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError) as error:
            raise Retry(f"a page of Adobe's journal can't be read ({type(error).__name__})") from error
        return told_by(events, client_id=self._settings.client_id, munchkin_id=self._settings.munchkin_id), following, 0.0

    async def _bearer(self) -> str:
        """An access token of the project's (OAuth server to server)."""
        if self._token and self._monotonic() < self._until:
            return self._token
        form = {"grant_type": "client_credentials", "client_id": self._settings.client_id, "client_secret": self._settings.client_secret}
        form["scope"] = "openid,AdobeID,adobeio_api,read_organizations"
        try:
            async with self._http.post(self._settings.token_url, data=form, timeout=_WAIT, allow_redirects=False) as answer:
                if answer.status in (400, 401, 403):
                    remedy = "Check pushes.adobe_client_id and adobe_client_secret (OAuth server-to-server credentials of the project)."
                    raise Fatal(f"Adobe refuses the credentials of the data stream (HTTP {answer.status}).", remedy=remedy)
                if answer.status != 200:
                    raise Retry(f"Adobe gives no token now (HTTP {answer.status})")
                given: Any = msgspec.json.decode(await answer.read())
                self._token, self._until = str(given["access_token"]), self._monotonic() + float(given["expires_in"]) - _SPARE_SECONDS
        except (TimeoutError, aiohttp.ClientError) as error:
            raise Retry(f"Adobe's log-in can't be reached ({type(error).__name__})") from error
        except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
            raise Retry(f"Adobe's answer to the log-in can't be read ({type(error).__name__})") from None
        return self._token


def _seconds(text: str | None) -> float:
    """What `retry-after` says, within reason."""
    try:
        return min(_REST_SECONDS_MAX, max(0.1, float(text or "")))
    except ValueError:
        return _REST_SECONDS

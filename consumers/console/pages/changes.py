"""What happens, as it happens: decisions and the changes of either side, and one of them with what it led to."""

import asyncio
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from consumers.answers.logs.choosing import choice_of
from consumers.answers.logs.happened import followed, happening_at, of_late
from consumers.console.access.guard import visitor_of
from consumers.console.ground import Ground
from consumers.console.masking import masked
from consumers.console.rendering import Pages
from consumers.subscriptions.message import Message
from consumers.subscriptions.reading import Newest
from consumers.subscriptions.since import NoMoment, moment_of
from consumers.subscriptions.topics import Topic, UnknownTopic
from streams.ground.clock import now_ms

LOOKED_MAX = 2_000
SHOWN_MAX = 100
_FRESH_MS = 2_000
_SINCE = ("15m", "1h", "6h", "24h", "7d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """The newest of a topic that fit a filter, newest first. `fit`: of those looked at; `passed_over`: older ones, not looked at."""

    messages: list[Message]
    looked: int
    fit: int
    passed_over: int
    kinds: list[str]
    verdicts: list[str]


class Changes:
    """The pages of one console. A topic is read at most every other second, however many look at it and whatever they filter."""

    def __init__(self, ground: Ground, pages: Pages) -> None:
        self._ground, self._pages = ground, pages
        self._read: dict[tuple[str, str], tuple[int, Newest]] = {}
        self._reading = asyncio.Lock()

    @property
    def routes(self) -> list[Route]:
        """Where they are."""
        return [Route("/changes", self.show), Route("/changes/{topic}/{partition:int}/{offset:int}", self.one)]

    async def show(self, request: Request) -> Response:
        """The tail of a topic, filtered as the address says."""
        asked, visitor = {name: value.strip() for name, value in request.query_params.items()}, visitor_of(request)
        known = {each.short: each for each in followed(self._ground.settings)}
        topic = known.get(asked.get("topic", ""), next(iter(known.values())))
        since = asked.get("since") or "1h"
        try:
            late = await self._late(topic, since)
        except NoMoment as error:
            return self._pages.page(request, "away.html", {"wrong": str(error)}, status=400)
        if visitor.revealed and "hx-request" not in request.headers:
            await self._ground.note(visitor, "look", {"topic": topic.name})
        tail = await self._tail(late, topic, asked)
        messages = tail.messages if visitor.revealed else masked(tail.messages)
        told = {"tail": tail, "messages": messages, "topic": topic, "topics": known, "since": since, "spans": _SINCE, "asked": asked}
        return self._pages.page(request, "changes.html", told)

    async def one(self, request: Request) -> Response:
        """One message, what was decided of it, and what was written."""
        place, visitor = request.path_params, visitor_of(request)
        try:
            found = await happening_at(self._ground.settings, place["topic"], place["partition"], place["offset"])
        except UnknownTopic as error:
            return self._pages.page(request, "away.html", {"wrong": str(error.args[0])}, status=404)
        if found is None:
            wrong = "There is no such message, or Kafka has let go of it: its topic keeps messages for a while only."
            return self._pages.page(request, "away.html", {"wrong": wrong}, status=404)
        if visitor.revealed:
            await self._ground.note(visitor, "look", {"topic": found.message.topic, "offset": found.message.offset})
        shown = found if visitor.revealed else masked(found)
        return self._pages.page(request, "change.html", {"found": shown, "message": shown.message})

    async def _late(self, topic: Topic, since: str) -> Newest:
        async with self._reading:
            now = now_ms()
            self._read = {key: (at, late) for key, (at, late) in self._read.items() if now - at <= _FRESH_MS}
            key = (topic.name, since)
            if key not in self._read:
                late = await of_late(self._ground.settings, topic, since_ms=moment_of(since, now), most=LOOKED_MAX)
                self._read[key] = (now_ms(), late)
            return self._read[key][1]

    async def _tail(self, late: Newest, topic: Topic, asked: dict[str, str]) -> Tail:
        def named(term: str) -> list[str]:
            return [asked[term]] if asked.get(term) else []

        choice = await choice_of(
            self._ground.settings,
            kinds=named("kind"), fields=named("field"), records=[], actors=named("actor"), verdicts=named("outcome"),
        )  # fmt: skip
        side = asked.get("side", "")
        fit = [each for each in reversed(late.messages) if choice.takes(each) and (not side or system_of(each, topic) == side)]
        return Tail(
            messages=fit[:SHOWN_MAX],
            looked=len(late.messages),
            fit=len(fit),
            passed_over=late.passed_over,
            kinds=sorted({each.kind for each in late.messages} | set(named("kind"))),
            verdicts=sorted({word for each in late.messages for word in each.verdicts} | set(named("outcome"))),
        )


def system_of(message: Message, topic: Topic) -> str:
    """The side on which it happened, or that was written to."""
    return str(topic.system or (message.data or {}).get("system", ""))

"""One record: both sides beside the agreement, what it belongs to, what happened to it."""

import re
from datetime import UTC
from urllib.parse import quote, unquote, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from consumers.answers.looking.ledger import records_of, stories_of
from consumers.answers.looking.past import Changes, Past, changes_of, stood
from consumers.answers.looking.timelines import timeline_of
from consumers.console.access.guard import visitor_of
from consumers.console.ground import Ground
from consumers.console.masking import masked
from consumers.console.rendering import Pages
from consumers.reports.records.people import UnknownRecord
from consumers.reports.records.story import UnknownField
from consumers.subscriptions.since import NoMoment, moment_of
from streams.ground.clock import now_ms

_STORY_MAX = 100
_SALESFORCE_PAGE = re.compile(r"/([0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?)(?=/|$)")


class RecordPage:
    """The pages about one record."""

    def __init__(self, ground: Ground, pages: Pages) -> None:
        self._ground, self._pages = ground, pages

    @property
    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/record", self.find),
            Route("/record/{pair:int}", self.show),
            Route("/record/{pair:int}/{field}", self.explain),
        ]

    async def find(self, request: Request) -> Response:
        """What was pasted, looked for. One record is shown at an address without what was pasted: an e-mail stays in no history."""
        asked = request.query_params.get("q", "").strip()
        if not asked:
            return self._pages.page(request, "find.html", {"asked": "", "wrong": "", "found": []})
        try:
            found, _ = await records_of(self._ground.settings, name_in(asked), live=False)
        except UnknownRecord as error:
            return self._pages.page(request, "find.html", {"asked": asked, "wrong": str(error.args[0]), "found": []}, status=404)
        if len(found) == 1:
            return RedirectResponse(f"/record/{found[0].pair}", 303)
        shown = found if visitor_of(request).revealed else masked(found)
        return self._pages.page(request, "find.html", {"asked": asked, "wrong": "", "found": shown})

    async def show(self, request: Request) -> Response:
        """The record. With `live=1` both systems are asked."""
        pair, visitor = request.path_params["pair"], visitor_of(request)
        live = request.query_params.get("live") == "1"
        try:
            found, notes = await records_of(self._ground.settings, f"pair:{pair}", live=live)
        except UnknownRecord as error:
            return self._pages.page(request, "find.html", {"asked": "", "wrong": str(error.args[0]), "found": []}, status=404)
        try:
            then = await self._then(pair, request.query_params.get("at", "").strip())
        except NoMoment as error:
            return self._pages.page(request, "away.html", {"wrong": str(error)}, status=400)
        causes = await timeline_of(self._ground.settings, pair)
        if visitor.revealed and "hx-request" not in request.headers:
            await self._ground.note(visitor, "look", {"pair": pair})
        record = found[0] if visitor.revealed else masked(found[0])
        told = {
            "record": record,
            "notes": notes,
            "causes": causes if visitor.revealed else masked(causes),
            "everything": request.query_params.get("all") == "1",
            "technical": request.query_params.get("technical") == "1",
            "live": live,
            "now_ms": now_ms(),
            "then": then if visitor.revealed else masked(then),
            "at": request.query_params.get("at", "").strip(),
        }
        return self._pages.page(request, "record.html", told)

    async def _then(self, pair: int, at: str) -> tuple[Past, Changes] | None:
        """How it stood at a moment, and what has changed since; None: nobody asks. Raises `NoMoment`."""
        if not at:
            return None
        now = now_ms()
        moment, name, settings = moment_of(at, now, UTC), f"pair:{pair}", self._ground.settings
        return (await stood(settings, name, moment))[0], (await changes_of(settings, name, moment, now))[0]

    async def explain(self, request: Request) -> Response:
        """Why a field has its value."""
        pair, field, visitor = request.path_params["pair"], request.path_params["field"], visitor_of(request)
        try:
            stories, notes = await stories_of(self._ground.settings, f"pair:{pair}", field, most=_STORY_MAX, live=False)
        except (UnknownRecord, UnknownField) as error:
            return self._pages.page(request, "find.html", {"asked": "", "wrong": str(error.args[0]), "found": []}, status=404)
        if visitor.revealed and "hx-request" not in request.headers:
            await self._ground.note(visitor, "look", {"pair": pair, "field": field})
        story = stories[0] if visitor.revealed else masked(stories[0])
        technical = request.query_params.get("technical") == "1"
        return self._pages.page(request, "story.html", {"story": story, "notes": notes, "technical": technical})


def name_in(asked: str) -> str:
    """What names a record in what somebody has pasted: an id, an e-mail, or the address of its page in either system. Pure."""
    if "://" not in asked:
        return asked
    parts = urlsplit(asked)
    place = unquote(f"{parts.path} {parts.fragment} {parts.query}")
    if "@" in place and (mail := re.search(r"[\w.+'-]+@[\w.-]+", place)):
        return mail.group()
    found = _SALESFORCE_PAGE.findall(parts.path)
    if salesforce := next((each for each in found if any(letter.isdigit() for letter in each)), ""):
        return str(salesforce)
    if numbered := re.search(r"(?:leadId|personId)=(\d+)|/(?:Lead|Person|leadDatabase|ME)/?-?(\d+)|PD(\d+)", place):
        return next(each for each in numbered.groups() if each)
    return parts.path.rstrip("/").rsplit("/", 1)[-1] or asked


def address(name: str) -> str:
    """The page that finds a record."""
    return f"/record?q={quote(name)}"

"""A record that may be several others: beside them, field by field, and chosen. The same function as `tandem holds resolve`."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from consumers.answers.desk.waiting import ambiguity_of, chosen_match
from consumers.console.access.forms import Form, acting
from consumers.console.access.guard import visitor_of
from consumers.console.access.roles import Role
from consumers.console.ground import Ground
from consumers.console.masking import masked
from consumers.console.rendering import Pages
from consumers.desk.doing import Outcome
from consumers.reports.records.people import UnknownRecord


class Matching:
    """The page of it, for one console."""

    def __init__(self, ground: Ground, pages: Pages) -> None:
        self._ground, self._pages = ground, pages

    @property
    def routes(self) -> list[Route]:
        """Where it is."""
        return [
            Route("/match/{pair:int}", self.show),
            Route("/match/{pair:int}", acting(Role.OPERATOR, self.choose), methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The candidates beside it."""
        return await self._page(request, None, 0)

    async def choose(self, request: Request, form: Form) -> Response:
        """One of them: without `apply` only shown."""
        pair, visitor, told = request.path_params["pair"], visitor_of(request), form.get("with", "")
        if not told.isdigit():
            return await self._page(request, None, 0)
        candidate, apply, why = int(told), form.get("apply") == "1", form.get("why", "").strip()
        if apply:
            await self._ground.note(visitor, "holds resolve", {"record": f"pair:{pair}", "with": f"pair:{candidate}"}, why)
        try:
            plan = await chosen_match(self._ground.settings, f"pair:{pair}", f"pair:{candidate}", who=visitor.who, apply=apply)
        except UnknownRecord as error:
            return self._pages.page(request, "away.html", {"wrong": str(error.args[0])}, status=404)
        if apply and not any(each.why for each in plan):
            return RedirectResponse(f"/record/{candidate}", 303)
        return await self._page(request, plan, candidate)

    async def _page(self, request: Request, plan: Sequence[Outcome] | None, chosen: int) -> Response:
        visitor, pair = visitor_of(request), request.path_params["pair"]
        found = await ambiguity_of(self._ground.settings, pair)
        if found is None:
            wrong = "This record does not wait for such a choice (any more)."
            return self._pages.page(request, "away.html", {"wrong": wrong}, status=404)
        if visitor.revealed:
            await self._ground.note(visitor, "look", {"pair": pair, "beside": [each.pair for each in found.candidates]})
        shown = found if visitor.revealed else masked(found)
        words = {"found": shown, "plan": plan if plan is None or visitor.revealed else masked(list(plan)), "chosen": chosen}
        return self._pages.page(request, "match.html", words)

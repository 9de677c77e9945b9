"""What a person does with what waits: first its plan is shown, then it is done. The same functions as `tandem conflicts resolve` and
`tandem holds retry`; it is written into the audit log before it is done."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from consumers.answers.desk.waiting import Chosen, conflict_of, resolved, retried_holds, retried_letters, rule_of
from consumers.console.access.forms import Form, acting
from consumers.console.access.guard import visitor_of
from consumers.console.access.roles import Role
from consumers.console.ground import Ground
from consumers.console.masking import masked
from consumers.console.rendering import Pages
from consumers.desk.deciding import Take
from consumers.desk.doing import Outcome
from consumers.desk.waiting import Conflict
from consumers.reports.records.people import UnknownRecord
from consumers.reports.records.story import UnknownField
from streams.wire.systems import System

_ALL_MAX = 1_000


class Deciding:
    """The pages of it, for one console."""

    def __init__(self, ground: Ground, pages: Pages) -> None:
        self._ground, self._pages = ground, pages

    @property
    def routes(self) -> list[Route]:
        """Where they are."""
        return [
            Route("/conflict/{pair:int}/{field}", self.show),
            Route("/conflict/{pair:int}/{field}", acting(Role.OPERATOR, self.decide), methods=["POST"]),
            Route("/conflicts/similar/{pair:int}/{field}", acting(Role.OPERATOR, self.similar), methods=["POST"]),
            Route("/retry/{what}", acting(Role.OPERATOR, self.retry), methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """What each side says, and what stood before."""
        return await self._conflict(request, plan=None, take="")

    async def decide(self, request: Request, form: Form) -> Response:
        """A side's value taken: without `apply` only shown."""
        pair, field, take = request.path_params["pair"], request.path_params["field"], form.get("take", "")
        if take not in tuple(System):
            return await self._conflict(request, plan=None, take="")
        visitor, apply, why = visitor_of(request), form.get("apply") == "1", form.get("why", "").strip()
        if apply:
            what = {"names": [f"pair:{pair}"], "field": field, "take": take}
            await self._ground.note(visitor, "conflicts resolve", what, why)
        chosen = Chosen(names=[f"pair:{pair}"])
        told = await resolved(self._ground.settings, chosen, field, Take(side=System(take)), who=visitor.who, apply=apply, reason=why)
        if apply and not any(each.why for each in told):
            return RedirectResponse(f"/record/{pair}/{field}", 303)
        return await self._conflict(request, plan=told, take=take)

    async def similar(self, request: Request, form: Form) -> Response:
        """Every conflict about the same field for the same cause, decided the same way: the plan first, then once the field was typed."""
        pair, field, take, visitor = request.path_params["pair"], request.path_params["field"], form.get("take", ""), visitor_of(request)
        found = await self._waiting(pair, field)
        if not found or take not in tuple(System):
            return await self._conflict(request, plan=None, take="")
        wrong = f"To decide all of them, type {field}." if form.get("apply") == "1" and form.get("typed", "").strip() != field else ""
        apply, why = form.get("apply") == "1" and not wrong, form.get("why", "").strip()
        if apply:
            await self._ground.note(visitor, "conflicts resolve", {"field": field, "take": take, "cause": found[0].cause, "all": True}, why)
        chosen = Chosen(cause=found[0].cause, most=_ALL_MAX)
        told = await resolved(self._ground.settings, chosen, field, Take(side=System(take)), who=visitor.who, apply=apply, reason=why)
        shown = list(told) if visitor.revealed else masked(list(told))
        words = {"pair": pair, "field": field, "take": take, "outcomes": shown, "done": apply, "wrong": wrong}
        return self._pages.page(request, "similar.html", words, status=400 if wrong else 200)

    async def retry(self, request: Request, form: Form) -> Response:
        """What is held, refused, or a dead letter, tried once more: one by its name, or all; the plan first."""
        what, name, apply = request.path_params["what"], form.get("name", "").strip(), form.get("apply") == "1"
        visitor, retrying = visitor_of(request), {"holds": retried_holds, "dead-letters": retried_letters}.get(what)
        if retrying is None or (what == "dead-letters" and name and not name.isdigit()):
            return self._pages.page(request, "away.html", {"wrong": "There is nothing of that name to be tried again."}, status=404)
        if apply and not name and form.get("typed", "").strip() != what:
            return await self._plan(request, what, name, [], wrong=f"To try all of them again, type {what}.", status=400)
        chosen = Chosen(names=[name] if name else [], everything=not name, most=_ALL_MAX)
        if apply:
            await self._ground.note(visitor, f"{what} retry", {"names": list(chosen.names), "all": not name}, form.get("why", ""))
        try:
            told = await retrying(self._ground.settings, chosen, who=visitor.who, apply=apply)
        except UnknownRecord as error:
            return self._pages.page(request, "away.html", {"wrong": str(error.args[0])}, status=404)
        return await self._plan(request, what, name, told, done=apply)

    async def _plan(
        self, request: Request, what: str, name: str, told: Sequence[Outcome], *, done: bool = False, wrong: str = "", status: int = 200
    ) -> Response:
        shown = list(told) if visitor_of(request).revealed else masked(list(told))
        words = {"what": what, "name": name, "outcomes": shown, "done": done, "wrong": wrong}
        return self._pages.page(request, "retry.html", words, status=status)

    async def _conflict(self, request: Request, *, plan: Sequence[Outcome] | None, take: str) -> Response:
        pair, field, visitor = request.path_params["pair"], request.path_params["field"], visitor_of(request)
        found = await self._waiting(pair, field)
        if not found:
            wrong = "Nothing about this field waits for a decision any more."
            return self._pages.page(request, "away.html", {"wrong": wrong}, status=404)
        conflict = found[0] if visitor.revealed else masked(found[0])
        shown = plan if plan is None or visitor.revealed else masked(list(plan))
        rule = await rule_of(self._ground.settings, f"pair:{pair}", field, System(take), most=_ALL_MAX) if take else None
        words = {"conflict": conflict, "plan": shown, "take": take, "rule": rule}
        return self._pages.page(request, "conflict.html", words)

    async def _waiting(self, pair: int, field: str) -> list[Conflict]:
        """The conflict about this field; none: it doesn't wait (any more)."""
        try:
            return await conflict_of(self._ground.settings, f"pair:{pair}", field)
        except (UnknownRecord, UnknownField):
            return []

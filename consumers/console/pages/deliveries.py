"""Deliveries: one of them with how its calls go, begun, paused, tried, signed anew, set back, ended. The acts are those of the HTTP API."""

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from consumers.answers.logs import delivering
from consumers.answers.logs.delivering import Asked, Shared, Shown
from consumers.configuration.mapping.registered import registry_of
from consumers.console.access.forms import Form, acting
from consumers.console.access.guard import visitor_of
from consumers.console.access.roles import Role
from consumers.console.ground import Ground
from consumers.console.rendering import Pages
from consumers.deliveries.addresses import shown_url
from consumers.deliveries.delivery import UnknownDelivery, Unusable, Way
from consumers.deliveries.sending import Answer
from consumers.subscriptions.since import NoMoment, moment_of
from consumers.subscriptions.topics import UnknownTopic, topics
from streams.ground.clock import now_ms
from streams.wire.errors import Retry, Unprepared

_ROLES = {
    "pause": Role.OPERATOR, "resume": Role.OPERATOR, "test": Role.OPERATOR, "rotate": Role.ADMIN, "rewind": Role.ADMIN,
    "delete": Role.ADMIN,
}  # fmt: skip
"""Who may do what."""
_SINCE = ("now", "1h", "24h", "7d", "all")


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of an act, in words. `secret`: shown this once."""

    words: str
    secret: str = ""


class Deliveries:
    """The pages of one console."""

    def __init__(self, ground: Ground, pages: Pages) -> None:
        self._ground, self._pages = ground, pages

    @property
    def routes(self) -> list[Route]:
        """Where they are."""
        acts = [Route(f"/deliveries/{{name}}/{act}", acting(role, self._act(act)), methods=["POST"]) for act, role in _ROLES.items()]
        return [
            Route("/deliveries", self.new),
            Route("/deliveries", acting(Role.ADMIN, self.create), methods=["POST"]),
            Route("/deliveries/{name}", self.show),
            *acts,
        ]

    async def show(self, request: Request) -> Response:
        """One of them."""
        return await self._shown(request, request.path_params["name"])

    async def new(self, request: Request) -> Response:
        """The form to begin one."""
        return self._new(request, {})

    async def create(self, request: Request, form: Form) -> Response:
        """Begin one, once it is written down; its secret is shown this once."""
        why, url, name = form.get("why", "").strip(), form.get("url", "").strip(), form.get("name", "").strip()
        if not why:
            return self._new(request, form, wrong="Say why: the audit log keeps it.", status=400)
        what = {"name": name, "topic": form.get("topic", ""), "url": shown_url(url), "reveal": form.get("reveal") == "1"}
        await self._ground.note(visitor_of(request), "deliveries create", what, why)
        try:
            asked = Asked(
                name=name, topic=form.get("topic", ""), way=Way.WEBHOOK if url else Way.EVENTS, url=url,
                since_ms=_since(form.get("since", "now")), fields=form.get("fields", "").split(), reveal=form.get("reveal") == "1",
            )  # fmt: skip
            made = await delivering.create(self._ground.settings, asked, who=visitor_of(request).who)
        except (Unusable, NoMoment, UnknownTopic) as error:
            return self._new(request, form, wrong=f"{error.args[0]}.", status=400)
        return await self._shown(request, made.delivery.name, done=Done(words="It begins within seconds.", secret=made.secret))

    def _act(self, act: str) -> Any:
        async def do(request: Request, form: Form) -> Response:
            name, why = request.path_params["name"], form.get("why", "").strip()
            if not why:
                return await self._shown(request, name, wrong="Say why: the audit log keeps it.", status=400)
            if act == "delete" and form.get("typed", "").strip() != name:
                return await self._shown(request, name, wrong=f"To end it, type {name}.", status=400)
            await self._ground.note(visitor_of(request), f"deliveries {act}", {"name": name, "since": form.get("since", "")}, why)
            try:
                done = await self._done(act, name, form, visitor_of(request).who)
            except UnknownDelivery as error:
                return self._pages.page(request, "away.html", {"wrong": f"{error.args[0]}."}, status=404)
            except (Unusable, NoMoment) as error:
                return await self._shown(request, name, wrong=f"{error}.", status=400)
            if act == "delete":
                return RedirectResponse("/streams#deliveries", 303)
            return await self._shown(request, name, done=done)

        return do

    async def _done(self, act: str, name: str, form: Form, who: str) -> Done:
        settings = self._ground.settings
        match act:
            case "pause":
                await delivering.pause(settings, name, who=who, why=form.get("why", "").strip())
                return Done(words="Nothing is delivered until it is resumed.")
            case "resume":
                await delivering.resume(settings, name)
                return Done(words="It goes on at once.")
            case "test":
                return _answered(await delivering.try_out(settings, name))
            case "rotate":
                made: Shared = await delivering.rotate(settings, name)
                return Done(words="It signs with another secret from now on; with the one before for a day as well.", secret=made.secret)
            case "rewind":
                await delivering.rewind(settings, name, since_ms=_since(form.get("since", "")))
                return Done(words="Its cursor is set: what comes again has the same webhook-id.")
            case _:
                await delivering.delete(settings, name)
                return Done(words="It is gone.")

    async def _shown(self, request: Request, name: str, *, done: Done | None = None, wrong: str = "", status: int = 200) -> Response:
        try:
            told = await self._delivery(name)
        except UnknownDelivery as error:
            return self._pages.page(request, "away.html", {"wrong": f"{error.args[0]}."}, status=404)
        words = {"told": told, "done": done, "wrong": wrong, "spans": _SINCE}
        return self._pages.page(request, "delivery.html", words, status=status)

    async def _delivery(self, name: str) -> Shown:
        try:
            return await delivering.delivery_of(self._ground.settings, name)
        except (Retry, Unprepared):  # Kafka is away: how it stands the ledger knows
            return await delivering.delivery_of(self._ground.settings, name, counted=False)

    def _new(self, request: Request, form: Form, *, wrong: str = "", status: int = 200) -> Response:
        known = [each.short for each in topics(registry_of(self._ground.settings))]
        told = {"form": form, "wrong": wrong, "topics": known, "spans": _SINCE}
        return self._pages.page(request, "delivery_new.html", told, status=status)


def _answered(answer: Answer) -> Done:
    if str(answer.result) == "delivered":
        return Done(words=f"The receiver took the test: it answered {answer.status}.")
    return Done(words=f"The test was not taken: {answer.words}.")


def _since(text: str) -> int | None:
    """None: all. Raises `NoMoment`."""
    now, told = now_ms(), text.strip()
    return None if told == "all" else now if told == "now" else moment_of(told, now)

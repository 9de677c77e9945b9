"""What a person does with one record: forced from one side, held for a while, read again, put into a file. The same functions as
`tandem force`, `tandem pause`, `tandem resume`, `tandem reread` and `tandem support-bundle`; each act is written into the audit log before
it is done."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from consumers.answers.desk.control import Chosen, pause, resume
from consumers.answers.desk.forcing import forced, reread
from consumers.answers.looking.bundling import as_zip, bundle_of
from consumers.answers.looking.ledger import records_of
from consumers.console.access.forms import Form, acting
from consumers.console.access.guard import visitor_of
from consumers.console.access.roles import Role
from consumers.console.ground import Ground
from consumers.console.masking import masked
from consumers.console.rendering import Pages
from consumers.reports.records.people import UnknownRecord
from consumers.reports.records.record import RecordShown
from streams.wire.systems import System

_FIELD = "field."


class OneRecord:
    """The acts on the page of a record, for one console."""

    def __init__(self, ground: Ground, pages: Pages) -> None:
        self._ground, self._pages = ground, pages

    @property
    def routes(self) -> list[Route]:
        """Where they are."""
        acts = {"force": self.force, "hold": self.hold, "release": self.release, "reread": self.reread}
        bundle = Route("/bundle/{pair:int}.zip", self.bundle)
        return [bundle, *(Route(f"/{name}/{{pair:int}}", acting(Role.OPERATOR, act), methods=["POST"]) for name, act in acts.items())]

    async def force(self, request: Request, form: Form) -> Response:
        """From a side: shown field by field, and done once the other side's record was typed."""
        pair, visitor, side = request.path_params["pair"], visitor_of(request), form.get("from", "")
        record = await self._record(pair)
        if record is None or side not in tuple(System):
            return self._unknown(request, pair if record is None else 0)
        source, fields, why = System(side), _chosen(form), form.get("why", "").strip()
        target = record.marketo_id if source is System.SALESFORCE else record.salesforce_id
        wrong = ""
        if form.get("apply") == "1" and form.get("typed", "").strip() != target:
            wrong = f"To force it, type {target}."
        apply = form.get("apply") == "1" and not wrong
        if apply:
            await self._ground.note(visitor, "force", {"record": f"pair:{pair}", "from": side, "fields": fields}, why)
        told = await forced(self._ground.settings, f"pair:{pair}", source, fields, who=visitor.who, apply=apply, reason=why)
        words = {"record": record, "told": told, "target": target, "fields": fields, "done": apply, "wrong": wrong}
        shown = words if visitor.revealed else {**words, "record": masked(record), "told": masked(told)}
        return self._pages.page(request, "force.html", shown, status=400 if wrong else 200)

    async def hold(self, request: Request, form: Form) -> Response:
        """Nothing is written of it, on either side, until somebody lets it go on."""
        pair, why = request.path_params["pair"], form.get("why", "").strip()
        if not why:
            return self._pages.page(request, "away.html", {"wrong": "Say why it is to be held: whoever finds it asks."}, status=400)
        return await self._act(request, "pause", pair, why)

    async def release(self, request: Request, form: Form) -> Response:
        """What was held goes on."""
        return await self._act(request, "resume", request.path_params["pair"], form.get("why", "").strip())

    async def reread(self, request: Request, form: Form) -> Response:
        """Both sides are read again by the workers."""
        return await self._act(request, "reread", request.path_params["pair"], form.get("why", "").strip())

    async def bundle(self, request: Request) -> Response:
        """All that is known of it, in one file; masked like the page that it is taken from."""
        pair, visitor = request.path_params["pair"], visitor_of(request)
        if visitor.revealed:
            await self._ground.note(visitor, "reveal", {"what": "support-bundle", "record": f"pair:{pair}"})
        try:
            told = await bundle_of(self._ground.settings, f"pair:{pair}")
        except UnknownRecord:
            return self._unknown(request, pair)
        file = as_zip(told if visitor.revealed else masked(told), revealed=visitor.revealed)
        headers = {"content-disposition": f'attachment; filename="tandem-pair-{pair}.zip"'}
        return Response(file, media_type="application/zip", headers=headers)

    async def _act(self, request: Request, act: str, pair: int, why: str) -> Response:
        visitor, settings, names = visitor_of(request), self._ground.settings, [f"pair:{pair}"]
        if await self._record(pair) is None:
            return self._unknown(request, pair)
        what = {"records": names} if act == "reread" else {"to": "both", "kind": "", "records": names}
        await self._ground.note(visitor, act, what, why)
        if act == "pause":
            await pause(settings, Chosen(records=names), who=visitor.who, why=why)
        elif act == "resume":
            await resume(settings, Chosen(records=names))
        else:
            await reread(settings, names, who=visitor.who)
        return RedirectResponse(f"/record/{pair}", 303)

    async def _record(self, pair: int) -> RecordShown | None:
        try:
            found, _ = await records_of(self._ground.settings, f"pair:{pair}", live=False)
        except UnknownRecord:
            return None
        return found[0]

    def _unknown(self, request: Request, pair: int) -> Response:
        wrong = f"There is no record pair:{pair} any more." if pair else "Choose from which side: salesforce, or marketo."
        return self._pages.page(request, "away.html", {"wrong": wrong}, status=404 if pair else 400)


def _chosen(form: Form) -> list[str]:
    """The fields that are ticked; none: all that differ."""
    return sorted(name.removeprefix(_FIELD) for name in form if name.startswith(_FIELD))

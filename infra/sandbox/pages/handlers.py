"""The routes of the pages, under the control routes of a system; people come through the gateway at `/ui/{system}`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson
from aiohttp import web

from infra.sandbox.kernel.faults import FaultRefusedError
from infra.sandbox.kernel.journal import Entry
from infra.sandbox.kernel.system import System
from infra.sandbox.pages import views
from infra.sandbox.pages.console import Console, EditRefusedError
from infra.sandbox.pages.frame import Place
from infra.sandbox.pages.views import PAGE_ROWS

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
BASE_HEADER = "X-Sandbox-Base"
"""Under which path the person sees the pages."""
_LATEST = 100
_RECORD_LINES = 20_000
"""How far back a record's own changes are looked for."""


class PageHandlers:
    def __init__(self, system: System, console: Console) -> None:
        self._system = system
        self._console = console

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/ui", self.overview)
        app.router.add_get("/ui/-/history", self.history)
        app.router.add_get("/ui/-/faults", self.faults)
        app.router.add_post("/ui/-/faults", self.change_faults)
        app.router.add_get("/ui/{object}", self.listing)
        app.router.add_get("/ui/{object}/-new", self.blank)
        app.router.add_post("/ui/{object}/-new", self.create)
        app.router.add_get("/ui/{object}/{id}", self.record)
        app.router.add_post("/ui/{object}/{id}", self.edit)

    async def overview(self, request: web.Request) -> web.Response:
        return _page(views.overview(self._place(request, "-home"), self._system.meters.report(), self._entries(20)))

    async def history(self, request: web.Request) -> web.Response:
        return _page(views.history(self._place(request, "-history"), self._entries(_LATEST), watch="watch" in request.query))

    async def listing(self, request: web.Request) -> web.Response:
        name, search, start = request.match_info["object"], request.query.get("q", "").strip(), request.query.get("start", "0")
        place = self._place(request, name)
        try:
            found = self._console.records(name, search, int(start) if start.isdecimal() else 0, PAGE_ROWS)
        except KeyError:
            return _page(views.missing(place, f"There is no object {name}."), 404)
        return _page(views.listing(place, self._label(name), found, search, int(start) if start.isdecimal() else 0))

    async def record(self, request: web.Request) -> web.Response:
        mode = request.query.get("mode", "view")
        saved = "Saved." if "saved" in request.query else ""
        return self._record(request, mode if mode in {"edit", "watch"} else "view", saved)

    async def edit(self, request: web.Request) -> web.StreamResponse:
        """Changes what differs from what the form showed."""
        name, key = request.match_info["object"], request.match_info["id"]
        form = await request.post()
        try:
            now = {one.name: one for one in self._console.record(name, key).fields if one.editable}
            values = {
                field: str(value).replace("\r\n", "\n") or None
                for field, value in form.items()
                if field in now and str(value).replace("\r\n", "\n") != _typed(now[field].value)
            }
            if values:
                self._console.edit(name, key, values)
        except KeyError:
            return _page(views.missing(self._place(request, name), f"There is no {name} {key}."), 404)
        except EditRefusedError as refused:
            return self._record(request, "edit", str(refused), bad=True)
        raise web.HTTPSeeOther(self._place(request, name).url(name, key, saved=1))

    async def blank(self, request: web.Request) -> web.Response:
        return self._blank(request, {}, "")

    async def create(self, request: web.Request) -> web.StreamResponse:
        """Makes a record of what was filled in."""
        name = request.match_info["object"]
        typed = {field: str(value).replace("\r\n", "\n") for field, value in (await request.post()).items()}
        try:
            fields = {one.name for one in self._console.blank(name) if one.editable}
            key = self._console.create(name, {field: value for field, value in typed.items() if value and field in fields})
        except KeyError:
            return _page(views.missing(self._place(request, name), f"There is no object {name}."), 404)
        except EditRefusedError as refused:
            return self._blank(request, typed, str(refused))
        raise web.HTTPSeeOther(self._place(request, name).url(name, key, saved=1))

    def _blank(self, request: web.Request, typed: Mapping[str, str], refused: str) -> web.Response:
        name = request.match_info["object"]
        place = self._place(request, name)
        try:
            fields = [replace(one, value=typed.get(one.name)) for one in self._console.blank(name)]
        except KeyError:
            fields = []
        if not fields:
            return _page(views.missing(place, f"No {name} can be made here."), 404)
        return _page(views.blank(place, self._label(name), fields, refused), 400 if refused else 200)

    def _label(self, name: str) -> str:
        return next((one.label for one in self._console.objects() if one.name == name), name)

    async def faults(self, request: web.Request) -> web.Response:
        return self._faults(request, "", bad=False)

    async def change_faults(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value).strip() for name, value in (await request.post()).items()}
        try:
            if "delete" in form:
                self._system.faults.remove(form["delete"])
            else:
                self._system.faults.post(_fault(form))
        except (FaultRefusedError, ValueError) as refused:
            return self._faults(request, str(refused), bad=True)
        raise web.HTTPSeeOther(self._place(request, "").url("-", "faults"))

    def _record(self, request: web.Request, mode: str, message: str, *, bad: bool = False) -> web.Response:
        name, key = request.match_info["object"], request.match_info["id"]
        place = self._place(request, name)
        entries = [(n, entry) for n, entry in self._entries(_RECORD_LINES) if entry.object == name and entry.id == key][-30:]
        try:
            shown = self._console.record(name, key)
        except KeyError:
            if entries:
                return _page(views.gone(place, key, entries))
            return _page(views.missing(place, f"There is no {name} {key}."), 404)
        now_ms = self._system.clock.now_ms()
        return _page(views.record(place, key, shown, entries, now_ms, mode=mode, message=message, bad=bad), 400 if bad else 200)

    def _faults(self, request: web.Request, message: str, *, bad: bool) -> web.Response:
        board = self._system.faults
        types = sorted(board.call_types | board.other_types)
        return _page(views.faults(self._place(request, "-faults"), board.standing(), types, message, bad=bad), 400 if bad else 200)

    def _entries(self, count: int) -> Sequence[tuple[int, Entry]]:
        journal = self._system.journal
        return list(journal.history(max(0, journal.last_n - count)))

    def _place(self, request: web.Request, here: str) -> Place:
        return Place(console=self._console, base=request.headers.get(BASE_HEADER, "/__sandbox__/ui"), here=here)


def _page(html: str, status: int = 200) -> web.Response:
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
    return web.Response(status=status, text=html, content_type="text/html", headers=headers)


def _typed(value: object) -> str:
    """A value as its form field shows it."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _fault(form: dict[str, str]) -> dict[str, Any]:
    more = orjson.loads(form["more"]) if form.get("more") else {}
    if not isinstance(more, dict):
        raise FaultRefusedError("More: a JSON object is expected")
    match = {name: form[name] for name in ("path", "method", "actor") if form.get(name)}
    times = int(form["times"]) if form.get("times") else None
    return {"match": match, "action": {"type": form.get("type", ""), **more}, "times": times}

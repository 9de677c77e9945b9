"""The HTTP service that Marketo calls. A batch is answered once it is kept, for good; whatever it asks for is done after that.

What an administrator reads before the key is known (the install document, the icons, the instructions) is open; all else wants the key.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import date
from hmac import compare_digest
from typing import Any

import msgspec
import orjson
import structlog
from aiohttp import web

from consumers.configuration.groups.services import FlowStepSettings
from consumers.errands.catalogue import STEPS, Step
from consumers.errands.store import Store
from consumers.flowsteps import documents
from consumers.flowsteps.icon import icon
from consumers.flowsteps.picklists import Picklists
from consumers.flowsteps.submission import Refused, batch_of
from streams.wire.errors import Fatal, Retry

_CLOSE_SECONDS = 2.0
_log = structlog.get_logger("consumers.flowsteps")
View = Callable[[Step, web.Request], Awaitable[web.Response]]


class PicklistWanted(msgspec.Struct, frozen=True):
    """What Marketo asks choices for."""

    name: str
    type: str


class Service:
    """Serves every step that there is, until it is told to stop."""

    def __init__(
        self, settings: FlowStepSettings, store: Store, picklists: Picklists, clock: Callable[[], int], today: Callable[[], date]
    ) -> None:
        """`today`: from which days are counted."""
        self._today = today
        self._settings, self._store, self._picklists, self._clock = settings, store, picklists, clock
        self._key = settings.key.reveal() if settings.key else ""
        self._base = documents.base_of(settings)

    async def run(self, stop: asyncio.Event) -> None:
        """Raises `Fatal` where the port can't be had. The workers of one machine share it."""
        runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=_CLOSE_SECONDS)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, self._settings.host, self._settings.port, reuse_port=True).start()
            except OSError as error:
                where = f"{self._settings.host}:{self._settings.port}"
                raise Fatal(
                    f"flow steps can't be served at {where} ({error.strerror}).", remedy="Correct flow_steps.host and port."
                ) from error
            _log.info("flow steps are served", host=self._settings.host, port=self._settings.port)
            await stop.wait()
        finally:
            await runner.cleanup()

    def app(self) -> web.Application:
        """The application."""
        app = web.Application(client_max_size=self._settings.request_kilobytes_max * 1024, middlewares=[_plain_errors])
        open_views: Mapping[str, View] = {
            documents.DOCUMENT: self._document,
            documents.INSTRUCTIONS: self._instructions,
            documents.BRAND_ICON: self._icon,
            documents.SERVICE_ICON: self._icon,
        }
        for what in STEPS:
            root = f"{documents.ROOT}/{what}"
            for name, view in open_views.items():
                app.router.add_get(f"{root}/{name}", self._view(what, view, key=False))
            app.router.add_get(f"{root}/{documents.DEFINITION}", self._view(what, self._definition))
            app.router.add_get(f"{root}/{documents.STATUS}", self._view(what, self._status))
            app.router.add_post(f"{root}/{documents.PICKLIST}", self._view(what, self._picklist))
            app.router.add_post(f"{root}/{documents.SUBMIT}", self._view(what, self._submit))
        return app

    def _view(self, what: Any, view: View, *, key: bool = True) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            if key and not compare_digest(request.headers.get(documents.HEADER, "").encode(), self._key.encode()):
                return _json({"error": f"the header {documents.HEADER} doesn't hold the key of this service"}, 401)
            return await view(STEPS[what], request)

        return handle

    async def _document(self, step: Step, _: web.Request) -> web.Response:
        return _json(documents.install_document(self._base, step.what))

    async def _definition(self, step: Step, _: web.Request) -> web.Response:
        return _json(documents.definition(self._base, step.what))

    async def _instructions(self, step: Step, _: web.Request) -> web.Response:
        return web.Response(text=documents.instructions(step), content_type="text/html")

    async def _icon(self, _: Step, __: web.Request) -> web.Response:
        return web.Response(body=icon(), content_type="image/png")

    async def _status(self, _: Step, __: web.Request) -> web.Response:
        waiting = await self._store.open()
        info = [f"{waiting:,} wait to be done"] if waiting else ["all that was asked for is done"]
        return _json({"info": info, "warnings": [], "errors": []})

    async def _picklist(self, step: Step, request: web.Request) -> web.Response:
        try:
            asked = msgspec.json.decode(await request.read(), type=PicklistWanted)
        except msgspec.DecodeError as error:
            return _json({"error": f"the request can't be read: {error}"}, 400)
        wanted = step.by_name.get(asked.name)
        if wanted is None or wanted.choices is None:
            return _json({"error": f"{asked.name}: no input of {step.name} that has choices"}, 400)
        return _json({"choices": await self._picklists.choices(wanted.choices)})

    async def _submit(self, step: Step, request: web.Request) -> web.Response:
        settings = self._settings
        try:
            batch = batch_of(
                step.what, await request.read(), self._today(), hosts=settings.callback_hosts, munchkin_id=settings.munchkin_id
            )
        except Refused as error:
            _log.warning("a flow step was refused", step=str(step.what), status=error.status, error=str(error))
            return _json({"error": str(error)}, error.status)
        new = await self._store.ask(batch.name, batch.asked_by, batch.errands, self._clock(), batch.callback)
        _log.info("asked for by a flow step", step=str(step.what), people=len(batch.errands), again=not new)
        return _json({"accepted": len(batch.errands)}, 201)


@web.middleware
async def _plain_errors(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> web.StreamResponse:
    """What can't be done now is said so, in a way that whoever calls tries again."""
    try:
        return await handler(request)
    except Retry as error:
        _log.warning("a call can't be answered now", path=request.path, error=str(error))
        return _json({"error": "not now; try again"}, 503)


def _json(body: Mapping[str, Any], status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")

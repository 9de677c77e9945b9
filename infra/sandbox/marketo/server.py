"""Puts the instance together: journal, state, limits, API, control verbs."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web

from infra.sandbox.kernel.clock import Clock
from infra.sandbox.kernel.faults import FaultBoard
from infra.sandbox.kernel.journal import Journal
from infra.sandbox.kernel.meters import Meters
from infra.sandbox.kernel.process import ChildSettings, Running
from infra.sandbox.kernel.system import System
from infra.sandbox.marketo.activities.custom import custom_activity_ids
from infra.sandbox.marketo.activities.endpoints import ActivityEndpoints
from infra.sandbox.marketo.border.api import Api
from infra.sandbox.marketo.border.identity import ApiUser, Identity
from infra.sandbox.marketo.border.in_flight import InFlight
from infra.sandbox.marketo.border.limits import Limits
from infra.sandbox.marketo.border.named_faults import FAULT_TYPES, STREAM_TYPES
from infra.sandbox.marketo.border.routes import Router
from infra.sandbox.marketo.bulk.jobs import BulkJobs
from infra.sandbox.marketo.by_hand.console import MarketoConsole
from infra.sandbox.marketo.by_hand.push_verbs import PushVerbs
from infra.sandbox.marketo.by_hand.verbs import Verbs
from infra.sandbox.marketo.endpoints import all_routes
from infra.sandbox.marketo.people.lead_endpoints import LeadEndpoints
from infra.sandbox.marketo.push.engine import Engine
from infra.sandbox.marketo.push.flow_steps import CALLBACK, FlowSteps
from infra.sandbox.marketo.push.signing import Signing
from infra.sandbox.marketo.push.streams import Streams
from infra.sandbox.marketo.state.instance import Instance
from infra.sandbox.marketo.state.store import CUSTOM_ACTIVITY, SERVICE, Store

FLOW_STEP_ACTIVITY = "FlowStepActivity"
"""What flow-step services have left with people, in a dump."""


async def build(settings: ChildSettings) -> Running:
    """Opens the instance in the data folder. `credentials` holds two API users, `user` and `tandem`; `options.zone` the instance's time
    zone.
    """
    clock, meters = Clock(), Meters()
    journal = Journal(Path(settings.data) / "journal", fsync=settings.fsync)
    store = Store(zone=ZoneInfo(settings.options.get("zone", "America/Chicago")))
    instance = Instance.open(journal, clock, store)
    limits, in_flight = Limits(meters=meters), InFlight()
    limits.set(store.settings.limits)
    jobs = BulkJobs(instance, Path(settings.data) / "bulk")
    faults = FaultBoard("marketo", call_types=FAULT_TYPES, other_types=STREAM_TYPES)
    flow_steps, streams = FlowSteps(instance), Streams(instance, Signing(Path(settings.data) / "keys"), faults)
    engine = Engine(instance, flow_steps)
    verbs = Verbs(instance, limits, PushVerbs(instance, streams))
    identity = Identity([msgspec.convert(one, ApiUser) for one in settings.credentials.values()])

    def permitted(user: str) -> list[str] | None:
        return store.settings.roles.get(user)

    api = Api(
        permitted=permitted,
        identity=identity,
        limits=limits,
        faults=faults,
        meters=meters,
        clock=clock,
        latency_ms=settings.latency_ms,
        in_flight=in_flight,
        router=Router(all_routes(instance, in_flight, limits, jobs)),
    )
    system = System(
        name="marketo",
        journal=journal,
        clock=clock,
        faults=faults,
        meters=meters,
        verbs=verbs.table(),
        objects=lambda: ("Lead", "Field", FLOW_STEP_ACTIVITY, CUSTOM_ACTIVITY, *(name for name in store.tables if name != CUSTOM_ACTIVITY)),
        dump=lambda name: _dump(store, name),
        extra_meters=lambda: {**limits.report(clock.now_ms()), "stream_batches_waiting": streams.waiting},
    )
    console = MarketoConsole(verbs, LeadEndpoints(instance, in_flight), ActivityEndpoints(instance))
    app = _served(api, flow_steps, streams)
    instance.listeners += [engine.notice, streams.notice]

    def served(url: str) -> None:
        flow_steps.base_url = streams.base_url = url
        jobs.resume()
        streams.resume()
        engine.resume()

    async def stop() -> None:
        await asyncio.gather(jobs.stop(), engine.stop(), streams.stop())

    return Running(system=system, app=app, console=console, served=served, stop=stop)


def _served(api: Api, flow_steps: FlowSteps, streams: Streams) -> web.Application:
    """The instance's REST, where services call back, and what Adobe serves beside it: keys, tokens, the journal."""
    app = api.app()
    app.router.add_post(f"{CALLBACK}/{{batch}}", flow_steps.callback)
    app.router.add_get("/prod/keys/{name}", streams.key)
    app.router.add_post("/ims/token/v3", streams.token)
    app.router.add_get("/csm/registrations/validate", streams.validate)
    app.router.add_get("/events/organizations/{organization}/integrations/{integration}/{registration}", streams.journal)
    api.serve_rest(app)
    return app


def _dump(store: Store, name: str) -> Iterator[Mapping[str, Any]]:
    if name == "Lead":
        return ({"id": lead_id, **person} for lead_id, person in store.people())
    if name == "Field":
        return (msgspec.to_builtins(field) for field in store.fields.values())
    if name == CUSTOM_ACTIVITY:
        return (msgspec.to_builtins(row) for row in store.log.rows if row.type in custom_activity_ids(store))
    if name == FLOW_STEP_ACTIVITY:
        types = {row["activityType"] for row in store.table(SERVICE).rows()}
        return (msgspec.to_builtins(row) for row in store.log.rows if row.type in types)
    return ({"id": int(key) if key.isdecimal() else key, **row} for key, row in store.table(name).items())

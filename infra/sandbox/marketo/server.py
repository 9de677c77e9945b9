"""Puts the instance together: journal, state, limits, API, control verbs."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from infra.sandbox.kernel.clock import Clock
from infra.sandbox.kernel.faults import FaultBoard
from infra.sandbox.kernel.journal import Journal
from infra.sandbox.kernel.meters import Meters
from infra.sandbox.kernel.process import ChildSettings, Running
from infra.sandbox.kernel.system import System
from infra.sandbox.marketo.api import FAULT_TYPES, Api
from infra.sandbox.marketo.identity import ApiUser, Identity
from infra.sandbox.marketo.in_flight import InFlight
from infra.sandbox.marketo.instance import Instance
from infra.sandbox.marketo.limits import Limits
from infra.sandbox.marketo.store import Store
from infra.sandbox.marketo.verbs import Verbs


async def build(settings: ChildSettings) -> Running:
    """Opens the instance in the data folder. `credentials` holds two API users, `user` and `tandem`; `options.zone` the instance's time
    zone.
    """
    clock, meters = Clock(), Meters()
    journal = Journal(Path(settings.data) / "journal", fsync=settings.fsync)
    store = Store(zone=ZoneInfo(settings.options.get("zone", "America/Chicago")))
    instance = Instance.open(journal, clock, store)
    limits = Limits(meters=meters)
    faults = FaultBoard("marketo", call_types=FAULT_TYPES)
    identity = Identity([msgspec.convert(one, ApiUser) for one in settings.credentials.values()])
    api = Api(
        instance=instance,
        identity=identity,
        limits=limits,
        faults=faults,
        meters=meters,
        clock=clock,
        latency_ms=settings.latency_ms,
        in_flight=InFlight(),
    )
    system = System(
        name="marketo",
        journal=journal,
        clock=clock,
        faults=faults,
        meters=meters,
        verbs=Verbs(instance, limits).table(),
        objects=lambda: ("Lead", "Field"),
        dump=lambda name: _dump(store, name),
        extra_meters=lambda: limits.report(clock.now_ms()),
    )
    return Running(system=system, app=api.app())


def _dump(store: Store, name: str) -> Iterator[Mapping[str, Any]]:
    if name == "Lead":
        return ({"id": lead_id, **person} for lead_id, person in store.people())
    return (msgspec.to_builtins(field) for field in store.fields.values())

"""Puts an org together from its settings: journal, users, connected apps, server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from infra.sandbox.kernel.clock import Clock
from infra.sandbox.kernel.journal import Journal
from infra.sandbox.kernel.meters import Meters
from infra.sandbox.kernel.process import ChildSettings, Running
from infra.sandbox.kernel.system import System, restore
from infra.sandbox.salesforce.control.console import OrgConsole
from infra.sandbox.salesforce.control.verbs import Verbs, add_user
from infra.sandbox.salesforce.http.server import Server
from infra.sandbox.salesforce.org.faults import CdcFaults
from infra.sandbox.salesforce.org.org import Org
from infra.sandbox.salesforce.wire.ids import ORG_ID

API_VERSION = "66.0"
PERSON = {"username": "ann.operator@sandbox.example", "first_name": "Ann", "last_name": "Operator"}
TANDEM = {"username": "tandem@sandbox.example", "first_name": "Tandem", "last_name": "Integration"}


async def build(settings: ChildSettings) -> Running:
    """The org of that data folder, rebuilt from its journal, or a new one with two users: a person, and Tandem's own.

    `settings.credentials` has for `user` and `tandem`: client_id, client_secret, and as it likes username, password.
    """
    journal = Journal(Path(settings.data) / "salesforce.journal", fsync=settings.fsync)
    clock, faults, meters = Clock(), CdcFaults(), Meters()
    org = Org(journal, clock, faults, meters, Path(settings.data) / "bulk")
    restore(journal, clock, org.apply)
    org.expire_bin()
    person = {**PERSON, **settings.credentials.get("user", {})}
    tandem = {**TANDEM, **settings.credentials.get("tandem", {})}
    user_ids = {each["username"]: _user(org, each) for each in (person, tandem)}
    server = Server(org, settings.latency_ms)
    system = System(
        name="salesforce", journal=journal, clock=clock, faults=faults, meters=meters, verbs=Verbs(org, person["username"]).table(),
        objects=lambda: sorted(org.schema.objects), dump=org.dump, extra_meters=lambda: _allowances(org),
    )  # fmt: skip

    def served(_: str) -> None:
        server.resume()

    facts = {"api_version": API_VERSION, "user_id": user_ids[tandem["username"]]}
    console = OrgConsole(org, person["username"])
    if "grpc_port" not in settings.options:
        return Running(system=system, app=server.application(), facts=facts, console=console, served=served)
    from infra.sandbox.salesforce.pubsub.server import GrpcServer  # noqa: PLC0415 - its libraries take a while to load

    grpc_server = GrpcServer(org)
    grpc_server.bind(settings.host, int(settings.options["grpc_port"]), settings.certificate, settings.key)
    await grpc_server.start()
    facts |= {"pubsub": f"localhost:{grpc_server.port}", "tenant_id": ORG_ID}
    return Running(system=system, app=server.application(), facts=facts, console=console, served=served, stop=grpc_server.stop)


def _user(org: Org, wanted: Mapping[str, str]) -> str:
    """The id of the user, made at the first start, with app and password as the settings say."""
    username = wanted["username"]
    row = org.user_named(username)
    user_id = str(row["Id"]) if row is not None else add_user(org, username, wanted.get("first_name"), wanted.get("last_name", username))
    if "client_id" in wanted:
        known = org.apps.apps.get(wanted["client_id"])
        if known is None or known.client_secret != wanted["client_secret"]:
            org.set_up("add_app", {"client_id": wanted["client_id"], "client_secret": wanted["client_secret"], "runs_as": username})
    password = wanted.get("password")
    if password is not None and org.apps.passwords.get(username) != password:
        org.set_up("set_password", {"username": username, "password": password})
    return user_id


def _allowances(org: Org) -> dict[str, object]:
    now_ms = org.clock.now_ms()
    return {
        "api_calls_today": org.api_calls.most - org.api_calls.remaining(now_ms),
        "delivered_events_today": org.delivered.most - org.delivered.remaining(now_ms),
        "events_kept": len(org.log),
        "cometd_clients": org.streaming_clients(),
        "pubsub_subscriptions": org.subscriptions(),
    }

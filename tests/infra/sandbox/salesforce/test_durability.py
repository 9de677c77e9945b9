"""The journal is the state: a killed org comes back as it was, and history, data and change events tell the same story."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.sandbox.kernel.clock import Clock
from infra.sandbox.kernel.journal import Journal
from infra.sandbox.kernel.meters import Meters
from infra.sandbox.kernel.process import TOKEN_VARIABLE, ChildSettings
from infra.sandbox.kernel.system import restore
from infra.sandbox.salesforce.control.verbs import add_user
from infra.sandbox.salesforce.org.faults import CdcFaults
from infra.sandbox.salesforce.org.org import Org
from infra.sandbox.salesforce.wire.errors import RecordError
from tests.infra.sandbox.salesforce.conftest import API, CONTROL_TOKEN, CREDENTIALS

TITLES = st.sampled_from([None, "a", "b"])
STEPS = st.lists(
    st.tuples(st.sampled_from(["create", "update", "update", "delete", "undelete", "fail"]), st.integers(0, 3), TITLES, st.booleans()),
    max_size=25,
)


def opened(path: Path) -> Org:
    journal, clock = Journal(path / "journal"), Clock()
    org = Org(journal, clock, CdcFaults(), Meters())
    restore(journal, clock, org.apply)
    return org


def carry_out(org: Org, steps: list[Any], made: list[str]) -> None:
    caller = org.caller(next(iter(org.store.live("User"))))
    for op, number, title, flag in steps:
        transaction = org.transaction(caller)
        record_id = made[number] if number < len(made) else None
        with contextlib.suppress(RecordError):
            if op == "create":
                made.append(transaction.create("Lead", {"LastName": "L", "Company": "C", "Title": title, "DoNotCall": flag}))
            elif record_id is None:
                continue
            elif op == "update":
                transaction.update(record_id, {"Title": title, "DoNotCall": flag, "FirstName": title})
            elif op == "fail":
                transaction.update(record_id, {"Title": "never stored"})
                transaction.rollback()
            else:
                getattr(transaction, op)(record_id)
        transaction.commit()


def folded(org: Org) -> dict[str, dict[str, Any]]:
    """The live leads as a subscriber with all events knows them: the few fields of this test."""
    leads: dict[str, dict[str, Any]] = {}
    gone: dict[str, dict[str, Any]] = {}
    for event in org.log.after(0):
        payload = orjson.loads(event.body)
        header = payload["ChangeEventHeader"]
        plain = {**payload, **payload.get("Name", {})} if header["entityName"] == "Lead" else {}
        fields = {name: plain[name] for name in ("Title", "DoNotCall", "FirstName", "LastName", "LastModifiedDate") if name in plain}
        for record_id in header["recordIds"]:
            match header["changeType"]:
                case "DELETE":
                    gone[record_id] = leads.pop(record_id)
                case "UNDELETE":
                    leads[record_id] = {**gone.pop(record_id), **fields}
                case _:
                    leads.setdefault(record_id, {}).update(fields)
    return {record_id: {name: value for name, value in lead.items() if value not in (None, False)} for record_id, lead in leads.items()}


def stored(org: Org) -> dict[str, dict[str, Any]]:
    names = ("Title", "DoNotCall", "FirstName", "LastName")
    return {
        str(row["Id"]): {name: row[name] for name in names if name in row} | {"LastModifiedDate": str(row["LastModifiedDate"])[:23] + "Z"}
        for row in org.store.live("Lead")
    }


@settings(max_examples=60)
@given(STEPS)
def test_replay_history_and_events_all_give_the_stored_state(tmp_path_factory: Any, steps: list[Any]) -> None:
    path = tmp_path_factory.mktemp("journal")
    org = opened(path)
    add_user(org, "ann@sandbox.example", "Ann", "Lee")
    carry_out(org, steps, [])
    again = opened(path)
    assert {name: table.rows for name, table in again.store.tables.items()} == {
        name: table.rows for name, table in org.store.tables.items()
    }
    assert [(event.replay_id, event.body) for event in again.log.after(0)] == [(event.replay_id, event.body) for event in org.log.after(0)]
    assert again.store.tables["Lead"].new_id() == org.store.tables["Lead"].new_id()
    assert folded(org) == stored(org)
    from_history: dict[str, dict[str, Any]] = {}
    for _, entry in org.journal.history():
        if entry.after is None:
            from_history.pop(entry.id, None)
        else:
            from_history[entry.id] = {**(from_history.get(entry.id, {}) if entry.op == "update" else {}), **entry.after}
    live = {str(row["Id"]): row for name in ("Lead", "User") for row in org.store.live(name)}
    assert {each: {name: value for name, value in row.items() if value not in (None, False)} for each, row in from_history.items()} == live
    for each in (org, again):
        each.journal.close()


class Child:
    """The org as a process of its own, as the supervisor starts it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.url = ""
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        config = self.data / "settings.json"
        config.write_bytes(msgspec.json.encode(ChildSettings(data=str(self.data), credentials=CREDENTIALS)))
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "infra.sandbox.salesforce", "--config", str(config),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, env={**os.environ, TOKEN_VARIABLE: CONTROL_TOKEN},
        )  # fmt: skip
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), 30)
        self.url = f"http://localhost:{orjson.loads(line)['ready']['port']}"

    async def end(self, how: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return await asyncio.wait_for(self.process.wait(), 15)


@pytest.mark.integration
async def test_killed_in_the_middle_it_has_everything_that_it_answered(tmp_path: Path) -> None:
    child = Child(tmp_path)
    await child.start()
    answered: dict[str, str] = {}
    async with aiohttp.ClientSession() as session:
        app = CREDENTIALS["tandem"]
        form = {"grant_type": "client_credentials", "client_id": app["client_id"], "client_secret": app["client_secret"]}
        async with session.post(f"{child.url}/services/oauth2/token", data=form) as response:
            headers = {"Authorization": f"Bearer {(await response.json())['access_token']}"}

        async def write() -> None:
            for number in range(10_000):
                body = {"LastName": f"n{number}", "Company": "Acme"}
                async with session.post(f"{child.url}{API}/sobjects/Lead", json=body, headers=headers) as response:
                    answered[(await response.json())["id"]] = f"n{number}"

        writers = [asyncio.create_task(write()) for _ in range(4)]
        while len(answered) < 40:
            await asyncio.sleep(0)
        await child.end(signal.SIGKILL)
        problems = await asyncio.gather(*writers, return_exceptions=True)
        assert all(isinstance(problem, aiohttp.ClientError) for problem in problems)
        await child.start()
        async with session.get(f"{child.url}{API}/query", params={"q": "SELECT Id, LastName FROM Lead"}, headers=headers) as response:
            found = {record["Id"]: record["LastName"] for record in (await response.json())["records"]}
        control = {"Authorization": f"Bearer {CONTROL_TOKEN}"}
        async with session.get(f"{child.url}/__sandbox__/history?object=Lead", headers=control) as response:
            told = {
                line["id"]: line["after"]["LastName"]
                for line in (orjson.loads(raw.partition(b" ")[2]) for raw in (await response.read()).splitlines())
            }
    assert answered.items() <= found.items()
    assert told == found
    assert await child.end(signal.SIGTERM) == 0

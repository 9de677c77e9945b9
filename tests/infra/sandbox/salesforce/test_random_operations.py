"""Random operations against a small model: no write is lost, the history and the journal replay into the stored state, the change events
folded give the stored state, and every call is metered."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.infra.sandbox.salesforce.bayeux_client import Stream
from tests.infra.sandbox.salesforce.conftest import Client, Start

FIELDS = ("LastName", "Company", "Title", "City", "Email", "Description", "DoNotCall", "AnnualRevenue")


class Model:
    """What the records should hold, by id; deleted ones apart."""

    def __init__(self) -> None:
        self.live: dict[str, dict[str, Any]] = {}
        self.binned: dict[str, dict[str, Any]] = {}
        self.calls = 0

    def create(self, record_id: str, values: dict[str, Any]) -> None:
        self.live[record_id] = {name: value for name, value in values.items() if value is not None}

    def update(self, record_id: str, values: dict[str, Any]) -> None:
        for name, value in values.items():
            if value is None:
                self.live[record_id].pop(name, None)
            else:
                self.live[record_id][name] = value

    def delete(self, record_id: str) -> None:
        self.binned[record_id] = self.live.pop(record_id)


class Walk:
    """Random calls, each told to the model when the org accepts it."""

    def __init__(self, org: Client, dice: random.Random) -> None:
        self.org, self.dice, self.model = org, dice, Model()

    def values(self) -> dict[str, Any]:
        chosen = self.dice.sample(FIELDS, self.dice.randint(1, 5))
        return {name: self._value(name) for name in chosen}

    def _value(self, name: str) -> Any:
        if name == "DoNotCall":
            return self.dice.random() < 0.5
        if name == "AnnualRevenue":
            return float(self.dice.randint(0, 9)) if self.dice.random() < 0.8 else None
        if name == "Email":
            return self.dice.choice([None, "a@x.example", "b@y.example", "not an address"])
        if name in ("LastName", "Company"):
            return self.dice.choice(["Ito", "Özil", "O'Hara", None])
        return self.dice.choice([None, "x", "y" * 60, "line\nline"])

    def someone(self) -> str | None:
        return self.dice.choice(list(self.model.live)) if self.model.live else None

    async def step(self) -> None:
        often = [self.create, self.update] * 2
        await self.dice.choice([*often, self.collection, self.delete, self.undelete, self.merge])()

    async def create(self) -> None:
        values = {"LastName": "Ito", "Company": "Acme", **self.values()}
        answer = await self.call("POST", "/sobjects/Lead", values)
        if answer.status == 201:
            self.model.create(answer.body["id"], values)

    async def update(self) -> None:
        record_id, values = self.someone(), self.values()
        if record_id is not None:
            answer = await self.call("PATCH", f"/sobjects/Lead/{record_id}", values)
            if answer.status == 204:
                self.model.update(record_id, values)

    async def collection(self) -> None:
        ids = self.dice.sample(list(self.model.live), min(4, len(self.model.live)))
        edits = [(record_id, self.values()) for record_id in ids]
        records = [{"attributes": {"type": "Lead"}, "id": record_id, **values} for record_id, values in edits]
        all_or_none = self.dice.random() < 0.5
        answer = await self.call("PATCH", "/composite/sobjects", {"allOrNone": all_or_none, "records": records})
        for (record_id, values), item in zip(edits, answer.body, strict=True):
            if item["success"]:
                self.model.update(record_id, values)

    async def delete(self) -> None:
        record_id = self.someone()
        if record_id is not None and (await self.call("DELETE", f"/sobjects/Lead/{record_id}")).status == 204:
            self.model.delete(record_id)

    async def undelete(self) -> None:
        if self.model.binned:
            record_id = self.dice.choice(list(self.model.binned))
            await self.org.verb("undelete", {"id": record_id})
            self.model.live[record_id] = self.model.binned.pop(record_id)

    async def merge(self) -> None:
        if len(self.model.live) >= 3:
            master, one, two = self.dice.sample(list(self.model.live), 3)
            await self.org.verb("merge", {"object": "Lead", "master": master, "victims": [one, two], "fields": {"Title": "merged"}})
            self.model.update(master, {"Title": "merged"})
            for victim in (one, two):
                self.model.delete(victim)
                del self.model.binned[victim]

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        self.model.calls += 1
        return await self.org.call(method, path, body)


async def stored(org: Client) -> dict[str, dict[str, Any]]:
    raw = (await org.control("GET", "dump/Lead")).body
    return {row["Id"]: row for row in (orjson.loads(line) for line in raw.splitlines())}


def shown(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in FIELDS if row.get(name) not in (None, False)}


def folded_history(lines: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for line in lines:
        if line["op"] == "delete":
            rows.pop(line["id"])
        elif line["op"] == "update":
            rows[line["id"]].update(line["after"])
        else:
            rows[line["id"]] = dict(line["after"])
    return rows


async def folded_events(org: Client) -> dict[str, dict[str, Any]]:
    """All events of the org, replayed from the first one by a CometD client, applied in order."""
    stream = Stream(org)
    await stream.open()
    await stream.subscribe("/data/LeadChangeEvent", -2)
    events = [each for _ in range(3) for each in await stream.waiting_events()]
    await stream.close()
    rows: dict[str, dict[str, Any]] = {}
    for event in events:
        payload = event["data"]["payload"]
        header = payload.pop("ChangeEventHeader")
        flat: dict[str, Any] = {}
        for name, value in payload.items():
            flat |= value if isinstance(value, dict) else {name: value}
        for record_id in header["recordIds"]:
            match header["changeType"]:
                case "DELETE":
                    rows.pop(record_id)
                case "UPDATE":
                    rows[record_id].update(flat)
                case _:
                    rows[record_id] = dict(flat)
    return rows


@pytest.mark.parametrize("seed", range(6))
async def test_nothing_is_lost(start: Start, tmp_path: Path, seed: int) -> None:
    org = await start(tmp_path / "org")
    await org.log_in()
    walk = Walk(org, random.Random(seed))
    for _ in range(60):
        await walk.step()
    rows = await stored(org)
    wanted = {record_id: shown(values) for record_id, values in walk.model.live.items()}
    assert {record_id: shown(row) for record_id, row in rows.items()} == wanted
    lines = [orjson.loads(line.partition(" ")[2]) for line in (await org.control("GET", "history?object=Lead")).body.splitlines()]
    assert {key: shown(row) for key, row in folded_history(lines).items()} == wanted
    assert {key: shown(row) for key, row in (await folded_events(org)).items()} == wanted
    metered = (await org.control("GET", "meters")).body["rows"]
    assert sum(row["calls"] for row in metered if "sobjects" in row["endpoint"]) == walk.model.calls
    again = await start(tmp_path / "org")
    assert await stored(again) == rows

"""Random calls under random faults: what was answered is stored, what is stored is in the history, and every call is in the meters."""

import random
from typing import Any

import aiohttp
import pytest

FAULTS: list[Any] = [
    None,
    None,
    "lose_request",
    "lose_answer",
    "half_answer",
    "html_502",
    {"type": "html_502", "applied": True},
    {"type": "request_timed_out", "applied": True},
    "temporarily_unavailable",
    {"type": "record_errors", "every": 2},
]


@pytest.mark.parametrize("seed", range(4))
async def test_nothing_is_lost_and_nothing_goes_unmetered(server: Any, seed: int) -> None:
    dice = random.Random(seed)
    await server.verb("limits", {"calls_per_20s": 10_000})
    server.tokens["u"] = (await server.token())["access_token"]
    answered: dict[str, dict[str, Any]] = {"leads": {}, "companies": {}}
    maybe: dict[str, dict[str, set[Any]]] = {"leads": {}, "companies": {}}
    sent = reached = 0
    for number in range(60):
        path, key, value = dice.choice([("leads", "email", "city"), ("companies", "externalCompanyId", "site")])
        records = [{key: f"k{dice.randrange(8)}@x.example", value: f"v{number}-{place}"} for place in range(2)]
        records = records[: 1 + (records[0][key] != records[1][key])]
        fault = dice.choice(FAULTS)
        if fault is not None:
            server.fault(fault, path="/rest/*", method="POST")
        sent += 1
        try:
            answer = await server.raw("POST", f"/rest/v1/{path}.json", json={"input": records})
            results = (await answer.json(content_type=None)).get("result") if answer.content_type == "application/json" else None
        except (aiohttp.ClientError, ValueError):
            results = None
        name = fault if isinstance(fault, str) else (fault or {}).get("type")
        applied = name not in {"lose_request", "html_502", "temporarily_unavailable"} or (isinstance(fault, dict) and fault.get("applied"))
        reached += name not in {"lose_request", "html_502"} or bool(applied)
        for record, result in zip(records, results or [None] * len(records), strict=True):
            if result is not None and result["status"] != "skipped":
                answered[path][record[key]] = record[value]
                maybe[path].pop(record[key], None)
            elif result is None and applied:
                maybe[path].setdefault(record[key], set()).add(record[value])
    for path, name, key, value in (("leads", "Lead", "email", "city"), ("companies", "Company", "externalCompanyId", "site")):
        stored = {row[key]: row[value] for row in server.running.system.dump(name)}
        for who, wanted in answered[path].items():
            assert stored[who] == wanted or stored[who] in maybe[path].get(who, set())
        assert set(stored) <= {*answered[path], *maybe[path]}
        history: dict[str, dict[str, Any]] = {}
        for _, entry in server.running.system.journal.history():
            if entry.object == name:
                history.setdefault(entry.id, {}).update(entry.after or {})
        assert {row[key]: row[value] for row in history.values()} == stored
    rows = server.running.system.meters.report()["rows"]
    assert sum(row["calls"] for row in rows if row["endpoint"].startswith("POST /rest/")) == reached
    usage = (await server.call("GET", "stats/usage.json"))["result"][0]
    assert usage["total"] == sent + 1

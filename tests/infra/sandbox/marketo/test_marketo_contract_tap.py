"""tap-marketo, a Singer tap in an environment of its own: it discovers the instance, then extracts all of it, in bulk and page by page."""

import asyncio
import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.setup import found, taps

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not taps.complete("tap-marketo"), reason="tap-marketo is not here, and set-up could not install it"),
]
SECONDS = 120.0
LAUNCH = """
import os, tap_marketo
from tap_marketo.client import Client
Client.get_url = lambda self, path: f"{os.environ['SANDBOX_URL']}/{path}"
tap_marketo.main()
"""
"""It takes every address for one under mktorest.com; all else is its own."""


class Tap:
    def __init__(self, endpoint: dict[str, str], folder: Path) -> None:
        self.url, self.folder = endpoint["url"], folder
        config = {
            "endpoint": "https://123-ABC-456.mktorest.com/rest",
            "client_id": endpoint["client_id"],
            "client_secret": endpoint["client_secret"],
            "start_date": (datetime.now(UTC) - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),  # a window of a job for each stream
            "poll_interval": 0.6,  # it asks for windows until the second in which it began is over, and allows itself 100 calls in 20 s
        }
        self._write("config", config)

    async def run(self, *options: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *(str(found.tap("tap-marketo")), "-c", LAUNCH, "--config", str(self.folder / "config.json"), *options),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={"SANDBOX_URL": self.url},
        )
        try:
            output, log = await asyncio.wait_for(process.communicate(), SECONDS)
        except TimeoutError:
            process.kill()
            raise
        assert process.returncode == 0, log.decode()[-3000:]
        return output.decode()

    async def extract(self, catalog: dict[str, Any], state: dict[str, Any] | None = None) -> tuple[dict[str, list[Any]], dict[str, Any]]:
        """Records by stream, and the last state."""
        options = ["--properties", self._write("catalog", catalog)]
        options += ["--state", self._write("state", state)] if state is not None else []
        records: dict[str, list[Any]] = defaultdict(list)
        last: dict[str, Any] = {}
        for line in (await self.run(*options)).splitlines():
            message = json.loads(line)
            if message["type"] == "RECORD":
                records[message["stream"]].append(message["record"])
            elif message["type"] == "STATE":
                last = message["value"]
        return records, last

    def _write(self, name: str, what: object) -> str:
        path = self.folder / f"{name}.json"
        path.write_text(json.dumps(what), encoding="utf-8")
        return str(path)


async def furnish(sandbox: Any) -> None:
    """People with changes, a score's twin, a membership, a merge and a deletion; a list, a program, a campaign."""

    async def do(verb: str, **body: Any) -> Any:
        return await sandbox.post(f"/marketo/{verb}", body)

    await do("options", bulk={"status_seconds": 0, "queued_seconds": 0, "running_seconds": 0}, bulk_deletions="left_out")
    await do("limits", calls_per_20s=100_000)
    await do("field/create", name="seats", displayName="Seats", dataType="integer")
    ids = [(await do("person/create", fields={"email": f"{n}@x.example", "firstName": n, "seats": 3}))["id"] for n in "abcd"]
    await do("person/edit", id=ids[0], fields={"city": "Zürich", "leadScore": 10}, campaign=7)
    await do("person/edit", id=ids[0], fields={"city": None})
    program = (await do("program/create", name="P"))["id"]
    await do("program/status", program=program, ids=ids[:2], status="Clicked")
    static = (await do("list/create", name="L"))["id"]
    await do("list/add", list=static, ids=ids[:2])
    await do("campaign/create", name="C", on="request", steps=[], program=program)
    await do("person/merge", winner=ids[0], losers=[ids[2]])
    await do("person/delete", ids=[ids[3]])


ACTIVITIES = ("new_lead", "change_data_value", "change_score", "change_status_in_progression", "merge_leads", "delete_lead")
WANTED = ("leads", "lists", "campaigns", "programs", "activity_types", *(f"activities_{name}" for name in ACTIVITIES))


def selected(catalog: dict[str, Any], *streams: str) -> dict[str, Any]:
    for stream in catalog["streams"]:
        for one in stream["metadata"]:
            one["metadata"]["selected"] = stream["stream"] in streams
    return catalog


async def test_the_tap_finds_all_that_is_there(marketo_only: Any, tmp_path: Path, conformance: Any) -> None:
    await furnish(marketo_only)
    await marketo_only.post("/meters/reset", {})
    tap = Tap(marketo_only.endpoints["marketo"], tmp_path)
    catalog = selected(json.loads(await tap.run("--discover")), *WANTED)
    assert {stream["stream"] for stream in catalog["streams"]} >= set(WANTED)
    found_records, state = await tap.extract(catalog)
    people = {one["id"]: one for one in found_records["leads"]}
    assert {number: (one["email"], one["seats"]) for number, one in people.items()} == {1: ("a@x.example", 3), 2: ("b@x.example", 3)}
    changes = [(one["old_value"], one["new_value"]) for one in found_records["activities_change_data_value"]]
    assert changes == [(None, "Zürich"), (None, "10"), ("Zürich", None)]
    (score,) = found_records["activities_change_score"]
    assert (score["change_value"], score["old_value"], score["new_value"], score["campaignId"]) == ("+10", None, 10, 7)
    statuses = [(one["leadId"], one["new_status"]) for one in found_records["activities_change_status_in_progression"]]
    assert statuses == [(1, "Clicked"), (2, "Clicked")]
    assert [one["merge_ids"] for one in found_records["activities_merge_leads"]] == ["[3]"]
    assert len(found_records["activities_new_lead"]) == 4
    assert found_records["activities_delete_lead"] == []
    assert [one["name"] for one in found_records["lists"]] == ["L"]
    assert [one["name"] for one in found_records["campaigns"]] == ["C"]
    assert [one["name"] for one in found_records["programs"]] == ["P"]
    await marketo_only.post("/marketo/person/edit", {"id": 2, "fields": {"city": "Rome"}})
    again, _ = await tap.extract(selected(catalog, "leads"), state)
    assert ("b@x.example", "Rome") in {(one["email"], one["city"]) for one in again["leads"]}
    conformance.met("tap-marketo 2.9.4", "marketo", (await marketo_only.get("/meters"))["marketo"]["rows"])

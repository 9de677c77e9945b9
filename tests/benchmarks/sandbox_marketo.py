"""The Marketo sandbox at size: `python -m tests.benchmarks.sandbox_size --only marketo --people 1000000`.

People come in through bulk import (files of up to 10 MB); then, at that size: the time of a sync of 300 records, 50 clients at once, the
memory of the process, and how long a restart takes.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.benchmarks.sandbox_ground import Started, spread, started

_FILE_ROWS = 100_000
_SYNCS = 40
_CLIENTS, _TURNS = 50, 20
_UNLIMITED = {"calls_per_20s": 10**9, "concurrency": 1000, "daily": 10**9}
_AT_ONCE = {"bulk": {"queued_seconds": 0, "running_seconds": 0, "status_seconds": 0}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A running sandbox, and a client with a token."""

    url: str
    http: aiohttp.ClientSession
    headers: dict[str, str]

    async def call(self, method: str, path: str, **more: Any) -> Any:
        async with self.http.request(method, f"{self.url}{path}", headers=self.headers, **more) as answer:
            return json.loads(await answer.read())


async def measure(people: int, say: Callable[[str], None]) -> dict[str, Any]:
    """The figures at that many people: seconds, milliseconds and MiB, as their names say."""
    with tempfile.TemporaryDirectory() as folder:
        async with started(Path(folder), "marketo") as sandbox, client_of(sandbox) as target:
            took = await imported(target, people)
            say(f"sandbox: Marketo: {people:,} people in {took:.0f} s")
            found: dict[str, Any] = {"people": people, "load_s": round(took, 1), "load_per_s": round(people / took)}
            found["memory_mib"] = sandbox.memory_mib()
            await synced(target, people, _SYNCS)  # builds the index of e-mail addresses
            worked = sandbox.processor_ms()
            times = [await synced(target, people, number) for number in range(_SYNCS)]
            found |= {"sync_300_server_ms": round((sandbox.processor_ms() - worked) / _SYNCS, 1), "sync_300_ms": spread(times)}
            found |= await crowded(target, people)
        async with started(Path(folder), "marketo") as sandbox:
            found |= {"restart_s": sandbox.start_s, "memory_after_restart_mib": sandbox.memory_mib()}
    return found


@asynccontextmanager
async def client_of(sandbox: Started) -> AsyncIterator[Target]:
    known, control = sandbox.endpoints["marketo"], sandbox.endpoints["sandbox"]["url"]
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        params = {"grant_type": "client_credentials", "client_id": known["client_id"], "client_secret": known["client_secret"]}
        async with http.get(f"{known['url']}/identity/oauth/token", params=params) as answer:
            token = (await answer.json())["access_token"]
        for verb, body in (("options", _AT_ONCE), ("limits", _UNLIMITED)):
            async with http.post(f"{control}/marketo/{verb}", json=body) as answer:
                answer.raise_for_status()
        yield Target(url=known["url"], http=http, headers={"Authorization": f"Bearer {token}"})


async def imported(target: Target, people: int) -> float:
    """Seconds until all files are in."""
    before, batches = time.perf_counter(), []
    for start in range(0, people, _FILE_ROWS):
        rows = [f"p{n}@example.com,First{n % 997},Last{n % 4999},City{n % 89}" for n in range(start, min(people, start + _FILE_ROWS))]
        data = "\n".join(["email,firstName,lastName,city", *rows]).encode()
        while not (answer := await target.call("POST", "/bulk/v1/leads.json?format=csv", data=_form(data)))["success"]:
            await asyncio.sleep(0.5)  # ten jobs wait already
        batches.append(answer["result"][0]["batchId"])
    while batches:
        (status,) = (await target.call("GET", f"/bulk/v1/leads/batch/{batches[-1]}.json"))["result"]
        if status["status"] in {"Complete", "Failed"}:
            if status["numOfRowsFailed"] or status["status"] == "Failed":
                raise RuntimeError(str(status))
            batches.pop()
        else:
            await asyncio.sleep(0.2)
    return time.perf_counter() - before


def _form(data: bytes) -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("file", data, filename="people.csv", content_type="text/csv")
    return form


async def synced(target: Target, people: int, number: int) -> float:
    """Milliseconds of one sync of 300 people that are there, with a new value each."""
    step = max(1, people // 300)
    records = [{"email": f"p{(place * step + number) % people}@example.com", "title": f"T{number}"} for place in range(min(300, people))]
    before = time.perf_counter()
    answer = await target.call("POST", "/rest/v1/leads.json", json={"input": records})
    took = (time.perf_counter() - before) * 1000
    if {one["status"] for one in answer["result"]} != {"updated"}:
        raise RuntimeError(str(answer)[:300])
    return took


async def crowded(target: Target, people: int) -> dict[str, Any]:
    """50 clients at once that read and write one person each, 20 times."""

    async def client(number: int) -> list[float]:
        times = []
        for turn in range(_TURNS):
            lead_id = (number * 7919 + turn) % people + 1
            body = {"action": "updateOnly", "lookupField": "id", "input": [{"id": lead_id, "city": f"c{turn}"}]}
            for method, path, more in (("GET", f"/rest/v1/lead/{lead_id}.json", {}), ("POST", "/rest/v1/leads.json", {"json": body})):
                began = time.perf_counter()
                answer = await target.call(method, path, **more)
                times.append((time.perf_counter() - began) * 1000)
                if not answer["success"]:
                    raise RuntimeError(str(answer))
        return times

    before = time.perf_counter()
    times = [each for one in await asyncio.gather(*(client(number) for number in range(_CLIENTS))) for each in one]
    return {"clients_50_calls_per_s": round(len(times) / (time.perf_counter() - before)), "clients_50_ms": spread(times)}

"""How the sandbox's Salesforce bears a big org: `python -m tests.benchmarks.sandbox_size --only salesforce --people 1000000`.

Loads so many leads through Bulk API 2.0 ingest, then, at that size: collections of 200, 50 clients at once, a bulk query, memory, restart.
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

_API = "/services/data/v66.0"
_JOB_ROWS = 100_000
_COLLECTIONS = 60
_CLIENTS, _CALLS = 50, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A running sandbox, and a client that has logged in."""

    url: str
    http: aiohttp.ClientSession

    async def call(self, method: str, path: str, **options: Any) -> Any:
        async with self.http.request(method, f"{self.url}{_API}{path}", **options) as answer:
            body = await answer.read()
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path}: {answer.status} {body[:300]!r}")
            return json.loads(body) if body and "json" in answer.content_type else body


async def measure(people: int, say: Callable[[str], None]) -> dict[str, Any]:
    """The figures at that many people: seconds, milliseconds and MiB, as their names say."""
    with tempfile.TemporaryDirectory() as folder:
        async with started(Path(folder), "salesforce") as sandbox, client_of(sandbox) as target:
            began = time.perf_counter()
            for first in range(0, people, _JOB_ROWS):
                await loaded(target, first, min(_JOB_ROWS, people - first))
            took = time.perf_counter() - began
            say(f"sandbox: Salesforce: {people:,} leads in {took:.0f} s")
            found: dict[str, Any] = {"people": people, "load_s": round(took, 1), "load_per_s": round(people / took)}
            found["memory_mib"] = sandbox.memory_mib()
            worked = sandbox.processor_ms()
            times = await collections(target)
            server_ms = round((sandbox.processor_ms() - worked) / _COLLECTIONS, 1)
            found |= {"collection_200_server_ms": server_ms, "collection_200_ms": spread(times)}
            found |= await crowded(target)
            found["bulk_query_all_s"] = await exported(target)
        async with started(Path(folder), "salesforce") as sandbox:
            found |= {"restart_s": sandbox.start_s, "memory_after_restart_mib": sandbox.memory_mib()}
    return found


@asynccontextmanager
async def client_of(sandbox: Started) -> AsyncIterator[Target]:
    own = sandbox.endpoints["salesforce"]
    form = {"grant_type": "client_credentials", "client_id": own["client_id"], "client_secret": own["client_secret"]}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        async with http.post(f"{own['url']}/services/oauth2/token", data=form) as answer:
            http.headers["Authorization"] = f"Bearer {(await answer.json())['access_token']}"
        yield Target(url=own["url"], http=http)


async def loaded(target: Target, first: int, count: int) -> None:
    """One ingest job."""
    header = "LastName,FirstName,Company,Email,Title,Phone,City,Country\n"
    rows = (
        f"Last{n},First{n % 977},Company {n // 20},p{n}@c{n // 20}.example,Engineer,+1 555 {n},Oslo,Norway\n"
        for n in range(first, first + count)
    )
    job = await target.call("POST", "/jobs/ingest", json={"object": "Lead", "operation": "insert"})
    path = f"/jobs/ingest/{job['id']}"
    await target.call("PUT", f"{path}/batches", data=(header + "".join(rows)).encode(), headers={"Content-Type": "text/csv"})
    await target.call("PATCH", path, json={"state": "UploadComplete"})
    while (job := await target.call("GET", path))["state"] not in {"JobComplete", "Failed"}:
        await asyncio.sleep(0.2)
    if job["state"] == "Failed" or job["numberRecordsFailed"]:
        raise RuntimeError(f"the job failed: {job}")
    await target.call("DELETE", path)


async def collections(target: Target) -> list[float]:
    """Milliseconds of each update of 200 records."""
    found = await target.call("GET", "/query", params={"q": "SELECT Id FROM Lead LIMIT 2000"})
    ids, times = [record["Id"] for record in found["records"]], []
    for turn in range(_COLLECTIONS):
        start = turn * 31 % max(1, len(ids) - 200)
        records = [{"attributes": {"type": "Lead"}, "id": each, "Title": f"t{turn}"} for each in ids[start : start + 200]]
        began = time.perf_counter()
        results = await target.call("PATCH", "/composite/sobjects", json={"records": records})
        times.append((time.perf_counter() - began) * 1000)
        if not all(each["success"] for each in results):
            raise RuntimeError(str(results)[:300])
    return times


async def crowded(target: Target) -> dict[str, Any]:
    """50 clients at once, each looking up people by e-mail, 20 times."""

    async def client(number: int) -> list[float]:
        times = []
        for place in range(number * _CALLS, (number + 1) * _CALLS):
            began = time.perf_counter()
            soql = f"SELECT Id, Name FROM Lead WHERE Email = 'p{place}@c{place // 20}.example'"  # noqa: S608 - SOQL
            answer = await target.call("GET", "/query", params={"q": soql})
            times.append((time.perf_counter() - began) * 1000)
            if answer["totalSize"] != 1:
                raise RuntimeError(str(answer))
        return times

    before = time.perf_counter()
    times = [each for one in await asyncio.gather(*(client(number) for number in range(_CLIENTS))) for each in one]
    return {"clients_50_calls_per_s": round(len(times) / (time.perf_counter() - before)), "clients_50_ms": spread(times)}


async def exported(target: Target) -> float:
    """Seconds that a bulk query of all takes, without the download."""
    began = time.perf_counter()
    job = await target.call("POST", "/jobs/query", json={"operation": "query", "query": "SELECT Id, Email FROM Lead"})
    while (state := (await target.call("GET", f"/jobs/query/{job['id']}"))["state"]) != "JobComplete":
        if state in {"Failed", "Aborted"}:
            raise RuntimeError(state)
        await asyncio.sleep(0.1)
    return round(time.perf_counter() - began, 1)

"""How the sandbox's Salesforce bears a big org: `python -m tests.benchmarks.sandbox_salesforce [--people N]`.

Loads N leads through Bulk API 2.0 ingest, then, at that size: collections of 200, 50 clients at once, a bulk query, memory, restart.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

API = "/services/data/v66.0"
ROWS_A_JOB = 100_000
COLLECTIONS = 60
CLIENTS, CALLS = 50, 20


class Bench:
    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self._url, self._http = url, http

    async def call(self, method: str, path: str, **options: Any) -> Any:
        async with self._http.request(method, f"{self._url}{API}{path}", **options) as answer:
            body = await answer.read()
            if answer.status >= 400:
                sys.exit(f"{method} {path}: {answer.status} {body[:300]!r}")
            return json.loads(body) if body and "json" in answer.content_type else body

    async def load(self, first: int, count: int) -> None:
        """One ingest job."""
        header = "LastName,FirstName,Company,Email,Title,Phone,City,Country\n"
        rows = (
            f"Last{n},First{n % 977},Company {n // 20},p{n}@c{n // 20}.example,Engineer,+1 555 {n},Oslo,Norway\n"
            for n in range(first, first + count)
        )
        job = await self.call("POST", "/jobs/ingest", json={"object": "Lead", "operation": "insert"})
        path = f"/jobs/ingest/{job['id']}"
        await self.call("PUT", f"{path}/batches", data=(header + "".join(rows)).encode(), headers={"Content-Type": "text/csv"})
        await self.call("PATCH", path, json={"state": "UploadComplete"})
        while (job := await self.call("GET", path))["state"] not in ("JobComplete", "Failed"):
            await asyncio.sleep(0.2)
        if job["state"] == "Failed" or job["numberRecordsFailed"]:
            sys.exit(f"the job failed: {job}")
        await self.call("DELETE", path)

    async def collections(self) -> list[float]:
        """Milliseconds of each update of 200 records."""
        found = await self.call("GET", "/query", params={"q": "SELECT Id FROM Lead LIMIT 2000"})
        ids, times = [record["Id"] for record in found["records"]], []
        for turn in range(COLLECTIONS):
            start = turn * 31 % max(1, len(ids) - 200)
            records = [{"attributes": {"type": "Lead"}, "id": each, "Title": f"t{turn}"} for each in ids[start : start + 200]]
            began = time.perf_counter()
            await self.call("PATCH", "/composite/sobjects", json={"records": records})
            times.append((time.perf_counter() - began) * 1000)
        return times

    async def crowd(self) -> list[float]:
        """Milliseconds of each look-up by e-mail, of 50 clients at once."""

        async def client(number: int) -> list[float]:
            times = []
            for turn in range(CALLS):
                began = time.perf_counter()
                email = f"p{number * CALLS + turn}@c{(number * CALLS + turn) // 20}.example"
                await self.call("GET", "/query", params={"q": f"SELECT Id, Name FROM Lead WHERE Email = '{email}'"})  # noqa: S608 - SOQL
                times.append((time.perf_counter() - began) * 1000)
            return times

        return [each for times in await asyncio.gather(*(client(number) for number in range(CLIENTS))) for each in times]

    async def export(self) -> float:
        """Seconds that a bulk query of all takes, without the download."""
        began = time.perf_counter()
        job = await self.call("POST", "/jobs/query", json={"operation": "query", "query": "SELECT Id, Email FROM Lead"})
        while (await self.call("GET", f"/jobs/query/{job['id']}"))["state"] != "JobComplete":
            await asyncio.sleep(0.1)
        return time.perf_counter() - began


@contextlib.asynccontextmanager
async def sandbox(data: Path) -> AsyncIterator[tuple[dict[str, Any], int, float]]:
    """(endpoints, pid of the Salesforce process, seconds until it served)"""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra.sandbox", "--data", str(data), "--only", "salesforce"), stdout=asyncio.subprocess.PIPE
    )
    if process.stdout is None:
        sys.exit("no pipe")
    line = await process.stdout.readline()
    took = time.perf_counter() - began
    endpoints = json.loads(Path(line.decode().strip()).read_text())
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    try:
        yield endpoints, int(children[0]), took
    finally:
        process.terminate()
        await process.wait()


def memory_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def spread(name: str, times: list[float]) -> None:
    ordered = sorted(times)
    print(f"{name:<34} median {statistics.median(ordered):8.1f} ms   99% {ordered[int(len(ordered) * 0.99) - 1]:8.1f} ms")


async def measure(people: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with sandbox(Path(folder)) as (endpoints, pid, _), aiohttp.ClientSession() as http:
            own = endpoints["salesforce"]
            form = {"grant_type": "client_credentials", "client_id": own["client_id"], "client_secret": own["client_secret"]}
            async with http.post(f"{own['url']}/services/oauth2/token", data=form) as answer:
                http.headers["Authorization"] = f"Bearer {(await answer.json())['access_token']}"
            bench = Bench(own["url"], http)
            began = time.perf_counter()
            for first in range(0, people, ROWS_A_JOB):
                await bench.load(first, min(ROWS_A_JOB, people - first))
            took = time.perf_counter() - began
            print(f"{people:,} leads by Bulk API 2.0 ingest   {took:8.1f} s   {people / took:,.0f} a second")
            print(f"memory of the Salesforce process   {memory_mib(pid):8,.0f} MiB")
            spread("update of 200 in one collection", await bench.collections())
            spread(f"look-up by e-mail, {CLIENTS} clients", await bench.crowd())
            print(f"bulk query of all                  {await bench.export():8.1f} s")
        async with sandbox(Path(folder)) as (_, pid, took):
            print(f"restart on that data               {took:8.1f} s   {memory_mib(pid):,.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--people", type=int, default=1_000_000, help="how many leads (default: %(default)s)")
    asyncio.run(measure(parser.parse_args().people))


if __name__ == "__main__":
    main()

"""The Marketo sandbox at size: `python -m tests.benchmarks.sandbox_marketo --people 1000000`.

People come in through bulk import (files of up to 10 MB); then, at that size: the time of a sync of 300 records, 50 clients at once, the
memory of the process, and how long a restart takes.
"""

import argparse
import asyncio
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

_FILE_ROWS = 100_000
_CLIENTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A running sandbox, and a client with a token."""

    url: str
    control: str
    http: aiohttp.ClientSession
    headers: dict[str, str]
    pid: int

    async def call(self, method: str, path: str, **more: Any) -> Any:
        async with self.http.request(method, f"{self.url}{path}", headers=self.headers, **more) as answer:
            return json.loads(await answer.read())


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.sandbox_marketo", description=__doc__)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--syncs", type=int, default=40, help="batches of 300 to time")
    options = parser.parse_args(argv)
    for name, value in asyncio.run(measure(options.people, options.syncs)).items():
        print(f"{name:48} {value}")


async def measure(people: int, syncs: int) -> dict[str, str]:
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        async with started(Path(folder)) as (target, _):
            took = await imported(target, people)
            found["people through bulk import"] = f"{people:,} in {took:.1f} s ({people / took:,.0f}/s)"
            found["memory"] = f"{memory_mib(target.pid):,.0f} MiB"
            worked = processor_ms(target.pid)
            times = [await synced(target, people, number) for number in range(syncs)]
            found["sync of 300 known records, server time"] = f"{(processor_ms(target.pid) - worked) / syncs:.1f} ms"
            found["  as its caller sees it, median / worst"] = f"{statistics.median(times):.1f} / {max(times):.1f} ms"
            calls, seconds = await crowded(target, people)
            found[f"{_CLIENTS} clients at once"] = f"{calls / seconds:,.0f} calls/s"
        before = time.perf_counter()
        async with started(Path(folder)) as (target, _):
            found["restart"] = f"{time.perf_counter() - before:.1f} s"
    return found


@asynccontextmanager
async def started(folder: Path) -> AsyncIterator[tuple[Target, asyncio.subprocess.Process]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "infra.sandbox", "--data", str(folder), "--only", "marketo"), stdout=asyncio.subprocess.PIPE
    )
    if process.stdout is None:
        raise RuntimeError("no pipe")
    endpoints = json.loads(Path((await process.stdout.readline()).decode().strip()).read_bytes())
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            known, control = endpoints["marketo"], endpoints["sandbox"]["url"]
            params = {"grant_type": "client_credentials", "client_id": known["client_id"], "client_secret": known["client_secret"]}
            async with http.get(f"{known['url']}/identity/oauth/token", params=params) as answer:
                token = (await answer.json())["access_token"]
            options = {"bulk": {"queued_seconds": 0, "running_seconds": 0, "status_seconds": 0}}
            for verb, body in (("options", options), ("limits", {"calls_per_20s": 10**9, "concurrency": 1000, "daily": 10**9})):
                async with http.post(f"{control}/marketo/{verb}", json=body) as answer:
                    answer.raise_for_status()
            headers = {"Authorization": f"Bearer {token}"}
            yield Target(url=known["url"], control=control, http=http, headers=headers, pid=child_of(process.pid)), process
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()


async def imported(target: Target, people: int) -> float:
    """Seconds until all files are in."""
    before, batches = time.perf_counter(), []
    for start in range(0, people, _FILE_ROWS):
        rows = [f"p{n}@example.com,First{n % 997},Last{n % 4999},City{n % 89}" for n in range(start, min(people, start + _FILE_ROWS))]
        form = aiohttp.FormData()
        form.add_field("file", "\n".join(["email,firstName,lastName,city", *rows]).encode(), filename="people.csv", content_type="text/csv")
        answer = await target.call("POST", "/bulk/v1/leads.json?format=csv", data=form)
        while not answer["success"]:
            await asyncio.sleep(0.5)
            form = aiohttp.FormData()
            data = "\n".join(["email,firstName,lastName,city", *rows]).encode()
            form.add_field("file", data, filename="people.csv", content_type="text/csv")
            answer = await target.call("POST", "/bulk/v1/leads.json?format=csv", data=form)
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


async def crowded(target: Target, people: int) -> tuple[int, float]:
    """Calls and seconds of 50 clients that read and write one person each, 40 times."""

    async def client(number: int) -> None:
        for turn in range(20):
            lead_id = (number * 7919 + turn) % people + 1
            await target.call("GET", f"/rest/v1/lead/{lead_id}.json")
            body = {"action": "updateOnly", "lookupField": "id", "input": [{"id": lead_id, "city": f"c{turn}"}]}
            await target.call("POST", "/rest/v1/leads.json", json=body)

    before = time.perf_counter()
    await asyncio.gather(*(client(number) for number in range(_CLIENTS)))
    return _CLIENTS * 40, time.perf_counter() - before


def child_of(pid: int) -> int:
    """The system's process under the sandbox's."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()[0])


def processor_ms(pid: int) -> float:
    """What the process has used of the processor so far: beside other work it is the only honest server time."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    main()

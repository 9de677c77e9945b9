"""What a worker costs that has nothing to do: calls of a cycle of the poll, and memory."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import asyncpg

from infra.stack.stack import Stack
from infra.stack.tandem import Worker
from tests.benchmarks.ground import LATENCY_MS, Ground
from tests.benchmarks.settle_speed import asked

CYCLES = 4
_PATIENCE_SECONDS, _SETTLED_SECONDS = 120.0, 5.0
_SINCE = "select source, read, missed from cycles where id > $1"
_LAST = "select coalesce(max(id), 0) from cycles"
_NEWEST = "select distinct on (source) source, read, missed from cycles where id > $1 order by source, id desc"
_SOURCES = frozenset({"salesforce.poll.lead", "salesforce.poll.contact", "marketo.poll"})


async def idle_cycle(ground: Ground) -> dict[str, Any]:
    """Calls of one idle cycle of all polls, counted by the systems' own meters, and a whole worker's memory.

    For the calls a worker runs that has no other role than `reconcile`, in more of a hurry than by default. The worker is stopped
    before and after.
    """
    hurried = ground.home / "hurried.yaml"
    hurried.write_text(ground.configuration.read_text() + "intervals: {poll: 2s, overlap: 10m}\n")
    polls = Stack(ground.home, workers=[Worker(arguments=("--role", "reconcile"))], config=hurried, latency_ms=LATENCY_MS)
    connection = await asyncpg.connect(polls.postgres.dsn())
    await polls.start("tandem")
    try:
        async with ground.systems() as systems:
            await _idle(connection, await connection.fetchval(_LAST))
            await asked(systems, "POST", "meters/reset")
            counted = await _cycles(connection, await connection.fetchval(_LAST), CYCLES)
            meters = await systems.meters()
    finally:
        await polls.stop("tandem")
        await connection.close()
    salesforce = _calls(meters["salesforce"]) / (counted["salesforce.poll.lead"] + counted["salesforce.poll.contact"]) * 2
    marketo = _calls(meters["marketo"]) / counted["marketo.poll"]
    return {
        "calls": round(salesforce + marketo),
        "salesforce_calls": round(salesforce, 1),
        "marketo_calls": round(marketo, 1),
        "rss_mib": await _idle_rss(ground),
    }


async def _idle(connection: Any, last: int) -> None:
    """Waits until there is nothing to read any more: kinds without a mark of their own are read from their beginning first."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            newest = {source: read or missed for source, read, missed in await connection.fetch(_NEWEST, last)}
            if newest.keys() >= _SOURCES and not any(newest.values()):
                return
            await asyncio.sleep(0.1)


async def _cycles(connection: Any, last: int, most: int) -> dict[str, int]:
    """Waits until each poll has made so many cycles; how many each has made. Raises RuntimeError where one has read anything."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            rows = await connection.fetch(_SINCE, last)
            busy = [source for source, read, missed in rows if read or missed]
            if busy:
                raise RuntimeError(f"not idle: {busy}")
            counted = Counter(source for source, _, _ in rows)
            if all(counted[source] >= most for source in _SOURCES):
                return dict(counted)
            await asyncio.sleep(0.1)


def _calls(meters: Any) -> int:
    return sum(row["calls"] for row in meters["rows"] if "token" not in row["endpoint"])


async def _idle_rss(ground: Ground) -> float:
    """Of a worker with every role, some seconds after its start."""
    await ground.start()
    await asyncio.sleep(_SETTLED_SECONDS)
    rss = rss_mib(ground.whole)
    await ground.stop()
    return rss


def rss_mib(stack: Stack) -> float:
    """Resident memory of the worker."""
    return _memory(stack, "VmRSS")


def peak_rss_mib(stack: Stack) -> float:
    """The most it ever was."""
    return _memory(stack, "VmHWM")


def _memory(stack: Stack, name: str) -> float:
    pid = int(json.loads(stack.tandem.process.pidfile.read_text())["pid"])
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith(name))
    return round(int(line.split()[1]) / 1024, 1)

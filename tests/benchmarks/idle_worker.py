"""What a worker costs that has nothing to do: calls of a cycle of the poll, and memory."""

import asyncio
import json
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg

from infra.stack.stack import Stack
from infra.stack.tandem import Worker
from tests.benchmarks.ground import LATENCY_MS, Ground

CYCLES = 3
_PATIENCE_SECONDS = 120.0
_SINCE = "select source, calls, read, missed from cycles where id > $1 order by id"


async def idle_cycle(ground: Ground) -> dict[str, Any]:
    """Calls of one idle cycle of each poll, as the worker has noted them, and its memory. It is stopped before and after."""
    hurried = ground.home / "hurried.yaml"
    hurried.write_text(ground.configuration.read_text() + "intervals: {poll: 4s, overlap: 10m}\n")
    stack = Stack(ground.home, workers=[Worker()], config=hurried, latency_ms=LATENCY_MS)
    connection = await asyncpg.connect(stack.postgres.dsn())
    last = await connection.fetchval("select coalesce(max(id), 0) from cycles")
    await stack.start("tandem")
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                calls: dict[str, list[int]] = {}
                rows = await connection.fetch(_SINCE, last)
                for source, count, read, missed in rows:
                    if read or missed:
                        raise RuntimeError(f"not idle: {source} read {read} rows, {missed} of them news")
                    calls.setdefault(source, []).append(count)
                if len(calls) == 3 and min(map(len, calls.values())) > CYCLES:
                    break
                await asyncio.sleep(0.5)
        return {
            "calls": sum(median(counts[1:]) for counts in calls.values()),
            "by_source": {source: median(counts[1:]) for source, counts in calls.items()},
            "rss_mib": rss_mib(stack),
        }
    finally:
        await stack.stop("tandem")
        await connection.close()


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

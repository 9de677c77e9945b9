"""Draining: what was prepared on one system is waited for on the other, and counted by the sandbox's meters and its history."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import asyncpg

from infra.demo.checker.history import Line
from infra.demo.scenario.systems import Systems
from tests.benchmarks.ground import Ground
from tests.benchmarks.idle_worker import peak_rss_mib
from tests.benchmarks.settle_speed import CALLS, RECORDS, WINDOW_SECONDS, asked, marker

SAMPLE_SECONDS, PATIENCE_SECONDS = 1.0, 1_500.0
_POLLS_LAG_SECONDS = 120
_OWED = "select count(*) from due where kind = 1"
_LIMIT = CALLS * RECORDS / WINDOW_SECONDS
Say = Callable[[str], None]
Wanted = Mapping[str, tuple[Callable[[Line], bool], Collection[str], int]]
"""By name: which lines of Marketo's history are such writes, the endpoints that take them, and how many there will be."""


async def drained(ground: Ground, systems: Systems, mark: int, wanted: Wanted, say: Say) -> dict[str, dict[str, Any]]:
    """Until all are written and nothing is owed any more."""
    connection = await asyncpg.connect(ground.whole.postgres.dsn())
    times: dict[str, list[int]] = {name: [] for name in wanted}
    said = time.monotonic()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while any(len(times[name]) < many for name, (_, _, many) in wanted.items()) or await connection.fetchval(_OWED):
                for line in await systems.history(mark):
                    mark = max(mark, line.n)
                    for name, (made, _, _) in wanted.items():
                        if line.system == "marketo" and made(line):
                            times[name].append(line.at_ms)
                if time.monotonic() - said > 10:
                    said, written = time.monotonic(), {name: len(each) for name, each in times.items()}
                    say(f"objects: written {written}, {await connection.fetchval(_OWED):,} owed")
                await asyncio.sleep(SAMPLE_SECONDS)
    finally:
        await connection.close()
    meters = (await systems.meters())["marketo"]
    calls = {str(row["endpoint"]): int(row["calls"]) for row in meters["rows"] if "identity" not in row["endpoint"]}
    say(f"objects: {calls}")
    peak = peak_rss_mib(ground.whole)
    return {name: _figures(times[name], sum(calls.get(each, 0) for each in ends), calls, peak) for name, (_, ends, _) in wanted.items()}


def _figures(times: Sequence[int], calls: int, by_endpoint: Mapping[str, int], peak: float) -> dict[str, Any]:
    least = -(-len(times) // RECORDS)
    seconds = max((max(times) - min(times)) / 1000, 0.001)
    rate = len(times) / seconds
    return {
        "records": len(times),
        "records_per_s": round(rate),
        "limit_per_s": round(_LIMIT),
        "share_of_limit": round(rate / _LIMIT, 3),
        "seconds": round(seconds, 1),
        "limit_alone_s": round(least / (CALLS / WINDOW_SECONDS), 1),
        "calls": calls,
        "least_calls": least,
        "times_least_calls": round(calls / least, 3),
        "calls_by_endpoint": dict(by_endpoint),
        "peak_rss_mib": peak,
    }


async def begins(systems: Systems) -> int:
    """From here on it is counted; the number of the newest line of the history."""
    await time_passes(systems)
    mark = await marker(systems)
    await asked(systems, "POST", "meters/reset")
    return mark


async def time_passes(systems: Systems) -> None:
    """What was made is no longer too young for a poll, which leaves the last minute to the next one."""
    await systems.verb("clock", {"advance_seconds": _POLLS_LAG_SECONDS})

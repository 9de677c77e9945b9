"""Settle: due updates drained into Marketo as fast as its limits allow, and the feed that they fill read to its end.

One worker with every role, Marketo at 150 ms a call with its real limits (100 calls in 20 s, 10 at once). Calls and records are counted
by the sandbox's own meters, times are those of its history.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

import asyncpg

from infra.demo.scenario.systems import Systems
from tests.benchmarks.ground import WRITTEN, Ground

CALLS, WINDOW_SECONDS, RECORDS = 100, 20.0, 300
_SAMPLE_SECONDS = 0.5
_PATIENCE_SECONDS = 1_200.0
_LEFT = "select count(*) filter (where kind = 1), count(*) filter (where kind = 3) from due"


@dataclass(slots=True)
class Course:
    """What the meters said while it went on: (seconds, calls in the last 20 s)."""

    window: list[tuple[float, int]] = field(default_factory=list)
    written: float = 0.0
    """When the last write was made."""
    calls_when_written: int = 0
    calls: int = 0
    by_endpoint: dict[str, int] = field(default_factory=dict)
    rss_mib: float = 0.0


async def settle(ground: Ground, records: int, say: Callable[[str], None]) -> dict[str, Any]:
    """The figures of `bench.json`, and those behind them. The worker is stopped, and runs at the end."""
    await ground.add(records, due=True)
    async with ground.systems() as systems:
        mark = await marker(systems)
        await asked(systems, "POST", "meters/reset")
        await ground.start()
        course = await _follow(ground, systems, say)
        times = await _writes(systems, mark)
    began, ended = times[0] / 1000, times[-1] / 1000
    rate = len(times) / (ended - began)
    activities = len(times) * len(WRITTEN)
    least = -(-len(times) // RECORDS) + -(-activities // RECORDS)
    full = [used for at, used in course.window if WINDOW_SECONDS < at < course.window[-1][0] - _SAMPLE_SECONDS]
    return {
        "records": len(times),
        "records_per_s": round(rate),
        "share_of_limit": round(rate / (CALLS * RECORDS / WINDOW_SECONDS), 3),
        "writing_s": round(ended - began, 1),
        "whole_s": round(course.window[-1][0], 1),
        "calls": course.calls,
        "least_calls": least,
        "times_least_calls": round(course.calls / least, 3),
        "allowed_calls_used": round(mean(full) / CALLS, 3) if full else None,
        "allowed_calls_used_least": round(min(full) / CALLS, 3) if full else None,
        "calls_by_endpoint": course.by_endpoint,
    }


async def _follow(ground: Ground, systems: Systems, say: Callable[[str], None]) -> Course:
    """Until nothing is due any more and all has come back in the feed."""
    course = Course()
    connection = await asyncpg.connect(ground.whole.postgres.dsn())
    began, said = time.monotonic(), 0.0
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            at = time.monotonic() - began
            told = (await systems.meters())["marketo"]
            course.window.append((at, told["now"]["calls_in_20s"]))
            course.by_endpoint = {row["endpoint"]: row["calls"] for row in told["rows"] if "identity" not in row["endpoint"]}
            course.calls = sum(course.by_endpoint.values())
            owed, unconfirmed = await connection.fetchrow(_LEFT)
            if not owed and not course.written:
                course.written, course.calls_when_written = at, course.calls
            if at - said > 10 or not (owed or unconfirmed):
                said = at
                say(f"settle: {owed:,} owed, {unconfirmed:,} not yet seen in the feed; {course.calls} calls, {course.by_endpoint}")
            if not owed and not unconfirmed:
                break
            await asyncio.sleep(_SAMPLE_SECONDS)
    await connection.close()
    return course


async def _writes(systems: Systems, mark: int) -> list[int]:
    """When each record was written, by Marketo's history (ms)."""
    return sorted(each.at_ms for each in await systems.history(mark) if each.system == "marketo" and each.after and "title" in each.after)


async def marker(systems: Systems) -> int:
    """The number of the newest line of the history: one is made."""
    made = await systems.verb("marketo/person/create", {"fields": {"lastName": "Nobody"}})
    line = await asked(systems, "GET", f"history?system=marketo&id={made['id']}&limit=1")
    await systems.verb("marketo/person/delete", {"ids": [made["id"]]})
    return int(line["n"])


async def asked(systems: Systems, method: str, path: str) -> Any:
    """A call to the control API that the demo has no name for."""
    return await systems._asked(method, f"{systems._control}/{path}")

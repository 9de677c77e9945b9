"""First copy: two systems full of people, half of them on both sides, to which Tandem comes late; `tandem copy start` to its end, while
people edit on both sides.

One worker with every role, Marketo at 150 ms a call with its real limits (100 calls in 20 s, 10 at once; jobs of bulk extracts tell their
state once a minute). What it may not be quicker than is the baseline: the least calls that such a copy needs and those of the edits beside
it, by what Marketo allows, and the time that extracts need. The quote is held against the sandbox's own meters, less what an idle worker
and the edits spend.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import ceil
from typing import Any

import asyncpg
import yaml

from infra.demo.scenario.systems import Systems
from infra.setup.found import ROOT
from tests.benchmarks.copy_ground import Filling, filled
from tests.benchmarks.ground import Ground, Person
from tests.benchmarks.idle_worker import peak_rss_mib, rss_mib
from tests.benchmarks.live_edits import LiveEdits, in_step
from tests.benchmarks.processor import between, processor_seconds
from tests.benchmarks.settle_speed import CALLS, RECORDS, WINDOW_SECONDS, asked, marker

_AGE_SECONDS, _LOOK_SECONDS, _SAY_SECONDS = 7_200, 1.0, 10.0
_PATIENCE_SECONDS = 7_200.0
_LIVE_RATE, _IDLE_SECONDS, _LIVE_MOST = 0.5, 60.0, 500
_EXTRACT_SECONDS = 65.0
"""In the queue and running, and until its state is told: what Marketo's side of one job takes."""
_OWED = "select lane, count(*) from due where kind < 2 group by lane order by lane"
_MARKS = "select source, position::json->>'rows' as rows from source_positions where source like 'copy.%' and position is not null"
Say = Callable[[str], None]


@dataclass(slots=True)
class Course:
    """What was seen while it went on: (seconds, rows, owed, MiB, Marketo's calls in the last 20 s)."""

    samples: list[tuple[float, int, int, float, int]] = field(default_factory=list)
    ended: bool = False


async def copied(ground: Ground, filling: Filling, say: Say) -> dict[str, Any]:
    """The figures of `bench.json`. The worker runs at the end."""
    told = yaml.safe_load(ground.configuration.read_text())
    told |= {"first_copy": "asked", "people": {}}
    ground.configuration.write_text(yaml.safe_dump(told, sort_keys=False))
    async with ground.systems() as systems:
        began = time.monotonic()
        campaign, program = await filled(systems, filling)
        await systems.verb("clock", {"advance_seconds": _AGE_SECONDS})
        say(f"copy: {filling.people:,} people in {time.monotonic() - began:.0f} s")
        await ground.start()
        await _placed(ground)
        live = await in_step(ground, systems, int(2 * _LIVE_RATE * _IDLE_SECONDS) + _LIVE_MOST)
        idle, spent_idle = await _idle(systems, live[: int(2 * _LIVE_RATE * _IDLE_SECONDS)], say)
        before = {"latency_ms_idle": idle, "rss_mib_before": rss_mib(ground.whole)}
        ground.tandem("link", campaign, program)
        return {**await _Measuring(ground, systems, filling, spent_idle, say).run(live[int(2 * _LIVE_RATE * _IDLE_SECONDS) :]), **before}


async def _idle(systems: Systems, people: Any, say: Say) -> tuple[dict[str, Any], dict[str, float]]:
    """Latency of edits while there is nothing else to do, and calls a second that go with them."""
    mark = await marker(systems)
    await asked(systems, "POST", "meters/reset")
    began = time.monotonic()
    edits = LiveEdits(systems, people, _LIVE_RATE)
    await edits.go_on(lambda: False)
    took = await edits.took(mark)
    meters, seconds = await systems.meters(), time.monotonic() - began
    spent = {system: _calls(meters[system]) / seconds for system in ("salesforce", "marketo")}
    say(f"copy: idle: {took}, calls a second {spent}")
    return took, spent


@dataclass(frozen=True, slots=True)
class _Measuring:
    """One copy. `spent_idle`: calls a second by system of an idle worker, and of the edits."""

    ground: Ground
    systems: Systems
    filling: Filling
    spent_idle: Mapping[str, float]
    say: Say

    async def run(self, live: Sequence[Person]) -> dict[str, Any]:
        """Its figures; these people are edited meanwhile."""
        mark = await marker(self.systems)
        quote = (await _tandem(self.ground, "plan"))[0]
        told = {name: quote[name] for name in ("read_calls", "write_calls", "hours", "matches")}
        self.say(f"copy: quoted {told}")
        await asked(self.systems, "POST", "meters/reset")
        before, begun, course = processor_seconds(self.ground.whole), time.monotonic(), Course()
        edits = LiveEdits(self.systems, live, _LIVE_RATE)
        working = asyncio.create_task(edits.go_on(lambda: course.ended))
        watching = asyncio.create_task(_watch(self.ground, self.systems, course, self.say))
        done = (await _tandem(self.ground, "start", "--yes"))[-1]
        seconds = time.monotonic() - begun
        meters, used = await self.systems.meters(), between(before, processor_seconds(self.ground.whole))
        course.ended = True
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await working
        return {
            **self._figures(quote, done, meters, seconds),
            "rss_mib": peak_rss_mib(self.ground.whole),
            "latency_ms": await edits.took(mark),
            "processor_s": used,
            "course": course.samples[:: max(1, len(course.samples) // 60)],
        }

    def _figures(self, quote: Any, done: Any, meters: Any, seconds: float) -> dict[str, Any]:
        calls = {system: _calls(meters[system]) for system in self.spent_idle}
        spent = {system: round(calls[system] - rate * seconds) for system, rate in self.spent_idle.items()}
        quoted = {system: quote["read_calls"][system] + quote["write_calls"][system] for system in calls}
        jobs = sum(part["jobs"] for part in quote["parts"] if part["system"] == "marketo")
        wanted = least_calls(self.filling, done) + self.spent_idle["marketo"] * seconds
        least = wanted / (CALLS / WINDOW_SECONDS) + jobs * _EXTRACT_SECONDS
        return {
            "people": self.filling.people,
            "members": self.filling.members,
            "state": done["state"],
            "rows": done["rows"],
            "seconds": round(seconds, 1),
            "rows_per_s": round(done["rows"] / seconds),
            "least_s": round(least, 1),
            "share_of_limit": round(least / seconds, 3),
            "extract_jobs": jobs,
            "read_calls": done["calls"],
            "read_calls_quoted": quote["read_calls"],
            "calls": calls,
            "calls_of_the_copy": spent,
            "calls_quoted": quoted,
            "quoted_of_spent": {system: round(quoted[system] / max(1, spent[system]), 3) for system in quoted},
            "hours_quoted": quote["hours"],
            "by_endpoint": {system: _endpoints(meters[system]) for system in calls},
        }


def least_calls(filling: Filling, done: Mapping[str, Any]) -> int:
    """Of Marketo, in batches of 300: what was read; everybody who is in Salesforce (made, or told the ids) written; who was made, and what
    was changed, read in the feed; members, accounts and owners written."""
    people = filling.people * 3 // 4
    written = sum(ceil(each / RECORDS) for each in (people, people // 60, filling.members // 2))
    return int(done["calls"]["marketo"]) + written + ceil(people / RECORDS)


def rows(told: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """For the table."""
    what = f"copy: {told['people']:,} people, {told['members']:,} members, {told['rows']:,} rows, {told['state']} in {told['seconds']:,} s"
    yield what, f"{told['rows_per_s']:,} rows a second, {told['share_of_limit']:.0%} of what Marketo's limits allow", ">= 90 %"
    for system, calls in told["calls_of_the_copy"].items():
        yield f"copy: calls of {system}, and as quoted", f"{calls:,}, {told['calls_quoted'][system]:,}", "within 10 %"
    for direction, idle in told["latency_ms_idle"].items():
        now = told["latency_ms"][direction]
        yield f"copy: {direction.replace('_', ' ')} meanwhile, p95", f"{now.get('p95')} ms ({idle['p95']} idle)", "<= 10 % more"
    yield "copy: a worker's memory at the most", f"{told['rss_mib']} MiB ({told['rss_mib_before']} before)", "<= 200 MiB"
    yield "copy: processor seconds", ", ".join(f"{name} {used:.0f}" for name, used in told["processor_s"].items()), ""


async def _watch(ground: Ground, systems: Systems, course: Course, say: Say) -> None:
    """Samples until it is cancelled."""
    connection = await asyncpg.connect(ground.whole.postgres.dsn())
    began, said, before = time.monotonic(), 0.0, processor_seconds(ground.whole)
    try:
        while True:
            at = time.monotonic() - began
            marks = {row["source"]: int(row["rows"] or 0) for row in await connection.fetch(_MARKS)}
            owed = {row["lane"]: row["count"] for row in await connection.fetch(_OWED)}
            window = (await systems.meters())["marketo"]["now"]["calls_in_20s"]
            rss = rss_mib(ground.whole)
            course.samples.append((round(at, 1), sum(marks.values()), sum(owed.values()), rss, window))
            if at - said > _SAY_SECONDS:
                now = processor_seconds(ground.whole)
                say(f"copy: {marks}, owed by lane {owed}, {rss} MiB, {window} calls in 20 s, processor {between(before, now)}")
                said, before = at, now
            await asyncio.sleep(2 * _LOOK_SECONDS)
    finally:
        await connection.close()


async def _placed(ground: Ground) -> None:
    """Polls have run: a copy begins only then."""
    wanted = {"salesforce.poll.lead", "salesforce.poll.contact", "salesforce.poll.account", "marketo.poll"}
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not wanted <= {each["source"] for each in (await _command(ground, "status"))[0]["cycles"]}:
            await asyncio.sleep(_LOOK_SECONDS)


async def _tandem(ground: Ground, *arguments: str) -> list[Any]:
    return await _command(ground, "copy", *arguments)


async def _command(ground: Ground, *arguments: str) -> list[Any]:
    """The documents that a command prints. Raises RuntimeError where it prints none."""
    environment = os.environ | ground.whole.told() | {"TANDEM_WEB_HOST": "127.0.0.1", "TANDEM_WEB_PORT": "0"}
    environment["TANDEM_CONFIG"] = str(ground.configuration)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "consumers.cli", *arguments, "--json", env=environment, cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, wrong = await process.communicate()
    found, rest = [], said.decode().lstrip()
    while rest:
        value, end = json.JSONDecoder().raw_decode(rest)
        found.append(value)
        rest = rest[end:].lstrip()
    if not found:
        raise RuntimeError(f"tandem {' '.join(arguments)}: {wrong.decode()[-800:]}")
    return found


def _calls(meters: dict[str, Any]) -> int:
    return sum(_endpoints(meters).values())


def _endpoints(meters: dict[str, Any]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for row in meters["rows"]:
        if "token" not in row["endpoint"] and "identity" not in row["endpoint"]:
            found[row["endpoint"]] += row["calls"]
    return dict(found.most_common())

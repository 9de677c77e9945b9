"""One edit at a time, at so many a second: how long each takes to the other side, less what it spends inside the systems' own calls.

Edits are made by hand (the sandbox's control verbs: no API calls), each on a person of its own, so evenly that no two fall together by
plan, with a random moment within each turn. Times are those of the systems' own histories. What is taken off, and nothing else:
Salesforce to Marketo, the half of the writing call that passes before Marketo applies it (75 ms); Marketo to Salesforce, the half of
the page of activities that passes after Marketo has made it up (75 ms), the call that reads the person's typed values (150 ms), the
call that reads Salesforce's record before it is written (150 ms), and the half of Salesforce's writing call (75 ms). The wait for the
next look at the activities, and for a call that the limits allow, stays in.

Figures are of the steady state: edits of the first `warm` seconds have used up what calls were saved, and don't count.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import asyncpg

from infra.demo.checker.history import Line
from infra.demo.checker.latency import percentiles
from infra.demo.scenario.systems import Systems
from tests.benchmarks.call_limit import alone
from tests.benchmarks.ground import LATENCY_MS, Ground, Person
from tests.benchmarks.settle_speed import asked, marker

SALESFORCE_TO_MARKETO, MARKETO_TO_SALESFORCE = "salesforce_to_marketo", "marketo_to_salesforce"
TAKEN_OFF_MS = {SALESFORCE_TO_MARKETO: LATENCY_MS // 2, MARKETO_TO_SALESFORCE: 3 * LATENCY_MS}
_FIELD = {"salesforce": "Title", "marketo": "title"}
_PATIENCE_SECONDS = 90.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How long one rate is kept up."""

    warm: float
    measured: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One rate in one direction."""

    rate: int
    direction: str
    course: Course
    way: str = ""


async def latencies(
    ground: Ground,
    rates: Sequence[int],
    course: Course,
    say: Callable[[str], None],
    *,
    directions: Sequence[str] = (SALESFORCE_TO_MARKETO, MARKETO_TO_SALESFORCE),
    way: str = "",
) -> dict[str, Any]:
    """`added_latency_ms` of `bench.json`. The worker runs. `way`: what is written names it, so that each time it is something new."""
    found: dict[str, Any] = {}
    free = iter(Random(7).sample(ground.people, len(ground.people)))
    async with ground.systems() as systems:
        for rate in rates:
            found[str(rate)] = {}
            for direction in directions:
                people = [next(free) for _ in range(int(rate * (course.warm + course.measured)))]
                told = found[str(rate)][direction] = await _measure(
                    ground, systems, people, Turn(rate=rate, direction=direction, course=course, way=way)
                )
                say(f"latency: {rate:3} edits/s {direction}: {told}")
    return found


async def _measure(ground: Ground, systems: Systems, people: Sequence[Person], turn: Turn) -> dict[str, Any]:
    source = "salesforce" if turn.direction == SALESFORCE_TO_MARKETO else "marketo"
    mark = await marker(systems)
    await asked(systems, "POST", "meters/reset")
    await _edit(systems, people, turn, source)
    calls = (await systems.meters())["marketo"]["rows"]
    await quiet(ground)
    lines = await systems.history(mark)
    took = _took(lines, people[int(turn.rate * turn.course.warm) :], source)
    off = TAKEN_OFF_MS[turn.direction]
    spent = {row["endpoint"]: row["calls"] for row in calls if "identity" not in row["endpoint"]}
    reading = sum(count for endpoint, count in spent.items() if "/activities" in endpoint) / (turn.course.warm + turn.course.measured)
    told = percentiles([max(0, each - off) for each in took])
    return {
        **{name: told[name] for name in ("p50", "p95", "p99", "n")},
        "whole": {name: each for name, each in percentiles(took).items() if name in ("p50", "p99")},
        "taken_off_ms": off,
        "limit_alone_ms": alone(turn.rate, reading) if turn.direction == SALESFORCE_TO_MARKETO else None,
        "marketo_calls": spent,
    }


async def _edit(systems: Systems, people: Sequence[Person], turn: Turn, source: str) -> None:
    """Each at its own moment."""
    chance = Random(turn.rate)
    began = time.monotonic()
    edits: list[asyncio.Task[Any]] = []
    for place, person in enumerate(people):
        due = began + (place + chance.random()) / turn.rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        value = f"Edited {source}{turn.way} {turn.rate} {person.number}"
        if source == "salesforce":
            edit = systems.verb("salesforce/edit", {"object": "Lead", "id": person.salesforce, "fields": {"Title": value}})
        else:
            edit = systems.verb("marketo/person/edit", {"id": int(person.marketo), "fields": {"title": value}})
        edits.append(asyncio.create_task(edit))
    await asyncio.gather(*edits)


async def quiet(ground: Ground) -> None:
    """Until nothing is due, and all has come back."""
    connection = await asyncpg.connect(ground.whole.postgres.dsn())
    times = 0
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while times < 8:
            await asyncio.sleep(0.5)
            times = 0 if await connection.fetchval("select count(*) from due") else times + 1
    await connection.close()


def _took(lines: Sequence[Line], people: Sequence[Person], source: str) -> list[int]:
    """From each edit to its arrival, ms."""
    there = _other(source)
    made = {each.id: each for each in lines if each.system == source and each.after and _edited(each, source)}
    came = {each.id: each for each in lines if each.system == there and each.after and _edited(each, there)}
    took = []
    for person in people:
        ids = {"salesforce": person.salesforce, "marketo": person.marketo}
        if ids[there] not in came:
            raise RuntimeError(f"an edit of {ids} never arrived")
        took.append(came[ids[there]].at_ms - made[ids[source]].at_ms)
    return took


def _edited(line: Line, system: str) -> bool:
    return str((line.after or {}).get(_FIELD[system], "")).startswith("Edited ")


def _other(system: str) -> str:
    return "marketo" if system == "salesforce" else "salesforce"

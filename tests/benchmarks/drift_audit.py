"""The drift audit at size: silent corruptions on both sides while people work on; which are found, what else is told, what it cost.

The audit may take as many calls as the instance gives, so that a proof takes minutes; how many days it takes by its default share of a
day's calls is worked out from the calls.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import asyncpg
import yaml

from tests.benchmarks.ground import Ground, Person

CORRUPTED_PER = 400
"""One of so many records: 500 of 200,000."""
FIELDS = (("Title", "title"), ("City", "city"), ("Phone", "phone"))
EDITS_PER_SECOND = 2.0
DEFAULT_PERCENT, CALLS_PER_DAY = 5, 50_000
_PLENTY = 10_000_000
_PATIENCE_SECONDS = 3_600.0
_STANDING = "select min(rounds) as rounds, sum(records) as records, sum(proven_records) as proven from audits where object = 'lead'"
_FOUND = "select record, field from differences where class = 'true_drift' and closed_ms is null"
_DOUBTED = "select count(*) from differences where class = 'in_flight' and suspected = 'true_drift' and closed_ms is null"
_SPENT = "select system, sum(calls)::int as calls from budget_spent where purpose = 'audit' group by system"


async def drift_audit(ground: Ground, count: int, say: Callable[[str], None]) -> dict[str, Any]:
    """The figures. The worker is stopped, and stopped again at the end."""
    configuration = yaml.safe_load(ground.configuration.read_text())
    configuration["audit"] = {"calls_percent": 100, "every": "1h", "confirm": "2m"}
    configuration["intervals"] = {"poll": "20s"}  # what the stream missed is told well before that
    configuration["lead"] = {"fields": {"externalSalesPersonId": False}}  # the ground's ledger knows of no owners
    for system in ("salesforce", "marketo"):
        configuration[system]["calls_per_day"] = _PLENTY
    ground.configuration.write_text(yaml.safe_dump(configuration, sort_keys=False))
    people = await ground.add(count)
    dice = random.Random(count)
    bent = dice.sample(people, count // CORRUPTED_PER)
    async with ground.systems() as systems:
        planted = await _plant(systems, bent)
        known = {person.salesforce for person in bent}
        await ground.start()
        began = time.monotonic()
        working = asyncio.create_task(_work(systems, [each for each in people if each.salesforce not in known], dice))
        try:
            told = await _follow(ground, planted, say)
        finally:
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
    await ground.stop()
    found, calls = told["found"], told["calls"]
    return {
        "records": count,
        "corrupted": len(planted),
        "found": len(found & planted),
        "false_alarms": len(found - planted),
        "false_alarms_by_field": dict(Counter(field for _, field in found - planted)),
        "calls": calls,
        "seconds": round(time.monotonic() - began),
        "days_by_default": round(max(calls.values()) / (CALLS_PER_DAY * DEFAULT_PERCENT / 100), 2),
    }


async def _plant(systems: Any, bent: Sequence[Person]) -> set[tuple[str, str]]:
    """Every other one in Salesforce, the others in Marketo. By record and field."""
    ours, theirs, planted = [], [], set()
    for place, person in enumerate(bent):
        salesforce, marketo = FIELDS[place // 2 % len(FIELDS)]
        planted.add((person.salesforce, marketo))
        if place % 2:
            theirs.append({"id": int(person.marketo), "fields": {marketo: f"bent {place}"}})
        else:
            ours.append({"id": person.salesforce, "fields": {salesforce: f"bent {place}"}})
    await systems.verb("salesforce/corrupt", {"object": "Lead", "records": ours})
    await systems.verb("marketo/corrupt", {"records": theirs})
    return planted


async def _work(systems: Any, people: Sequence[Person], dice: random.Random) -> None:
    """People edit on both sides."""
    for number in range(1_000_000):
        person = dice.choice(people)
        if number % 2:
            await systems.verb("salesforce/edit", {"object": "Lead", "id": person.salesforce, "fields": {"Title": f"edit {number}"}})
        else:
            await systems.verb("marketo/person/edit", {"id": int(person.marketo), "fields": {"city": f"edit {number}"}})
        await asyncio.sleep(1 / EDITS_PER_SECOND)


async def _follow(ground: Ground, planted: set[tuple[str, str]], say: Callable[[str], None]) -> dict[str, Any]:
    """Until a whole round has been made, and nothing that may be drift is in doubt; or as long as patience lasts."""
    connection = await asyncpg.connect(ground.whole.postgres.dsn())
    until, said = time.monotonic() + _PATIENCE_SECONDS, 0.0
    while True:
        standing, doubted = await connection.fetchrow(_STANDING), await connection.fetchval(_DOUBTED)
        found = {(row["record"], row["field"]) for row in await connection.fetch(_FOUND)}
        calls = {row["system"]: row["calls"] for row in await connection.fetch(_SPENT)}
        done = bool(standing["rounds"]) and not doubted
        if done or time.monotonic() > said + 10:
            said = time.monotonic()
            records = standing["proven"] if standing["rounds"] else standing["records"]
            say(f"drift: {records or 0:,} compared, {len(found & planted)} of {len(planted)} found, {len(found - planted)} more; {calls}")
        if done or time.monotonic() > until:
            break
        await asyncio.sleep(1.0)
    await connection.close()
    return {"found": found, "calls": calls}


def rows(told: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """For the table."""
    if told:
        calls = ", ".join(f"{number:,} {system}" for system, number in told["calls"].items())
        what = f"drift: silent corruptions found in {told['records']:,} records while people work on"
        yield what, f"{told['found']} of {told['corrupted']}, {told['false_alarms']} false alarms", "all, none"
        yield "drift: calls; days to a full proof by the default share", f"{calls}; {told['days_by_default']}", ""

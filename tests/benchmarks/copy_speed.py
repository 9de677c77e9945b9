"""First copy: two systems full of people, half of them on both sides, to which Tandem comes late; `tandem copy start` to its end.

One worker with every role, Marketo at 150 ms a call with its real limits (100 calls in 20 s, 10 at once; jobs of bulk extracts tell their
state once a minute). What it may not be quicker than is the baseline: the calls that it made by what Marketo allows, and the time that
extracts need. The quote is held against the sandbox's own meters.
"""

import asyncio
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from infra.demo.scenario.systems import Systems
from infra.setup.found import ROOT
from tests.benchmarks.ground import Ground, facts
from tests.benchmarks.idle_worker import peak_rss_mib
from tests.benchmarks.settle_speed import CALLS, WINDOW_SECONDS, asked

_LOAD, _AGE_SECONDS, _LOOK_SECONDS = 10_000, 7_200, 1.0
_PATIENCE_SECONDS = 7_200.0
_SALESFORCE = {"firstName": "FirstName", "lastName": "LastName", "email": "Email", "title": "Title", "phone": "Phone", "city": "City"}
_PER_ACCOUNT = 20
Say = Callable[[str], None]


async def copied(ground: Ground, people: int, say: Say) -> dict[str, Any]:
    """The figures of `bench.json`. A quarter of the people is in Salesforce only, a quarter in Marketo only. The worker runs at the end."""
    told = yaml.safe_load(ground.configuration.read_text())
    told |= {"first_copy": "asked", "people": {}, "intervals": {"poll": "30s"}}
    ground.configuration.write_text(yaml.safe_dump(told, sort_keys=False))
    async with ground.systems() as systems:
        began = time.monotonic()
        await _filled(systems, people)
        await systems.verb("clock", {"advance_seconds": _AGE_SECONDS})
        say(f"copy: {people:,} people in {time.monotonic() - began:.0f} s")
        await ground.start()
        await _placed(ground)
        quote = (await _tandem(ground, "plan"))[0]
        idle = peak_rss_mib(ground.whole)
        await asked(systems, "POST", "meters/reset")
        begun = time.monotonic()
        lines = await _tandem(ground, "start", "--yes")
        seconds = time.monotonic() - begun
        meters = await systems.meters()
    done = lines[-1]
    calls = {system: _calls(meters[system]) for system in ("salesforce", "marketo")}
    jobs = sum(part["jobs"] for part in quote["parts"] if part["system"] == "marketo")
    least = calls["marketo"] / (CALLS / WINDOW_SECONDS)
    return {
        "people": people,
        "state": done["state"],
        "rows": done["rows"],
        "seconds": round(seconds, 1),
        "rows_per_s": round(done["rows"] / seconds),
        "least_s": round(least, 1),
        "share_of_limit": round(least / seconds, 3),
        "extract_jobs": jobs,
        "rss_mib": peak_rss_mib(ground.whole),
        "rss_mib_before": idle,
        "read_calls": done["calls"],
        "read_calls_quoted": quote["read_calls"],
        "calls": calls,
        "calls_quoted": {system: quote["read_calls"][system] + quote["write_calls"][system] for system in calls},
        "by_endpoint": {system: _endpoints(meters[system]) for system in calls},
    }


def rows(told: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """For the table."""
    what = f"copy: {told['people']:,} people, {told['rows']:,} rows, {told['state']} in {told['seconds']:,} s"
    yield what, f"{told['rows_per_s']:,} rows a second, {told['share_of_limit']:.0%} of what Marketo's calls allow", ">= 90 %"
    for system, calls in told["read_calls"].items():
        yield f"copy: calls to read {system}, and as quoted", f"{calls:,}, {told['read_calls_quoted'][system]:,}", "within 10 %"
    yield "copy: a worker's memory at the most", f"{told['rss_mib']} MiB ({told['rss_mib_before']} before)", "<= 200 MiB"


async def _filled(systems: Systems, people: int) -> None:
    """Numbers of people: the first quarter in Salesforce only, the last in Marketo only; a third of Salesforce's are contacts."""
    here, there = range(people * 3 // 4), range(people // 4, people)
    accounts: list[str] = []
    for begin in range(0, max(1, len(here) // (3 * _PER_ACCOUNT)), _LOAD):
        end = min(begin + _LOAD, max(1, len(here) // (3 * _PER_ACCOUNT)))
        rows = [{"object": "Account", "fields": {"Name": f"Acme {number}", "Industry": "Technology"}} for number in range(begin, end)]
        accounts += (await systems.load("salesforce", rows))["ids"]
    for begin in range(0, len(here), _LOAD):
        await systems.load("salesforce", [_record(number, accounts) for number in here[begin : begin + _LOAD]])
    for begin in range(0, len(there), _LOAD):
        await systems.load("marketo", [_person(number) for number in there[begin : begin + _LOAD]])


def _record(number: int, accounts: list[str]) -> dict[str, Any]:
    told = facts(number)
    fields: dict[str, Any] = {name: told[key] for key, name in _SALESFORCE.items()}
    if number % 3:
        return {"object": "Lead", "fields": {**fields, "Company": told["company"]}}
    del fields["City"]
    return {"object": "Contact", "fields": {**fields, "AccountId": accounts[number % len(accounts)]}}


def _person(number: int) -> dict[str, Any]:
    told = facts(number)
    return {key: told[key] for key in _SALESFORCE}


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

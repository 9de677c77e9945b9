"""How long the console's pages take on the server (part `console`): a record page and the overview, beside as many pairs and decisions
as are asked for. `python -m tests.benchmarks --only console --pairs 1000000`.
"""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg

from consumers.configuration.mapping.registered import registry_of
from consumers.ledger.port import Pair
from consumers.ledger.postgres.ledger import PostgresLedger, open_ledger
from consumers.merge.pair.decision import Decision, Origin, Ruling, Verdict
from infra.kafka.admin import ensure_topics
from infra.stack.stack import Stack
from streams.wire.events import Happened
from streams.wire.systems import SALESFORCE
from streams.wire.topics import DECISIONS, all_topics
from tests.benchmarks import person
from tests.consumers.console.served import Browser, served, settings_on

_PAGE, _ASKED, _WARM = 2_000, 200, 20
RECORD_MS, OVERVIEW_MS = 150, 100


class ConsoleBench:
    """One measurement, on Kafka and PostgreSQL of its own. One person looks, who has personal data shown: every look is written down."""

    def __init__(self, stack: Stack, pairs: int, home: Path, say: Callable[[str], None]) -> None:
        self._stack, self._pairs, self._home, self._say = stack, pairs, home, say

    async def measure(self) -> dict[str, Any]:
        """Milliseconds from the request to the last byte, by page."""
        dsn = self._stack.postgres.dsn()
        self._home.mkdir(parents=True, exist_ok=True)
        settings = settings_on(dsn, self._home, kafka=self._stack.kafka.bootstrap)
        await ensure_topics(self._stack.kafka.bootstrap, all_topics(registry_of(settings).objects))
        began = time.perf_counter()
        await fill(dsn, self._pairs)
        self._say(f"console: {self._pairs:,} pairs and decisions in {time.perf_counter() - began:.0f} s")
        found: dict[str, Any] = {"pairs": self._pairs}
        async with served(settings) as browser:
            key = await browser.sign_in()
            await browser.post("/reveal", {"form_key": key, "why": "a measurement", "to": "/"})
            found["record"] = await self._took(browser, self._record, "Head of Procurement|Marketing Operations|CTO|Sales Manager")
            found["overview"] = await self._took(browser, lambda _number: "/", "people")
        return found

    def _record(self, number: int) -> str:
        return f"/record/{1 + number * 7_919 % self._pairs}"

    async def _took(self, browser: Browser, path: Callable[[int], str], shows: str) -> dict[str, Any]:
        took = []
        for number in range(_WARM + _ASKED):
            began = time.perf_counter()
            status, page, _ = await browser.get(path(number))
            took.append(1000 * (time.perf_counter() - began))
            assert status == 200, page
            assert re.search(shows, page), page
        took = sorted(took[_WARM:])
        told = {"p50": round(took[len(took) // 2], 1), "p95": round(took[len(took) * 95 // 100], 1), "n": len(took)}
        self._say(f"console: {path(1)}: {told}")
        return told


def rows(told: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """For the table."""
    for name, aim in (("record", RECORD_MS), ("overview", OVERVIEW_MS)) if told else ():
        each = told[name]
        what = f"console: {name} page at {told['pairs']:,} pairs and decisions"
        yield what, f"p50 {each['p50']} ms, p95 {each['p95']} ms", f"<= {aim}"


async def fill(dsn: str, pairs: int) -> None:
    """So many people in step, each with a decision."""
    ledger, terms = await open_ledger(dsn), person.terms()
    try:
        for begin in range(0, pairs, _PAGE):
            await _some(ledger, range(begin, min(pairs, begin + _PAGE)), terms.match_key)
    finally:
        await ledger.close()
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("vacuum analyze")
    finally:
        await connection.close()


async def _some(ledger: PostgresLedger, numbers: range, key: Callable[[Any], str | None]) -> None:
    made = [Pair(id=0, state=person.pair(number), loaded=None) for number in numbers]
    for pair in made:
        pair.match_key = key(pair.state)
    async with ledger.transaction(durable=False) as tx:
        await tx.save(made, person.NOW)
        await tx.record([_decision(pair) for pair in made])
    await asyncio.sleep(0)


def _decision(pair: Pair) -> Decision:
    record, now = pair.state.salesforce.id, person.NOW
    origin = Origin(topic=DECISIONS, partition=0, offset=pair.id, source="salesforce.cdc", kind=Happened.UPDATED, at=now)
    title = Ruling("title", Verdict.ACCEPTED, "Head of Procurement", "Head of Procurement", 2, "CTO", "marketo@1", "")
    return Decision(kind="judged", at=now, pair=pair.id, system=SALESFORCE, record=record, event=origin, fields=(title,))

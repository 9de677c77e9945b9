"""People who edit on both sides while something else goes on: each edit on a person of its own, and how long it took to the other side."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import asyncpg

from infra.demo.checker.history import Line
from infra.demo.checker.latency import percentiles
from infra.demo.scenario.systems import Systems
from tests.benchmarks.ground import Ground, Person

_FIELDS = {"salesforce": "Title", "marketo": "title"}
_PATIENCE_SECONDS = 240.0
_PAIRED = "select salesforce_id, marketo_id from pairs where salesforce_id = any($1::text[]) and marketo_id is not null"
_CHUNK = 200


async def in_step(ground: Ground, systems: Systems, count: int) -> list[Person]:
    """So many people, made in Salesforce, whom the running worker has brought to Marketo."""
    ids: list[str] = []
    for begin in range(0, count, _CHUNK):
        rows = [
            {"LastName": f"Live-{n}", "Company": "Live", "Email": f"live.{n}@example.com"} for n in range(begin, min(begin + _CHUNK, count))
        ]
        ids += (await systems.verb("salesforce/create", {"object": "Lead", "records": rows}))["ids"]
    connection = await asyncpg.connect(ground.whole.postgres.dsn())
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while len(rows := await connection.fetch(_PAIRED, ids)) < count:
                await asyncio.sleep(1.0)
    finally:
        await connection.close()
    return [Person(number, row["salesforce_id"], row["marketo_id"]) for number, row in enumerate(rows)]


@dataclass(slots=True)
class LiveEdits:
    """Edits at this rate in each direction, by turns; each of `people` is edited once."""

    systems: Systems
    people: Sequence[Person]
    rate: float
    edited: list[tuple[str, Person]] = field(default_factory=list)

    async def go_on(self, until: Callable[[], bool]) -> None:
        """Each edit at a moment of its own, until then or until nobody is left."""
        chance, began, edits = Random(len(self.people)), time.monotonic(), list[asyncio.Task[Any]]()
        for place, person in enumerate(self.people):
            due = began + (place + chance.random()) / (2 * self.rate)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if until():
                break
            source = "marketo" if place % 2 else "salesforce"
            edits.append(asyncio.create_task(self._edit(source, person)))
            self.edited.append((source, person))
        await asyncio.gather(*edits)

    async def _edit(self, source: str, person: Person) -> None:
        value = {_FIELDS[source]: f"Edited live {person.number}"}
        if source == "salesforce":
            await self.systems.verb("salesforce/edit", {"object": "Lead", "id": person.salesforce, "fields": value})
        else:
            await self.systems.verb("marketo/person/edit", {"id": int(person.marketo), "fields": value})

    async def took(self, mark: int) -> dict[str, dict[str, int]]:
        """Percentiles by direction, once all have arrived. Raises RuntimeError where one never does."""
        ids = {each for _, person in self.edited for each in (person.salesforce, person.marketo)}
        lines: dict[tuple[str, str], Line] = {}
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while any((system, _id(person, system)) not in lines for _, person in self.edited for system in _FIELDS):
                for line in await self.systems.history(mark):
                    mark = max(mark, line.n)
                    value = str((line.after or {}).get(_FIELDS.get(line.system, ""), ""))
                    if line.id in ids and value.startswith("Edited live "):
                        lines.setdefault((line.system, line.id), line)
                await asyncio.sleep(0.5)
        found: dict[str, list[int]] = {f"{source}_to_{_other(source)}": [] for source in _FIELDS}
        for source, person in self.edited:
            other = _other(source)
            took = lines[other, _id(person, other)].at_ms - lines[source, _id(person, source)].at_ms
            found[f"{source}_to_{other}"].append(took)
        return {direction: percentiles(each) for direction, each in found.items()}


def _id(person: Person, system: str) -> str:
    return person.salesforce if system == "salesforce" else person.marketo


def _other(system: str) -> str:
    return "marketo" if system == "salesforce" else "salesforce"

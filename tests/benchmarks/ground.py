"""Both systems filled and the ledger with them: pairs in step, loaded past the limits, as if Tandem had kept them so for long."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import asyncpg
import msgspec
import yaml

from consumers.configuration.loading import load
from consumers.configuration.mapping.defaults import build
from consumers.mapping.fields import ObjectMapping, SyncRules
from consumers.merge.edits.values import neutral
from consumers.merge.lives.link import link_values
from consumers.merge.pair.state import Field, PairState, Record, Side
from consumers.merge.pair.stored import pack
from infra.demo.scenario.systems import Systems, opened
from infra.setup.found import ROOT
from infra.stack.stack import PARTS, Stack
from infra.stack.tandem import Worker
from streams.marketo.sources.poll import Place as MarketoPlace
from streams.salesforce.sources.cycles import PollMark as SalesforceMark
from streams.wire.events import Value
from streams.wire.systems import CONTACT, LEAD, System

LATENCY_MS = 150
WRITTEN = ("title", "phone", "city")
"""The three fields that are due in the drain."""
_KEY = "Marketo_Person_Id__c"
_AGE_SECONDS = 7_200
"""How long ago people were loaded, for the systems: further back than any source reads."""
_CHUNK = 10_000
_DUE = "insert into due (kind, pair, lane, at) select 1, id, 0, $2 from pairs where salesforce_id = any($1::text[])"
_PAIR_COLUMNS = ("salesforce_object", "salesforce_id", "marketo_id", "match_key", "state", "updated_at")


_POSITION_COLUMNS = ("source", "epoch", "position", "taken_ms", "taken_by")


@dataclass(frozen=True, slots=True)
class Person:
    """A pair's records."""

    number: int
    salesforce: str
    marketo: str


class Ground:
    """Kafka, PostgreSQL, both systems at 150 ms a call, and one worker of Tandem that is started and stopped between benchmarks."""

    def __init__(self, home: Path, say: Callable[[str], None]) -> None:
        self.home, self.say = home, say
        self.configuration = home / "tandem.yaml"
        self.ground = Stack(home, parts=PARTS - {"tandem"}, latency_ms=LATENCY_MS)
        self.whole = Stack(home, workers=[Worker()], config=self.configuration, latency_ms=LATENCY_MS)
        self.people: list[Person] = []

    async def __aenter__(self) -> Self:
        await self.ground.clean()
        self.home.mkdir(parents=True, exist_ok=True)
        self.configuration.write_text(yaml.safe_dump(_configuration(), sort_keys=False))
        await self.ground.up()
        async with self.systems() as systems:
            for name in ("Lead", "Contact"):
                field = {"name": _KEY, "type": "string", "length": 18, "external_id": True, "unique": True}
                await systems.verb("salesforce/define_field", {"object": name, "field": field})
        self.tandem("setup", "--yes")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.whole.clean()

    def systems(self) -> Any:
        """Both systems, for whoever edits there."""
        return opened(self.ground.endpoints())

    async def start(self) -> None:
        """The worker."""
        await self.whole.start("tandem")

    async def stop(self) -> None:
        """The worker."""
        await self.whole.stop("tandem")

    async def add(self, count: int, *, due: bool = False) -> Sequence[Person]:
        """More people, paired. `due`: three fields of each were changed in Salesforce, and Marketo is owed them. The worker is stopped."""
        began = time.monotonic()
        rules = build(load(self.configuration, os.environ | self.whole.told() | {"TANDEM_WEB_HOST": "127.0.0.1", "TANDEM_WEB_PORT": "0"}))
        first = len(self.people)
        async with self.systems() as systems:
            added = [person for begin in range(0, count, _CHUNK) for person in await self._load(
                systems, rules, first + begin, min(_CHUNK, count - begin), due=due)]  # fmt: skip
        self.people += added
        await self._pair(rules, added, due=due)
        await self.age()
        self.say(f"ground: {len(self.people):,} pairs, {count:,} of them added in {time.monotonic() - began:.0f} s")
        return added

    async def _load(self, systems: Systems, rules: SyncRules, first: int, count: int, *, due: bool) -> list[Person]:
        mapping = rules.objects[LEAD]
        numbers = range(first, first + count)
        known = [facts(number) for number in numbers]
        newer = [{**told, **changed(number)} if due else told for number, told in zip(numbers, known, strict=True)]
        predicted = await self._next_marketo(systems)
        rows = [
            {"object": "Lead", "fields": {**_named(mapping, told, System.SALESFORCE), _KEY: str(predicted + place)}}
            for place, told in enumerate(newer)
        ]
        ids: list[str] = (await systems.load("salesforce", rows))["ids"]
        links = [link_values(rules.links, LEAD, each, deleted=False) for each in ids]
        loaded = await systems.load(
            "marketo", ({**_named(mapping, told, System.MARKETO), **link} for told, link in zip(known, links, strict=True))
        )
        if loaded["first_id"] != predicted:
            raise RuntimeError(f"Marketo's ids begin at {loaded['first_id']}, not at {predicted}")
        return [Person(number, lead, str(predicted + place)) for place, (number, lead) in enumerate(zip(numbers, ids, strict=True))]

    async def _next_marketo(self, systems: Systems) -> int:
        """One is made by hand: the next will have the number behind it."""
        made = await systems.verb("marketo/person/create", {"fields": {"lastName": "Nobody"}})
        await systems.verb("marketo/person/delete", {"ids": [made["id"]]})
        return int(made["id"]) + 1

    async def _pair(self, rules: SyncRules, people: Sequence[Person], *, due: bool) -> None:
        """Rows as the ledger writes them."""
        now = time.time_ns() // 1_000_000
        connection = await asyncpg.connect(self.whole.postgres.dsn())
        for begin in range(0, len(people), _CHUNK):
            await connection.copy_records_to_table(
                "pairs", records=_rows(rules, people[begin : begin + _CHUNK], now, due=due), columns=_PAIR_COLUMNS
            )
        if due:
            ids = [person.salesforce for person in people]
            await connection.execute(_DUE, ids, now)
        await connection.execute("vacuum analyze pairs")
        await connection.execute("checkpoint")
        await connection.close()

    async def age(self) -> None:
        """Whatever was done is long ago, and the sources go on from now, by the systems' clock. The worker is stopped."""
        async with self.systems() as systems:
            clock: int = (await systems.verb("clock", {"advance_seconds": _AGE_SECONDS}))["now_ms"]
        marks = {f"salesforce.poll.{obj}": SalesforceMark(object=obj, done_ms=clock) for obj in (LEAD, CONTACT)}
        places: dict[str, Any] = {**marks, "marketo.poll": MarketoPlace(watermark=clock)}
        connection = await asyncpg.connect(self.whole.postgres.dsn())
        await connection.execute("delete from source_positions")
        rows = [(source, 0, msgspec.json.encode(place).decode(), clock, "benchmark") for source, place in places.items()]
        await connection.copy_records_to_table("source_positions", records=rows, columns=_POSITION_COLUMNS)
        await connection.close()

    def tandem(self, *arguments: str) -> None:
        """A command of Tandem's. Raises RuntimeError with what it says where it fails."""
        environment = os.environ | self.whole.told() | {"TANDEM_WEB_HOST": "127.0.0.1", "TANDEM_WEB_PORT": "0"}
        environment["TANDEM_CONFIG"] = str(self.configuration)
        command = [sys.executable, "-m", "consumers.cli", *arguments]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"tandem {' '.join(arguments)}: {(done.stderr or done.stdout)[-800:]}")


def facts(number: int) -> dict[str, Value]:
    """What both systems know of a person, by Marketo's names: some fifteen fields."""
    return {
        "salutation": "Ms.",
        "firstName": "Zoë",
        "lastName": f"Müller-{number}",
        "title": f"Head of Procurement {number}",
        "email": f"zoe.{number}@example.com",
        "unsubscribed": False,
        "phone": f"+49 30 {number:07}",
        "leadSource": "Web",
        "address": f"Unter den Linden {number % 300}",
        "city": "Berlin",
        "postalCode": f"{10_000 + number % 4_000}",
        "country": "Germany",
        "leadStatus": "Working - Contacted",
        "company": f"Example Manufacturing {number} GmbH",
        "industry": "Technology",
        "website": "https://www.example.com/",
    }


def changed(number: int) -> dict[str, Value]:
    """Newer values of three fields."""
    return {"title": f"Head of Everything {number}", "phone": f"+49 40 {number:07}", "city": "Hamburg"}


def _named(mapping: ObjectMapping, told: dict[str, Value], system: System) -> dict[str, Value]:
    return {mapping.by_key[key].name_on(system): value for key, value in told.items()}


def _rows(rules: SyncRules, people: Sequence[Person], now: int, *, due: bool) -> Iterator[tuple[object, ...]]:
    for person in people:
        state = paired(rules, person, now, due=due)
        yield "lead", person.salesforce, person.marketo, facts(person.number)["email"], pack(state), now


def paired(rules: SyncRules, person: Person, now: int, *, due: bool) -> PairState:
    """The pair's state: in step, or with three fields that Marketo does not show yet."""
    mapping = rules.objects[LEAD]
    then = now - _AGE_SECONDS * 1_000
    told = {**facts(person.number), **link_values(rules.links, LEAD, person.salesforce, deleted=False)}
    fields = {key: _settled(neutral(mapping.by_key[key].type, value), then) for key, value in told.items() if key in mapping.by_key}
    if due:
        for key, value in changed(person.number).items():
            field = fields[key]
            side = Side(seen=value, seen_at=now, shows=2)
            fields[key] = Field(value=value, version=2, agreed_at=now, salesforce=side, marketo=field.marketo)
    return PairState(
        object=LEAD,
        fields=fields,
        salesforce=Record(id=person.salesforce, complete=True, at=then),
        marketo=Record(id=person.marketo, complete=True, at=then),
        due=(0, now if due else 0, 0, 0),
    )


def _settled(value: Value, at: int) -> Field:
    side = Side(seen=value, seen_at=at, shows=1)
    return Field(value=value, version=1, agreed_at=at, salesforce=side, marketo=side)


def _configuration() -> dict[str, Any]:
    def env(name: str) -> dict[str, str]:
        return {"env": f"TANDEM_{name}"}

    systems: dict[str, dict[str, Any]] = {
        system: {name: env(f"{system.upper()}_{name.upper()}") for name in ("url", "client_id", "client_secret")}
        for system in map(str, System)
    }
    systems[System.MARKETO]["calls_per_day"] = 5_000_000  # what a day allows is not what is measured
    return {
        **systems,
        "kafka": {"bootstrap_servers": env("KAFKA_BOOTSTRAP")},
        "postgres": {"dsn": env("POSTGRES_DSN")},
        "people": {"qualify": "everyone"},
        "first_copy": "automatic",
        "echo": "user",
        "web": {"host": env("WEB_HOST"), "port": env("WEB_PORT")},
        "log": {"level": "info", "format": "json"},
    }

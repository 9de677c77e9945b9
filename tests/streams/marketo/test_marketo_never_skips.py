"""Seeded histories with failures and crashes: every activity is told at least once, in its record's order."""

import asyncio
import random
from typing import Any

import pytest

from streams.marketo.api.rest import MarketoRest
from streams.marketo.sources.activities import ActivitySource
from streams.marketo.sources.decode import Decoding
from streams.marketo.sources.feed import LeadFeed
from streams.marketo.sources.pace import Pace
from streams.marketo.sources.poll import MarketoPollSource
from streams.wire.errors import Retry
from streams.wire.events import ChangeEvent, Happened
from tests.streams.marketo.marketo_stub import NOW_MS, OWN, SHOWN, MarketoStub, change, creation, deletion, failure

TYPES = {"firstName": "string", "leadScore": "score"}
PATHS = ("leadchanges", "deletedleads", "pagingtoken")


class World:
    """A log that grows, and what the source has told of it so far."""

    def __init__(self, stub: MarketoStub, seed: int) -> None:
        self.stub = stub
        self.dice = random.Random(seed)
        self.told: list[ChangeEvent] = []
        self.serial = 0
        stub.page = self.dice.randint(1, 5)
        stub.leads = {lead: {"id": lead, "firstName": "v0"} for lead in range(1, 5)}

    def grow(self) -> None:
        for _ in range(self.dice.randint(0, 6)):
            self.serial += 1
            lead, at = self.dice.randint(1, 4), NOW_MS + self.serial // 3 * 1000
            guid, author = f"g{self.serial}", self.dice.choice([OWN, None])
            row = self.dice.choice(
                [self._edit(guid, lead, at, author), creation(guid, lead, at=at, author=author), deletion(guid, lead, at=at)]
            )
            if row["activityTypeId"] == 13:
                self.stub.leads[lead]["firstName"] = f"v{self.serial}"
            self.stub.log.append(row)
            self.stub.now_ms = max(self.stub.now_ms, at)

    def _edit(self, guid: str, lead: int, at: int, author: str | None) -> dict[str, Any]:
        return change(guid, lead, "firstName", self.stub.leads[lead]["firstName"], f"v{self.serial}", at=at, author=author)

    def fail_sometimes(self) -> None:
        if self.dice.random() < 0.25:
            name = self.dice.choice([*PATHS, "leads"])
            folder = "/rest/v1/" if name == "leads" else "/rest/v1/activities/"
            self.stub.scripts[f"{folder}{name}.json"].append(failure(self.dice.choice(["604", "608", "713"])))

    def guids(self) -> list[str]:
        return [guid for event in self.told for guid in event.ref.split(",") if event.kind is not Happened.READ]

    def assert_nothing_skipped(self) -> None:
        first = list(dict.fromkeys(self.guids()))
        assert set(first) == {row["marketoGUID"] for row in self.stub.log}
        for lead in self.stub.leads:
            edits = [row["marketoGUID"] for row in self.stub.log if row["leadId"] == lead and row["activityTypeId"] == 13]
            assert [guid for guid in first if guid in edits] == edits


def feed_of(rest: MarketoRest, stub: MarketoStub, source: str) -> LeadFeed:
    return LeadFeed(rest, Decoding(source=source, types=TYPES, zone=stub.settings().zone, own_user=OWN, shown=SHOWN))


@pytest.mark.parametrize("seed", range(12))
async def test_the_live_source_tells_everything_whatever_fails(stub: MarketoStub, rest: MarketoRest, seed: int) -> None:
    world = World(stub, seed)
    position: str | None = None
    for round_number in range(12):
        last = round_number == 11
        source = ActivitySource(
            feed_of(rest, stub, "activities"),
            pace=Pace(min_seconds=0.001, max_seconds=0.002, calls_per_day_max=10**9),
            since_ms=NOW_MS,
            side_beat=2,
        )
        if last:
            stub.scripts.clear()
        batches = source.batches(position)
        try:
            async with asyncio.timeout(20):
                quiet = 0
                for _ in range(world.dice.randint(1, 6) if not last else 10_000):
                    if not last:
                        world.fail_sometimes()
                        world.grow()
                    batch = await anext(batches)
                    world.told += batch.events  # published; a crash may come before the position is saved
                    if last or world.dice.random() < 0.7:
                        position = batch.position
                    quiet = quiet + 1 if batch.caught_up and not batch.events else 0
                    if quiet > 60 and last:  # deletions are walked a few pages a beat
                        break
        except Retry:
            continue
        finally:
            await batches.aclose()
    world.assert_nothing_skipped()


@pytest.mark.parametrize("seed", range(12))
async def test_the_poll_tells_everything_that_the_ledger_lacks_whatever_fails(stub: MarketoStub, rest: MarketoRest, seed: int) -> None:
    world = World(stub, seed)
    known: set[str] = set()

    async def unseen(events: list[ChangeEvent]) -> list[ChangeEvent]:
        return [event for event in events if not known.issuperset(event.ref.split(","))]

    position: str | None = None
    for round_number in range(12):
        last = round_number == 11
        if last:
            stub.scripts.clear()
        batches = MarketoPollSource(feed_of(rest, stub, "poll"), unseen=unseen, since_ms=NOW_MS, interval_seconds=0.001).batches(position)
        cycles = 0
        try:
            async with asyncio.timeout(20):
                for _ in range(world.dice.randint(1, 6) if not last else 10_000):
                    if not last:
                        world.fail_sometimes()
                        world.grow()
                    batch = await anext(batches)
                    world.told += batch.events
                    if last or world.dice.random() < 0.7:
                        position = batch.position
                        known.update(world.guids())
                    cycles += batch.caught_up
                    if last and cycles == 2:  # the first may be an interrupted one, begun before the last edits
                        break
        except Retry:
            continue
        finally:
            await batches.aclose()
    world.assert_nothing_skipped()

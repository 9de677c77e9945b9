"""Seeded histories: rows that change at any time and become visible late, a poll that is killed anywhere. Nothing may stay unseen."""

import random
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from streams.budget.port import Lane
from streams.salesforce.api.answers import DeletedRows, Page
from streams.salesforce.api.rest import SalesforceRest
from streams.salesforce.api.soql import moment, moment_ms
from streams.salesforce.sources import poll as poll_module
from streams.salesforce.sources.poll import PollSource
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import salesforce_id
from tests.streams.salesforce.entities import LEADS

LAG, OVERLAP = 60.0, 600.0
START = 1_900_000_000_000


class CrashedError(Exception):
    """The process died here."""


@dataclass
class Lead:
    """What a row is, and since when that can be seen."""

    id: str
    stamp_ms: int
    visible_ms: int
    title: int
    gone: bool = False
    purged: bool = False


@dataclass
class World:
    """An org with time; it answers what the poll asks, may die at any call, and changes while it is asked."""

    dice: random.Random
    now_ms: int = START
    rows: dict[str, Lead] = field(default_factory=dict)
    before: dict[str, Lead] = field(default_factory=dict)
    calls: int = 0
    crash_chance: float = 0.0

    def live(self, seconds: float, changes: int) -> None:
        """Time passes; people work."""
        for _ in range(changes):
            self.now_ms += int(seconds * 1000 / changes)
            self._change()

    def _change(self) -> None:
        number = self.dice.randrange(40)
        record = salesforce_id(f"00Q5f{number:010d}")
        old = self.rows.get(record)
        if old is not None and old.gone:
            return
        stamp = self.now_ms // 1000 * 1000
        late = self.dice.choice([0, 0, 0, 5_000, 59_000, int((LAG + OVERLAP) * 1000) - 2000])
        gone = old is not None and self.dice.random() < 0.1
        if old is not None:
            self.before[record] = old
        self.rows[record] = Lead(record, stamp, self.now_ms + late, self.dice.randrange(1000), gone, gone and self.dice.random() < 0.5)

    def visible(self) -> list[Lead]:
        seen = []
        for record, row in self.rows.items():
            if row.visible_ms <= self.now_ms:
                seen.append(row)
            elif record in self.before and self.before[record].visible_ms <= self.now_ms:
                seen.append(self.before[record])
        return sorted(seen, key=lambda row: (row.stamp_ms, row.id))

    def _asked(self) -> None:
        self.calls += 1
        if self.crash_chance == 0.0:
            return  # the quiet end
        if self.dice.random() < self.crash_chance:
            raise CrashedError
        self.live(2.0, 1)

    async def server_time(self, lane: Lane, *, gathered: bool) -> int:
        return self.now_ms // 1000 * 1000

    async def page(self, soql: str, lane: Lane, *, everything: bool = False, gathered: bool) -> Page:
        self._asked()
        words = soql.split()
        bounds = {sign: moment_ms(words[at + 2]) for at, word in enumerate(words) if word == "SystemModstamp" for sign in [words[at + 1]]
                  if sign in (">=", "<")}  # fmt: skip
        found = [row for row in self.visible() if bounds.get(">=", 0) <= row.stamp_ms < bounds["<"] and not row.gone]
        if "(SystemModstamp" in soql:
            stamp, record = moment_ms(words[words.index("(SystemModstamp") + 2]), soql.split("Id > '")[1][:18]
            found = [row for row in found if (row.stamp_ms, row.id) > (stamp, record)]
        rows: list[dict[str, Any]] = [{"Id": row.id, "SystemModstamp": moment(row.stamp_ms), "Title": row.title} for row in found[:3]]
        return Page(rows=rows, total=len(rows), next_url=None, at=self.now_ms, until=self.now_ms + 1000)

    async def query_all(self, soql: str, lane: Lane, *, gathered: bool = False) -> AsyncIterator[list[dict[str, Any]]]:
        self._asked()
        if "WHERE Id" in soql:
            bin_ = [row for row in self.visible() if row.id in soql and not row.purged]
            yield [{"Id": row.id, "IsDeleted": row.gone, "MasterRecordId": None} for row in bin_]
            return
        start, end = (moment_ms(word) for word in soql.split() if word.startswith("20"))
        rows = [row for row in self.visible() if row.gone and not row.purged and start <= row.stamp_ms < end]
        yield [{"Id": row.id, "SystemModstamp": moment(row.stamp_ms), "MasterRecordId": None} for row in rows]

    async def deleted(self, obj: str, start_ms: int, end_ms: int, lane: Lane, *, gathered: bool) -> DeletedRows:
        self._asked()
        ids = {row.id: row.stamp_ms for row in self.visible() if row.gone and start_ms <= row.stamp_ms < end_ms}
        return DeletedRows(ids=ids, covered_ms=end_ms)


async def _history(seed: int) -> tuple[dict[str, Any], dict[str, Any], int]:
    """What the poll told of each record in the end, what is so, and how many times it died."""
    dice = random.Random(seed)
    world = World(dice)
    world.live(3600, 60)
    position: str | None = None
    told: dict[str, Any] = {}
    crashes = 0
    for step in range(30):
        if step > 24:
            world.crash_chance = 0.0
            world.now_ms += 400_000
        else:
            world.crash_chance = 0.2
            world.live(dice.choice([10, 120, 300, 2000]), dice.randrange(1, 12))
        rest = cast(SalesforceRest, world)
        source = PollSource(rest, LEADS, ["Title"], lag_seconds=LAG, overlap_seconds=OVERLAP, once=True, deletes_percent_max=100)
        try:
            async with aclosing(source.batches(position)) as batches:
                async for batch in batches:
                    for event in batch.events:
                        told[event.id] = _telling(event)
                    if dice.random() < 0.9 or world.crash_chance == 0:
                        position = batch.position  # else it died between Kafka's acknowledgement and the save
        except CrashedError:
            crashes += 1
    true = {row.id: None if row.gone else row.title for row in world.rows.values()}
    return told, true, crashes


def _telling(event: ChangeEvent) -> Any:
    return None if event.kind is Happened.DELETED else event.fields["Title"]


@pytest.mark.parametrize("seed", range(25))
async def test_in_the_end_the_poll_has_told_everything(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll_module, "PAGE_ROWS", 3)
    told, true, crashes = await _history(seed)
    assert crashes > 0
    known = {record: title for record, title in true.items() if record in told or title is not None}
    assert {record: told.get(record, "never told") for record in known} == known


async def test_a_history_can_be_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll_module, "PAGE_ROWS", 3)
    assert await _history(3) == await _history(3)

"""Activities of Marketo as tasks in Salesforce: only those that are chosen, of people who are there, each once, and never told back."""

from collections.abc import Sequence
from datetime import UTC
from typing import Any, cast

import pytest

from consumers.errands.errand import CreateTask
from consumers.errands.retelling import NAME, Retelling, Retold, task_of
from consumers.errands.store import Asked
from streams.marketo.api.wire import ActivityType, Page, PagingToken
from streams.relay.positions import Standing
from streams.wire.errors import Retry
from tests.consumers.families.diary import CREATED, Diary
from tests.consumers.families.family import CONTACT

RETOLD = Retold(types=("Fill Out Form",), subject="{type}: {primary}", status="Completed", zone=UTC, own=frozenset({"Salesforce Task"}))


class Log:
    """Marketo's log, and where errands are asked for. `rows`: (when in seconds, person, GUID, type)."""

    def __init__(self, now: int) -> None:
        self.now, self.rows = now, list[tuple[int, str, str, int]]()
        self.asked: dict[str, Asked] = {}
        self.batches = 0
        self.position: Standing = Standing(source=NAME, epoch=1)
        self.dies = False

    async def activity_types(self, lane: Any) -> list[ActivityType]:
        del lane
        return [ActivityType(id=2, name="Fill Out Form", attributes=[]), ActivityType(id=100_001, name="Salesforce Task", attributes=[])]

    async def paging_token(self, since_ms: int, lane: Any) -> PagingToken:
        del lane
        return PagingToken(token=str(since_ms // 1000), server_ms=self.now)

    async def activities(self, token: str, types: Sequence[int], lane: Any) -> Page:
        del lane
        rows = [
            {
                "marketoGUID": guid, "leadId": int(lead), "activityTypeId": kind, "primaryAttributeValue": "Webinar",
                "activityDate": f"2023-11-14T{at // 3600 % 24:02d}:{at // 60 % 60:02d}:{at % 60:02d}Z", "attributes": [],
            }
            for at, lead, guid, kind in self.rows
            if kind in types and at >= int(token)
        ]  # fmt: skip
        return Page(rows=rows, token=token, more=False, at=0, until=0)

    async def ask(self, name: str, asked_by: str, errands: Sequence[Asked], now: int) -> bool:
        del name, asked_by, now
        self.batches += 1
        for each in errands:
            self.asked.setdefault(each.name, each)
        return True

    async def take(self, source: str) -> Standing:
        del source
        return self.position

    async def save(self, standing: Standing, position: str, feed_ms: int | None, *, caught_up: bool = False) -> None:
        del caught_up
        if self.dies:
            raise Retry("the database is away")
        self.position = Standing(source=standing.source, epoch=1, position=position, feed_ms=feed_ms)


def retelling(family: Diary, log: Log, retold: Retold = RETOLD) -> Retelling:
    told: Any = log
    return Retelling(told, told, family.ledger, told, retold, clock=family.clock)


@pytest.fixture
async def family() -> Diary:
    made = Diary()
    made.there = made.org.add(CONTACT, LastName="Ada", Email="ada@example.com")  # type: ignore[attr-defined]
    await made.rest()
    return made


def lead_of(family: Diary) -> str:
    return family.pair(cast("Any", family).there).marketo.id


async def test_only_what_happens_from_the_first_start_on_is_asked_for_and_once(family: Diary) -> None:
    log = Log(1_700_000_000_000)
    mine = lead_of(family)
    log.rows = [(1_699_999_900, mine, "before", 2)]
    reading = retelling(family, log)
    assert await reading.walk() == 0
    log.now += 60_000
    log.rows += [(1_700_000_010, mine, "a", 2), (1_700_000_011, "4711", "stranger", 2), (1_700_000_012, mine, "other type", 3)]
    assert await reading.walk() == 1
    assert await reading.walk() == 0, "what is known is not asked for again"
    assert await retelling(family, log).walk() == 1, "a worker that remembers nothing asks under the same name"
    assert list(log.asked) == ["activity/a"]
    assert log.asked["activity/a"].person == mine
    assert log.asked["activity/a"].request == CreateTask("Fill Out Form: Webinar", "2023-11-14", "", "Completed", "", "")


async def test_what_comes_late_is_found(family: Diary) -> None:
    log = Log(1_700_000_000_000)
    reading = retelling(family, log)
    await reading.walk()
    log.now += 300_000
    await reading.walk()
    log.rows = [(1_700_000_100, lead_of(family), "late", 2)]
    assert await reading.walk() == 1


async def test_a_crash_before_the_place_is_kept_asks_under_the_same_names(family: Diary) -> None:
    log = Log(1_700_000_000_000)
    await retelling(family, log).walk()
    log.rows = [(1_700_000_010, lead_of(family), "a", 2)]
    log.dies = True
    with pytest.raises(Retry):
        await retelling(family, log).walk()
    log.dies = False
    await retelling(family, log).walk()
    assert list(log.asked) == ["activity/a"]


async def test_types_that_are_not_there_and_our_own_are_said(family: Diary) -> None:
    retold = Retold(types=("Fill Out Form", "Nonsense", "Salesforce Task"), subject="x", status="", zone=UTC, own=RETOLD.own)
    reading = retelling(family, Log(1_700_000_000_000), retold)
    await reading.walk()
    assert "called Nonsense" in (reading.trouble or "")
    assert "Salesforce Task: Tandem writes these itself" in (reading.trouble or "")


def test_a_task_says_what_the_activity_says() -> None:
    row = {"activityTypeId": 2, "primaryAttributeValue": "x" * 300, "attributes": [{"name": "Referrer", "value": "a.example"}]}
    told = task_of(row, {2: "Fill Out Form"}, RETOLD)
    assert (len(told.subject), told.comments, told.due) == (255, "Referrer: a.example", "")
    assert task_of({"activityTypeId": 2}, {2: "Fill Out Form"}, RETOLD).subject == "Fill Out Form"


async def test_a_task_that_tandem_made_is_not_told_back(family: Diary) -> None:
    own, other = "005000000000999AAA", "005000000000001AAA"
    made = family.task(cast("Any", family).there, CreatedById=own)
    theirs = family.task(cast("Any", family).there, CreatedById=other, CreatedDate=CREATED)
    await family.rest()
    assert family.times(made, theirs) == [0, 1]

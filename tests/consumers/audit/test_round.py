"""The round on a real ledger, both systems in memory: every silent corruption is found while people work on, and nothing else is."""

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import asyncpg
import msgspec
import pytest

from consumers.audit import auditor as auditing
from consumers.audit import reading as reading_rooms
from consumers.audit.auditor import Audited, Auditor
from consumers.audit.book import AGAIN_MS, Book
from consumers.audit.compare import Class
from consumers.audit.reading import Reader
from consumers.ledger.port import Pair
from consumers.ledger.postgres.ledger import open_ledger
from consumers.merge.pair.state import Field, PairState, Record, Side
from consumers.reports.standing.drift import drift
from streams.wire.errors import Reject
from streams.wire.events import ChangeEvent, Value
from streams.wire.systems import LEAD, PERSON, Object, System
from tests.consumers.merge.person_pair import LINKS, MK, SF, T, agreed, paired, reading, terms

pytestmark = pytest.mark.integration

TERMS = terms()
CONFIRM_MS, PAGE = 60_000, 100


def ours(number: int) -> str:
    return f"00Q{number:012d}EAA"


def state_of(number: int, title: Field | None = None) -> PairState:
    """A pair in step."""
    made = paired(title=title or agreed("a"), **{LINKS.lead_id: agreed(ours(number))})
    return msgspec.structs.replace(
        made,
        salesforce=Record(id=ours(number), complete=True, seq=1, at=T),
        marketo=Record(id=str(number), complete=True, at=T),
    )


class Sides:
    """Both systems: rows, and a clock."""

    batch_max = 300

    def __init__(self, count: int) -> None:
        self.now, self.calls = T + 3_600_000, 0
        common: dict[str, Value] = {"Email": "ada@example.com", "LastName": "Lovelace", "Title": "a", "Score__c": 10}
        common |= {"HasOptedOutOfEmail": False, "CreatedDate": "2023-01-01T00:00:00Z"}
        self.rows: dict[System, dict[str, dict[str, Value]]] = {
            SF: {ours(number): dict(common) for number in range(1, count + 1)},
            MK: {
                str(number): {
                    "email": "ada@example.com", "lastName": "Lovelace", "title": "a", "leadScore": 10, "unsubscribed": False,
                    LINKS.lead_id: ours(number), LINKS.type: "Lead", LINKS.is_deleted: False,
                }
                for number in range(1, count + 1)
            },
        }  # fmt: skip

    def shown(self, system: System, record: str) -> ChangeEvent | None:
        row = self.rows[system].get(record)
        return None if row is None else reading(system, row, self.now, id=record)

    async def behind(self, obj: Object, after: str, most: int, lane: object, where: Sequence[str] = ()) -> list[ChangeEvent]:
        assert (obj, where) == (LEAD, [])
        self.calls += 1
        ids = sorted(each for each in self.rows[SF] if each > after)[:most]
        return [event for each in ids if (event := self.shown(SF, each)) is not None]


class OneSide:
    """One of them, as what reads it."""

    batch_max = 300

    def __init__(self, sides: Sides, system: System) -> None:
        self._sides, self._system = sides, system

    async def read(self, obj: Object, ids: Sequence[str], lane: object) -> dict[str, ChangeEvent | None]:
        assert obj == (LEAD if self._system is SF else PERSON)
        assert len(ids) <= self.batch_max
        self._sides.calls += 1
        return {each: self._sides.shown(self._system, each) for each in ids}

    async def surely_deleted(self, obj: Object, ids: Sequence[str], lane: object) -> frozenset[str]:
        return frozenset(each for each in ids if each not in self._sides.rows[self._system])


class Office:
    """An auditor at work on a ledger."""

    def __init__(self, pool: Any, ledger: Any, sides: Sides) -> None:
        self.pool, self.ledger, self.sides = pool, ledger, sides
        self.numbers: dict[int, int] = {}
        book = Book(pool, [LEAD])
        writers: Any = {system: OneSide(sides, system) for system in System}
        reader = Reader(writers, sides, book, TERMS.rules, self._never)
        self.auditor = Auditor(
            book, reader, TERMS, {}, clock=lambda: sides.now, confirm_ms=CONFIRM_MS, every_ms=1, wait_seconds=self._at_once, scopes={},
            late=self._no, audited=self._nothing,
        )  # fmt: skip

    async def _never(self, _: Reject) -> bool:
        return False

    async def _no(self) -> bool:
        return False

    async def _at_once(self, _: Mapping[System, int]) -> float:
        return 0.0

    async def _nothing(self, _: Audited, __: Book) -> None:
        pass

    async def know(self, states: Mapping[int, PairState]) -> None:
        """The ledger has these."""
        async with self.ledger.transaction() as tx:
            known = await tx.by_id([self.numbers[number] for number in states if number in self.numbers])
            pairs = []
            for number, state in states.items():
                pair = known.get(self.numbers.get(number, 0)) or Pair(id=0, state=state, loaded=None)
                pair.state = state
                pairs.append((number, pair))
            await tx.save([pair for _, pair in pairs], self.sides.now)
            self.numbers |= {number: pair.id for number, pair in pairs}

    async def rounds(self, count: int, meanwhile: Callable[[], Any]) -> None:
        """So many times everything, and whatever is in doubt."""
        await self.auditor.begin()
        for _ in range(count):
            wanted = await self.pool.fetchval("select min(rounds) + 1 from audits")
            while await self.pool.fetchval("select min(rounds) from audits") < wanted:
                self.sides.now += 1_000
                assert await self.auditor.step() is not None
                await meanwhile()
            self.sides.now += CONFIRM_MS
            while (again := await self.auditor.again()) is not None and again.reread:
                await meanwhile()

    async def found(self, *classes: Class) -> set[tuple[str, str]]:
        wanted = [str(each) for each in classes or (Class.TRUE_DRIFT,)]
        rows = await self.pool.fetch("select record, field from differences where closed_ms is null and class = any($1::text[])", wanted)
        return {(row["record"], row["field"]) for row in rows}


@pytest.fixture
async def office(postgres: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[[int], Any]]:
    """Makes one, with so many people in step."""
    monkeypatch.setattr(auditing, "PAGE", PAGE)
    monkeypatch.setattr(reading_rooms, "PAGE", PAGE)
    ledger = await open_ledger(postgres)
    async with asyncpg.create_pool(postgres, min_size=1, max_size=2) as pool:

        async def make(count: int) -> Office:
            made = Office(pool, ledger, Sides(count))
            await made.know({number: state_of(number) for number in range(1, count + 1)})
            return made

        yield make
    await ledger.close()


async def nothing() -> None:
    """Nobody does anything."""


async def test_twelve_of_six_hundred_are_found_while_people_work_on(office: Callable[[int], Any]) -> None:
    dice, here = random.Random(7), await office(600)
    corrupted = dice.sample(range(1, 601), 12)
    for place, number in enumerate(corrupted):
        row = here.sides.rows[MK][str(number)] if place % 2 else here.sides.rows[SF][ours(number)]
        row["title" if place % 2 else "Title"] = "bent"
    busy = [number for number in range(1, 601) if number not in corrupted]
    under_way: dict[int, int] = {}
    version = 1

    async def people_work() -> None:
        """Each edit is in Salesforce first, in the ledger and in Marketo some steps later."""
        nonlocal version
        version += 1
        done = {number: title for number, title in under_way.items() if title < version - 3}
        for number, title in done.items():
            here.sides.rows[MK][str(number)]["title"] = f"edit {title}"
            del under_way[number]
        states = {}
        for number, title in done.items():
            side = Side(seen=f"edit {title}", seen_at=here.sides.now, shows=title)
            states[number] = state_of(number, agreed(f"edit {title}", title, salesforce=side, marketo=side))
        if states:
            await here.know(states)
        number = dice.choice([each for each in busy if each not in under_way])
        under_way[number] = version
        here.sides.rows[SF][ours(number)]["Title"] = f"edit {version}"

    await here.rounds(3, people_work)
    assert await here.found() == {(ours(number), "title") for number in corrupted}
    spent = await here.pool.fetch("select proven_records, rounds from audits where part = 'both'")
    assert [(row["proven_records"], row["rounds"]) for row in spent] == [(600, 3)]


async def test_what_no_pair_has_is_in_doubt_until_one_has_it_or_it_has_had_its_time(office: Callable[[int], Any]) -> None:
    here = await office(3)
    await here.rounds(1, nothing)
    made = "2036-01-01T00:00:00.000+0000"  # since the audit watches
    for number in (4, 5):
        here.sides.rows[SF][ours(number)] = {**here.sides.rows[SF][ours(1)], "CreatedDate": made}
    here.sides.now += 86_400_000 * 365 * 13
    await here.rounds(1, nothing)
    assert await here.found(Class.IN_FLIGHT, Class.TRUE_DRIFT) >= {(ours(4), ""), (ours(5), "")}
    await here.know({4: state_of(4)})
    here.sides.rows[MK]["4"] = {**here.sides.rows[MK]["1"], LINKS.lead_id: ours(4)}
    await here.rounds(2, nothing)
    assert await here.found(*Class) == {(ours(5), "")}
    assert await here.found() == {(ours(5), "")}
    del here.sides.rows[SF][ours(5)]
    here.sides.now += 3_600_000
    await here.rounds(1, nothing)
    assert await here.found(*Class) == set()


async def test_what_can_not_be_compared_is_not_proven_and_says_why(office: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    here = await office(3)
    await here.auditor.begin()

    async def refused(*_: object, **__: object) -> list[ChangeEvent]:
        raise Reject("no permission to read leads")

    readable = Sides.behind
    monkeypatch.setattr(Sides, "behind", refused)
    steps = 0
    while await here.auditor.step() is not None:
        steps += 1
        assert steps < 5, "it would be tried without end"
    kept = await here.pool.fetch("select rounds, proven_ms, why from audits where part = 'both'")
    assert [tuple(row) for row in kept] == [(0, 0, "no permission to read leads")]
    async with here.pool.acquire() as connection:
        told = await drift(connection, only=None, classes=list(Class), most=10, salesforce_a_day=10, marketo_a_day=10)
    assert [(each.object, each.rounds, each.why) for each in told.kept_back] == [("lead", 0, "no permission to read leads")]
    monkeypatch.setattr(Sides, "behind", readable)
    assert await here.auditor.step() is None, "only after a while"
    here.sides.now += AGAIN_MS
    await here.rounds(1, nothing)
    proven = await here.pool.fetch("select why, proven_ms > 0 as proven from audits")
    assert {tuple(row) for row in proven} == {("", True)}


async def test_what_can_not_be_read_again_keeps_nothing_else(office: Callable[[int], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    here = await office(3)
    here.sides.rows[MK]["2"]["title"] = "corrupted"
    await here.auditor.begin()
    while await here.pool.fetchval("select min(rounds) from audits") < 1:
        assert await here.auditor.step() is not None
    here.sides.now += CONFIRM_MS

    async def refused(*_: object, **__: object) -> dict[int, object]:
        raise Reject("no permission to read leads")

    with monkeypatch.context() as patch:
        patch.setattr(Reader, "both", refused)
        tried = await here.auditor.again()
        assert tried is not None
        assert tried.reread == 0
        assert await here.auditor.again() is None, "only after a while"
    assert await here.found(Class.IN_FLIGHT) == {(ours(2), "title")}
    here.sides.now += AGAIN_MS
    assert (await here.auditor.again()).reread == 1
    assert await here.found() == {(ours(2), "title")}


async def test_what_goes_unseen_is_found_on_either_side(office: Callable[[int], Any]) -> None:
    here = await office(5)
    del here.sides.rows[SF][ours(2)]
    del here.sides.rows[MK]["3"]
    await here.rounds(3, nothing)
    assert await here.found() == {(ours(2), ""), (ours(3), "")}

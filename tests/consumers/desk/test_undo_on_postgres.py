"""A bad import undone: what still stands is taken back, what people have changed since stays and is named; and the undo can be undone."""

from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest

from consumers.desk.chronicle import decided_about
from consumers.desk.doing import Doing
from consumers.desk.undo import undo
from consumers.desk.undoing import Selection
from consumers.judging.batch import NOWHERE, Judging
from consumers.ledger.port import Duty, Pair
from consumers.ledger.postgres.ledger import PostgresLedger, open_ledger
from consumers.merge.terms import Terms
from consumers.reports.proof.agreement import verify
from consumers.reports.records.derived import then
from streams.wire.events import ChangeEvent, Value
from streams.wire.systems import System
from tests.consumers.merge.person_pair import MK, SF, T, event, terms
from tests.consumers.pairs_in_memory import ids, owing

pytestmark = pytest.mark.integration
IMPORT, ANN = "005000000000009AAA", "005000000000002AAA"
TERMS = terms()
BATCH = 500


class Ticking:
    """A clock that nobody finds twice at the same moment."""

    def __init__(self) -> None:
        self.now = T + 100_000

    def __call__(self) -> int:
        self.now += 1
        return self.now


@pytest.fixture
async def doing(postgres: str) -> AsyncIterator[Doing]:
    ledger = await open_ledger(postgres)
    pool = await asyncpg.create_pool(postgres, min_size=1, max_size=2)
    yield Doing(pool, ledger, TERMS, Ticking(), who="ann")
    await pool.close()
    await ledger.close()


def edit(number: int, title: str, at: int, author: str, system: System = SF, **more: Value) -> ChangeEvent:
    name = "Title" if system is SF else "title"
    return event(system, {name: title, **more}, at, id=ids(number)[system], author=author, call="bulk-1" if author == IMPORT else None)


async def people(doing: Doing, count: int) -> dict[int, int]:
    """By number: the pair. Each is in step, with a title of its own, of which a decision tells."""
    pairs = [Pair(id=0, state=TERMS.with_due(owing(number, MK, "a"), T), loaded=None) for number in range(1, count + 1)]
    for begin in range(0, count, BATCH):
        async with doing.ledger.transaction() as tx:
            await tx.save(pairs[begin : begin + BATCH], T)
    await judge(doing, [edit(number, f"true {number}", T + 1_000, ANN) for number in range(1, count + 1)])
    return {number: pair.id for number, pair in enumerate(pairs, 1)}


async def judge(doing: Doing, events: list[ChangeEvent], terms: Terms = TERMS) -> None:
    for begin in range(0, len(events), BATCH):
        part = events[begin : begin + BATCH]
        async with doing.ledger.transaction() as tx:
            judging = Judging(tx, terms, doing.clock())
            await judging.load(part)
            for each in part:
                judging.judge(each, NOWHERE)
            await judging.save()


async def titles(doing: Doing, pairs: dict[int, int]) -> dict[int, Value]:
    async with doing.trial(apply=False) as tx:
        known = await tx.by_id(sorted(pairs.values()))
    return {number: known[pair].state.fields["title"].value for number, pair in pairs.items()}


@pytest.mark.parametrize(("count", "edited"), [(60, 6), pytest.param(10_000, 300, marks=pytest.mark.slow)])
async def test_a_bad_import_is_undone_but_for_what_people_changed_since(doing: Doing, count: int, edited: int) -> None:
    pairs = await people(doing, count)
    await judge(doing, [edit(number, "BAD", T + 2_000, IMPORT) for number in pairs])
    await judge(doing, [edit(number, f"mended {number}", T + 3_000, ANN) for number in range(1, edited + 1)])
    chosen = Selection(actor=IMPORT, since=T + 1_500, until=T + 2_500)
    seen = await undo(doing, chosen, apply=False)
    assert (seen.records, seen.fields, len(seen.kept)) == (count - edited, count - edited, edited)
    assert (await titles(doing, pairs))[count] == "BAD", "nothing is done unless asked for"
    done = await undo(doing, chosen, apply=True, reason="the wrong file")
    assert (done.records, len(done.kept)) == (count - edited, edited)
    assert {(each.by, each.why, each.at) for each in done.kept} == {(ANN, "it was changed again since", T + 3_000)}
    assert await titles(doing, pairs) == {
        number: f"mended {number}" if number <= edited else f"true {number}" for number in pairs
    }  # fmt: skip
    again = await undo(doing, chosen, apply=True)
    assert (again.records, len(again.kept)) == (0, edited), "what is undone already is left alone"
    back = await undo(doing, Selection(cause=done.cause), apply=True)
    assert (back.records, back.kept) == (count - edited, ())
    assert set((await titles(doing, pairs)).values()) == {"BAD"} | {f"mended {number}" for number in range(1, edited + 1)}


async def test_what_a_version_of_the_rules_decided_is_taken_back_and_what_people_decided_is_not(doing: Doing) -> None:
    pairs, seventh = await people(doing, 3), replace(TERMS, version=7)
    await judge(doing, [edit(1, "by the seventh", T + 2_000, ANN)], seventh)
    await judge(doing, [edit(2, "by another", T + 2_000, ANN)], replace(TERMS, version=8))
    await judge(doing, [edit(3, "by the seventh", T + 2_000, ANN)], seventh)
    doing.terms = seventh
    once = await undo(doing, Selection(config=7), apply=True)
    assert (once.records, once.kept) == (2, ())
    assert await titles(doing, pairs) == {1: "true 1", 2: "by another", 3: "true 3"}
    assert (await undo(doing, Selection(config=7), apply=True)).records == 0, "the undo is a person's, under whatever rules"
    assert not Selection(config=7).empty


async def test_what_is_owed_by_an_undo_stands_behind_peoples_edits(doing: Doing) -> None:
    pairs = await people(doing, 2)
    await doing.pool.execute("delete from due")
    async with doing.ledger.transaction() as tx:
        for pair in (await tx.by_id(sorted(pairs.values()))).values():
            pair.state = pair.state.with_fields({})
            pair.state.due = (0, 0, 0, 0)
            await tx.save([pair], T)
    await judge(doing, [edit(1, "BAD", T + 2_000, IMPORT)])
    assert isinstance(doing.ledger, PostgresLedger)
    assert await doing.ledger.waiting(Duty.WRITE_MARKETO, T + 10**7) == 0
    done = await undo(doing, Selection(cause="bulk-1"), apply=True)
    assert [dict(write.fields) for each in done.examples for write in each.writes] == [{"Title": "true 1"}, {"title": "true 1"}]


async def test_scores_lose_what_the_import_added_even_where_they_went_on(doing: Doing) -> None:
    pairs = await people(doing, 1)
    await judge(doing, [event(SF, {"Score__c": 12}, T + 1_100, id=ids(1)[SF], author=ANN)])
    before = (await state_of(doing, pairs[1]))["leadScore"]
    await judge(doing, [event(SF, {"Score__c": 1_000}, T + 2_000, id=ids(1)[SF], author=IMPORT)])
    await judge(doing, [event(SF, {"Score__c": 1_007}, T + 3_000, id=ids(1)[SF], author=ANN)])
    now = (await state_of(doing, pairs[1]))["leadScore"]
    assert isinstance(now, (int, float))
    done = await undo(doing, Selection(actor=IMPORT), apply=True)
    after = (await state_of(doing, pairs[1]))["leadScore"]
    assert (done.fields, after) == (1, before + 7), f"it was {now}"  # type: ignore[operator]


async def state_of(doing: Doing, pair: int) -> dict[str, Value]:
    async with doing.trial(apply=False) as tx:
        return {key: field.value for key, field in (await tx.by_id([pair]))[pair].state.fields.items()}


async def test_what_somebody_wrote_between_two_imports_is_what_comes_back(doing: Doing) -> None:
    pairs = await people(doing, 1)
    for at, title, author in ((2_000, "BAD", IMPORT), (3_000, "mended", ANN), (4_000, "BAD again", IMPORT)):
        await judge(doing, [edit(1, title, T + at, author)])
    await undo(doing, Selection(actor=IMPORT), apply=True)
    assert await titles(doing, pairs) == {1: "mended"}


async def test_the_decisions_tell_the_ledger_as_it_is_after_an_undo(doing: Doing) -> None:
    pairs = await people(doing, 1)
    await judge(doing, [edit(1, "BAD", T + 2_000, IMPORT)])
    await undo(doing, Selection(actor=IMPORT), apply=True)
    async with doing.pool.acquire() as connection:
        verified = await verify(connection, TERMS.rules)
        told = then(enumerate((await decided_about(connection, [pairs[1]]))[pairs[1]]))
    assert [each for each in verified.examples if each.field == "title"] == []
    title = told.fields["title"]
    assert title.agreed is not None
    assert (title.agreed.value, title.salesforce and title.salesforce.value) == ("true 1", "BAD"), "no side has shown it yet"


async def test_what_flows_one_way_is_named_and_left(doing: Doing) -> None:
    pairs = await people(doing, 1)
    await judge(doing, [event(SF, {"Website": "bad.example"}, T + 2_000, id=ids(1)[SF], author=IMPORT)])
    done = await undo(doing, Selection(actor=IMPORT), apply=True)
    assert (done.records, [each.field for each in done.kept]) == (0, ["website"])
    assert "one way" in done.kept[0].why
    assert (await state_of(doing, pairs[1]))["website"] == "bad.example"

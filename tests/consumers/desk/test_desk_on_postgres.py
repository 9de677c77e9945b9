"""The desk on a real ledger: looked at first, done on request, nothing newer lost, order per record kept."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from consumers.desk.deciding import Take, resolve
from consumers.desk.doing import Doing
from consumers.desk.forcing import force
from consumers.desk.holding import choose, read_again, retry_holds
from consumers.desk.letters import letters, open_letters
from consumers.desk.retrying import discard_letters, retry_letters
from consumers.desk.waiting import ambiguity, conflict, conflicts, grouped, holds
from consumers.judging.batch import NOWHERE, Judging
from consumers.ledger.port import Pair
from consumers.ledger.postgres.ledger import PostgresLedger, open_ledger
from consumers.mapping.fields import Rule, RuleName
from consumers.merge.lives.aside import FAULT
from consumers.merge.pair.decision import BY_HAND
from consumers.merge.pair.state import Field, PairState, Record, Side
from consumers.merge.terms import Terms
from consumers.reports.records.story import decisions_about
from streams.wire.codec import encode
from streams.wire.events import ChangeEvent, DeadLetter
from streams.wire.systems import LEAD, System
from tests.consumers.merge.person_pair import FIELDS, MK, SF, T, agreed, event, reading, rules, terms
from tests.consumers.pairs_in_memory import ids, owing, renamed

pytestmark = pytest.mark.integration

REVIEWED = tuple(
    mapping if mapping.key != "title" else type(mapping)(
        key="title", salesforce="Title", marketo="title", type=mapping.type, direction=mapping.direction,
        rule=Rule(name=RuleName.REVIEW, default=MK),
    )
    for mapping in FIELDS
)  # fmt: skip
NOW = T + 60_000


@dataclass
class Read:
    """Both systems, asked: each record as it is told here."""

    rows: Mapping[str, ChangeEvent]

    async def both(self, states: Mapping[int, PairState]) -> dict[int, dict[System, ChangeEvent | None]]:
        return {
            pair: {system: self.rows.get(state.record(system).id) for system in System if state.record(system).id}
            for pair, state in states.items()
        }


def review_terms() -> Terms:
    mapping = rules().objects[LEAD]
    return terms(objects={LEAD: type(mapping)(object=LEAD, fields=REVIEWED)})


@pytest.fixture
async def ledger(postgres: str) -> AsyncIterator[PostgresLedger]:
    opened = await open_ledger(postgres)
    yield opened
    await opened.close()


@pytest.fixture
async def doing(postgres: str, ledger: PostgresLedger) -> AsyncIterator[Doing]:
    pool = await asyncpg.create_pool(postgres, min_size=1, max_size=2)
    yield Doing(pool, ledger, review_terms(), lambda: NOW, who="ann")
    await pool.close()


async def fill(doing: Doing, *states: PairState) -> list[int]:
    pairs = [Pair(id=0, state=doing.terms.with_due(state, T), loaded=None) for state in states]
    for pair in pairs:
        pair.match_key = doing.terms.match_key(pair.state)
    async with doing.ledger.transaction() as tx:
        await tx.save(pairs, T)
    return [pair.id for pair in pairs]


async def judge(doing: Doing, *events: ChangeEvent) -> None:
    async with doing.ledger.transaction() as tx:
        judging = Judging(tx, doing.terms, NOW)
        await judging.load(events)
        for each in events:
            judging.judge(each, NOWHERE)
        await judging.save()


async def state_of(doing: Doing, number: int) -> PairState:
    async with doing.trial(apply=False) as tx:
        return (await tx.by_id([number]))[number].state


async def bury(doing: Doing, original: bytes, key: str = "", offset: int = 7, reason: str = "judging failed (ValueError at x.py:1)") -> int:
    topic = f"crm.salesforce.{LEAD}.v1"
    letter = DeadLetter(stage="observe", reason=reason, original=original, key=key, topic=topic, partition=0, offset=offset, at=T)
    async with doing.ledger.transaction() as tx:
        await tx.bury([letter])
    number: int = await doing.pool.fetchval("select max(id) from dead_letters")
    return number


async def deeds(doing: Doing, number: int) -> Any:
    async with doing.pool.acquire() as connection:
        return (await letters(connection, [number]))[0]


# -- dead letters ----------------------------------------------------------------------------------------------------------------
async def test_a_letter_is_only_looked_at_until_it_is_asked_for(doing: Doing) -> None:
    await fill(doing, renamed(owing(1, MK, "a"), 1))
    told = event(SF, {"Title": "new"}, T + 9_000, id=ids(1)[SF])
    letter = await bury(doing, encode(told), f"lead:{ids(1)[SF]}")
    (seen,) = await retry_letters(doing, [letter], apply=False)
    assert [(each.system, dict(each.fields)) for each in seen.writes] == [(MK, {"title": "new"})]
    assert (await state_of(doing, seen.pair)).fields["title"].value == "a"
    assert (await deeds(doing, letter)).attempts == ()
    (done,) = await retry_letters(doing, [letter], apply=True)
    assert done.writes == seen.writes
    assert (await state_of(doing, seen.pair)).fields["title"].value == "new"
    closed = await deeds(doing, letter)
    assert (closed.closed_how, closed.attempts[0].who) == ("retried", "ann")
    (again,) = await retry_letters(doing, [letter], apply=True)
    assert "closed already" in again.why


async def test_what_was_told_since_stays_when_an_older_letter_is_retried(doing: Doing) -> None:
    (pair,) = await fill(doing, renamed(owing(1, MK, "a"), 1))
    older, newer = (event(SF, {"Title": title}, T + at, id=ids(1)[SF]) for title, at in (("older", 9_000), ("newer", 9_500)))
    letter = await bury(doing, encode(older), f"lead:{ids(1)[SF]}")
    await judge(doing, newer)
    (done,) = await retry_letters(doing, [letter], apply=True)
    assert not done.why
    assert (await state_of(doing, pair)).fields["title"].value == "newer"


async def test_what_can_not_be_read_has_its_record_read_instead(doing: Doing) -> None:
    held = renamed(owing(1, MK, "a"), 1, hold=f"{FAULT} in an event of salesforce: it can't be read")
    (pair,) = await fill(doing, held)
    letter = await bury(doing, b"{", f"lead:{ids(1)[SF]}", reason="not a change event: truncated")
    nameless = await bury(doing, b"{", "", offset=8, reason="not a change event: truncated")
    told = await retry_letters(doing, [letter, nameless], apply=True)
    assert [bool(each.why) for each in told] == [False, True]
    assert (await state_of(doing, pair)).salesforce.reread
    assert [(await deeds(doing, each)).closed_how for each in (letter, nameless)] == ["retried", ""]
    assert (await deeds(doing, nameless)).attempts[0].what == told[1].why
    await judge(doing, reading(SF, {"Title": "read", "LastName": "Lovelace", "Email": "p1@example.com"}, T + 20_000, id=ids(1)[SF]))
    assert (await state_of(doing, pair)).hold == ""


async def test_letters_are_put_away_and_leave_the_list(doing: Doing) -> None:
    one, other = await bury(doing, b"{", "x", offset=1), await bury(doing, b"{", "y", offset=2)
    await discard_letters(doing.pool, [one], doing.attempt("x"), apply=False)
    async with doing.pool.acquire() as connection:
        assert [each.number for each in await open_letters(connection, most=9)] == [other, one]
        await discard_letters(doing.pool, [one], doing.attempt("discarded: a test"), apply=True)
        assert [each.number for each in await open_letters(connection, most=9)] == [other]
    assert (await deeds(doing, one)).attempts[0].what == "discarded: a test"


# -- holds -----------------------------------------------------------------------------------------------------------------------
async def test_holds_and_refusals_are_grouped_by_their_cause_and_tried_again(doing: Doing) -> None:
    stuck = renamed(owing(1, MK, "b"), 1, hold=f"{FAULT}: planning failed (ValueError)")
    refused = owing(2, MK, "b")
    side = type(refused.fields["title"].marketo)(seen="a", seen_at=T, shows=1, refused=2, reason="1003: too long (50)")
    refused = refused.with_fields({"title": refused.fields["title"].with_side(MK, side)})
    one, other = await fill(doing, stuck, refused)
    async with doing.pool.acquire() as connection:
        lines = await holds(connection, doing.terms.rules, most=9)
    assert {group.cause: group.count for group in grouped(lines)} == {"fault": 1, "refused-marketo-too-long": 1}
    seen = await retry_holds(doing, [one, other], apply=False)
    assert [dict(each.writes[0].fields) for each in seen] == [{"title": "b"}, {"title": "b"}]
    assert (await state_of(doing, one)).hold
    await retry_holds(doing, [one, other], apply=True)
    assert [(await state_of(doing, each)).due[1] > 0 for each in (one, other)] == [True, True]
    async with doing.pool.acquire() as connection:
        assert await holds(connection, doing.terms.rules, most=9) == []


async def test_a_person_chooses_whom_an_ambiguous_match_is(doing: Doing) -> None:
    ada = {"Email": "ada@example.com", "LastName": "Lovelace"}
    await judge(
        doing, *(reading(SF, {**ada, "Title": title}, T + 10_000, id=ids(n)[SF]) for n, title in ((1, "Countess"), (2, "Engineer")))
    )
    person = reading(MK, {"email": "ada@example.com", "lastName": "Lovelace", "title": "Engineer"}, T + 11_000, id="77")
    await judge(doing, person)
    async with doing.pool.acquire() as connection:
        held = await connection.fetchval("select id from pairs where marketo_id = '77'")
        told = await ambiguity(connection, held)
        assert told is not None
        candidates = {each.values["title"]: each.pair for each in told.candidates}
    assert candidates.keys() == {"Countess", "Engineer"}
    reader: Any = Read({"77": person})
    seen = await choose(doing, reader, held, candidates["Engineer"], apply=False)
    assert not seen.why
    assert (await state_of(doing, held)).hold
    done = await choose(doing, reader, held, candidates["Engineer"], apply=True)
    assert done.pair == candidates["Engineer"]
    state = await state_of(doing, candidates["Engineer"])
    assert (state.salesforce.id, state.marketo.id, state.hold) == (ids(2)[SF], "77", "")
    assert await doing.pool.fetchval("select count(*) from pairs where id = $1", held) == 0
    again = await choose(doing, reader, candidates["Engineer"], candidates["Countess"], apply=True)
    assert "not held" in again.why


# -- conflicts -------------------------------------------------------------------------------------------------------------------
async def in_conflict(doing: Doing) -> int:
    """Title was `a` on both sides; then Salesforce said `b`, and Marketo, which had not seen that, `c`."""
    (pair,) = await fill(doing, renamed(owing(1, MK, "a"), 1))
    start = {"title": agreed("a", 1)}
    async with doing.ledger.transaction() as tx:
        known = (await tx.by_id([pair]))[pair]
        known.state = doing.terms.with_due(known.state.with_fields(start), T)
        await tx.save([known], T)
    await judge(doing, event(SF, {"Title": "b"}, T + 9_000, id=ids(1)[SF]), event(MK, {"title": "c"}, T + 9_000, id=ids(1)[MK]))
    return pair


@pytest.mark.parametrize(("take", "value", "owed"), [(Take(side=SF), "b", MK), (Take(side=MK), "c", SF), (Take(value="d"), "d", None)])
async def test_a_conflict_is_shown_with_what_stood_before_and_decided(doing: Doing, take: Take, value: str, owed: System | None) -> None:
    pair = await in_conflict(doing)
    async with doing.pool.acquire() as connection:
        told = await conflict(connection, doing.terms.rules, pair, "title")
        assert told is not None
        assert (told.salesforce, told.marketo, told.cause) == ("b", "c", "review")
        assert [group.cause for group in grouped(await conflicts(connection, doing.terms.rules, most=9))] == ["review"]
    (seen,) = await resolve(doing, [(pair, "title")], take, apply=False)
    assert {each.system for each in seen.writes} == ({owed} if owed else {SF, MK})
    assert (await state_of(doing, pair)).fields["title"].hold
    await resolve(doing, [(pair, "title")], take, apply=True, reason="asked her")
    field = (await state_of(doing, pair)).fields["title"]
    assert (field.value, field.hold) == (value, "")
    async with doing.pool.acquire() as connection:
        assert await conflict(connection, doing.terms.rules, pair, "title") is None
    (again,) = await resolve(doing, [(pair, "title")], take, apply=True)
    assert "not held" in again.why


async def test_an_edit_after_the_decision_is_an_edit_like_any_other(doing: Doing) -> None:
    pair = await in_conflict(doing)
    await resolve(doing, [(pair, "title")], Take(side=SF), apply=True)
    await judge(doing, event(SF, {"Title": "later"}, T + 70_000, id=ids(1)[SF]))
    assert (await state_of(doing, pair)).fields["title"].value == "later"


# -- forced from one side ----------------------------------------------------------------------------------------------------------
def both_read(title: tuple[str, str], **more: str) -> Any:
    """Both systems, each showing its title; Salesforce alone tells `more`."""
    told: dict[str, Any] = {"Email": "p1@example.com", "LastName": "Lovelace", "Score__c": 10, "HasOptedOutOfEmail": False}
    there: dict[str, Any] = {"email": "p1@example.com", "lastName": "Lovelace", "leadScore": 10, "unsubscribed": False, "title": title[1]}
    person = reading(MK, there, T + 20_000, id=ids(1)[MK])
    return Read({ids(1)[SF]: reading(SF, {**told, "Title": title[0], **more}, T + 20_000, id=ids(1)[SF]), ids(1)[MK]: person})


@pytest.mark.parametrize(("source", "value", "target", "name"), [(SF, "b", MK, "title"), (MK, "c", SF, "Title")])
async def test_a_record_is_forced_from_the_side_that_is_chosen(doing: Doing, source: System, value: str, target: System, name: str) -> None:
    pair, reader = await in_conflict(doing), both_read(("b", "c"))
    seen = await force(doing, reader, pair, source, ["title"], apply=False)
    assert [(each.field, each.value, each.why) for each in seen.fields] == [("title", value, "")]
    assert seen.fields[0].instead == {"b": "c", "c": "b"}[value]
    assert (await state_of(doing, pair)).fields["title"].hold, "it was only looked at"
    done = await force(doing, reader, pair, source, ["title"], apply=True, reason="she said so")
    assert done.fields == seen.fields
    written = {(each.system, key): told for each in done.outcome.writes for key, told in each.fields.items()}
    assert {key: told for key, told in written.items() if key[1].casefold() == "title"} == {(target, name): value}
    state = await state_of(doing, pair)
    assert (state.fields["title"].value, state.fields["title"].hold) == (value, "")
    async with doing.pool.acquire() as connection:
        told = [decision for _, decision in await decisions_about(connection, pair, "title", most=9)]
    newest, *before = told
    assert (newest.kind, newest.event and newest.event.author) == (BY_HAND, "ann")
    assert before, "what was told before is there still"


async def test_what_a_side_shows_now_is_what_is_forced(doing: Doing) -> None:
    """The ledger knows nothing yet of what Salesforce has come to."""
    pair = await in_conflict(doing)
    done = await force(doing, both_read(("newer", "c")), pair, SF, [], apply=True)
    assert {each.field: each.value for each in done.fields if not each.why}["title"] == "newer"
    assert (await state_of(doing, pair)).fields["title"].value == "newer"


async def test_what_can_not_be_forced_is_said(doing: Doing) -> None:
    pair = await in_conflict(doing)
    told = await force(doing, both_read(("b", "c"), Website="https://a.example"), pair, MK, ["website", "sfdcType", "nothing"], apply=True)
    assert {each.field: each.why for each in told.fields if each.field in ("website", "nothing")} == {
        "website": "it never flows to salesforce", "nothing": "no side has told it yet",
    }  # fmt: skip
    assert not told.done
    missing: Any = Read({ids(1)[SF]: both_read(("b", "c")).rows[ids(1)[SF]]})
    assert "marketo doesn't show its record" in (await force(doing, missing, pair, SF, [], apply=True)).outcome.why
    (alone,) = await fill(doing, renamed(owing(1, MK, "a"), 5, marketo=Record(id="")))
    assert "doesn't exist" in (await force(doing, missing, alone, SF, [], apply=True)).outcome.why
    assert "not there" in (await force(doing, missing, 10**9, SF, [], apply=True)).outcome.why


async def test_an_e_mail_that_a_person_decides_is_what_others_are_matched_by(doing: Doing) -> None:
    """Forced, decided or undone: whoever has it is found by it from then on, and who waited for the old one is looked at again."""
    (pair,) = await fill(doing, renamed(owing(1, MK, "a"), 1))
    known = await doing.pool.fetchval("select match_key from pairs where id = $1", pair)
    state = (await state_of(doing, pair)).fields["email"]
    async with doing.ledger.transaction() as tx:
        one = (await tx.by_id([pair]))[pair]
        torn = Field(value=state.value, version=1, hold="review", salesforce=Side(seen=state.value, shows=1), marketo=Side(seen="n@e.org"))
        one.state = one.state.with_fields({"email": torn})
        await tx.save([one], T)
    await resolve(doing, [(pair, "email")], Take(side=MK), apply=True)
    found = await doing.pool.fetchval("select match_key from pairs where id = $1", pair)
    assert (known != found, found) == (True, "n@e.org")


async def test_a_record_is_read_again_when_somebody_asks_for_it(doing: Doing) -> None:
    (pair,) = await fill(doing, renamed(owing(1, MK, "a"), 1))
    (told,) = await read_again(doing, [pair])
    state = await state_of(doing, pair)
    assert (told.why, bool(state.salesforce.reread), bool(state.marketo.reread)) == ("", True, True)
    (gone,) = await read_again(doing, [10**9])
    assert gone.why

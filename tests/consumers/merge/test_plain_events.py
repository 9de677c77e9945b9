"""The short way of the plainest event comes to what the long one comes to, or does nothing; and it is the way that most events take."""

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.judging.batch import Judging
from consumers.judging.bursts import Bursts
from consumers.judging.observed import Observed
from consumers.ledger.memory import MemoryLedger
from consumers.merge.events.plain import plainly, ways
from consumers.merge.pair.decision import Decision, Verdict
from consumers.merge.pair.state import NEVER, Field, PairState, Record, Side
from consumers.merge.pair.stored import Stored, pack, repack, stored, unfolded, unpack
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import LEAD
from tests.consumers.merge.person_pair import LINKS, MK, MK_ID, SF, SF_ID, SF_USER, T, agreed, event, paired, terms
from tests.consumers.merge.test_judge_at_once import nearly_plain

TERMS = terms()
WAYS = ways(TERMS)
OTHER_ID = "00Q000000000077AAA"
VALUES: st.SearchStrategy[Value] = st.sampled_from(["a", "b", " b", "", None, "+49 30 1234567", 7, True])
NAMES = ("Email", "LastName", "Title", "Phone", "Score__c", "HasOptedOutOfEmail", "Website", "Unmapped__c")
RECORDS: dict[str, st.SearchStrategy[object]] = {
    "seq": st.sampled_from([0, 9_000, 9_001]),
    "epoch": st.just(2),
    "complete": st.just(False),
    "deleted": st.just(True),
    "heir": st.sampled_from([1, T]),
    "reread": st.just(True),
    "refused": st.just("no"),
    "origin": st.just("tandem"),
    "calling": st.just(3),
    "creating": st.just(3),
    "lately": st.lists(st.integers(0, 20_000), max_size=8, unique=True).map(lambda told: tuple(sorted(told))),
    "at": st.sampled_from([0, T + 20_000]),
    "id": st.just(""),
}
EVENTS: dict[str, st.SearchStrategy[object]] = {
    "kind": st.sampled_from([kind for kind in Happened if kind is not Happened.READ]),
    "author": st.sampled_from([SF_USER, None]),
    "before": st.just({"Title": "a"}),
    "epoch": st.just(1),
    "seq": st.sampled_from([0, 1, 5_000]),
    "ref": st.just("g7"),
    "at": st.sampled_from([0, T, T + 50_000]),
    "source": st.sampled_from(["poll", "replay"]),
    "into": st.just(OTHER_ID),
}
STATES: dict[str, st.SearchStrategy[object]] = {
    "hold": st.sampled_from(["ambiguous match", "a fault of Tandem: x"]),
    "lane": st.integers(1, 2),
    "merges": st.just(((SF, OTHER_ID),)),
    "retract": st.just(((MK, "8"),)),
    "waits": st.just("a@x"),
}


@st.composite
def pairs(draw: st.DrawFn) -> PairState:
    """A pair as it is stored, nearly plain."""
    keys = st.sampled_from(["email", "lastName", "title", "phone", LINKS.lead_id, LINKS.type, LINKS.is_deleted])
    state = paired(**draw(st.dictionaries(keys, nearly_plain(), max_size=2)))
    state = state.with_record(MK, Record(id=draw(st.sampled_from([MK_ID, MK_ID, MK_ID, ""])), complete=True))
    name, side = draw(st.sampled_from([None, None, *RECORDS])), draw(st.sampled_from([SF, SF, MK]))
    if name is not None:
        state = state.with_record(side, msgspec.structs.replace(state.record(side), **{name: draw(RECORDS[name])}))
    name = draw(st.sampled_from([*[None] * 5, *STATES]))
    if name is not None:
        state = msgspec.structs.replace(state, **{name: draw(STATES[name])})
    return TERMS.with_due(state, T - 5_000)


@st.composite
def changes(draw: st.DrawFn) -> list[ChangeEvent]:
    """Some events of that pair in a row, each nearly plain."""
    told = []
    for turn in range(draw(st.integers(1, 3))):
        change = event(SF, draw(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=3)), at=T + 9_000 + 1_000 * turn)
        name = draw(st.sampled_from([None, None, *EVENTS]))
        told.append(change if name is None else msgspec.structs.replace(change, **{name: draw(EVENTS[name])}))
    return told


async def judged(state: PairState, told: list[ChangeEvent], **options: Any) -> tuple[PairState, list[Decision], Observed, Any]:
    """The pair, and what was said, once these events are through."""
    ledger = MemoryLedger()
    ledger.pairs[1], ledger.keys[1] = state, TERMS.match_key(state)
    bursts = Bursts()
    bursts.told([event(SF, {}, at=T - 50_000)] * 100, T)
    async with ledger.transaction() as tx:
        batch = Judging(tx, TERMS, T, bursts=bursts, **options)
        await batch.load(told)
        batch.judge_all(list(enumerate(told)), "crm.salesforce.lead.v1", 3)
        await batch.save()
    return ledger.pairs[1], ledger.decisions, batch.observed, ledger.keys


@given(pairs(), changes())
@settings(max_examples=600, deadline=None)
def test_the_short_way_comes_to_what_the_long_one_comes_to(state: PairState, told: list[ChangeEvent]) -> None:
    assert asyncio.run(judged(state, told, ways=WAYS)) == asyncio.run(judged(state, told))


@given(pairs(), changes())
@settings(max_examples=200, deadline=None)
def test_what_the_short_way_leaves_to_the_long_one_it_leaves_as_it_was(state: PairState, told: list[ChangeEvent]) -> None:
    front = front_of(state)
    before = repack(front)
    if plainly(front, told[0], WAYS[LEAD]) is None:
        assert repack(front) == before
    assert unpack(before) == state


def front_of(state: PairState) -> Stored:
    front = stored(pack(state))
    assert front is not None
    return front


def test_an_edit_of_what_is_at_rest_was_edited_before_or_never_filled_takes_the_short_way() -> None:
    front = front_of(paired())
    told = plainly(front, event(SF, {"Title": "b", "Unmapped__c": "x"}), WAYS[LEAD])
    assert told is not None
    assert [(ruling.field, ruling.verdict) for ruling in told] == [("title", Verdict.ACCEPTED)]
    again = front_of(unfolded(front))
    assert plainly(again, event(SF, {"Title": "c", "Phone": "2"}, at=T + 10_000), WAYS[LEAD]) is not None
    state = unfolded(again)
    assert [state.fields[key].value for key in ("title", "phone", "email")] == ["c", "2", "ada@example.com"]
    assert state.salesforce.lately == (1, 9_000, 10_000)


def test_an_email_is_left_to_the_long_way_since_others_may_be_met_by_it() -> None:
    assert plainly(front_of(paired()), event(SF, {"Email": "b@example.com"}), WAYS[LEAD]) is None


@pytest.mark.parametrize("links", [{LINKS.type: agreed("Contact")}, {LINKS.lead_id: agreed(None)}, {LINKS.is_deleted: agreed(True)}])
async def test_a_link_that_says_something_else_is_put_right_on_the_way(links: dict[str, Field]) -> None:
    state, *_ = await judged(TERMS.with_due(paired(**links), T), [event(SF, {"Title": "b"})], ways=WAYS)
    assert [state.fields[key].value for key in (LINKS.lead_id, LINKS.type, LINKS.is_deleted)] == [SF_ID, "Lead", False]


async def test_a_link_that_is_owed_stays_owed() -> None:
    owed = Field(
        value="Lead", version=2, agreed_at=T, salesforce=Side(seen="Lead", seen_at=T, shows=2), marketo=Side(seen="x", shows=NEVER)
    )
    state, *_ = await judged(TERMS.with_due(paired(**{LINKS.type: owed}), T), [event(SF, {"Title": "b"})], ways=WAYS)
    assert state.fields[LINKS.type] == owed

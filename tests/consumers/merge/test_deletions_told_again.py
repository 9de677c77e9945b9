"""A deletion that a poll has found has neither place nor name in a feed: told again after the record came back, it is over."""

from typing import Any

import pytest

from consumers.merge.events.fold import fold
from consumers.merge.pair.decision import Verdict
from consumers.merge.pair.state import PairState
from streams.wire.events import ChangeEvent, Happened, Value
from tests.consumers.merge.person_pair import SF, T, event, paired, reading, terms
from tests.consumers.pairs_in_memory import ids, ledger_with, lone
from tests.consumers.test_joins import C_ID, contact, judge, one_by_one

TERMS = terms()
ROW: dict[str, Value] = {"Email": "ada@example.com", "LastName": "Lovelace"}
DELETED, SEEN = T + 20_000, T + 30_000


def deletion(at: int = DELETED, **changes: Any) -> ChangeEvent:
    return event(SF, {}, at, kind=Happened.DELETED, **({"source": "poll", "seq": 0, "author": None} | changes))


def told(state: PairState, *events: ChangeEvent) -> tuple[PairState, Verdict]:
    rulings: Any = ()
    for each in events:
        state, rulings = fold(state, each, TERMS, T + 90_000)
    return state, rulings[0].verdict


@pytest.mark.parametrize(
    "before",
    [
        [deletion(), reading(SF, ROW, SEEN)],
        [event(SF, {}, DELETED, kind=Happened.DELETED), event(SF, ROW, SEEN, kind=Happened.UNDELETED)],
        [event(SF, {"LastName": "L"}, SEEN)],
    ],
    ids=["a reading", "an undeletion", "a change"],
)
def test_told_again_once_the_record_was_seen_alive_it_changes_nothing(before: list[ChangeEvent]) -> None:
    state, _ = told(paired(), *before)
    assert told(state, deletion()) == (state, Verdict.SUPERSEDED)


def test_told_again_of_somebody_who_was_first_read_after_it() -> None:
    state, _ = told(PairState(), reading(SF, ROW, SEEN))
    assert told(state, deletion()) == (state, Verdict.SUPERSEDED)


@pytest.mark.parametrize("at", [SEEN, SEEN + 5_000, SEEN // 1_000 * 1_000])
def test_a_deletion_since_then_is_believed(at: int) -> None:
    state, _ = told(paired(), deletion(), reading(SF, ROW, SEEN + 300))
    state, verdict = told(state, deletion(at))
    assert (state.salesforce.deleted, verdict) == (True, Verdict.ACCEPTED)


def test_what_a_look_finds_is_believed_by_whichever_clock() -> None:
    state, _ = told(paired(), event(SF, {"LastName": "L"}, SEEN))
    assert told(state, deletion(SEEN - 10_000, source="read"))[0].salesforce.deleted


async def test_a_merge_told_again_of_a_record_that_was_restored_from_it_joins_nobody() -> None:
    ledger = ledger_with(lone(1, SF))
    ended = event(SF, {}, DELETED, id=ids(1)[SF], into=C_ID, into_object="contact", kind=Happened.DELETED, source="poll", seq=0)
    await one_by_one(ledger, contact(at=T), ended)
    assert len(ledger.pairs) == 1
    await judge(ledger, event(SF, {**ROW, "Email": "p1@example.com"}, SEEN, id=ids(1)[SF], kind=Happened.UNDELETED))
    await judge(ledger, ended)
    assert {state.salesforce.id for state in ledger.pairs.values()} == {ids(1)[SF], C_ID}

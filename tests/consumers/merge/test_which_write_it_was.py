"""Which of our writes a change was: what can be said for certain, and what is left open, since an edit's verdict depends on it."""

import pytest

from consumers.merge.edits.verdicts import ALTERED, ONE_OF_SEVERAL
from consumers.merge.events.feed import judge_fields
from consumers.merge.events.reading import last_write
from consumers.merge.pair.decision import Verdict
from consumers.merge.pair.state import FAILED, PairState, Side, Write
from tests.consumers.merge.person_pair import SF, SF_USER, T, agreed, event, paired, reading, terms

TERMS = terms()
GIVEN_UP, AGAIN, LATER = 9, 11, T + 40_000


def write(number: int, value: str | int, version: int = 2) -> Write:
    return Write(id=number, version=version, value=value, sent=T + 1_000, look_at=T + 60_000, answered=FAILED)


def state(*, forgotten: tuple[Write, ...] = (), title: str = "m1") -> PairState:
    """A title and a score are under way in one call of which nobody knows; of the title `forgotten` was given up before."""
    behind = Side(seen="a", seen_at=T, shows=1, writes=(write(AGAIN, title),), forgotten=forgotten)
    score = Side(seen=10, seen_at=T, shows=1, writes=(write(AGAIN, 20),))
    return paired(title=agreed(title, 2, salesforce=behind), leadScore=agreed(20, 2, salesforce=score))


def test_a_change_that_the_feed_has_told_is_not_the_one_that_is_waited_for() -> None:
    """Another write of ours was told of at that moment, so the record's last change says nothing of the one in doubt."""
    before = state()
    told = paired(title=before.fields["title"]).with_record(SF, before.salesforce)
    at = reading(SF, {"Title": "a"}, LATER + 9_000, modified_at=LATER, modified_by=SF_USER)
    assert last_write(told, at, TERMS.identity) == AGAIN
    told.salesforce.at = LATER
    assert last_write(told, at, TERMS.identity) == 0
    told.salesforce.at = LATER - 1
    assert last_write(told, at, TERMS.identity) == AGAIN


@pytest.mark.parametrize("twice", [False, True])
def test_what_a_call_brought_beside_it_is_made_only_if_it_is_certain_which_call_it_was(twice: bool) -> None:
    """The same title had been sent before, and given up: that may be what came back, without the score."""
    before = state(forgotten=(write(GIVEN_UP, "m1"),) if twice else ())
    after, rulings = judge_fields(before, event(SF, {"Title": "m1"}, LATER, author=SF_USER), TERMS, patient=True)
    assert [ruling.verdict for ruling in rulings] == [Verdict.ECHO]
    (entry,) = after.fields["leadScore"].salesforce.writes
    assert (entry.done_by == 0) is twice
    assert after.fields["title"].salesforce.seen == "m1"


@pytest.mark.parametrize("twice", [False, True])
def test_a_value_that_was_altered_says_so_where_it_may_have_been_any_of_several(twice: bool) -> None:
    before = state(forgotten=(write(GIVEN_UP, "m0", 1),) if twice else ())
    after, (ruling,) = judge_fields(before, event(SF, {"Title": "M^"}, LATER, author=SF_USER), TERMS, patient=True)
    side = after.fields["title"].salesforce
    assert (ruling.verdict, ruling.reason) == (Verdict.ECHO, ONE_OF_SEVERAL if twice else ALTERED)
    assert (side.seen, side.shows, side.learnt) == ("M^", 1 if twice else 2, not twice)

"""A record that can't be seen any more is not a deleted one: nothing is cleared, flagged or written, and it goes on once it is seen."""

from typing import Any

import pytest

from consumers.ledger.port import Duty
from consumers.merge.lives.aside import OUT_OF_SIGHT
from consumers.merge.pair.state import PairState
from consumers.settle.writers.port import Fate, Outcome
from streams.wire.events import Happened
from tests.consumers.merge.person_pair import LINKS, MK, SF, T, event
from tests.consumers.pairs_in_memory import ids, owing
from tests.consumers.test_joins import judge
from tests.consumers.test_merges_owed import Bench


async def vanished() -> Bench:
    """A lead to which a change is owed, and which isn't there when it is written."""
    bench = Bench(SF, owing(1, SF), answers=lambda _: Outcome(fate=Fate.GONE, reason="INVALID_CROSS_REFERENCE_KEY"))
    bench.writer.out_of_sight = {ids(1)[SF]}
    await bench.settler.round()
    bench.clock.now += 5_000
    await bench.looker.round()
    return bench


def state(bench: Bench) -> PairState:
    return bench.ledger.pairs[1]


async def test_it_is_held_and_says_so_and_nothing_is_told_to_the_other_side() -> None:
    bench = await vanished()
    assert state(bench).hold.startswith(f"{OUT_OF_SIGHT} in salesforce:")
    assert (state(bench).salesforce.deleted, state(bench).fields[LINKS.is_deleted].value) == (False, False)
    assert any(decision.kind == "held" and OUT_OF_SIGHT in decision.detail for decision in bench.ledger.decisions)
    bench.clock.now += 3_600_000
    assert (await bench.settler.round()).claimed == 0
    assert (await bench.looker.round()).pairs == 0, "nobody asks again and again"


@pytest.mark.parametrize("kind", [Happened.READ, Happened.UPDATED])
async def test_once_it_is_seen_what_is_owed_is_sent(kind: Happened) -> None:
    bench = await vanished()
    told: dict[str, Any] = {"kind": kind, "until": T + 80_000} if kind is Happened.READ else {"kind": kind, "seq": 9}
    await judge(bench.ledger, event(SF, {"Phone": "1"}, T + 60_000, id=ids(1)[SF], **told))
    assert state(bench).hold == ""
    assert (state(bench).due[Duty.LOOK_SALESFORCE] > 0) is (kind is Happened.UPDATED), "what changed meanwhile is read"
    if kind is Happened.READ:
        bench.clock.now += 60_000
        assert (await bench.settler.round()).claimed == 1


async def test_a_deletion_that_is_told_after_all_is_one() -> None:
    bench = await vanished()
    await judge(bench.ledger, event(SF, {}, T + 60_000, id=ids(1)[SF], kind=Happened.DELETED, source="poll"))
    assert (state(bench).hold, state(bench).salesforce.deleted) == ("", True)
    assert state(bench).fields[LINKS.is_deleted].value is True


async def test_what_marketo_tells_does_not_bring_it_back() -> None:
    bench = await vanished()
    await judge(bench.ledger, event(MK, {"title": "b"}, T + 60_000, id=ids(1)[MK], ref="g9"))
    assert state(bench).hold.startswith(OUT_OF_SIGHT)

"""Deleted people: who is forgotten, who is not, and what late news of the forgotten come to."""

import msgspec
import pytest

from consumers.ledger.memory import MemoryLedger
from consumers.merge.pair.decision import Verdict
from consumers.merge.pair.state import PairState, Waiting
from consumers.observe.observer import Observer
from consumers.retention.people import PEOPLE_MAX, is_over, people
from consumers.retention.shelf import Step
from consumers.settle.looks.look import Looker
from streams.wire.events import Happened
from streams.wire.systems import System
from tests.consumers.merge.person_pair import MK, SF, T, agreed, event, paired, reading, terms
from tests.consumers.pairs_in_memory import Clock, ids, ledger_with, lone, renamed
from tests.consumers.scripted_writer import ScriptedWriter
from tests.consumers.test_observe_batches import TOPIC, TOPIC_OF, messages

DAY = 86_400_000


def without(state: PairState, *systems: System) -> PairState:
    """The pair, whose records on these sides were deleted."""
    for system in systems:
        state = state.with_record(system, msgspec.structs.replace(state.record(system), deleted=True))
    return state


def deleted(number: int = 1) -> PairState:
    return without(renamed(paired(), number), SF, MK)


def record(state: PairState, system: System, **changes: object) -> PairState:
    return state.with_record(system, msgspec.structs.replace(state.record(system), **changes))


WAITS = (Waiting(event=event(SF, {"Title": "b"}), until=T),)
OVER = {
    "deleted on both sides": deleted(),
    "only ever in Salesforce": without(lone(1, SF), SF),
    "only ever in Marketo": without(lone(1, MK), MK),
}
STAYS = {
    "in step": renamed(paired(), 1),
    "alive in Marketo, flagged there as deleted": without(renamed(paired(), 1), SF),
    "alive in Salesforce": without(renamed(paired(), 1), MK),
    "without any record yet": record(record(paired(), SF, id=""), MK, id=""),
    "held": msgspec.structs.replace(deleted(), hold="a state that can't be stored"),
    "held in a field": deleted().with_fields({"title": msgspec.structs.replace(agreed("a"), hold="review: two values")}),
    "something is due": msgspec.structs.replace(deleted(), due=(0, T, 0, 0)),
    "waits for somebody else": msgspec.structs.replace(deleted(), waits="ada@example.com"),
    "an event waits for one before it": msgspec.structs.replace(deleted(), waiting=WAITS),
    "a record of ours is still to be deleted": msgspec.structs.replace(deleted(), retract=((MK, "7"),)),
    "a call is out": record(deleted(), MK, calling=7),
    "a creation is in doubt": record(without(lone(1, MK), MK), SF, creating=7),
}


@pytest.mark.parametrize("state", OVER.values(), ids=OVER.keys())
def test_over_is_who_has_no_living_record_and_nothing_left_to_do(state: PairState) -> None:
    assert is_over(state)


@pytest.mark.parametrize("state", STAYS.values(), ids=STAYS.keys())
def test_everybody_else_stays(state: PairState) -> None:
    assert not is_over(state)


async def let_go(ledger: MemoryLedger, before: int = T + 1, after: int = 0) -> Step:
    return await people(ledger, lambda: T + 90 * DAY)(before, after)


async def test_the_forgotten_leave_no_row_but_a_decision_for_each_record() -> None:
    ledger = ledger_with(deleted(1), renamed(paired(), 2))
    assert await let_go(ledger) == Step(gone=1, after=None)
    assert set(ledger.pairs) == {2}
    assert [(told.kind, told.at, told.pair, told.system, told.record) for told in ledger.decisions] == [
        ("forgotten", T + 90 * DAY, 1, system, ids(1)[system]) for system in (SF, MK)
    ]


async def test_who_was_touched_lately_stays() -> None:
    ledger = ledger_with(deleted(1), deleted(2))
    ledger.saved_at = {1: T - 1, 2: T}
    assert await let_go(ledger, before=T) == Step(gone=1, after=None)
    assert set(ledger.pairs) == {2}


async def test_many_are_gone_through_in_steps_past_those_who_stay() -> None:
    held = msgspec.structs.replace(deleted(1), hold="somebody must look")
    ledger = ledger_with(held, *(deleted(number) for number in range(2, PEOPLE_MAX + 6)))
    step = await let_go(ledger)
    assert step == Step(gone=PEOPLE_MAX - 1, after=PEOPLE_MAX)
    assert step.after is not None
    assert await let_go(ledger, after=step.after) == Step(gone=5, after=None)
    assert set(ledger.pairs) == {1}


async def forgotten() -> MemoryLedger:
    ledger = ledger_with(deleted(1))
    await let_go(ledger)
    assert ledger.pairs == {}
    ledger.decisions.clear()
    return ledger


@pytest.mark.parametrize("system", [SF, MK])
async def test_a_deletion_told_again_is_of_nobody_and_changes_nothing(system: System) -> None:
    ledger = await forgotten()
    told = event(system, {}, kind=Happened.DELETED, id=ids(1)[system])
    await Observer(ledger, terms(), Clock()).observe(TOPIC_OF[system], 0, 0, messages(told))
    assert ledger.pairs == {}
    (decision,) = ledger.decisions
    (ruling,) = decision.fields
    assert (ruling.verdict, ruling.reason) == (Verdict.SUPERSEDED, "never heard of it")


@pytest.mark.parametrize("system", [SF, MK])
async def test_a_late_edit_of_a_record_that_is_gone_makes_nobody_anew(system: System) -> None:
    ledger, clock = await forgotten(), Clock()
    title = {SF: "Title", MK: "title"}[system]
    await Observer(ledger, terms(), clock).observe(TOPIC_OF[system], 0, 0, messages(event(system, {title: "z"}, id=ids(1)[system])))
    (state,) = ledger.pairs.values()
    assert state.due[:2] == (0, 0), "nothing is written of somebody who was not read"
    writer = ScriptedWriter(system)  # which has no such record
    clock.now = T + 60_000
    await Looker(ledger, writer, terms(), clock).round()
    (state,) = ledger.pairs.values()
    assert is_over(state)


async def test_who_comes_back_out_of_the_recycle_bin_is_read_and_meets_the_other_side_anew() -> None:
    ledger, clock = await forgotten(), Clock()
    await Observer(ledger, terms(), clock).observe(TOPIC, 0, 0, messages(event(SF, {}, kind=Happened.UNDELETED, id=ids(1)[SF])))
    (state,) = ledger.pairs.values()
    assert (state.due[:2], bool(state.due[2])) == ((0, 0), True)
    row = {"Email": "p1@example.com", "LastName": "Lovelace", "Title": "a"}
    writer = ScriptedWriter(SF)
    writer.records[ids(1)[SF]] = reading(SF, dict(row), T + 60_000, id=ids(1)[SF])
    clock.now = T + 60_000
    await Looker(ledger, writer, terms(), clock).round()
    (state,) = ledger.pairs.values()
    assert (state.salesforce.id, state.salesforce.deleted, state.fields["lastName"].value) == (ids(1)[SF], False, "Lovelace")
    assert state.due[1], "the person is owed to Marketo again"

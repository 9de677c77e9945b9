"""Gathering: what is due comes mixed, calls are of one sort each, and they are full all the same."""

from collections import Counter

import msgspec
import pytest

from consumers.ledger.memory import MemoryLedger
from consumers.ledger.port import Duty, Pair, Transaction
from consumers.merge.pair.state import Field, PairState, Record, Side
from consumers.settle.rounds.gathering import Gathering
from consumers.settle.rounds.settler import Settler
from consumers.settle.writers.port import Item
from streams.budget.port import Lane
from streams.wire.systems import MARKETO
from tests.consumers.merge.person_pair import MK, terms
from tests.consumers.pairs_in_memory import Clock, ledger_with, owing
from tests.consumers.scripted_writer import ScriptedWriter
from tests.consumers.test_kinds_of_campaigns import ADA, IN, SPRING
from tests.consumers.writers.test_members_in_marketo import Programs, writer

FULL = 3
DUTY = Duty.write_on(MK)


class Sorting(ScriptedWriter):
    """A system that takes one sort a call: what pairs have in common is their number's last digit."""

    def together(self, item: Item) -> str:
        return str(item.pair % 10)

    def alike(self, state: PairState) -> str:
        return state.marketo.id[-1]


def backlog(*numbers: int) -> MemoryLedger:
    """One after the other due; Marketo's ids end as numbers do."""
    states = []
    for number in range(1, max(numbers) + 1):
        state = owing(number, MK)
        states.append(state.with_record(MARKETO, _named(state.marketo, str(number))) if number in numbers else PairState())
    return ledger_with(*states)


def _named(record: Record, name: str) -> Record:
    return Record(id=name, complete=record.complete, at=record.at)


async def drained(ledger: MemoryLedger, clock: Clock | None = None, step_ms: int = 0) -> list[list[int]]:
    """The calls, as the pairs they took."""
    clock = clock or Clock()
    system = Sorting(MK)
    settler = Settler(ledger, system, terms(), clock, batch_max=FULL)
    while (await settler.round()).claimed:
        clock.now += step_ms
    return [[item.pair for item in call] for call in system.calls]


async def test_a_mixed_backlog_goes_in_as_few_calls_as_its_sorts_allow() -> None:
    numbers = [10 * row + last for row in range(1, 8) for last in (1, 2)]
    calls = await drained(backlog(*numbers))
    assert sorted(pair for call in calls for pair in call) == numbers
    assert Counter(len(call) for call in calls) == {3: 4, 1: 2}, "seven of each sort: two full calls and a rest"
    assert all(len({pair % 10 for pair in call}) == 1 for call in calls)


@pytest.mark.parametrize("sorts", [5, 9])
async def test_many_sorts_are_looked_for_further_back(sorts: int) -> None:
    """Twelve pairs in front would show two of each only."""
    numbers = [10 * row + last for row in range(1, 7) for last in range(1, sorts + 1)]
    calls = await drained(backlog(*numbers))
    assert Counter(len(call) for call in calls) == {3: 2 * sorts}


async def test_who_is_passed_over_goes_within_seconds_though_the_call_is_not_full() -> None:
    lone = 12
    numbers = [lone, *(10 * row + 1 for row in range(2, 40))]
    calls = await drained(backlog(*numbers), step_ms=1_000)
    place = next(place for place, call in enumerate(calls) if lone in call)
    assert (place, calls[place]) == (5, [lone])
    assert sum(len(call) == FULL for call in calls) == 12


async def test_claims_side_by_side_forget_nobody_who_was_passed_over() -> None:
    """Each locks what it looks at, so the other sees the rest only."""
    lone, now = 12, Clock().now
    ledger = backlog(lone, *(10 * row + 1 for row in range(2, 40)))
    gathering = Gathering(lambda state: ("lead", "update", state.marketo.id[-1]), FULL)
    async with ledger.transaction() as tx:
        _, more = await gathering.claim(tx, DUTY, now, Lane.COPY)
        assert more
        await gathering.claim(_Behind(tx, lone), DUTY, now + 4_000, Lane.COPY)  # type: ignore[arg-type]
        taken, _ = await gathering.claim(tx, DUTY, now + 5_000, Lane.COPY)
    assert [pair.id for pair in taken] == [lone]


class _Behind:
    """What is left when somebody else has locked the pair in front."""

    def __init__(self, tx: Transaction, locked: int) -> None:
        self._tx, self._locked = tx, locked

    async def claim(self, duty: Duty, now: int, limit: int, lane: int) -> list[Pair]:
        pairs = await self._tx.claim(duty, now, limit + 1, lane)
        return [pair for pair in pairs if pair.id != self._locked][:limit]


async def test_an_edit_of_the_live_lane_waits_for_no_full_call_of_a_copy() -> None:
    live = 12
    ledger = backlog(live, *(10 * row + 1 for row in range(2, 40)))
    for number, state in ledger.pairs.items():
        ledger.pairs[number] = msgspec.structs.replace(state, lane=Lane.LIVE if number == live else Lane.COPY)
    assert (await drained(ledger))[0] == [live]


async def test_what_fills_no_call_is_not_waited_for() -> None:
    calls = await drained(backlog(11, 12, 13, 21))
    assert sorted(calls, key=len) == [[12], [13], [11, 21]]


def member(*, status: str, shows: int, campaign: str = SPRING) -> PairState:
    told = Field(value=status, version=2, salesforce=Side(seen=status, shows=2), marketo=Side(shows=shows))
    fields = {"programId": Field(value=campaign), "leadId": Field(value=ADA), "statusName": told}
    return PairState(IN, fields, Record(id="00v000000000001AAA"), Record(id="1001.7"), counterpart=IN)


def test_members_are_alike_by_program_and_by_the_status_that_is_owed() -> None:
    members = writer(Programs())
    sent, same, responded = member(status="Sent", shows=1), member(status="Sent", shows=1), member(status="Responded", shows=1)
    assert members.alike(sent) == members.alike(same) != members.alike(responded)
    assert members.alike(sent) != members.alike(member(status="Sent", shows=1, campaign="701000000000002AAA"))
    assert members.alike(member(status="Sent", shows=2)) == members.alike(member(status="Responded", shows=2)), "no status is owed"
    nameless = replace_fields(sent)
    assert members.alike(nameless).startswith("1001"), "born in Marketo: by its name there"


def replace_fields(state: PairState) -> PairState:
    rest = {key: field for key, field in state.fields.items() if key != "programId"}
    return PairState(state.object, rest, state.salesforce, state.marketo, counterpart=IN, name=state.marketo.id)

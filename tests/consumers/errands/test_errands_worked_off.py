"""Errands worked off on a ledger in memory: introduced, waited for, carried out once, given up; also where a step was interrupted."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgspec
import pytest

from consumers.errands.carrying import Carrying
from consumers.errands.errand import AddToCampaign, ChangeOwner, Convert, Done, Errand, Failed, Later, Outcome, Push, Ready, Request
from consumers.errands.introducing import Introductions
from consumers.errands.running import Errands
from consumers.errands.store import Store
from consumers.ledger.faults import step
from consumers.ledger.memory import MemoryLedger
from consumers.ledger.port import Duty
from consumers.mapping.fields import Qualification
from consumers.merge.pair.state import PairState
from streams.wire.errors import Fatal, Reject, Retry
from streams.wire.systems import LEAD, PERSON
from tests.consumers.merge.person_pair import MK, SF, T, paired, terms
from tests.consumers.pairs_in_memory import Clock, ids, ledger_with, lone, renamed

NOBODY = terms(qualification=Qualification())
HOUR = 3_600_000


class Kept:
    """The errands in memory, as the store keeps them."""

    def __init__(self, *errands: Errand) -> None:
        self.errands = {each.id: each for each in errands}
        self.due_at = dict.fromkeys(self.errands, 0)
        self.outcomes: dict[int, Outcome] = {}
        self.crash: str = ""

    async def due(self, now: int, most: int) -> list[Errand]:
        open_ = [each for number, each in self.errands.items() if not isinstance(self.outcomes.get(number), Done | Failed)]
        return [each for each in open_ if self.due_at[each.id] <= now][:most]

    async def introduced(self, people: Mapping[int, str], now: int) -> None:
        if self.crash == "introduced":
            raise Retry("gone")
        for number, person in people.items():
            self.errands[number] = msgspec.structs.replace(self.errands[number], introduced=True, person=person)
            self.due_at[number] = now

    async def settle(self, outcomes: Mapping[int, Outcome], due_at: Mapping[int, int], now: int) -> None:
        if self.crash == "settle":
            raise Retry("gone")
        self.outcomes |= outcomes
        self.due_at |= due_at
        for number in due_at:
            self.errands[number] = msgspec.structs.replace(self.errands[number], attempts=self.errands[number].attempts + 1)


class Carrier:
    """Does whatever it is asked; remembers each time."""

    most = 2

    def __init__(self) -> None:
        self.calls: list[list[tuple[int, str]]] = []
        self.answer: Outcome | Exception = Done(reason="done", id="x")
        self.poison: dict[int, Exception] = {}

    async def carry_out(self, ready: Sequence[Ready]) -> Mapping[int, Outcome]:
        self.calls.append([(each.errand.id, each.record) for each in ready])
        for each in ready:
            if each.errand.id in self.poison:
                raise self.poison[each.errand.id]
        if isinstance(self.answer, Exception):
            raise self.answer
        return {each.errand.id: self.answer for each in ready}


class Run:
    def __init__(self, ledger: MemoryLedger, *errands: Errand) -> None:
        self.ledger, self.clock, self.kept, self.carrier = ledger, Clock(), Kept(*errands), Carrier()
        self.rung: set[Duty] = set()
        self.ended: list[tuple[int, Outcome]] = []
        self.introductions = Introductions(ledger, NOBODY, self.rung.update)
        actions: Any = dict.fromkeys((AddToCampaign, ChangeOwner, Convert), self.carrier)
        self.carrying = Carrying(actions)
        self.errands = Errands(
            cast("Store", self.kept), ledger, NOBODY, self.carrying, self.introductions, clock=self.clock, patience_ms=HOUR,
            ended=lambda errand, outcome: self.ended.append((errand.id, outcome)),
        )  # fmt: skip

    async def round(self, later_ms: int = 0) -> int:
        self.clock.now += later_ms
        return await self.errands.round()

    def state(self, number: int = 1) -> PairState:
        return self.ledger.pairs[number]

    def becomes(self, number: int, state: PairState) -> None:
        self.ledger.pairs[number] = state


def errand(number: int, request: Request, person: int | None = None, **changes: Any) -> Errand:
    made = Errand(id=number, name=f"n/{number}", person=str(1000 + (person or number)), request=request, asked_at=T, asked_by="a test")
    return msgspec.structs.replace(made, **changes)


def there(number: int) -> PairState:
    return renamed(paired(), number)


async def test_whoever_is_there_is_served_at_once_in_calls_as_large_as_can_be() -> None:
    run = Run(ledger_with(*(there(number) for number in (1, 2, 3))), *(errand(number, ChangeOwner("o")) for number in (1, 2, 3)))
    assert await run.round() == 3
    assert run.carrier.calls == [[(1, ids(1)[SF]), (2, ids(2)[SF])], [(3, ids(3)[SF])]]
    assert run.ended == [(number, Done(reason="done", id="x")) for number in (1, 2, 3)]
    assert await run.round() == 0
    assert run.state().wanted == 0, "who is there needs no wish"


async def test_whoever_is_not_there_is_made_first() -> None:
    run = Run(ledger_with(lone(1, MK)), errand(1, ChangeOwner("o")))
    await run.round()
    assert run.state().wanted == run.clock.now
    assert run.state().due[Duty.WRITE_SALESFORCE]
    assert Duty.WRITE_SALESFORCE in run.rung
    assert [decision.kind for decision in run.ledger.decisions] == ["wanted"]
    assert "change owner, asked for by a test" in run.ledger.decisions[0].detail
    await run.round()
    assert isinstance(run.kept.outcomes[1], Later)
    assert run.carrier.calls == []
    run.becomes(1, there(1))
    await run.round(later_ms=20_000)
    assert run.carrier.calls == [[(1, ids(1)[SF])]]


async def test_whom_nobody_has_heard_of_is_read_in_marketo() -> None:
    run = Run(ledger_with(), errand(1, Push()))
    await run.round()
    (state,) = run.ledger.pairs.values()
    assert (state.object, state.counterpart, state.marketo.id, state.marketo.reread, state.wanted) == (LEAD, PERSON, "1001", True, T)
    assert state.due[Duty.LOOK_MARKETO]


async def test_two_who_ask_for_one_person_make_one_pair() -> None:
    run = Run(ledger_with(), errand(1, Push(), person=5), errand(2, ChangeOwner("o"), person=5))
    await run.round()
    assert len(run.ledger.pairs) == 1
    assert [each.introduced for each in run.kept.errands.values()] == [True, True]


async def test_whoever_was_merged_is_served_as_the_one_that_stayed() -> None:
    run = Run(ledger_with(there(1)), errand(1, ChangeOwner("o"), person=77))
    run.ledger.former[MK, PERSON, "1077"] = 1
    await run.round()
    assert run.kept.errands[1].person == ids(1)[MK]
    await run.round()
    assert run.carrier.calls == [[(1, ids(1)[SF])]]


async def test_one_that_was_deleted_is_made_again_and_its_former_id_is_remembered() -> None:
    gone = there(1).with_record(SF, msgspec.structs.replace(there(1).salesforce, deleted=True))
    run = Run(ledger_with(gone), errand(1, Push()))
    await run.round()
    assert run.state().salesforce.id == ""
    assert run.ledger.former == {(SF, LEAD, ids(1)[SF]): 1}
    assert run.state().due[Duty.WRITE_SALESFORCE]


@pytest.mark.parametrize("crash", ["introduced", "settle"])
async def test_a_step_that_was_interrupted_is_taken_again(crash: str) -> None:
    run = Run(ledger_with(lone(1, MK), there(2)), errand(1, Push()), errand(2, ChangeOwner("o")))
    run.kept.crash = crash
    with pytest.raises(Retry):
        await run.round()
    run.kept.crash = ""
    await run.round()
    await run.round()
    assert run.kept.errands[1].introduced
    assert isinstance(run.kept.outcomes[2], Done)
    assert len(run.ledger.pairs) == 2
    assert [decision.kind for decision in run.ledger.decisions] in (["wanted"], ["wanted", "wanted"])


async def test_what_salesforce_does_not_answer_is_asked_again_later_and_later() -> None:
    run = Run(ledger_with(there(1)), errand(1, ChangeOwner("o")))
    run.carrier.answer = Retry("away", after_seconds=3.0)
    waits = []
    for _ in range(7):
        await run.round()
        waits.append(run.kept.due_at[1] - run.clock.now)
        run.clock.now = run.kept.due_at[1]
    assert waits == [3_000, 3_000, 3_000, 4_000, 8_000, 15_000, 15_000]
    assert run.kept.outcomes[1] == Later(reason="away", after_seconds=3.0)
    assert run.ended == []


async def test_what_can_not_be_done_is_given_up_in_the_end() -> None:
    run = Run(ledger_with(there(1)), errand(1, ChangeOwner("o")))
    run.carrier.answer = Retry("away")
    await run.round(later_ms=HOUR)
    assert run.ended == []
    await run.round(later_ms=60_000)
    assert run.kept.outcomes[1] == Failed(code="NOT_IN_TIME", reason="given up after 1 h: away")


async def test_whoever_was_converted_is_read_again() -> None:
    run = Run(ledger_with(there(1)), errand(1, Convert()))
    run.carrier.answer = Done(reason="converted", id="003000000000001AAA")
    await run.round()
    assert run.state().salesforce.reread
    assert run.state().due[Duty.LOOK_SALESFORCE]
    assert Duty.LOOK_SALESFORCE in run.rung


@pytest.mark.parametrize(
    ("error", "code"), [(Reject("no", code="MALFORMED"), "MALFORMED"), (Reject("no"), "REFUSED"), (ValueError("x"), "DEFECT")]
)
async def test_what_is_wrong_with_one_stops_no_neighbour(error: Exception, code: str) -> None:
    run = Run(ledger_with(there(1), there(2)), errand(1, ChangeOwner("o")), errand(2, ChangeOwner("o")))
    run.carrier.poison = {1: error}
    await run.round()
    assert cast("Failed", run.kept.outcomes[1]).code == code
    assert isinstance(run.kept.outcomes[2], Done)


async def test_what_only_a_person_can_mend_is_tried_again_and_said() -> None:
    run = Run(ledger_with(there(1)), errand(1, ChangeOwner("o")))
    run.carrier.answer = Fatal("no rights.", remedy="Give them.")
    await run.round()
    assert run.kept.outcomes == {1: Later(reason="no rights. Give them.", after_seconds=60.0)}
    assert run.carrying.trouble == "no rights. Give them."
    run.carrier.answer = Done(reason="done")
    await run.round(later_ms=60_000)
    assert run.ended == [(1, Done(reason="done"))]
    assert run.carrying.trouble is None


async def test_a_pair_that_can_not_be_used_keeps_nobody_from_the_others() -> None:
    run = Run(ledger_with(lone(1, MK), lone(2, MK)), errand(1, Push()), errand(2, Push()))
    introduce = run.introductions.introduce

    async def broken(errands: Sequence[Errand], now: int) -> Mapping[int, str]:
        with step("reading", 1):
            assert 1 not in {each.id for each in errands}
        return await introduce(errands, now)

    run.introductions.introduce = broken  # type: ignore[method-assign]
    await run.round()
    assert cast("Failed", run.kept.outcomes[1]).code == "HELD"
    assert run.kept.errands[2].introduced

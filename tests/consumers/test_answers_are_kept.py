"""Answers outlive a deadlock and a lost connection; and what was certainly not sent is taken back at once when a commit has no answer."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from consumers.ledger.memory import MemoryLedger, MemoryTransaction
from consumers.ledger.port import Duty
from consumers.merge.pair.state import PairState
from consumers.settle.rounds.settler import Settler
from consumers.settle.writers.port import Fate, Item, Outcome
from streams.wire.errors import Retry, Unknown
from streams.wire.systems import System
from tests.consumers.merge.person_pair import MK, SF, T, terms
from tests.consumers.pairs_in_memory import Clock, ledger_with, lone, owing
from tests.consumers.scripted_writer import Answer, ScriptedWriter, done

TERMS = terms()
DEADLOCK = "save pairs: in the way of another transaction (DeadlockDetectedError)"


class Shaky(MemoryLedger):
    """Transactions that end badly where `script` says so, counted from the first: "lost": rolled back; "kept": committed, unanswered."""

    script: dict[int, str]
    begun = 0

    def transaction(self, *, durable: bool = True) -> AbstractAsyncContextManager[MemoryTransaction]:
        return self._shaky(durable=durable)

    @asynccontextmanager
    async def _shaky(self, *, durable: bool) -> AsyncIterator[MemoryTransaction]:
        number, self.begun = self.begun, self.begun + 1
        how = self.script.get(number, "")
        async with super().transaction(durable=durable) as tx:
            yield tx
            if how == "lost":
                raise Retry(DEADLOCK, after_seconds=0.001)
            if how == "unanswered":
                raise Unknown("commit to the ledger: away; it may have been kept or not", after_seconds=0.001, everyone=True)
        if how == "kept":
            raise Unknown("commit to the ledger: away; it may have been kept or not", after_seconds=0.001, everyone=True)


class Bench:
    """A settler whose ledger is shaky. Transactions: 0 the claim, then (for a creation) what was asked, then the answers."""

    def __init__(self, *states: PairState, answers: Callable[[Item], Answer] = done, system: System = MK, **script: str) -> None:
        plain = ledger_with(*states)
        self.ledger = Shaky()
        self.ledger.__dict__.update(plain.__dict__)
        self.ledger.script = {int(number.removeprefix("at")): how for number, how in script.items()}
        self.clock, self.writer = Clock(), ScriptedWriter(system, answers)
        self.settler = Settler(self.ledger, self.writer, TERMS, self.clock)

    def outcomes(self) -> list[str]:
        return [decision.outcome for decision in self.ledger.decisions if decision.kind == "written"]


@pytest.mark.parametrize("how", ["lost", "unanswered", "kept"])
async def test_answers_are_kept_until_they_can_be_told(how: str) -> None:
    bench = Bench(owing(1, MK), at1=how, at2="lost")
    settled = await bench.settler.round()
    write = bench.ledger.pairs[1].fields["title"].marketo.writes[0]
    assert (write.answered, bench.ledger.pairs[1].marketo.calling) == (T, 0)
    assert (bench.outcomes(), settled.fates) == (["update done"], {Fate.DONE: 1})
    assert len(bench.writer.calls) == 1


@pytest.mark.parametrize("how", ["lost", "kept"])
async def test_a_refusal_that_names_a_field_is_told_once_however_often_it_is_tried(how: str) -> None:
    answer = Outcome(fate=Fate.REJECTED, reason="too long", fields=frozenset({"title"}))
    bench = Bench(owing(1, MK), answers=lambda _: answer, at1=how)
    await bench.settler.round()
    state = bench.ledger.pairs[1]
    assert (state.fields["title"].marketo.reason, state.marketo.refused, bench.outcomes()) == ("too long", "", ["update rejected"])


@pytest.mark.parametrize("how", ["lost", "kept"])
async def test_waits_do_not_grow_because_the_ledger_was_in_the_way(how: str) -> None:
    bench = Bench(owing(1, MK), answers=lambda _: Outcome(fate=Fate.BUSY, reason="locked"), at1=how)
    await bench.settler.round()
    assert bench.ledger.pairs[1].due[Duty.WRITE_MARKETO] == T + 3_000


@pytest.mark.parametrize("how", ["unanswered", "kept"])
async def test_an_intent_whose_commit_has_no_answer_is_taken_back_at_once(how: str) -> None:
    """The call was certainly never sent: nobody waits for its lease."""
    bench = Bench(owing(1, MK), lone(2, SF), at0=how)
    with pytest.raises(Unknown):
        await bench.settler.round()
    assert bench.writer.calls == []
    for number in (1, 2):
        state = bench.ledger.pairs[number]
        assert (state.marketo.calling, state.fields["title"].marketo.writes) == (0, ())
        assert 0 < state.due[Duty.WRITE_MARKETO] <= T + 3_000
    bench.clock.now += 3_000
    await bench.settler.round()
    assert len(bench.writer.calls) == 2


@pytest.mark.parametrize("how", ["lost", "unanswered", "kept"])
async def test_what_was_asked_before_a_creation_outlives_it_too(how: str) -> None:
    bench = Bench(lone(1, SF), at1=how)
    if how == "lost":
        await bench.settler.round()
    else:
        with pytest.raises(Unknown):
            await bench.settler.round()
        assert (bench.ledger.pairs[1].marketo.calling, bench.ledger.pairs[1].marketo.creating) == (0, 0)
        bench.clock.now += 3_000
        await bench.settler.round()
    assert bench.ledger.pairs[1].marketo.id == "901"
    assert len(bench.writer.calls) == 1


async def test_a_lease_is_given_back_though_the_ledger_is_in_the_way() -> None:
    bench = Bench(lone(1, SF), at1="lost", at2="lost")
    bench.writer.refuses_to_tell = {1: Retry("away")}
    with pytest.raises(Retry, match=r"^away"):
        await bench.settler.round()
    assert bench.ledger.pairs[1].marketo.calling == 0

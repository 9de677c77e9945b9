"""A row that is refused without a name: told by field where that is cheap, else refused as a whole and tried again whole."""

from collections.abc import Callable, Sequence

import msgspec
import pytest

from consumers.judging.batch import NOWHERE, Judging
from consumers.ledger.port import Duty
from consumers.merge.pair.state import NEVER, PairState
from consumers.merge.pair.stored import pack, unpack
from consumers.merge.terms import Terms
from consumers.merge.writing.plan import Update
from consumers.settle.driving.reconsider import reconsider
from consumers.settle.rounds.narrow import narrowed
from consumers.settle.rounds.settler import Settler
from consumers.settle.writers.port import Fate, Item, Outcome
from streams.wire.errors import Reject, Unknown
from streams.wire.systems import System
from tests.consumers.merge.person_pair import FIELDS, MK, SF, T, event, mapped, rules, terms
from tests.consumers.pairs_in_memory import Clock, ids, ledger_with, lone, owing
from tests.consumers.scripted_writer import Answer, ScriptedWriter, done

KEYS = ("title", "phone", "lastName", "website", "unsubscribed")


def owing_all(number: int, system: System, keys: Sequence[str] = KEYS) -> PairState:
    """A pair that owes one side several fields."""
    state = owing(number, system)
    title = state.fields["title"]
    more = {key: title.with_side(system, title.side(system)) for key in keys}
    for key, value in (("phone", "1"), ("website", "w"), ("unsubscribed", True), ("lastName", "L")):
        if key in more:
            more[key] = msgspec.structs.replace(more[key], value=value)
    return state.with_fields(more)


def refusing(*bad: str, reason: str = "INVALID_FIELD: no such column", elsewhere: str = "") -> Callable[[Item], Answer]:
    """The system refuses a row with any of these fields and names none."""

    def answer(item: Item) -> Answer:
        assert isinstance(item.order, Update)
        hit = [out.key for out in item.order.fields if out.key in bad]
        return Outcome(fate=Fate.REJECTED, reason=reason + (f" {hit[0]}" if elsewhere else "")) if hit else done(item)

    return answer


class Bench:
    """A settler on a ledger in memory."""

    def __init__(
        self, *states: PairState, answers: Callable[[Item], Answer] = done, system: System = MK, told: Terms | None = None
    ) -> None:
        self.clock, self.told = Clock(), told or terms()
        self.ledger = ledger_with(*states)
        self.writer = ScriptedWriter(system, answers)
        self.settler = Settler(self.ledger, self.writer, self.told, self.clock)

    async def settle(self) -> int:
        """Until nothing is due; the number of calls that it took."""
        before = len(self.writer.calls)
        for _ in range(20):
            if not (await self.settler.round()).claimed:
                return len(self.writer.calls) - before
        raise AssertionError("a hot loop")

    def refused(self, number: int = 1, system: System = MK) -> dict[str, str]:
        fields = self.ledger.pairs[number].fields
        return {key: field.side(system).reason for key, field in fields.items() if field.side(system).refused != NEVER}


@pytest.mark.parametrize("system", [MK, SF])
async def test_one_field_among_many_is_found_and_the_others_are_written(system: System) -> None:
    keys = KEYS if system is MK else tuple(key for key in KEYS if key != "website")
    bench = Bench(owing_all(1, system, keys), answers=refusing("phone"), system=system)
    calls = await bench.settle()
    assert bench.refused(system=system) == {"phone": "INVALID_FIELD: no such column"}
    written = {key for key, field in bench.ledger.pairs[1].fields.items() if field.side(system).writes}
    assert written == set(keys) - {"phone"}
    assert calls <= 1 + 2 * 3
    assert not bench.ledger.pairs[1].record(system).refused, "the row as a whole is not refused"


async def test_rows_are_narrowed_down_together() -> None:
    bench = Bench(*(owing_all(number, MK) for number in range(1, 21)), answers=refusing("phone"))
    assert await bench.settle() <= 1 + 2 * 3, "as many calls as for one row"


async def test_a_row_that_is_refused_whatever_it_holds_is_refused_as_a_whole_in_three_calls() -> None:
    bench = Bench(owing_all(1, MK), answers=refusing(*KEYS, reason="DUPLICATES_DETECTED: use one of these records"))
    assert await bench.settle() == 3
    assert set(bench.refused()) == set(KEYS)
    assert bench.ledger.pairs[1].marketo.refused == "DUPLICATES_DETECTED: use one of these records"


async def test_correcting_one_field_sends_the_whole_row_again() -> None:
    bench = Bench(owing_all(1, MK), answers=refusing(*KEYS, reason="a trigger says no"))
    await bench.settle()
    bench.writer.answers = done
    assert await bench.settle() == 0, "nothing has changed"
    await edited(bench, "phone", "2")
    assert await bench.settle() == 1
    assert set(bench.writer.sent()[-1]) == {*KEYS}
    assert bench.refused() == {}


async def edited(bench: Bench, key: str, value: str) -> None:
    """A person corrects a field in Salesforce."""
    async with bench.ledger.transaction() as tx:
        judging = Judging(tx, bench.told, T)
        told = event(SF, {bench.told.rules.objects[next(iter(bench.told.rules.objects))].by_key[key].salesforce: value}, id=ids(1)[SF])
        await judging.load([told])
        judging.judge(told, NOWHERE)
        await judging.save()


@pytest.mark.parametrize("named", [False, True])
async def test_a_mapping_that_was_mended_sends_it_again_after_a_restart(*, named: bool) -> None:
    def named_answer(item: Item) -> Answer:
        return Outcome(fate=Fate.REJECTED, reason="STRING_TOO_LONG", fields=frozenset({"phone"}))

    bench = Bench(owing_all(1, MK, ("title", "phone")), answers=named_answer if named else refusing("title", "phone"))
    if named:
        await bench.settler.round()
    else:
        await bench.settle()
    stored = unpack(pack(bench.ledger.pairs[1]))
    again = Bench(stored)
    assert await reconsider(again.ledger, again.told, again.clock) == 0
    assert again.refused(), "the same mapping: nothing is tried again"
    mended = tuple(mapped("phone", "Phone", marketo_length=9) if item.key == "phone" else item for item in FIELDS)
    objects = {obj: type(each)(object=obj, fields=mended) for obj, each in rules().objects.items()}
    again = Bench(stored, told=terms(objects=objects))
    assert await reconsider(again.ledger, again.told, again.clock) == 1
    assert again.refused() == {}
    await again.settle()
    assert "phone" in again.writer.sent()[-1]


async def test_two_bad_fields_are_both_found_in_the_end() -> None:
    bench = Bench(owing_all(1, MK), answers=refusing("title", "website", elsewhere="x"))
    await bench.settle()
    assert set(bench.refused()) == {"title", "website"}
    assert {key for key, field in bench.ledger.pairs[1].fields.items() if field.marketo.writes} == {"phone", "lastName", "unsubscribed"}


async def test_a_part_of_which_nobody_knows_leaves_the_row_in_doubt() -> None:
    def answer(item: Item) -> Answer:
        assert isinstance(item.order, Update)
        if len(item.order.fields) < 5:
            return Unknown("reset")
        return Outcome(fate=Fate.REJECTED, reason="no")

    bench = Bench(owing_all(1, MK), answers=answer)
    await bench.settler.round()
    state = bench.ledger.pairs[1]
    assert {key for key, field in state.fields.items() if field.marketo.writes} == set(KEYS)
    assert state.due[Duty.LOOK_MARKETO]


async def test_a_call_that_is_refused_as_a_whole_is_narrowed_down_to_rows_and_then_to_fields() -> None:
    async def write(items: Sequence[Item]) -> list[Outcome]:
        bad = [item for item in items if any(out.key == "phone" for out in item.order.fields)]  # type: ignore[union-attr]
        if bad:
            raise Reject("no such field", code="609")
        return [done(item) for item in items]

    bench = Bench(owing_all(1, MK), owing_all(2, MK))
    work = await bench.settler.claim()
    items = [item for item, _ in work.items]
    outcomes = await narrowed(write, items, [Outcome(fate=Fate.REJECTED, reason="609 no such field")] * 2)
    assert [[key for key, _ in outcome.refused] for outcome in outcomes] == [["phone"], ["phone"]]


async def test_what_is_refused_by_name_is_not_narrowed_down() -> None:
    named = Outcome(fate=Fate.REJECTED, reason="STRING_TOO_LONG", fields=frozenset({"phone"}))
    bench = Bench(owing_all(1, MK), answers=lambda item: named if len(item.order.fields) == 5 else done(item))  # type: ignore[union-attr]
    await bench.settler.round()
    assert len(bench.writer.calls) == 1


async def test_a_creation_that_was_refused_is_tried_again_under_another_mapping() -> None:
    bench = Bench(lone(1, SF), answers=lambda _: Outcome(fate=Fate.REJECTED, reason="1006 no such field"))
    await bench.settler.round()
    assert await bench.settle() == 0
    stored = unpack(pack(bench.ledger.pairs[1]))
    assert await reconsider(bench.ledger, bench.told, bench.clock) == 0
    objects = {obj: type(each)(object=obj, fields=FIELDS[:-1]) for obj, each in rules().objects.items()}
    again = Bench(told=terms(objects=objects))
    again.ledger.pairs[1] = stored
    assert await reconsider(again.ledger, again.told, again.clock) == 1
    await again.settle()
    assert again.ledger.pairs[1].marketo.id == "901"

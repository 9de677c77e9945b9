"""Look: what is read because the feed is silent, because a record was never read whole, or because a call was never finished."""

from typing import Any

import msgspec

from consumers.ledger.memory import MemoryLedger
from consumers.ledger.port import Duty
from consumers.merge.events.fold import fold
from consumers.merge.pair.state import PairState, Record
from consumers.merge.writing.plan import Create, Update, plan
from consumers.merge.writing.writes import answered, failed, intend
from consumers.settle.looks.look import Looked, Looker
from streams.wire.events import Value
from streams.wire.systems import System
from tests.consumers.merge.person_pair import LINKS, MK, SF, T, event, reading, terms
from tests.consumers.pairs_in_memory import Clock, ids, ledger_with, lone, owing
from tests.consumers.scripted_writer import ScriptedWriter

TERMS = terms()


class Bench:
    """A looker on a ledger in memory."""

    def __init__(self, *states: PairState, system: System = MK, batch_max: int = 300) -> None:
        self.clock = Clock()
        self.ledger: MemoryLedger = ledger_with(*states)
        self.writer = ScriptedWriter(system, batch_max=batch_max)
        self.looker = Looker(self.ledger, self.writer, TERMS, self.clock)

    async def round(self, after_ms: int = 0) -> Looked:
        self.clock.now = T + after_ms
        return await self.looker.round()

    def stands(self, number: int, **fields: Value) -> None:
        """What a reading of a Marketo record shows."""
        row: dict[str, Value] = {"email": f"p{number}@example.com", "lastName": "Lovelace", "title": "a", "leadScore": 10}
        row |= {LINKS.lead_id: ids(number)[SF], LINKS.type: "Lead", **fields}
        record = ids(number)[MK]
        self.writer.records[record] = reading(MK, row, self.clock.now + 100, id=record)

    def title(self, number: int = 1) -> Any:
        return self.ledger.pairs[number].fields["title"]


def sent(number: int = 1, state: PairState | None = None) -> PairState:
    """A pair with a write to Marketo under way."""
    state = state or owing(number, MK)
    planned = plan(state, MK, TERMS.rules, exact=False)
    assert isinstance(planned, Create | Update)
    return intend(state, MK, planned, write=7, now=T, patience=TERMS.patience(MK))


async def test_nothing_is_looked_at_before_its_time() -> None:
    bench = Bench(answered(sent(), MK, 7, T))
    assert (await bench.round(59_999)).pairs == 0


async def test_the_feed_is_not_silent_about_what_it_has_not_been_read_up_to() -> None:
    bench = Bench(answered(sent(), MK, 7, T))
    bench.stands(1)
    lag_ms = 30_000

    async def lag() -> int:
        return lag_ms

    bench.looker = Looker(bench.ledger, bench.writer, TERMS, bench.clock, lag)
    assert (await bench.round(60_000)).read == 0
    assert bench.ledger.pairs[1].due[Duty.LOOK_MARKETO] == T + 90_000
    assert (await bench.round(89_999)).pairs == 0
    lag_ms = 0
    assert (await bench.round(90_000)).read == 1
    assert bench.title().marketo.shows == 2


async def test_a_record_that_is_to_be_read_is_read_while_the_feed_is_behind() -> None:
    state = answered(sent(), MK, 7, T)
    bench = Bench(msgspec.structs.replace(state, marketo=msgspec.structs.replace(state.marketo, reread=True)))
    bench.stands(1)

    async def lag() -> int:
        return 100_000

    bench.looker = Looker(bench.ledger, bench.writer, TERMS, bench.clock, lag)
    assert (await bench.round(61_000)).read == 1
    assert bench.title().marketo.writes, "the feed has yet to tell"


async def test_a_write_that_changed_nothing_is_shown() -> None:
    bench = Bench(answered(sent(), MK, 7, T))
    bench.clock.now = T + 60_000
    bench.stands(1)
    looked = await bench.round(60_000)
    assert (looked.pairs, looked.read) == (1, 1)
    assert (bench.title().marketo.shows, bench.title().marketo.writes) == (2, ())
    assert bench.ledger.pairs[1].due == (0, 0, 0, 0)


async def test_a_write_that_never_arrived_is_owed_again() -> None:
    bench = Bench(failed(sent(), MK, 7, T + 60_000))
    bench.clock.now = T + 60_000
    bench.stands(1)
    looked = await bench.round(60_000)
    assert looked.due == {Duty.WRITE_MARKETO}
    assert bench.ledger.pairs[1].due[Duty.WRITE_MARKETO]


async def test_what_the_feed_has_yet_to_show_is_looked_at_again_later() -> None:
    bench = Bench(answered(sent(), MK, 7, T))
    bench.clock.now = T + 60_000
    bench.stands(1, title="z")
    await bench.round(60_000)
    assert (bench.title().value, bench.ledger.pairs[1].due[Duty.LOOK_MARKETO]) == ("b", T + 120_000)


async def test_when_the_feed_must_have_lost_it_the_reading_is_the_truth() -> None:
    bench = Bench(answered(sent(), MK, 7, T))
    bench.clock.now = T + 700_000
    bench.stands(1, title="z")
    await bench.round(700_000)
    assert (bench.title().value, bench.title().version) == ("z", 3)


async def test_a_call_that_nobody_finished_is_given_up_and_its_writes_are_in_doubt() -> None:
    bench = Bench(sent())
    bench.stands(1, title="z")
    assert (await bench.round(29_999)).pairs == 0, "the call may still be out"
    assert (await bench.round(30_000)).read == 1, "and then nobody waits for the feed's bound"
    state = bench.ledger.pairs[1]
    assert (state.marketo.calling, state.fields["title"].marketo.writes[0].answered) == (0, -1)
    assert state.due[Duty.LOOK_MARKETO] == T + 90_000


async def test_a_record_that_is_not_there_is_taken_for_deleted() -> None:
    bench = Bench(answered(sent(), MK, 7, T))
    looked = await bench.round(60_000)
    state = bench.ledger.pairs[1]
    assert (looked.gone, state.marketo.deleted, state.due) == (1, True, (0, 0, 0, 0))


async def test_readings_come_in_full_calls() -> None:
    bench = Bench(*(answered(sent(number), MK, 7, T) for number in range(1, 6)), batch_max=2)
    bench.clock.now = T + 60_000
    for number in range(1, 6):
        bench.stands(number)
    rounds = [(await bench.round(60_000)).pairs for _ in range(4)]
    assert (rounds, len(bench.writer.read_ids)) == ([2, 2, 1, 0], 5)


# -- creations in doubt ----------------------------------------------------------------------------------------------------------
async def test_a_creation_in_doubt_that_was_made_is_found_by_the_id_it_carries() -> None:
    bench = Bench(failed(sent(state=lone(1, SF)), MK, 7, T + 10_000))
    row: dict[str, Value] = {"email": "p1@example.com", "lastName": "Lovelace", "title": "a", "leadScore": 10}
    row |= {LINKS.lead_id: ids(1)[SF], LINKS.type: "Lead"}
    bench.writer.found = {1: [reading(MK, row, T + 60_000, id="77")]}
    await bench.round(60_000)
    state = bench.ledger.pairs[1]
    assert (state.marketo.id, state.marketo.creating, state.marketo.origin) == ("77", 0, "tandem")
    assert state.fields["title"].marketo.shows == state.fields["title"].version == 1


async def test_a_creation_in_doubt_that_was_never_made_is_made_again() -> None:
    bench = Bench(failed(sent(state=lone(1, SF)), MK, 7, T + 10_000))
    looked = await bench.round(60_000)
    assert (bench.ledger.pairs[1].marketo.creating, looked.due) == (0, {Duty.WRITE_MARKETO})
    assert isinstance(plan(bench.ledger.pairs[1], MK, TERMS.rules, exact=False), Create)


async def test_a_creation_in_doubt_whose_record_stands_in_a_pair_of_its_own_is_joined_with_it() -> None:
    told = event(MK, {"title": "m"}, T + 5_000, before={"title": "a"}, id="77", ref="x1")
    stranger, _ = fold(PairState(marketo=Record(id="77")), told, TERMS, T)
    bench = Bench(failed(sent(state=lone(1, SF)), MK, 7, T + 10_000), stranger)
    row: dict[str, Value] = {"email": "p1@example.com", "title": "m", "leadScore": 10, LINKS.lead_id: ids(1)[SF]}
    bench.writer.found = {1: [reading(MK, row, T + 60_000, id="77")]}
    bench.writer.records = {"77": reading(MK, row, T + 60_000, id="77")}
    while (await bench.round(60_000)).pairs:
        pass
    assert list(bench.ledger.pairs) == [1]
    state = bench.ledger.pairs[1]
    assert (state.marketo.id, state.fields["title"].value, state.marketo.creating) == ("77", "m", 0)


async def test_several_records_like_it_leave_the_question_to_settle() -> None:
    bench = Bench(failed(sent(state=lone(1, SF)), MK, 7, T + 10_000))
    bench.writer.found = {1: [reading(MK, {"email": "p1@example.com"}, id=each) for each in ("77", "78")]}
    await bench.round(60_000)
    assert (bench.ledger.pairs[1].marketo.id, bench.ledger.pairs[1].marketo.creating) == ("", 0)


# -- what waits for a link ---------------------------------------------------------------------------------------------------------
async def test_what_waited_for_a_link_is_judged_when_its_time_is_up() -> None:
    state, _ = fold(owing(1, SF), event(MK, {"title": "z"}, before={"title": "y"}), TERMS, T)
    bench = Bench(state)
    assert (await bench.round(29_999)).pairs == 0
    looked = await bench.round(30_000)
    assert (bench.title().value, bench.ledger.pairs[1].waiting) == ("z", ())
    assert looked.due == {Duty.WRITE_SALESFORCE}
    (decision,) = bench.ledger.decisions
    assert decision.fields[0].field == "title"
    assert decision.event is not None
    assert (decision.system, decision.event.author, decision.event.at) == (MK, "person", T + 9_000)


async def test_an_unread_record_is_read_at_once_and_leased_while_it_is() -> None:
    state = owing(1, SF)
    bench = Bench(msgspec.structs.replace(state, marketo=msgspec.structs.replace(state.marketo, reread=True)))
    bench.stands(1, title="b")
    assert (await bench.round()).read == 1
    assert not bench.ledger.pairs[1].marketo.reread
    assert (await bench.round()).pairs == 0

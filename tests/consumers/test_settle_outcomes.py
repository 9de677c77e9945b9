"""Settle: intents before the call, outcomes after it, and what each kind of answer leaves behind."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from consumers.ledger.memory import MemoryLedger, MemoryTransaction
from consumers.ledger.port import Duty, Pair
from consumers.merge.events.fold import fold
from consumers.merge.pair.prints import prints
from consumers.merge.pair.state import FAILED, PairState, Record
from consumers.merge.pair.stored import pack
from consumers.merge.writing.plan import Create, Delete, Plan, Update
from consumers.merge.writing.writes import Patience
from consumers.settle.conditions.reading_first import Ahead
from consumers.settle.rounds.answers import Settled
from consumers.settle.rounds.outcomes import Outcomes
from consumers.settle.rounds.settler import Settler
from consumers.settle.writers.port import Fate, Item, Outcome, Use
from streams.budget.lease import must_hold
from streams.budget.port import Lane
from streams.wire.errors import Fatal, Reject, Retry, Unknown
from streams.wire.events import Value
from streams.wire.systems import PERSON, System
from tests.consumers.merge.person_pair import LINKS, MK, SF, T, event, reading, terms
from tests.consumers.pairs_in_memory import Clock, ids, ledger_with, lone, owing, renamed
from tests.consumers.scripted_writer import Answer, ScriptedWriter, done

TERMS = terms()


class Bench:
    """A settler on a ledger in memory."""

    def __init__(self, *states: PairState, system: System = MK, answers: Callable[[Item], Answer] = done, **how: Any) -> None:
        self.clock = Clock()
        self.ledger: MemoryLedger = ledger_with(*states)
        self.writer = ScriptedWriter(system, answers, how.pop("batch_max", 300))
        self.settler = Settler(self.ledger, self.writer, TERMS, self.clock, **how)

    async def round(self) -> Settled:
        return await self.settler.round()

    def due(self, kind: Duty, number: int = 1) -> int:
        return self.ledger.pairs[number].due[kind]

    def write(self, number: int = 1, system: System = MK) -> Any:
        writes = self.ledger.pairs[number].fields["title"].side(system).writes
        return writes[0] if writes else None

    def outcomes(self) -> list[str]:
        return [decision.outcome for decision in self.ledger.decisions if decision.kind == "written"]


async def test_the_intent_is_committed_before_the_call_and_the_outcome_after_it() -> None:
    bench = Bench(owing(1, MK))
    seen: list[Any] = []
    bench.writer.before_answer = lambda: seen.append((bench.write(), bench.ledger.pairs[1].marketo.calling))
    settled = await bench.round()
    assert (seen[0][0].value, seen[0][0].answered, seen[0][1]) == ("b", 0, seen[0][0].id)
    assert (bench.write().answered, bench.ledger.pairs[1].marketo.calling) == (T, 0)
    assert (settled.claimed, settled.calls, settled.records, settled.since) == (1, 1, 1, [T])
    assert (bench.due(Duty.WRITE_MARKETO), bench.due(Duty.LOOK_MARKETO)) == (0, T + 60_000)
    assert (await bench.round()).claimed == 0


async def test_edits_pile_up_into_one_write_and_people_into_full_calls() -> None:
    bench = Bench(*(owing(number, MK) for number in range(1, 8)), batch_max=3)
    while (await bench.round()).claimed:
        pass
    assert [len(call) for call in bench.writer.calls] == [3, 3, 1]
    assert bench.writer.sent() == [{"title": "b"}] * 7


async def test_live_edits_go_before_repairs_and_copies() -> None:
    states = [owing(number, MK, lane=lane) for number, lane in ((1, Lane.COPY), (2, Lane.LIVE), (3, Lane.REPAIR))]
    bench = Bench(*states, batch_max=1)
    assert (await bench.settler.round(Lane.REPAIR)).claimed == 1
    assert (await bench.settler.round(Lane.REPAIR)).claimed == 1
    assert (await bench.settler.round(Lane.REPAIR)).claimed == 0
    assert [item.pair for call in bench.writer.calls for item in call] == [2, 3]


ANSWERS: dict[str, tuple[Answer, str, int | None, int]] = {
    # the answer -> the outcome told, `answered` of the write left (None: owed again), from when on it is due again (0: not)
    "a lost answer": (Unknown("timeout"), "update unknown", FAILED, 0),
    "not sent": (Retry("606", after_seconds=7), "update not sent", None, T + 7_000),
    "busy": (Outcome(fate=Fate.BUSY, reason="locked"), "update busy", None, T + 3_000),
    "busy for long": (Outcome(fate=Fate.BUSY, reason="in approval", after_seconds=300), "update busy", None, T + 300_000),
    "neither yes nor no": (Outcome(fate=Fate.UNKNOWN, reason="UNKNOWN_EXCEPTION"), "update unknown", FAILED, 0),
    "gone": (Outcome(fate=Fate.GONE, reason="1004"), "update gone", None, 0),  # it is read before it is written to again
    "refused": (Outcome(fate=Fate.REJECTED, reason="1003 no"), "update rejected", None, 0),
    "the call refused": (Reject("bad", code="609"), "update rejected", None, 0),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_what_an_answer_leaves_behind(name: str) -> None:
    answer, told, left, due = ANSWERS[name]
    bench = Bench(owing(1, MK), answers=lambda _: answer)
    await bench.round()
    assert bench.outcomes() == [told]
    assert (bench.write().answered if bench.write() else None) == left
    assert bench.due(Duty.WRITE_MARKETO) == due
    assert bench.ledger.pairs[1].marketo.calling == 0
    assert (await bench.round()).claimed == 0, "no hot loop"


async def test_what_does_not_pass_is_tried_again_after_ever_longer_waits_and_never_given_up() -> None:
    bench = Bench(owing(1, MK), answers=lambda _: Outcome(fate=Fate.BUSY, reason="SERVER_UNAVAILABLE", after_seconds=5))
    waits = []
    for _ in range(9):
        await bench.round()
        waits.append(bench.due(Duty.WRITE_MARKETO) - bench.clock.now)
        bench.clock.now += waits[-1]
    assert waits == [5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 600_000, 600_000]
    bench.writer.answers = done
    await bench.round()
    assert bench.outcomes()[-1] == "update done"


async def test_a_creation_that_does_not_pass_says_why_and_is_tried_again() -> None:
    bench = Bench(lone(1, SF), answers=lambda _: Outcome(fate=Fate.BUSY, reason="STORAGE_LIMIT_EXCEEDED: full", after_seconds=300))
    await bench.round()
    assert bench.ledger.pairs[1].marketo.refused == "STORAGE_LIMIT_EXCEEDED: full"
    assert bench.due(Duty.WRITE_MARKETO) == T + 300_000
    bench.clock.now, bench.writer.answers = T + 300_000, done
    await bench.round()
    assert (bench.ledger.pairs[1].marketo.id, bench.ledger.pairs[1].marketo.refused) == ("901", "")


async def test_a_row_of_which_nobody_knows_is_looked_for_soon_and_ever_later() -> None:
    bench = Bench(owing(1, MK), answers=lambda _: Outcome(fate=Fate.UNKNOWN, reason="UNKNOWN_EXCEPTION"))
    await bench.round()
    assert bench.due(Duty.LOOK_MARKETO) == T + TERMS.marketo.doubt_ms


async def test_a_record_that_is_gone_is_looked_at() -> None:
    bench = Bench(owing(1, MK), answers=lambda _: Outcome(fate=Fate.GONE, reason="1004"))
    await bench.round()
    assert bench.ledger.pairs[1].marketo.reread
    assert T <= bench.due(Duty.LOOK_MARKETO) <= T + 2_000


async def test_a_refusal_is_kept_in_the_systems_own_words_and_tried_again_when_the_field_changes() -> None:
    bench = Bench(owing(1, MK), answers=lambda _: Outcome(fate=Fate.REJECTED, reason="1003 too long", fields=frozenset({"title"})))
    await bench.round()
    assert bench.ledger.pairs[1].fields["title"].marketo.reason == "1003 too long"
    assert bench.ledger.decisions[-1].detail == "1003 too long"


async def test_a_refused_call_is_narrowed_down_to_the_record_that_caused_it() -> None:
    states = [owing(number, MK, f"b{number}") for number in range(1, 9)]
    bench = Bench(*states, answers=lambda item: Reject("bad", code="609") if item.pair == 6 else done(item))
    settled = await bench.round()
    assert settled.fates == {Fate.DONE: 7, Fate.REJECTED: 1}
    assert [number for number in range(1, 9) if bench.write(number) is None] == [6]


async def test_after_a_fatal_call_nothing_is_in_doubt() -> None:
    """The calls that were not made are withdrawn, as is the one that was refused."""
    states = [owing(1, MK), renamed(lone(2, SF), 2, marketo=Record())]
    bench = Bench(*states, answers=lambda _: Fatal("no access", remedy="Give it."))
    with pytest.raises(Fatal):
        await bench.round()
    assert len(bench.writer.calls) == 1
    for number in (1, 2):
        state = bench.ledger.pairs[number]
        assert (state.marketo.calling, state.marketo.creating, bench.write(number)) == (0, 0, None)
        assert bench.due(Duty.WRITE_MARKETO, number) > T


async def test_a_call_that_is_cancelled_is_in_doubt_and_told_so() -> None:
    bench = Bench(owing(1, MK), answers=lambda _: asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await bench.round()
    assert (bench.write().answered, bench.outcomes()) == (FAILED, ["update unknown"])


# -- creations -----------------------------------------------------------------------------------------------------------------
async def test_a_creation_asks_first_whether_the_person_is_there() -> None:
    bench = Bench(lone(1, SF))
    await bench.round()
    assert bench.writer.asked == [[1]]
    state = bench.ledger.pairs[1]
    assert (state.marketo.id, state.marketo.origin, state.marketo.complete) == ("901", "tandem", True)
    assert bench.writer.sent()[0]["email"] == "p1@example.com"
    assert bench.writer.sent()[0][LINKS.lead_id] == ids(1)[SF]
    assert (await bench.round()).claimed == 0


async def test_a_person_who_is_there_is_linked_and_not_created() -> None:
    bench = Bench(lone(1, SF))
    bench.writer.found = {1: [reading(MK, {"email": "P1@example.com", "title": "m"}, id="77")]}
    await bench.round()
    state = bench.ledger.pairs[1]
    assert (state.marketo.id, state.fields["title"].value) == ("77", "m"), "Marketo wins the first meeting"
    assert [type(item.order) for call in bench.writer.calls for item in call if isinstance(item.order, Create)] == []
    assert bench.writer.sent() == [{LINKS.lead_id: ids(1)[SF], LINKS.type: "Lead", "lastName": "Lovelace", "leadScore": 10}]


async def test_several_candidates_make_a_hold_never_a_guess() -> None:
    bench = Bench(lone(1, SF))
    bench.writer.found = {1: [reading(MK, {"email": "p1@example.com"}, id=each) for each in ("77", "78")]}
    await bench.round()
    assert bench.writer.calls == []
    assert bench.ledger.pairs[1].hold.endswith("marketo 77; marketo 78")
    assert (await bench.round()).claimed == 0


async def test_a_creation_that_finds_the_person_there_looks_again_later() -> None:
    bench = Bench(lone(1, SF), answers=lambda _: Outcome(fate=Fate.EXISTS, reason="1005"))
    await bench.round()
    assert (bench.ledger.pairs[1].marketo.creating, bench.due(Duty.WRITE_MARKETO)) == (0, T + 3_000)


async def test_a_person_who_is_there_but_never_found_is_asked_for_ever_more_rarely_and_the_reason_is_told() -> None:
    bench = Bench(lone(1, SF), answers=lambda _: Outcome(fate=Fate.EXISTS, reason="1005 Lead already exists"))
    waits = []
    for _ in range(10):
        await bench.round()
        waits.append(bench.due(Duty.WRITE_MARKETO) - bench.clock.now)
        bench.clock.now += waits[-1]
    assert waits == [3_000, 6_000, 12_000, 24_000, 48_000, 96_000, 192_000, 384_000, 600_000, 600_000]
    refused = bench.ledger.pairs[1].marketo.refused
    assert refused.startswith("1005 Lead already exists; but nobody like it is found there. Tried 10 time(s)")
    bench.writer.answers = done
    await bench.round()
    assert (bench.ledger.pairs[1].marketo.id, bench.ledger.pairs[1].marketo.refused) == ("901", "")


async def test_what_is_written_while_the_feed_is_behind_is_given_more_time_to_come_back() -> None:
    lag_ms = 10_000

    async def lag() -> int:
        return lag_ms

    bench = Bench(owing(1, MK), owing(2, MK), owing(3, MK), owing(4, MK), owing(5, MK), lag=lag, batch_max=2)
    await bench.round()
    assert bench.due(Duty.LOOK_MARKETO, 1) == T + 60_000 + 40_000 + 60_000, "in a full call"
    await bench.round()
    lag_ms = 86_400_000
    await bench.round()
    assert bench.due(Duty.LOOK_MARKETO, 5) == T + 60_000 + 600_000, "a long stop is soon made good"


async def test_a_creation_in_doubt_is_not_repeated_before_it_was_looked_for() -> None:
    bench = Bench(lone(1, SF), answers=lambda _: Unknown("reset"))
    await bench.round()
    bench.clock.now += 50_000
    assert (await bench.round()).claimed == 0
    assert bench.ledger.pairs[1].marketo.creating


async def test_a_question_that_fails_leaves_nothing_behind_and_holds_nobody_else_up() -> None:
    bench = Bench(owing(1, MK), lone(2, SF))
    bench.writer.refuses_to_tell = {2: Retry("away")}
    with pytest.raises(Retry):
        await bench.round()
    assert bench.outcomes() == ["update done"], "what needed no question was written"
    assert bench.ledger.pairs[2].marketo.calling == 0
    assert bench.due(Duty.WRITE_MARKETO, 2)


async def test_a_question_that_is_refused_is_narrowed_down_to_the_pair_that_caused_it() -> None:
    bench = Bench(*(lone(number, SF) for number in (1, 2, 3)))
    bench.writer.refuses_to_tell = {2: Reject("Invalid value for filterValues", code="1003")}
    await bench.round()
    assert [bench.ledger.pairs[number].marketo.id for number in (1, 2, 3)] == ["901", "", "903"]
    assert "filterValues" in bench.ledger.pairs[2].marketo.refused
    assert (await bench.round()).claimed == 0, "it waits until it changes"


async def test_a_record_of_ours_that_the_feed_told_of_first_is_taken_into_its_pair() -> None:
    """The feed was quicker than the answer: the record stands in a pair of its own, and what waits there moves."""
    bench = Bench(lone(1, SF))

    def feed() -> None:
        told = event(MK, {"title": "m"}, before={"title": "a"}, id="901", ref="g8")
        stranger, _ = fold(PairState(marketo=Record(id="901", refs=prints("g7"))), told, TERMS, T)
        bench.ledger.pairs[bench.ledger.new_pair_id()] = stranger

    bench.writer.before_answer = feed
    await bench.round()
    assert list(bench.ledger.pairs) == [1]
    state = bench.ledger.pairs[1]
    assert (state.marketo.id, state.marketo.refs, len(state.waiting), state.marketo.reread) == ("901", prints("g7,g8"), 1, True)


# -- deletions -----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("fate", [Fate.DONE, Fate.GONE])
async def test_a_second_record_of_ours_is_deleted_once(fate: Fate) -> None:
    bench = Bench(msgspec.structs.replace(renamed(owing(1, SF), 1), retract=((MK, "9"),)), answers=lambda _: Outcome(fate=fate))
    await bench.round()
    bench.clock.now += 10_000
    assert (await bench.round()).claimed == 0
    assert (bench.writer.deleted(), bench.ledger.pairs[1].retract) == (["9"], ())
    assert not bench.ledger.pairs[1].marketo.deleted, "the pair's own record stands"


async def test_a_deletion_that_is_refused_is_not_tried_again_at_once() -> None:
    refused = Outcome(fate=Fate.REJECTED, reason="INSUFFICIENT_ACCESS")
    bench = Bench(msgspec.structs.replace(renamed(owing(1, SF), 1), retract=((MK, "9"),)), answers=lambda _: refused)
    await bench.round()
    assert (await bench.round()).claimed == 0
    assert bench.due(Duty.WRITE_MARKETO) == T + 900_000
    assert [type(item.order) for call in bench.writer.calls for item in call] == [Delete]


async def test_a_deletion_that_others_put_off_is_tried_soon_and_then_no_oftener_than_the_system_says() -> None:
    """An opportunity and its roles are deleted at once: the roles go first, and it need not wait for long."""
    in_use = Outcome(fate=Fate.BUSY, reason="1022 Opportunity is in use", after_seconds=60)
    bench = Bench(msgspec.structs.replace(renamed(owing(1, SF), 1), retract=((MK, "9"),)), answers=lambda _: in_use)
    waits = []
    for _ in range(8):
        await bench.round()
        waits.append(bench.due(Duty.WRITE_MARKETO) - bench.clock.now)
        bench.clock.now = bench.due(Duty.WRITE_MARKETO)
    assert waits == [3_000, 6_000, 12_000, 24_000, 48_000, 60_000, 60_000, 60_000]


@pytest.mark.parametrize(("deleted", "id_now", "second"), [(True, "10", ()), (False, "9", ((MK, "10"),))])
def test_a_record_made_again_takes_the_place_of_the_one_that_is_gone(deleted: bool, id_now: str, second: tuple[object, ...]) -> None:
    """A role that changes, or an account that comes back: it is no second record beside the first."""
    state = msgspec.structs.replace(owing(1, MK), marketo=Record(id="9", complete=True, deleted=deleted, creating=7))
    pair = Pair(id=1, state=state, loaded=None)
    item = Item(write=7, pair=1, order=Create(object=PERSON, fields=()))
    Outcomes(MK, TERMS).take(pair, item, Outcome(fate=Fate.DONE, id="10"), "", now=T, after_ms=0)
    assert (pair.state.marketo.id, pair.state.marketo.deleted, pair.state.retract) == (id_now, False, second)


@pytest.mark.parametrize("system", System)
async def test_a_second_record_of_ours_that_others_use_is_kept_and_held_with_both_ids(system: System) -> None:
    spare = {SF: "00Q000000000999AAA", MK: "999"}[system]
    link = {SF: LINKS.salesforce_key, MK: LINKS.lead_id}[system]
    bench = Bench(msgspec.structs.replace(renamed(owing(1, system.other), 1), retract=((system, spare),)), system=system)
    row = reading(system, {link: ids(1)[system.other]}, id=spare)
    bench.writer.used = {spare: Use(reading=row, what=("list 1001",), asked="lists")}
    await bench.round()
    assert bench.writer.calls == []
    assert (bench.ledger.pairs[1].retract, bench.ledger.pairs[1].hold) == ((), "")
    kept = bench.ledger.pairs[2]
    assert (kept.record(system).id, kept.hold.startswith("ambiguous match")) == (spare, True)
    assert ids(1)[system] in kept.hold
    assert "is kept, since others use it: list 1001" in str(bench.ledger.decisions)


async def test_a_deletion_is_told_with_what_speaks_for_it() -> None:
    bench = Bench(msgspec.structs.replace(renamed(owing(1, SF), 1), retract=((MK, "9"),)))
    await bench.round()
    assert bench.writer.asked_uses == ["9"]
    (told,) = [decision for decision in bench.ledger.decisions if decision.kind == "written"]
    assert told.outcome == "delete done"
    assert f"at the same moment as {ids(1)[MK]}" in told.detail
    assert "nothing hangs on it (asked: everything)" in told.detail


async def test_a_second_record_of_ours_that_is_gone_already_is_forgotten() -> None:
    bench = Bench(msgspec.structs.replace(renamed(owing(1, SF), 1), retract=((MK, "9"),)))
    bench.writer.used = {"9": None}
    await bench.round()
    assert (bench.writer.calls, bench.ledger.pairs[1].retract) == ([], ())


@pytest.mark.parametrize(("error", "after_ms"), [(Retry("away"), 3_000), (Reject("no", code="603"), 900_000)])
async def test_where_it_cannot_be_asked_nothing_is_deleted(error: Exception, after_ms: int) -> None:
    bench = Bench(msgspec.structs.replace(renamed(owing(1, SF), 1), retract=((MK, "9"),)))
    bench.writer.refuses_uses = error
    with pytest.raises(type(error)):
        await bench.round()
    assert (bench.writer.calls, bench.ledger.pairs[1].retract) == ([], ((MK, "9"),))
    assert (bench.ledger.pairs[1].marketo.calling, bench.due(Duty.WRITE_MARKETO)) == (0, T + after_ms)


# -- reading first ---------------------------------------------------------------------------------------------------------------
async def test_a_record_is_read_before_it_is_written_to_where_that_is_wanted_and_the_edit_found_is_judged() -> None:
    bench = Bench(owing(1, MK), read_first=Ahead.LIVE)
    found: dict[str, Value] = {"email": "p1@example.com", "lastName": "Lovelace", "title": "c", "leadScore": 10}
    found |= {LINKS.lead_id: ids(1)[SF], LINKS.type: "Lead"}
    bench.writer.records = {ids(1)[MK]: reading(MK, found, id=ids(1)[MK])}
    await bench.round()
    assert bench.writer.read_ids == [ids(1)[MK]]
    assert (bench.writer.calls, bench.ledger.pairs[1].fields["title"].value) == ([], "c"), "it would have stood in the wrong for a moment"
    assert bench.due(Duty.WRITE_SALESFORCE)


async def test_only_the_live_lane_is_read_first() -> None:
    bench = Bench(owing(1, MK, lane=Lane.REPAIR), read_first=Ahead.LIVE)
    await bench.round()
    assert (bench.writer.read_ids, len(bench.writer.calls)) == ([], 1)


@pytest.mark.parametrize("lane", [Lane.LIVE, Lane.REPAIR, Lane.COPY])
async def test_every_lane_is_read_first_where_the_feed_may_have_lost_something(lane: Lane) -> None:
    bench = Bench(owing(1, MK, lane=lane))
    found: dict[str, Value] = {"email": "p1@example.com", "lastName": "Lovelace", "title": "c", "leadScore": 10}
    found |= {LINKS.lead_id: ids(1)[SF], LINKS.type: "Lead"}
    bench.writer.records = {ids(1)[MK]: reading(MK, found, id=ids(1)[MK])}
    await bench.settler.finish(await bench.settler.claim(read_first=Ahead.ALL))
    assert (bench.writer.calls, bench.ledger.pairs[1].fields["title"].value) == ([], "c")


async def test_a_field_that_cannot_be_written_now_is_refused_and_its_neighbours_are_sent() -> None:
    both = owing(1, MK)
    both = both.with_fields({"lastName": msgspec.structs.replace(both.fields["title"], value="Byron")})

    def without_title(planned: Plan) -> Plan:
        assert isinstance(planned, Update)
        left = tuple(out for out in planned.fields if out.key != "title")
        return replace(planned, fields=left, refused=(("title", "not now"),))

    bench = Bench(both, fitting=without_title)
    await bench.round()
    assert bench.writer.sent() == [{"lastName": "Byron"}]
    side = bench.ledger.pairs[1].fields["title"].marketo
    assert (side.refused, side.reason, side.writes) == (2, "not now", ())
    assert bench.due(Duty.WRITE_MARKETO) == 0


async def test_the_ledgers_own_state_is_never_changed_in_place() -> None:
    bench = Bench(owing(1, MK), lone(2, SF))
    states = dict(bench.ledger.pairs)
    before = {number: pack(state) for number, state in states.items()}
    await bench.round()
    assert {number: pack(state) for number, state in states.items()} == before


# -- leases ----------------------------------------------------------------------------------------------------------------------
async def test_a_call_is_never_begun_after_its_lease() -> None:
    bench = Bench(owing(1, MK))
    work = await bench.settler.claim()
    bench.clock.now += TERMS.marketo.begin_ms
    await bench.settler.finish(work)
    assert (bench.writer.calls, bench.outcomes(), bench.write()) == ([], ["update not sent"], None)
    assert bench.due(Duty.WRITE_MARKETO) == bench.clock.now, "it is owed again at once"


async def test_the_later_calls_of_a_batch_look_at_their_lease_again() -> None:
    """The first call hung until the lease of the others was over."""
    bench = Bench(*(owing(number, MK) for number in (1, 2)), batch_max=300)
    work = await bench.settler.claim()
    settler = Settler(bench.ledger, bench.writer, TERMS, bench.clock, batch_max=1)
    bench.writer.before_answer = lambda: setattr(bench.clock, "now", T + TERMS.marketo.begin_ms)
    await settler.finish(work)
    assert [len(call) for call in bench.writer.calls] == [1]
    assert bench.outcomes() == ["update done", "update not sent"]


async def test_a_writer_that_waits_for_leave_or_a_token_looks_at_the_lease_before_it_sends() -> None:
    bench = Bench(owing(1, MK))

    def waited_long() -> None:
        bench.clock.now += TERMS.marketo.begin_ms
        must_hold("a call")

    bench.writer.before_answer = waited_long
    await bench.round()
    assert bench.outcomes() == ["update not sent"]


def test_a_lease_outlives_every_time_out_of_the_client() -> None:
    with pytest.raises(ValueError, match="does not outlive"):
        Patience(call_ms=120_000, time_out_ms=120_000)
    patience = Patience(call_ms=300_000, time_out_ms=190_000)
    assert patience.begin_ms + patience.time_out_ms < patience.call_ms


# -- others in the way -----------------------------------------------------------------------------------------------------------
class Hindered(MemoryLedger):
    """Somebody else stands in the way of some transactions, just before they would be committed."""

    def __init__(self, ledger: MemoryLedger) -> None:
        super().__init__()
        self.pairs, self.keys = ledger.pairs, ledger.keys
        self.hindered = 0

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[MemoryTransaction]:
        async with super()._transaction() as tx:
            yield tx
            if self.hindered:
                self.hindered -= 1
                raise Retry("in the way of another transaction", after_seconds=0)


@pytest.mark.parametrize("order", ["creation", "withdrawal"])
async def test_what_a_system_has_told_is_not_lost_because_others_stand_in_the_way_in_the_ledger(order: str) -> None:
    states = {"creation": lone(1, SF), "withdrawal": msgspec.structs.replace(renamed(owing(1, SF), 1), retract=((MK, "9"),))}
    bench = Bench(states[order])
    ledger = Hindered(bench.ledger)
    bench.settler = Settler(ledger, bench.writer, TERMS, bench.clock)
    work = await bench.settler.claim()
    ledger.hindered = 3
    settled = await bench.settler.finish(work)
    assert (settled.records, len(bench.writer.asked) + len(bench.writer.asked_uses)) == (1, 1), "asked once, written at once"
    assert ledger.pairs[1].marketo.calling == 0

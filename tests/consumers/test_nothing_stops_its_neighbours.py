"""Whatever a step of ours raises on one event or one pair: that one is set aside, its neighbours go on."""

import importlib
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from consumers.ledger.memory import MemoryLedger
from consumers.ledger.port import Duty, Fenced, Taken
from consumers.merge.lives.aside import FAULT
from consumers.merge.pair.decision import Verdict
from consumers.merge.pair.state import PairState
from consumers.observe.observer import Observer
from consumers.settle.looks.look import Looker
from consumers.settle.rounds.settler import Settler
from streams.wire.errors import Fatal, Reject, Retry, Unknown
from streams.wire.events import Value
from tests.consumers.merge.person_pair import MK, SF, T, paired, reading, terms
from tests.consumers.pairs_in_memory import Clock, ids, ledger_with, lone, owing, renamed
from tests.consumers.scripted_writer import ScriptedWriter
from tests.consumers.test_observe_batches import TOPIC, edit, messages

TERMS = terms()
POISON = "poison"
RAISED: dict[str, Callable[[], Exception]] = {
    "OverflowError": lambda: OverflowError("int too big to convert"),
    "KeyError": lambda: KeyError("x"),
    "RecursionError": RecursionError,
    "MemoryError": MemoryError,
    "StopIteration": StopIteration,
    "TimeoutError": TimeoutError,
    "Retry": lambda: Retry("by mistake"),
    "Unknown": lambda: Unknown("by mistake"),
    "Reject": lambda: Reject("by mistake"),
    "Fatal": lambda: Fatal("by mistake"),
    "Fenced": lambda: Fenced("by mistake"),
    "Taken": lambda: Taken(SF, "x"),
}
JUDGING = (
    "consumers.observe.observer.decode",
    "consumers.judging.batch.is_full",
    "consumers.judging.batch.fold",
    "consumers.judging.decided.Decision",
    "consumers.merge.events.fold.is_old",
    "consumers.merge.events.fold.noted",
    "consumers.merge.events.fold.judge_fields",
    "consumers.merge.events.fold.touched",
    "consumers.merge.events.feed.neutral",
    "consumers.merge.edits.judge.equal",
    "consumers.merge.terms.due",
)
"""Steps of judging an edit in the feed the long way."""
PLAINLY = (
    "consumers.judging.plain_events.plainly",
    "consumers.judging.plain_events.Decision",
    "consumers.merge.events.plain.equal",
    "consumers.merge.events.plain.Ruling",
)
"""And those of the short way."""


@pytest.fixture(params=RAISED)
def raised(request: pytest.FixtureRequest) -> Callable[[], Exception]:
    """What a step raises."""
    return RAISED[request.param]


def poison(monkeypatch: pytest.MonkeyPatch, place: str, raised: Callable[[], Exception], mark: str = POISON) -> None:
    """Let a step fail wherever it is given something with this mark."""
    module, _, name = place.rpartition(".")
    target = importlib.import_module(module)
    real: Callable[..., Any] = getattr(target, name)

    def step(*args: object, **kwargs: object) -> Any:
        if mark in repr(args) + repr(kwargs):
            raise raised()
        return real(*args, **kwargs)

    monkeypatch.setattr(target, name, step)


def no_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the plainest edits go the long way."""
    monkeypatch.setattr("consumers.observe.observer.ways", lambda _terms: {})


def title(ledger: MemoryLedger, number: int) -> Value:
    return ledger.pairs[number].fields["title"].value


@pytest.mark.parametrize("place", [*JUDGING, *PLAINLY])
async def test_an_event_that_can_not_be_judged_is_buried_and_its_pair_held(
    place: str, raised: Callable[[], Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = ledger_with(*(renamed(paired(), number) for number in range(1, 6)))
    told = messages(*(edit(number, POISON if number == 3 else "c") for number in range(1, 6)))
    poison(monkeypatch, place, raised)
    if place not in PLAINLY:
        no_short_way(monkeypatch)
    observed = await Observer(ledger, TERMS, Clock()).observe(TOPIC, 0, 0, told)
    assert (observed.events, observed.dead, observed.verdicts) == (4, 1, {Verdict.ACCEPTED: 4})
    assert [title(ledger, number) for number in range(1, 6)] == ["c", "c", "a", "c", "c"]
    assert await ledger.offset(TOPIC, 0) == 5
    assert [(letter.offset, letter.original, letter.stage) for letter in ledger.dead] == [(2, told[2].value, "observe")]
    assert POISON not in ledger.dead[0].reason
    if place != "consumers.observe.observer.decode":  # there only the key says whose it is, and these have none
        assert ledger.pairs[3].hold.startswith(FAULT)
        assert ledger.pairs[3].due[Duty.LOOK_SALESFORCE], "a reading tells what the event told"
    assert not any(ledger.pairs[number].hold for number in (1, 2, 4, 5))


async def test_a_reading_makes_good_what_was_buried_and_the_edit_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, clock = ledger_with(renamed(paired(), 1)), Clock()
    with monkeypatch.context() as patched:
        poison(patched, "consumers.judging.batch.fold", RAISED["KeyError"])
        no_short_way(patched)
        await Observer(ledger, TERMS, clock).observe(TOPIC, 0, 0, messages(edit(1, POISON)))
    clock.now = T + 20_000
    writer = ScriptedWriter(SF)
    row: dict[str, Value] = {"Email": "p1@example.com", "LastName": "Lovelace", "Title": POISON, "Score__c": 10}
    writer.records[ids(1)[SF]] = reading(SF, row, T + 19_000, id=ids(1)[SF])
    looked = await Looker(ledger, writer, TERMS, clock).round()
    assert (looked.read, looked.held, title(ledger, 1), ledger.pairs[1].hold) == (1, 0, POISON, "")
    assert Duty.WRITE_MARKETO in looked.due


@pytest.mark.parametrize(
    "place", ["consumers.judging.meeting.introductions.canonical", "consumers.judging.batch.recognise", "consumers.judging.batch.alone"]
)
async def test_a_newcomer_that_can_not_be_introduced(place: str, raised: Callable[[], Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = ledger_with()
    rows = [
        reading(SF, {"Email": f"p{number}@example.com", "LastName": POISON if number == 2 else "Lovelace"}, id=ids(number)[SF])
        for number in (1, 2, 3)
    ]
    poison(monkeypatch, place, raised, "p2@example.com")
    observed = await Observer(ledger, TERMS, Clock()).observe(TOPIC, 0, 0, messages(*rows))
    assert (observed.events, observed.dead) == (2, 1)
    held = {state.salesforce.id: state.hold[: len(FAULT)] for state in ledger.pairs.values()}
    assert held == {ids(1)[SF]: "", ids(2)[SF]: FAULT, ids(3)[SF]: ""}


async def test_a_pair_that_can_not_even_be_held_waits_beside_the_others(
    raised: Callable[[], Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = ledger_with(*(owing(number, MK) for number in (1, 2, 3)))
    poison(monkeypatch, "consumers.merge.terms.due", raised, ids(2)[SF])
    poison(monkeypatch, "consumers.judging.apart.stuck", raised, ids(2)[SF])
    writer = ScriptedWriter(MK)
    settler = Settler(ledger, writer, TERMS, Clock())
    settled = await settler.round()
    assert (settled.claimed, settled.held, [item.pair for call in writer.calls for item in call]) == (3, 1, [1, 3])
    assert list(ledger.shelved) == [2]
    assert (await settler.round()).claimed == 0


@pytest.mark.parametrize(
    "place", ["consumers.settle.rounds.intents.plan", "consumers.settle.rounds.intents.intend", "consumers.merge.writing.plan.wire"]
)
async def test_a_pair_that_can_not_be_planned_is_held_and_the_others_are_written(
    place: str, raised: Callable[[], Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = ledger_with(owing(1, MK), owing(2, MK, POISON), owing(3, MK))
    poison(monkeypatch, place, raised)
    writer, clock = ScriptedWriter(MK), Clock()
    settler = Settler(ledger, writer, TERMS, clock)
    settled = await settler.round()
    assert (settled.claimed, settled.held, settled.records) == (3, 1, 2)
    assert [item.pair for call in writer.calls for item in call] == [1, 3]
    assert ledger.pairs[2].hold.startswith(FAULT)
    assert not ledger.pairs[2].due[Duty.WRITE_MARKETO]
    assert (await settler.round()).claimed == 0, "it does not come again and again"


async def test_what_was_stuck_is_tried_again_once_something_is_told_of_the_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, clock = ledger_with(owing(1, MK, POISON)), Clock()
    writer = ScriptedWriter(MK)
    with monkeypatch.context() as patched:
        poison(patched, "consumers.settle.rounds.intents.plan", RAISED["KeyError"])
        await Settler(ledger, writer, TERMS, clock).round()
    await Observer(ledger, TERMS, clock).observe(TOPIC, 0, 0, messages(edit(1, "later")))
    await Settler(ledger, writer, TERMS, clock).round()
    assert writer.sent() == [{"title": "later"}]


@pytest.mark.parametrize(
    "place",
    [
        "consumers.settle.rounds.intents.plan",
        "consumers.settle.rounds.intents.intend",
        "consumers.settle.rounds.ask.withdrawn",
        "consumers.judging.batch.recognise",
    ],
)
async def test_a_person_that_can_not_be_looked_up_does_not_keep_others_from_being_created(
    place: str, raised: Callable[[], Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = ledger_with(*(lone(number, SF) for number in (1, 2, 3)))
    writer = ScriptedWriter(MK)
    writer.found = {
        2: [reading(MK, {"email": "p2@example.com", "lastName": "Lovelace"}, id="7777")],
        3: [reading(MK, {"email": "p3@example.com", "lastName": "Lovelace"}, id="8888")],
    }
    settler = Settler(ledger, writer, TERMS, Clock())
    work = await settler.claim()
    poison(monkeypatch, place, raised, "p2@example.com")
    settled = await settler.finish(work)
    assert settled.held >= 1
    assert [item.pair for call in writer.calls for item in call] == [1, 3]
    assert ledger.pairs[3].marketo.id == "8888"
    assert any(state.hold.startswith(FAULT) for state in ledger.pairs.values())


@pytest.mark.parametrize(
    "place", ["consumers.settle.rounds.outcomes.answered", "consumers.settle.rounds.answers.Decision", "consumers.merge.terms.due"]
)
async def test_an_answer_that_can_not_be_taken_does_not_lose_the_others(
    place: str, raised: Callable[[], Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = ledger_with(*(owing(number, MK) for number in (1, 2, 3)))
    settler = Settler(ledger, ScriptedWriter(MK), TERMS, Clock())
    work = await settler.claim()
    poison(monkeypatch, place, raised, ids(2)[MK])
    settled = await settler.finish(work)
    assert (settled.held, settled.fates["done"]) == (1, 2)
    answers = {number: state.fields["title"].marketo.writes[0].answered for number, state in ledger.pairs.items()}
    assert (answers[1], answers[2], answers[3]) == (T, 0, T)
    assert ledger.pairs[2].hold.startswith(FAULT)
    assert ledger.pairs[2].marketo.calling, "found out like a call that a crash left open"


@pytest.mark.parametrize("place", ["consumers.settle.looks.look.unclaimed", "consumers.merge.terms.due", "consumers.judging.batch.look"])
async def test_a_look_that_fails_on_one_pair_reads_the_others(
    place: str, raised: Callable[[], Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(number: int) -> PairState:
        state = renamed(paired(), number)
        return state.with_record(SF, msgspec.structs.replace(state.salesforce, reread=True))

    ledger, clock = ledger_with(*(asked(number) for number in (1, 2, 3))), Clock()
    clock.now = T + 3_000
    writer = ScriptedWriter(SF)
    for number in (1, 2, 3):
        row: dict[str, Value] = {"Email": f"p{number}@example.com", "LastName": "Lovelace", "Title": "seen", "Score__c": 10}
        writer.records[ids(number)[SF]] = reading(SF, row, T + 2_500, id=ids(number)[SF])
    poison(monkeypatch, place, raised, ids(2)[SF])
    looker = Looker(ledger, writer, TERMS, clock)
    looked = await looker.round()
    assert looked.held == 1
    assert [title(ledger, number) for number in (1, 2, 3)] == ["seen", "a", "seen"]
    assert ledger.pairs[2].hold.startswith(FAULT)
    clock.now = T + 600_000
    for _ in range(3):
        await looker.round()
    assert not ledger.pairs[2].due[Duty.LOOK_SALESFORCE] or ledger.pairs[2].due[Duty.LOOK_SALESFORCE] > clock.now, "no tight loop"

"""Tasks and events in people's histories: each once, whatever is lost, whoever dies, and whatever becomes of task and person."""

from dataclasses import replace
from itertools import cycle

import pytest

from consumers.merge.lives.once import Proof, Search, proved, sent_at
from consumers.merge.pair.state import shallow
from consumers.merge.writing.plan import WRITTEN_ONCE, Nothing, plan
from consumers.merge.writing.refused import RECORD, refusals
from consumers.merge.writing.writes import Patience
from streams.wire.errors import Fatal
from streams.wire.systems import MARKETO
from tests.consumers.families.diary import CREATED, Diary
from tests.consumers.families.family import EVENT


async def test_a_task_and_a_meeting_are_told_in_their_persons_history() -> None:
    family = Diary()
    lead = family.lead("Ada")
    task = family.task(lead, "Call", Status="Not Started", ActivityDate="2027-01-15", IsClosed=False, CallDurationInSeconds=90)
    meeting = family.org.add(EVENT, WhoId=lead, Subject=None, CreatedDate=CREATED, ActivityDateTime="2027-01-16T09:30:00Z")
    await family.rest()
    (told,), (met,) = family.diary.told(task), family.diary.told(meeting)
    assert (told["leadId"], told["activityDate"]) == (int(family.pair(lead).marketo.id), CREATED)
    assert (told["activityTypeId"], told["primaryAttributeValue"]) == (100_001, "Call")
    attributes = {each["apiName"]: each["value"] for each in told["attributes"]}
    wanted = {"salesforceId": task, "status": "Not Started", "dueDate": "2027-01-15", "isClosed": False, "callSeconds": 90}
    assert wanted.items() <= attributes.items()
    assert None not in attributes.values(), "what is blank is left out"
    assert (met["activityTypeId"], met["primaryAttributeValue"]) == (100_002, "(no subject)")
    assert family.pair(task).marketo.id == "1"


async def test_a_task_waits_for_its_person_and_one_with_nobody_is_nobodys() -> None:
    family = Diary()
    early, alone = family.task("00Q000000000077AAA"), family.task(None)
    await family.rest()
    assert family.times(early, alone) == [0, 0]
    lead = family.lead("Late")
    family.org.edit(early, WhoId=lead)
    family.org.edit(alone, WhoId=lead)
    await family.rest()
    assert family.times(early, alone) == [1, 1]


@pytest.mark.parametrize("ticked", [{"IsRecurrence": True}, {"IsChild": True}])
async def test_neither_a_series_nor_a_colleagues_copy_of_a_meeting_is_told(ticked: dict[str, bool]) -> None:
    family = Diary()
    lead = family.lead("Ada")
    other = family.org.add(EVENT, WhoId=lead, Subject="Series", CreatedDate=CREATED, **ticked)
    each = family.org.add(EVENT, WhoId=lead, Subject="Occurrence", CreatedDate=CREATED, IsRecurrence=False, IsChild=False)
    await family.rest()
    assert family.times(other, each) == [0, 1]


async def test_what_follows_changes_nothing_and_says_so() -> None:
    family = Diary()
    one, other = family.lead("One"), family.lead("Other")
    task = family.task(one, "Call", Status="Not Started")
    await family.rest()
    family.org.edit(task, Status="Completed", WhoId=other)
    await family.rest()
    assert family.times(task) == [1]
    assert {refusals(family.pair(task))[MARKETO, key] for key in ("status", "leadId")} == {WRITTEN_ONCE}
    kind, row = family.org.delete(task)
    await family.rest()
    family.org.restore(task, kind, row)
    await family.rest()
    assert family.times(task) == [1]
    assert family.diary.calls == [1]


async def test_people_are_merged_and_their_tasks_stay() -> None:
    family = Diary()
    winner, loser = family.lead("Winner"), family.lead("Loser")
    task = family.task(loser)
    await family.rest()
    family.org.delete(loser, into=winner)
    family.org.edit(task, WhoId=winner)
    late = family.task(loser, "told late")
    await family.rest()
    assert family.times(task, late) == [1, 1]
    assert str(family.diary.told(late)[0]["leadId"]) == family.pair(winner).marketo.id


async def test_hundreds_go_in_few_calls() -> None:
    family = Diary()
    lead = family.lead("Busy")
    await family.rest()
    tasks = [family.task(lead, f"Call {number}") for number in range(650)]
    await family.rest()
    assert set(family.times(*tasks)) == {1}
    assert family.diary.calls == [300, 300, 50]


@pytest.mark.parametrize("fault", ["answer", "request"])
async def test_a_call_that_is_lost_writes_each_once(fault: str) -> None:
    family = Diary()
    lead = family.lead("Ada")
    await family.rest()
    faults = iter([fault, fault])
    family.diary.fails = lambda: next(faults, "")
    tasks = [family.task(lead, f"Call {number}") for number in range(7)]
    await family.rest()
    assert set(family.times(*tasks)) == {1}
    assert all(family.pair(task).marketo.id and not refusals(family.pair(task)) for task in tasks)


async def test_whoever_edits_meanwhile_changes_nothing_of_that() -> None:
    family = Diary()
    lead = family.lead("Ada")
    await family.rest()
    faults = iter(["answer"])
    family.diary.fails = lambda: next(faults, "")
    task = family.task(lead, "Call")
    await family.deliver()
    await family.turn()
    assert "it is looked for" in refusals(family.pair(task))[MARKETO, RECORD]
    family.org.edit(task, Subject="Call again")
    await family.rest()
    assert family.times(task) == [1]
    assert family.pair(task).marketo.id == "1"


async def test_a_worker_that_dies_between_call_and_answer_writes_nothing_twice() -> None:
    family = Diary()
    lead = family.lead("Ada")
    await family.rest()
    task = family.task(lead)
    await family.deliver()
    work = await family.settlers[MARKETO].claim()
    item, _ = work.items[0]
    await family.writers[MARKETO].write([item], 0)  # type: ignore[arg-type]
    family.started()
    await family.rest()
    assert family.times(task) == [1]


async def test_a_worker_that_dies_before_its_call_loses_nothing() -> None:
    family = Diary()
    lead = family.lead("Ada")
    await family.rest()
    task = family.task(lead)
    await family.deliver()
    await family.settlers[MARKETO].claim()
    family.started()
    await family.rest()
    assert family.times(task) == [1]


async def test_while_nobody_can_say_it_is_not_written_again() -> None:
    family = Diary()
    lead = family.lead("Ada")
    await family.rest()
    faults = iter(["answer"])
    family.diary.fails = lambda: next(faults, "")
    family.diary.shut = Fatal("Marketo activities: 603 Access denied.", remedy="Give the role Read-Only Activity.")
    task = family.task(lead)
    for _ in range(40):
        await family.deliver()
        try:
            await family.turn()
        except Fatal:
            pass
        family.clock.now += 60_000
    assert family.times(task) == [1]
    assert "603 Access denied" in refusals(family.pair(task))[MARKETO, RECORD]
    family.diary.shut = None
    await family.rest()
    assert family.times(task) == [1]
    assert refusals(family.pair(task)) == {}


async def test_without_its_type_it_waits_and_says_what_to_do() -> None:
    family = Diary()
    family.diary.there = False
    task = family.task(family.lead("Ada"))
    await family.deliver()
    for _ in range(4):
        await family.turn()
    assert "tandem setup" in refusals(family.pair(task))[MARKETO, RECORD]
    family.diary.there = True
    await family.rest()
    assert family.times(task) == [1]
    assert refusals(family.pair(task)) == {}


async def test_a_record_that_is_to_be_read_again_is_no_other_one() -> None:
    family = Diary()
    task = family.task(family.lead("Ada"))
    await family.rest()
    (number,) = [number for number, state in family.memory.pairs.items() if state.salesforce.id == task]
    async with family.ledger.transaction() as tx:
        pair = (await tx.by_id([number]))[number]
        record = shallow(pair.state.marketo)
        record.reread = True
        pair.state = family.terms.with_due(pair.state.with_record(MARKETO, record), family.clock())
        await tx.save([pair], family.clock())
    await family.rest()
    assert family.times(task) == [1]
    assert not family.pair(task).marketo.reread


async def test_it_is_searched_for_from_its_own_date_on() -> None:
    family = Diary()
    lead = family.lead("Ada")
    await family.rest()
    faults = cycle(["answer", ""])
    family.diary.fails = lambda: next(faults)
    family.task(lead)
    await family.rest()
    assert [each // 1000 for each in family.diary.searches] == [1_795_860_000 - 2]


PATIENCE = Patience(call_ms=30_000, silent_ms=60_000, lost_ms=600_000, doubt_ms=8_000)


async def test_what_a_search_comes_to() -> None:
    """The lease begins with the intent; only after it something that isn't there was not made."""
    family = Diary()
    lead = family.lead("Ada")
    await family.rest()
    faults = iter(["answer"])
    family.diary.fails = lambda: next(faults, "")
    task = family.task(lead)
    await family.deliver()
    await family.turn()
    state = family.pair(task)
    sent = sent_at(state, MARKETO)

    def looked(found: tuple[str, ...] | None, after_ms: int) -> tuple[str, Proof]:
        new, proof = proved(state, MARKETO, Search(found=found, now=sent + after_ms), PATIENCE)
        return new.marketo.id, proof

    cases = {
        (("7",), 1): ("7", Proof.THERE),
        (("7",), 40_000): ("7", Proof.THERE),
        ((), 29_999): ("", Proof.OPEN),
        ((), 30_000): ("", Proof.NOT_MADE),
        (None, 30_000): ("", Proof.OPEN),
        (None, 90_000_000): ("", Proof.OPEN),
    }
    assert {case: looked(*case) for case in cases} == cases
    found, _ = proved(state, MARKETO, Search(found=("7",), now=sent), PATIENCE)
    changed = family.terms.with_due(found, sent)
    assert changed.due[1] == 0
    assert isinstance(plan(changed, MARKETO, family.terms.rules, exact=False), Nothing)
    assert replace(family.terms.rules).objects[state.object].written_once

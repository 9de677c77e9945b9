"""Observe: a batch in one transaction with its offset; what can't be used is buried with its bytes, the rest flows."""

import pytest

from consumers.ledger.port import Duty, Fenced
from consumers.merge.pair.decision import Verdict
from consumers.observe.observer import Message, Observer
from streams.wire import codec
from streams.wire.events import ChangeEvent, Happened, Value
from tests.consumers.merge.person_pair import MK, SF, T, event, paired, reading, terms
from tests.consumers.pairs_in_memory import Clock, ids, ledger_with, owing, renamed

TOPIC = "crm.salesforce.lead.v1"
TOPIC_OF = {SF: TOPIC, MK: "crm.marketo.person.v1"}


def messages(*events: ChangeEvent | bytes | None, start: int = 0) -> list[Message]:
    return [
        Message(offset=start + place, key=b"k", value=codec.encode(each) if isinstance(each, ChangeEvent) else each)
        for place, each in enumerate(events)
    ]


def edit(number: int, value: Value, at: int = T + 9_000) -> ChangeEvent:
    return event(SF, {"Title": value}, at, id=ids(number)[SF])


async def test_a_batch_moves_the_offset_and_says_what_has_become_due() -> None:
    ledger = ledger_with(renamed(paired(), 1), owing(2, SF))
    observed = await Observer(ledger, terms(), Clock()).observe(TOPIC, 3, 0, messages(edit(1, "c"), edit(2, "c")))
    assert (observed.events, observed.verdicts) == (2, {Verdict.ACCEPTED: 1, Verdict.LOST: 1})
    assert observed.due == {Duty.WRITE_MARKETO}, "the other was due before"
    assert await ledger.offset(TOPIC, 3) == 2
    origins = [decision.event for decision in ledger.decisions]
    assert [(origin.topic, origin.partition, origin.offset, origin.author) for origin in origins if origin] == [
        (TOPIC, 3, 0, "person"),
        (TOPIC, 3, 1, "person"),
    ]


async def test_offsets_may_have_holes() -> None:
    ledger = ledger_with(owing(1, MK))
    observer = Observer(ledger, terms(), Clock())
    await observer.observe(TOPIC, 0, 0, messages(edit(1, "c"), start=4))
    await observer.observe(TOPIC, 0, 5, messages(edit(1, "d", T + 20_000), start=9))
    assert (await ledger.offset(TOPIC, 0), ledger.pairs[1].fields["title"].value) == (10, "d")


async def test_a_worker_that_has_lost_its_partition_changes_nothing() -> None:
    ledger = ledger_with(owing(1, MK))
    observer = Observer(ledger, terms(), Clock())
    await observer.observe(TOPIC, 0, 0, messages(edit(1, "c")))
    before = dict(ledger.pairs), list(ledger.decisions)
    with pytest.raises(Fenced):
        await observer.observe(TOPIC, 0, 0, messages(edit(1, "d", T + 20_000)))
    assert (dict(ledger.pairs), list(ledger.decisions)) == before


async def test_what_can_not_be_used_is_buried_with_its_bytes_and_the_rest_flows() -> None:
    ledger = ledger_with(owing(1, MK))
    bad = [b"not json", b'{"system":"salesforce"}', None, b"x" * 1_000_000]
    observed = await Observer(ledger, terms(), Clock()).observe(TOPIC, 0, 0, messages(*bad, edit(1, "c")))
    assert (observed.dead, observed.events, ledger.pairs[1].fields["title"].value) == (4, 1, "c")
    assert [(letter.offset, letter.original) for letter in ledger.dead] == [(0, bad[0]), (1, bad[1]), (2, b""), (3, bad[3])]
    assert all(letter.reason and letter.stage == "observe" for letter in ledger.dead)


@pytest.mark.parametrize("topic", ["crm.salesforce.contact.v1", "crm.salesforce.opportunity.v1", "crm.marketo.person.v1"])
async def test_what_belongs_on_another_topic_is_buried(topic: str) -> None:
    ledger = ledger_with(owing(1, MK))
    before = ledger.pairs[1]
    observed = await Observer(ledger, terms(), Clock()).observe(topic, 0, 0, messages(edit(1, "c")))
    assert (observed.dead, observed.events, ledger.pairs[1]) == (1, 0, before)
    assert [letter.reason for letter in ledger.dead] == [f"an event of salesforce 'lead' on {topic}"]


async def test_one_bad_field_does_not_spoil_its_event() -> None:
    ledger = ledger_with(owing(1, MK))
    told = event(SF, {"Score__c": "many", "Title": "c"}, id=ids(1)[SF])
    observed = await Observer(ledger, terms(), Clock()).observe(TOPIC, 0, 0, messages(told))
    assert observed.verdicts == {Verdict.UNUSABLE: 1, Verdict.ACCEPTED: 1}


async def test_what_only_the_poll_had_found_is_counted_and_goes_behind_the_live_lane() -> None:
    ledger = ledger_with(owing(1, MK))
    row: dict[str, Value] = {"Email": "p1@example.com", "LastName": "Lovelace", "Title": "z", "Score__c": 10}
    observed = await Observer(ledger, terms(), Clock()).observe(TOPIC, 0, 0, messages(reading(SF, row, id=ids(1)[SF])))
    assert observed.repaired == {SF: 1}
    assert ledger.pairs[1].lane == 0, "a live edit was due before: it keeps its lane"


WAITS = event(MK, {"title": "c"}, T + 9_000, before={"title": "b"}, ref="x2", author="grace")
LINK = event(MK, {"title": "b"}, T + 8_000, before={"title": "a"}, ref="x1", author="ada")
AFTERWARDS: dict[str, ChangeEvent] = {
    "the change before it": LINK,
    "a change on the other side": event(SF, {"Title": "d"}, T + 9_000),
    "a reading": reading(MK, {"title": "c"}, T + 60_000),
    "a reading of the other side": reading(SF, {"Title": "a"}, T + 60_000),
    "its deletion": event(MK, {}, T + 20_000, kind=Happened.DELETED, ref="d1"),
}


@pytest.mark.parametrize("then", AFTERWARDS)
async def test_what_had_to_wait_is_decided_as_what_it_is_whatever_comes_then(then: str) -> None:
    """Side, author and time are those of the edit, not of the event that ended its waiting."""
    clock = Clock()
    ledger = ledger_with(paired())
    await Observer(ledger, terms(), clock).observe(TOPIC_OF[MK], 0, 0, messages(WAITS))
    clock.now += 100_000
    ended = AFTERWARDS[then]
    start = 1 if ended.system is MK else 0
    observed = await Observer(ledger, terms(), clock).observe(TOPIC_OF[ended.system], 0, start, messages(ended, start=start))
    own = [
        each for each in ledger.decisions if each.event and each.event.author == "grace" and each.fields[0].verdict is not Verdict.WAITING
    ]
    assert [(each.system, each.record, each.event and each.event.at, each.fields[-1].value) for each in own] == [
        (MK, "1001", T + 9_000, "c")
    ]
    others = [each for each in ledger.decisions if each not in own and each.event and each.event.author != "grace"]
    assert all(ruling.value != "c" for each in others for ruling in each.fields if ruling.verdict is not Verdict.KNOWN)
    assert sum(observed.verdicts.values()) == sum(len(each.fields) for each in ledger.decisions[1:])


async def test_what_had_to_wait_is_judged_as_soon_as_its_link_is_there_though_another_of_the_links_fields_waits() -> None:
    ledger = ledger_with(paired())
    link = event(MK, {"title": "b", "lastName": "King"}, T + 8_000, before={"title": "a", "lastName": "Byron"}, ref="x1")
    await Observer(ledger, terms(), Clock()).observe(TOPIC_OF[MK], 0, 0, messages(WAITS, link))
    (pair,) = ledger.pairs.values()
    assert (pair.fields["title"].value, [sorted(each.event.fields) for each in pair.waiting]) == ("c", [["lastName"]])

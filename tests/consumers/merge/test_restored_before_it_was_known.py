"""A record that was restored before anybody had heard that the other side's was deleted: the older deletion is judged against that."""

from typing import Any

import msgspec
import pytest

from consumers.judging.batch import NOWHERE, Judging
from consumers.ledger.port import Pair
from consumers.merge.events.fold import fold
from consumers.merge.pair.state import PairState, Record
from consumers.merge.pair.stored import pack, unpack
from consumers.merge.writing.plan import Create, Delete, Nothing, plan
from consumers.merge.writing.writes import withdrawn
from consumers.settle.rounds.outcomes import Outcomes
from consumers.settle.writers.port import Fate, Item, Outcome
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import MARKETO, SALESFORCE, System
from tests.consumers.merge.person_pair import MK, MK_ID, MK_USER, SF, SF_ID, T, event, paired, reading, terms
from tests.consumers.test_kinds_of_campaigns import HERE, IN, TERMS, ledger, members, of_salesforce, told

ROW: dict[str, Value] = {"Email": "ada@example.com", "LastName": "Lovelace"}
GONE, BURIED, BACK = T + 10_000, T + 20_000, T + 30_000
RESTORED: dict[str, list[ChangeEvent]] = {
    "told": [event(SF, {}, GONE, kind=Happened.DELETED), event(SF, ROW, BACK, kind=Happened.UNDELETED)],
    "told before its own deletion": [event(SF, ROW, BACK, kind=Happened.UNDELETED)],
    "found": [
        event(SF, {}, GONE, kind=Happened.DELETED, source="poll", seq=0, author=None),
        reading(SF, ROW, BACK + 60_000, modified_at=BACK, author="person"),
    ],
}


def buried(at: int = BURIED, **changes: Any) -> ChangeEvent:
    return event(MK, {}, at, kind=Happened.DELETED, **changes)


def after(*events: ChangeEvent, told: Any = None) -> PairState:
    state = paired()
    for each in events:
        state, _ = fold(state, each, told or terms(), T + 90_000)
    return state


@pytest.mark.parametrize("how", RESTORED)
@pytest.mark.parametrize("looked", [False, True], ids=["", "a look had found nobody"])
@pytest.mark.parametrize("follows", [False, True], ids=["", "deletions are followed"])
def test_whoever_was_restored_since_gets_a_new_person(how: str, looked: bool, follows: bool) -> None:
    """Also where deletions in Marketo are followed in Salesforce: this one was before somebody wanted the lead back."""
    ruled = terms(delete_in_salesforce=follows)
    found = [buried(BACK + 5_000, source="read", ref="", author=None)] if looked else []
    state = after(*RESTORED[how], *found, buried(), told=ruled)
    state = after_reading(state, ruled)
    assert isinstance(plan(state, MARKETO, ruled.rules, exact=True), Create)
    assert not isinstance(plan(state, SALESFORCE, ruled.rules, exact=True), Delete)


def after_reading(state: PairState, ruled: Any) -> PairState:
    return fold(state, reading(SF, ROW, BACK + 70_000), ruled, T + 90_000)[0]


@pytest.mark.parametrize("how", RESTORED)
def test_whoever_was_deleted_since_stays_so(how: str) -> None:
    state = after_reading(after(*RESTORED[how], buried(BACK + 1_000)), terms())
    assert (state.marketo.id, state.marketo.deleted) == (MK_ID, True)
    assert plan(state, MARKETO, terms().rules, exact=True) == Nothing()


def test_whoever_was_never_restored_stays_deleted() -> None:
    state = after(event(SF, {"Title": "b"}, BACK), buried())
    assert (state.marketo.id, state.marketo.deleted) == (MK_ID, True)


@pytest.mark.parametrize("answered", [True, False], ids=["answered", "told by the feed alone"])
def test_a_deletion_of_ours_that_arrives_after_it_was_restored_is_made_good(answered: bool) -> None:
    ruled = terms()
    state = after(*RESTORED["told"], told=ruled)
    if answered:
        pair = Pair(id=1, state=state, loaded=None)
        order = Delete(object=state.named_on(MARKETO), id=MK_ID, why="deleted in Salesforce")
        outcome = Outcome(fate=Fate.DONE, id=MK_ID, until=BACK + 5_000)
        Outcomes(MARKETO, ruled).take(pair, Item(write=9, pair=1, order=order, begin_until=T), outcome, "", now=T, after_ms=0)
        state = pair.state
    else:
        state = fold(state, buried(BACK + 5_000, author=MK_USER), ruled, T + 90_000)[0]
    assert isinstance(plan(after_reading(state, ruled), MARKETO, ruled.rules, exact=True), Create)


def test_that_it_was_restored_is_kept_and_was_not_by_the_version_before() -> None:
    state = after(*RESTORED["told"])
    assert unpack(pack(state)).salesforce.restored == BACK
    fields = msgspec.structs.astuple(state.salesforce)[:-1]
    before = msgspec.msgpack.decode(msgspec.msgpack.encode(fields), type=Record)
    assert (before.id, before.restored) == (SF_ID, 0)
    assert withdrawn(state, SALESFORCE, 99).salesforce.restored == BACK


@pytest.mark.parametrize("back", list(System))
@pytest.mark.parametrize("since", [False, True], ids=["deleted before", "deleted since"])
async def test_a_member_who_takes_part_again_stays_though_the_other_sides_deletion_is_heard_later(back: System, since: bool) -> None:
    made = await ledger()
    await judged_of(made, of_salesforce(at=1_000, Status="Sent"), told(MARKETO, "1001.7", at=1_000, statusName="Sent"))
    (state,) = members(made)
    assert (state.salesforce.id, state.marketo.id) == (HERE, "1001.7")
    name = {SALESFORCE: HERE, MARKETO: "1001.7"}

    def of(system: System, kind: Happened, at: int) -> ChangeEvent:
        if system is SALESFORCE and kind is not Happened.DELETED:
            return of_salesforce(kind=kind, at=at, Status="Sent")
        changed = told(system, name[system], kind, at, **({} if kind is Happened.DELETED else {"statusName": "Sent"}))
        return msgspec.structs.replace(changed, source="poll")

    await judged_of(made, of(back, Happened.DELETED, 10_000))
    await judged_of(made, of(back, Happened.READ, 30_000))
    await judged_of(made, of(back.other, Happened.DELETED, 50_000 if since else 20_000))
    (state,) = members(made)
    assert isinstance(plan(state, back, TERMS.rules, exact=True), Delete) is since
    assert not state.record(back).deleted


async def judged_of(made: Any, *events: ChangeEvent) -> None:
    async with made.transaction() as tx:
        judging = Judging(tx, TERMS, 100_000)
        await judging.load(events)
        for each in events:
            judging.judge(each, NOWHERE)
        await judging.save()
    assert all(each.object == IN for each in events)

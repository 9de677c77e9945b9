"""What the port promises, on both ledgers."""

from collections.abc import Sequence
from functools import partial

import msgspec
import pytest

from consumers.ledger.memory import MemoryLedger
from consumers.ledger.port import Awaited, Duty, Fenced, Ledger, Pair, Taken
from consumers.ledger.postgres.blocks import unpacked
from consumers.ledger.postgres.ledger import PostgresLedger
from consumers.merge.pair.decision import Decision, Ruling, Verdict
from consumers.merge.pair.decision import decode as decode_decision
from consumers.merge.pair.state import Field, PairState, Record, Side
from consumers.merge.writing.parents import Reference
from consumers.merge.writing.witness import WAITS
from streams.wire.events import DeadLetter
from streams.wire.systems import LEAD, PERSON, Object, System

NOW = 1_700_000_000_000
TOPIC = "crm.salesforce.lead.v1"
ACCOUNT = Object("account")


class Changed(Exception):  # noqa: N818 - stands for whatever a caller may raise
    """Raised by a test in the middle of a transaction."""


def state(number: int, *, marketo: str = "", due: tuple[int, int, int, int] = (0, 0, 0, 0), lane: int = 0) -> PairState:
    side = Side(seen="Ada", seen_at=NOW, shows=1)
    return PairState(
        object=LEAD,
        fields={"firstName": Field(value="Ada", version=1, agreed_at=NOW, salesforce=side)},
        salesforce=Record(id=f"00Q{number:015}", complete=True, seq=number),
        marketo=Record(id=marketo),
        due=due,
        lane=lane,
    )


def pair(number: int, *, key: str | None = None, marketo: str = "", due: tuple[int, int, int, int] = (0, 0, 0, 0), lane: int = 0) -> Pair:
    return Pair(id=0, state=state(number, marketo=marketo, due=due, lane=lane), loaded=None, match_key=key)


def changed(former: PairState, **changes: object) -> PairState:
    return msgspec.structs.replace(former, **changes)


async def add(ledger: Ledger, *pairs: Pair) -> list[int]:
    async with ledger.transaction() as tx:
        await tx.save(pairs, NOW)
    return [one.id for one in pairs]


async def stored(ledger: Ledger, *ids: int) -> dict[int, Pair]:
    async with ledger.transaction() as tx:
        return await tx.by_id(ids)


async def decisions(ledger: Ledger) -> list[Decision]:
    if isinstance(ledger, MemoryLedger):
        return ledger.decisions
    assert isinstance(ledger, PostgresLedger)
    rows = await ledger._pool.fetch("select body from decision_blocks order by id")
    return [decode_decision(entry.told) for row in rows for entry in unpacked(row["body"])]


async def letters(ledger: Ledger) -> list[tuple[str, str]]:
    if isinstance(ledger, MemoryLedger):
        return [(letter.key, letter.reason) for letter in ledger.dead]
    assert isinstance(ledger, PostgresLedger)
    return [(row["key"], row["reason"]) for row in await ledger._pool.fetch("select key, reason from dead_letters order by id")]


def judged(number: int, at: int = NOW) -> Decision:
    ruling = Ruling(field="firstName", verdict=Verdict.ACCEPTED, value="Zoë", agreed="Zoë", version=2)
    return Decision(kind="judged", at=at, pair=number, system=System.SALESFORCE, record="00Q", fields=(ruling,))


async def claimed(ledger: Ledger, kind: Duty, now: int = NOW, limit: int = 10, lane: int = 2) -> list[int]:
    async with ledger.transaction() as tx:
        return [one.id for one in await tx.claim(kind, now, limit, lane)]


# offsets


async def test_an_unknown_partition_has_no_offset_and_takes_any(ledger: Ledger) -> None:
    assert await ledger.offset(TOPIC, 3) is None
    async with ledger.transaction() as tx:
        await tx.advance(TOPIC, 3, 40, 55)
    assert await ledger.offset(TOPIC, 3) == 55
    assert await ledger.offset(TOPIC, 4) is None


@pytest.mark.parametrize("stood", [None, 10])
async def test_an_offset_never_moves_back_by_itself(ledger: Ledger, stood: int | None) -> None:
    if stood is not None:
        async with ledger.transaction() as tx:
            await tx.advance(TOPIC, 0, 0, stood)
    with pytest.raises(Fenced):
        async with ledger.transaction() as tx:
            await tx.advance(TOPIC, 0, 10, 9)
    assert await ledger.offset(TOPIC, 0) == stood


async def test_only_another_partition_in_its_place_is_read_from_an_earlier_offset(ledger: Ledger) -> None:
    async with ledger.transaction() as tx:
        await tx.advance(TOPIC, 0, 0, 10, -7)
    assert await ledger.last_read(TOPIC, 0) == (9, -7)
    with pytest.raises(Fenced):
        async with ledger.transaction() as tx:
            await tx.rewind(TOPIC, 0, 9, 0)
    async with ledger.transaction() as tx:
        await tx.rewind(TOPIC, 0, 10, 0)
    assert (await ledger.offset(TOPIC, 0), await ledger.last_read(TOPIC, 0)) == (0, None)
    async with ledger.transaction() as tx:
        await tx.advance(TOPIC, 0, 0, 3)
    assert (await ledger.offset(TOPIC, 0), await ledger.last_read(TOPIC, 0)) == (3, None)


@pytest.mark.parametrize("start", [0, 9, 11])
async def test_who_starts_from_elsewhere_is_fenced_and_changes_nothing(ledger: Ledger, start: int) -> None:
    async with ledger.transaction() as tx:
        await tx.advance(TOPIC, 0, 0, 10)

    async def zombie() -> None:
        async with ledger.transaction(durable=False) as tx:
            await tx.save([pair(1)], NOW)
            await tx.record([judged(1)])
            await tx.advance(TOPIC, 0, start, 20)

    with pytest.raises(Fenced):
        await zombie()
    assert await ledger.offset(TOPIC, 0) == 10
    assert await decisions(ledger) == []
    async with ledger.transaction() as tx:
        assert await tx.by_record(System.SALESFORCE, LEAD, [state(1).salesforce.id]) == {}


# pairs


@pytest.mark.parametrize("durable", [True, False])
async def test_a_pair_comes_back_as_it_was_saved(ledger: Ledger, durable: bool) -> None:
    one = pair(1, key="ada@example.com", marketo="17")
    async with ledger.transaction(durable=durable) as tx:
        await tx.save([one, pair(2)], NOW)
        assert one.loaded is one.state
    async with ledger.transaction() as tx:
        by_salesforce = await tx.by_record(System.SALESFORCE, LEAD, [one.state.salesforce.id, "00Q000000000000404"])
        by_marketo = await tx.by_record(System.MARKETO, PERSON, ["17", "18"])
    assert list(by_salesforce) == [one.state.salesforce.id]
    assert list(by_marketo) == ["17"]
    found = by_marketo["17"]
    assert (found.id, found.state, found.match_key) == (one.id, one.state, "ada@example.com")
    assert found.loaded is found.state


async def test_a_pair_asked_for_twice_is_one_object(ledger: Ledger) -> None:
    [number] = await add(ledger, pair(1, key="ada@example.com", marketo="17"))
    async with ledger.transaction() as tx:
        first = (await tx.by_record(System.MARKETO, PERSON, ["17"]))["17"]
        first.state = changed(first.state, hold="waits")
        assert await tx.gather(keys=["ada@example.com"], most=9) == [first]
        assert (await tx.by_id([number]))[number] is first
        assert (await tx.by_record(System.SALESFORCE, LEAD, [first.state.salesforce.id]))[first.state.salesforce.id] is first


async def test_many_pairs_are_changed_at_once_and_the_others_stay(ledger: Ledger) -> None:
    numbers = await add(ledger, *(pair(number) for number in range(30)))
    async with ledger.transaction() as tx:
        found = await tx.by_id(numbers)
        for number in numbers[::2]:
            found[number].state = changed(found[number].state, lane=1)
        await tx.save(list(found.values()), NOW)
    after = await stored(ledger, *numbers)
    assert [after[number].state.lane for number in numbers] == [1, 0] * 15
    assert [after[number].state.salesforce.seq for number in numbers] == list(range(30))


async def test_what_is_raised_in_the_middle_takes_everything_back(ledger: Ledger) -> None:
    [number] = await add(ledger, pair(1, key="old@example.com", due=(0, NOW, 0, 0)))

    async def step() -> None:
        async with ledger.transaction() as tx:
            one = (await tx.by_id([number]))[number]
            one.state, one.match_key = changed(one.state, due=(0, 0, 0, 0), marketo=Record(id="5")), "new@example.com"
            await tx.save([one, pair(2)], NOW)
            await tx.record([judged(number)])
            await tx.bury([DeadLetter(stage="observe", reason="none", original=b"")])
            await tx.advance(TOPIC, 0, 0, 1)
            raise Changed

    with pytest.raises(Changed):
        await step()
    after = (await stored(ledger, number))[number]
    assert (after.state.marketo.id, after.match_key) == ("", "old@example.com")
    assert await claimed(ledger, Duty.WRITE_MARKETO) == [number]
    assert await decisions(ledger) == []
    assert await letters(ledger) == []
    assert await ledger.offset(TOPIC, 0) is None


async def test_pairs_are_found_by_their_key_as_it_is_now(ledger: Ledger) -> None:
    numbers = await add(ledger, pair(1, key="twin@example.com"), pair(2, key="twin@example.com"), pair(3, key="ada@example.com"), pair(4))
    async with ledger.transaction() as tx:
        found = await tx.gather(keys=["twin@example.com", "nobody@example.com"], most=9)
        assert [one.id for one in found] == numbers[:2]
        one = (await tx.by_id([numbers[0]]))[numbers[0]]
        one.match_key = None
        await tx.save([one], NOW)
    async with ledger.transaction() as tx:
        assert [one.id for one in await tx.gather(keys=["twin@example.com"], most=9)] == [numbers[1]]


async def test_ids_are_unique_among_records_of_one_sort(ledger: Ledger) -> None:
    company = Pair(id=0, state=changed(state(8), object=Object("account"), counterpart=Object("company")), loaded=None)
    company.state = company.state.with_record(System.MARKETO, Record(id="1"))
    person, other = await add(ledger, pair(1, marketo="1"), company)
    async with ledger.transaction() as tx:
        assert [one.id for one in (await tx.by_record(System.MARKETO, PERSON, ["1"])).values()] == [person]
        assert [one.id for one in (await tx.by_record(System.MARKETO, Object("company"), ["1"])).values()] == [other]
        assert await tx.by_record(System.MARKETO, Object("program"), ["1"]) == {}
        found = await tx.gather(records={(System.MARKETO, Object("company")): ["1", "2"]}, most=9)
        assert [one.id for one in found] == [other]
    assert set(await ledger.states(System.MARKETO, Object("company"), ["1"])) == {"1"}
    assert await ledger.states(System.MARKETO, Object("program"), ["1"]) == {}
    again = Pair(id=0, state=changed(company.state, salesforce=Record(id="001000000000009AAA")), loaded=None)
    with pytest.raises(Taken):
        await add(ledger, again)


async def test_children_wait_for_their_parents(ledger: Ledger) -> None:
    one, two, three = await add(ledger, pair(1, marketo="1"), pair(2, marketo="2"), pair(3, marketo="3"))
    unborn, unknown = "001000000000001AAA", "001000000000002AAA"
    async with ledger.transaction() as tx:
        here = state(3).salesforce.id
        assert await tx.in_marketo([here, unborn], [LEAD, ACCOUNT]) == {here: "3"}
        assert await tx.take_released([here, unborn], 9) == {}
        reference = partial(Reference, role="externalCompanyId")
        await tx.relate(
            {
                one: [reference(parent=unborn, waiting=True)],
                two: [reference(parent=unborn, waiting=True), Reference(role="externalSalesPersonId", parent=unknown, waiting=True)],
                three: [reference(parent=here, waiting=False)],
            }
        )
    account = Pair(id=0, state=PairState(object=ACCOUNT, counterpart=Object("company"), salesforce=Record(id=unborn)), loaded=None)
    (parent,) = await add(ledger, account)
    assert await ledger.awaited("", 9, [ACCOUNT]) == Awaited(unknown=((unknown, "externalSalesPersonId"),))
    assert await ledger.awaited("", 1, [ACCOUNT]) == Awaited(last=unborn), "it is not in Marketo yet"
    assert await ledger.awaited(unborn, 1, [ACCOUNT]) == Awaited(unknown=((unknown, "externalSalesPersonId"),), last=unknown)
    assert await ledger.awaited(unknown, 1, [ACCOUNT]) == Awaited()
    async with ledger.transaction() as tx:
        born = (await tx.by_id([parent]))[parent]
        born.state = born.state.with_record(System.MARKETO, Record(id=unborn))
        await tx.save([born], NOW)
    assert (await ledger.awaited("", 9, [ACCOUNT])).there == (unborn,)
    async with ledger.transaction() as tx:
        assert await tx.take_released([unborn], 1) == {one: ["externalCompanyId"]}
        assert await tx.take_released([unborn], 9) == {two: ["externalCompanyId"]}
        assert await tx.take_released([unborn], 9) == {}
        await tx.remove([two])
    assert await ledger.awaited("", 9, [ACCOUNT]) == Awaited(), "whoever is no more waits for nobody"


async def test_a_parent_that_is_part_of_another_now_is_that_one(ledger: Ledger) -> None:
    here, loser = "001000000000001AAA", "001000000000002AAA"
    account = PairState(object=ACCOUNT, counterpart=Object("company"), salesforce=Record(id=here), marketo=Record(id=here))
    child, winner = await add(ledger, pair(1, marketo="1"), Pair(id=0, state=account, loaded=None))
    async with ledger.transaction() as tx:
        await tx.relate({child: [Reference(role="externalCompanyId", parent=loser, waiting=True)]})
        await tx.remember({(System.SALESFORCE, ACCOUNT, loser): winner}, {})
    assert await ledger.awaited("", 9, [ACCOUNT]) == Awaited(there=(loser,))
    async with ledger.transaction() as tx:
        assert await tx.in_marketo([loser], [LEAD, ACCOUNT]) == {loser: here}
        assert await tx.in_marketo([loser], [LEAD]) == {}
        assert await tx.take_released([loser], 9) == {child: ["externalCompanyId"]}


async def test_the_children_of_a_pair_are_found_page_by_page_also_those_who_name_who_it_was(ledger: Ledger) -> None:
    here, loser, other = "001000000000001AAA", "001000000000002AAA", "001000000000003AAA"
    account = PairState(object=ACCOUNT, counterpart=Object("company"), salesforce=Record(id=here), marketo=Record(id=here))
    one, two, three, winner = await add(
        ledger, *(pair(number, marketo=str(number)) for number in (1, 2, 3)), Pair(id=0, state=account, loaded=None)
    )
    company, told = "externalCompanyId", partial(Reference, waiting=False)
    async with ledger.transaction() as tx:
        await tx.relate({
            one: [told(role=company, parent=here), told(role="externalSalesPersonId", parent=other)],
            two: [told(role=company, parent=other)],
            three: [told(role=company, parent=loser)],
        })  # fmt: skip
        await tx.remember({(System.SALESFORCE, ACCOUNT, loser): winner}, {})
    async with ledger.transaction() as tx:
        assert await tx.children_of([winner], 0, 9) == {one: {company: here}, three: {company: loser}}
        assert await tx.children_of([winner], 0, 1) == {one: {company: here}}
        assert await tx.children_of([winner], one, 1) == {three: {company: loser}}
        assert await tx.children_of([winner], three, 9) == {}


async def test_a_parent_that_is_gone_in_marketo_is_waited_for_until_it_is_there_again(ledger: Ledger) -> None:
    child, parent = await add(ledger, pair(1, marketo="1"), pair(2, marketo="2"))
    name = state(2).salesforce.id

    async def there(record: Record) -> tuple[dict[str, str], Awaited]:
        async with ledger.transaction() as tx:
            known = (await tx.by_id([parent]))[parent]
            known.state = known.state.with_record(System.MARKETO, record)
            await tx.save([known], NOW)
        async with ledger.transaction() as tx:
            return await tx.in_marketo([name], [LEAD]), await ledger.awaited("", 9, [LEAD])

    async with ledger.transaction() as tx:
        await tx.relate({child: [Reference(role="leadId", parent=name, waiting=True)]})
    assert await there(Record(id="2")) == ({name: "2"}, Awaited(there=(name,)))
    assert await there(Record(id="2", deleted=True)) == ({}, Awaited())
    assert await there(Record(id="3")) == ({name: "3"}, Awaited(there=(name,)))


async def test_who_names_somebody_else_or_nobody_waits_no_more(ledger: Ledger) -> None:
    role, reason = "externalCompanyId", f"{WAITS}account 1"
    waits = state(1, marketo="1").with_fields({role: Field(value="1", version=1, marketo=Side(shows=0, refused=1, reason=reason))})
    (child,) = await add(ledger, Pair(id=0, state=waits, loaded=None))
    async with ledger.transaction() as tx:
        await tx.relate({child: [Reference(role=role, parent="1", waiting=True)]})
    assert await ledger.awaited("", 9, [ACCOUNT]) == Awaited(unknown=(("1", role),))
    async with ledger.transaction() as tx:
        known = (await tx.by_id([child]))[child]
        shown = Side(shows=2)
        known.state = known.state.with_fields({role: Field(version=2, salesforce=shown, marketo=shown)})
        await tx.save([known], NOW)
    assert await ledger.awaited("", 9, [ACCOUNT]) == Awaited()
    async with ledger.transaction() as tx:
        await tx.relate({child: [Reference(role=role, parent="2", waiting=True)]})
        await tx.relate({child: [Reference(role=role, parent="", waiting=False)]})
    assert await ledger.awaited("", 9, [ACCOUNT]) == Awaited()


async def test_pairs_are_gathered_by_whatever_is_known_of_them_in_the_order_of_their_ids(ledger: Ledger) -> None:
    waiting = Pair(id=0, state=changed(state(6), hold="ambiguous match: x", waits="17"), loaded=None)
    numbers = await add(ledger, *(pair(number, key=f"k{number}", marketo=str(number)) for number in range(1, 6)), waiting)
    async with ledger.transaction() as tx:
        records = {(System.SALESFORCE, LEAD): [state(2).salesforce.id, "none"], (System.MARKETO, PERSON): ["1", "2"]}
        found = await tx.gather(ids=[numbers[3], 404], records=records, keys=["k5", "none"], waiting=["17", "none"], most=9)
        assert [one.id for one in found] == [numbers[each] for each in (0, 1, 3, 4, 5)]
        assert found[1] is (await tx.by_id([numbers[1]]))[numbers[1]]
        assert found[-1].state.waits == "17"


async def test_of_many_with_one_key_the_oldest_are_gathered_and_none_that_is_gone(ledger: Ledger) -> None:
    several = [pair(number, key="twin@example.com") for number in range(1, 31)]
    several[1].state = changed(several[1].state, salesforce=Record(id=several[1].state.salesforce.id, deleted=True))
    numbers = await add(ledger, *several)
    async with ledger.transaction() as tx:
        assert [one.id for one in await tx.gather(keys=["twin@example.com"], most=3)] == [numbers[0], numbers[2], numbers[3]]


async def test_who_else_has_a_key_by_now_is_told(ledger: Ledger) -> None:
    gone = pair(3, key="gone@example.com")
    gone.state = changed(gone.state, salesforce=Record(id="00Q3", deleted=True))
    numbers = await add(ledger, pair(1, key="ada@example.com"), pair(2, key="zoe@example.com"), gone)
    async with ledger.transaction() as tx:
        asked = ["ada@example.com", "zoe@example.com", "gone@example.com", "nobody@example.com"]
        assert sorted(await tx.others_with(asked, [])) == ["ada@example.com", "zoe@example.com"]
        assert await tx.others_with(asked, numbers[:1]) == ["zoe@example.com"]
        assert await tx.others_with([], []) == []


async def test_what_was_left_behind_is_kept_once_and_only_where_somebody_waits_for_it(ledger: Ledger) -> None:
    held = [Pair(id=0, state=changed(state(n), hold="ambiguous match: x", waits=what), loaded=None) for n, what in enumerate(("a@x", "17"))]
    await add(ledger, *held)
    assert not await ledger.anything_left()
    for what in (["a@x", "17", "nobody@x"], ["17"], []):
        async with ledger.transaction() as tx:
            await tx.left(what)
    assert await ledger.anything_left()
    async with ledger.transaction() as tx:
        assert await tx.take_left(1) == ["17"]
    async with ledger.transaction() as tx:
        assert await tx.take_left(9) == ["a@x"]
    assert not await ledger.anything_left()


@pytest.mark.parametrize("system", list(System))
async def test_a_record_belongs_to_one_pair(ledger: Ledger, system: System) -> None:
    [_, other] = await add(ledger, pair(1, marketo="17"), pair(2))
    record = "17" if system is System.MARKETO else state(1).salesforce.id

    async def name(number: int) -> None:
        async with ledger.transaction() as tx:
            one = (await tx.by_id([number]))[number] if number else pair(3)
            one.state = one.state.with_record(system, Record(id=record))
            await tx.save([one], NOW)

    for number in (0, other):
        with pytest.raises(Taken) as caught:
            await name(number)
        assert (caught.value.system, caught.value.record) == (system, record)
    assert (await stored(ledger, other))[other].state == state(2)


async def test_a_pair_absorbs_another_with_its_record_and_all_that_was_due_for_it(ledger: Ledger) -> None:
    lone = PairState(fields={}, marketo=Record(id="17", complete=True), due=(NOW, 0, 0, NOW))
    [kept, gone] = await add(ledger, pair(1, key="ada@example.com"), Pair(id=0, state=lone, loaded=None, match_key="ada@example.com"))
    async with ledger.transaction() as tx:
        one = (await tx.by_id([kept]))[kept]
        absorbed = (await tx.by_record(System.MARKETO, PERSON, ["17"]))["17"]
        await tx.remove([absorbed.id])
        one.state = one.state.with_record(System.MARKETO, absorbed.state.marketo)
        await tx.save([one], NOW)
        assert [found.id for found in (await tx.by_record(System.MARKETO, PERSON, ["17"])).values()] == [kept]
    assert list(await stored(ledger, kept, gone)) == [kept]
    assert await claimed(ledger, Duty.WRITE_SALESFORCE) == []
    assert await claimed(ledger, Duty.LOOK_MARKETO) == []


async def test_removing_nobody_and_saving_nothing_is_no_fault(ledger: Ledger) -> None:
    async with ledger.transaction() as tx:
        await tx.remove([])
        await tx.remove([404])
        await tx.save([], NOW)
        await tx.record([])
        await tx.bury([])
        assert await tx.by_id([]) == {}
        assert await tx.by_record(System.MARKETO, PERSON, []) == {}
        assert await tx.gather(most=9) == []


# what is due


async def test_what_is_due_is_claimed_first_lanes_first_and_then_the_longest_waiting(ledger: Ledger) -> None:
    waits = [(2, NOW - 90), (0, NOW - 5), (1, NOW - 70), (0, NOW - 8), (0, NOW + 1), (1, NOW - 80)]
    numbers = await add(ledger, *(pair(place, due=(0, at, 0, 0), lane=lane) for place, (lane, at) in enumerate(waits)))
    order = [numbers[place] for place in (3, 1, 5, 2, 0)]
    assert await claimed(ledger, Duty.WRITE_MARKETO) == order
    assert await claimed(ledger, Duty.WRITE_MARKETO, limit=3) == order[:3]
    assert await claimed(ledger, Duty.WRITE_MARKETO, lane=1) == order[:4]
    assert await claimed(ledger, Duty.WRITE_MARKETO, lane=0) == order[:2]
    assert await claimed(ledger, Duty.WRITE_MARKETO, now=NOW + 1) == [order[0], order[1], numbers[4], *order[2:]]
    assert await claimed(ledger, Duty.WRITE_SALESFORCE) == []


async def pause_standing(ledger: Ledger) -> int:
    """The number of a pause that has not ended."""
    if isinstance(ledger, MemoryLedger):
        ledger.pauses = {1}
        return 1
    number: int = await ledger._pool.fetchval(  # type: ignore[attr-defined]
        "insert into pauses (system, who, why, since_ms) values ('marketo', 'ann', 'x', 1)"
        " on conflict (system, object, pair) do update set why = 'x' returning id"
    )
    return number


async def test_what_is_paused_is_parked_in_one_direction_as_long_as_its_pause_stands(ledger: Ledger) -> None:
    one, other = await add(ledger, *(pair(number, due=(NOW, NOW, 0, 0)) for number in (1, 2)))
    number = await pause_standing(ledger)
    async with ledger.transaction() as tx:
        assert await tx.park(Duty.WRITE_MARKETO, {one: number, other: number + 1}) == {one}, "the other's pause has ended meanwhile"
    assert await claimed(ledger, Duty.WRITE_MARKETO) == [other]
    assert await claimed(ledger, Duty.WRITE_SALESFORCE) == [one, other]
    async with ledger.transaction() as tx:
        await tx.park(Duty.WRITE_MARKETO, {other: number})
    assert await ledger.waiting(Duty.WRITE_MARKETO, NOW) is None


STEPS: list[Sequence[tuple[int, int, int, int]]] = [
    [(NOW, 0, 0, 0), (0, 0, 0, 0)],
    [(NOW, 0, 0, 0), (0, NOW, 0, 0)],
    [(NOW, 0, 0, 0), (NOW - 5, 0, 0, 0)],
    [(0, 0, 0, 0), (NOW, NOW, NOW, NOW), (0, NOW, 0, NOW)],
    [(0, NOW, 0, NOW + 9), (0, NOW + 9, 0, NOW)],
    [(0, NOW, 0, 0), (0, 0, 0, 0), (0, NOW, 0, 0)],
]


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("within_one", [True, False])
async def test_what_is_due_follows_the_state(ledger: Ledger, steps: Sequence[tuple[int, int, int, int]], within_one: bool) -> None:
    [number] = await add(ledger, pair(1, due=steps[0]))
    for batch in [steps[1:]] if within_one else [[step] for step in steps[1:]]:
        async with ledger.transaction() as tx:
            one = (await tx.by_id([number]))[number]
            for step in batch:
                one.state = changed(one.state, due=step)
                await tx.save([one], NOW)
    for kind in Duty:
        assert await claimed(ledger, kind) == ([number] if 0 < steps[-1][kind] <= NOW else [])


async def test_a_pair_changes_lanes_with_all_that_is_due_for_it(ledger: Ledger) -> None:
    [number] = await add(ledger, pair(1, due=(NOW, NOW, 0, 0), lane=2))
    async with ledger.transaction() as tx:
        one = (await tx.by_id([number]))[number]
        one.state = changed(one.state, lane=0)
        await tx.save([one], NOW)
    assert await claimed(ledger, Duty.WRITE_SALESFORCE, lane=0) == [number]
    assert await claimed(ledger, Duty.WRITE_MARKETO, lane=0) == [number]


# decisions, dead letters, write ids


async def test_decisions_are_kept_in_their_order(ledger: Ledger) -> None:
    told = [judged(number) for number in (7, 0, 8)]
    async with ledger.transaction(durable=False) as tx:
        await tx.record(told[:2])
        await tx.record(told[2:])
    assert await decisions(ledger) == told


async def test_a_dead_message_is_kept_once_and_others_as_often_as_they_come(ledger: Ledger) -> None:
    message = DeadLetter(
        stage="observe", reason="no \x00 JSON", original=b"\x00{", key="lead:\x00", topic=TOPIC, partition=1, offset=5, at=NOW
    )
    elsewhere = DeadLetter(stage="salesforce.cdc", reason="odd", original=b"{}", key="?", at=NOW)
    for _ in range(2):
        async with ledger.transaction() as tx:
            await tx.bury([message, message, elsewhere])
    keys = [key.replace("\x00", "\ufffd") for key, _ in await letters(ledger)]
    assert sorted(keys) == ["?", "?", "lead:\ufffd"]


async def test_write_ids_grow_and_are_never_given_twice(ledger: Ledger) -> None:
    given = [await ledger.write_id() for _ in range(2_100)]
    assert given == sorted(set(given))
    assert given[0] > 0


async def test_keys_with_characters_that_no_database_keeps_are_still_keys(ledger: Ledger) -> None:
    odd = "a\x00b\ud800@example.com"
    [number] = await add(ledger, pair(1, key=odd))
    async with ledger.transaction() as tx:
        assert [one.id for one in await tx.gather(keys=[odd], most=9)] == [number]
        assert await tx.others_with([odd], []) == [odd]
        assert await tx.by_record(System.MARKETO, PERSON, ["\x00"]) == {}


async def test_pairs_with_a_refusal_are_found_page_by_page(ledger: Ledger) -> None:
    no = Side(seen="Ada", seen_at=NOW, shows=0, refused=1, reason="too long")
    field = Field(value="Ada", version=1, agreed_at=NOW, salesforce=Side(seen="Ada", seen_at=NOW, shows=1), marketo=no)
    refused = [pair(number, marketo=str(number)) for number in (1, 2, 3)]
    for each in refused:
        each.state = changed(each.state, fields={"firstName": field})
    ids = await add(ledger, *refused, pair(4), pair(5))
    assert await ledger.refused(0, 2) == ids[:2]
    assert await ledger.refused(ids[1], 2) == [ids[2]]
    assert await ledger.refused(ids[2], 2) == []


async def test_pairs_that_are_to_be_looked_at_later_are_found_page_by_page(ledger: Ledger) -> None:
    later = [pair(number, due=(0, 0, 0, NOW + 1)) for number in (1, 2, 3)]
    ids = await add(ledger, *later, pair(4, due=(0, 0, 0, NOW)), pair(5, due=(0, NOW + 1, NOW + 1, 0)))
    assert await ledger.looked_for(Duty.LOOK_MARKETO, NOW, 0, 2) == ids[:2]
    assert await ledger.looked_for(Duty.LOOK_MARKETO, NOW, ids[1], 2) == [ids[2]]
    assert await ledger.looked_for(Duty.LOOK_SALESFORCE, NOW, 0, 9) == [ids[4]]

"""Members of programs as they are written: full calls by program and status, and statuses that only go forward."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from consumers.merge.writing.plan import Create, Delete, Out, Update
from consumers.settle.writers.marketo.members import MarketoMembers
from consumers.settle.writers.port import Fate, Item, all_of
from streams.budget.port import Lane
from streams.marketo.api.wire import ItemResult, Lead, SyncAnswer
from streams.wire.events import Value
from tests.consumers.test_kinds_of_campaigns import IN, MEMBERS, line

STEPS = {"Sent": 10, "Responded": 20}


class Programs:
    """Marketo as documented: nobody goes back, and who is in a status already is skipped."""

    def __init__(self, **statuses: str) -> None:
        self.statuses = {each[1:]: status for each, status in statuses.items()}
        self.calls: list[tuple[str, ...]] = []

    async def set_status(self, program: str, status: str, people: Sequence[str], lane: Lane) -> SyncAnswer:
        del lane
        self.calls.append(("status", program, status, ",".join(people)))
        results = []
        for each in people:
            if STEPS[self.statuses.get(each, "Sent")] >= STEPS[status] and each in self.statuses:
                results.append(ItemResult(id=each, status="skipped", code="1037", message="already in or past this status"))
            else:
                self.statuses[each] = status
                results.append(ItemResult(id=each, status="updated"))
        return SyncAnswer(request_id="", results=results, until=9)

    async def delete_members(self, program: str, people: Sequence[str], lane: Lane) -> SyncAnswer:
        del lane
        self.calls.append(("delete", program, ",".join(people)))
        there = [self.statuses.pop(each, None) is not None for each in people]
        gone = ItemResult(id=None, status="skipped", code="1037", message="Lead not in program")
        return SyncAnswer(request_id="", results=[ItemResult(id="1", status="deleted") if each else gone for each in there])

    async def write_members(self, program: str, records: Sequence[Mapping[str, Value]], lane: Lane) -> SyncAnswer:
        del lane
        self.calls.append(("fields", program, str(list(records))))
        return SyncAnswer(request_id="", results=[ItemResult(id=str(each["leadId"]), status="updated") for each in records])

    async def members(self, program: str, people: Sequence[str], fields: Sequence[str], lane: Lane) -> dict[str, Lead]:
        del program, fields, lane
        there = {each: self.statuses[each] for each in people if each in self.statuses}
        return {each: Lead(id=each, fields={"statusName": status}, at=1, until=2) for each, status in there.items()}


def writer(programs: Programs, *, back: bool = False) -> MarketoMembers:
    wished = replace(MEMBERS, fields=(*MEMBERS.fields, line("Wish__c", "wish")))
    return MarketoMembers(programs, wished, all_of, lambda _: back)  # type: ignore[arg-type]


def out(key: str, value: Value) -> Out:
    return Out(key=key, name=key, value=value, version=1)


def update(number: int, person: str, status: str) -> Item:
    return Item(write=number, pair=number, order=Update(object=IN, id=f"1001.{person}", fields=(out("statusName", status),)))


def create(number: int, program: int, person: int, status: str, *more: Out) -> Item:
    fields = (out("programId", program), out("leadId", person), out("statusName", status), *more)
    return Item(write=number, pair=number, order=Create(object=IN, fields=fields))


async def test_members_are_made_in_a_call_for_each_program_and_status() -> None:
    programs = Programs()
    items = [create(1, 1001, 7, "Sent"), create(2, 1002, 7, "Sent"), create(3, 1001, 8, "Sent"), create(4, 1001, 9, "Responded")]
    assert len({writer(programs).together(item) for item in items}) == 3
    outcomes = await writer(programs).write(items, Lane.LIVE)
    assert [(each.fate, each.id) for each in outcomes] == [(Fate.DONE, name) for name in ("1001.7", "1002.7", "1001.8", "1001.9")]
    assert programs.calls == [("status", "1001", "Sent", "7,8"), ("status", "1002", "Sent", "7"), ("status", "1001", "Responded", "9")]


async def test_fields_of_their_own_follow_the_status() -> None:
    programs = Programs()
    await writer(programs).write([create(1, 1001, 7, "Sent", out("wish", "Tea"))], Lane.LIVE)
    assert programs.calls[1] == ("fields", "1001", "[{'leadId': 7, 'wish': 'Tea'}]")


async def test_a_status_told_twice_is_no_refusal() -> None:
    (outcome,) = await writer(Programs(m7="Sent")).write([update(1, "7", "Sent")], Lane.LIVE)
    assert outcome.fate is Fate.DONE


async def test_a_status_that_goes_back_is_refused_by_name_with_what_to_do() -> None:
    programs = Programs(m7="Responded")
    (outcome,) = await writer(programs).write([update(1, "7", "Sent")], Lane.LIVE)
    assert (outcome.fate, outcome.fields) == (Fate.REJECTED, frozenset({"statusName"}))
    assert "1037" in outcome.reason
    assert "--backwards again" in outcome.reason
    assert programs.statuses == {"7": "Responded"}


async def test_where_the_link_says_so_they_leave_and_come_in_again() -> None:
    programs = Programs(m7="Responded", m8="Responded")
    outcomes = await writer(programs, back=True).write([update(1, "7", "Sent"), update(2, "8", "Sent")], Lane.LIVE)
    assert [each.fate for each in outcomes] == [Fate.DONE, Fate.DONE]
    assert programs.statuses == {"7": "Sent", "8": "Sent"}
    assert programs.calls[1:] == [("delete", "1001", "7,8"), ("status", "1001", "Sent", "7,8")]


async def test_who_is_gone_already_is_gone() -> None:
    items = [Item(write=number, pair=number, order=Delete(object=IN, id=f"1001.{number}")) for number in (7, 8)]
    outcomes = await writer(Programs(m7="Sent")).write(items, Lane.LIVE)
    assert [each.fate for each in outcomes] == [Fate.DONE, Fate.GONE]

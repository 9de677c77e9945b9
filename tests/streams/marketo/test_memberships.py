"""What activities tell of members of programs, and which of it is read."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from streams.budget.port import Lane
from streams.marketo.api.wire import Lead
from streams.marketo.sources.memberships import Memberships
from streams.marketo.sources.rows import RowError, member_row
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import Object

MEMBER = Object("member")


def row(person: int, status: str | None = "Sent", program: int = 1001, kind: int = 104) -> dict[str, Any]:
    attributes = [] if status is None else [{"name": "New Status", "value": status}, {"name": "Old Status", "value": "Not in Program"}]
    return {"activityTypeId": kind, "leadId": person, "primaryAttributeValueId": program, "activityDate": "2026-11-28T10:00:00Z",
            "attributes": attributes, "marketoGUID": str(person)}  # fmt: skip


class Programs:
    """Those who are there."""

    def __init__(self, **statuses: str) -> None:
        self.statuses, self.asked = statuses, []  # type: ignore[var-annotated]

    async def members(self, program: str, people: Sequence[str], fields: Sequence[str], lane: Lane) -> dict[str, Lead]:
        del fields, lane
        self.asked.append((program, sorted(people)))
        there = {each: self.statuses[f"m{each}"] for each in people if f"m{each}" in self.statuses}
        return {each: Lead(id=each, fields={"leadId": int(each), "statusName": status}, at=1, until=2) for each, status in there.items()}


def memberships(programs: Programs, known: Mapping[str, str], heirs: Mapping[str, str] | None = None) -> Memberships:
    async def linked() -> dict[str, int]:
        return {"1001": 1}

    async def unseen(events: list[ChangeEvent]) -> list[ChangeEvent]:
        return [event for event in events if known.get(event.id) != event.fields.get("statusName", "gone")]

    async def now(people: Sequence[str]) -> Mapping[str, str]:
        return {each: heir for each, heir in (heirs or {}).items() if each in people}

    return Memberships(programs, MEMBER, lambda: ["statusName"], linked=linked, unseen=unseen, heirs=now)  # type: ignore[arg-type]


def test_a_row_names_program_person_and_status() -> None:
    told = member_row(row(7))
    assert told is not None
    assert (told.program, told.person, told.status) == ("1001", "7", "Sent")
    other = member_row(row(7, None, kind=123))
    assert other is not None
    assert other.status is None
    assert member_row({"activityTypeId": 13}) is None
    with pytest.raises(RowError):
        member_row({**row(7), "primaryAttributeValueId": None})


async def test_only_what_is_news_of_linked_programs_is_read_once_and_told() -> None:
    programs = Programs(m7="Responded", m8="Sent", m9="Sent")
    rows = [row(7), row(7, "Responded"), row(8), row(9, None, kind=123), row(5, program=1002), {"activityTypeId": 12}]
    events = await memberships(programs, {"1001.8": "Sent"}).told(rows, 100, Lane.LIVE)
    assert programs.asked == [("1001", ["7", "9"])]
    assert {(event.id, event.kind, event.fields["statusName"]) for event in events} == {
        ("1001.7", Happened.READ, "Responded"),
        ("1001.9", Happened.READ, "Sent"),
    }
    assert all("leadId" not in event.fields for event in events), "what names it is no field of it"


async def test_who_is_there_no_more_is_gone_or_somebody_else() -> None:
    events = await memberships(Programs(), {}, {"8": "9"}).told([row(7, "Not in Program"), row(8)], 100, Lane.LIVE)
    assert [(event.id, event.kind, event.into, event.at) for event in events] == [
        ("1001.7", Happened.DELETED, "", 100),
        ("1001.8", Happened.DELETED, "1001.9", 100),
    ]

"""The poll of programs: whose members are read whole, and whose only where they were changed."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing

from streams.budget.port import Lane
from streams.marketo.api.programs import Step
from streams.marketo.api.wire import Lead
from streams.marketo.sources.memberships import Memberships
from streams.marketo.sources.program_poll import ProgramPollSource
from streams.wire.events import ChangeEvent
from streams.wire.systems import Object

MEMBER, PROGRAM = Object("member"), Object("program")
LONG_AGO = 1
MINUTE_MS = 60_000


class Marketo:
    """Programs with a member each who came long ago. Each question takes a minute."""

    def __init__(self, *programs: str) -> None:
        self.there, self.now, self.calls = set(programs), 10 * MINUTE_MS, 0

    async def changed(self, since_ms: int) -> tuple[list[str], int]:
        self.now += MINUTE_MS
        return [], self.now

    async def reading(self, obj: Object, program: str, lane: Lane) -> None:
        """Nothing of interest."""

    async def statuses(self, program: str, lane: Lane) -> tuple[Step, ...] | None:
        return (Step(name="Sent", step=1, success=False, hidden=False),) if program in self.there else None

    async def members_with(self, program: str, statuses: Sequence[str], fields: Sequence[str], lane: Lane) -> AsyncIterator[list[Lead]]:
        yield [Lead(id="7", fields={"leadId": 7, "statusName": "Sent"}, at=LONG_AGO, until=LONG_AGO)]

    async def members_changed(
        self, program: str, start_ms: int, end_ms: int, fields: Sequence[str], lane: Lane
    ) -> AsyncIterator[list[Lead]]:
        assert start_ms > LONG_AGO
        yield []


class Poll:
    """Cycle after cycle of one poll, each as a new process would make it."""

    def __init__(self, marketo: Marketo) -> None:
        self.links: dict[str, int] = {}
        self.position: str | None = None

        async def linked() -> Mapping[str, int]:
            return self.links

        async def unseen(events: list[ChangeEvent]) -> list[ChangeEvent]:
            return events

        async def heirs(people: Sequence[str]) -> Mapping[str, str]:
            return {}

        async def known(program: str, after: str, most: int) -> list[str]:
            return []

        members = Memberships(marketo, MEMBER, list, linked=linked, unseen=unseen, heirs=heirs)  # type: ignore[arg-type]
        self._source = ProgramPollSource(
            marketo, members, PROGRAM, unseen=unseen, known=known,  # type: ignore[arg-type]
            interval_seconds=60, overlap_seconds=60, calls_per_day_max=50_000,
        )  # fmt: skip

    async def cycle(self, **links: int) -> list[str]:
        """The members that a cycle with these links tells of."""
        self.links = {name.removeprefix("p"): link for name, link in links.items()}
        told: list[str] = []
        async with aclosing(self._source.batches(self.position)) as batches:
            async for batch in batches:
                told += [event.id for event in batch.events]
                self.position = batch.position
                if batch.caught_up:
                    break
        return told


async def test_members_of_a_program_are_read_whole_once() -> None:
    poll = Poll(Marketo("1", "2"))
    assert await poll.cycle(p1=1) == ["1.7"]
    assert await poll.cycle(p1=1, p2=2) == ["2.7"]
    assert await poll.cycle(p1=1, p2=2) == []


async def test_they_are_read_whole_anew_for_another_link_whether_a_cycle_saw_it_gone_or_not() -> None:
    poll = Poll(Marketo("1"))
    assert await poll.cycle(p1=1) == ["1.7"]
    assert await poll.cycle(p1=5) == ["1.7"], "unlinked, and linked again, between two looks"
    assert await poll.cycle() == []
    assert await poll.cycle(p1=5) == ["1.7"], "its campaign was gone for a time"
    assert await poll.cycle(p1=5) == []


async def test_a_program_that_was_not_to_be_seen_is_read_whole_once_it_is_and_holds_up_no_other() -> None:
    poll = Poll(marketo := Marketo("2"))
    assert await poll.cycle(p1=1, p2=1) == ["2.7"]
    marketo.there.add("1")
    assert await poll.cycle(p1=1, p2=1) == ["1.7"]


async def test_a_position_of_the_version_before_reads_all_once_more() -> None:
    poll = Poll(Marketo("1"))
    poll.position = '{"members":{"1":9000000},"changed":9000000}'
    assert await poll.cycle(p1=1) == ["1.7"]
    assert await poll.cycle(p1=1) == []

"""Who is in a program, as change events: readings of members, called for by activities, by what was changed, and in their turn.

Marketo gives a member no id: program and person name it, `1001.123`. Its activities tell a status by its name, and not whose doing it was;
so a change that is news is read, 300 a call, and the reading is the event.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence

from streams.budget.port import Lane
from streams.marketo.api.programs import LEFT, MarketoPrograms
from streams.marketo.api.wire import Lead
from streams.marketo.sources.rows import RowError, member_row
from streams.wire.events import ChangeEvent, Happened, Value
from streams.wire.systems import MARKETO, Object

READ = "read"


class NotThere(Exception):  # noqa: N818 - a case, not a failure
    """There is no such program, or it can't be seen: nobody has read its members."""


Unseen = Callable[[list[ChangeEvent]], Awaitable[list[ChangeEvent]]]


def named(program: str, person: str) -> str:
    """What a member is called on the topics."""
    return f"{program}.{person}"


def reading(obj: Object, program: str, member: Lead, source: str = READ) -> ChangeEvent:
    """A member as a read showed it."""
    fields = {name: value for name, value in member.fields.items() if name not in ("leadId", "programId")}
    return ChangeEvent(
        system=MARKETO, object=obj, id=named(program, member.id), kind=Happened.READ, source=source, at=member.at, until=member.until,
        fields=fields,
    )  # fmt: skip


def gone(obj: Object, name: str, at: int, heir: str = "", source: str = READ) -> ChangeEvent:
    """A member who is in the program no more. `heir`: the member who it is since its person was merged."""
    return ChangeEvent(system=MARKETO, object=obj, id=name, kind=Happened.DELETED, source=source, at=at, into=heir)


class Memberships:
    """Of programs that are of interest.

    `linked`: those, now, and by each the link that made it so: another link is another number. `unseen`: of hints, what the ledger doesn't
    show yet. `heirs`: of people who are gone, those who were merged, with whom they are now. `fields`: what is read of a member beside its
    status.
    """

    def __init__(
        self,
        programs: MarketoPrograms,
        obj: Object,
        fields: Callable[[], Sequence[str]],
        *,
        linked: Callable[[], Awaitable[Mapping[str, int]]],
        unseen: Unseen,
        heirs: Callable[[Sequence[str]], Awaitable[Mapping[str, str]]],
    ) -> None:
        self._programs, self._obj, self._fields = programs, obj, fields
        self.linked, self._unseen, self._heirs = linked, unseen, heirs

    async def told(self, rows: Iterable[object], at: int, lane: Lane) -> list[ChangeEvent]:
        """The events that a stretch of the activity log calls for. `at`: when it was read (ms, the server's clock)."""
        linked = await self.linked()
        if not linked:
            return []
        hints: dict[str, ChangeEvent] = {}
        sure: set[str] = set()
        for raw in rows:
            try:
                row = member_row(raw)
            except RowError:
                continue  # the reconciliation finds what such a row meant
            if row is None or row.program not in linked:
                continue
            name = named(row.program, row.person)
            if row.status is None:
                sure.add(name)
            else:
                kind = Happened.DELETED if row.status == LEFT else Happened.UPDATED
                fields: dict[str, Value] = {} if row.status == LEFT else {"statusName": row.status}
                hints[name] = ChangeEvent(system=MARKETO, object=self._obj, id=name, kind=kind, source=READ, at=row.at, fields=fields)
        news = await self._unseen(list(hints.values())) if hints else []
        return await self.read([*sure, *(event.id for event in news if event.id not in sure)], at, lane)

    async def read(self, names: Sequence[str], at: int, lane: Lane, source: str = READ) -> list[ChangeEvent]:
        """Readings of these members; whoever is none (any more) is told as gone by `at`."""
        by_program: dict[str, list[str]] = {}
        for name in dict.fromkeys(names):
            program, _, person = name.partition(".")
            by_program.setdefault(program, []).append(person)
        events: list[ChangeEvent] = []
        lost: list[str] = []
        for program, people in by_program.items():
            members = await self._programs.members(program, people, self._fields(), lane)
            events += [reading(self._obj, program, member, source) for member in members.values()]
            lost += [named(program, person) for person in people if person not in members]
        return events + await self._lost(lost, at, source)

    async def all_of(self, program: str, lane: Lane) -> AsyncIterator[list[ChangeEvent]]:
        """All members of a program, page by page: those of any status that its channel has. Raises `NotThere` where there is no such
        program, `Reject` 1003 for more than 100,000."""
        statuses = [step.name for step in await self._programs.statuses(program, lane) or ()]
        if not statuses:
            raise NotThere(f"Marketo shows no program {program}, or no status of its channel")
        async for members in self._programs.members_with(program, statuses, self._fields(), lane):
            yield [reading(self._obj, program, member) for member in members]

    async def changed(self, program: str, start_ms: int, end_ms: int, lane: Lane) -> AsyncIterator[list[ChangeEvent]]:
        """Those who were changed in a stretch of time, page by page. Raises `Reject` 1003 for a program of more than 100,000 members."""
        async for members in self._programs.members_changed(program, start_ms, end_ms, self._fields(), lane):
            yield [reading(self._obj, program, member) for member in members]

    async def _lost(self, names: Sequence[str], at: int, source: str) -> list[ChangeEvent]:
        if not names:
            return []
        people = {name: name.partition(".")[2] for name in names}
        heirs = await self._heirs(sorted(set(people.values())))
        heir = {name: named(name.partition(".")[0], heirs[person]) if person in heirs else "" for name, person in people.items()}
        return [gone(self._obj, name, at, heir[name], source) for name in names]

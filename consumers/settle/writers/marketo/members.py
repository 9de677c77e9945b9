"""Members of Marketo's programs as records to write: a status for 300 people a call, their fields in another, and the programs to read.

A status that is told again is told to nobody: Marketo skips it, so whatever is repeated after a lost answer does no harm. Nobody goes
back to an earlier status there (1037): that is a difference that Marketo refuses, unless the link says that they leave the program and
come in again with it.
"""

from collections.abc import Callable, Mapping, Sequence

from consumers.mapping.fields import ObjectMapping
from consumers.merge.pair.state import PairState
from consumers.merge.writing.plan import Create, Delete, Merge, Update
from consumers.settle.writers.port import Fate, Item, Outcome, Visible, answered_by
from consumers.settle.writers.refused import blamed, orphaned, passes
from streams.budget.port import Lane
from streams.marketo.api.programs import STATUS, MarketoPrograms
from streams.marketo.api.refusals import judge_item
from streams.marketo.api.wire import ItemResult, SyncAnswer
from streams.marketo.sources.memberships import reading
from streams.wire.events import ChangeEvent, Value
from streams.wire.systems import MARKETO

_PAST, _NOWHERE = "1037", frozenset({"1037", "1004", "1013"})
"""In a status already or past it; not in the program (Marketo, program members)."""
Grouped = Mapping[tuple[str, str], Sequence[Item]]
"""By program and status."""


class MarketoMembers:
    """Writes to members of programs. `goes_back`: whether those of a program may be taken out and put in again."""

    def __init__(self, programs: MarketoPrograms, mapping: ObjectMapping, visible: Visible, goes_back: Callable[[str], bool]) -> None:
        self._programs, self._mapping, self._visible, self._goes_back = programs, mapping, visible, goes_back

    async def candidates(self, wanted: Mapping[int, PairState], lane: Lane) -> dict[int, list[ChangeEvent]]:
        """By pair: its member, where there is one of its name already."""
        pairs = {state.name: pair for pair, state in wanted.items() if state.name}
        found = await self.read(sorted(pairs), lane)
        return {pairs[name]: [event] for name, event in found.items() if event is not None}

    async def read(self, names: Sequence[str], lane: Lane) -> dict[str, ChangeEvent | None]:
        """As the port says."""
        by_program: dict[str, list[str]] = {}
        for name in names:
            program, _, person = name.partition(".")
            by_program.setdefault(program, []).append(person)
        told: dict[str, ChangeEvent | None] = dict.fromkeys(names)
        for program, people in by_program.items():
            for member in (await self._programs.members(program, people, self._shown(), lane)).values():
                event = reading(self._mapping.marketo, program, member)
                told[event.id] = event
        return told

    async def write(self, items: Sequence[Item], lane: Lane) -> list[Outcome]:
        """In as few calls as programs and statuses allow; outcomes in order."""
        told: dict[int, Outcome] = {}
        if isinstance(items[0].order, Delete):
            for (program, _), group in _grouped(items, self._name, lambda _: "").items():
                answer = await self._programs.delete_members(program, [self._person(item) for item in group], lane)
                told |= self._told(group, answer)
            return [told[item.write] for item in items]
        for (program, status), group in _grouped(items, self._name, _status).items():
            told |= await self._with_status(program, status, group, lane) if status else {item.write: self._done(item, 0) for item in group}
        rest = [item for item in items if told[item.write].fate is Fate.DONE and self._fields(item)]
        for (program, _), group in _grouped(rest, self._name, lambda _: "").items():
            records = [{"leadId": int(self._person(item)), **self._fields(item)} for item in group]
            answer = await self._programs.write_members(program, records, lane)
            told |= self._told(group, answer)
        return [told[item.write] for item in items]

    def together(self, item: Item) -> str:
        """What goes in one call has the same program and status."""
        return f"{self._name(item).partition('.')[0]} {_status(item)}"

    def alike(self, state: PairState) -> str:
        """The program, by what it is called in the ledger, and the status that is owed."""
        assert self._mapping.derived is not None  # noqa: S101 - for the type checker: members' names are
        program = state.fields.get(self._mapping.by_marketo[self._mapping.derived.key[0]].key)
        status = state.fields.get(self._mapping.by_marketo[STATUS].key)
        owed = status is not None and status.marketo.shows != status.version
        return f"{program.value if program else state.name.partition('.')[0]} {status.value if status and owed else ''}"

    async def _with_status(self, program: str, status: str, group: Sequence[Item], lane: Lane) -> dict[int, Outcome]:
        answer = await self._programs.set_status(program, status, [self._person(item) for item in group], lane)
        told = self._told(group, answer)
        past = [item for item, result in zip(group, answer.results, strict=True) if result.code == _PAST]
        if not past:
            return told
        members = await self._programs.members(program, [self._person(item) for item in past], [], lane)
        there = {item.write: member for item in past if (member := members.get(self._person(item))) is not None}
        told |= {each: Outcome(fate=Fate.BUSY, reason="it was taken out of the program meanwhile") for item in past if (each := item.write)}
        told |= {
            item.write: self._done(item, answer.until)
            if there[item.write].fields.get(STATUS) == status
            else self._refused(status, str(there[item.write].fields.get(STATUS)))
            for item in past
            if item.write in there
        }
        back = [item for item in past if told[item.write].fate is Fate.REJECTED]
        if back and self._goes_back(program):
            await self._programs.delete_members(program, [self._person(item) for item in back], lane)
            told |= self._told(back, await self._programs.set_status(program, status, [self._person(item) for item in back], lane))
        return told

    def _told(self, group: Sequence[Item], answer: SyncAnswer) -> dict[int, Outcome]:
        outcomes = (self._outcome(result, item, answer.until) for item, result in zip(group, answer.results, strict=True))
        return dict(zip((item.write for item in group), answered_by(answer.request_id, outcomes), strict=True))

    def _refused(self, status: str, stands: str) -> Outcome:
        reason = (
            f"{_PAST} Marketo's members never go back: {stands!r} stands there, which comes after {status!r} (or is as far). To let them "
            f"leave the program and come in again with it: `tandem link … --backwards again`"
        )
        return Outcome(fate=Fate.REJECTED, reason=reason, fields=frozenset({STATUS}))

    def _outcome(self, result: ItemResult, item: Item, until: int) -> Outcome:
        if result.applied:
            return self._done(item, until)
        if result.status == "unknown":
            return Outcome(fate=Fate.UNKNOWN, reason=result.message)
        if (missed := orphaned(item, result.code, result.message)) is not None:
            return missed
        reason = f"{result.code} {result.message}".strip()
        if result.code in _NOWHERE and not isinstance(item.order, Create):
            return Outcome(fate=Fate.GONE, reason=reason, until=until)
        passing = passes([judge_item(result.code, result.message)], reason)
        named = blamed(item, result.message) or (frozenset({STATUS}) if _status(item) else frozenset())
        return passing or Outcome(fate=Fate.REJECTED, reason=reason, fields=named)

    def _done(self, item: Item, until: int) -> Outcome:
        return Outcome(fate=Fate.DONE, id=self._name(item), until=until)

    def _name(self, item: Item) -> str:
        order = item.order
        if not isinstance(order, Create):
            return order.id
        assert self._mapping.derived is not None  # noqa: S101 - for the type checker: members' names are
        return self._mapping.derived.joined({out.name: out.value for out in order.fields if self._mapping.by_key[out.key].fixed})

    def _person(self, item: Item) -> str:
        return self._name(item).partition(".")[2]

    def _fields(self, item: Item) -> dict[str, Value]:
        """What is written beside the status."""
        if isinstance(item.order, (Delete, Merge)):
            return {}
        return {out.name: out.value for out in item.order.fields if out.name != STATUS and not self._mapping.by_key[out.key].fixed}

    def _shown(self) -> list[str]:
        names = sorted(item.marketo for item in self._mapping.fields if item.marketo and not item.fixed)
        return self._visible(MARKETO, self._mapping.marketo, names)


def _status(item: Item) -> str:
    if not isinstance(item.order, (Create, Update)):
        return ""
    return next((str(out.value) for out in item.order.fields if out.name == STATUS and out.value), "")


def _grouped(items: Sequence[Item], name: Callable[[Item], str], status: Callable[[Item], str]) -> Grouped:
    groups: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        groups.setdefault((name(item).partition(".")[0], status(item)), []).append(item)
    return groups

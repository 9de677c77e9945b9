"""Records read for the audit in as large pieces as the systems give: pages of Salesforce by id, lists of 300 of Marketo."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol, TypeVar

from consumers.audit.compare import Readings
from consumers.audit.parents import Parents, doubtful, in_our_names
from consumers.mapping.fields import SyncRules
from consumers.merge.pair.state import PairState
from consumers.settle.writers.port import Writer
from streams.budget.passing import PassingBudget
from streams.budget.port import Lane, Ticket
from streams.salesforce.api.soql import any_of
from streams.wire.errors import Reject
from streams.wire.events import ChangeEvent
from streams.wire.systems import SALESFORCE, Object, System

LANE = max(Lane)
"""The last of all: whatever else wants to call goes before it."""
PAGE = 1_800
"""Records of Salesforce a call: six whole calls' worth of Marketo's."""
_SCOPES_MAX = 300
_Answer = TypeVar("_Answer")
Read = Mapping[tuple[System, Object, str], ChangeEvent | None]
"""What was read of each record, by system, object and id: an opportunity is called the same on both sides. None: it can't be found."""


class Pages(Protocol):
    """Salesforce's records in the order of their ids."""

    async def behind(self, obj: Object, after: str, most: int, lane: Lane, where: Sequence[str] = ()) -> list[ChangeEvent]:
        """The next live records; fewer than `most`: they are the last."""
        ...


class Counted(PassingBudget):
    """A budget that counts the calls that were given leave."""

    calls = 0

    def call(self, lane: Lane) -> AbstractAsyncContextManager[Ticket | None]:
        """Leave for one call."""
        self.calls += 1
        return self._budget.call(lane)


class Reader:
    """Reads both systems. `doubts`: whether the refusal of a call was about what can't be seen, and is worth another try without it."""

    def __init__(
        self,
        writers: Mapping[System, Writer],
        pages: Pages,
        parents: Parents,
        rules: SyncRules,
        doubts: Callable[[Reject], Awaitable[bool]],
        *,
        lane: Lane = LANE,
    ) -> None:
        self._writers, self._pages, self._parents, self._rules = writers, pages, parents, rules
        self._doubts, self._lane = doubts, lane

    async def page(self, obj: Object, after: str, scope: tuple[str, Sequence[str]] | None = None) -> list[ChangeEvent]:
        """The next records of Salesforce, `PAGE` of them unless they are the last. `scope`: a field, and the values that count; where they
        are too many for a query, the records of others are among them."""
        where = [any_of(*scope)] if scope is not None and len(scope[1]) <= _SCOPES_MAX else []
        return await self._twice(lambda: self._pages.behind(obj, after, PAGE, self._lane, where))

    async def marketo(self, states: Iterable[PairState]) -> Read:
        """Marketo's records of these pairs."""
        states = list(states)
        return await self._in_our_names(states, await self._of(System.MARKETO, states))

    async def both(self, states: Mapping[int, PairState]) -> dict[int, Readings]:
        """By pair, its records on both sides, as far as they can be read."""
        salesforce, marketo = await self._of(SALESFORCE, states.values()), await self.marketo(states.values())
        return {pair: self.readings(state, {**salesforce, **marketo}) for pair, state in states.items()}

    def readings(self, state: PairState, read: Read) -> Readings:
        """What was read of this pair, of both sides."""
        found: dict[System, ChangeEvent | None] = {}
        for system in System:
            key = (system, state.named_on(system), state.record(system).id)
            if key in read:
                found[system] = read[key]
        return found

    async def surely_deleted(self, obj: Object, ids: Sequence[str]) -> frozenset[str]:
        """Of records of Salesforce that can't be read: those that are deleted. The others are out of our sight."""
        return await self._writers[SALESFORCE].surely_deleted(obj, ids, self._lane)

    async def _of(self, system: System, states: Iterable[PairState]) -> Read:
        wanted: dict[Object, list[str]] = {}
        for state in states:
            record, mapping = state.record(system), self._rules.objects[state.object]
            if record.id and not record.deleted and not mapping.left_out and not (mapping.written_once and system is System.MARKETO):
                wanted.setdefault(state.named_on(system), []).append(record.id)
        writer, found = self._writers[system], dict[tuple[System, Object, str], ChangeEvent | None]()
        for obj, ids in wanted.items():
            for start in range(0, len(ids), writer.batch_max):
                part = await writer.read(obj, ids[start : start + writer.batch_max], self._lane)
                found.update({(system, obj, record): reading for record, reading in part.items()})
        return found

    async def _in_our_names(self, states: Iterable[PairState], read: Read) -> Read:
        told = dict(read)
        shown = [
            (state, key, event)
            for state in states
            if (event := read.get(key := (System.MARKETO, state.named_on(System.MARKETO), state.marketo.id))) is not None
        ]
        doubts = [each for state, _, event in shown for each in doubtful(state, event, self._rules)]
        if not doubts:
            return told
        there = await self._parents.in_marketo(sorted({agreed for _, agreed, _ in doubts if agreed}))
        back = await self._parents.in_salesforce(sorted({named for _, _, named in doubts}))
        told.update({key: in_our_names(state, event, self._rules, there, back) for state, key, event in shown})
        return told

    async def _twice(self, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
        try:
            return await ask()
        except Reject as error:
            if not await self._doubts(error):
                raise
        return await ask()

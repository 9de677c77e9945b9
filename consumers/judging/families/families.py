"""Families: who waits for a parent is written once that is in Marketo; a parent that nobody knows yet is read.

A write notes what it names of its parents (`Transaction.relate`). Here those who are waited for are looked through, some at a time and
one after the other for ever, so that nobody has to tell when a parent comes: however many parents are waited for, a step costs the same,
and a child that found its parent missing in the moment in which that was born is found like any other.
"""

from collections.abc import Sequence

from consumers.ledger.port import Duty, Ledger, Pair, Taken
from consumers.mapping.fields import ObjectMapping
from consumers.merge.lives.naming import told_of
from consumers.merge.lives.record import asked_again
from consumers.merge.lives.wanted import wanted
from consumers.merge.pair.state import PairState, Record
from consumers.merge.terms import Terms
from consumers.merge.writing.witness import released
from streams.wire.systems import MARKETO, SALESFORCE, Object, System

_PARENTS, _PAGE, _PAGES = 500, 300, 10
"""Parents looked at in a step; their children released in a transaction, and transactions in a step."""


class Families:
    """Looks after those who wait, for one process."""

    def __init__(self, ledger: Ledger, terms: Terms) -> None:
        self._ledger, self._terms = ledger, terms
        self._after = ""

    async def release(self, now: int) -> set[Duty]:
        """One step; what has become due by it. Children beyond a step's come with the next one."""
        awaited = await self._ledger.awaited(self._after, _PARENTS, list(self._terms.rules.objects))
        due: set[Duty] = set()
        left = True
        for _ in range(_PAGES):
            left = bool(awaited.there) and await self._released(awaited.there, now, due)
            if not left:
                break
        if awaited.unborn:
            due |= await self._wanted(awaited.unborn, now)
        stubs = [stub for parent, role in awaited.unknown if (stub := _stub(self._terms, parent, role)) is not None]
        if stubs:
            due |= await self._introduced(stubs, now)
        if not left:
            self._after = awaited.last
        return due

    async def _released(self, parents: tuple[str, ...], now: int, due: set[Duty]) -> bool:
        """One page of those who wait for these parents. Whether there may be more."""
        async with self._ledger.transaction() as tx:
            roles = await tx.take_released(parents, _PAGE)
            pairs = await tx.by_id(sorted(roles))
            for number, pair in pairs.items():
                keys = frozenset(roles[number])
                pair.state = self._terms.with_due(released(released(pair.state, MARKETO, keys), SALESFORCE, keys), now)
            await tx.save(list(pairs.values()), now)
        due.update(duty for pair in pairs.values() for duty in Duty if pair.state.due[duty])
        return sum(map(len, roles.values())) == _PAGE

    async def _wanted(self, parents: tuple[str, ...], now: int) -> set[Duty]:
        """People of Marketo whom a record to be made in Salesforce names: they qualify by that."""
        named: dict[tuple[System, Object], list[str]] = {}
        for obj, record in (told for parent in parents if (told := told_of(parent)) is not None):
            named.setdefault((MARKETO, obj), []).append(record)
        async with self._ledger.transaction() as tx:
            pairs = [pair for pair in await tx.gather(records=named, most=_PAGE) if self._terms.mapping(pair.state).is_person]
            for pair in pairs:
                if not pair.state.wanted:
                    pair.state = self._terms.with_due(wanted(pair.state, self._terms, now), now)
            await tx.save(pairs, now)
        return {duty for pair in pairs for duty in Duty if pair.state.due[duty]}

    async def _introduced(self, stubs: Sequence[PairState], now: int) -> set[Duty]:
        """Pairs for parents of which only the id is known: their records are read. Not for whom somebody else was quicker."""
        pairs = [Pair(id=0, state=self._terms.with_due(state, now), loaded=None) for state in stubs]
        try:
            async with self._ledger.transaction() as tx:
                await tx.save(pairs, now)
        except Taken:
            middle = len(stubs) // 2
            parts = (stubs[:middle], stubs[middle:]) if middle else ()
            return {duty for part in parts for duty in await self._introduced(part, now)}
        return {duty for pair in pairs for duty in Duty if pair.state.due[duty]}


def _stub(terms: Terms, parent: str, role: str) -> PairState | None:
    """What is known of a parent that a field names: nothing but its id and its kind."""
    sorts = terms.rules.objects.values()
    if (told := told_of(parent)) is not None:
        theirs = terms.rules.objects[terms.rules.sort_of(MARKETO, told[0])]
        return _unread(theirs, MARKETO, told[1]) if theirs.is_person else None
    kinds = {item.parent for mapping in sorts for item in mapping.references if item.key == role}
    found = [mapping for mapping in sorts if mapping.kind in kinds and parent.startswith(mapping.prefix)]
    if len(found) != 1:
        return None  # of fields of one name that refer to different kinds nobody knows which it is: the parent's own source brings it
    return _unread(found[0], SALESFORCE, parent)


def _unread(sort: ObjectMapping, system: System, record: str) -> PairState:
    state = PairState(object=sort.object, counterpart=sort.marketo).with_record(system, Record(id=record))
    return asked_again(state, system)

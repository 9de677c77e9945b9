"""A ledger in memory, for the simulation and for tests of the loops: one transaction at a time, rolled back on an exception."""

import asyncio
from collections.abc import AsyncIterator, Container, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from consumers.ledger.port import NOTHING, Awaited, Duty, Fenced, Named, Pair, Taken, is_gone
from consumers.merge.lives.naming import in_marketo, told_of
from consumers.merge.pair.decision import Decision, Told, decode
from consumers.merge.pair.state import NEVER, PairState, shallow
from consumers.merge.pair.stored import pack
from consumers.merge.writing.due import contested
from consumers.merge.writing.parents import Reference
from consumers.merge.writing.refused import refusals, waits_no_more
from streams.wire.events import DeadLetter
from streams.wire.systems import Object, System


class MemoryLedger:
    """All of it in dictionaries. States are never changed in place, so sharing them is safe."""

    def __init__(self) -> None:
        self.pairs: dict[int, PairState] = {}
        self.keys: dict[int, str | None] = {}
        self.offsets: dict[tuple[str, int], int] = {}
        self.left: frozenset[str] = frozenset()
        self.former: dict[Named, int] = {}
        self.relations: dict[tuple[int, str], tuple[str, bool]] = {}
        """By child and role: the parent, and whether it is waited for."""
        self.prints: dict[tuple[str, int], int | None] = {}
        self.decisions: list[Decision] = []
        self.dead: list[DeadLetter] = []
        self.shelved: dict[int, str] = {}
        """Pairs whose state is unusable, and why."""
        self.pauses: set[int] = set()
        """The numbers of the pauses that stand."""
        self.parked: frozenset[tuple[Duty, int]] = frozenset()
        """What is due and isn't claimed while it is paused."""
        self.saved_at: dict[int, int] = {}
        """When each pair was saved last (ms)."""
        self._lock = asyncio.Lock()
        self._last_pair = self._last_write = 0

    def transaction(self, *, durable: bool = True) -> AbstractAsyncContextManager["MemoryTransaction"]:
        """As the port says; `durable` makes no difference here."""
        del durable
        return self._transaction()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator["MemoryTransaction"]:
        async with self._lock:
            saved = dict(self.pairs), dict(self.keys), dict(self.offsets), len(self.decisions), len(self.dead)
            parked = self.parked
            left, saved_at, former, relations = self.left, dict(self.saved_at), dict(self.former), dict(self.relations)
            try:
                yield MemoryTransaction(self)
            except BaseException:
                self.pairs, self.keys, self.offsets, self.left, self.saved_at = saved[0], saved[1], saved[2], left, saved_at
                self.former, self.parked = former, parked
                self.relations = relations
                del self.decisions[saved[3] :], self.dead[saved[4] :]
                raise

    async def write_id(self) -> int:
        """As the port says."""
        self._last_write += 1
        return self._last_write

    async def awaited(self, after: str, most: int, objects: Sequence[Object]) -> Awaited:
        """As the port says."""
        told = sorted(self.relations.items(), reverse=True)
        waiting = {parent: role for (_, role), (parent, waits) in told if waits and parent > after}
        page = sorted(waiting)[:most]
        owners = self.owners(page, objects)
        there = tuple(each for each in page if each in owners and _there(each, owners[each]) and not is_gone(owners[each]))
        unknown = tuple((each, waiting[each]) for each in page if each not in owners)
        unborn = tuple(each for each in page if each in owners and each not in there and told_of(each))
        return Awaited(there=there, unknown=unknown, unborn=unborn, last=page[-1] if len(page) == most else "")

    def owners(self, ids: Sequence[str], objects: Sequence[Object]) -> dict[str, PairState]:
        """The pairs of Salesforce records, or those that they are part of now."""
        wanted = set(ids)
        found = {state.salesforce.id: state for state in self.pairs.values() if state.salesforce.id in wanted and state.object in objects}
        for (system, obj, record), number in self.former.items():
            if system is System.SALESFORCE and obj in objects and record in wanted and number in self.pairs:
                found.setdefault(record, self.pairs[number])
        found |= {named: state for state in self.pairs.values() if (named := in_marketo(state.counterpart, state.marketo.id)) in wanted}
        for (system, obj, record), number in self.former.items():
            if system is System.MARKETO and in_marketo(obj, record) in wanted and number in self.pairs:
                found.setdefault(in_marketo(obj, record), self.pairs[number])
        return found

    async def states(self, system: System, obj: Object, ids: Sequence[str]) -> dict[str, PairState]:
        """As the port says."""
        wanted = set(ids)
        return {state.record(system).id: state for state in self.pairs.values() if _is_one_of(state, system, obj, wanted)}

    async def waiting(self, duty: Duty, now: int) -> int | None:
        """As the port says."""
        due = (state.lane for number, state in self.pairs.items() if 0 < state.due[duty] <= now and (duty, number) not in self.parked)
        return min(due, default=None)

    async def looked_for(self, duty: Duty, now: int, after: int, limit: int) -> list[int]:
        """As the port says."""
        return sorted(number for number, state in self.pairs.items() if number > after and state.due[duty] > now)[:limit]

    async def refused(self, after: int, limit: int) -> list[int]:
        """As the port says."""
        return sorted(number for number, state in self.pairs.items() if number > after and _is_refused(state))[:limit]

    async def gone(self, after: int, limit: int) -> dict[int, int]:
        """As the port says."""
        found = sorted(number for number, state in self.pairs.items() if number > after and is_gone(state))
        return {number: self.saved_at.get(number, 0) for number in found[:limit]}

    async def anything_left(self) -> bool:
        """As the port says."""
        return bool(self.left)

    async def offset(self, topic: str, partition: int) -> int | None:
        """As the port says."""
        return self.offsets.get((topic, partition))

    async def last_read(self, topic: str, partition: int) -> tuple[int, int] | None:
        """As the port says."""
        last = self.prints.get((topic, partition))
        return None if last is None else (self.offsets[topic, partition] - 1, last)

    def new_pair_id(self) -> int:
        """The id of the next pair."""
        self._last_pair += 1
        return self._last_pair


def _is_one_of(state: PairState, system: System, obj: Object, ids: Container[str]) -> bool:
    """Whether the pair's record on a system is one of these. Ids of Salesforce are unique in the whole org."""
    return state.record(system).id in ids and (system is System.SALESFORCE or state.counterpart == obj)


def _is_refused(state: PairState) -> bool:
    sides = (side for field in state.unsettled().values() for side in (field.salesforce, field.marketo))
    return bool(state.salesforce.refused or state.marketo.refused) or any(side.refused != NEVER for side in sides)


class MemoryTransaction:
    """One step on a `MemoryLedger`."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger
        self._held: dict[int, Pair] = {}

    async def advance(self, topic: str, partition: int, start: int, end: int, last: int | None = None) -> None:
        """As the port says."""
        if self._ledger.offsets.get((topic, partition), start) != start or end < start:
            raise Fenced(f"{topic}/{partition} does not stand at {start}, or {end} lies before that")
        self._ledger.offsets[topic, partition] = end
        self._ledger.prints[topic, partition] = last

    async def rewind(self, topic: str, partition: int, stood: int, begin: int) -> None:
        """As the port says."""
        if self._ledger.offsets.get((topic, partition)) != stood:
            raise Fenced(f"{topic}/{partition} does not stand at {stood}")
        self._ledger.offsets[topic, partition] = begin
        self._ledger.prints[topic, partition] = None

    async def by_record(self, system: System, obj: Object, ids: Sequence[str]) -> dict[str, Pair]:
        """As the port says."""
        wanted = set(ids)
        found = ((state, number) for number, state in self._ledger.pairs.items() if _is_one_of(state, system, obj, wanted))
        return {state.record(system).id: self._packed(number) for state, number in found}

    async def gather(
        self, *, ids: Sequence[int] = (), records: Mapping[tuple[System, Object], Sequence[str]] = NOTHING, keys: Sequence[str] = (),
        waiting: Sequence[str] = (), most: int,
    ) -> list[Pair]:  # fmt: skip
        """As the port says."""
        found = {number for number in ids if number in self._ledger.pairs}
        alike: dict[str, list[int]] = {}
        for number, state in self._ledger.pairs.items():
            if any(_is_one_of(state, system, obj, wanted) for (system, obj), wanted in records.items()):
                found.add(number)
            key = self._ledger.keys.get(number)
            if key in keys and key is not None and not is_gone(state):
                alike.setdefault(f"key {key}", []).append(number)
            if state.waits and state.waits in waiting:
                alike.setdefault(f"waits {state.waits}", []).append(number)
        found.update(number for numbers in alike.values() for number in sorted(numbers)[:most])
        return [self._pair(number) for number in sorted(found)]

    async def others_with(self, keys: Sequence[str], known: Sequence[int]) -> list[str]:
        """As the port says."""
        told = self._ledger.keys.items()
        return sorted({key for number, key in told if key in keys and key is not None and number not in known and self._meets(number)})

    async def left(self, what: Sequence[str]) -> None:
        """As the port says."""
        waited = {state.waits for state in self._ledger.pairs.values() if state.waits}
        self._ledger.left = self._ledger.left | (waited & set(what))

    async def take_left(self, most: int) -> list[str]:
        """As the port says."""
        taken = sorted(self._ledger.left)[:most]
        self._ledger.left = self._ledger.left - set(taken)
        return taken

    def _meets(self, number: int) -> bool:
        return not is_gone(self._ledger.pairs[number])

    async def by_id(self, ids: Sequence[int]) -> dict[int, Pair]:
        """As the port says."""
        return {number: self._pair(number) for number in ids if number in self._ledger.pairs}

    async def claim(self, duty: Duty, now: int, limit: int, lane: int) -> list[Pair]:
        """As the port says."""
        queue = [
            (state.lane, state.due[duty], number)
            for number, state in self._ledger.pairs.items()
            if 0 < state.due[duty] <= now and state.lane <= lane and (duty, number) not in self._ledger.parked
        ]
        return [self._pair(number) for _, _, number in sorted(queue)[:limit]]

    async def park(self, duty: Duty, kept: Mapping[int, int]) -> frozenset[int]:
        """As the port says; `MemoryLedger.pauses` holds the numbers of those that have not ended."""
        parked = frozenset(pair for pair, number in kept.items() if number in self._ledger.pauses)
        self._ledger.parked |= {(duty, pair) for pair in parked}
        return parked

    async def save(self, pairs: Sequence[Pair], now: int) -> None:
        """As the port says."""
        owners = self._owners(pairs)
        for pair in pairs:
            self._refuse_taken(pair, owners)
            over = [] if pair.loaded is None else waits_no_more(refusals(pair.loaded), refusals(pair.state))
            stale = [(pair.id, role) for role in over if self._ledger.relations.get((pair.id, role), ("", False))[1]]
            if stale:
                self._ledger.relations = {key: known for key, known in self._ledger.relations.items() if key not in stale}
            pair.id = pair.id or self._ledger.new_pair_id()
            self._held[pair.id] = pair
            self._ledger.pairs[pair.id] = pair.state
            for taken in _taken_anew(pair):
                owners[taken].add(pair.id)
            self._ledger.keys[pair.id] = pair.match_key
            if pair.state is not pair.loaded or pair.match_key != pair.loaded_key:
                self._ledger.saved_at[pair.id] = now
            pair.loaded, pair.loaded_key = pair.state, pair.match_key

    async def former(self, wanted: Sequence[Named]) -> dict[Named, Pair]:
        """As the port says."""
        known = {each: self._ledger.former[each] for each in wanted if each in self._ledger.former}
        return {each: self._pair(number) for each, number in known.items() if number in self._ledger.pairs}

    async def remember(self, ids: Mapping[Named, int], instead: Mapping[int, int]) -> None:
        """As the port says."""
        passed_on = {each: instead.get(number, number) for each, number in self._ledger.former.items()}
        self._ledger.former = {**passed_on, **ids}

    async def remove(self, ids: Sequence[int], *, for_good: bool = False) -> None:
        """As the port says."""
        if for_good:
            self._ledger.former = {each: number for each, number in self._ledger.former.items() if number not in ids}
        for number in ids:
            self._ledger.pairs.pop(number, None)
            self._ledger.keys.pop(number, None)
            self._ledger.saved_at.pop(number, None)
            self._ledger.relations = {key: told for key, told in self._ledger.relations.items() if key[0] != number}
            self._held.pop(number, None)

    async def idle(self, ids: Sequence[int], before: int) -> list[Pair]:
        """As the port says."""
        known = [(number, self._ledger.pairs[number]) for number in sorted(ids) if number in self._ledger.pairs]
        return [
            self._pair(number)
            for number, state in known
            if is_gone(state) and not state.hold and not contested(state) and self._ledger.saved_at.get(number, 0) < before
        ]

    async def shelve(self, pair: int, why: str, until: int) -> None:
        """As the port says."""
        if pair in self._ledger.pairs:
            state = shallow(self._ledger.pairs[pair])
            state.due = tuple(until if moment else 0 for moment in state.due)  # type: ignore[assignment]
            self._ledger.pairs[pair] = state
        self._ledger.shelved[pair] = why

    async def in_marketo(self, ids: Sequence[str], objects: Sequence[Object]) -> dict[str, str]:
        """As the port says."""
        found = self._ledger.owners(ids, objects)
        return {record: there for record, state in found.items() if (there := _there(record, state)) and not is_gone(state)}

    async def relate(self, references: Mapping[int, Sequence[Reference]]) -> None:
        """As the port says."""
        told = {(child, each.role): (each.parent, each.waiting) for child, some in references.items() for each in some}
        self._ledger.relations = {key: known for key, known in {**self._ledger.relations, **told}.items() if known[0]}

    async def take_released(self, parents: Sequence[str], most: int) -> dict[int, list[str]]:
        """As the port says."""
        waiting = {key: parent for key, (parent, waits) in self._ledger.relations.items() if waits and parent in parents}
        taken = sorted(waiting)[:most]
        self._ledger.relations = {**self._ledger.relations, **{key: (waiting[key], False) for key in taken}}
        released: dict[int, list[str]] = {}
        for child, role in taken:
            released.setdefault(child, []).append(role)
        return released

    async def children_of(self, pairs: Sequence[int], after: int, most: int) -> dict[int, dict[str, str]]:
        """As the port says."""
        known = self._ledger
        names = {known.pairs[number].salesforce.id for number in pairs if number in known.pairs}
        names |= {record for (system, _, record), number in known.former.items() if system is System.SALESFORCE and number in pairs}
        children: dict[int, dict[str, str]] = {}
        for (child, role), (parent, _) in sorted(known.relations.items()):
            if parent in names and child > after and (child in children or len(children) < most):
                children.setdefault(child, {})[role] = parent
        return children

    async def record(self, decisions: Sequence[Decision | Told]) -> None:
        """As the port says."""
        self._ledger.decisions.extend(decode(each.said) if isinstance(each, Told) else each for each in decisions)

    async def bury(self, letters: Sequence[DeadLetter]) -> None:
        """As the port says."""
        for letter in letters:
            place = (letter.topic, letter.partition, letter.offset)
            if letter.offset < 0 or all(place != (other.topic, other.partition, other.offset) for other in self._ledger.dead):
                self._ledger.dead.append(letter)

    def _pair(self, number: int) -> Pair:
        if number not in self._held:
            state, key = self._ledger.pairs[number], self._ledger.keys.get(number)
            self._held[number] = Pair(id=number, state=state, loaded=state, match_key=key, loaded_key=key)
        return self._held[number]

    def _packed(self, number: int) -> Pair:
        """As storage would give it, so that plain events go the short way here, too."""
        if number not in self._held:
            self._held[number] = Pair.packed(number, pack(self._ledger.pairs[number]), self._ledger.keys.get(number), 0)
        return self._held[number]

    def _owners(self, pairs: Sequence[Pair]) -> dict[tuple[System, str], set[int]]:
        """By id of a record that these have taken anew: which pairs have such a one, found in one go over all."""
        taken: dict[tuple[System, str], set[int]] = {(system, record): set() for pair in pairs for system, record in _taken_anew(pair)}
        if taken:
            for number, state in self._ledger.pairs.items():
                for system in System:
                    if (owners := taken.get((system, state.record(system).id))) is not None:
                        owners.add(number)
        return taken

    def _refuse_taken(self, pair: Pair, owners: Mapping[tuple[System, str], set[int]]) -> None:
        for system, record in _taken_anew(pair):
            others = (self._ledger.pairs[number] for number in owners[system, record] - {pair.id})
            if any(_is_one_of(state, system, pair.state.named_on(system), {record}) for state in others):
                raise Taken(system, record)


def _taken_anew(pair: Pair) -> list[tuple[System, str]]:
    """Records that the pair did not have when it was loaded."""
    before = {} if pair.loaded is None else {system: pair.loaded.record(system).id for system in System}
    return [(system, record) for system in System if (record := pair.state.record(system).id) and before.get(system) != record]


def _there(named: str, state: PairState) -> str:
    """The id on the other side of the record that was named by its id on one; none where that was deleted in Marketo."""
    if told_of(named):
        return state.salesforce.id
    return "" if state.marketo.deleted else state.marketo.id

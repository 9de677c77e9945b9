"""Look: readings where the feed has been silent for too long, where a record was never read whole, or where a crash left a call open.

A look changes nothing on the systems. What it finds is judged like any other reading.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

from consumers.judging import apart
from consumers.judging.batch import NOWHERE
from consumers.judging.decided import decided
from consumers.judging.families.families import Families
from consumers.judging.meeting.reunions import reunite
from consumers.ledger.faults import Fault, step
from consumers.ledger.port import Duty, Ledger, Pair
from consumers.merge.events.feed import rejudge
from consumers.merge.events.reading import Look
from consumers.merge.lives.aside import out_of_sight, set_aside
from consumers.merge.pair.decision import Decision
from consumers.merge.pair.state import Field, PairState, Write, is_out, shallow
from consumers.merge.terms import Terms
from consumers.merge.writing.writes import given_up, unclaimed, withdrawn
from consumers.settle.conditions.feed_lag import Lag
from consumers.settle.conditions.later import later
from consumers.settle.looks.doubts import Doubts
from consumers.settle.writers.port import Writer
from streams.budget.port import Lane
from streams.wire.errors import Fatal, Reject, SyncError
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import Object, System

UNTELLABLE = "it is not in the recycle bin, so nobody can tell whether it was merged into another record"
"""`origin` of such a deletion."""
UNSEEN = (
    "it can't be found there, and nothing says that it was deleted: it is not shared with Tandem's user any more, or was erased long ago. "
    "Nothing is written or deleted; it goes on by itself once the record can be seen"
)
_LEASE_MS = 20_000
"""A look that nobody finished is made again then: two of the same do no harm."""


@dataclass(slots=True, kw_only=True)
class Looked:
    """What a round came to."""

    pairs: int = 0
    read: int = 0
    gone: int = 0
    held: int = 0
    """Pairs that a step of ours failed on."""
    due: set[Duty] = field(default_factory=set)


@dataclass(slots=True)
class _Claimed:
    """What a claim came to, by pair."""

    to_read: dict[int, PairState] = field(default_factory=dict)
    to_find: dict[int, PairState] = field(default_factory=dict)
    to_prove: dict[int, PairState] = field(default_factory=dict)
    decisions: dict[int, list[Decision]] = field(default_factory=dict)

    def forget(self, pair: int) -> None:
        """Nothing is done for this one."""
        self.to_read.pop(pair, None)
        self.to_find.pop(pair, None)
        self.to_prove.pop(pair, None)
        self.decisions.pop(pair, None)


class Looker:
    """Looks at one system."""

    def __init__(self, ledger: Ledger, writer: Writer, terms: Terms, clock: Callable[[], int], lag: Lag | None = None) -> None:
        """`lag`: how far behind the system's feed is read; it is silent about a write only when it has been read that far."""
        self._lag = lag
        self._ledger, self._writer, self._terms, self._clock = ledger, writer, terms, clock
        self._system = writer.system
        self._families = Families(ledger, terms)
        self._doubts = Doubts(ledger, writer, terms, clock)
        self.duty = Duty.look_on(writer.system)

    async def reunited(self) -> set[Duty]:
        """Those who wait for somebody who has changed are to be read again, those who wait for their parents written; what has become due
        by it."""
        now = self._clock()
        due = await reunite(self._ledger, self._terms, now)
        return due | await self._families.release(now) if self._system is System.MARKETO else due

    async def round(self) -> Looked:
        """One batch of what is due for a look. `pairs == 0`: nothing was."""
        looked = Looked()
        lag_ms = await self._lag() if self._lag is not None else 0
        claimed = await self._due(looked, lag_ms)
        to_read = list(claimed.to_read.values())
        there = [state for state in to_read if not state.record(self._system).deleted]
        ended = [state for state in to_read if state.record(self._system).deleted]
        closed: SyncError | None = None
        for obj, ids in _by_object(there, self._system).items():
            try:
                for start in range(0, len(ids), self._writer.batch_max):
                    await self._read(obj, ids[start : start + self._writer.batch_max], looked, lag_ms)
            except (Fatal, Reject) as error:
                closed = error  # one sort of record that can't be read keeps nobody from the others
        for obj, ids in _by_object(ended, self._system).items():
            try:
                for start in range(0, len(ids), self._writer.batch_max):
                    await self._tell(await self._ended(obj, ids[start : start + self._writer.batch_max]), obj, looked, lag_ms)
            except (Fatal, Reject) as error:
                closed = error
        if claimed.to_find:
            await self._find(claimed.to_find, looked)
        for wanted in _by_sort(claimed.to_prove, self._system):
            try:
                looked.due |= await self._doubts.resolve(wanted)
            except (Fatal, Reject) as error:
                closed = error
        if closed is not None:
            raise closed
        return looked

    async def _due(self, looked: Looked, lag_ms: int) -> "_Claimed":
        """Lock, do what needs no reading, lease the rest."""
        try:
            return await self._claim(looked, lag_ms, singly=False)
        except Fault:
            return await self._claim(looked, lag_ms, singly=True)

    async def _claim(self, looked: Looked, lag_ms: int, *, singly: bool) -> "_Claimed":
        """`singly`: each pair by itself; one on which that fails is held."""
        now, claimed = self._clock(), _Claimed()
        async with self._ledger.transaction() as tx:
            pairs = await tx.claim(self.duty, now, self._writer.batch_max, Lane.COPY)
            looked.pairs = len(pairs)
            looking = partial(self._claimed, claimed, looked, now, lag_ms)
            for pair in pairs:
                if singly and await apart.singly(tx, self._terms, pair, now, looking):
                    claimed.forget(pair.id)
                    looked.held += 1
                elif not singly:
                    with step("preparing a look", pair.id):
                        looking(pair)
            if pairs and not singly:
                await tx.save(pairs, now)
            if claimed.decisions:
                await tx.record(list(chain.from_iterable(claimed.decisions.values())))
        return claimed

    def _claimed(self, claimed: "_Claimed", looked: Looked, now: int, lag_ms: int, pair: Pair) -> None:
        if self._terms.mapping(pair.state).left_out:
            pair.state = set_aside(pair.state)
            return
        state = _postponed(self._settled(pair, now, claimed.decisions.setdefault(pair.id, [])), self._system, now, lag_ms)
        record = state.record(self._system)
        if record.id and (record.reread or _silent(state, self._terms, self._system, now)):
            claimed.to_read[pair.id] = state
        elif not record.id and record.creating and not record.calling:
            mapping = self._terms.mapping(state)
            if mapping.is_person:
                claimed.to_find[pair.id] = state
            elif mapping.is_derived:
                state = withdrawn(state, self._system, record.creating)  # its parents name it, and whoever makes it again looks for it
            else:
                claimed.to_prove[pair.id] = state
        state = self._terms.with_due(state, now)
        looked.due.update(duty for duty in Duty if state.due[duty] and duty.writes)
        lease = now + min(_LEASE_MS, self._terms.patience(self._system).call_ms)
        pair.state = later(state, self.duty, lease) if 0 < state.due[self.duty] <= now else state

    def _settled(self, pair: Pair, now: int, decisions: list[Decision]) -> PairState:
        state = unclaimed(pair.state, self._system, now)
        if any(entry.until <= now for entry in state.waiting):
            state, told = rejudge(state, self._terms, now)
            decisions.extend(decided(pair, event, NOWHERE, rulings, now, self._terms.version) for event, rulings in told)
        return state

    async def _read(self, obj: Object, ids: Sequence[str], looked: Looked, lag_ms: int) -> None:
        readings = await self._writer.read(obj, ids, Lane.REPAIR)
        looked.read += len(readings)
        missing = [record for record, reading in readings.items() if reading is None]
        gone = await self._writer.surely_deleted(obj, missing, Lane.REPAIR) if missing else frozenset()
        ended = await self._ended(obj, sorted(gone)) if gone else []
        await self._tell([*(reading for reading in readings.values() if reading is not None), *ended], obj, looked, lag_ms)
        if unseen := [record for record in missing if record not in gone]:
            await self._unseen(obj, unseen)

    async def _unseen(self, obj: Object, ids: Sequence[str]) -> None:
        """Records that can't be seen any more, and of which nobody says that they are deleted: their pairs wait for them."""
        now = self._clock()
        async with self._ledger.transaction() as tx:
            pairs = await tx.by_record(self._system, obj, ids)
            decisions = []
            for record, pair in pairs.items():
                if pair.state.record(self._system).id != record:
                    continue
                before = pair.state.hold
                pair.state = self._terms.with_due(out_of_sight(pair.state, self._system, UNSEEN), now)
                if pair.state.hold != before:
                    why = pair.state.hold
                    decisions.append(Decision(kind="held", at=now, pair=pair.id, system=self._system, record=record, detail=why))
            await tx.record(decisions)
            await tx.save(list(pairs.values()), now)

    async def _ended(self, obj: Object, ids: Sequence[str]) -> list[ChangeEvent]:
        """Of records that are gone: that they are deleted, for all that we can see, or part of another one."""
        masters = await self._writer.masters(obj, ids, Lane.REPAIR)
        now, kind = self._clock(), Happened.DELETED
        untold = UNTELLABLE if self._system is System.SALESFORCE else None
        return [
            ChangeEvent(
                system=self._system, object=obj, id=record, kind=kind, source="read", at=now, into=masters.get(record) or "",
                origin=None if record in masters else untold,
            )
            for record in ids
        ]  # fmt: skip

    async def _tell(self, events: Sequence[ChangeEvent], obj: Object, looked: Looked, lag_ms: int) -> None:
        """What was found, to the ledger."""
        now = self._clock()
        looked.gone += sum(event.kind is Happened.DELETED for event in events)
        at, stage = self._at(obj, now, lag_ms), f"look.{self._system}"
        observed = await apart.judged(self._ledger, self._terms, events, now, stage=stage, look=at, strangers=False)
        looked.due |= observed.due
        looked.held += observed.dead

    def _at(self, obj: Object, now: int, lag_ms: int) -> Look:
        patience = self._terms.patience(self._system)
        if not self._terms.has_feed(self._system, obj):
            return Look(now=now, again_at=now + patience.silent_ms, lost_before=now)
        told = now - lag_ms
        early_after, lost_before = told - patience.silent_ms, told - patience.lost_ms
        return Look(now=told, again_at=now + lag_ms + patience.silent_ms, lost_before=lost_before, early_after=early_after)

    async def _find(self, wanted: dict[int, PairState], looked: Looked) -> None:
        """Creations in doubt: is the record there? Found by the key that it would carry."""
        found = await self._writer.candidates(wanted, Lane.REPAIR)
        now = self._clock()
        events = [readings[0] for readings in found.values() if len(readings) == 1]
        observed = await apart.judged(self._ledger, self._terms, events, now, stage=f"look.{self._system}")
        looked.due |= observed.due
        looked.held += observed.dead

        def missing(pair: Pair) -> None:
            if self._in_doubt(pair.state, wanted[pair.id]):
                state = given_up(pair.state, self._system, pair.state.record(self._system).creating)
                pair.state = self._terms.with_due(state, now)
                looked.due.update(duty for duty in Duty if pair.state.due[duty] and duty.writes)

        looked.held += await apart.changed(self._ledger, self._terms, list(wanted), now, missing)

    def _in_doubt(self, state: PairState, asked: PairState) -> bool:
        """Whether the creation that was looked for is still without its record: it was never made."""
        record = state.record(self._system)
        return not record.id and record.creating == asked.record(self._system).creating


def _silent(state: PairState, terms: Terms, system: System, now: int) -> bool:
    calling, mapped = state.record(system).calling, terms.mapping(state).by_key
    writes = (write for key, field in state.unsettled().items() if key in mapped for write in field.side(system).writes)
    return any(write.look_at <= now and not is_out(write, calling) for write in writes)


def _postponed(state: PairState, system: System, now: int, lag_ms: int) -> PairState:
    """The state with the looks at writes that the feed, as far as it has been read, can't have shown yet put off."""
    changed: dict[str, Field] = {}
    for key, told in state.fields.items() if lag_ms else ():
        side = told.side(system)
        if any(now - lag_ms < write.look_at <= now for write in side.writes):
            new = shallow(side)
            new.writes = tuple(_looked_at(write, now + lag_ms) if now - lag_ms < write.look_at <= now else write for write in side.writes)
            changed[key] = told.with_side(system, new)
    return state.with_fields(changed) if changed else state


def _looked_at(write: Write, at: int) -> Write:
    new = shallow(write)
    new.look_at = at
    return new


def _by_sort(wanted: Mapping[int, PairState], system: System) -> list[dict[int, PairState]]:
    sorts: dict[Object, dict[int, PairState]] = {}
    for pair, state in wanted.items():
        sorts.setdefault(state.named_on(system), {})[pair] = state
    return list(sorts.values())


def _by_object(states: Sequence[PairState], system: System) -> dict[Object, list[str]]:
    ids: dict[Object, list[str]] = {}
    for state in states:
        ids.setdefault(state.named_on(system), []).append(state.record(system).id)
    return ids

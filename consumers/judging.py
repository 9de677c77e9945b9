"""Judging: events against the pairs that they touch, in memory, while a ledger transaction is open.

Used by whatever brings events: the partitions (`observe`), and readings made before or after a write (`settle`, `look`).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from consumers.candidates import AMBIGUOUS
from consumers.faults import step
from consumers.introductions import STORED, Ambiguous, Match, adopt, alone, clues, found_born, inherit, is_full, join, recognise
from consumers.ledger.port import Kind as DueKind
from consumers.ledger.port import Pair, Taken, Transaction
from consumers.merge.aside import lost_event
from consumers.merge.decision import Decision, Origin, Ruling, Verdict
from consumers.merge.fold import fold
from consumers.merge.reading import Look, look
from consumers.merge.record import is_old
from consumers.merge.setting import Setting
from consumers.merge.state import PairState, Record, copy
from consumers.merge.terms import Terms
from consumers.merge.writes import creation
from streams.budget import Lane
from streams.errors import Retry
from streams.events import ChangeEvent, Kind
from streams.systems import Object, System

_READ, _CREATED, _DELETED = Kind.READ, Kind.CREATED, Kind.DELETED
_REPAIRING = frozenset({Verdict.ACCEPTED, Verdict.WON, Verdict.LOST})
_LIVE = Lane.LIVE
_DUE_KINDS = tuple(DueKind)
POLLED = frozenset({"poll", "copy"})
"""Sources whose events are found by polling: their edits go in the lanes behind the live one."""
WITHDRAWN = Ruling(field="*", verdict=Verdict.SUPERSEDED, reason="a second record of the same person, made by Tandem; it is withdrawn")
NOWHERE = Origin(topic="", partition=-1, offset=-1)
"""The origin of an event that came from no topic: a reading of our own."""


@dataclass(slots=True, kw_only=True)
class Observed:
    """What a batch came to."""

    events: int = 0
    dead: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    due: set[DueKind] = field(default_factory=set)
    """What has become due by it."""
    repaired: Counter[System] = field(default_factory=Counter)
    """Edits that only the poll had found."""

    def add(self, other: "Observed") -> None:
        """What another batch came to, too."""
        self.events += other.events
        self.dead += other.dead
        self.verdicts.update(other.verdicts)
        self.due |= other.due
        self.repaired.update(other.repaired)


class Judging:
    """The pairs that a batch touches, in memory, while its transaction is open."""

    def __init__(self, tx: Transaction, terms: Terms, now: int, look_at: Look | None = None) -> None:
        self._tx, self._terms, self._now, self._look = tx, terms, now, look_at
        self._pairs: dict[tuple[System, str], Pair] = {}
        self._by_key: dict[str, list[Pair]] = {}
        self._settings: dict[Object, Setting] = {}
        self._changed: dict[int, Pair] = {}
        self._removed: list[int] = []
        self._freed: set[str] = set()
        """Match keys that somebody has left: whoever was held for having several candidates may have one now."""
        self._decisions: list[tuple[Pair | None, ChangeEvent, Origin, tuple[Ruling, ...]]] = []
        self.observed = Observed()

    async def load(self, events: Sequence[ChangeEvent], *, also: Sequence[int] = (), lost: Sequence[tuple[System, str]] = ()) -> None:
        """Lock the pairs of these records, those that newcomers may belong to, and some more by their ids.

        `lost`: records of which an event can't be judged.
        """
        if also:
            await self._tx.by_id(also)
        for system in System:
            ids = list({event.id for event in events if event.system is system} | {record for owner, record in lost if owner is system})
            if ids:
                found = await self._tx.by_record(system, ids)
                self._pairs.update({(system, record): pair for record, pair in found.items()})
        with step("looking for newcomers"):
            newcomers = [event for event in events if self._is_newcomer(event)]
        if newcomers:
            await self._load_candidates(newcomers)

    def _is_newcomer(self, event: ChangeEvent) -> bool:
        if not is_full(event):
            return False
        pair = self._pairs.get((event.system, event.id))
        return pair is None or not pair.state.record(event.system.other).id

    async def _load_candidates(self, newcomers: Sequence[ChangeEvent]) -> None:
        with step("recognising newcomers"):
            hints = [(event.system, clues(event, self._terms)) for event in newcomers]
        keys = sorted({hint.key for _, hint in hints if hint.key})
        if keys:
            for key, pairs in (await self._tx.by_key(keys)).items():
                self._by_key[key] = [self._known(pair) for pair in pairs]
        for system in System:
            ids = list({hint.stored for origin, hint in hints if hint.stored and origin is not system} - self._ids(system))
            if ids:
                for record, pair in (await self._tx.by_record(system, ids)).items():
                    self._pairs[system, record] = self._known(pair)

    def _ids(self, system: System) -> set[str]:
        return {record for owner, record in self._pairs if owner is system}

    def _known(self, pair: Pair) -> Pair:
        """One object for one pair, however it was found."""
        for system in System:
            record = pair.state.record(system).id
            if record:
                pair = self._pairs.setdefault((system, record), pair)
        return pair

    def judge(self, event: ChangeEvent, origin: Origin) -> None:
        """One event against its pair."""
        self.observed.events += 1
        pair = self._pairs.get((event.system, event.id))
        if pair is None or self._is_newcomer(event):
            pair, rulings = self._introduce(event, pair)
        else:
            rulings = self._fold(pair, event)
        self._decisions.append((pair, event, origin, rulings))
        if event.kind is _DELETED and pair is not None and pair.loaded_key:
            self._freed.add(pair.loaded_key)
        verdicts = self.observed.verdicts
        for ruling in rulings:
            verdict = ruling.verdict
            verdicts[verdict] = verdicts.get(verdict, 0) + 1
        if event.source in POLLED and any(ruling.verdict in _REPAIRING for ruling in rulings):
            self.observed.repaired[event.system] += 1

    def _fold(self, pair: Pair, event: ChangeEvent) -> tuple[Ruling, ...]:
        setting = self._settings.get(pair.state.object)
        if setting is None:
            setting = self._settings[pair.state.object] = self._terms.setting(pair.state.object)
        if self._look is not None and event.kind is _READ:
            state, rulings = look(pair.state, event, setting, self._look)
        else:
            state, rulings = fold(pair.state, event, setting, self._now)
        self._keep(pair, state, event)
        return rulings

    def _introduce(self, event: ChangeEvent, pair: Pair | None) -> tuple[Pair | None, tuple[Ruling, ...]]:
        if not is_full(event) or (pair is not None and event.seq and is_old(pair.state.record(event.system), event)):
            if pair is not None:
                return pair, self._fold(pair, event)
            if event.kind in (_CREATED, _DELETED):
                why = "its reading follows" if event.kind is _CREATED else "never heard of it"
                return None, (Ruling(field="*", verdict=Verdict.SUPERSEDED, reason=why),)
            pair = self._new(event)
            return pair, self._fold(pair, event)
        hint = clues(event, self._terms)
        stored = self._pairs.get((event.system.other, hint.stored)) if hint.stored else None
        if stored is not None and stored is not pair and (event.system, event.id) in stored.state.retract:
            return stored, (WITHDRAWN,)
        own = self._terms.identity.owns(event) and stored is not None and stored is not pair
        match recognise(event, pair, stored, self._by_key.get(hint.key or "", []), ours=own):
            case Match(pair=found, how=how):
                return found, self._join(found, event, pair, own=own, how=how)
            case Ambiguous(reason=reason):
                pair = pair or self._new(event)
                rulings = self._fold(pair, event)
                self._keep(pair, held(pair.state, reason), event)
                return pair, (*rulings, Ruling(field="*", verdict=Verdict.REVIEW, reason=reason))
            case None:
                pair = pair or self._new(event)
                if pair.state.hold.startswith(AMBIGUOUS):
                    pair.state = held(pair.state, "")
                rulings = self._fold(pair, event)
                if hint.key and pair not in self._by_key.setdefault(hint.key, []):
                    self._by_key[hint.key].append(pair)
                return pair, rulings

    def _join(self, found: Pair, event: ChangeEvent, former: Pair | None, *, own: bool, how: str) -> tuple[Ruling, ...]:
        system, record = event.system, found.state.record(event.system)
        told: tuple[Ruling, ...] | None = None
        if own or record.id == event.id:
            state = adopt(found.state, event)
        elif not record.id and how == STORED and creation(found.state, system):
            state = found_born(found.state, event)
        else:
            state, rulings = join(found.state, event, self._terms)
            told = (Ruling(field="*", verdict=Verdict.ACCEPTED, reason=_met(record, event, state, how)), *rulings)
        if former is not None and former is not found:
            self._forget(former)
            state = inherit(state, system, former.state)
        self._keep(found, state, event)
        if state.record(system).id != event.id:
            return (WITHDRAWN,)
        self._pairs[system, event.id] = found
        return self._fold(found, event) if told is None else told

    def _new(self, event: ChangeEvent) -> Pair:
        pair = Pair(id=0, state=alone(event, self._terms), loaded=None)
        self._pairs[event.system, event.id] = pair
        return pair

    def _forget(self, pair: Pair) -> None:
        if pair.id:
            self._removed.append(pair.id)
        if pair.loaded_key:
            self._freed.add(pair.loaded_key)
        self._changed.pop(id(pair), None)

    def _keep(self, pair: Pair, state: PairState, event: ChangeEvent) -> None:
        if state is pair.state and pair.loaded is not None:
            return
        old = pair.state
        if state.hold.startswith(AMBIGUOUS) and old.hold and self._terms.match_key(state) != self._terms.match_key(old):
            state = asked(state, event.system)
        pair.state = self._terms.with_due(state, self._now)
        if pair.state.due != old.due:
            self._note_due(pair, event)
        self._changed[id(pair)] = pair

    def _note_due(self, pair: Pair, event: ChangeEvent) -> None:
        loaded = pair.loaded
        lane = _LIVE if event.source not in POLLED else Lane.REPAIR if loaded is not None else Lane.COPY
        busy = loaded is not None and any(loaded.due)
        pair.state.lane = min(lane, loaded.lane) if busy and loaded is not None else lane
        for kind, moment in zip(_DUE_KINDS, pair.state.due, strict=True):
            if moment:
                self.observed.due.add(kind)

    def lose(self, system: System, record: str, why: str) -> None:
        """An event of this record, if it has a pair, can't be read: the pair is held until a reading has told what it may have told."""
        pair = self._pairs.get((system, record))
        if pair is None:
            return
        pair.state = self._terms.with_due(lost_event(pair.state, system, why, reread=True), self._now)
        self.observed.due.update(kind for kind, moment in zip(_DUE_KINDS, pair.state.due, strict=True) if moment)
        self._changed[id(pair)] = pair

    def pair_of(self, system: System, record: str) -> Pair | None:
        """The pair of a record, if it is among those loaded or made here."""
        return self._pairs.get((system, record))

    async def save(self) -> None:
        """Everything changed, and the decisions. Raises `Retry` where another transaction was quicker with one of these records."""
        if self._removed:
            await self._tx.remove(self._removed)
        pairs = list(self._changed.values())
        with step("matching"):
            for pair in pairs:
                if pair.loaded is None or self._terms.rules.email_key in pair.state.unsettled():  # else it is as it was stored
                    pair.match_key = self._terms.match_key(pair.state)
                    if pair.loaded_key and pair.match_key != pair.loaded_key:
                        self._freed.add(pair.loaded_key)
        pairs += await self._held_for_these()
        try:
            if pairs:
                await self._tx.save(pairs, self._now)
        except Taken as error:
            raise Retry(f"the ledger: {error}; it is tried again", after_seconds=0.1) from error
        with step("deciding"):
            decisions = [self._decision(*entry) for entry in self._decisions]
        await self._tx.record(decisions)

    async def _held_for_these(self) -> list[Pair]:
        """The pairs that are held among those with a key that somebody has left: their records are read again."""
        if not self._freed:
            return []
        alike = [pair for pairs in (await self._tx.by_key(sorted(self._freed))).values() for pair in pairs]
        with step("asking again who they are"):
            return [pair for pair in alike if self._ask_again(pair) and id(pair) not in self._changed]

    def _ask_again(self, pair: Pair) -> bool:
        """Whether this pair is held among others, so that its records are to be read again."""
        if not pair.state.hold.startswith(AMBIGUOUS) or pair.id in self._removed:
            return False
        for system in System:
            if pair.state.record(system).id:
                pair.state = asked(pair.state, system)
        pair.state = self._terms.with_due(pair.state, self._now)
        self.observed.due.update(kind for kind, moment in zip(_DUE_KINDS, pair.state.due, strict=True) if moment)
        return True

    def _decision(self, pair: Pair | None, event: ChangeEvent, origin: Origin, rulings: tuple[Ruling, ...]) -> Decision:
        return Decision(
            kind="judged",
            at=self._now,
            pair=pair.id if pair else 0,
            system=event.system,
            record=event.id,
            event=Origin(
                topic=origin.topic,
                partition=origin.partition,
                offset=origin.offset,
                source=event.source,
                kind=event.kind,
                at=event.at,
                author=event.author,
                call=event.call,
                how=event.origin,
            ),
            fields=rulings,
        )


def _met(before: Record, event: ChangeEvent, state: PairState, how: str) -> str:
    """How the two records were found to be one person, and what became of the one that stood there before."""
    if not before.id:
        return f"found on both sides by {how}"
    if (event.system, before.id) in state.retract:
        return f"found on both sides by {how}; made at the same moment as {before.id}, which Tandem had created: that one gives way"
    return f"found on both sides by {how}: made again, after {before.id} was deleted"


def asked(state: PairState, system: System) -> PairState:
    """The pair whose record is read again: it may be somebody else now."""
    record = copy(state.record(system))
    record.reread = True
    return state.with_record(system, record)


def held(state: PairState, reason: str) -> PairState:
    """The pair held for a person; "" lets it go."""
    new = state.with_fields({})
    new.hold = reason
    return new

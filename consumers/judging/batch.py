"""Judging: events against the pairs that they touch, in memory, while a ledger transaction is open.

Used by whatever brings events: the partitions (`observe`), and readings made before or after a write (`settle`, `look`).
"""

from collections.abc import Sequence

from consumers.judging.bursts import Bursts, dated_back
from consumers.judging.candidates import ALIKE_MAX, AMBIGUOUS, tokens
from consumers.judging.decided import decided
from consumers.judging.holds import asked, hands_changed, held
from consumers.judging.introductions import (
    STORED,
    Ambiguous,
    Match,
    adopt,
    alone,
    brought_together,
    clues,
    found_born,
    inherit,
    is_full,
    met,
    recognise,
)
from consumers.judging.observed import Observed
from consumers.ledger.faults import step
from consumers.ledger.port import Duty, Named, Pair, Taken, Transaction, is_gone
from consumers.merge.aside import lost_event
from consumers.merge.decision import Origin, Ruling, Verdict
from consumers.merge.feed import rejudge
from consumers.merge.fold import fold
from consumers.merge.reading import Look, look
from consumers.merge.record import is_old
from consumers.merge.state import PairState
from consumers.merge.terms import Terms
from consumers.merge.writes import creation
from streams.budget.port import Lane
from streams.wire.errors import Retry
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import LEAD, MARKETO, PERSON, SALESFORCE, Object, System

_READ, _CREATED, _DELETED = Happened.READ, Happened.CREATED, Happened.DELETED
_REPAIRING = frozenset({Verdict.ACCEPTED, Verdict.WON, Verdict.LOST})
_LIVE = Lane.LIVE
_DUTIES = tuple(Duty)
_ANY = Object("")
"""Of Salesforce, whose ids are unique in the whole org."""
POLLED = frozenset({"poll", "copy"})
"""Sources whose events are found by polling: their edits go in the lanes behind the live one."""
WITHDRAWN = Ruling(field="*", verdict=Verdict.SUPERSEDED, reason="a second record of the same person, made by Tandem; it is withdrawn")
NOWHERE = Origin(topic="", partition=-1, offset=-1)
"""The origin of an event that came from no topic: a reading of our own."""


def named(system: System, obj: Object, record: str) -> Named:
    """By what a record is found here."""
    return (system, _ANY, record) if system is SALESFORCE else (system, obj, record)


def name_of(event: ChangeEvent) -> Named:
    """By what the record of an event is found here."""
    return (SALESFORCE, _ANY, event.id) if event.system is SALESFORCE else (MARKETO, event.object, event.id)


def _stored(event: ChangeEvent, record: str) -> Named:
    """The person on the other side whose id a person carries."""
    return (SALESFORCE, _ANY, record) if event.system is MARKETO else (MARKETO, PERSON, record)


class Judging:
    """The pairs that a batch touches, in memory, while its transaction is open."""

    def __init__(self, tx: Transaction, terms: Terms, now: int, look_at: Look | None = None, bursts: Bursts | None = None) -> None:
        self._tx, self._terms, self._now, self._look, self._bursts = tx, terms, now, look_at, bursts
        self._pairs: dict[Named, Pair] = {}
        self._by_key: dict[str, list[Pair]] = {}
        self._changed: dict[int, Pair] = {}
        self._removed: list[int] = []
        self._left: set[str] = set()
        """Match keys and records that changed hands: whoever was held because of them is looked at again."""
        self._decisions: list[tuple[Pair | None, ChangeEvent, Origin, tuple[Ruling, ...]]] = []
        self.observed = Observed()

    async def load(self, events: Sequence[ChangeEvent], *, also: Sequence[int] = (), lost: Sequence[Named] = ()) -> None:
        """Lock the pairs of these records, those that newcomers may belong to, and some more by their ids: all in one step.

        `lost`: records of which an event can't be judged.
        """
        records: dict[tuple[System, Object], set[str]] = {}
        for event in events:
            records.setdefault((event.system, event.object), set()).add(event.id)
        for system, obj, record in lost:
            records.setdefault((system, obj), set()).add(record)
        with step("looking for newcomers"):
            full = [(event.system, clues(event, self._terms)) for event in events if self._may_meet(event)]
        if not full and not also:
            for (system, obj), ids in records.items():
                found = await self._tx.by_record(system, obj, list(ids))
                self._pairs.update({named(system, obj, record): pair for record, pair in found.items()})
            return
        for system, hint in full:
            if hint.stored:
                place = (SALESFORCE, LEAD) if system is MARKETO else (MARKETO, PERSON)
                records.setdefault(place, set()).add(hint.stored)
        keys = sorted({hint.key for _, hint in full if hint.key})
        wanted = {place: sorted(ids) for place, ids in records.items()}
        self._by_key = {key: [] for key in keys}
        for pair in await self._tx.gather(ids=also, records=wanted, keys=keys, most=ALIKE_MAX):
            for system in System:
                if known := pair.state.record(system).id:
                    self._pairs[named(system, pair.state.named_on(system), known)] = pair
            if pair.match_key in self._by_key and not is_gone(pair.state):
                self._by_key[pair.match_key].append(pair)

    def _may_meet(self, event: ChangeEvent) -> bool:
        """Whether this event tells of a person all that somebody is known by."""
        return is_full(event) and (event.system is MARKETO or self._terms.rules.objects[event.object].is_person)

    def _is_newcomer(self, event: ChangeEvent) -> bool:
        if not self._may_meet(event):
            return False
        pair = self._pairs.get(name_of(event))
        return pair is None or not pair.state.record(event.system.other).id

    def judge(self, event: ChangeEvent, origin: Origin) -> None:
        """One event against its pair."""
        self.observed.events += 1
        pair = self._pairs.get(name_of(event))
        if pair is None or self._is_newcomer(event):
            pair, rulings = self._introduce(event, pair)
        else:
            rulings = self._fold(pair, event)
        self._decisions.append((pair, event, origin, rulings))
        self.observed.count(event.system, rulings)
        if pair is not None and pair.state.waiting and event.kind is not _READ:
            self._catch_up(pair, event)
        if event.kind is _DELETED and pair is not None and is_gone(pair.state) and pair.state.hold.startswith(AMBIGUOUS):
            pair.state = held(pair.state, "")
        if event.source in POLLED and any(ruling.verdict in _REPAIRING for ruling in rulings):
            self.observed.repaired[event.system] += 1

    def _catch_up(self, pair: Pair, event: ChangeEvent) -> None:
        """What waits in this pair, as far as it can be judged now that `event` is there: each in a decision of its own, of its side."""
        state, told = rejudge(pair.state, self._terms, self._now)
        if not told:
            return
        self._keep(pair, state, event)
        for late, rulings in told:
            self._decisions.append((pair, late, NOWHERE, rulings))
            self.observed.count(late.system, rulings)

    def keep_apart(self, event: ChangeEvent, reason: str, waits: str) -> None:
        """A reading of a record that the ledger doesn't know, one of several who may be meant: a pair of its own, held like the others."""
        if self.pair_of(event) is None:
            pair = self._new(event)
            rulings = self._fold(pair, event)
            self._keep(pair, held(pair.state, reason, waits), event)
            self._decisions.append((pair, event, NOWHERE, (*rulings, Ruling(field="*", verdict=Verdict.REVIEW, reason=reason))))

    def _fold(self, pair: Pair, event: ChangeEvent) -> tuple[Ruling, ...]:
        if pair.state.waiting and event.kind is _READ:
            self._catch_up(pair, event)
        if self._look is not None and event.kind is _READ:
            state, rulings = look(pair.state, event, self._terms, self._look)
        else:
            state, rulings = fold(pair.state, event, self._terms, self._now)
        self._keep(pair, state, event)
        return rulings

    def _introduce(self, event: ChangeEvent, pair: Pair | None) -> tuple[Pair | None, tuple[Ruling, ...]]:
        if not self._may_meet(event) or (pair is not None and event.seq and is_old(pair.state.record(event.system), event)):
            if pair is not None:
                return pair, self._fold(pair, event)
            if event.kind is _DELETED or (event.kind is _CREATED and not is_full(event)):
                why = "its reading follows" if event.kind is _CREATED else "never heard of it"
                return None, (Ruling(field="*", verdict=Verdict.SUPERSEDED, reason=why),)
            pair = self._new(event)
            return pair, self._fold(pair, event)
        hint = clues(event, self._terms)
        stored = self._pairs.get(_stored(event, hint.stored)) if hint.stored else None
        if stored is not None and stored is not pair and (event.system, event.id) in stored.state.retract:
            return stored, (WITHDRAWN,)
        own = self._terms.identity.owns(event) and stored is not None and stored is not pair
        match recognise(event, hint, pair, stored, self._by_key.get(hint.key or "", []), ours=own):
            case Match(pair=found, how=how):
                return found, self._recognised(found, event, pair, own=own, how=how)
            case Ambiguous(reason=reason, waits=waits):
                pair = pair or self._new(event)
                rulings = self._fold(pair, event)
                self._keep(pair, held(pair.state, reason, waits), event)
                self._meets(hint.key, pair)
                return pair, (*rulings, Ruling(field="*", verdict=Verdict.REVIEW, reason=reason))
            case None:
                pair = pair or self._new(event)
                if pair.state.hold.startswith(AMBIGUOUS):
                    pair.state = held(pair.state, "")
                rulings = self._fold(pair, event)
                self._meets(hint.key, pair)
                return pair, rulings

    def _meets(self, key: str | None, pair: Pair) -> None:
        """Who comes later in this batch meets this pair, too."""
        alike = self._by_key.get(key) if key else None
        if alike is not None and len(alike) < ALIKE_MAX and all(pair is not other for other in alike):
            alike.append(pair)

    def _recognised(self, found: Pair, event: ChangeEvent, former: Pair | None, *, own: bool, how: str) -> tuple[Ruling, ...]:
        system, record = event.system, found.state.record(event.system)
        told: tuple[Ruling, ...] | None = None
        if own or record.id == event.id:
            state = adopt(found.state, event)
        elif not record.id and how == STORED and creation(found.state, system):
            state = found_born(found.state, event)
        else:
            state, rulings = brought_together(found.state, event, self._terms)
            told = (Ruling(field="*", verdict=Verdict.ACCEPTED, reason=met(record, event, state, how)), *rulings)
        if former is not None and former is not found:
            self._forget(former)
            state = inherit(state, system, former.state)
        self._keep(found, state, event)
        if state.record(system).id != event.id:
            return (WITHDRAWN,)
        self._pairs[name_of(event)] = found
        return self._fold(found, event) if told is None else told

    def _new(self, event: ChangeEvent) -> Pair:
        pair = Pair(id=0, state=alone(event, self._terms), loaded=None)
        self._pairs[name_of(event)] = pair
        return pair

    def _forget(self, pair: Pair) -> None:
        if pair.id:
            self._removed.append(pair.id)
        self._left |= tokens(pair.loaded or pair.state, self._terms)
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
            ahead_ms = self._bursts.ahead(event, self._now) if self._bursts is not None and pair.state.lane == _LIVE else 0
            if ahead_ms:
                pair.state.due = dated_back(pair.state.due, old.due, ahead_ms)
        self._changed[id(pair)] = pair

    def _note_due(self, pair: Pair, event: ChangeEvent) -> None:
        loaded = pair.loaded
        lane = _LIVE if event.source not in POLLED else Lane.REPAIR if loaded is not None else Lane.COPY
        busy = loaded is not None and any(loaded.due)
        pair.state.lane = min(lane, loaded.lane) if busy and loaded is not None else lane
        for duty, moment in zip(_DUTIES, pair.state.due, strict=True):
            if moment:
                self.observed.due.add(duty)

    def lose(self, system: System, obj: Object, record: str, why: str) -> None:
        """An event of this record, if it has a pair, can't be read: the pair is held until a reading has told what it may have told."""
        pair = self._pairs.get(named(system, obj, record))
        if pair is None:
            return
        pair.state = self._terms.with_due(lost_event(pair.state, system, why, reread=True), self._now)
        self.observed.due.update(duty for duty, moment in zip(_DUTIES, pair.state.due, strict=True) if moment)
        self._changed[id(pair)] = pair

    def pair_of(self, event: ChangeEvent) -> Pair | None:
        """The pair of an event's record, if it is among those loaded or made here."""
        return self._pairs.get(name_of(event))

    async def save(self) -> None:
        """Everything changed, and the decisions. Raises `Retry` where another transaction was quicker with one of these records."""
        if self._removed:
            await self._tx.remove(self._removed)
        pairs = list(self._changed.values())
        with step("matching"):
            introduced = self._matched(pairs)
        try:
            if pairs:
                await self._tx.save(pairs, self._now)
        except Taken as error:
            raise Retry(f"the ledger: {error}; it is tried again", after_seconds=0.1) from error
        with step("deciding"):
            decisions = [decided(*entry, self._now) for entry in self._decisions]
        await self._tx.record(decisions)
        if self._left:
            await self._tx.left(sorted(self._left))
        if introduced:
            await self._nobody_else(introduced)

    def _matched(self, pairs: Sequence[Pair]) -> set[str]:
        """The pairs with their match keys, and what they leave behind. The keys that are had by somebody new."""
        introduced: set[str] = set()
        for pair in pairs:
            email_told = self._terms.rules.email_key in pair.state.unsettled()
            if pair.loaded is None or email_told:  # else it is as it was stored
                pair.match_key = self._terms.match_key(pair.state)
            if pair.match_key in self._by_key and (pair.loaded is None or pair.match_key != pair.loaded_key):
                introduced.add(pair.match_key)
            if pair.loaded is not None and hands_changed(pair.loaded, pair.state):
                self._left |= tokens(pair.loaded, self._terms)
            elif pair.loaded is not None and email_told:
                self._left |= tokens(pair.loaded, self._terms) - tokens(pair.state, self._terms)
        return introduced

    async def _nobody_else(self, introduced: set[str]) -> None:
        """Raises `Retry` where somebody with one of these e-mails was introduced by another transaction meanwhile: it has to be met.

        Who has more namesakes than are ever looked at is ambiguous whoever else comes.
        """
        keys = sorted(key for key in introduced if len(self._by_key[key]) < ALIKE_MAX)
        known = {pair.id for key in keys for pair in self._by_key[key]} | {pair.id for pair in self._changed.values()}
        if keys and await self._tx.others_with(keys, sorted(known)):
            raise Retry("the ledger: somebody with the same e-mail is being introduced; it is tried again", after_seconds=0.05)

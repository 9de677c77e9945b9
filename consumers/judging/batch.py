"""Judging: events against the pairs that they touch, in memory, while a ledger transaction is open.

Used by whatever brings events: the partitions (`observe`), and readings made before or after a write (`settle`, `look`).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from consumers.judging.bursts import Bursts, dated_back
from consumers.judging.decided import decided
from consumers.judging.families.belonging import Belonging
from consumers.judging.families.orphaned import is_bereaving, orphan
from consumers.judging.meeting.candidates import ALIKE_MAX, AMBIGUOUS, tokens
from consumers.judging.meeting.holds import asked, hands_changed, held, whole
from consumers.judging.meeting.identities import Identities
from consumers.judging.meeting.introductions import (
    NAME,
    OURS_TO_READ,
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
    is_ours_to_read,
    is_ours_unread,
    is_overtaken,
    met,
    ours_to_read,
    recognise,
)
from consumers.judging.meeting.names import into_of, name_in_full, name_of, named, stored_name
from consumers.judging.meeting.namesakes import matched, nobody_else
from consumers.judging.observed import Observed
from consumers.judging.plain_events import NO_WAYS, PlainEvents
from consumers.ledger.faults import step
from consumers.ledger.port import Duty, Named, Pair, Taken, Transaction, is_gone
from consumers.merge.events.feed import rejudge
from consumers.merge.events.fold import fold
from consumers.merge.events.plain import Way
from consumers.merge.events.reading import Look, look
from consumers.merge.lives.aside import lost_event
from consumers.merge.lives.naming import returned, with_name
from consumers.merge.pair.decision import Origin, Ruling, Told, Verdict
from consumers.merge.pair.state import PairState
from consumers.merge.terms import Terms
from consumers.merge.writing.writes import creation
from streams.budget.port import Lane
from streams.wire.errors import Retry
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import LEAD, MARKETO, PERSON, SALESFORCE, Object, System

_READ, _CREATED, _DELETED = Happened.READ, Happened.CREATED, Happened.DELETED
_REPAIRING = frozenset({Verdict.ACCEPTED, Verdict.WON, Verdict.LOST})
_LIVE = Lane.LIVE
_DUTIES = tuple(Duty)
COPIED = "copy"
POLLED = frozenset({"poll", COPIED})
"""Sources whose events are found by polling: their edits go in the lanes behind the live one."""
WITHDRAWN = Ruling(field="*", verdict=Verdict.SUPERSEDED, reason="a second record of the same person, made by Tandem; it is withdrawn")
NOWHERE = Origin(topic="", partition=-1, offset=-1)
"""The origin of an event that came from no topic: a reading of our own."""


class Judging:
    """The pairs that a batch touches, in memory, while its transaction is open."""

    def __init__(
        self, tx: Transaction, terms: Terms, now: int, *, look_at: Look | None = None, bursts: Bursts | None = None,
        ways: Mapping[Object, Way] = NO_WAYS,
    ) -> None:  # fmt: skip
        self._tx, self._terms, self._now, self._look, self._bursts = tx, terms, now, look_at, bursts
        self._pairs: dict[Named, Pair] = {}
        self._by_key: dict[str, list[Pair]] = {}
        self._changed: dict[int, Pair] = {}
        self.ended: list[int] = []
        """Pairs that are part of other ones since."""
        self._bereaving: list[Pair] = []
        """Pairs whose person in Marketo is gone: so is what Marketo has named by them."""
        self._left: set[str] = set()
        """Match keys and records that changed hands: whoever was held because of them is looked at again."""
        self._decisions: list[Told | tuple[Pair | None, ChangeEvent, Origin, tuple[Ruling, ...]]] = []
        self._identities = Identities(self, terms, now)
        self._belonging = Belonging(terms)
        self.observed = Observed()
        self._plain = PlainEvents(ways, now, self.observed, bursts, terms.version)

    async def load(self, events: Sequence[ChangeEvent], *, also: Sequence[int] = (), lost: Sequence[Named] = ()) -> None:
        """Lock the pairs of these records, those that newcomers may belong to, and some more by their ids: all in one step.

        `lost`: records of which an event can't be judged.
        """
        with step("looking for newcomers"):
            alone = not also and not lost and not any(event.into or self._may_meet(event) for event in events)
        if alone:
            await self._load_alone(events)
            return
        records: dict[tuple[System, Object], set[str]] = {}
        for system, obj, record in (*map(name_in_full, events), *lost, *(into_of(event) for event in events if event.into)):
            records.setdefault((system, obj), set()).add(record)
        names = await self._belonging.load(self._tx, events)
        with step("looking for newcomers"):
            full = [(event.system, clues(event, self._terms)) for event in events if self._may_meet(event)]
        if not full and not also:
            for (system, obj), ids in records.items():
                found = await self._tx.by_record(system, obj, list(ids))
                self._pairs.update({named(system, obj, record): pair for record, pair in found.items()})
            await self._identities.load(self._tx, events, ())
            return
        for system, hint in full:
            if hint.stored:
                place = (SALESFORCE, LEAD) if system is MARKETO else (MARKETO, PERSON)
                records.setdefault(place, set()).add(hint.stored)
        keys = sorted({*names, *(hint.key for _, hint in full if hint.key)})
        wanted = {place: sorted(ids) for place, ids in records.items()}
        self._by_key = {key: [] for key in keys}
        for pair in await self._tx.gather(ids=also, records=wanted, keys=keys, most=ALIKE_MAX):
            for system in System:
                if known := pair.state.record(system).id:
                    self._pairs[named(system, pair.state.named_on(system), known)] = pair
            if pair.match_key in self._by_key and not is_gone(pair.state):
                self._by_key[pair.match_key].append(pair)
        await self._identities.load(self._tx, events, [(system, hint.stored) for system, hint in full if hint.stored])

    async def _load_alone(self, events: Sequence[ChangeEvent]) -> None:
        """The same where nobody else is concerned."""
        records: defaultdict[tuple[System, Object], set[str]] = defaultdict(set)
        for event in events:
            records[event.system, event.object].add(event.id)
        unknown = 0
        for (system, obj), ids in records.items():
            found = await self._tx.by_record(system, obj, list(ids))
            unknown += len(ids) - len(found)
            self._pairs.update({named(system, obj, record): pair for record, pair in found.items()})
        if unknown and (strangers := [event for event in events if name_of(event) not in self._pairs]):
            await self._identities.load(self._tx, strangers, ())

    def _may_meet(self, event: ChangeEvent) -> bool:
        """Whether this event tells of a person all that somebody is known by."""
        return is_full(event) and self._terms.meets(event)

    def _is_newcomer(self, event: ChangeEvent) -> bool:
        if not self._may_meet(event):
            return False
        pair = self._pairs.get(name_of(event))
        return pair is None or not pair.state.record(event.system.other).id

    def judge_all(self, told: Sequence[tuple[int, ChangeEvent]], topic: str, partition: int) -> None:
        """These events of a partition, with their offsets, in their order."""
        for offset, event in told:
            decision = self._plain.judged(self._pairs.get(name_of(event)), event, topic, partition, offset)
            if decision is None:
                self.judge(event, Origin(topic=topic, partition=partition, offset=offset))
            else:
                self._decisions.append(decision)

    def judge(self, event: ChangeEvent, origin: Origin) -> None:
        """One event against its pair."""
        self.observed.events += 1
        pair = self._pairs.get(name_of(event))
        told = self._identities.judged(event, pair) if pair is None or event.into else None
        if told is not None:
            pair, rulings = told
        elif pair is None and (why := self._belonging.stranger(event)):
            rulings = (Ruling(field="*", verdict=Verdict.SUPERSEDED, reason=why),)
        elif pair is None or self._is_newcomer(event):
            pair, rulings = self._introduce(event, pair)
        else:
            rulings = self.fold(pair, event)
        self._decisions.append((pair, event, origin, rulings))
        self.observed.count(event.system, rulings)
        if pair is not None and pair.state.waiting and event.kind is not _READ:
            self._catch_up(pair, event)
        if event.kind is _DELETED and pair is not None and is_gone(pair.state) and pair.state.hold.startswith(AMBIGUOUS):
            pair.state = held(pair.state, "")
        if event.source in POLLED and any(ruling.verdict in _REPAIRING for ruling in rulings):
            self.observed.repaired[event.system] += 1

    def chosen(self, event: ChangeEvent, found: Pair, former: Pair, how: str) -> None:
        """A full reading of a record that somebody has said to be `found`'s; it had been `former`'s, alone."""
        self._decisions.append((found, event, NOWHERE, self._recognised(found, event, former, own=False, how=how)))

    def _catch_up(self, pair: Pair, event: ChangeEvent) -> None:
        """What waits in this pair, as far as it can be judged now that `event` is there: each in a decision of its own, of its side."""
        state, told = rejudge(pair.state, self._terms, self._now)
        if not told:
            return
        self.keep(pair, state, event)
        for late, rulings in told:
            self._decisions.append((pair, late, NOWHERE, rulings))
            self.observed.count(late.system, rulings)

    def keep_apart(self, event: ChangeEvent, reason: str, waits: str) -> None:
        """A reading of a record that the ledger doesn't know, one of several who may be meant: a pair of its own, held like the others."""
        if self.pair_of(event) is None:
            pair = self._new(event)
            rulings = self.fold(pair, event)
            self.keep(pair, held(pair.state, reason, waits), event)
            self._decisions.append((pair, event, NOWHERE, (*rulings, Ruling(field="*", verdict=Verdict.REVIEW, reason=reason))))

    def fold(self, pair: Pair, event: ChangeEvent) -> tuple[Ruling, ...]:
        if pair.state.waiting and event.kind is _READ:
            self._catch_up(pair, event)
        if self._look is not None and event.kind is _READ:
            state, rulings = look(pair.state, event, self._terms, self._look)
        else:
            state, rulings = fold(pair.state, event, self._terms, self._now)
        if pair.state.record(event.system).deleted:
            state = returned(pair.state, state, event.system, self._terms)
        if state.merges:
            state = self._identities.succeeded(pair, state, event)
        before = pair.state
        self.keep(pair, state, event)
        if before.marketo.id and not state.marketo.id:
            self._identities.given_up(pair, before)
        return rulings

    def _introduce(self, event: ChangeEvent, pair: Pair | None) -> tuple[Pair | None, tuple[Ruling, ...]]:
        if pair is not None and (not self._may_meet(event) or is_overtaken(event, pair.state, self._terms)):
            return pair, self.fold(pair, event)
        if not self._may_meet(event):
            return self._untold(event)
        hint = clues(event, self._terms)
        stored, how = self._pairs.get(stored_name(event.system, hint.stored)) if hint.stored else None, STORED
        if name := self._belonging.key(event):
            stored, how = next((each for each in self._by_key.get(name, []) if each is not pair), None), NAME
        former = stored is None and hint.stored and (stored := self._identities.named_before(event, hint.stored)) is not None
        if stored is not None and stored is not pair and (event.system, event.id) in stored.state.retract:
            return self._withdrawn(stored, event, pair)
        if hint.stored and not former and (second := self._identities.second(pair, event, hint.stored)) is not None:
            return second
        own = self._terms.identity.owns(event) and stored is not None and stored is not pair
        ours = own or is_ours_unread(pair, event.system)
        match recognise(event, hint, pair, stored, self._by_key.get(hint.key or "", []), ours=ours, how=how):
            case Match(pair=found, how=how):
                return found, self._recognised(found, event, pair, own=own, how=how)
            case Ambiguous(reason=reason, waits=waits):
                pair = pair or self._new(event)
                rulings = self.fold(pair, event)
                self.keep(pair, held(pair.state, reason, waits), event)
                self._meets(hint.key, pair)
                return pair, (*rulings, Ruling(field="*", verdict=Verdict.REVIEW, reason=reason))
            case None:
                pair = pair or self._new(event)
                if pair.state.hold.startswith(AMBIGUOUS):
                    pair.state = held(pair.state, "")
                rulings = self.fold(pair, event)
                self._meets(hint.key or name, pair)
                return pair, rulings

    def _untold(self, event: ChangeEvent) -> tuple[Pair | None, tuple[Ruling, ...]]:
        """An event of a record that nobody knows, and which it doesn't tell of whole."""
        if is_ours_to_read(event, self._terms):
            pair = self._new(event)
            rulings = self.fold(pair, event)
            self.keep(pair, ours_to_read(pair.state, event.system), event)
            return pair, (*rulings, OURS_TO_READ)
        if event.kind is _DELETED or (event.kind is _CREATED and not is_full(event)):
            why = "its reading follows" if event.kind is _CREATED else "never heard of it"
            return None, (Ruling(field="*", verdict=Verdict.SUPERSEDED, reason=why),)
        pair = self._new(event)
        return pair, self.fold(pair, event)

    def _withdrawn(self, owner: Pair, event: ChangeEvent, pair: Pair | None) -> tuple[Pair | None, tuple[Ruling, ...]]:
        """A full event of a record of ours that is to go. `pair`: one of its own, while nobody knew whose it is."""
        if pair is not None:
            self.forget(pair)
            self.point(name_of(event), None)
        return owner, (WITHDRAWN,)

    def _meets(self, key: str | None, pair: Pair) -> None:
        """Who comes later in this batch meets this pair, too."""
        alike = self._by_key.get(key) if key else None
        if alike is not None and len(alike) < ALIKE_MAX and all(pair is not other for other in alike):
            alike.append(pair)

    def _recognised(self, found: Pair, event: ChangeEvent, former: Pair | None, *, own: bool, how: str) -> tuple[Ruling, ...]:
        system, was, record = event.system, found.state, found.state.record(event.system)
        told: tuple[Ruling, ...] | None = None
        if own or record.id == event.id:
            state = adopt(found.state, event)
        elif not record.id and how in (STORED, NAME) and creation(found.state, system):
            state = found_born(found.state, event)
        elif how == STORED and record.id and not record.deleted and is_ours_unread(former, system):
            state = adopt(found.state, event)
        else:
            state, rulings = brought_together(found.state, event, self._terms)
            told = (Ruling(field="*", verdict=Verdict.ACCEPTED, reason=met(record, event, state, how)), *rulings)
        if former is not None and former is not found:
            self.forget(former)
            state = inherit(state, system, former.state)
        self.keep(found, whole(state), event)
        if state.record(system).id != event.id:
            return (WITHDRAWN,)
        if record.deleted and record.id != event.id:
            self._identities.replaced(found, was, event)
        self._pairs[name_of(event)] = found
        return self.fold(found, event) if told is None else told

    def _new(self, event: ChangeEvent) -> Pair:
        pair = Pair(id=0, state=with_name(alone(event, self._terms), self._belonging.name(event)), loaded=None)
        self._pairs[name_of(event)] = pair
        return pair

    def forget(self, pair: Pair) -> None:
        if pair.id:
            self.ended.append(pair.id)
        self._left |= tokens(pair.loaded or pair.state, self._terms) | tokens(pair.state, self._terms)
        self._changed.pop(id(pair), None)
        self._plain.pairs.pop(pair.id, None)
        for alike in self._by_key.values():
            alike[:] = [other for other in alike if other is not pair]

    def known(self, record: Named) -> Pair | None:
        """The pair of this record (`named`), as above."""
        return self._pairs.get(record)

    def point(self, record: Named, pair: Pair | None) -> None:
        """This record is that pair's from now on, or nobody's own."""
        self._pairs.pop(record, None)
        if pair is not None:
            self._pairs[record] = pair

    def keep(self, pair: Pair, state: PairState, event: ChangeEvent) -> None:
        if state is pair.state and pair.loaded is not None:
            return
        old = pair.state
        if state.hold.startswith(AMBIGUOUS) and old.hold and self._terms.match_key(state) != self._terms.match_key(old):
            state = asked(state, event.system)
        if self._is_let_go(old, state):
            self._left |= tokens(old, self._terms) - tokens(state, self._terms)
        if is_bereaving(old, state, event, self._terms):
            self._bereaving.append(pair)
        pair.state = self._terms.with_due(state, self._now)
        if pair.state.due != old.due:
            self._note_due(pair, event)
            ahead_ms = self._bursts.ahead(event, self._now) if self._bursts is not None and pair.state.lane == _LIVE else 0
            if ahead_ms:
                pair.state.due = dated_back(pair.state.due, old.due, ahead_ms)
        self._changed[id(pair)] = pair

    def _is_let_go(self, old: PairState, new: PairState) -> bool:
        """Whether an e-mail or a record may have changed hands: also one that the pair had in this batch alone."""
        email = self._terms.rules.email_key
        return new.unsettled().get(email) is not old.unsettled().get(email) or hands_changed(old, new)

    def _note_due(self, pair: Pair, event: ChangeEvent) -> None:
        loaded = pair.loaded
        lane = _LIVE if event.source not in POLLED else Lane.REPAIR if loaded is not None and event.source != COPIED else Lane.COPY
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
        if self.ended:
            await self._tx.remove(self.ended)
        fronts: list[Pair] = []
        for pair in self._plain.pairs.values():
            if pair.is_packed:
                fronts.append(pair)
            else:
                self._changed[id(pair)] = pair
        pairs = list(self._changed.values())
        with step("matching"):
            introduced, left = matched(pairs, self._by_key, self._terms)
            self._left |= left
        try:
            if pairs or fronts:
                await self._tx.save([*pairs, *fronts], self._now)
        except Taken as error:
            raise Retry(f"the ledger: {error}; it is tried again", after_seconds=0.1) from error
        with step("deciding"):
            decisions = [entry if type(entry) is Told else decided(*entry, self._now, self._terms.version) for entry in self._decisions]
        await self._identities.save(self._tx)
        if self._bereaving:
            parents = [self._identities.heir(pair).id for pair in self._bereaving]
            self.observed.due |= await orphan(self._tx, parents, self._terms, self._now)
        await self._tx.record([*decisions, *self._identities.decisions()])
        if self._left:
            await self._tx.left(sorted(self._left))
        if introduced:
            await nobody_else(self._tx, introduced, self._by_key, {pair.id for pair in pairs})

"""Changes of identity in a batch: what a merge or a conversion makes of the pairs that it touches, and what is told of a record late.

The pair of a record that is part of another one from now on is joined with that one's, or takes it for its own record where nobody had
heard of it. Whatever is told of the former record after that is older than the join: it changes nothing, and a decision names its values.
"""

from collections.abc import Sequence
from typing import Protocol

from consumers.judging.meeting.candidates import AMBIGUOUS, can_take
from consumers.judging.meeting.holds import asked, held
from consumers.judging.meeting.introductions import inherit
from consumers.judging.meeting.names import into_of, name_in_full, name_of, named, stored_name
from consumers.judging.meeting.parted import joined_decision, joined_decision_of, of_former, what_ended
from consumers.ledger.port import Named, Pair, Transaction
from consumers.merge.lives.ended import (
    ended_while_owed,
    is_back,
    is_given_up,
    is_there_again,
    moved,
    place_in,
    place_of,
    was_told,
    with_ended,
)
from consumers.merge.lives.identity import CONVERTED, SECOND, WINNER, rebind
from consumers.merge.lives.joining import IN_DOUBT, came_up, join, merged, owed_again, succeeded
from consumers.merge.lives.link import links_sent
from consumers.merge.lives.record import TOLD_BEFORE, came_back, is_old
from consumers.merge.pair.decision import Decision, Ruling, Verdict
from consumers.merge.pair.state import Ended, PairState, shallow
from consumers.merge.terms import Terms
from consumers.merge.writing.parents import taken_over
from consumers.merge.writing.writes import creation
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import MARKETO, PERSON, SALESFORCE, System

Told = tuple[Pair | None, tuple[Ruling, ...]]
"""Whom an event was about, and what was said of it."""
_DELETED = Happened.DELETED
_TELLING = frozenset({Happened.DELETED, Happened.UNDELETED, Happened.READ})
"""What tells whether a record is there."""


class Pairs(Protocol):
    """The pairs of the batch, as far as identities need them."""

    def known(self, record: Named) -> Pair | None: ...
    def fold(self, pair: Pair, event: ChangeEvent) -> tuple[Ruling, ...]: ...
    def keep(self, pair: Pair, state: PairState, event: ChangeEvent) -> None: ...
    def forget(self, pair: Pair) -> None: ...
    def point(self, record: Named, pair: Pair | None) -> None: ...


class Identities:
    """Who was who, and who is part of whom from now on."""

    def __init__(self, pairs: Pairs, terms: Terms, now: int) -> None:
        self._pairs, self._terms, self._now = pairs, terms, now
        self._former: dict[Named, Pair] = {}
        self._new: dict[Named, Pair] = {}
        self._instead: list[tuple[int, Pair]] = []
        self._survivors: list[Pair] = []
        self._decisions: list[tuple[Pair, Decision]] = []

    async def load(self, tx: Transaction, events: Sequence[ChangeEvent], stored: Sequence[tuple[System, str]]) -> None:
        """Who the records were that no pair has: of these events, and those that records of a side name (`stored`)."""
        wanted = {name_in_full(event) for event in events} | {into_of(event) for event in events if event.into}
        for system, record in stored:
            people = [obj for obj, mapping in self._terms.rules.objects.items() if mapping.is_person]
            wanted |= {(system.other, obj, record) for obj in (people if system is MARKETO else (PERSON,))}
        unknown = sorted(each for each in wanted if self._pairs.known(named(*each)) is None)
        if unknown:
            self._former.update({named(*each): pair for each, pair in (await tx.former(unknown)).items()})

    async def save(self, tx: Transaction) -> None:
        """What was found out, once every pair has its number."""
        if parents := {pair.id: told for pair in self._survivors if (told := taken_over(pair.state, self._terms.mapping(pair.state)))}:
            await tx.relate(parents)
        if self._new or self._instead:
            await tx.remember({record: pair.id for record, pair in self._new.items()}, {was: pair.id for was, pair in self._instead})

    def decisions(self) -> list[Decision]:
        """That pairs were joined, with all that the losers were."""
        return [joined_decision(decision, pair.id) for pair, decision in self._decisions]

    def judged(self, event: ChangeEvent, pair: Pair | None) -> Told | None:
        """An event that tells of another record, or is about a record that was somebody's. None: it is like any other.

        `pair`: that of its record, if it has one of its own.
        """
        if not event.into:
            former = self._former.get(name_of(event)) if pair is None else None
            return self._late(former, event) if former is not None and not is_back(former.state, event) else None
        other = self._whose(named(*into_of(event)))
        if pair is None:
            return self._stranger(event, other)
        if event.kind is _DELETED and is_old(pair.state.record(event.system), event):
            return pair, (Ruling(field="*", verdict=Verdict.SUPERSEDED, reason=TOLD_BEFORE),)
        before = [(pair.id, pair.state), *([(other.id, other.state)] if other is not None and other is not pair else [])]
        rulings = self._pairs.fold(pair, event) if event.kind is not _DELETED else ()
        if other is None or other is pair or (event.kind is not _DELETED and not other.state.record(event.system.other).id):
            survivor = self._rebound(pair, other, event)
        else:
            survivor = self._joined(other, pair, event)
        self._noted(survivor, event, before)
        return survivor, (*rulings, Ruling(field="*", verdict=Verdict.ACCEPTED, reason=what_ended(event)))

    def second(self, pair: Pair | None, event: ChangeEvent, stored: str) -> Told | None:
        """A full event of a record that names a record that was somebody's: a creation for a loser, or one in doubt at the join.

        It is a second record of the same person: owed a merge. None: there is nothing like that.
        """
        system = event.system
        owner = self._whose(stored_name(system, stored))
        if owner is None or owner is pair or owner.state.record(system).id == event.id:
            return None
        current = owner.state.record(system.other).id == stored
        if can_take(owner.state, system) and (current or not creation(owner.state, system)):
            return None
        if current and (system, IN_DOUBT) not in owner.state.merges and (system, event.id) not in owner.state.merges:
            return None
        if pair is not None:
            self._pairs.forget(pair)
            self._hand_on(pair, owner)
        self._pairs.keep(owner, _with_place(came_up(owner.state, system, event.id), event), event)
        self._remember(name_in_full(event), owner)
        reason = (
            f"a second record of the same person, made while its records were merged: it is merged into {owner.state.record(system).id}"
        )
        return owner, (Ruling(field="*", verdict=Verdict.SUPERSEDED, reason=reason),)

    def named_before(self, event: ChangeEvent, stored: str) -> Pair | None:
        """Whose the record is that names one that was somebody's (a lead that is a contact since), and that has none on this side: it was
        made for the former one, by a call whose answer nobody has. Not where that call may have been another pair's, which is part of this
        one since, and this one's own is in doubt as well."""
        owner, system = self._former.get(stored_name(event.system, stored)), event.system
        if owner is None or not can_take(owner.state, system):
            return None
        if not creation(owner.state, system):
            return owner
        if system is MARKETO:
            return owner if any(sent == stored for _, sent in links_sent(owner.state, self._terms.rules.links)) else None
        return owner if (system, IN_DOUBT) not in owner.state.merges else None

    def succeeded(self, pair: Pair, state: PairState, event: ChangeEvent) -> PairState:
        """The pair after an event of it. Where its record has ended, and a second one of the same person was to be merged into that, it is
        that one from now on."""
        new = succeeded(state, event.system, self._terms, event.at)
        if new is not state:
            before = state.record(event.system)
            self._remember((event.system, state.named_on(event.system), before.id), pair)
            new = with_ended(new, [place_of(before, event)] if event.system is SALESFORCE else ())
            second = (event.system, new.named_on(event.system), new.record(event.system).id)
            self._former.pop(named(*second), None)
            self._pairs.point(named(*second), pair)
        return new

    def replaced(self, pair: Pair, before: PairState, event: ChangeEvent) -> None:
        """The pair has the event's record instead of the one before, which is gone: what is told of that one late is nobody else's."""
        self._remember((event.system, before.named_on(event.system), before.record(event.system).id), pair)
        if event.system is SALESFORCE:
            self._pairs.keep(pair, with_ended(pair.state, [place_of(before.salesforce, event)]), event)

    def given_up(self, pair: Pair, before: PairState) -> None:
        """The pair has given its person in Marketo up, who is gone for good: what is told of that one late is nobody else's."""
        if is_given_up(before, pair.state, MARKETO, self._terms):
            self._remember((MARKETO, before.counterpart, before.marketo.id), pair)

    def heir(self, pair: Pair) -> Pair:
        """Which pair this one is part of by now; itself, if none."""
        return next((survivor for was, survivor in self._instead if pair.id and was == pair.id), pair)

    def _whose(self, record: Named) -> Pair | None:
        return self._pairs.known(record) or self._former.get(record)

    def _late(self, former: Pair, event: ChangeEvent) -> Told:
        """What is over can't be merged any more: it is deleted, or has ended in another record there. Not if it was seen there since."""
        place = place_in(former.state, event)
        if (event.into or event.kind in _TELLING) and (place is None or not was_told(place, event)):
            before = former.state
            self._pairs.keep(former, self._told_of_former(former, event), event)
            self.given_up(former, before)
        return former, of_former(former.state, event, self._terms)

    def _told_of_former(self, former: Pair, event: ChangeEvent) -> PairState:
        before, state = former.state, _with_place(former.state, event)
        if is_there_again(before, event):
            state = came_back(state, event.system)
            state = ended_while_owed(owed_again(state, event.system, event.id), event.id, owed=False)
            return self.succeeded(former, state, event)
        if event.kind is not _DELETED and not event.into:
            return state
        state = merged(state, event.system, event.id)
        return state if event.into or state.merges == before.merges else ended_while_owed(state, event.id, owed=True)

    def _stranger(self, event: ChangeEvent, other: Pair | None) -> Told:
        """The record has no pair of its own: it was told before that it is part of another, or was never heard of."""
        former = self._former.get(name_of(event))
        if former is not None:
            return self._late(former, event)
        if other is not None:
            self._pairs.keep(other, _with_place(other.state, event), event)
            self._remember(name_in_full(event), other)
        reason = f"never heard of it; it is part of {event.into} now"
        return other, (Ruling(field="*", verdict=Verdict.SUPERSEDED, reason=reason),)

    def _rebound(self, pair: Pair, other: Pair | None, event: ChangeEvent) -> Pair:
        """The pair takes the other record for its own. `other`: that record's pair, in which it stands alone: it ends in this one. Or this
        very pair, of which that record had been a second one.
        """
        system = event.system
        came = SECOND if other is pair else WINNER if event.kind is _DELETED else CONVERTED
        state = rebind(pair.state, into_of(event), self._terms, event.at, came=came)
        if other is not None and other is not pair:
            alone = other.state
            state = shallow(inherit(state, system, alone))
            state.retract = tuple(dict.fromkeys((*state.retract, *alone.retract)))
            state.wanted = state.wanted or alone.wanted
            if alone.record(system.other).creating:
                state.merges = (*state.merges, (system.other, IN_DOUBT))
            self._pairs.forget(other)
            self._hand_on(other, pair)
        self._pairs.keep(pair, _released(state), event)
        return pair

    def _joined(self, winner: Pair, loser: Pair, event: ChangeEvent) -> Pair:
        state = join(winner.state, loser.state, event.system, self._terms, event.at)
        self._decisions.append((winner, joined_decision_of(loser, winner, state, event, self._terms, self._now)))
        self._pairs.forget(loser)
        self._hand_on(loser, winner)
        self._survivors = [*(pair for pair in self._survivors if pair is not loser and pair is not winner), winner]
        self._pairs.keep(winner, _released(state), event)
        return winner

    def _hand_on(self, loser: Pair, survivor: Pair) -> None:
        if loser.id:
            self._instead.append((loser.id, survivor))
        for known in (self._former, self._new):
            known.update({record: survivor for record, pair in known.items() if pair is loser})
        self._instead = [(was, survivor if pair is loser else pair) for was, pair in self._instead]
        self._decisions = [(survivor if pair is loser else pair, decision) for pair, decision in self._decisions]

    def _noted(self, survivor: Pair, event: ChangeEvent, before: Sequence[tuple[int, PairState]]) -> None:
        """Each record that either pair had is the survivor's, or was."""
        self._remember(name_in_full(event), survivor)
        known = [place for _, state in before for place in (*state.ended, place_of(state.salesforce, event))]
        self._pairs.keep(survivor, with_ended(survivor.state, known), event)
        for system in System:
            now = survivor.state.record(system).id
            for _, state in before:
                record = state.record(system).id
                if record and record != now:
                    self._remember((system, state.named_on(system), record), survivor)
            if now:
                self._pairs.point(named(system, survivor.state.named_on(system), now), survivor)

    def _remember(self, record: Named, pair: Pair) -> None:
        self._new[record] = self._former[named(*record)] = pair
        self._pairs.point(named(*record), None)


def _with_place(state: PairState, event: ChangeEvent) -> PairState:
    """The pair, with how far this event's record, which is another one than the pair's own, has been judged by it."""
    if event.system is not SALESFORCE:
        return state
    return with_ended(state, [moved(place_in(state, event) or Ended(id=event.id), event)])


def _released(state: PairState) -> PairState:
    """The pair that was held because it might have been the other's is the other's."""
    if not state.hold.startswith(AMBIGUOUS):
        return state
    state = held(state, "")
    for system in System:
        if state.record(system).id and not state.record(system).deleted:
            state = asked(state, system)
    return state

"""Records of Salesforce that are part of a pair's record since, or are to be merged into it: how far each had been judged. Pure.

Salesforce has a recycle bin, so such a record may come back, of which a poll tells nothing but that it is there. What is told once more of
it, or late, is told apart from that by its place: the stream's number where both have one, else the time. Marketo has no bin.
"""

from collections.abc import Iterable

from consumers.merge.edits.verdicts import latest
from consumers.merge.pair.state import Ended, PairState, Record, shallow
from consumers.merge.terms import Terms
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import MARKETO, SALESFORCE, System

_KEPT = 8
"""Of records that are owed no merge, so many are remembered: those that ended last."""


def place_of(record: Record, by: ChangeEvent) -> Ended:
    """How far this record of Salesforce has been judged. `by`: by what it is part of another one, there or in Marketo: there it is to be
    merged, and if it is deleted, once it is back."""
    place = Ended(id=record.id, epoch=record.epoch, seq=record.seq, at=record.at, owed=record.deleted and by.system is not SALESFORCE)
    return moved(place, by) if by.system is SALESFORCE and by.id == record.id else place


def moved(place: Ended, event: ChangeEvent) -> Ended:
    """The place after an event of that record, which is not older."""
    epoch, seq = (event.epoch, event.seq) if event.seq else (place.epoch, place.seq)
    return Ended(id=place.id, epoch=epoch, seq=seq, at=max(place.at, event.at), owed=place.owed)


def is_there_again(state: PairState, event: ChangeEvent) -> bool:
    """Whether this record was deleted while it was to be merged, and is back by this event."""
    place = place_in(state, event)
    back = event.kind in (Happened.UNDELETED, Happened.READ)
    return back and place is not None and place.owed and not was_told(place, event)


def ended_while_owed(state: PairState, record_id: str, *, owed: bool) -> PairState:
    """The pair, which remembers of this record whether it was deleted while it was to be merged."""
    places = [Ended(id=each.id, epoch=each.epoch, seq=each.seq, at=each.at, owed=owed) for each in state.ended if each.id == record_id]
    return with_ended(state, places)


def with_ended(state: PairState, places: Iterable[Ended]) -> PairState:
    """The pair, which remembers these, too. The same state where it did, or where its own record is meant."""
    known = {each.id: each for each in state.ended}
    for place in places:
        if place.id and place.id != state.salesforce.id:
            known.pop(place.id, None)
            known[place.id] = place
    owed = {record for system, record in state.merges if system is SALESFORCE}
    others = [each for each in known.values() if each.id not in owed and each.id != state.salesforce.id][-_KEPT:]
    kept = (*(each for each in known.values() if each.id in owed), *others)
    if kept == state.ended:
        return state
    new = shallow(state)
    new.ended = kept
    return new


def ended_by(state: PairState, records: Iterable[str], at: int) -> PairState:
    """The pair, of whose other records these were there until this moment (ms, Salesforce's clock)."""
    known = {each.id: each for each in state.ended}
    before = [known.get(record, Ended(id=record)) for record in records]
    return with_ended(state, [Ended(id=each.id, epoch=each.epoch, seq=each.seq, at=max(each.at, at)) for each in before])


def place_in(state: PairState, event: ChangeEvent) -> Ended | None:
    """How far the event's record had been judged; None: nobody remembers."""
    if event.system is not SALESFORCE:
        return None
    return next((each for each in state.ended if each.id == event.id), None)


def was_told(place: Ended, event: ChangeEvent) -> bool:
    """Whether this event tells of something that was known by then."""
    if event.kind is Happened.READ:
        return event.at <= latest(place.at)
    if event.seq and place.seq and event.epoch == place.epoch:
        return event.seq <= place.seq
    if event.kind is Happened.DELETED:
        return latest(event.at) < place.at
    return event.at <= place.at


def is_back(state: PairState, event: ChangeEvent) -> bool:
    """Whether a record that was part of this pair's is somebody again: it was restored, or a reading shows it after its end. Not one that
    is still to be merged, for all that is known, or was when it was deleted: it is no more than that again."""
    if event.system is not SALESFORCE or (event.system, event.id) in state.merges:
        return False
    place = place_in(state, event)
    if place is not None and place.owed:
        return False
    if event.kind is Happened.UNDELETED:
        return place is None or not was_told(place, event)
    return event.kind is Happened.READ and place is not None and not was_told(place, event)


def is_given_up(before: PairState, after: PairState, system: System, terms: Terms) -> bool:
    """Whether a record that the pair had is its no more, and can't come back: its id is remembered. Marketo gives no id of a person twice;
    what is known there by a key of ours is made again under that."""
    had, has = before.record(system).id, after.record(system).id
    if not had or had == has:
        return False
    return bool(has) or (system is MARKETO and terms.mapping(before).is_person)

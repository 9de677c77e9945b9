"""One event against one pair: every field judged, the record's own life told. Pure.

The first thing is whether the event is news at all: a redelivery is superseded as a whole. A reading is judged for itself.
"""

from consumers.merge.edits.judge import judge_echo
from consumers.merge.edits.verdicts import UNORDERED, Edit
from consumers.merge.events.feed import is_strange, judge_fields, unlinked
from consumers.merge.events.gap import gapped
from consumers.merge.events.reading import judge_reading
from consumers.merge.lives.aside import relieved
from consumers.merge.lives.identity import came_into
from consumers.merge.lives.late import ended, is_late, still_news
from consumers.merge.lives.link import agree_link
from consumers.merge.lives.outlived import outlived
from consumers.merge.lives.record import (
    FOREIGN,
    READING,
    TOLD_BEFORE,
    asked_again,
    is_alive,
    is_old,
    is_unplaced,
    noted,
    touched,
    undeleted,
    without_writes,
)
from consumers.merge.pair.decision import Folded, Ruling, Verdict
from consumers.merge.pair.state import Field, PairState, Record, Waiting, shallow
from consumers.merge.terms import Terms
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import SALESFORCE

_WAITING = Verdict.WAITING
_SECOND_MS = 1_000
STREAM = "cdc"
"""Source of what Change Data Capture tells."""
_CREATED, _UPDATED, _DELETED, _READ, _GAP = Happened.CREATED, Happened.UPDATED, Happened.DELETED, Happened.READ, Happened.GAP
_ENDED_SINCE = "told late: it was deleted after that"


def fold(state: PairState, event: ChangeEvent, terms: Terms, now: int) -> Folded:
    """The pair after one event, and a ruling for each field that the event told of. `now`: ms, ours.

    What waits there is left waiting: it is judged before a reading and after a change, in a decision of its own (`rejudge`).
    """
    if event.kind is _READ:
        return judge_reading(state, event, terms)
    before = state.record(event.system)
    if is_old(before, event):
        return state, (Ruling(field="*", verdict=Verdict.SUPERSEDED, reason=TOLD_BEFORE),)
    if event.epoch != before.epoch and is_unplaced(before, event) and event.kind is not _DELETED:
        return asked_again(state.with_record(event.system, noted(before, event)), event.system), (
            Ruling(field="*", verdict=Verdict.WAITING, reason=UNORDERED),
        )
    state = state.with_record(event.system, noted(before, event))
    if state.hold:
        state = relieved(state, event)
    if event.seq < before.seq and is_late(before, event):
        return _told_late(state, event, terms, now)
    if event.kind is _GAP:
        look_at = now + terms.patience(event.system).silent_ms
        return gapped(state, event, terms.identity, news=event.seq > before.seq, look_at=look_at), (
            Ruling(field="*", verdict=Verdict.WAITING, reason="the feed can't say what changed; it is read"),
        )
    if event.kind is _DELETED:
        return _deleted(state, event, terms, before)
    if is_alive(before, event):
        state = undeleted(state, event.system, event.at)
    elif before.deleted and event.kind in (_CREATED, _UPDATED):  # who told of the deletion had no place in the stream
        return state, ended(state, event, terms, _ENDED_SINCE)
    return _changes(state, event, terms, now)


def _told_late(state: PairState, event: ChangeEvent, terms: Terms, now: int) -> Folded:
    """A change before others that were judged. What it says of the record's life they have overtaken; what it says of fields that
    nothing has touched since is news."""
    if event.kind not in (_CREATED, _UPDATED):
        return asked_again(state, event.system), (Ruling(field="*", verdict=Verdict.WAITING, reason="told late; the record is read"),)
    if state.record(event.system).deleted:
        return state, (Ruling(field="*", verdict=Verdict.SUPERSEDED, reason=_ENDED_SINCE),)
    event, overtaken = still_news(state, event, terms)
    state, rulings = _changes(state, event, terms, now)
    return state, (*overtaken, *rulings)


def _deleted(state: PairState, event: ChangeEvent, terms: Terms, before: Record) -> Folded:
    """Salesforce's stream doesn't say whether a deletion was a merge: its last word is that of a look."""
    final = event.system is not SALESFORCE or event.source != STREAM
    record = shallow(state.record(event.system))
    record.deleted, record.reread = True, not final
    state = shallow(state.with_record(event.system, record))
    state.fields = {key: without_writes(field, event.system) for key, field in state.fields.items()}
    if not final:
        return state, (Ruling(field="*", verdict=_WAITING, reason="deleted in salesforce; whether it was merged is asked"),)
    if event.system is SALESFORCE:
        state = agree_link(state, terms, event.at)
    # a deletion of our own follows one on the other side, so it is as old as that
    at = 0 if terms.identity.owns(event) else min(event.at, before.at) if before.deleted else event.at
    state = outlived(state, event.system, at, terms)
    why = f"; {event.origin}" if event.origin and event.source == READING else ""
    return state, (Ruling(field="*", verdict=Verdict.ACCEPTED, reason=f"deleted in {event.system}{why}"),)


def _changes(state: PairState, event: ChangeEvent, terms: Terms, now: int) -> Folded:
    """A creation or an update in the feed."""
    record = state.record(event.system)
    if record.heir:
        state = came_into(state, event, terms)
    born: tuple[Ruling, ...] = ()
    if event.kind is _CREATED:
        state, born = _created(state, event, terms)
    elif not record.complete:
        state = state if record.reread else asked_again(state, event.system)
        if is_strange(state, event.system):
            return _strange(state, event, terms, now)
    state, rulings = judge_fields(state, event, terms, patient=True)
    verdicts = {ruling.verdict for ruling in rulings}
    if not FOREIGN.isdisjoint(verdicts):
        state = touched(state, event.system)
    still = unlinked(event, rulings, terms) if _WAITING in verdicts else None
    if still:
        state = shallow(state)
        state.waiting = (*state.waiting, Waiting(event=still, until=now + terms.lateness_ms))
    if event.system is SALESFORCE:
        state = agree_link(state, terms, event.at)
    return state, ((*born, *rulings) if born else rulings)


def _strange(state: PairState, event: ChangeEvent, terms: Terms, now: int) -> Folded:
    """A change of a record that nobody knows yet: it waits for the reading that tells to which pair it belongs."""
    state = shallow(state)
    state.waiting = (*state.waiting, Waiting(event=event, until=now + terms.lateness_ms))
    return state, (Ruling(field="*", verdict=Verdict.WAITING, reason="the record is read first, to know whose it is"),)


def _created(state: PairState, event: ChangeEvent, terms: Terms) -> Folded:
    """Salesforce tells all non-empty fields of a new record, Marketo none: there our own creation is known by its author."""
    record = shallow(state.record(event.system))
    ours = record.creating != 0 and terms.identity.owns(event)
    if event.system is SALESFORCE:
        record.complete, record.heir = True, 0
    record.creating = 0
    if ours:
        record.origin, record.complete = "tandem", True
        record.made_until = record.made_until or event.at + _SECOND_MS
    state = state.with_record(event.system, record)
    if not ours or event.fields:
        return state, ()
    changed: dict[str, Field] = {}
    rulings: list[Ruling] = []
    for key, field in state.fields.items():
        side, mapping = field.side(event.system), terms.mapping(state).by_key.get(key)
        if not side.writes or mapping is None:
            continue
        edit = Edit(side=event.system, object=state.object, value=side.writes[0].value, at=event.at)
        changed[key], ruling = judge_echo(mapping, field, edit, side.writes[0])
        rulings.append(ruling)
    return state.with_fields(changed), tuple(rulings)

"""The life of one side's record: what of it was told before, whether it is there, who has worked on it. Pure."""

from consumers.merge.edits.verdicts import latest
from consumers.merge.lives.late import KEPT, was_judged, with_judged
from consumers.merge.pair.decision import Verdict
from consumers.merge.pair.prints import prints
from consumers.merge.pair.state import NEVER, Field, PairState, Record, Side, shallow
from streams.wire.events import ChangeEvent, Happened
from streams.wire.systems import MARKETO, PERSON, SALESFORCE, System

_REFS_KEPT = 48
READING = "read"
"""Source of what a look has found: it is judged at once, and never told again."""
TOLD_BEFORE = "told before"
FOREIGN = frozenset({Verdict.ACCEPTED, Verdict.WON, Verdict.LOST, Verdict.REVIEW, Verdict.PUT_BACK})
"""Verdicts on what somebody else did."""
_CREATED, _UPDATED, _DELETED = Happened.CREATED, Happened.UPDATED, Happened.DELETED
_UNDELETED, _GAP = Happened.UNDELETED, Happened.GAP
_SECOND_MS = 1_000


def is_old(record: Record, event: ChangeEvent) -> bool:
    """Whether this event of the feed was judged before. Places of two numberings can't be compared: there the times tell.

    A deletion that a poll has found has neither place nor name: it is old where the record was seen alive after it.

    That a change could not be told whole stands beside what could be, under the same name.
    """
    if event.kind is _GAP:
        if event.epoch != record.epoch:
            return bool(event.seq) and event.at < record.at
        return 0 < event.seq < record.seq and was_judged(record, event.seq)
    if event.seq and record.seq and event.epoch != record.epoch:
        return event.at < record.at or (event.at == record.at and event.at % _SECOND_MS != 0)
    if event.seq:
        return event.seq <= record.seq and was_judged(record, event.seq)
    if event.ref:
        return all(each in record.refs for each in prints(event.ref))
    return event.kind is _DELETED and event.source != READING and latest(event.at) < record.at


def is_unplaced(record: Record, event: ChangeEvent) -> bool:
    """Whether an event of another numbering can't be told from what was judged in the same second."""
    return bool(event.seq and record.seq) and event.epoch != record.epoch and record.at <= event.at <= latest(record.at)


def noted(record: Record, event: ChangeEvent) -> Record:
    """The record, with this event among those judged."""
    new = shallow(record)
    new.id = record.id or event.id
    if event.seq and event.epoch != record.epoch:
        new.lately = (event.seq,) if record.seq else (0, event.seq)
        new.seq, new.epoch = event.seq, event.epoch
    elif event.seq > record.seq:  # what it nearly always is
        lately = record.lately or (record.seq,)
        new.lately = (*lately[1:], event.seq) if len(lately) >= KEPT else (*lately, event.seq)
        new.seq = event.seq
    elif event.seq:
        new.lately = with_judged(record, event.seq)
    if event.at > record.at:
        new.at = event.at
    if event.ref:
        new.refs = (*record.refs, *prints(event.ref))[-_REFS_KEPT:]
    return new


def seen_alive(record: Record, event: ChangeEvent) -> Record:
    """The record, as a reading has shown it whole. Where it was gone, or nobody had seen it, a deletion from before that is over."""
    new = shallow(record)
    if record.deleted or not record.complete:
        new.at = max(record.at, event.at)
    if record.deleted:
        new.restored = event.modified_at or event.at
    new.id, new.complete, new.reread, new.deleted, new.heir = record.id or event.id, True, False, False, 0
    return new


def asked_again(state: PairState, system: System) -> PairState:
    """The pair, one record of which is to be read."""
    record = shallow(state.record(system))
    record.reread = True
    return state.with_record(system, record)


def is_alive(record: Record, event: ChangeEvent) -> bool:
    """Whether a record that was taken for deleted (or could not be read) has been restored, or has changed after that."""
    if event.kind is _UNDELETED:
        return True
    if not record.deleted:
        return False
    later = event.at >= record.at if event.seq else event.at > latest(record.at)  # the stream may be behind what told of the deletion
    return later and event.kind in (_CREATED, _UPDATED)


def is_from_before_its_end(record: Record, event: ChangeEvent) -> bool:
    """Whether the record is gone, and this event of it (a reading, or one that tells that it was there) is from before that."""
    if event.kind is Happened.READ:
        return record.deleted and event.at <= latest(record.at)
    return record.deleted and not is_alive(record, event)


def undeleted(state: PairState, system: System, at: int) -> PairState:
    """The pair, one record of which is back since that moment (ms, the system's clock): it is read, since nobody told what changed
    meanwhile."""
    state = came_back(state, system)
    record = shallow(state.record(system))
    record.deleted, record.reread, record.restored = False, True, at
    return state.with_record(system, record)


def came_back(state: PairState, system: System) -> PairState:
    """Somebody has taken a person of Salesforce out of the recycle bin: where its person in Marketo is gone, it gets a new one.

    Marketo has no bin, so what comes back there was never gone. What is known there by a key of ours is made again under that.
    The same state where the record was not gone.
    """
    if system is not SALESFORCE or state.counterpart != PERSON or not (state.salesforce.deleted and state.marketo.deleted):
        return state
    fields = {key: field.with_side(MARKETO, Side()) for key, field in state.fields.items()}
    return state.with_fields(fields).with_record(MARKETO, Record())


def without_writes(field: Field, system: System) -> Field:
    """The field, with no write under way on that side."""
    side = field.side(system)
    if not side.writes:
        return field
    new = shallow(side)
    new.writes = ()
    return field.with_side(system, new)


def touched(state: PairState, system: System) -> PairState:
    """Somebody else has worked on this record: it is not only ours any more, and what it refused may be welcome now."""
    record = state.record(system)
    if record.origin or (record.refused and record.id):
        record = shallow(record)
        record.origin = ""
        record.refused = "" if record.id else record.refused
        state = state.with_record(system, record)
    changed: dict[str, Field] = {}
    salesforce = system is SALESFORCE
    for key, field in state.unsettled().items():
        side = field.salesforce if salesforce else field.marketo
        if side.refused != NEVER:
            side = shallow(side)
            side.refused, side.reason = NEVER, ""
            changed[key] = field.with_side(system, side)
    return state.with_fields(changed) if changed else state

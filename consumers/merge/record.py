"""The life of one side's record: what of it was told before, whether it is there, who has worked on it. Pure."""

from consumers.merge.decision import Verdict
from consumers.merge.state import NEVER, Field, PairState, Record, copy
from consumers.merge.verdicts import latest
from streams.events import ChangeEvent, Kind
from streams.systems import SALESFORCE, System

_REFS_KEPT = 48
FOREIGN = frozenset({Verdict.ACCEPTED, Verdict.WON, Verdict.LOST, Verdict.REVIEW, Verdict.PUT_BACK})
"""Verdicts on what somebody else did."""
_CREATED, _UPDATED, _UNDELETED = Kind.CREATED, Kind.UPDATED, Kind.UNDELETED


def is_old(record: Record, event: ChangeEvent) -> bool:
    """Whether this event of the feed was judged before."""
    if event.seq:
        return event.seq <= record.seq
    return bool(event.ref) and all(ref in record.refs for ref in event.ref.split(","))


def noted(record: Record, event: ChangeEvent) -> Record:
    """The record, with this event among those judged."""
    new = copy(record)
    new.id = record.id or event.id
    if event.seq > record.seq:
        new.seq = event.seq
    if event.at > record.at:
        new.at = event.at
    if event.ref:
        new.refs = (*record.refs, *event.ref.split(","))[-_REFS_KEPT:]
    return new


def asked_again(state: PairState, system: System) -> PairState:
    """The pair, one record of which is to be read."""
    record = copy(state.record(system))
    record.reread = True
    return state.with_record(system, record)


def is_alive(record: Record, event: ChangeEvent) -> bool:
    """Whether a record that was taken for deleted (or could not be read) has been restored, or has changed after that."""
    if event.kind is _UNDELETED:
        return True
    if not record.deleted:
        return False
    return (bool(event.seq) or event.at > latest(record.at)) and event.kind in (_CREATED, _UPDATED)


def undeleted(state: PairState, system: System) -> PairState:
    """The pair, one record of which is back: it is read, since nobody told what changed meanwhile."""
    record = copy(state.record(system))
    record.deleted, record.reread = False, True
    return state.with_record(system, record)


def without_writes(field: Field, system: System) -> Field:
    """The field, with no write under way on that side."""
    side = field.side(system)
    if not side.writes:
        return field
    new = copy(side)
    new.writes = ()
    return field.with_side(system, new)


def touched(state: PairState, system: System) -> PairState:
    """Somebody else has worked on this record: it is not only ours any more, and what it refused may be welcome now."""
    if state.record(system).origin:
        record = copy(state.record(system))
        record.origin = ""
        state = state.with_record(system, record)
    changed: dict[str, Field] = {}
    salesforce = system is SALESFORCE
    for key, field in state.unsettled().items():
        side = field.salesforce if salesforce else field.marketo
        if side.refused != NEVER:
            side = copy(side)
            side.refused, side.reason = NEVER, ""
            changed[key] = field.with_side(system, side)
    return state.with_fields(changed) if changed else state

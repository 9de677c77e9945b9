"""Holds: a pair that waits for a person or for another pair, and one whose record is to be read again; what ends such waiting. Pure."""

from consumers.judging.meeting.candidates import AMBIGUOUS
from consumers.merge.pair.state import PairState, shallow
from streams.wire.systems import System


def asked(state: PairState, system: System) -> PairState:
    """The pair whose record is read again: it may be somebody else now."""
    record = shallow(state.record(system))
    record.reread = True
    return state.with_record(system, record)


def held(state: PairState, reason: str, waits: str = "") -> PairState:
    """The pair held for a person; "" lets it go. `waits`: what ends an ambiguous match when it changes hands."""
    new = state.with_fields({})
    new.hold, new.waits = reason, waits
    return new


def whole(state: PairState) -> PairState:
    """The pair, whose record has been found to be its own: it waits for nobody any more who might be the same."""
    if not state.hold.startswith(AMBIGUOUS) or not (state.salesforce.id and state.marketo.id):
        return state
    return held(state, "")


def hands_changed(before: PairState, after: PairState) -> bool:
    """Whether one of the pair's records is another one now, gone, or back."""
    one, other, was, were = after.salesforce, after.marketo, before.salesforce, before.marketo
    return one.id != was.id or one.deleted != was.deleted or other.id != were.id or other.deleted != were.deleted

"""Pairs that wait because a step of ours failed on them: held, asked for again, and let go by what makes it good. Pure."""

from consumers.merge.state import PairState, shallow
from streams.wire.events import ChangeEvent
from streams.wire.systems import System

FAULT = "fault"
"""Begins the hold of such a pair."""


def lost_event(state: PairState, system: System, why: str, *, reread: bool) -> PairState:
    """An event of this side could not be judged. `reread`: its record is read, which tells what the event told; or no more."""
    record = shallow(state.record(system))
    record.reread = reread
    return _held(state.with_record(system, record), f"{_of(system)} {why}")


def stuck(state: PairState, why: str) -> PairState:
    """Nothing can be done for this pair as it is."""
    return _held(state, f"{FAULT}: {why}")


def relieved(state: PairState, event: ChangeEvent) -> PairState:
    """What was lost of a side is made good by a reading of it; what was stuck is tried again once anything is told of the pair."""
    if not state.hold.startswith(FAULT):
        return state
    if not state.hold.startswith(f"{FAULT}:") and not (event.is_read and state.hold.startswith(_of(event.system))):
        return state
    new = shallow(state)
    new.hold = ""
    return new


def _held(state: PairState, why: str) -> PairState:
    new = shallow(state)
    new.hold = state.hold if state.hold and not state.hold.startswith(FAULT) else why
    return new


def _of(system: System) -> str:
    return f"{FAULT} in an event of {system}:"

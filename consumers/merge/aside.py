"""Pairs that wait because a step of ours failed on them: held, asked for again, and let go by what makes it good. Pure."""

from consumers.merge.state import PairState, shallow
from streams.wire.events import ChangeEvent
from streams.wire.systems import Object, System

FAULT = "fault"
"""Begins the hold of such a pair."""
_LEFT_OUT = "left out"
_NOT_DUE = (0, 0, 0, 0)


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


def left_out(obj: Object) -> str:
    """What pairs of a sort of record wait for that is not kept in step any more."""
    return f"{_LEFT_OUT}: {obj}"


def set_aside(state: PairState) -> PairState:
    """Something is due for a record of a sort that is not kept in step: it stays as it is until that sort is again."""
    new = shallow(state)
    new.due = _NOT_DUE
    if not state.hold:
        new.waits = left_out(state.object)
        new.hold = (
            f"{new.waits} records are not kept in step: they are switched off in the configuration, or not visible to Tandem's users "
            f"(tandem check says which); a worker that starts after that has ended goes on with them"
        )
    return new


def taken_up(state: PairState) -> PairState:
    """Such records are kept in step again."""
    if not state.hold.startswith(_LEFT_OUT):
        return state
    new = shallow(state)
    new.hold = new.waits = ""
    return new


def _held(state: PairState, why: str) -> PairState:
    new = shallow(state)
    new.hold = state.hold if state.hold and not state.hold.startswith(FAULT) else why
    return new


def _of(system: System) -> str:
    return f"{FAULT} in an event of {system}:"

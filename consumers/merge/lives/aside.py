"""Pairs that wait because a step of ours failed on them, or because a record of theirs can't be seen any more: held, asked for again, and
let go by what makes it good. Pure."""

from consumers.merge.lives.record import without_writes
from consumers.merge.pair.state import PairState, shallow
from streams.wire.events import ChangeEvent
from streams.wire.systems import Object, System

FAULT = "fault"
"""Begins the hold of such a pair."""
OUT_OF_SIGHT = "out of sight"
"""Begins the hold of a pair whose record can't be seen."""
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
    """What was lost of a side, or out of sight there, is made good by a reading of it; what was stuck is tried again once anything is told
    of the pair."""
    if state.hold.startswith(_out_of(event.system)):
        return seen_again(state, event.system, reread=not event.is_read)
    if not state.hold.startswith(FAULT):
        return state
    if not state.hold.startswith(f"{FAULT}:") and not (event.is_read and state.hold.startswith(_of(event.system))):
        return state
    new = shallow(state)
    new.hold = ""
    return new


def out_of_sight(state: PairState, system: System, why: str) -> PairState:
    """The record is not deleted, for all that anybody knows, and can't be seen: nothing is written to it, and nothing of it is taken for
    cleared. What was under way to it is not waited for; a reading will tell."""
    record = shallow(state.record(system))
    record.reread = False
    state = state.with_record(system, record)
    if state.hold and not state.hold.startswith(_out_of(system)):
        return state
    new = shallow(state)
    new.fields = {key: without_writes(field, system) for key, field in state.fields.items()}
    new.hold = f"{_out_of(system)} {why}"
    return new


def in_sight_of(state: PairState, system: System) -> bool:
    """Whether the pair does not wait for its record there to be seen again."""
    return not state.hold.startswith(_out_of(system))


def seen_again(state: PairState, system: System, *, reread: bool) -> PairState:
    """The record is there again. `reread`: what changed meanwhile is to be read."""
    new = shallow(state)
    new.hold = ""
    if not reread:
        return new
    record = shallow(new.record(system))
    record.reread = True
    return new.with_record(system, record)


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


def _out_of(system: System) -> str:
    return f"{OUT_OF_SIGHT} in {system}:"

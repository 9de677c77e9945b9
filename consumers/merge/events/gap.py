"""A gap event: the feed says that a record has changed, and can't say what. Pure.

It says where, though: what was read or written may have come to the feed there, and a change of ours told so is one of our writes made.
"""

from consumers.merge.edits.forgotten import made_until, may_be_of, put_in_place, remembered, untellable
from consumers.merge.edits.unplaced import veiled
from consumers.merge.lives.record import asked_again
from consumers.merge.pair.state import Field, PairState, Side, Write, shallow
from consumers.merge.terms import Identity
from consumers.merge.writing.writes import lone_write, made_by
from streams.wire.events import ChangeEvent


def gapped(state: PairState, event: ChangeEvent, identity: Identity, *, news: bool, look_at: int) -> PairState:
    """The pair, one record of which is to be read. `news`: nothing else was told of that place in the feed. `look_at`: when to look for
    a write of ours that was given up and is told of here after all.
    """
    ours = identity.owns(event)
    changed: dict[str, Field] = {}
    for key, field in state.unsettled().items():
        before = field.side(event.system)
        side = veiled(before, passed=news or not ours)
        side = untellable(side) if ours else side
        if side is not before:
            changed[key] = field.with_side(event.system, side)
    state = state.with_fields(changed) if changed else state
    if ours and news:
        write = lone_write(state, event.system, event.at)
        state = made_by(state, event.system, write, event.at, placed=True) if write else state
        state = _found_again(state, event, write, look_at)
    return asked_again(state, event.system)


def _found_again(state: PairState, event: ChangeEvent, made: int, look_at: int) -> PairState:
    """What was given up of a field may have arrived: it is waited for again, since the system may have made something else of it.

    `made`: the one write that it must be, on whatever field; 0: that can't be said.
    """
    changed: dict[str, Field] = {}
    for key, field in state.unsettled().items():
        side = field.side(event.system)
        mine = [entry for entry in remembered(side, event.at) if may_be_of(entry, event.at)] if not side.writes else []
        if len(mine) == 1 and made in (0, mine[0].id):
            changed[key] = field.with_side(event.system, _resumed(side, mine[0], event.at if made else 0, look_at))
    return state.with_fields(changed) if changed else state


def _resumed(side: Side, write: Write, at: int, look_at: int) -> Side:
    new, mine = shallow(side), put_in_place(made_until(write, at) if at else write)
    mine.look_at = look_at
    new.writes = (mine,)
    new.forgotten = tuple(entry for entry in side.forgotten if entry.id != write.id)
    return new

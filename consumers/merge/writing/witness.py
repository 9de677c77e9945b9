"""Answers as witnesses: what Marketo tells of no change of has no feed to wait for, so the answer to our own call proves it. Pure."""

from consumers.merge.pair.state import NEVER, Field, PairState, shallow
from streams.wire.systems import System

WAITS = "waits for "
"""How the reason begins of a reference that is not written since its parent isn't there yet."""


def witnessed(state: PairState, target: System, write: int, at: int) -> PairState:
    """The call was answered: its fields show what was sent. `at`: when that was, by the system's clock (0: not known)."""
    changed: dict[str, Field] = {}
    for key, field in state.unsettled().items():
        mine = next((entry for entry in field.side(target).writes if entry.id == write), None)
        if mine is None:
            continue
        side = shallow(field.side(target))
        side.known, side.seen, side.shows = True, mine.value, mine.version
        side.seen_at, side.ahead_at, side.ahead_until = max(side.seen_at, at), 0, 0
        side.writes = tuple(entry for entry in side.writes if entry.version > mine.version)
        changed[key] = field.with_side(target, side)
    return state.with_fields(changed) if changed else state


def released(state: PairState, target: System, keys: frozenset[str]) -> PairState:
    """The parents that these references name are there now: what waited for them is owed."""
    changed: dict[str, Field] = {}
    for key in keys:
        field = state.fields.get(key)
        if field is None or field.side(target).refused == NEVER or not field.side(target).reason.startswith(WAITS):
            continue
        side = shallow(field.side(target))
        side.refused, side.reason = NEVER, ""
        changed[key] = field.with_side(target, side)
    state = state.with_fields(changed) if changed else state
    record = state.record(target)
    if record.refused.startswith(WAITS):
        record = shallow(record)
        record.refused, record.refused_mark = "", 0
        state = state.with_record(target, record)
    return state

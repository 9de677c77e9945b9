"""Creations in doubt: the call that was to make a record was not answered. What can be made only once may have been made already; what is
made under a key of ours may stand there although nobody wants it any more. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from consumers.merge.lives.record import asked_again
from consumers.merge.pair.state import Field, PairState, Write, shallow
from consumers.merge.writing.writes import Patience, born, withdrawn
from streams.wire.systems import System

_DOUBT = "the call that was to write it was not answered; it is looked for, and written again only when it is not there"


class Proof(StrEnum):
    """What looking for it came to."""

    THERE = "there"
    NOT_MADE = "not made"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One look. `found`: the ids of what was found; None: nobody could say, for the reason `why`. `now`: ms, ours."""

    found: Sequence[str] | None
    now: int
    why: str = ""


def sent_at(state: PairState, system: System) -> int:
    """When the creation under way was intended (ms, ours); 0: none is."""
    creating = state.record(system).creating
    return min((entry.sent for entry in _entries(state, system) if entry.id == creating), default=0)


def proved(state: PairState, system: System, search: Search, patience: Patience) -> tuple[PairState, Proof]:
    """The state after a look for a creation in doubt.

    Found, it is there. Not found, it was not made once its call can't arrive any more, which is when the lease is over; until then, and
    while nobody can say, it stays in doubt and is looked for again after growing waits.
    """
    write, sent = state.record(system).creating, sent_at(state, system)
    if search.found:
        return born(state, system, search.found[0], write, witnessed=True), Proof.THERE
    over = search.now >= sent + patience.call_ms
    if over and search.found is not None:
        state = withdrawn(state, system, write)
        return _said(state, system, ""), Proof.NOT_MADE
    wait = min(max(search.now - sent, patience.doubt_ms), patience.lost_ms)
    again = search.now + wait if over else min(search.now + wait, sent + patience.call_ms)
    why = f"{_DOUBT} ({search.why})" if search.why else _DOUBT
    return _said(_looked_for(state, system, write, again), system, why), Proof.OPEN


def stands(state: PairState, system: System, search: Search, patience: Patience) -> tuple[PairState, Proof]:
    """The same of what is made under a key of ours, where a second creation would be the same record: not found, it is made again at once.

    But where the other side's record was deleted meanwhile nobody makes it again: what may stand there is to go. Found, it is read, since
    it may have stood there before.
    """
    write = state.record(system).creating
    if search.found:
        return asked_again(born(state, system, search.found[0], write, witnessed=False), system), Proof.THERE
    if search.found is not None and not state.record(system.other).deleted:
        return _said(withdrawn(state, system, write), system, ""), Proof.NOT_MADE
    return proved(state, system, search, patience)


def doubted(state: PairState, system: System, write: int, look_at: int) -> PairState:
    """The call of a creation has no answer: what it may have made is looked for from `look_at` on (ms, ours)."""
    return _said(_looked_for(state, system, write, look_at), system, _DOUBT)


def _entries(state: PairState, system: System) -> list[Write]:
    return [entry for field in state.unsettled().values() for entry in field.side(system).writes]


def _looked_for(state: PairState, system: System, write: int, at: int) -> PairState:
    changed: dict[str, Field] = {}
    for key, field in state.unsettled().items():
        side = field.side(system)
        if any(entry.id == write for entry in side.writes):
            side = shallow(side)
            side.writes = tuple(_at(entry, at) if entry.id == write else entry for entry in side.writes)
            changed[key] = field.with_side(system, side)
    return state.with_fields(changed) if changed else state


def _at(entry: Write, at: int) -> Write:
    new = shallow(entry)
    new.look_at = at
    return new


def _said(state: PairState, system: System, why: str) -> PairState:
    record = shallow(state.record(system))
    record.refused, record.refused_mark = why, 0
    return state.with_record(system, record)

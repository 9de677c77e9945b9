"""Writes that are not waited for any more, and may land all the same: a call that hung, an answer that never came. Pure.

Their values are kept until the feed is past them. A change by our own client that none of the writes under way explains is one of
them come back, however late: never somebody's edit.
"""

from collections.abc import Callable

from consumers.merge.edits.verdicts import latest
from consumers.merge.pair.state import PENDING, Side, Write, shallow

FORGOTTEN_MS = 3_600_000
"""So long after a write was sent, by the feed's time, it comes back no more: no system works on a call for that long, clocks agree to
some minutes, and the feed is told in its own order."""
_SECOND_MS = 1_000
_MOST = 6
"""So many of one field are kept at the most, the newest."""


def in_doubt(write: Write) -> bool:
    """Whether nobody knows if this write was made."""
    return write.answered <= PENDING


def is_made(write: Write) -> bool:
    """Whether this write is known to be made: it was answered, or a reading or the feed has shown as much."""
    return write.answered > PENDING or write.done_by > 0 or write.read


def forget(side: Side, dropped: Callable[[Write], bool] = lambda _: True) -> None:
    """Take writes off this side (a fresh copy) that may still arrive, or come back."""
    gone = tuple(write for write in side.writes if dropped(write))
    if gone:
        side.writes = tuple(write for write in side.writes if not dropped(write))
        side.forgotten = (*side.forgotten, *gone)[-_MOST:]


def remembered(side: Side, at: int) -> tuple[Write, ...]:
    """What may still come back at a moment of the feed."""
    return tuple(write for write in side.forgotten if write.sent + FORGOTTEN_MS > at) if side.forgotten else ()


def came_back(before: Side, write: Write, at: int) -> Side:
    """The side (a fresh copy) without this write and those before it; of these, who is in doubt may arrive after it."""
    side = shallow(before)
    later, doubtful = [], []
    for other in before.writes:
        if other.id == write.id:
            continue
        if other.version > write.version:
            later.append(told_of(other))
        elif in_doubt(other):
            doubtful.append(other)
    side.writes = tuple(later)
    if doubtful or before.forgotten:
        side.forgotten = tuple(other for other in (*remembered(before, at), *doubtful) if other.id != write.id)[-_MOST:]
    return side


def untellable(side: Side) -> Side:
    """The side, when its feed has said that we changed something and can't say what: from now on a reading is all there is to go by."""
    if not side.forgotten:
        return side
    new = shallow(side)
    new.forgotten = tuple(_read_only(write) for write in side.forgotten)
    return new


def _read_only(write: Write) -> Write:
    new = shallow(write)
    new.look_at = 0
    return new


def made_until(write: Write, at: int) -> Write:
    """The write, now that something has shown that it was made by `at` (ms, the system's clock). The earliest such moment counts."""
    if 0 < write.done_by <= at:
        return write
    new = shallow(write)
    new.done_by = at
    return new


def put_in_place(write: Write) -> Write:
    """The write, now that the feed has come to it."""
    new = shallow(write)
    new.placed, new.doubted = True, False
    return new


def out_of_place(write: Write) -> Write:
    """The write, now that the feed may have brought something after it."""
    new = shallow(write)
    new.placed = False
    return new


def may_be_of(write: Write, at: int) -> bool:
    """Whether this write may have been made at a moment of the feed: not after what is known of its end, nor before its call.

    The answer says when the call ended by the system's clock; how long the call took is told by ours. No two clocks are compared.
    """
    if not write.done_by:
        return True
    called = write.done_by - _SECOND_MS - (write.answered - write.sent) if write.answered > PENDING else 0
    return called <= latest(at) and at < write.done_by


def unmoved(write: Write) -> Write:
    """The write, now that all that the side's feed has brought for its field is known to come before it."""
    new = shallow(write)
    new.moved = False
    return new


def told_of(write: Write) -> Write:
    """The write, now that the side's feed has brought something for its field."""
    new = shallow(write)
    new.moved, new.placed = True, False
    return new

"""An edit of the very second of a reading, told by a feed that doesn't say what stood there before: set aside for its place. Pure.

It was made before what the reading showed, or after it. The feed tells which by telling what was read, before the edit or after it,
unless it had a gap there. If it then goes on with a write of ours, which was called after the reading, the edit stood between the two.
"""

from consumers.mapping.fields import FieldMapping
from consumers.merge.edits.forgotten import out_of_place, told_of
from consumers.merge.edits.values import equal
from consumers.merge.edits.verdicts import Edit, Judged, latest, verdict_on
from consumers.merge.pair.state import Field, Side, shallow


def veiled(side: Side, *, passed: bool) -> Side:
    """The side, now that its feed can't say what it has brought: that may be what a reading showed, or have come after what was set
    aside. `passed`: it may have come after a write of ours that had its place.
    """
    unsure = passed and any(write.placed for write in side.writes)
    if not side.ahead_at and not unsure:
        return side
    new = shallow(side)
    new.unplaced = () if side.ahead_at else None
    if unsure:
        new.writes = tuple(out_of_place(write) for write in side.writes)
    return new


def set_aside(field: Field, edit: Edit) -> Field:
    """The field, with this edit waiting for its place; what waited before it was made before it."""
    side = field.side(edit.side)
    if side.unplaced is None:
        return field
    new = shallow(side)
    new.unplaced = ((edit.value, edit.at),)
    return field.with_side(edit.side, new)


def stood_between(mapping: FieldMapping, field: Field, edit: Edit) -> Judged | None:
    """The edit set aside, judged now that the feed brings a change of ours (`edit`). None: there is none, or it can't be said."""
    side = field.side(edit.side)
    if not side.unplaced or not side.ahead_at or not side.writes:
        return None
    if side.forgotten and not any(equal(mapping, write.value, edit.value) for write in side.writes):
        return None
    ((value, at),) = side.unplaced
    moved = shallow(side)
    moved.writes = tuple(told_of(write) for write in side.writes)
    moved.seen_at = max(side.seen_at, at)
    caught_up(moved)
    return verdict_on(mapping, field, moved, Edit(side=edit.side, object=edit.object, value=value, at=at))


def run_ahead(side: Side, reading: Edit) -> None:
    """The side (a fresh copy): what is seen of it comes from this reading, which is ahead of the feed."""
    side.ahead_at, side.ahead_until, side.unplaced = reading.at, reading.until, None


def caught_up(side: Side) -> None:
    """The side (a fresh copy): the feed is behind no reading any more."""
    side.ahead_at, side.ahead_until, side.unplaced = 0, 0, None


def still_shown(field: Field, reading: Edit) -> Field:
    """The field, when a later reading shows the same: what was set aside came before it."""
    side = field.side(reading.side)
    if not side.unplaced or reading.at <= latest(side.unplaced[0][1]):
        return field
    new = shallow(side)
    new.unplaced = ()
    return field.with_side(reading.side, new)

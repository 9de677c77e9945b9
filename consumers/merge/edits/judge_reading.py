"""One field of a reading: it is ahead of the feed and has no author. Pure: state in, new state and ruling out."""

from consumers.mapping.fields import FieldMapping
from consumers.merge.edits.forgotten import came_back, forget, in_doubt, is_made, made_until, remembered, unmoved
from consumers.merge.edits.unplaced import run_ahead, still_shown
from consumers.merge.edits.verdicts import ALTERED, UNORDERED, Edit, Judged, latest, ruled, same, unproven, verdict_on
from consumers.merge.pair.decision import Verdict
from consumers.merge.pair.state import NEVER, PENDING, Field, Side, Write, shallow
from streams.wire.events import Value

_TOLD_MS = 900_000
"""So long after a write was sent its feed tells of it, if it ever does; afterwards a reading that shows its value is its only witness."""
_ARRIVES_MS = 300_000
"""So long after it was sent a call may still arrive, and what it brings may read otherwise than what was sent."""


def judge_read(mapping: FieldMapping, field: Field, edit: Edit) -> Judged:
    """A reading of the field: ahead of the feed, without an author."""
    side = field.side(edit.side)
    if side.known and side.seen_at >= edit.until:
        return field, ruled(mapping, field, edit, Verdict.SUPERSEDED, "the feed has told of a later moment")
    if side.known and same(mapping, side, edit.value, side.seen) and not put_back(mapping, side, edit.value, last=edit.last):
        return still_shown(field, edit), ruled(mapping, field, edit, Verdict.KNOWN, "")
    if side.known and side.ahead_at and edit.until <= side.ahead_at:
        return field, ruled(mapping, field, edit, Verdict.SUPERSEDED, "a later reading has been judged")
    if side.known and side.writes and side.writes[-1].placed and same(mapping, side, edit.value, side.writes[-1].value):
        return _without_feed(mapping, field, shallow(side), edit)
    if side.known and side.writes and not _overtaken(mapping, side, edit):
        field = _in_place(mapping, field, edit)
        return field, ruled(mapping, field, edit, Verdict.WAITING, "a write of ours is under way; the feed will tell")
    if side.known and max(latest(side.seen_at), side.ahead_until if side.ahead_at else 0) > edit.at:
        return field, ruled(mapping, field, edit, Verdict.SUPERSEDED, UNORDERED)
    late = _forgotten(mapping, side, edit)
    if late is not None:
        return _arrived_late(mapping, field, edit, late)
    if any(not is_made(write) and edit.at < write.sent + _ARRIVES_MS for write in side.forgotten):
        return field, ruled(mapping, field, edit, Verdict.WAITING, "a write of ours that was given up may have arrived; the feed will tell")
    if unproven(side) and side.shows != field.version:
        return field, ruled(mapping, field, edit, Verdict.WAITING, "it may be what the system made of our creation; the feed will tell")
    new = shallow(side)
    if side.writes:
        new.shows, new.seen = side.writes[-1].version, side.writes[-1].value
        forget(new)
    run_ahead(new, edit)
    return verdict_on(mapping, field, new, edit)


def put_back(mapping: FieldMapping, side: Side, value: Value, *, last: int | None) -> bool:
    """Whether a reading that shows what was seen last shows an edit all the same: looks have found our writes in its place since, and
    the last change of the record (`last`) was none of them, for all that is known.
    """
    return bool(side.writes) and all(write.read for write in side.writes) and _may_be_put_back(mapping, side, value, last=last)


def _may_be_put_back(mapping: FieldMapping, side: Side, value: Value, *, last: int | None) -> bool:
    """Whether somebody may have set what a reading shows after our newest write, which is known to be made, and of which the feed has
    told nothing: the record was changed once more.
    """
    newest = side.writes[-1]
    if last in {None, newest.id} or not is_made(newest) or newest.moved:
        return False
    return not same(mapping, side, value, newest.value)


def _in_place(mapping: FieldMapping, field: Field, edit: Edit) -> Field:
    """The field, where the reading shows our newest write: all of ours were made by then, whatever the feed will tell, or not tell.
    What it has told so far came before that write, if the reading came after all of it.
    """
    side = field.side(edit.side)
    if not same(mapping, side, edit.value, side.writes[-1].value):
        return field
    writes = tuple(made_until(write, edit.until) for write in side.writes)
    if writes[-1].moved and latest(side.seen_at) < edit.at:
        writes = (*writes[:-1], unmoved(writes[-1]))
    if all(new is old for new, old in zip(writes, side.writes, strict=True)):
        return field
    new = shallow(side)
    new.writes = writes
    return field.with_side(edit.side, new)


def judge_look(mapping: FieldMapping, field: Field, edit: Edit, *, look_again_at: int, feed_lost: bool, early_after: int = 0) -> Judged:
    """A reading because the feed should have shown our write long ago.

    Nothing moved: the write changed nothing (the side shows it) or never arrived (still owed); unless it is known to be made, and the
    record was changed once more after it: that may be what was put back. Our value stands there but the feed has not said so: later
    writes need not wait for it any more, unless the feed has yet to be given its time (it was sent after `early_after`, if that is set).
    Something else stands there: the feed has yet to show it; only when it has come to our write, can't tell of it and was silent from one
    look to the next, or is known to have lost its events (`feed_lost`), is the reading taken for the truth.
    """
    side = shallow(field.side(edit.side))
    if not side.writes:
        return judge_read(mapping, field, edit)
    newest = side.writes[-1]
    if same(mapping, side, edit.value, side.seen) and not _may_be_put_back(mapping, side, edit.value, last=edit.last):
        forget(side, lambda write: in_doubt(write) or not same(mapping, side, edit.value, write.value))
        side.writes = ()
        if newest.answered > PENDING and not newest.moved:
            side.shows, side.seen_at = newest.version, max(side.seen_at, min(newest.done_by, edit.at))
        new = field.with_side(edit.side, side)
        return new, ruled(mapping, new, edit, Verdict.KNOWN, "the write changed nothing, or never arrived")
    stands = same(mapping, side, edit.value, newest.value)
    if (stands or newest.doubted) if newest.placed else feed_lost:
        return _without_feed(mapping, field, side, edit)
    if stands and early_after and newest.sent > early_after:
        side.writes = tuple(_looked(made_until(write, edit.until), look_again_at, stands=False) for write in side.writes)
    else:
        side.writes = tuple(_looked(write, look_again_at, stands=stands) for write in side.writes)
    new = field.with_side(edit.side, side)
    return new, ruled(mapping, new, edit, Verdict.WAITING, "the feed has yet to show it")


def _without_feed(mapping: FieldMapping, field: Field, side: Side, edit: Edit) -> Judged:
    """The reading, taken for the truth: our newest write stands there, or the last one that is known to be made, or somebody's edit.

    After a write of a text that has its place in the feed, nothing was told since, or nothing was changed: it is what the system made
    of it.
    """
    newest, made = side.writes[-1], next((write for write in reversed(side.writes) if is_made(write)), None)
    stands = next((write for write in (newest, made) if write is not None and same(mapping, side, edit.value, write.value)), None)
    forget(side)
    if unproven(side) and made is None and stands is None:
        side.seen = edit.value
        new = field.with_side(edit.side, side)
        return new, ruled(mapping, new, edit, Verdict.KNOWN, "what the system made of our creation; the write never arrived")
    late = None if stands is not None else _forgotten(mapping, field.side(edit.side), edit)
    if late is not None:
        return _shown_late(mapping, field, edit, late)
    if stands is None and not side.seen_at and not side.ahead_at and len(side.forgotten) > 1:
        side.seen, side.shows, side.known, side.forgotten = edit.value, NEVER, True, ()
        new = field.with_side(edit.side, side)
        return new, ruled(mapping, new, edit, Verdict.KNOWN, "what the system made of one of our creations; which one, nobody knows")
    run_ahead(side, edit)
    if made is not None:
        side.shows, side.seen = made.version, made.value
    if stands is not None:
        side.shows, side.seen, side.known = stands.version, edit.value, True
        new = field.with_side(edit.side, side)
        why = "can't tell of it" if stands.placed else "lost it"
        return new, ruled(mapping, new, edit, Verdict.ECHO, f"our write stands there; the feed {why}")
    if (newest.placed or newest.id == edit.last) and isinstance(newest.value, str):
        side.learnt, side.sent, side.shown = True, newest.value, edit.value
        side.shows, side.seen, side.known = newest.version, edit.value, True
        new = field.with_side(edit.side, side)
        return new, ruled(mapping, new, edit, Verdict.ECHO, ALTERED)
    return verdict_on(mapping, field, side, edit)


def _forgotten(mapping: FieldMapping, side: Side, edit: Edit) -> Write | None:
    """The write that was given up and whose value this reading shows: its call has arrived, for all we know. What is known to be made
    arrives no more.
    """
    if not side.forgotten or not side.known:
        return None
    doubtful = (write for write in reversed(remembered(side, edit.at)) if not is_made(write))
    return next((write for write in doubtful if same(mapping, side, edit.value, write.value)), None)


def _arrived_late(mapping: FieldMapping, field: Field, edit: Edit, late: Write) -> Judged:
    """The feed tells whose it is, where there is one to tell: nothing is told of what a creation brings, and not for ever."""
    side = field.side(edit.side)
    created = not side.seen_at and not side.ahead_at
    if not created and late.look_at and edit.at < late.sent + _TOLD_MS:
        return field, ruled(mapping, field, edit, Verdict.WAITING, "it may be a write of ours that was given up; the feed will tell")
    return _shown_late(mapping, field, edit, late)


def _shown_late(mapping: FieldMapping, field: Field, edit: Edit, late: Write) -> Judged:
    side = came_back(field.side(edit.side), late, edit.at)
    side.seen, side.shows = edit.value, late.version
    run_ahead(side, edit)
    new = field.with_side(edit.side, side)
    return new, ruled(mapping, new, edit, Verdict.ECHO, "a write of ours that was given up has arrived late")


def _overtaken(mapping: FieldMapping, side: Side, edit: Edit) -> bool:
    """Whether a reading shows something newer than our writes, all of which an earlier reading has shown in place."""
    return all(write.read for write in side.writes) and not same(mapping, side, edit.value, side.writes[-1].value)


def _looked(write: Write, again_at: int, *, stands: bool) -> Write:
    new = shallow(write)
    new.look_at, new.read, new.doubted = again_at, write.read or stands, write.placed and not stands
    return new

"""The merge, field by field: one edit, one verdict. Pure: state in, new state and ruling out.

A side *shows* our value from the moment our own write comes back in its feed. An edit on a side that shows the agreement's
version is the new agreement; on a side that doesn't, neither had seen the other, and the field's rule decides. A side that does
not show the agreement's version is owed a write. There are no windows and no clocks of two systems are compared.

Here are the two things that a side's feed may tell of a field: somebody's edit (`judge_feed`), and our own write coming back
(`judge_echo`). Readings have a module of their own.
"""

from types import NoneType

from consumers.mapping.fields import FieldMapping
from consumers.merge.edits.forgotten import came_back, forget, in_doubt, remembered, told_of
from consumers.merge.edits.unplaced import caught_up, set_aside
from consumers.merge.edits.values import equal
from consumers.merge.edits.verdicts import (
    AGREEING,
    ALTERED,
    ONE_OF_SEVERAL,
    UNORDERED,
    UNTOLD,
    Edit,
    Judged,
    Untold,
    latest,
    ruled,
    same,
    unproven,
    verdict_on,
)
from consumers.merge.pair.decision import Ruling, Verdict
from consumers.merge.pair.state import NEVER, Field, Rest, Side, Write, shallow
from streams.wire.events import Value
from streams.wire.systems import MARKETO, SALESFORCE, System

_ACCEPTED, _ECHO = Verdict.ACCEPTED, Verdict.ECHO
_SECOND_MS = 1_000
_LINK_MISSING = "a change before this one has not arrived yet"


def accepted_at_once(mapping: FieldMapping, field: Field, system: System, value: Value, at: int) -> Judged | None:
    """What `judge_feed` says of the plainest of edits, which is most of them, in a quarter of the time; None: ask `judge_feed`.

    An edit of a plain field that the feed tells without what stood there before, on a side that shows the agreement, with no write
    under way and nothing else to be remembered.
    """
    side = field.salesforce if system is SALESFORCE else field.marketo
    if (
        side.shows != field.version
        or side.ahead_at
        or side.writes
        or side.learnt
        or side.undone
        or side.unusable
        or field.hold
        or not side.known
    ):
        return None
    if side.replaced is not None or side.forgotten or equal(mapping, value, field.value):
        return None
    side, new = shallow(side), shallow(field)
    new.value = side.seen = value
    new.version = side.shows = version = field.version + 1
    new.agreed_at = at
    side.seen_at, side.ahead_until = max(side.seen_at, at), 0
    if system is SALESFORCE:
        new.salesforce = side
    else:
        new.marketo = side
    return new, Ruling(mapping.key, _ACCEPTED, value, value, version, None, "", AGREEING[system])


def accepted_from_rest(mapping: FieldMapping, rest: Rest, system: System, value: Value, at: int) -> Judged | None:
    """The same of a field at rest, which need not be unpacked for it."""
    if (rest.salesforce_replaced if system is SALESFORCE else rest.marketo_replaced) is not None or equal(mapping, value, rest.value):
        return None
    version = rest.version + 1
    if system is SALESFORCE:
        seen_at = rest.agreed_at + rest.salesforce_after
        field = Field(value, version, at, Side(True, value, max(seen_at, at), version), rest.side(MARKETO))
    else:
        seen_at = rest.agreed_at + rest.marketo_after
        field = Field(value, version, at, rest.side(SALESFORCE), Side(True, value, max(seen_at, at), version))
    return field, Ruling(mapping.key, _ACCEPTED, value, value, version, None, "", AGREEING[system])


def judge_feed(mapping: FieldMapping, field: Field, edit: Edit) -> Judged:
    """An edit that we did not make, in its side's own order."""
    side = field.side(edit.side)
    if side.ahead_at:
        overtaken = _beside_a_reading(mapping, field, side, edit)
        if overtaken is not None:
            return overtaken
    if edit.before is not UNTOLD:
        early = _out_of_order(mapping, field, side, edit)
        if early is not None:
            return early
    moved = _moved(_passed(side, edit.at) if side.writes else side)
    caught_up(moved)
    moved.forgotten = remembered(moved, edit.at)
    if edit.at > side.seen_at:
        moved.seen_at = edit.at
    return verdict_on(mapping, field, moved, edit)


def _beside_a_reading(mapping: FieldMapping, field: Field, side: Side, edit: Edit) -> Judged | None:
    """An edit from before the reading that was judged, or of its very second. None: it came after it.

    A feed that doesn't tell what stood there before is in order by itself: what it tells of that second comes before the reading until
    it tells what the reading showed, and after it from then on; in case it never does, the record is read again. In one that tells, with
    a write of ours under way, what stood there before may be that write, made after the reading: it is waited for.
    """
    untold = isinstance(edit.before, Untold)
    if latest(edit.at) < side.ahead_at:
        new = _nearing(mapping, field, edit) if untold else field
        return new, ruled(mapping, field, edit, Verdict.SUPERSEDED, "a reading had already shown what came after it")
    if edit.at > side.ahead_until:
        return None
    if same(mapping, side, edit.value, side.seen):
        new = _reached(field, edit) if untold else field
        return new, ruled(mapping, field, edit, Verdict.SUPERSEDED, "a reading had already shown it")
    if untold:
        return set_aside(field, edit), ruled(mapping, field, edit, Verdict.SUPERSEDED, UNORDERED)
    if same(mapping, side, edit.before, side.seen):  # type: ignore[arg-type]  # told, as `untold` says
        return None
    if not side.writes:
        return field, ruled(mapping, field, edit, Verdict.SUPERSEDED, "a reading had already shown it")
    if edit.patient:
        return field, ruled(mapping, field, edit, Verdict.WAITING, _LINK_MISSING)
    return field, ruled(mapping, field, edit, Verdict.SUPERSEDED, UNORDERED)


def _nearing(mapping: FieldMapping, field: Field, edit: Edit) -> Field:
    """The field, now that the feed has told of a moment before the reading's second. Where that is what the reading showed, whatever it
    tells of that second comes after the reading.
    """
    before = field.side(edit.side)
    until = (
        0 if same(mapping, before, edit.value, before.seen) else before.ahead_until or latest(before.ahead_at // _SECOND_MS * _SECOND_MS)
    )
    if until == before.ahead_until:
        return field
    side = shallow(before)
    side.ahead_until = until
    return field.with_side(edit.side, side)


def _reached(field: Field, edit: Edit) -> Field:
    """The field, now that the feed has come to what a reading had shown."""
    side = shallow(field.side(edit.side))
    caught_up(side)
    side.seen_at = max(side.seen_at, edit.at)
    return field.with_side(edit.side, side)


def _out_of_order(mapping: FieldMapping, field: Field, side: Side, edit: Edit) -> Judged | None:
    """An edit of a feed that tells what stood there before, where that is not what was seen last. None: it is next in order."""
    if _is_behind(side, edit):
        return field, ruled(mapping, field, edit, Verdict.SUPERSEDED, "older than what has been judged")
    if _lacks_link(mapping, side, edit):
        if _is_known(mapping, side, edit):
            return field, ruled(mapping, field, edit, Verdict.SUPERSEDED, "older than what has been judged")
        if edit.patient and not _is_made_of_ours(side, edit):
            return field, ruled(mapping, field, edit, Verdict.WAITING, _LINK_MISSING)
        if edit.at <= side.seen_at:
            return field, ruled(mapping, field, edit, Verdict.SUPERSEDED, UNORDERED)
        return judge_feed(mapping, _linked(mapping, field, edit), edit)
    if edit.patient and _lacks_echo(side, edit):
        return field, ruled(mapping, field, edit, Verdict.WAITING, "a write of ours made before it has not come back yet")
    return None


def judge_echo(mapping: FieldMapping, field: Field, edit: Edit, write: Write) -> Judged:
    """Our own write coming back in its side's feed, with what the system made of the value."""
    before = field.side(edit.side)
    side = came_back(before, write, edit.at)
    if before.ahead_at and latest(edit.at) < before.ahead_at:
        return field.with_side(edit.side, side), ruled(mapping, field, edit, Verdict.SUPERSEDED, "a reading had shown what came after")
    if _is_behind(before, edit):
        return field.with_side(edit.side, side), ruled(mapping, field, edit, Verdict.SUPERSEDED, "older than what has been judged")
    if _lacks_link(mapping, before, edit):
        if _is_known(mapping, before, edit):
            return field.with_side(edit.side, side), ruled(mapping, field, edit, Verdict.SUPERSEDED, "older than what has been judged")
        if edit.patient and not _is_made_of_ours(before, edit):
            return field, ruled(mapping, field, edit, Verdict.WAITING, _LINK_MISSING)
        if edit.at <= before.seen_at:
            return field.with_side(edit.side, side), ruled(mapping, field, edit, Verdict.SUPERSEDED, UNORDERED)
        return judge_echo(mapping, _linked(mapping, field, edit), edit, write)
    altered = not equal(mapping, edit.value, write.value)
    if altered:
        side.learnt, side.sent, side.shown = True, write.value, edit.value
    if side.known and not equal(mapping, side.seen, edit.value):
        side.replaced = side.seen
    side.known, side.seen, side.seen_at, side.shows = True, edit.value, max(side.seen_at, edit.at), write.version
    caught_up(side)
    side.refused, side.reason = NEVER, ""
    new = field.with_side(edit.side, side)
    if altered:
        return new, ruled(mapping, new, edit, _ECHO, ALTERED)
    if not write.id:
        return new, ruled(mapping, new, edit, _ECHO, ONE_OF_SEVERAL)
    late = write not in before.writes
    return new, ruled(mapping, new, edit, _ECHO, "a write of ours that was given up came back late" if late else "our own write came back")


def _lacks_link(mapping: FieldMapping, side: Side, edit: Edit) -> bool:
    """Whether the feed says that something else stood there before than what we have seen."""
    return side.known and not isinstance(edit.before, Untold) and not same(mapping, side, edit.before, side.seen)


def _is_made_of_ours(side: Side, edit: Edit) -> bool:
    """Whether what stood there before may be what the system made of the text that we created it with, by leaving some of it out."""
    if not unproven(side) or not isinstance(edit.before, (str, NoneType)):
        return False
    sent = iter(str(side.seen))
    return all(character in sent for character in edit.before or "")


def _lacks_echo(side: Side, edit: Edit) -> bool:
    """Whether a feed that may be out of order has yet to show a write made before this edit, though what stood there before fits."""
    return not isinstance(edit.before, Untold) and any(write.done_by and write.done_by <= edit.at for write in side.writes)


def _is_behind(side: Side, edit: Edit) -> bool:
    """Whether a feed that is put in order by time (and by what stood there before) tells late of what came before all it has told."""
    return side.known and not isinstance(edit.before, Untold) and latest(edit.at) < side.seen_at


def _is_known(mapping: FieldMapping, side: Side, edit: Edit) -> bool:
    """Whether an edit without its link is what was judged already, when the one after it came without its own."""
    return edit.at <= side.seen_at and equal(mapping, edit.value, side.seen)


def missing_link(mapping: FieldMapping, field: Field, edit: Edit) -> Judged | None:
    """The change before this one of a feed that tells what stood there before, where that change never came and is not waited for.

    None: nothing is missing. It is judged as far as the one after it tells, so that a decision names it.
    """
    side = field.side(edit.side)
    if edit.patient or edit.at <= side.seen_at or not _lacks_link(mapping, side, edit) or _is_behind(side, edit) or unproven(side):
        return None
    if side.ahead_at and (latest(edit.at) < side.ahead_at or (edit.at <= side.ahead_until and _already_read(mapping, side, edit))):
        return None
    return _link(mapping, field, edit)


def _link(mapping: FieldMapping, field: Field, edit: Edit) -> Judged:
    """What stood there before was a write of ours that the feed has lost, or somebody's edit."""
    value = None if isinstance(edit.before, Untold) else edit.before
    link = Edit(side=edit.side, object=edit.object, value=value, at=edit.at)
    side = field.side(edit.side)
    known = (*side.writes, *reversed(remembered(side, edit.at)))
    write = next((write for write in known if equal(mapping, write.value, value)), None)
    return judge_feed(mapping, field, link) if write is None else judge_echo(mapping, field, link, write)


def _linked(mapping: FieldMapping, field: Field, edit: Edit) -> Field:
    """The field after the missing change. Nothing is missing of a text that nobody has told of since we created it: that is what the
    system made of it.
    """
    if unproven(field.side(edit.side)):
        side = shallow(field.side(edit.side))
        made = None if isinstance(edit.before, Untold) else edit.before
        side.learnt, side.sent, side.shown, side.seen = True, side.seen, made, made
        return field.with_side(edit.side, side)
    return _link(mapping, field, edit)[0]


def _already_read(mapping: FieldMapping, side: Side, edit: Edit) -> bool:
    """Whether a feed edit of the very moment of a reading is what the reading showed, or came before it."""
    if same(mapping, side, edit.value, side.seen):
        return True
    return edit.before is not UNTOLD and not same(mapping, side, edit.before, side.seen)


def _passed(side: Side, at: int) -> Side:
    """The feed has passed a write without showing it: it changed nothing, or was lost, or can't be told. The side showed it."""
    silent = [write for write in side.writes if write.done_by and write.done_by <= at and (write.placed or not write.moved)]
    if not silent:
        return side
    new = shallow(side)
    new.shows, new.seen = silent[-1].version, silent[-1].value
    forget(new, lambda write: write.version <= new.shows and in_doubt(write))
    new.writes = tuple(write for write in new.writes if write.version > new.shows)
    return new


def _moved(side: Side) -> Side:
    new = shallow(side)
    if side.writes:
        new.writes = tuple(told_of(write) for write in side.writes)
    return new

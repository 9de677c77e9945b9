"""The merge, field by field: one edit, one verdict. Pure: state in, new state and ruling out.

A side *shows* our value from the moment our own write comes back in its feed. An edit on a side that shows the agreement's
version is the new agreement; on a side that doesn't, neither had seen the other, and the field's rule decides. A side that does
not show the agreement's version is owed a write. There are no windows and no clocks of two systems are compared.

Three things may arrive for a field of a side: an edit in its feed (`judge_feed`), our own write coming back (`judge_echo`), and
a reading, which is ahead of the feed and has no author (`judge_read`). `judge_look` is a reading made because the feed has been
silent about a write for too long.
"""

from enum import Enum

import msgspec

from consumers.mapping import FieldMapping, RuleName, Unwanted
from consumers.merge.decision import Ruling, Verdict
from consumers.merge.rules import Contest, decide
from consumers.merge.state import NEVER, PENDING, Field, Side, Write, copy
from consumers.merge.values import blank, choices, equal
from streams.events import Value
from streams.systems import Object, System

_UNDONE_MOST_OWED, _UNDONE_MOST_ACCEPTED = 1, 3
_SECOND_MS = 1_000

UNORDERED = "it can't be put in order with what was told of the same second; the record is read again"
"""Reason of a ruling after which the record must be read again."""


class Untold(Enum):
    """Stands for a `before` that the feed doesn't tell."""

    UNTOLD = 0


UNTOLD = Untold.UNTOLD


class Edit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A value that a side has, neutral. `at`: ms on that side's clock; `until`: of a reading, the latest moment it may show."""

    side: System
    object: Object
    value: Value
    at: int
    until: int = 0
    before: Value | Untold = UNTOLD
    patient: bool = True
    """Whether a missing link is waited for."""
    alone: bool = False
    """Whether the other side has no record (yet)."""


Judged = tuple[Field, Ruling]
_ACCEPTED, _SAME, _ECHO = Verdict.ACCEPTED, Verdict.SAME, Verdict.ECHO
_UNION, _SUM_DELTAS = RuleName.UNION, RuleName.SUM_DELTAS
_AGREEING = {system: f"{system} had seen the agreement" for system in System}
_LINK_MISSING = "a change before this one has not arrived yet"


def judge_feed(mapping: FieldMapping, field: Field, edit: Edit) -> Judged:
    """An edit that we did not make, in its side's own order."""
    side = field.side(edit.side)
    if side.ahead_at:
        if latest(edit.at) < side.ahead_at:
            return field, _ruling(mapping, field, edit, Verdict.SUPERSEDED, "a reading had already shown what came after it")
        if edit.at <= side.ahead_until and _already_read(mapping, side, edit):
            return field, _ruling(mapping, field, edit, Verdict.SUPERSEDED, "a reading had already shown it")
    if edit.before is not UNTOLD:
        early = _out_of_order(mapping, field, side, edit)
        if early is not None:
            return early
    moved = _moved(_passed(side, edit.at) if side.writes else side)
    moved.ahead_at = moved.ahead_until = 0
    if edit.at > side.seen_at:
        moved.seen_at = edit.at
    return _edit(mapping, field, moved, edit)


def _out_of_order(mapping: FieldMapping, field: Field, side: Side, edit: Edit) -> Judged | None:
    """An edit of a feed that tells what stood there before, where that is not what was seen last. None: it is next in order."""
    if _is_behind(side, edit):
        return field, _ruling(mapping, field, edit, Verdict.SUPERSEDED, "older than what has been judged")
    if _lacks_link(mapping, side, edit):
        if _is_known(mapping, side, edit):
            return field, _ruling(mapping, field, edit, Verdict.SUPERSEDED, "older than what has been judged")
        if edit.patient:
            return field, _ruling(mapping, field, edit, Verdict.WAITING, _LINK_MISSING)
        if edit.at <= side.seen_at:
            return field, _ruling(mapping, field, edit, Verdict.SUPERSEDED, UNORDERED)
        return judge_feed(mapping, _linked(mapping, field, edit), edit)
    if edit.patient and _lacks_echo(side, edit):
        return field, _ruling(mapping, field, edit, Verdict.WAITING, "a write of ours made before it has not come back yet")
    return None


def judge_echo(mapping: FieldMapping, field: Field, edit: Edit, write: Write) -> Judged:
    """Our own write coming back in its side's feed, with what the system made of the value."""
    before = field.side(edit.side)
    side = copy(before)
    side.writes = tuple(_told_of(other) for other in side.writes if other.version > write.version)
    if before.ahead_at and latest(edit.at) < before.ahead_at:
        return field.with_side(edit.side, side), _ruling(mapping, field, edit, Verdict.SUPERSEDED, "a reading had shown what came after")
    if _is_behind(before, edit):
        return field.with_side(edit.side, side), _ruling(mapping, field, edit, Verdict.SUPERSEDED, "older than what has been judged")
    if _lacks_link(mapping, before, edit):
        if _is_known(mapping, before, edit):
            return field.with_side(edit.side, side), _ruling(mapping, field, edit, Verdict.SUPERSEDED, "older than what has been judged")
        if edit.patient:
            return field, _ruling(mapping, field, edit, Verdict.WAITING, _LINK_MISSING)
        if edit.at <= before.seen_at:
            return field.with_side(edit.side, side), _ruling(mapping, field, edit, Verdict.SUPERSEDED, UNORDERED)
        return judge_echo(mapping, _linked(mapping, field, edit), edit, write)
    if not equal(mapping, edit.value, write.value):
        side.learnt, side.sent, side.shown = True, write.value, edit.value
    if side.known and not equal(mapping, side.seen, edit.value):
        side.replaced = side.seen
    side.known, side.seen, side.seen_at, side.shows = True, edit.value, max(side.seen_at, edit.at), write.version
    side.ahead_at = side.ahead_until = 0
    side.refused, side.reason = NEVER, ""
    new = field.with_side(edit.side, side)
    return new, _ruling(mapping, new, edit, _ECHO, "our own write came back")


def judge_read(mapping: FieldMapping, field: Field, edit: Edit) -> Judged:
    """A reading of the field: ahead of the feed, without an author."""
    side = field.side(edit.side)
    if side.known and side.seen_at >= edit.until:
        return field, _ruling(mapping, field, edit, Verdict.SUPERSEDED, "the feed has told of a later moment")
    if side.known and _same(mapping, side, edit.value, side.seen):
        return field, _ruling(mapping, field, edit, Verdict.KNOWN, "")
    if side.known and side.ahead_at and edit.until <= side.ahead_at:
        return field, _ruling(mapping, field, edit, Verdict.SUPERSEDED, "a later reading has been judged")
    if side.known and side.writes and not _overtaken(mapping, side, edit):
        return field, _ruling(mapping, field, edit, Verdict.WAITING, "a write of ours is under way; the feed will tell")
    if side.known and max(latest(side.seen_at), side.ahead_until if side.ahead_at else 0) > edit.at:
        return field, _ruling(mapping, field, edit, Verdict.SUPERSEDED, UNORDERED)
    if _unproven(side) and side.shows != field.version:
        return field, _ruling(mapping, field, edit, Verdict.WAITING, "it may be what the system made of our creation; the feed will tell")
    new = copy(side)
    if side.writes:
        new.shows, new.seen, new.writes = side.writes[-1].version, side.writes[-1].value, ()
    new.ahead_at, new.ahead_until = edit.at, edit.until
    return _edit(mapping, field, new, edit)


def judge_look(mapping: FieldMapping, field: Field, edit: Edit, *, look_again_at: int, feed_lost: bool) -> Judged:
    """A reading because the feed should have shown our write long ago.

    Nothing moved: the write changed nothing (the side shows it) or never arrived (still owed). Our value stands there but the
    feed has not said so: later writes need not wait for it any more. Something else stands there: the feed has yet to show it;
    only when the feed is known to have lost its events (`feed_lost`) is the reading taken for the truth.
    """
    side = copy(field.side(edit.side))
    if not side.writes:
        return judge_read(mapping, field, edit)
    newest = side.writes[-1]
    stands = _same(mapping, side, edit.value, newest.value)
    if _same(mapping, side, edit.value, side.seen):
        side.writes = ()
        if newest.answered > PENDING and not newest.moved:
            side.shows = newest.version
        new = field.with_side(edit.side, side)
        return new, _ruling(mapping, new, edit, Verdict.KNOWN, "the write changed nothing, or never arrived")
    if feed_lost:
        return _without_feed(mapping, field, side, edit, stands=stands)
    side.writes = tuple(_looked(write, look_again_at, stands=stands) for write in side.writes)
    new = field.with_side(edit.side, side)
    return new, _ruling(mapping, new, edit, Verdict.WAITING, "the feed has yet to show it")


def _without_feed(mapping: FieldMapping, field: Field, side: Side, edit: Edit, *, stands: bool) -> Judged:
    newest = side.writes[-1]
    side.writes = ()
    if _unproven(side) and newest.answered <= PENDING and not stands:
        side.seen = edit.value
        new = field.with_side(edit.side, side)
        return new, _ruling(mapping, new, edit, Verdict.KNOWN, "what the system made of our creation; the write never arrived")
    side.ahead_at, side.ahead_until = edit.at, edit.until
    if newest.answered > PENDING:
        side.shows, side.seen = newest.version, newest.value
    if stands:
        side.shows, side.seen, side.known = newest.version, edit.value, True
        new = field.with_side(edit.side, side)
        return new, _ruling(mapping, new, edit, Verdict.ECHO, "our write stands there; the feed lost it")
    return _edit(mapping, field, side, edit)


def _overtaken(mapping: FieldMapping, side: Side, edit: Edit) -> bool:
    """Whether a reading shows something newer than our writes, all of which an earlier reading has shown in place."""
    return all(write.read for write in side.writes) and not _same(mapping, side, edit.value, side.writes[-1].value)


def _looked(write: Write, again_at: int, *, stands: bool) -> Write:
    new = copy(write)
    new.look_at, new.read = again_at, write.read or stands
    return new


def _lacks_link(mapping: FieldMapping, side: Side, edit: Edit) -> bool:
    """Whether the feed says that something else stood there before than what we have seen."""
    return side.known and not isinstance(edit.before, Untold) and not _same(mapping, side, edit.before, side.seen)


def _lacks_echo(side: Side, edit: Edit) -> bool:
    """Whether a feed that may be out of order has yet to show a write made before this edit, though what stood there before fits."""
    return not isinstance(edit.before, Untold) and any(write.done_by and write.done_by <= edit.at for write in side.writes)


def _is_behind(side: Side, edit: Edit) -> bool:
    """Whether a feed that is put in order by time (and by what stood there before) tells late of what came before all it has told."""
    return side.known and not isinstance(edit.before, Untold) and latest(edit.at) < side.seen_at


def _is_known(mapping: FieldMapping, side: Side, edit: Edit) -> bool:
    """Whether an edit without its link is what was judged already, when the one after it came without its own."""
    return edit.at <= side.seen_at and equal(mapping, edit.value, side.seen)


def _unproven(side: Side) -> bool:
    """Whether a text on this side is only what we created it with: no feed and no reading has told what the system made of it."""
    return side.known and side.shows > 0 and not side.seen_at and not side.ahead_at and isinstance(side.seen, str)


def _linked(mapping: FieldMapping, field: Field, edit: Edit) -> Field:
    """The missing change, as far as the one after it tells: what stood there before was somebody's edit.

    Not so for a text that nobody has told of since we created it: nothing is missing, that is what the system made of it.
    """
    value = None if isinstance(edit.before, Untold) else edit.before
    if _unproven(field.side(edit.side)):
        side = copy(field.side(edit.side))
        side.seen = value
        return field.with_side(edit.side, side)
    return judge_feed(mapping, field, Edit(side=edit.side, object=edit.object, value=value, at=edit.at))[0]


def _already_read(mapping: FieldMapping, side: Side, edit: Edit) -> bool:
    """Whether a feed edit of the very moment of a reading is what the reading showed, or came before it."""
    if _same(mapping, side, edit.value, side.seen):
        return True
    return edit.before is not UNTOLD and not _same(mapping, side, edit.before, side.seen)


def _edit(mapping: FieldMapping, field: Field, side: Side, edit: Edit) -> Judged:
    """The table of verdicts. `side` is a fresh copy that already stands at the edit, but for its value and what it shows."""
    seen, met = side.seen, side.known
    side.seen, side.known = edit.value, True
    if not mapping.direction.reaches(edit.side.other):
        return _unwanted(mapping, field, side, edit, first_meeting=not met)
    rule = mapping.rule.name
    if rule is _UNION or (rule is _SUM_DELTAS and met):
        return _added(mapping, field, side, edit, seen)
    if _same(mapping, side, edit.value, field.value):
        side.shows = field.version
        new = field.with_side(edit.side, side)
        new.hold = ""
        return new, _ruling(mapping, new, edit, _SAME, "both sides say the same")
    if side.shows == field.version:
        return _accepted(mapping, field, side, edit)
    return _conflict(mapping, field, side, edit, first_meeting=not met)


def _accepted(mapping: FieldMapping, field: Field, side: Side, edit: Edit) -> Judged:
    _count_undone(mapping, side, edit)
    new = _agree(field, side, edit, edit.value)
    if side.undone >= _UNDONE_MOST_ACCEPTED:
        new.hold = f"contested: {edit.side} keeps putting another value back"
        return new, _ruling(mapping, new, edit, Verdict.CONTESTED, new.hold)
    if new.hold.startswith("contested") and not side.undone:
        new.hold = ""
    return new, _ruling(mapping, new, edit, _ACCEPTED, _AGREEING[edit.side])


def _conflict(mapping: FieldMapping, field: Field, side: Side, edit: Edit, *, first_meeting: bool) -> Judged:
    contest = Contest(
        edited=edit.side,
        value=edit.value,
        at=edit.at,
        agreed=field.value,
        agreed_at=field.agreed_at,
        object=edit.object,
        first_meeting=first_meeting,
    )
    outcome = decide(mapping, contest)
    rule = f"{mapping.rule.name}@{mapping.rule.version}"
    if outcome.winner is edit.side:
        new = _agree(field, side, edit, edit.value)
        return new, _ruling(mapping, new, edit, Verdict.WON, outcome.reason, rule=rule, lost=field.value)
    side.shows = NEVER
    new = field.with_side(edit.side, side)
    if outcome.winner is None:
        new.hold = f"review: {outcome.reason}"
        return new, _ruling(mapping, new, edit, Verdict.REVIEW, outcome.reason, rule=rule, lost=edit.value)
    return _owed(mapping, new, edit, Verdict.LOST, outcome.reason, rule=rule)


def _unwanted(mapping: FieldMapping, field: Field, side: Side, edit: Edit, *, first_meeting: bool) -> Judged:
    """An edit of a one-way field on the side that should only receive it."""
    if _same(mapping, side, edit.value, field.value):
        side.shows = field.version
        new = field.with_side(edit.side, side)
        return new, _ruling(mapping, new, edit, Verdict.SAME, "it is the agreement again")
    if mapping.unwanted is Unwanted.LEAVE or edit.alone or (first_meeting and blank(mapping, field.value)):
        side.shows = field.version
        new = field.with_side(edit.side, side)
        return new, _ruling(mapping, new, edit, Verdict.LEFT, f"{mapping.direction}: the value stays on {edit.side} alone")
    side.shows = NEVER
    new = field.with_side(edit.side, side)
    if first_meeting and blank(mapping, edit.value):
        return new, _ruling(mapping, new, edit, Verdict.KNOWN, "blank at the first meeting; it is written")
    return _owed(mapping, new, edit, Verdict.PUT_BACK, f"{mapping.direction}: {edit.side} only receives this field")


def _owed(mapping: FieldMapping, field: Field, edit: Edit, verdict: Verdict, reason: str, *, rule: str = "") -> Judged:
    """This side's value doesn't stand: it is owed the agreement, unless that was tried and undone before."""
    side = field.side(edit.side)
    _count_undone(mapping, side, edit)
    ruling = _ruling(mapping, field, edit, verdict, reason, rule=rule, lost=edit.value)
    if side.undone > _UNDONE_MOST_OWED:
        field.hold = f"contested: {edit.side} undoes our write"
        ruling = _ruling(mapping, field, edit, Verdict.CONTESTED, field.hold, rule=rule, lost=edit.value)
    return field, ruling


def _count_undone(mapping: FieldMapping, side: Side, edit: Edit) -> None:
    if side.replaced is not None and equal(mapping, edit.value, side.replaced):
        side.undone += 1
    else:
        side.undone = 0


def _agree(field: Field, side: Side, edit: Edit, value: Value) -> Field:
    new = field.with_side(edit.side, side)
    new.value, new.version, new.agreed_at = value, field.version + 1, edit.at
    side.shows = new.version
    return new


def _added(mapping: FieldMapping, field: Field, side: Side, edit: Edit, seen: Value) -> Judged:
    """`sum_deltas` and `union`: what the edit changed against what this side showed before it is added to the agreement."""
    conflicting = side.shows != field.version
    value = _sum(field.value, seen, edit.value) if mapping.rule.name is RuleName.SUM_DELTAS else _union(field.value, seen, edit.value)
    new = _agree(field, side, edit, value)
    if not equal(mapping, value, edit.value):
        side.shows = NEVER
    verdict = Verdict.WON if conflicting else Verdict.ACCEPTED
    return new, _ruling(mapping, new, edit, verdict, "what the edit changed is added", rule=f"{mapping.rule.name}@{mapping.rule.version}")


def _sum(agreed: Value, seen: Value, value: Value) -> Value:
    terms = [term if isinstance(term, (int, float)) else 0 for term in (agreed, seen, value)]
    return terms[0] + terms[2] - terms[1]


def _union(agreed: Value, seen: Value, value: Value) -> Value:
    old, before, after = (choices(text) if isinstance(text, str) else [] for text in (agreed, seen, value))
    removed = set(before) - set(after)
    kept = [choice for choice in old if choice not in removed]
    added = [choice for choice in after if choice not in before and choice not in kept]
    return ";".join([*kept, *added]) or None


def _same(mapping: FieldMapping, side: Side, one: Value, other: Value) -> bool:
    """Equal, or one of them is what this side is known to make of the other."""
    if equal(mapping, one, other):
        return True
    if not side.learnt:
        return False
    sent, shown = side.sent, side.shown
    return (equal(mapping, one, sent) and equal(mapping, other, shown)) or (equal(mapping, one, shown) and equal(mapping, other, sent))


def latest(at: int) -> int:
    """The latest moment that a stamp may mean: stamps are often cut to the second."""
    return at + _SECOND_MS - 1 if at % _SECOND_MS == 0 else at


def _passed(side: Side, at: int) -> Side:
    """The feed has passed an answered write without showing it: the write changed nothing, so the side showed it at that moment."""
    silent = [write for write in side.writes if write.done_by and write.done_by <= at and not write.moved]
    if not silent:
        return side
    new = copy(side)
    new.shows = silent[-1].version
    new.writes = tuple(write for write in side.writes if write.version > new.shows)
    return new


def _moved(side: Side) -> Side:
    new = copy(side)
    if side.writes:
        new.writes = tuple(_told_of(write) for write in side.writes)
    return new


def _told_of(write: Write) -> Write:
    """The write, now that the side's feed has brought something for its field."""
    new = copy(write)
    new.moved = True
    return new


def _ruling(
    mapping: FieldMapping, field: Field, edit: Edit, verdict: Verdict, reason: str, *, rule: str = "", lost: Value = None
) -> Ruling:
    return Ruling(mapping.key, verdict, edit.value, field.value, field.version, lost, rule, reason)

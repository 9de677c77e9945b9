"""The table of verdicts: an edit of a side that shows the agreement is the new agreement; on one that doesn't, the rule decides. Pure."""

from enum import Enum

import msgspec

from consumers.mapping.fields import FieldMapping, RuleName, Unwanted
from consumers.merge.edits.rules import Contest, decide
from consumers.merge.edits.values import blank, bounded, choices, equal
from consumers.merge.pair.decision import Ruling, Verdict
from consumers.merge.pair.state import NEVER, Field, Side
from streams.wire.events import Value
from streams.wire.systems import Object, System

_UNDONE_MOST_OWED, _UNDONE_MOST_ACCEPTED = 1, 3
_SECOND_MS = 1_000
_ACCEPTED, _SAME = Verdict.ACCEPTED, Verdict.SAME
_UNION, _SUM_DELTAS = RuleName.UNION, RuleName.SUM_DELTAS
AGREEING = {system: f"{system} had seen the agreement" for system in System}

UNORDERED = "it can't be put in order with what was told of the same second; the record is read again"
"""Reason of a ruling after which the record must be read again."""
ALTERED = "our own write came back altered: the system, or a flow in it, stores something else for it"
"""Reason of a ruling on a value that its system did not keep as it was sent; that difference is known from now on, and stays."""

ONE_OF_SEVERAL = "one of several writes of ours came back altered, and nobody can tell which: it is taken for the oldest"
"""Reason of a ruling after which an edit made there may be judged as one that had not seen a newer write of ours."""


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
    last: int | None = None
    """Of a reading: the write of ours that changed the record last, whichever of its fields; 0: somebody else did, or it can't be said
    which; None: the system doesn't tell.
    """


Judged = tuple[Field, Ruling]


def verdict_on(mapping: FieldMapping, field: Field, side: Side, edit: Edit) -> Judged:
    """The table of verdicts. `side` is a fresh copy that already stands at the edit, but for its value and what it shows."""
    seen, met = side.seen, side.known
    side.seen, side.known = edit.value, True
    if not mapping.direction.reaches(edit.side.other):
        return _unwanted(mapping, field, side, edit, first_meeting=not met)
    rule = mapping.rule.name
    if rule is _UNION or (rule is _SUM_DELTAS and met):
        return _added(mapping, field, side, edit, seen, met=met)
    if same(mapping, side, edit.value, field.value):
        side.shows = field.version
        new = field.with_side(edit.side, side)
        new.hold = ""
        return new, ruled(mapping, new, edit, _SAME, "both sides say the same")
    if side.shows == field.version:
        return _accepted(mapping, field, side, edit)
    return _conflict(mapping, field, side, edit, first_meeting=not met)


def _accepted(mapping: FieldMapping, field: Field, side: Side, edit: Edit) -> Judged:
    _count_undone(mapping, side, edit)
    new = _agree(field, side, edit, edit.value)
    if side.undone >= _UNDONE_MOST_ACCEPTED:
        new.hold = f"contested: {edit.side} keeps putting another value back"
        return new, ruled(mapping, new, edit, Verdict.CONTESTED, new.hold)
    if new.hold.startswith("contested") and not side.undone:
        new.hold = ""
    return new, ruled(mapping, new, edit, _ACCEPTED, AGREEING[edit.side])


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
        return new, ruled(mapping, new, edit, Verdict.WON, outcome.reason, rule=rule, lost=field.value)
    side.shows = NEVER
    new = field.with_side(edit.side, side)
    if outcome.winner is None:
        new.hold = f"review: {outcome.reason}"
        return new, ruled(mapping, new, edit, Verdict.REVIEW, outcome.reason, rule=rule, lost=edit.value)
    return _owed(mapping, new, edit, Verdict.LOST, outcome.reason, rule=rule)


def _unwanted(mapping: FieldMapping, field: Field, side: Side, edit: Edit, *, first_meeting: bool) -> Judged:
    """An edit of a one-way field on the side that should only receive it."""
    if same(mapping, side, edit.value, field.value):
        side.shows = field.version
        new = field.with_side(edit.side, side)
        return new, ruled(mapping, new, edit, Verdict.SAME, "it is the agreement again")
    beats = first_meeting and blank(mapping, field.value) and not mapping.follows_source
    if mapping.unwanted is Unwanted.LEAVE or edit.alone or beats:
        side.shows = field.version
        new = field.with_side(edit.side, side)
        return new, ruled(mapping, new, edit, Verdict.LEFT, f"{mapping.direction}: the value stays on {edit.side} alone")
    side.shows = NEVER
    new = field.with_side(edit.side, side)
    if first_meeting and blank(mapping, edit.value):
        return new, ruled(mapping, new, edit, Verdict.KNOWN, "blank at the first meeting; it is written")
    return _owed(mapping, new, edit, Verdict.PUT_BACK, f"{mapping.direction}: {edit.side} only receives this field")


def _owed(mapping: FieldMapping, field: Field, edit: Edit, verdict: Verdict, reason: str, *, rule: str = "") -> Judged:
    """This side's value doesn't stand: it is owed the agreement, unless that was tried and undone before."""
    side = field.side(edit.side)
    _count_undone(mapping, side, edit)
    ruling = ruled(mapping, field, edit, verdict, reason, rule=rule, lost=edit.value)
    if side.undone > _UNDONE_MOST_OWED:
        field.hold = f"contested: {edit.side} undoes our write"
        ruling = ruled(mapping, field, edit, Verdict.CONTESTED, field.hold, rule=rule, lost=edit.value)
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


def _added(mapping: FieldMapping, field: Field, side: Side, edit: Edit, seen: Value, *, met: bool) -> Judged:
    """`sum_deltas` and `union`: what the edit changed against what this side showed before it is added to the agreement.

    Raises `Unfit` where the sum is more than can be carried.
    """
    conflicting = side.shows != field.version
    value = (
        summed(field.value, seen, edit.value) if mapping.rule.name is RuleName.SUM_DELTAS else joined_choices(field.value, seen, edit.value)
    )
    if met and equal(mapping, value, field.value):
        return _nothing_added(mapping, field, side, edit)
    new = _agree(field, side, edit, value)
    if not equal(mapping, value, edit.value):
        side.shows = NEVER
    verdict = Verdict.WON if conflicting else Verdict.ACCEPTED
    return new, ruled(mapping, new, edit, verdict, "what the edit changed is added", rule=f"{mapping.rule.name}@{mapping.rule.version}")


def _nothing_added(mapping: FieldMapping, field: Field, side: Side, edit: Edit) -> Judged:
    """The agreement stands, in its own order and spelling, so that the other side is owed nothing."""
    stands = equal(mapping, edit.value, field.value)
    side.shows = field.version if stands else NEVER
    new = field.with_side(edit.side, side)
    if stands:
        return new, ruled(mapping, new, edit, _SAME, "the same as agreed, told otherwise")
    rule = f"{mapping.rule.name}@{mapping.rule.version}"
    return new, ruled(mapping, new, edit, Verdict.LOST, "the agreement has all of it already", rule=rule, lost=edit.value)


def summed(agreed: Value, seen: Value, value: Value) -> Value:
    """What is agreed, and beside it the change from `seen` to `value`. Raises `Unfit` where that is more than can be carried."""
    terms = [term if isinstance(term, (int, float)) else 0 for term in (agreed, seen, value)]
    return bounded(terms[0] + terms[2] - terms[1])


def joined_choices(agreed: Value, seen: Value, value: Value) -> Value:
    """The choices that are agreed, without those that went from `seen` to `value`, with those that came."""
    old, before, after = (choices(text) if isinstance(text, str) else [] for text in (agreed, seen, value))
    removed = set(before) - set(after)
    kept = [choice for choice in old if choice not in removed]
    added = [choice for choice in after if choice not in before and choice not in kept]
    return ";".join([*kept, *added]) or None


def same(mapping: FieldMapping, side: Side, one: Value, other: Value) -> bool:
    """Equal, or one of them is what this side is known to make of the other."""
    if equal(mapping, one, other):
        return True
    if not side.learnt:
        return False
    sent, shown = side.sent, side.shown
    return (equal(mapping, one, sent) and equal(mapping, other, shown)) or (equal(mapping, one, shown) and equal(mapping, other, sent))


def unproven(side: Side) -> bool:
    """Whether a text on this side is only what we created it with: no feed and no reading has told what the system made of it."""
    return side.known and side.shows > 0 and not side.seen_at and not side.ahead_at and isinstance(side.seen, str)


def latest(at: int) -> int:
    """The latest moment that a stamp may mean: stamps are often cut to the second."""
    return at + _SECOND_MS - 1 if at % _SECOND_MS == 0 else at


def ruled(mapping: FieldMapping, field: Field, edit: Edit, verdict: Verdict, reason: str, *, rule: str = "", lost: Value = None) -> Ruling:
    return Ruling(mapping.key, verdict, edit.value, field.value, field.version, lost, rule, reason)

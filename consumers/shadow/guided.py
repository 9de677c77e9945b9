"""One ruling of the log judged anew: by the real table of verdicts, on what its side had seen when the edit was made. Pure.

Values and verdicts are the rules'. What the log alone can witness is *who had seen what*: a write of ours that came back (`echo`) has
landed; an edit that was accepted after the other side's had seen it; one that was in conflict had not. Where the rules differ from those
of the log, a write may be owed of which the log can't tell: it is taken to have landed `LANDS_MS` after it was owed.
"""

from consumers.mapping.fields import FieldMapping
from consumers.merge.edits.values import equal
from consumers.merge.edits.verdicts import Edit, Judged, ruled, verdict_on
from consumers.merge.pair.decision import Ruling, Verdict
from consumers.merge.pair.state import NEVER, Field, Side, shallow
from consumers.shadow.followed import Followed
from streams.wire.systems import System

LANDS_MS = 15_000
"""How long a write takes that the log knows nothing of, from being owed until its side shows it."""
EDITS = frozenset({
    Verdict.ACCEPTED, Verdict.SAME, Verdict.WON, Verdict.LOST, Verdict.REVIEW, Verdict.PUT_BACK, Verdict.LEFT, Verdict.CONTESTED,
})  # fmt: skip
"""Verdicts on what somebody did. The others say that there is nothing to judge, or not yet."""
_UNSEEN = frozenset({Verdict.WON, Verdict.LOST, Verdict.REVIEW, Verdict.SAME})


def begun(side: System, ruling: Ruling) -> Field:
    """A field that the log tells of for the first time, as it must have been before that ruling."""
    moved = ruling.verdict in (Verdict.ACCEPTED, Verdict.WON)
    version = max(0, ruling.version - 1) if moved else ruling.version
    value = ruling.lost if ruling.verdict is Verdict.WON else None if moved else ruling.agreed
    there = Side(seen=value, shows=version)
    field = Field(value=value, version=version, salesforce=there, marketo=there)
    if ruling.verdict not in _UNSEEN and ruling.verdict is not Verdict.ECHO:
        return field
    return field.with_side(side, Side(shows=NEVER))


def judged(  # noqa: PLR0917 - the field, the edit, what the log said of it, and when
    mapping: FieldMapping, field: Field, edit: Edit, ruling: Ruling, known: Followed, at: int, *, lands_ms: int | None = LANDS_MS
) -> Judged | None:
    """The field after the edit behind a ruling of the log, and the shadow's ruling. None: it was no edit. `at`: ms, ours. `lands_ms`: as
    `LANDS_MS`; None: the log tells of every write, since it was made under these rules.
    """
    if ruling.verdict is Verdict.ECHO:
        return _landed(mapping, field, edit, known)
    if ruling.verdict not in EDITS:
        return None
    for side in System:
        verdict = ruling.verdict if side is edit.side else None
        if _has_landed(field, side, verdict, known, at, lands_ms):
            field = shown(mapping, field, side)
    side_now = shallow(field.side(edit.side))
    side_now.seen_at = max(side_now.seen_at, edit.at)
    return verdict_on(mapping, field, side_now, edit)


def _has_landed(field: Field, side: System, verdict: Verdict | None, known: Followed, at: int, lands_ms: int | None) -> bool:  # noqa: PLR0917
    """Whether this side has the agreement by now. `verdict`: the log's on an edit made there; None: there is none."""
    if field.side(side).shows == field.version or not field.side(side).known or field.hold:
        return False  # it shows it anyway, or was never met, or nothing is written to it
    if verdict is Verdict.ACCEPTED and known.by is not side and known.stands(field):
        return True
    since = known.owed_since(side)
    return lands_ms is not None and bool(since) and at - since > lands_ms and not (verdict in _UNSEEN and known.stands(field))


def shown(mapping: FieldMapping, field: Field, system: System) -> Field:
    """The field, once what is owed to a side has landed there."""
    side = shallow(field.side(system))
    if side.known and not equal(mapping, side.seen, field.value):
        side.replaced = side.seen
    side.known, side.seen, side.shows = True, field.value, field.version
    return field.with_side(system, side)


def chosen(mapping: FieldMapping, field: Field, ruling: Ruling, at: int) -> Field:
    """The field with the value that a person has chosen for both sides."""
    new = shallow(field)
    new.value, new.version, new.agreed_at, new.hold = ruling.value, field.version + 1, at, ""
    for system in System:
        side = shallow(new.side(system))
        side.undone, side.replaced = 0, None
        if side.known and equal(mapping, side.seen, ruling.value):
            side.shows = new.version
        new = new.with_side(system, side)
    return new


def _landed(mapping: FieldMapping, field: Field, edit: Edit, known: Followed) -> Judged:
    """A write of ours came back: of the log's agreement, so the shadow's had landed there that stood when that one did."""
    carried = known.carried(edit.side, edit.value)
    before = field.side(edit.side)
    version, value = (carried.version, carried.shadow) if carried else (field.version, field.value)
    if field.hold or before.shows >= version:
        return field, ruled(mapping, field, edit, Verdict.ECHO, "a write of ours came back of what is shown, or held, since")
    side = shallow(before)
    side.seen = edit.value if carried is None or carried.value == carried.shadow else value
    if before.known and not equal(mapping, before.seen, side.seen):
        side.replaced = before.seen
    side.known, side.seen_at, side.shows = True, max(before.seen_at, edit.at), version
    sent = carried.value if carried else field.value
    if not equal(mapping, edit.value, sent):
        side.learnt, side.sent, side.shown = True, sent, edit.value
    new = field.with_side(edit.side, side)
    return new, ruled(mapping, new, edit, Verdict.ECHO, "a write of ours came back")

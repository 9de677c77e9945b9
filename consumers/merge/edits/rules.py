"""The conflict rules: neither side had seen the other, whose value shall stand? Pure."""

from dataclasses import dataclass
from typing import assert_never

from consumers.mapping.fields import Conflict, FieldMapping, FieldType, RuleName
from consumers.merge.edits.values import blank, canonical
from streams.wire.events import Value
from streams.wire.systems import Object, System

UNSEEN = "neither had seen the other; "
"""How the reason of a plain conflict begins."""
_BEATS = {FieldType.BOOLEAN: "true beats false"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """A conflict as a rule sees it. `edited` is the side whose edit is being judged; the other side stands for the agreement."""

    edited: System
    value: Value
    at: int
    agreed: Value
    agreed_at: int
    object: Object
    first_meeting: bool = False

    def of(self, side: System) -> Value:
        """The value for which a side stands."""
        return self.value if side is self.edited else self.agreed

    def made_at(self, side: System) -> int:
        """When that value was made, on that side's clock (ms); 0 if not known."""
        return self.at if side is self.edited else self.agreed_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The winning side (None: a person must decide) and why, in a few words."""

    winner: System | None
    reason: str


def decide(field: FieldMapping, contest: Contest) -> Outcome:
    """Who wins. The rules that add up have no loser; `sum_deltas` comes here only at a first meeting, where the greater value stands."""
    if contest.first_meeting and (met := _first_meeting(field, contest)) is not None:
        return met
    rule = field.rule
    match rule.name:
        case RuleName.SALESFORCE | RuleName.MARKETO:
            return Outcome(winner=System(rule.name.value), reason=f"{UNSEEN}{rule.name} wins")
        case RuleName.NEWEST:
            return _newest(field, contest)
        case RuleName.NON_BLANK:
            full = _only_filled(field, contest)
            return Outcome(winner=full, reason="the other side is blank") if full else _default(field, "both sides are filled")
        case RuleName.MAX | RuleName.MIN | RuleName.SUM_DELTAS:
            return _extreme(field, contest)
        case RuleName.NEVER_BACKWARDS:
            return _furthest(field, contest)
        case RuleName.REVIEW:
            return Outcome(winner=None, reason="the rule asks for a person's decision")
        case RuleName.FUNCTION:
            return _function(field, contest)
        case RuleName.UNION:
            return _default(field, "the choices of both sides are kept")
        case RuleName.TRUE_WINS:
            return _ticked(field, contest)
        case _:
            assert_never(rule.name)


def _first_meeting(field: FieldMapping, contest: Contest) -> Outcome | None:
    """A value beats no value; but whom a record belongs to is what its source says, also where it is nobody."""
    if field.follows_source:
        return Outcome(winner=contest.edited, reason=f"first meeting: {contest.edited} says who that is, also where it is nobody")
    full = _only_filled(field, contest) if field.rule.name is not RuleName.TRUE_WINS else None
    return Outcome(winner=full, reason=f"first meeting: {_BEATS.get(field.type, 'a value beats no value')}") if full else None


def _ticked(field: FieldMapping, contest: Contest) -> Outcome:
    """First meeting or not: a box that is ticked on one side stays ticked."""
    ticked = _only_filled(field, contest)
    if ticked is None:
        return _default(field, "both sides say the same")
    return Outcome(winner=ticked, reason=f"it is true in {ticked}, and a conflict never takes that back")


def _default(field: FieldMapping, why: str) -> Outcome:
    return Outcome(winner=field.rule.default, reason=f"{why}; {field.rule.default} is the default")


def _only_filled(field: FieldMapping, contest: Contest) -> System | None:
    filled = [side for side in System if not blank(field, contest.of(side))]
    return filled[0] if len(filled) == 1 else None


def _newest(field: FieldMapping, contest: Contest) -> Outcome:
    ahead = contest.made_at(System.SALESFORCE) - contest.made_at(System.MARKETO)
    if not contest.made_at(System.SALESFORCE) or not contest.made_at(System.MARKETO):
        return _default(field, "one of the times is not known")
    if abs(ahead) <= field.rule.tolerance_ms:
        return _default(field, f"{abs(ahead)} ms apart, within the tolerance of {field.rule.tolerance_ms} ms")
    winner = System.SALESFORCE if ahead > 0 else System.MARKETO
    return Outcome(winner=winner, reason=f"{winner} is newer by {abs(ahead)} ms")


def _extreme(field: FieldMapping, contest: Contest) -> Outcome:
    ours, theirs = (canonical(field, contest.of(side)) for side in System)
    if ours is None or theirs is None or type(ours) is not type(theirs):
        full = _only_filled(field, contest)
        return Outcome(winner=full, reason="the other side is blank") if full else _default(field, "the values can't be compared")
    greater = ours > theirs  # type: ignore[operator]
    wants_greater = field.rule.name is not RuleName.MIN
    winner = System.SALESFORCE if greater == wants_greater else System.MARKETO
    return Outcome(winner=winner, reason=f"{winner} has the {'greater' if wants_greater else 'smaller'} value")


def _furthest(field: FieldMapping, contest: Contest) -> Outcome:
    places = {value.casefold(): place for place, value in enumerate(field.rule.order)}
    ranks = [places.get(str(contest.of(side) or "").strip().casefold()) for side in System]
    if ranks[0] is None or ranks[1] is None or ranks[0] == ranks[1]:
        known = [side for side, rank in zip(System, ranks, strict=True) if rank is not None]
        if len(known) == 1:
            return Outcome(winner=known[0], reason="the other value is not in the list")
        return _default(field, "neither value is in the list")
    winner = System.SALESFORCE if ranks[0] > ranks[1] else System.MARKETO
    return Outcome(winner=winner, reason=f"{winner} is further in the list")


def _function(field: FieldMapping, contest: Contest) -> Outcome:
    if field.rule.function is None:
        return _default(field, "no function is configured")
    conflict = Conflict(
        field=field.key,
        object=contest.object,
        salesforce=contest.of(System.SALESFORCE),
        marketo=contest.of(System.MARKETO),
        salesforce_at=contest.made_at(System.SALESFORCE),
        marketo_at=contest.made_at(System.MARKETO),
    )
    try:
        winner = field.rule.function(conflict)
    except Exception as error:  # noqa: BLE001 - a user's function may raise anything; the field is held, nothing is lost
        return Outcome(winner=None, reason=f"the conflict function failed: {type(error).__name__}")
    if winner is None:
        return Outcome(winner=None, reason="the conflict function asks for a person's decision")
    return Outcome(winner=System(winner), reason=f"the conflict function chose {winner}")

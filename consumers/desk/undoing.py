"""What undoing some changes makes of a field: a three-way merge between what was agreed before them, what they made of it, and what is
agreed now. Pure.

Only the last unbroken run of the chosen changes is taken back: what somebody else wrote between two of them is what comes back. Where the
field was changed again since, it stays; but where changes are added up (scores, choices), just what they added is taken out again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from consumers.mapping.fields import Direction, FieldMapping, RuleName
from consumers.merge.edits.values import equal
from consumers.merge.edits.verdicts import joined_choices, summed
from consumers.merge.pair.decision import BY_HAND, Decision, Verdict
from consumers.merge.pair.state import Field
from streams.wire.events import Happened, Value
from streams.wire.systems import salesforce_id

_CHANGED = frozenset({Verdict.ACCEPTED, Verdict.WON})
"""Verdicts after which something else is agreed."""
_AGREEING = frozenset({"judged", "looked", "joined", BY_HAND})
"""Kinds of decisions by which something is agreed; the others tell what was done about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which changes. `cause`: a call of a system's, a source, how it was changed, topic/partition@offset, or an undo; `actor`: who made
    them; `since`, `until` (ms): when; `fields`: only of these; `config`: decided by this version of the rules, not by a person. What is
    empty says nothing."""

    cause: str = ""
    actor: str = ""
    since: int = 0
    until: int = 0
    fields: frozenset[str] = frozenset()
    config: int = 0

    def picks(self, decision: Decision) -> bool:
        """Whether a decision is one of them."""
        event = decision.event
        made = event.at if event is not None and event.at else decision.at
        if (self.since and made < self.since) or (self.until and made > self.until):
            return False
        if self.actor and (event is None or not event.author or not _is_same(event.author, self.actor)):
            return False
        if self.config and (decision.config != self.config or decision.kind == BY_HAND):
            return False
        if not self.cause:
            return True
        if event is None:
            return False
        place = f"{event.topic}/{event.partition}@{event.offset}" if event.topic else ""
        return self.cause in {event.call or "", event.source, event.how or "", place} - {""}

    @property
    def empty(self) -> bool:
        """Whether it would be everything."""
        return not (self.cause or self.actor or self.since or self.until or self.config)


NOTHING_PICKED = Selection()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One change of an agreement. `picked`: whether it is to be undone; `made`: with it the record was made, or met."""

    version: int
    value: Value
    picked: bool
    at: int
    author: str = ""
    made: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What the chosen changes did to a field: from `before` to `after`. `known`: whether what stood before is kept still."""

    before: Value
    after: Value
    known: bool
    made: bool
    since: Step | None
    """The newest change after them."""


def steps_of(decision: Decision, selection: Selection) -> dict[str, Step]:
    """The changes that a decision tells of, by field."""
    found: dict[str, Step] = {}
    event = decision.event
    for ruling in decision.fields if decision.kind in _AGREEING else ():
        if ruling.verdict not in _CHANGED or ruling.version <= 0 or ruling.field == "*":
            continue
        wanted = not selection.fields or ruling.field in selection.fields
        found[ruling.field] = Step(
            version=ruling.version,
            value=ruling.agreed,
            picked=wanted and selection.picks(decision),
            at=event.at if event is not None and event.at else decision.at,
            author=(event.author or "") if event is not None else "",
            made=event is not None and event.kind in (Happened.CREATED, Happened.READ),
        )
    return found


def taken(steps: Sequence[Step]) -> Taken | None:
    """What the last unbroken run of chosen changes did, of all that are kept about a field, by ascending version; None: there is none."""
    last = next((place for place in range(len(steps) - 1, -1, -1) if steps[place].picked), None)
    if last is None:
        return None
    first = last
    while first > 0 and steps[first - 1].picked:
        first -= 1
    one, before = steps[first], steps[first - 1] if first else None
    return Taken(
        before=before.value if before is not None else None,
        after=steps[last].value,
        known=before is not None or one.version == 1,
        made=before is None and one.made,
        since=steps[-1] if last < len(steps) - 1 else None,
    )


def restored(mapping: FieldMapping, field: Field, told: Taken) -> tuple[Value, str]:
    """What is to be agreed now; else why the field stays as it is."""
    if not mapping.salesforce or not mapping.marketo or mapping.fixed or mapping.parent:
        return None, "it follows from what the record is, and is not undone by itself"
    if mapping.direction is not Direction.BOTH:
        return None, f"it flows one way ({mapping.direction}): put it back where it comes from, and it follows"
    if told.made:
        return None, "the record was made with it: there is nothing to go back to; delete the record if it is to go"
    if not told.known:
        return None, "what stood before is not kept any more"
    if mapping.rule.name is RuleName.SUM_DELTAS:
        return summed(field.value, told.after, told.before), ""
    if mapping.rule.name is RuleName.UNION:
        return joined_choices(field.value, told.after, told.before), ""
    if equal(mapping, field.value, told.after):
        return told.before, ""
    return None, "it was changed again since"


def is_there_already(mapping: FieldMapping, field: Field, told: Taken) -> bool:
    """Whether the field is as it was before by now."""
    return told.known and not told.made and equal(mapping, field.value, told.before)


def _is_same(author: str, actor: str) -> bool:
    if author.casefold() == actor.casefold():
        return True
    try:
        return author == salesforce_id(actor)
    except ValueError:
        return False

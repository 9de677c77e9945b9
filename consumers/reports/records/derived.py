"""The state of a pair as its decisions tell it: what was agreed and what each side showed, now or at any moment of the past. Pure.

A ruling names the agreement after it, and its version; a side shows what was last told of it or what it took from us. So the decisions
about a pair, oldest first, come to its state, and as far as a moment to the state of that moment.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from consumers.merge.pair.decision import BY_HAND, Decision, Ruling, Verdict
from streams.wire.events import Happened, Value
from streams.wire.systems import SALESFORCE, System

WHOLE_RECORD = "*"
_OVERLOOKED = frozenset({Verdict.SUPERSEDED, Verdict.WAITING, Verdict.UNUSABLE})
"""Verdicts that change nothing of a field."""
_HELD = frozenset({Verdict.REVIEW, Verdict.CONTESTED})
_TAKEN = ("confirmed", "done")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What is agreed of a field. `decision`: that said so; `at`: when (ms, ours)."""

    value: Value
    version: int
    decision: int
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Showed:
    """What a side showed of a field, since when (ms, ours)."""

    value: Value
    at: int


@dataclass(slots=True, kw_only=True)
class FieldThen:
    """One field. A side is None as long as nothing was told of it."""

    agreed: Agreement | None = None
    salesforce: Showed | None = None
    marketo: Showed | None = None
    hold: str = ""

    def side(self, system: System) -> Showed | None:
        """What that side showed."""
        return self.salesforce if system is SALESFORCE else self.marketo

    def shows(self, system: System, showed: Showed) -> None:
        """From now on it shows this."""
        if system is SALESFORCE:
            self.salesforce = showed
        else:
            self.marketo = showed


@dataclass(slots=True, kw_only=True)
class Then:
    """A pair, as far as its decisions tell."""

    fields: dict[str, FieldThen] = field(default_factory=dict)
    records: dict[System, str] = field(default_factory=dict)
    deleted: tuple[System, ...] = ()
    hold: str = ""
    since: int = 0
    at: int = 0
    """When the first and the last of them were made (ms, ours); 0: there was none."""
    decisions: int = 0

    def take(self, number: int, decision: Decision) -> None:
        """The next decision about the pair, in their order."""
        self.since, self.at, self.decisions = self.since or decision.at, decision.at, self.decisions + 1
        if decision.record:
            self.records[decision.system] = decision.record
        if decision.kind == "held" and not decision.fields:
            self.hold = decision.detail
        if decision.event is not None and decision.event.kind == Happened.UNDELETED:
            self.deleted = tuple(system for system in self.deleted if system is not decision.system)
        for ruling in decision.fields:
            if ruling.field == WHOLE_RECORD:
                self._as_a_whole(decision, ruling)
            else:
                _rule(self.fields.setdefault(ruling.field, FieldThen()), number, decision, ruling)
        if decision.kind == "written":
            self.hold = ""

    def _as_a_whole(self, decision: Decision, ruling: Ruling) -> None:
        if ruling.verdict is Verdict.REVIEW:
            self.hold = ruling.reason
        if ruling.verdict is Verdict.ACCEPTED and ruling.reason.startswith("deleted") and decision.system not in self.deleted:
            self.deleted = (*self.deleted, decision.system)


def then(told: Iterable[tuple[int, Decision]]) -> Then:
    """The state that these decisions, oldest first, come to."""
    found = Then()
    for number, decision in told:
        found.take(number, decision)
    return found


def agreements(number: int, decision: Decision) -> Iterator[tuple[str, Agreement]]:
    """What a decision says to be agreed from then on, by field."""
    if decision.kind == "written":
        return
    for ruling in decision.fields:
        if ruling.field != WHOLE_RECORD and ruling.verdict not in _OVERLOOKED:
            yield ruling.field, _agreed(number, decision, ruling)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is otherwise at another moment. `what`: `agreed`, `salesforce`, `marketo`, `hold`; of no field: of the pair itself."""

    field: str
    what: str
    before: Value
    after: Value


def differences(one: Then, other: Then) -> tuple[Difference, ...]:
    """What has changed from one moment to the other, by field."""
    found = list(_of_pair(one, other))
    for key in sorted(one.fields.keys() | other.fields.keys()):
        before, after = (_shown(each.fields.get(key)) for each in (one, other))
        found += [
            Difference(field=key, what=what, before=before[what], after=after[what]) for what in before if before[what] != after[what]
        ]
    return tuple(found)


def _of_pair(one: Then, other: Then) -> Iterator[Difference]:
    for system in System:
        before, after = (each.records.get(system) for each in (one, other))
        if before != after:
            yield Difference(field="", what=str(system), before=before, after=after)
        if (system in one.deleted) != (system in other.deleted):
            yield Difference(field="", what=f"deleted in {system}", before=system in one.deleted, after=system in other.deleted)
    if one.hold != other.hold:
        yield Difference(field="", what="hold", before=one.hold or None, after=other.hold or None)


def _shown(one: FieldThen | None) -> Mapping[str, Value]:
    field = one or FieldThen()
    return {
        "agreed": field.agreed.value if field.agreed else None,
        "salesforce": field.salesforce.value if field.salesforce else None,
        "marketo": field.marketo.value if field.marketo else None,
        "hold": field.hold or None,
    }


def _rule(field: FieldThen, number: int, decision: Decision, ruling: Ruling) -> None:
    if decision.kind == "written":
        if decision.outcome.rpartition(" ")[2] in _TAKEN:
            field.shows(decision.system, Showed(value=ruling.value, at=decision.at))
        return
    if ruling.verdict in _OVERLOOKED:
        return
    before = field.agreed
    agreed = _agreed(number, decision, ruling)
    if before is None or before.version != agreed.version or before.value != agreed.value:
        field.agreed = agreed
    field.hold = ruling.reason if ruling.verdict in _HELD else ""
    if decision.kind not in ("joined", BY_HAND):
        field.shows(decision.system, Showed(value=ruling.value, at=decision.at))


def _agreed(number: int, decision: Decision, ruling: Ruling) -> Agreement:
    return Agreement(value=ruling.agreed, version=ruling.version, decision=number, at=decision.at)

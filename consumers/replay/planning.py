"""Other rules, tried on what the log tells: what would have been decided otherwise, and where it would have ended. Nothing is written."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

from consumers.mapping.fields import FieldMapping
from consumers.merge.edits.values import equal
from consumers.merge.pair.decision import Ruling, Verdict
from consumers.merge.pair.state import Field, PairState
from consumers.merge.terms import Terms
from consumers.shadow.logged import Logged, Made
from consumers.shadow.shadow import Shadow
from streams.wire.events import Value

CONFLICTS = frozenset({Verdict.WON, Verdict.LOST, Verdict.REVIEW})
EXAMPLES_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One outcome that differs. Values are as the systems have them: whoever prints them decides who may see them."""

    pair: int
    salesforce: str
    marketo: str
    at: int
    side: str
    value: Value
    verdict: str
    becomes: str
    agreed: Value
    would_be: Value


@dataclass(slots=True, kw_only=True)
class Difference:
    """What differs of one field: outcomes judged otherwise, conflicts that are new or gone, and records that would end otherwise."""

    object: str
    field: str
    outcomes: int = 0
    conflicts_gained: int = 0
    conflicts_lost: int = 0
    records: int = 0
    examples: list[Example] = dataclasses.field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """What a plan comes to. `judged`: rulings that were tried; `writes`, `writes_now`: records written under the new, the present rules."""

    judged: int
    differences: tuple[Difference, ...]
    writes: int
    writes_now: int
    unplaced: int

    @property
    def changes(self) -> bool:
        """Whether anything would be otherwise."""
        return bool(self.differences)


class Trial:
    """Takes the log once, under the present rules and, from `since_ms` on, under the new ones beside them."""

    def __init__(self, present: Terms, new: Terms, *, since_ms: int) -> None:
        self._present, self._new, self._since_ms = present, new, since_ms
        self.seeds: dict[int, PairState] = {}
        """What the live ledger says of pairs that the log tells of for the first time."""
        self._now = Shadow(present, seed=self.seeds.get, seeded_late=True)
        self._then: Shadow | None = None
        self._before = 0
        self._judged = 0
        self._found: dict[tuple[str, str], Difference] = {}

    def unknown(self, logged: Iterable[Logged]) -> set[int]:
        """The pairs of these entries of which the live ledger is to be asked."""
        pairs = {each.decision.pair for each in logged} | {each.decision.joined.pair for each in logged if each.decision.joined}
        return {pair for pair in pairs if pair and pair not in self._now.pairs and pair not in self.seeds}

    def take(self, logged: Logged) -> None:
        """One entry of the log."""
        if self._then is None and logged.decision.at >= self._since_ms:
            self._then, self._before = self._now.fork(self._new), self._now.owed
        made = self._now.take(logged)
        if self._then is None:
            return
        told = {each.field: each for each in made}
        for each in self._then.take(logged):
            self._judged += 1
            self._compare(told.pop(each.field, None), each, logged)
        for left in told.values():
            self._compare(left, None, logged)

    def planned(self) -> Planned:
        """What all of it came to."""
        then = self._then or self._now.fork(self._new)
        for pair, state in then.pairs.items():
            self._compare_ends(self._now.pairs.get(pair), state)
        return Planned(
            judged=self._judged,
            differences=tuple(sorted(self._found.values(), key=lambda each: (each.object, -each.outcomes, each.field))),
            writes=then.owed,
            writes_now=self._now.owed - self._before,
            unplaced=then.unplaced,
        )

    def _compare(self, was: Made | None, now: Made | None, logged: Logged) -> None:
        one, other = was.now if was else None, now.now if now else None
        either = now or was
        if either is None or _alike(one, other, self._mapping(either)):
            return
        found = self._of(either.object, either.field)
        found.outcomes += 1
        found.conflicts_gained += _is_conflict(other) and not _is_conflict(one)
        found.conflicts_lost += _is_conflict(one) and not _is_conflict(other)
        if len(found.examples) < EXAMPLES_MAX:
            found.examples.append(self._example(either, one, other, logged))

    def _example(self, either: Made, one: Ruling | None, other: Ruling | None, logged: Logged) -> Example:
        state = self._now.pairs.get(either.pair)
        told = one or other
        return Example(
            pair=either.pair,
            salesforce=state.salesforce.id if state else "",
            marketo=state.marketo.id if state else "",
            at=logged.decision.at,
            side=str(either.side),
            value=told.value if told else None,
            verdict=str(one.verdict) if one else "not mapped",
            becomes=str(other.verdict) if other else "not mapped",
            agreed=one.agreed if one else None,
            would_be=other.agreed if other else None,
        )

    def _compare_ends(self, was: PairState | None, now: PairState) -> None:
        mapped = self._new.rules.objects[now.object].by_key
        for key in mapped if was is not None else ():
            one, other = was.fields.get(key) if was else None, now.fields.get(key)
            if not _same_end(one, other, mapped[key]):
                self._of(now.object, key).records += 1

    def _mapping(self, made: Made) -> FieldMapping | None:
        both = (self._new.rules.objects[made.object].by_key, self._present.rules.objects[made.object].by_key)
        return both[0].get(made.field) or both[1].get(made.field)

    def _of(self, obj: str, name: str) -> Difference:
        return self._found.setdefault((obj, name), Difference(object=obj, field=name))


def _alike(one: Ruling | None, other: Ruling | None, mapping: FieldMapping | None) -> bool:
    """The same verdict, and the same agreement; a write of ours that came back was no outcome of its own."""
    if one is None or other is None:
        return one is other
    if one.verdict is Verdict.ECHO and other.verdict is Verdict.ECHO:
        return True
    return one.verdict is other.verdict and (mapping is None or equal(mapping, one.agreed, other.agreed))


def _same_end(one: Field | None, other: Field | None, mapping: FieldMapping) -> bool:
    blank = Field()
    one, other = one or blank, other or blank
    return equal(mapping, one.value, other.value) and bool(one.hold) == bool(other.hold)


def _is_conflict(ruling: Ruling | None) -> bool:
    return ruling is not None and ruling.verdict in CONFLICTS

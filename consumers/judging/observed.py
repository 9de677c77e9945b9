"""Observed: what a batch of events came to, in numbers and in what has become due by it."""

from collections import Counter
from dataclasses import dataclass, field

from consumers.ledger.port import Duty
from consumers.merge.edits.verdicts import ALTERED
from consumers.merge.pair.decision import Ruling, Verdict
from streams.wire.systems import System


@dataclass(slots=True, kw_only=True)
class Observed:
    """What a batch came to."""

    events: int = 0
    dead: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    due: set[Duty] = field(default_factory=set)
    """What has become due by it."""
    repaired: Counter[System] = field(default_factory=Counter)
    """Edits that only the poll had found."""
    altered: Counter[System] = field(default_factory=Counter)
    """Writes of ours that their system did not keep as they were sent."""

    def count(self, system: System, rulings: tuple[Ruling, ...]) -> None:
        """The rulings on one event of this system."""
        verdicts = self.verdicts
        for ruling in rulings:
            verdict = ruling.verdict
            verdicts[verdict] = verdicts.get(verdict, 0) + 1
            if ruling.reason is ALTERED:
                self.altered[system] += 1

    def add(self, other: "Observed") -> None:
        """What another batch came to, too."""
        self.events += other.events
        self.dead += other.dead
        self.verdicts.update(other.verdicts)
        self.due |= other.due
        self.repaired.update(other.repaired)
        self.altered.update(other.altered)

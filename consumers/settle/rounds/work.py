"""Work: what a claim came to, as it is handed from one step of a round to the next."""

from dataclasses import dataclass, field

from consumers.merge.pair.decision import Decision
from consumers.merge.pair.state import PairState
from consumers.merge.writing.parents import Reference
from consumers.settle.writers.port import Item
from streams.budget.port import Lane

Owed = tuple[Item, Lane]
"""A record to be written."""
Asking = tuple[int, PairState, Lane]
"""A leased pair for which the system must be asked first."""
Leaving = tuple[int, PairState, Lane]
"""A leased pair with a record to be withdrawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What was claimed: records to be written, intents committed, and pairs for which the system must be asked first."""

    claimed: int
    items: list[Owed]
    asking: list[Asking]
    leaving: list[Leaving] = field(default_factory=list)
    """Pairs with a record of ours that is to go if nothing hangs on it, which the system must be asked."""
    held: int = 0
    """Pairs that a step of ours failed on."""
    more: bool = False
    """Whether the next call may be full, too: more was due than this one takes."""


@dataclass(slots=True)
class Draft:
    """What is about to be committed, by pair."""

    items: dict[int, Owed] = field(default_factory=dict)
    asking: dict[int, Asking] = field(default_factory=dict)
    leaving: dict[int, Leaving] = field(default_factory=dict)
    decisions: dict[int, Decision] = field(default_factory=dict)
    references: dict[int, tuple[Reference, ...]] = field(default_factory=dict)
    """What each names of its parents, as it is about to be written."""
    soon: set[int] = field(default_factory=set)
    """Whose creation is put off a moment, since somebody is about to leave their e-mail."""

    def work(self, *, claimed: int, held: int, more: bool) -> Work:
        """What is to be done."""
        items, asking = list(self.items.values()), list(self.asking.values())
        return Work(claimed=claimed, items=items, asking=asking, leaving=list(self.leaving.values()), held=held, more=more)

    def restart(self) -> None:
        """What was asked for is judged once more."""
        for told in (self.items, self.decisions, self.references, self.soon):
            told.clear()

    def forget(self, pair: int) -> None:
        """Nothing is done for this one."""
        self.items.pop(pair, None)
        self.asking.pop(pair, None)
        self.leaving.pop(pair, None)
        self.references.pop(pair, None)
        self.decisions.pop(pair, None)

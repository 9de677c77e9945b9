"""Gathering: while a backlog lasts, what is claimed together fills one call, though what is due comes mixed.

Members of a program come in as many statuses as there are, and each status is a call of its own; roles wait beside opportunities. Claimed
as they stand in the queue, three hundred of them would take a call of each sort. So where a full claim would, the queue is looked at
further: a sort that fills a call goes first, the others keep their places. Nobody is passed over for long, nor for a later lane.
"""

from collections.abc import Callable, Mapping, Sequence

from consumers.ledger.port import Duty, Pair, Transaction
from consumers.merge.pair.state import PairState
from consumers.settle.writers.port import Writer
from streams.wire.systems import System

_WIDER = (4, 16)
"""So many calls' worth of the queue are looked at, the second only where the first shows no full call."""
_PASSED_MS = 5_000
"""A sort that was left behind for so long goes next, full or not: a call in five seconds, of a hundred in twenty."""
Sort = tuple[str, str, str]
"""What goes in one call, as far as states tell: the object, what is done, and what else the system wants alike."""


class Gathering:
    """Claims for one system, for one process."""

    def __init__(self, sort_of: Callable[[PairState], Sort], full: int) -> None:
        """`full`: so many records are a full call."""
        self._sort_of, self._full = sort_of, full
        self._passed: dict[Sort, int] = {}
        """Since when sorts have been left behind (ms), also those that a claim beside doesn't see: what is looked at is locked."""

    async def claim(self, tx: Transaction, duty: Duty, now: int, lane: int) -> tuple[list[Pair], bool]:
        """What is due, in lanes up to `lane`: a full call's worth at most. Whether more may be due that was left behind."""
        pairs = await tx.claim(duty, now, self._full, lane)
        sorts = self._sorted(pairs)
        if len(pairs) < self._full or len(sorts) == 1:
            self._passed.clear() if len(pairs) < self._full else self._passed.pop(next(iter(sorts)), None)
            return pairs, len(pairs) >= self._full
        for calls in _WIDER:
            pairs = await tx.claim(duty, now, calls * self._full, lane)
            sorts = self._sorted(pairs)
            if max(map(len, sorts.values()), default=0) >= self._full or len(pairs) < calls * self._full:
                break
        return self._taken(_foremost(sorts), now), True

    def _taken(self, sorts: Mapping[Sort, Sequence[Pair]], now: int) -> list[Pair]:
        """Of the sort that has waited too long, else of the one with the most."""
        if not sorts:
            return []
        for each in sorts:
            self._passed.setdefault(each, now)
        oldest = min(sorts, key=lambda each: self._passed[each])
        chosen = oldest if now - self._passed[oldest] >= _PASSED_MS else max(sorts, key=lambda each: len(sorts[each]))
        del self._passed[chosen]
        return list(sorts[chosen][: self._full])

    def _sorted(self, pairs: Sequence[Pair]) -> dict[Sort, list[Pair]]:
        sorts: dict[Sort, list[Pair]] = {}
        for pair in pairs:
            sorts.setdefault(self._sort_of(pair.state), []).append(pair)
        return sorts


def _foremost(sorts: Mapping[Sort, Sequence[Pair]]) -> Mapping[Sort, Sequence[Pair]]:
    """Those that somebody in the first lane is of: an edit of today waits for no copy of last year's."""
    first = min((pair.state.lane for pairs in sorts.values() for pair in pairs), default=0)
    return {sort: pairs for sort, pairs in sorts.items() if any(pair.state.lane == first for pair in pairs)}


def sort_for(writer: Writer) -> Callable[[PairState], Sort]:
    """How states are sorted for one system."""
    system = writer.system
    return lambda state: (state.named_on(system), _done(state, system), writer.alike(state))


def _done(state: PairState, system: System) -> str:
    record = state.record(system)
    if state.retract or state.merges:
        return "other"
    if not record.id or record.deleted:
        return "create"
    return "delete" if state.record(system.other).deleted else "update"

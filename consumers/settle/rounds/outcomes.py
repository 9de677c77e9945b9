"""Outcomes: a pair's state as the answer to its write leaves it. No I/O; it remembers how often in a row a pair did not get through.

A creation that the system refuses because the record exists, though nobody like it can be found, is tried again after growing waits:
the one who stands in the way may be out of our sight.
"""

from collections import Counter

from consumers.judging.meeting.holds import held, whole
from consumers.ledger.port import Duty, Pair
from consumers.merge.lives.joining import IN_DOUBT, after_merge, came_up, merged_away, not_merged, succeeded
from consumers.merge.lives.once import doubted
from consumers.merge.lives.outlived import outlived
from consumers.merge.pair.state import PairState, Record, shallow
from consumers.merge.terms import Terms
from consumers.merge.writing.plan import Create, Delete, Merge, Update, row_mark
from consumers.merge.writing.witness import witnessed
from consumers.merge.writing.writes import answered, born, failed, refused_in_part, rejected, withdrawn
from consumers.settle.conditions.later import AGAIN_MS, REFUSED_DELETION_MS, later
from consumers.settle.writers.port import Fate, Item, Outcome
from streams.wire.systems import System

_EXISTS_MS_MAX, _WAIT_MS_MAX = 600_000, 600_000
_NEVER_MARKED = -1
_LET_GO = ", ever more rarely; it goes once whoever still names it there is given to another, or deleted"

Counted = tuple[Counter[int], Counter[int]]
"""What is remembered at a moment."""


class Outcomes:
    """Takes the outcomes of writes to one system."""

    def __init__(self, system: System, terms: Terms) -> None:
        self._system, self._terms = system, terms
        self._duty = Duty.write_on(system)
        self._met: Counter[int] = Counter()
        """By pair: creations in a row that found somebody there whom no search finds."""
        self._tried: Counter[int] = Counter()
        """By pair: writes in a row that did not pass, or of which nobody knows."""

    def counted(self) -> Counted:
        """What is remembered now, to come back to where the ledger was not told."""
        return self._met.copy(), self._tried.copy()

    def back_to(self, counted: Counted) -> None:
        """What was taken since has not happened."""
        self._met, self._tried = counted

    def take(self, pair: Pair, item: Item, outcome: Outcome | None, fate: str, *, now: int, after_ms: int) -> None:
        """The pair as its answer leaves it, with what is due then."""
        state = self._after(pair.state, item, outcome, fate, now)
        if outcome is not None and outcome.fate is Fate.SEVERAL:
            state = held(state, outcome.reason, self._terms.match_key(state) or "")
        elif outcome is not None and outcome.fate is Fate.EXISTS:
            state = self._met_again(state, item, outcome, now)
        elif outcome is not None and outcome.fate is Fate.BUSY:
            state = self._busy(state, item, outcome, now)
            if isinstance(item.order, Delete):
                state = self._stays(state, item.order, outcome.reason, _LET_GO)
        elif isinstance(item.order, Merge) and (fate == "unknown" or (outcome is not None and outcome.fate is Fate.UNKNOWN)):
            state = later(state, self._duty, now + self._longer(item, self._terms.patience(self._system).doubt_ms))
        elif fate == "not sent" or (outcome is not None and outcome.fate is Fate.GONE):
            state = later(state, self._duty, now + after_ms)
        elif outcome is not None and outcome.fate is Fate.REJECTED and isinstance(item.order, Delete):
            state = self._stays(later(state, self._duty, now + REFUSED_DELETION_MS), item.order, outcome.reason)
        pair.state = self._terms.with_due(state, now)

    def _after(self, state: PairState, item: Item, outcome: Outcome | None, fate: str, now: int) -> PairState:
        """The state after the call, by its outcome."""
        if outcome is None:
            if fate != "unknown":
                return withdrawn(state, self._system, item.write)
            return self._in_doubt(state, item, now + self._terms.patience(self._system).doubt_ms)
        match outcome.fate:
            case Fate.DONE:
                return self._done(state, item, outcome, now)
            case Fate.EXISTS | Fate.SEVERAL | Fate.BUSY:
                return withdrawn(state, self._system, item.write)
            case Fate.GONE:
                return self._gone(withdrawn(state, self._system, item.write), item, outcome)
            case Fate.UNKNOWN:
                return self._in_doubt(state, item, now + self._longer(item, self._terms.patience(self._system).doubt_ms))
            case Fate.REJECTED if isinstance(item.order, Merge):
                return _not_merged(withdrawn(state, self._system, item.write), self._system, item.order, outcome)
            case Fate.REJECTED:
                return rejected(state, self._system, item.write, outcome.reason, outcome.fields, mark=_mark(item))

    def _in_doubt(self, state: PairState, item: Item, look_at: int) -> PairState:
        """Looked for from then on; one that its parents name is made again instead, by whoever looks for it first."""
        mapping = self._terms.mapping(state)
        creation = isinstance(item.order, Create)
        if creation and mapping.is_derived:
            return later(withdrawn(state, self._system, item.write), self._duty, look_at)
        state = failed(state, self._system, item.write, look_at)
        return doubted(state, self._system, item.write, look_at) if creation and not mapping.is_person else state

    def _stays(self, state: PairState, order: Delete, reason: str, remedy: str = "") -> PairState:
        """The record was to go and is still there: why, where people look for it."""
        record = shallow(state.record(self._system))
        record.refused = (
            f"{order.id} is to be deleted there, since {order.why}; {self._system} keeps it: {reason}. It is tried again{remedy}"
        )
        record.refused_mark = row_mark(state, self._terms.rules)
        return state.with_record(self._system, record)

    def _longer(self, item: Item, usual_ms: int) -> int:
        """How long to wait for what didn't pass: twice as long each time in a row."""
        self._tried[item.pair] += 1
        return min(max(usual_ms, _WAIT_MS_MAX), usual_ms << min(self._tried[item.pair] - 1, 20))

    def _busy(self, state: PairState, item: Item, outcome: Outcome, now: int) -> PairState:
        """The same later; of a creation, which has no field to tell it at, the record tells why."""
        if isinstance(item.order, Create):
            record = shallow(state.record(self._system))
            record.refused, record.refused_mark = outcome.reason, _NEVER_MARKED
            state = state.with_record(self._system, record)
        usual_ms = max(AGAIN_MS, round(outcome.after_seconds * 1000))
        if isinstance(item.order, Delete):  # what belongs to it is mostly about to go, too
            after_ms = self._longer(item, AGAIN_MS)
            beside = not state.record(self._system.other).deleted
            return later(state, self._duty, now + (min(usual_ms, after_ms) if beside else after_ms))  # edits of what stays don't wait long
        return later(state, self._duty, now + self._longer(item, usual_ms))

    def _done(self, state: PairState, item: Item, outcome: Outcome, now: int) -> PairState:
        self._met.pop(item.pair, None)
        self._tried.pop(item.pair, None)
        if isinstance(item.order, Merge):
            return after_merge(withdrawn(state, self._system, item.write), self._system, item.order.losers, outcome.until)
        if isinstance(item.order, Delete):
            return self._gone(withdrawn(state, self._system, item.write), item, outcome)
        if outcome.refused or outcome.left:
            state = refused_in_part(state, self._system, item.write, dict(outcome.refused), outcome.left, mark=_mark(item))
        state = answered(state, self._system, item.write, now, outcome.until)
        if isinstance(item.order, Update):
            witness = self._terms.mapping(state).answer_is_witness and self._system is System.MARKETO
            return witnessed(state, self._system, item.write, outcome.until) if witness else state
        record = state.record(self._system)
        if record.id and record.id != outcome.id and not record.deleted:
            new = shallow(withdrawn(state, self._system, item.write))
            if (self._system, IN_DOUBT) in new.merges:
                return came_up(new, self._system, outcome.id)
            if (self._system, outcome.id) not in new.retract:
                new.retract = (*new.retract, (self._system, outcome.id))
            return new
        witnessed_by_it = self._system is System.MARKETO
        return whole(born(state, self._system, outcome.id, item.write, witnessed=witnessed_by_it, made_until=outcome.until))

    def _gone(self, state: PairState, item: Item, outcome: Outcome) -> PairState:
        """The record isn't there any more: one of ours that was withdrawn, or one that somebody deleted.

        What its feed or a reading tells of it from before the answer is from before its end.
        """
        target = item.order.id if not isinstance(item.order, Create) else ""
        state = shallow(state)
        state.retract = tuple(entry for entry in state.retract if entry != (self._system, target))
        state.merges = tuple(entry for entry in state.merges if entry != (self._system, target))
        record: Record = shallow(state.record(self._system))
        if isinstance(item.order, Delete):
            record.refused = ""
        if record.id == target:
            if isinstance(item.order, Delete):
                record.deleted, record.at = True, max(record.at, outcome.until - 1)
                state = outlived(state.with_record(self._system, record), self._system, 0, self._terms)
                return succeeded(state, self._system, self._terms, outcome.until)
            record.reread = True
        return state.with_record(self._system, record)

    def _met_again(self, state: PairState, item: Item, outcome: Outcome, now: int) -> PairState:
        """The creation later, each time twice as much, with the reason where people look for it."""
        self._met[item.pair] += 1
        times = self._met[item.pair]
        after_ms = min(_EXISTS_MS_MAX, AGAIN_MS * 2 ** min(times - 1, 20))
        record = shallow(state.record(self._system))
        record.refused = (
            f"{outcome.reason}; but nobody like it is found there. Tried {times} time(s), the next time after {after_ms / 1000:g} s"
        )
        record.refused_mark = _NEVER_MARKED
        return later(state.with_record(self._system, record), self._duty, now + after_ms)


def _not_merged(state: PairState, system: System, order: Merge, outcome: Outcome) -> PairState:
    """The merge was refused. Who is gone is owed none any more, and the others are tried again at once; else see `merges_owed`."""
    state = merged_away(state, system, outcome.gone, outcome.until)
    return state if outcome.gone else not_merged(state, order.losers, outcome.reason, order.mark)


def _mark(item: Item) -> int:
    """What the order was planned from."""
    return item.order.mark if isinstance(item.order, (Create, Update)) else 0

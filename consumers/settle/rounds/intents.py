"""Intents: what a pair is owed, put down in its state before the call that writes it, or a lease for a question that comes first."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from consumers.ledger.callers import Caller
from consumers.ledger.port import Duty, Pair, Transaction
from consumers.merge.parents import named_by, references, with_parents
from consumers.merge.plan import Create, Delete, Merge, Nothing, Plan, Update, plan, row_mark
from consumers.merge.state import PairState, shallow
from consumers.merge.terms import Terms
from consumers.merge.writes import Patience, intend, refuse, uncreatable
from consumers.settle.conditions.feed_lag import Lag
from consumers.settle.conditions.later import later
from consumers.settle.conditions.reading_first import Ahead
from consumers.settle.rounds.work import Draft
from consumers.settle.writers.port import Item
from streams.budget.port import Lane
from streams.wire.systems import System

_LAG_GROWTH, _LATER_MS_MAX, _FLOOD_MS = 4, 600_000, 60_000
"""What is written while the feed is behind comes back after that many times its lag (so much at most: after a long stop the lag is short
again soon); what is written in full calls, so much later."""


class Intents:
    """Plans what is owed to one system, for one process."""

    def __init__(
        self, system: System, terms: Terms, fitting: Callable[[Plan], Plan], *, caller: Caller | None, lag: Lag | None, full: int
    ) -> None:
        """`full`: so many records are a full call. The rest as `Settler` has it."""
        self._system, self._terms, self._fitting, self._caller, self._lag, self._full = system, terms, fitting, caller, lag, full
        self.duty = Duty.write_on(system)

    async def lag_ms(self) -> int:
        """How far behind the system's feed is read; 0 where nobody says."""
        return await self._lag() if self._lag is not None else 0

    def patience(self, lag_ms: int, records: int) -> Patience:
        """How long the feed has for what is written now. Full calls fill it faster than it can be read, three rows and more a record."""
        usual = self._terms.patience(self._system)
        if self._lag is None:
            return usual
        flood_ms = _FLOOD_MS if records >= self._full else 0
        return replace(usual, silent_ms=usual.silent_ms + min(_LAG_GROWTH * lag_ms, _LATER_MS_MAX) + flood_ms)

    def planned(self, state: PairState) -> Plan:
        """What the pair is owed."""
        return plan(state, self._system, self._terms.rules, exact=self._terms.exact_on(self._system))

    def may_refer(self, pair: Pair) -> bool:
        """Whether what this pair is owed may name parents."""
        return self._system is System.MARKETO and bool(self._terms.mapping(pair.state).references)

    def asks_first(self, pair: Pair, planned: Plan, reading: Ahead) -> bool:
        """Whether the system is asked whether it has the record already, or what stands there: only of people, as nobody else edits the
        rest there, and it is made under a key of ours."""
        if not self._terms.mapping(pair.state).is_person:
            return False
        return isinstance(planned, Create) or (isinstance(planned, Update) and reading.covers(Lane(pair.state.lane)))

    async def parents(self, tx: Transaction, plans: Iterable[Plan]) -> Mapping[str, str]:
        """Of the parents that are named by these plans, the Marketo ids of those that are there, by their Salesforce ids."""
        wanted = {parent for planned in plans for parent in named_by(planned)}
        return await tx.in_marketo(sorted(wanted), list(self._terms.rules.objects)) if wanted else {}

    def intend(
        self, draft: Draft, pair: Pair, planned: Plan, *, write: int, now: int, patience: Patience, parents: Mapping[str, str]
    ) -> None:
        """The pair with its intent, and its record among those to be written. `parents`: those that are in Marketo."""
        lane = Lane(pair.state.lane)
        planned = self._fitting(planned)
        draft.references.pop(pair.id, None)
        if told := references(planned, parents):
            draft.references[pair.id] = told
            planned, why = with_parents(planned, parents)
            if why:
                pair.state = uncreatable(pair.state, self._system, why, row_mark(pair.state, self._terms.rules))
        match planned:
            case Create() | Update():
                key = pair.state.record(self._system.other).id
                item = Item(write=write, pair=pair.id, order=planned, key=key, begin_until=now + patience.begin_ms)
                pair.state = intend(pair.state, self._system, planned, write=write, now=now, patience=patience, caller=self._number)
                draft.items[pair.id] = (item, lane)
            case Delete() | Merge():
                pair.state = self.leased(pair.state, write, now)
                draft.items[pair.id] = (Item(write=write, pair=pair.id, order=planned, begin_until=now + patience.begin_ms), lane)
            case Nothing(refused=refused, uncreatable=why):
                if why:
                    pair.state = uncreatable(pair.state, self._system, why, row_mark(pair.state, self._terms.rules))
                pair.state = later(refuse(pair.state, self._system, refused), self.duty, 0)

    def leased(self, state: PairState, write: int, now: int) -> PairState:
        """The pair marked as under a call of this process."""
        record = shallow(state.record(self._system))
        record.calling, record.calling_until = write, now + self._terms.patience(self._system).call_ms
        record.caller = self._number
        return state.with_record(self._system, record)

    @property
    def _number(self) -> int:
        return self._caller.number if self._caller else 0

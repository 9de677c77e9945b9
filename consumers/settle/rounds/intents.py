"""Intents: what a pair is owed, put down in its state before the call that writes it, or a lease for a question that comes first."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from consumers.ledger.callers import Caller
from consumers.ledger.port import Duty, Pair, Transaction
from consumers.merge.lives.naming import agreed, name_of, named_parents, with_name
from consumers.merge.pair.state import PairState, shallow
from consumers.merge.terms import Terms
from consumers.merge.writing.parents import named_by, references, with_parents
from consumers.merge.writing.plan import Create, Delete, Merge, Nothing, Plan, Update, plan, row_mark
from consumers.merge.writing.writes import Patience, intend, refuse, uncreatable
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
        mapping = self._terms.mapping(pair.state)
        return bool(mapping.references) if self._system is System.MARKETO else mapping.is_derived

    def names(self, pair: Pair) -> set[str]:
        """The parents that are named by what this pair is owed: they are to be looked up."""
        planned = self.planned(pair.state)
        if self._system is System.MARKETO:
            return set(named_by(planned))
        return set(self._named(pair.state).values()) if isinstance(planned, Create) else set()

    def ready(self, draft: Draft, pair: Pair, parents: Mapping[str, str]) -> Plan:
        """What the pair is owed. Where its parents name it, it has its name by that, or its references, or waits for them.

        `parents`: those that are there.
        """
        planned, mapping = self.planned(pair.state), self._terms.mapping(pair.state)
        if not mapping.is_derived or not isinstance(planned, Create):
            return planned
        if self._system is System.MARKETO:
            complete, _ = with_parents(planned, parents)
            if isinstance(complete, Create):
                pair.state = with_name(pair.state, name_of(mapping, complete))
                pair.match_key = self._terms.match_key(pair.state)
            return planned
        pair.state, draft.references[pair.id], why = agreed(pair.state, mapping, self._named(pair.state), parents)
        if not why:
            return self.planned(pair.state)
        pair.state = uncreatable(pair.state, self._system, why, row_mark(pair.state, self._terms.rules))
        return Nothing()

    def _named(self, state: PairState) -> Mapping[str, str]:
        return named_parents(self._terms.mapping(state), state.marketo.id, self._terms.rules)

    def asks_first(self, pair: Pair, planned: Plan, reading: Ahead) -> bool:
        """Whether the system is asked whether it has the record already, or what stands there: not of what only Salesforce's people edit,
        and is made under a key of ours."""
        mapping = self._terms.mapping(pair.state)
        if not mapping.is_person and not mapping.is_derived:
            return False
        if mapping.is_derived and self._system is System.MARKETO and isinstance(planned, Create) and not pair.state.name:
            return False  # its parents are waited for
        return isinstance(planned, Create) or (isinstance(planned, Update) and reading.covers(Lane(pair.state.lane)))

    async def parents(self, tx: Transaction, wanted: Collection[str]) -> Mapping[str, str]:
        """Of these parents (`names`), the ids on the other side of those that are there."""
        return await tx.in_marketo(sorted(wanted), list(self._terms.rules.objects)) if wanted else {}

    def intend(
        self, draft: Draft, pair: Pair, planned: Plan, *, write: int, now: int, patience: Patience, parents: Mapping[str, str]
    ) -> None:
        """The pair with its intent, and its record among those to be written. `parents`: those that are in Marketo."""
        lane = Lane(pair.state.lane)
        planned = self._fitting(planned)
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

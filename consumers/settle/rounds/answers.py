"""What a call came to: told to the ledger in one commit, for each record of it.

The order of effects: the call has been made; the pairs, those that were met, and the decisions (one commit). Where nobody knows whether
that commit was made it is made again, for the writes that the ledger still knows. A crash before it leaves the call in doubt.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import structlog

from consumers.judging import apart
from consumers.judging.batch import Judging
from consumers.judging.families.bereaved import let_go
from consumers.judging.meeting.candidates import AMBIGUOUS, listed, named
from consumers.judging.meeting.introductions import inherit
from consumers.ledger.faults import Fault, step
from consumers.ledger.persist import persistently
from consumers.ledger.port import Ledger, Named, Pair, Taken, Transaction
from consumers.merge.lives.ended import is_given_up
from consumers.merge.lives.record import asked_again
from consumers.merge.pair.decision import Decision, Ruling, Verdict
from consumers.merge.pair.state import PairState, shallow
from consumers.merge.terms import Terms
from consumers.merge.writing.plan import Create, Delete, Merge, Update
from consumers.merge.writing.writes import knows
from consumers.settle.conditions.later import AGAIN_MS
from consumers.settle.rounds.lookups import shown
from consumers.settle.rounds.outcomes import Outcomes
from consumers.settle.writers.port import Fate, Item, Outcome
from streams.wire.errors import Retry, Unknown
from streams.wire.systems import LEAD, PERSON, System

_log = structlog.get_logger("consumers.settle")


@dataclass(slots=True, kw_only=True)
class Settled:
    """What a round came to."""

    claimed: int = 0
    held: int = 0
    """Pairs that a step of ours failed on."""
    calls: int = 0
    records: int = 0
    fates: Counter[str] = field(default_factory=Counter)
    wait_seconds: float = 0.0
    """How long the system asked to be left alone."""
    trouble: str = ""
    """Why a call could not be made, or has no answer."""
    since: list[int] = field(default_factory=list)
    """When the edits behind the written records were made (ms, the clock of their own side), one a record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    """How a call ended. `outcomes` of its records, in their order; None: there is no answer, `fate` and `detail` say why."""

    outcomes: Sequence[Outcome] | None
    fate: str
    detail: str
    after_ms: int


class Answers:
    """Commits what calls to one system came to."""

    def __init__(self, ledger: Ledger, system: System, terms: Terms, clock: Callable[[], int]) -> None:
        self._ledger, self._system, self._terms, self._clock = ledger, system, terms, clock
        self._outcomes = Outcomes(system, terms)

    async def commit(
        self,
        items: Sequence[Item],
        outcomes: Sequence[Outcome] | None,
        fate: str,
        detail: str,
        settled: Settled,
        *,
        after_ms: int = AGAIN_MS,
        unsure: bool = False,
    ) -> None:
        """`outcomes` in the order of `items`; None: there is no answer, `fate` and `detail` say why.

        A record whose answer can't be taken, whatever the reason, is held; the answers of the others stand. Answers are kept and their
        commit tried again until the lease of their calls is over: by then a look has found them out. `unsure`: nobody knows whether the
        ledger has been told of these writes at all.
        """
        ended = _Ended(outcomes=outcomes, fate=fate, detail=detail, after_ms=after_ms)
        try:
            await self._persist(items, ended, settled, unsure=unsure)
        except Fault as fault:
            middle = len(items) // 2
            for part in (slice(0, middle), slice(middle, None)) if middle else ():
                half = None if outcomes is None else outcomes[part]
                await self.commit(items[part], half, fate, detail, settled, after_ms=after_ms, unsure=unsure)
            if not middle:
                await self._hold(items[0], fault, settled)
            return
        if missing := sorted({each for outcome in outcomes or () for each in outcome.missing}):
            await persistently(
                lambda: self._doubted(missing),
                doing=f"keeping who is missing in {self._system}",
                seconds=self._terms.patience(self._system).call_ms / 1000,
            )
        if kept := [item.pair for item, told in zip(items, outcomes or (), strict=False) if _is_kept(item, told)]:
            await persistently(
                lambda: self._let_go(kept),
                doing=f"letting go of what {self._system} keeps for others",
                seconds=self._terms.patience(self._system).call_ms / 1000,
            )

    async def _doubted(self, parents: Sequence[str]) -> None:
        """Parents that the system doesn't have, though we had taken them for there, are read: who is gone is made again. Their children
        are tried again anyway, so a crash before this loses nothing."""
        try:
            async with self._ledger.transaction() as tx:
                people = [each for each in parents if each.isdecimal()]
                named = {(self._system.other, LEAD): parents, (self._system, PERSON): people}
                pairs = await tx.gather(records=named, most=len(parents))
                for pair in pairs:
                    pair.state = self._terms.with_due(asked_again(pair.state, self._system), self._clock())
                await tx.save(pairs, self._clock())
        except Fault as fault:
            _log.error("a parent that is missing can't be read anew", pair=fault.pair, error=str(fault))

    async def _let_go(self, kept: Sequence[int]) -> None:
        """Records that were to go are kept for others, some of whom may be gone as well. They are asked for each time that it is tried."""
        try:
            await let_go(self._ledger, self._terms, kept, self._clock())
        except Fault as fault:
            _log.error("who names a record that is to go can't be read", pair=fault.pair, error=str(fault))

    async def _hold(self, item: Item, fault: Fault, settled: Settled) -> None:
        """The record's call stays open: it is found out like that of a crash, once its time is over."""
        settled.held += await apart.held(self._ledger, self._terms, item.pair, fault, self._clock())

    async def _persist(self, items: Sequence[Item], ended: _Ended, settled: Settled, *, unsure: bool) -> None:
        again = unsure

        async def told() -> None:
            nonlocal again
            counted = self._outcomes.counted()
            try:
                await self._commit(items, ended, settled, again=again)
            except Retry as error:
                self._outcomes.back_to(counted)
                again = again or isinstance(error, Unknown)
                raise

        await persistently(told, doing=f"keeping answers of {self._system}", seconds=self._terms.patience(self._system).call_ms / 1000)

    async def _commit(self, items: Sequence[Item], ended: _Ended, settled: Settled, *, again: bool) -> None:
        """`again`: they may have been told before."""
        now, outcomes, fates, since = self._clock(), ended.outcomes, Counter[str](), list[int]()
        async with self._ledger.transaction(durable=outcomes is None) as tx:
            numbers = [item.pair for item in items]
            rivals = [event for outcome in outcomes or () for event in outcome.rivals]
            judging = Judging(tx, self._terms, now)
            if rivals:
                await judging.load(rivals, also=numbers)
            pairs = await tx.by_id(numbers)
            decisions = []
            former: dict[Named, int] = {}
            for place, item in enumerate(items):
                outcome = outcomes[place] if outcomes is not None else None
                fates[outcome.fate if outcome else ended.fate] += 1
                pair = pairs.get(item.pair)
                if pair is None or (again and not knows(pair.state, self._system, item.write)):
                    continue
                before = pair.state
                with step("taking an answer", pair.id):
                    decisions.append(self._taken(pair, item, outcome, ended, judging=judging, now=now))
                    since += _since(pair.state, item, outcome)
                if is_given_up(before, pair.state, self._system, self._terms):
                    former[self._system, before.named_on(self._system), before.record(self._system).id] = pair.id
            await self._absorb(tx, items, outcomes, pairs)
            try:
                await tx.save(list(pairs.values()), now)
            except Taken as error:
                raise Retry(f"the ledger: {error}; it is tried again") from error
            if rivals:
                await judging.save()
            if former:
                await tx.remember(former, {})
            await tx.record(decisions)
        settled.fates.update(fates)
        settled.since += since

    def _taken(self, pair: Pair, item: Item, outcome: Outcome | None, ended: _Ended, *, judging: Judging, now: int) -> Decision:
        if outcome is not None and outcome.fate is Fate.SEVERAL:
            outcome = self._named(pair.state, outcome, judging)
        self._outcomes.take(pair, item, outcome, ended.fate, now=now, after_ms=ended.after_ms)
        result = outcome or Outcome(fate=Fate.REJECTED, reason=ended.detail)
        return self._decision(item, result, ended.fate or result.fate, pair, now)

    def _named(self, state: PairState, outcome: Outcome, judging: Judging) -> Outcome:
        """The system has several like this one already: why, with their names; whoever of them was unknown is held with it."""
        known = [judging.pair_of(event) for event in outcome.rivals]
        names = [named([pair]) if pair else shown(event, self._terms) for pair, event in zip(known, outcome.rivals, strict=True)]
        who = listed(names) or "none of them can be seen"
        reason = f"{AMBIGUOUS}: {self._system} has several like this one ({outcome.reason}): {who}"
        for event in outcome.rivals:
            judging.keep_apart(event, reason, self._terms.match_key(state) or "")
        return replace(outcome, reason=reason)

    async def _absorb(self, tx: Transaction, items: Sequence[Item], outcomes: Sequence[Outcome] | None, pairs: dict[int, Pair]) -> None:
        """A record that we have just created may already stand in a pair of its own, if the feed was quicker than the answer."""
        born_ids = {
            outcome.id: item.pair
            for item, outcome in zip(items, outcomes or (), strict=False)
            if outcome.fate is Fate.DONE and isinstance(item.order, Create)
        }
        if not born_ids:
            return
        obj = items[0].order.object
        there = (await tx.by_record(self._system, obj, list(born_ids))).items()
        strangers = [pair for record, pair in there if pair.id != born_ids[record]]
        with step("taking over from a pair"):
            for stranger in strangers:
                record = stranger.state.record(self._system)
                owner = pairs.get(born_ids[record.id])
                if owner is not None and owner.state.record(self._system).id == record.id:
                    owner.state = inherit(owner.state, self._system, stranger.state)
                    ours = shallow(owner.state.record(self._system))
                    ours.reread = True
                    owner.state = self._terms.with_due(owner.state.with_record(self._system, ours), self._clock())
        if strangers:
            await tx.remove([pair.id for pair in strangers])

    def _decision(self, item: Item, outcome: Outcome, fate: str, pair: Pair, now: int) -> Decision:
        fields: tuple[Ruling, ...] = ()
        if isinstance(item.order, (Create, Update)):
            fields = tuple(
                Ruling(field=out.key, verdict=Verdict.ACCEPTED, value=out.value, version=out.version) for out in item.order.fields
            )
        return Decision(
            kind="written",
            at=now,
            pair=pair.id,
            system=self._system,
            record=outcome.id or pair.state.record(self._system).id,
            fields=fields,
            write=item.write,
            outcome=f"{type(item.order).__name__.lower()} {fate}",
            detail="; ".join(part for part in (outcome.reason, _why(item)) if part),
            config=self._terms.version,
            call=outcome.call,
        )


def _is_kept(item: Item, outcome: Outcome) -> bool:
    """Whether a record was to go, and others name it. That it is tried again is in the ledger by now."""
    return outcome.fate is Fate.BUSY and isinstance(item.order, Delete) and not item.order.spare


def _why(item: Item) -> str:
    match item.order:
        case Delete(why=why):
            return why
        case Merge(id=winner, losers=losers):
            return f"{', '.join(losers)} merged into {winner}: the same person"
        case _:
            return ""


def _since(state: PairState, item: Item, outcome: Outcome | None) -> list[int]:
    """When the newest edit behind a record that was written was made."""
    if outcome is None or outcome.fate is not Fate.DONE or not isinstance(item.order, (Create, Update)):
        return []
    return [max((state.fields[out.key].agreed_at for out in item.order.fields if out.key in state.fields), default=0)]

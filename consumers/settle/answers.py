"""What a call came to: told to the ledger in one commit, for each record of it.

A creation that the system refuses because the record exists, though nobody like it can be found, is tried again after growing waits:
the one who stands in the way may be out of our sight.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace

from consumers.judging import apart
from consumers.judging.batch import Judging, held
from consumers.judging.candidates import AMBIGUOUS, listed, named
from consumers.judging.introductions import inherit
from consumers.ledger.faults import Fault, step
from consumers.ledger.persist import persistently
from consumers.ledger.port import Kind, Ledger, Pair, Taken, Transaction
from consumers.merge.decision import Decision, Ruling, Verdict
from consumers.merge.plan import Create, Delete, Update
from consumers.merge.state import PairState, Record
from consumers.merge.terms import Terms
from consumers.merge.writes import answered, born, failed, knows, refused_in_part, rejected, withdrawn
from consumers.settle.lookups import shown
from consumers.settle.writers.port import Fate, Item, Outcome
from streams.wire.errors import Retry, Unknown
from streams.wire.systems import System

AGAIN_MS, FATAL_MS = 3_000, 60_000
"""When a record that could not be written now is tried again."""
REFUSED_DELETION_MS, _EXISTS_MS_MAX, _WAIT_MS_MAX = 900_000, 600_000, 600_000
_NEVER_MARKED = -1


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


class Answers:
    """Commits what calls to one system came to."""

    def __init__(self, ledger: Ledger, system: System, terms: Terms, clock: Callable[[], int]) -> None:
        self._ledger, self._system, self._terms, self._clock = ledger, system, terms, clock
        self._kind = Kind.WRITE_SALESFORCE if system is System.SALESFORCE else Kind.WRITE_MARKETO
        self._met: Counter[int] = Counter()
        """By pair: creations in a row that found somebody there whom no search finds."""
        self._tried: Counter[int] = Counter()
        """By pair: writes in a row that did not pass, or of which nobody knows."""

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
        try:
            await self._persist(items, outcomes, fate, detail, settled, after_ms=after_ms, unsure=unsure)
        except Fault as fault:
            middle = len(items) // 2
            for part in (slice(0, middle), slice(middle, None)) if middle else ():
                half = None if outcomes is None else outcomes[part]
                await self.commit(items[part], half, fate, detail, settled, after_ms=after_ms, unsure=unsure)
            if not middle:
                await self._hold(items[0], fault, settled)

    async def _hold(self, item: Item, fault: Fault, settled: Settled) -> None:
        """The record's call stays open: it is found out like that of a crash, once its time is over."""
        settled.held += await apart.held(self._ledger, self._terms, item.pair, fault, self._clock())

    async def _persist(
        self,
        items: Sequence[Item],
        outcomes: Sequence[Outcome] | None,
        fate: str,
        detail: str,
        settled: Settled,
        *,
        after_ms: int,
        unsure: bool,
    ) -> None:
        again = unsure

        async def told() -> None:
            nonlocal again
            counted = self._met.copy(), self._tried.copy()
            try:
                await self._commit(items, outcomes, fate, detail, settled, after_ms=after_ms, again=again)
            except Retry as error:
                self._met, self._tried = counted
                again = again or isinstance(error, Unknown)
                raise

        await persistently(told, doing=f"keeping answers of {self._system}", seconds=self._terms.patience(self._system).call_ms / 1000)

    async def _commit(
        self,
        items: Sequence[Item],
        outcomes: Sequence[Outcome] | None,
        fate: str,
        detail: str,
        settled: Settled,
        *,
        after_ms: int,
        again: bool,
    ) -> None:
        """`again`: they may have been told before."""
        now, fates, since = self._clock(), Counter[str](), list[int]()
        async with self._ledger.transaction(durable=outcomes is None) as tx:
            numbers = [item.pair for item in items]
            rivals = [event for outcome in outcomes or () for event in outcome.rivals]
            judging = Judging(tx, self._terms, now)
            if rivals:
                await judging.load(rivals, also=numbers)
            pairs = await tx.by_id(numbers)
            decisions = []
            for place, item in enumerate(items):
                outcome = outcomes[place] if outcomes is not None else None
                fates[outcome.fate if outcome else fate] += 1
                pair = pairs.get(item.pair)
                if pair is None or (again and not knows(pair.state, self._system, item.write)):
                    continue
                with step("taking an answer", pair.id):
                    if outcome is not None and outcome.fate is Fate.SEVERAL:
                        outcome = self._named(pair.state, outcome, judging)
                    self._take(pair, item, outcome, fate, now=now, after_ms=after_ms)
                    if outcome is not None and outcome.fate is Fate.DONE and isinstance(item.order, (Create, Update)):
                        told = pair.state.fields
                        since.append(max((told[out.key].agreed_at for out in item.order.fields if out.key in told), default=0))
                    result = outcome or Outcome(fate=Fate.REJECTED, reason=detail)
                    decisions.append(self._decision(item, result, fate or result.fate, pair, now))
            await self._absorb(tx, items, outcomes, pairs)
            try:
                await tx.save(list(pairs.values()), now)
            except Taken as error:
                raise Retry(f"the ledger: {error}; it is tried again") from error
            if rivals:
                await judging.save()
            await tx.record(decisions)
        settled.fates.update(fates)
        settled.since += since

    def _take(self, pair: Pair, item: Item, outcome: Outcome | None, fate: str, *, now: int, after_ms: int) -> None:
        """The pair as its answer leaves it, with what is due then."""
        state = self._after(pair.state, item, outcome, fate, now)
        if outcome is not None and outcome.fate is Fate.SEVERAL:
            state = held(state, outcome.reason, self._terms.match_key(state) or "")
        elif outcome is not None and outcome.fate is Fate.EXISTS:
            state = self._met_again(state, item, outcome, now)
        elif outcome is not None and outcome.fate is Fate.BUSY:
            state = self._busy(state, item, outcome, now)
        elif fate == "not sent" or (outcome is not None and outcome.fate is Fate.GONE):
            state = later(state, self._kind, now + after_ms)
        elif outcome is not None and outcome.fate is Fate.REJECTED and isinstance(item.order, Delete):
            state = later(state, self._kind, now + REFUSED_DELETION_MS)
        pair.state = self._terms.with_due(state, now)

    def _named(self, state: PairState, outcome: Outcome, judging: Judging) -> Outcome:
        """The system has several like this one already: why, with their names; whoever of them was unknown is held with it."""
        known = [judging.pair_of(self._system, event.id) for event in outcome.rivals]
        names = [named([pair]) if pair else shown(event, self._terms) for pair, event in zip(known, outcome.rivals, strict=True)]
        who = listed(names) or "none of them can be seen"
        reason = f"{AMBIGUOUS}: {self._system} has several like this one ({outcome.reason}): {who}"
        for event in outcome.rivals:
            judging.keep_apart(event, reason, self._terms.match_key(state) or "")
        return replace(outcome, reason=reason)

    def _met_again(self, state: PairState, item: Item, outcome: Outcome, now: int) -> PairState:
        """The creation later, each time twice as much, with the reason where people look for it."""
        self._met[item.pair] += 1
        times = self._met[item.pair]
        after_ms = min(_EXISTS_MS_MAX, AGAIN_MS * 2 ** min(times - 1, 20))
        record = copy(state.record(self._system))
        record.refused = (
            f"{outcome.reason}; but nobody like it is found there. Tried {times} time(s), the next time after {after_ms / 1000:g} s"
        )
        record.refused_mark = _NEVER_MARKED
        return later(state.with_record(self._system, record), self._kind, now + after_ms)

    async def _absorb(self, tx: Transaction, items: Sequence[Item], outcomes: Sequence[Outcome] | None, pairs: dict[int, Pair]) -> None:
        """A record that we have just created may already stand in a pair of its own, if the feed was quicker than the answer."""
        born_ids = {
            outcome.id: item.pair
            for item, outcome in zip(items, outcomes or (), strict=False)
            if outcome.fate is Fate.DONE and isinstance(item.order, Create)
        }
        if not born_ids:
            return
        strangers = [pair for record, pair in (await tx.by_record(self._system, list(born_ids))).items() if pair.id != born_ids[record]]
        with step("taking over from a pair"):
            for stranger in strangers:
                record = stranger.state.record(self._system)
                owner = pairs.get(born_ids[record.id])
                if owner is not None and owner.state.record(self._system).id == record.id:
                    owner.state = inherit(owner.state, self._system, stranger.state)
                    ours = copy(owner.state.record(self._system))
                    ours.reread = True
                    owner.state = self._terms.with_due(owner.state.with_record(self._system, ours), self._clock())
        if strangers:
            await tx.remove([pair.id for pair in strangers])

    def _after(self, state: PairState, item: Item, outcome: Outcome | None, fate: str, now: int) -> PairState:
        """The state after the call, by its outcome."""
        if outcome is None:
            if fate != "unknown":
                return withdrawn(state, self._system, item.write)
            return failed(state, self._system, item.write, now + self._terms.patience(self._system).doubt_ms)
        match outcome.fate:
            case Fate.DONE:
                return self._done(state, item, outcome, now)
            case Fate.EXISTS | Fate.SEVERAL | Fate.BUSY:
                return withdrawn(state, self._system, item.write)
            case Fate.GONE:
                return self._gone(withdrawn(state, self._system, item.write), item)
            case Fate.UNKNOWN:
                return failed(state, self._system, item.write, now + self._longer(item, self._terms.patience(self._system).doubt_ms))
            case Fate.REJECTED:
                return rejected(state, self._system, item.write, outcome.reason, outcome.fields, mark=_mark(item))

    def _longer(self, item: Item, usual_ms: int) -> int:
        """How long to wait for what didn't pass: twice as long each time in a row."""
        self._tried[item.pair] += 1
        return min(max(usual_ms, _WAIT_MS_MAX), usual_ms << min(self._tried[item.pair] - 1, 20))

    def _busy(self, state: PairState, item: Item, outcome: Outcome, now: int) -> PairState:
        """The same later; of a creation, which has no field to tell it at, the record tells why."""
        if isinstance(item.order, Create):
            record = copy(state.record(self._system))
            record.refused, record.refused_mark = outcome.reason, _NEVER_MARKED
            state = state.with_record(self._system, record)
        return later(state, self._kind, now + self._longer(item, max(AGAIN_MS, round(outcome.after_seconds * 1000))))

    def _done(self, state: PairState, item: Item, outcome: Outcome, now: int) -> PairState:
        self._met.pop(item.pair, None)
        self._tried.pop(item.pair, None)
        if isinstance(item.order, Delete):
            return self._gone(withdrawn(state, self._system, item.write), item)
        if outcome.refused or outcome.left:
            state = refused_in_part(state, self._system, item.write, dict(outcome.refused), outcome.left, mark=_mark(item))
        state = answered(state, self._system, item.write, now, outcome.until)
        if isinstance(item.order, Update):
            return state
        record = state.record(self._system)
        if record.id and record.id != outcome.id:
            new = copy(withdrawn(state, self._system, item.write))
            if (self._system, outcome.id) not in new.retract:
                new.retract = (*new.retract, (self._system, outcome.id))
            return new
        return born(state, self._system, outcome.id, item.write, witnessed=self._system is System.MARKETO, made_until=outcome.until)

    def _gone(self, state: PairState, item: Item) -> PairState:
        """The record isn't there any more: one of ours that was withdrawn, or one that somebody deleted."""
        target = item.order.id if isinstance(item.order, (Update, Delete)) else ""
        state = copy(state)
        state.retract = tuple(entry for entry in state.retract if entry != (self._system, target))
        record: Record = copy(state.record(self._system))
        if record.id == target:
            if isinstance(item.order, Delete):
                record.deleted = True
            else:
                record.reread = True
        return state.with_record(self._system, record)

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
            detail="; ".join(part for part in (outcome.reason, item.order.why if isinstance(item.order, Delete) else "") if part),
        )


def _mark(item: Item) -> int:
    """What the order was planned from."""
    return item.order.mark if isinstance(item.order, (Create, Update)) else 0


def later(state: PairState, kind: Kind, at: int) -> PairState:
    """Not before `at`."""
    new = state.with_fields({})
    new.due = tuple(at if place == kind else moment for place, moment in enumerate(state.due))  # type: ignore[assignment]
    return new

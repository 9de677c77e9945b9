"""Settle: pairs that are owed writes on one system, drained into it in full calls.

The order of effects, each a step that a crash may follow: claim and intents (one durable commit), the call, its outcomes (one
commit). A crash after the intents leaves writes in doubt, which the feed or a look settles. Before a creation the system is asked
whether it has this person already; where the configuration wants it, a record is read before it is written to.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import partial

from consumers.judging import apart
from consumers.judging.batch import NOWHERE, Judging, held
from consumers.judging.candidates import ALIKE_MAX
from consumers.ledger.callers import Caller
from consumers.ledger.faults import Fault, step
from consumers.ledger.persist import persistently
from consumers.ledger.port import Kind, Ledger, Pair
from consumers.merge.decision import Decision
from consumers.merge.plan import Create, Delete, Nothing, Plan, Update, plan, row_mark
from consumers.merge.state import PairState
from consumers.merge.terms import Terms
from consumers.merge.writes import Patience, intend, refuse, uncreatable, withdrawn
from consumers.settle.answers import AGAIN_MS, FATAL_MS, REFUSED_DELETION_MS, Answers, Settled, later
from consumers.settle.feed_lag import Lag
from consumers.settle.lookups import stands
from consumers.settle.narrow import narrowed
from consumers.settle.reading_first import Ahead
from consumers.settle.withdrawals import Leaving, Withdrawals
from consumers.settle.writers.port import Fate, Item, Outcome, Writer
from streams.budget.lease import leased, must_hold
from streams.budget.port import Lane
from streams.wire.errors import Fatal, Reject, Retry, SyncError, Unknown
from streams.wire.events import ChangeEvent
from streams.wire.systems import System

_LAG_GROWTH, _LATER_MS_MAX, _FLOOD_MS = 4, 600_000, 60_000
"""What is written while the feed is behind comes back after that many times its lag (so much at most: after a long stop the lag is short
again soon); what is written in full calls, so much later."""
Found = dict[int, list[ChangeEvent]]
"""By pair: readings of those who may be meant by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What was claimed: records to be written, intents committed, and pairs for which the system must be asked first."""

    claimed: int
    items: list[tuple[Item, Lane]]
    asking: list[tuple[int, PairState, Lane]]
    leaving: list[Leaving] = field(default_factory=list)
    """Pairs with a record of ours that is to go if nothing hangs on it, which the system must be asked."""
    held: int = 0
    """Pairs that a step of ours failed on."""


@dataclass(slots=True)
class _Draft:
    """What is about to be committed, by pair."""

    items: dict[int, tuple[Item, Lane]] = field(default_factory=dict)
    asking: dict[int, tuple[int, PairState, Lane]] = field(default_factory=dict)
    leaving: dict[int, Leaving] = field(default_factory=dict)
    decisions: dict[int, Decision] = field(default_factory=dict)
    soon: set[int] = field(default_factory=set)
    """Whose creation is put off a moment, since somebody is about to leave their e-mail."""

    def work(self, *, claimed: int, held: int) -> Work:
        """What is to be done."""
        items, asking = list(self.items.values()), list(self.asking.values())
        return Work(claimed=claimed, items=items, asking=asking, leaving=list(self.leaving.values()), held=held)

    def restart(self) -> None:
        """What was asked for is judged once more."""
        for told in (self.items, self.decisions, self.soon):
            told.clear()

    def forget(self, pair: int) -> None:
        """Nothing is done for this one."""
        self.items.pop(pair, None)
        self.asking.pop(pair, None)
        self.leaving.pop(pair, None)
        self.decisions.pop(pair, None)


class Settler:
    """Writes what is owed to one system. Any number may run side by side, in one process or many."""

    def __init__(
        self,
        ledger: Ledger,
        writer: Writer,
        terms: Terms,
        clock: Callable[[], int],
        *,
        read_first: Ahead = Ahead.NOTHING,
        batch_max: int = 300,
        lag: Lag | None = None,
        caller: Caller | None = None,
        fitting: Callable[[Plan], Plan] = lambda planned: planned,
    ) -> None:
        """`lag`: how far behind the system's feed is read; what is written meanwhile comes back later still. `caller`: this process, so
        that others know whose its calls are. `fitting`: what is planned without the fields that can't be written at the moment."""
        self._caller, self._fitting = caller, fitting
        self._ledger, self._writer, self._terms, self._clock = ledger, writer, terms, clock
        self._read_first = read_first
        self._batch_max = min(batch_max, writer.batch_max)
        self._system = writer.system
        self._kind = Kind.WRITE_SALESFORCE if writer.system is System.SALESFORCE else Kind.WRITE_MARKETO
        self._lag = lag
        self._answers = Answers(ledger, writer.system, terms, clock)
        self._withdrawals = Withdrawals(ledger, writer, terms, clock, self._leased)

    @property
    def _number(self) -> int:
        return self._caller.number if self._caller else 0

    def _may_begin(self, begin_until: int) -> bool:
        """Whether a call may still begin: its lease has not run out, and nobody has taken us for dead and its records in hand."""
        return (not begin_until or self._clock() < begin_until) and (self._caller is None or self._caller.lively())

    async def round(self, lane: Lane = Lane.COPY) -> Settled:
        """One batch: what is due now in lanes up to `lane`. `claimed == 0`: nothing was."""
        return await self.finish(await self.claim(lane))

    async def finish(self, work: "Work") -> Settled:
        """The calls for what was claimed, and their outcomes."""
        settled = Settled(claimed=work.claimed, held=work.held)
        items = list(work.items)
        failure: SyncError | None = None
        try:
            items += await self._ask(work.asking, settled)
            items += await self._withdraw(work.leaving, settled)
        except SyncError as error:
            failure = error
        except BaseException:
            await asyncio.shield(self._unsent(items, "interrupted", settled))
            raise
        await self._run(_calls(items, self._batch_max), settled)
        if failure is not None:
            raise failure
        return settled

    async def claim(self, lane: Lane = Lane.COPY, *, read_first: Ahead | None = None) -> "Work":
        """Lock, plan, commit the intents. Pairs that need an answer from the system first are leased instead.

        `read_first` overrides for this batch which records are read before they are written to.
        """
        reading = self._read_first if read_first is None else read_first
        try:
            return await self._claim(lane, reading=reading, singly=False)
        except Fault:
            return await self._claim(lane, reading=reading, singly=True)

    async def _claim(self, lane: Lane, *, reading: Ahead, singly: bool) -> "Work":
        """`singly`: each pair is planned and saved by itself, and held where that fails."""
        draft = _Draft()
        try:
            return await self._planned(draft, lane, reading=reading, singly=singly)
        except Unknown as error:
            await asyncio.shield(self._never_made(draft.work(claimed=0, held=0), str(error)))
            raise

    async def _planned(self, draft: "_Draft", lane: Lane, *, reading: Ahead, singly: bool) -> "Work":
        now, lag_ms = self._clock(), await self._lag() if self._lag is not None else 0
        async with self._ledger.transaction() as tx:
            pairs = await tx.claim(self._kind, now, self._batch_max, lane)
            patience = self._patience(lag_ms, full=len(pairs) >= self._batch_max)
            writes = [await self._ledger.write_id() for _ in pairs]
            failed = 0
            for pair, write in zip(pairs, writes, strict=True):
                claimed = partial(self._claimed, draft, write=write, now=now, patience=patience, reading=reading)
                if singly and await apart.alone(tx, self._terms, pair, now, claimed):
                    draft.forget(pair.id)
                    failed += 1
                elif not singly:
                    with step("planning", pair.id):
                        claimed(pair)
            if pairs and not singly:
                await tx.save(pairs, now)
        return draft.work(claimed=len(pairs), held=failed)

    def _claimed(self, draft: "_Draft", pair: Pair, *, write: int, now: int, patience: Patience, reading: Ahead) -> None:
        """The pair with its intent or its lease."""
        planned = plan(pair.state, self._system, self._terms.rules, exact=self._terms.exact_on(self._system))
        pair_lane = Lane(pair.state.lane)
        if isinstance(planned, Delete) and planned.spare:
            pair.state = self._leased(pair.state, write, now)
            draft.leaving[pair.id] = (pair.id, pair.state, pair_lane)
        elif isinstance(planned, Create) or (isinstance(planned, Update) and reading.covers(pair_lane)):
            pair.state = self._leased(pair.state, write, now)
            draft.asking[pair.id] = (pair.id, pair.state, pair_lane)
        else:
            self._intend(draft, pair, planned, write=write, now=now, patience=patience)
        pair.state = self._terms.with_due(pair.state, now)

    async def _never_made(self, work: "Work", why: str) -> None:
        """Intents and leases that may have been committed, for calls that were certainly not made, are taken back at once."""
        await self._unsent(work.items, f"not sent: {why}", Settled(), unsure=True)
        if work.asking:
            await self._release(work.asking)
        if work.leaving:
            await self._persist(lambda: self._withdrawals.release(work.leaving, AGAIN_MS))

    async def _persist(self, step: Callable[[], Awaitable[object]]) -> None:
        seconds = self._terms.patience(self._system).call_ms / 1000
        await persistently(step, doing=f"releasing records of {self._system}", seconds=seconds)

    def _patience(self, lag_ms: int, *, full: bool) -> Patience:
        """How long the feed has for what is written now. Full calls fill it faster than it can be read, three rows and more a record."""
        usual = self._terms.patience(self._system)
        if self._lag is None:
            return usual
        return replace(usual, silent_ms=usual.silent_ms + min(_LAG_GROWTH * lag_ms, _LATER_MS_MAX) + (_FLOOD_MS if full else 0))

    def _intend(self, draft: "_Draft", pair: Pair, planned: Plan, *, write: int, now: int, patience: Patience) -> None:
        lane = Lane(pair.state.lane)
        planned = self._fitting(planned)
        match planned:
            case Create() | Update():
                item = Item(write=write, pair=pair.id, order=planned, key=pair.state.marketo.id, begin_until=now + patience.begin_ms)
                pair.state = intend(pair.state, self._system, planned, write=write, now=now, patience=patience, caller=self._number)
                draft.items[pair.id] = (item, lane)
            case Delete():
                pair.state = self._leased(pair.state, write, now)
                draft.items[pair.id] = (Item(write=write, pair=pair.id, order=planned, begin_until=now + patience.begin_ms), lane)
            case Nothing(refused=refused):
                pair.state = refuse(pair.state, self._system, refused)
                state = pair.state.with_fields({})
                state.due = _without(state.due, self._kind)
                pair.state = state

    def _leased(self, state: PairState, write: int, now: int) -> PairState:
        record = copy(state.record(self._system))
        record.calling, record.calling_until = write, now + self._terms.patience(self._system).call_ms
        record.caller = self._number
        return state.with_record(self._system, record)

    async def _ask(self, asking: Sequence[tuple[int, PairState, Lane]], settled: Settled) -> list[tuple[Item, Lane]]:
        """Look people up before they are created, and read records before they are written to; then plan again.

        A question that is refused is narrowed down to the pair that caused it; that one waits until it changes.
        """
        if not asking:
            return []
        try:
            readings, found = await self._readings(asking)
        except Reject as error:
            middle = len(asking) // 2
            if middle:
                return await self._ask(asking[:middle], settled) + await self._ask(asking[middle:], settled)
            await self._release(asking, f"{error.code} {error}".strip())
            return []
        except BaseException:
            await asyncio.shield(self._release(asking))
            raise
        draft = _Draft()

        async def answered() -> list[tuple[Item, Lane]]:
            try:
                return await self._answered(asking, readings, found, draft)
            except Fault:
                return await self._answered_singly(asking, readings, found, draft, settled)

        try:
            return await persistently(
                answered,
                doing=f"keeping what was asked of {self._system}",
                seconds=self._terms.patience(self._system).call_ms / 1000,
                passes=lambda error: not isinstance(error, Unknown),
            )
        except BaseException as error:
            work = Work(claimed=0, items=list(draft.items.values()), asking=list(asking))
            await asyncio.shield(self._never_made(work, str(error) or "interrupted"))
            raise

    async def _answered(
        self, asking: Sequence[tuple[int, PairState, Lane]], readings: Sequence[ChangeEvent], found: Found, draft: "_Draft"
    ) -> list[tuple[Item, Lane]]:
        """The readings judged, and their pairs planned again, all in one transaction."""
        now, patience = self._clock(), await self._patience_now(len(asking))
        draft.restart()
        async with self._ledger.transaction() as tx:
            judging = Judging(tx, self._terms, now)
            numbers = [number for number, _, _ in asking]
            await judging.load([*readings, *(event for events in found.values() for event in events)], also=numbers)
            with step("judging a reading"):
                for event in readings:
                    judging.judge(event, NOWHERE)
            pairs = await tx.by_id(numbers)
            for number, leased, _ in asking:
                if (pair := pairs.get(number)) is not None:
                    with step("resolving a look-up", number):
                        self._resolve(draft, leased, found.get(number, []), pair, now=now, judging=judging)
            await judging.save()
            for number, pair in pairs.items():
                write = await self._ledger.write_id()
                with step("planning", number):
                    self._replanned(draft, pair, write=write, now=now, patience=patience)
            await tx.record(list(draft.decisions.values()))
            await tx.save(list(pairs.values()), now)
        return list(draft.items.values())

    async def _answered_singly(
        self,
        asking: Sequence[tuple[int, PairState, Lane]],
        readings: Sequence[ChangeEvent],
        found: Found,
        draft: "_Draft",
        settled: Settled,
    ) -> list[tuple[Item, Lane]]:
        """The same, each reading and each pair by itself."""
        now, patience = self._clock(), await self._patience_now(len(asking))
        settled.held += (await apart.judged(self._ledger, self._terms, readings, now, stage=f"settle.{self._system}")).dead
        draft.restart()
        async with self._ledger.transaction() as tx:
            for number, leased, _ in sorted(asking, key=lambda one: one[0]):
                write = await self._ledger.write_id()

                def replanned(pair: Pair, leased: PairState = leased, write: int = write) -> None:
                    self._resolve(draft, leased, found.get(pair.id, []), pair, now=now)
                    self._replanned(draft, pair, write=write, now=now, patience=patience)

                if await apart.each(tx, self._terms, [number], now, replanned):
                    draft.forget(number)
                    settled.held += 1
            await tx.record(list(draft.decisions.values()))
        return list(draft.items.values())

    async def _patience_now(self, records: int) -> Patience:
        lag_ms = await self._lag() if self._lag is not None else 0
        return self._patience(lag_ms, full=records >= self._batch_max)

    def _replanned(self, draft: "_Draft", pair: Pair, *, write: int, now: int, patience: Patience) -> None:
        if pair.id in draft.soon:
            pair.state = later(pair.state, self._kind, now + AGAIN_MS)
        else:
            planned = plan(pair.state, self._system, self._terms.rules, exact=self._terms.exact_on(self._system))
            self._intend(draft, pair, planned, write=write, now=now, patience=patience)
        pair.state = self._terms.with_due(pair.state, now)

    async def _withdraw(self, leaving: Sequence[Leaving], settled: Settled) -> list[tuple[Item, Lane]]:
        try:
            return await self._withdrawals.ask(leaving) if leaving else []
        except Fault as fault:
            if len(leaving) > 1:
                return [item for each in leaving for item in await self._withdraw([each], settled)]
            settled.held += await apart.held(self._ledger, self._terms, leaving[0][0], fault, self._clock())
            return []
        except BaseException as error:
            after_ms = REFUSED_DELETION_MS if isinstance(error, (Reject, Fatal)) else AGAIN_MS
            await asyncio.shield(self._withdrawals.release(leaving, after_ms))
            raise

    async def _readings(self, asking: Sequence[tuple[int, PairState, Lane]]) -> tuple[list[ChangeEvent], Found]:
        """Readings to be judged, and for each pair without a record who may be meant (so many as are ever looked at)."""
        lane = min(lane for _, _, lane in asking)
        nameless = {number: state for number, state, _ in asking if not state.record(self._system).id}
        readings: list[ChangeEvent] = []
        found: Found = {}
        if nameless:
            for number, events in (await self._writer.candidates(nameless, lane)).items():
                found[number] = events[:ALIKE_MAX]
                if len(events) == 1:
                    readings.append(events[0])
        named: dict[str, list[str]] = {}
        for _, state, _ in asking:
            if state.record(self._system).id:
                named.setdefault(state.object, []).append(state.record(self._system).id)
        for ids in named.values():
            obj = next(state.object for _, state, _ in asking if state.record(self._system).id in ids)
            readings += [event for event in (await self._writer.read(obj, ids, lane)).values() if event is not None]
        return readings, found

    def _resolve(
        self, draft: "_Draft", leased: PairState, found: Sequence[ChangeEvent], pair: Pair, *, now: int, judging: Judging | None = None
    ) -> None:
        """The lease is over; the pair is held where the answer was not one person who is free.

        Without `judging` nobody who was found is known, and nobody becomes so.
        """
        pair.state = withdrawn(pair.state, self._system, leased.record(self._system).calling)
        if pair.state.record(self._system).id or not found or pair.state.hold:
            return
        standing = stands(pair.state, found, judging.pair_of if judging else lambda *_: None, self._terms)
        if standing.soon:
            draft.soon.add(pair.id)
        if standing.reason:
            other, key = self._system.other, self._terms.match_key(pair.state) or ""
            pair.state = held(pair.state, standing.reason, key)
            record = pair.state.record(other).id
            draft.decisions[pair.id] = Decision(kind="held", at=now, pair=pair.id, system=other, record=record, detail=standing.reason)
            if judging is not None:
                for stranger in standing.strangers:
                    judging.keep_apart(stranger, standing.reason, key)

    async def _release(self, asking: Sequence[tuple[int, PairState, Lane]], refused: str = "") -> None:
        """Nothing was found out. `refused`: the system won't answer for these, in its own words."""
        leases = {number: leased.record(self._system).calling for number, leased, _ in asking}

        def released(pair: Pair) -> None:
            state = withdrawn(pair.state, self._system, leases[pair.id])
            if refused:
                state = uncreatable(state, self._system, refused, row_mark(state, self._terms.rules))
            pair.state = self._terms.with_due(state, self._clock())

        await self._persist(lambda: apart.changed(self._ledger, self._terms, list(leases), self._clock(), released))

    async def _run(self, calls: Sequence[Sequence[tuple[Item, Lane]]], settled: Settled) -> None:
        """One call after the other. Where one ends it all, the rest were certainly not made."""
        for place, call in enumerate(calls):
            try:
                await self._call(call, settled)
            except BaseException as error:
                rest = [item for later in calls[place + 1 :] for item in later]
                await asyncio.shield(self._unsent(rest, str(error) or "interrupted", settled))
                raise

    async def _unsent(self, items: Sequence[tuple[Item, Lane]], why: str, settled: Settled, *, unsure: bool = False) -> None:
        if items:
            await self._answers.commit([item for item, _ in items], None, "not sent", why, settled, after_ms=AGAIN_MS, unsure=unsure)

    async def _call(self, call: Sequence[tuple[Item, Lane]], settled: Settled) -> None:
        """One call and its outcomes. A refusal of the whole call is narrowed down to the record that caused it."""
        items, lane = [item for item, _ in call], min(lane for _, lane in call)
        begin_until = min((item.begin_until for item in items if item.begin_until), default=0)
        settled.calls += 1
        settled.records += len(items)
        try:
            with leased(lambda: self._may_begin(begin_until)):
                must_hold(f"a write to {self._system}")
                outcomes = await self._writer.write(items, lane)
                outcomes = await narrowed(partial(self._writer.write, lane=lane), items, outcomes)
        except Unknown as error:
            settled.trouble, settled.wait_seconds = str(error), max(settled.wait_seconds, error.after_seconds)
            await self._answers.commit(items, None, "unknown", str(error), settled)
            return
        except Retry as error:
            settled.trouble, settled.wait_seconds = str(error), max(settled.wait_seconds, error.after_seconds)
            await self._answers.commit(items, None, "not sent", str(error), settled, after_ms=round(error.after_seconds * 1000))
            return
        except Fatal as error:
            await self._answers.commit(items, None, "not sent", str(error), settled, after_ms=FATAL_MS)
            raise
        except Reject as error:
            if len(call) > 1:
                middle = len(call) // 2
                await self._run([call[:middle], call[middle:]], settled)
                return
            outcomes = [Outcome(fate=Fate.REJECTED, reason=f"{error.code} {error}".strip())]
        except BaseException:
            await asyncio.shield(self._answers.commit(items, None, "unknown", "interrupted", settled))
            raise
        await self._answers.commit(items, await self._with_rivals(items, outcomes, lane), "", "", settled)

    async def _with_rivals(self, items: Sequence[Item], outcomes: Sequence[Outcome], lane: Lane) -> list[Outcome]:
        """The outcomes, those of creations that would be one too many with readings of who is there; without where they can't be had."""
        met = {item.pair: place for place, (item, outcome) in enumerate(zip(items, outcomes, strict=True)) if outcome.fate is Fate.SEVERAL}
        told = list(outcomes)
        if not met:
            return told
        async with self._ledger.transaction() as tx:
            wanted = {number: pair.state for number, pair in (await tx.by_id(list(met))).items()}
        try:
            found = await self._writer.candidates(wanted, lane)
        except SyncError:
            return told
        for number, events in found.items():
            told[met[number]] = replace(told[met[number]], rivals=tuple(events[:ALIKE_MAX]))
        return told


def _calls(items: Sequence[tuple[Item, Lane]], most: int) -> list[list[tuple[Item, Lane]]]:
    """The items in as few calls as their kinds and objects allow."""
    groups: dict[tuple[type, str], list[tuple[Item, Lane]]] = {}
    for item, lane in items:
        groups.setdefault((type(item.order), item.order.object), []).append((item, lane))
    return [group[start : start + most] for group in groups.values() for start in range(0, len(group), most)]


def _without(due: tuple[int, int, int, int], kind: Kind) -> tuple[int, int, int, int]:
    return tuple(0 if place == kind else moment for place, moment in enumerate(due))  # type: ignore[return-value]

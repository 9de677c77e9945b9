"""Settle: pairs that are owed writes on one system, drained into it in full calls.

The order of effects, each a step that a crash may follow: claim and intents (one durable commit), the call, its outcomes (one
commit). A crash after the intents leaves writes in doubt, which the feed or a look settles. Before a creation the system is asked
whether it has this person already; where the configuration wants it, a record is read before it is written to.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, field

from consumers.introductions import AMBIGUOUS, inherit
from consumers.judging import NOWHERE, Judging, held
from consumers.ledger.port import Kind, Ledger, Pair, Taken, Transaction
from consumers.merge.decision import Decision, Ruling, Verdict
from consumers.merge.plan import (
    Create,
    Delete,
    Nothing,
    Update,
    answered,
    born,
    failed,
    intend,
    plan,
    refuse,
    rejected,
    uncreatable,
    withdrawn,
)
from consumers.merge.state import PairState, Record
from consumers.merge.terms import Terms
from consumers.writers.port import Fate, Item, Outcome, Writer
from streams.budget import Lane
from streams.errors import Fatal, Reject, Retry, SyncError, Unknown
from streams.events import ChangeEvent
from streams.systems import System

_AGAIN_MS, _FATAL_MS, _REFUSED_DELETION_MS = 3_000, 60_000, 900_000
"""When a record that could not be written now is tried again."""


@dataclass(slots=True, kw_only=True)
class Settled:
    """What a round came to."""

    claimed: int = 0
    calls: int = 0
    records: int = 0
    fates: Counter[str] = field(default_factory=Counter)
    wait_seconds: float = 0.0
    """How long the system asked to be left alone."""
    since: list[int] = field(default_factory=list)
    """When the edits behind the written records were made (ms, the clock of their own side), one a record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What was claimed: records to be written, intents committed, and pairs for which the system must be asked first."""

    claimed: int
    items: list[tuple[Item, Lane]]
    asking: list[tuple[int, PairState, Lane]]


class Settler:
    """Writes what is owed to one system. Any number may run side by side, in one process or many."""

    def __init__(
        self, ledger: Ledger, writer: Writer, terms: Terms, clock: Callable[[], int], *, read_first: bool = False, batch_max: int = 300
    ) -> None:
        self._ledger, self._writer, self._terms, self._clock = ledger, writer, terms, clock
        self._read_first = read_first
        self._batch_max = min(batch_max, writer.batch_max)
        self._system = writer.system
        self._kind = Kind.WRITE_SALESFORCE if writer.system is System.SALESFORCE else Kind.WRITE_MARKETO

    async def round(self, lane: Lane = Lane.COPY) -> Settled:
        """One batch: what is due now in lanes up to `lane`. `claimed == 0`: nothing was."""
        return await self.finish(await self.claim(lane))

    async def finish(self, work: "Work") -> Settled:
        """The calls for what was claimed, and their outcomes."""
        settled = Settled(claimed=work.claimed)
        items = list(work.items)
        failure: SyncError | None = None
        try:
            items += await self._ask(work.asking)
        except SyncError as error:
            failure = error
        except BaseException:
            await asyncio.shield(self._unsent(items, "interrupted", settled))
            raise
        await self._run(_calls(items, self._batch_max), settled)
        if failure is not None:
            raise failure
        return settled

    async def claim(self, lane: Lane = Lane.COPY, *, read_first: bool | None = None) -> "Work":
        """Lock, plan, commit the intents. Pairs that need an answer from the system first are leased instead.

        `read_first` overrides for this batch whether records in the live lane are read before they are written to.
        """
        reading = self._read_first if read_first is None else read_first
        now = self._clock()
        items: list[tuple[Item, Lane]] = []
        asking: list[tuple[int, PairState, Lane]] = []
        async with self._ledger.transaction() as tx:
            pairs = await tx.claim(self._kind, now, self._batch_max, lane)
            for pair in pairs:
                planned = plan(pair.state, self._system, self._terms.rules, exact=self._terms.exact_on(self._system))
                pair_lane = Lane(pair.state.lane)
                if isinstance(planned, Create) or (isinstance(planned, Update) and reading and pair_lane is Lane.LIVE):
                    pair.state = self._leased(pair.state, await self._ledger.write_id(), now)
                    asking.append((pair.id, pair.state, pair_lane))
                else:
                    await self._intend(pair, planned, now, items)
                pair.state = self._terms.with_due(pair.state, now)
            if pairs:
                await tx.save(pairs, now)
        return Work(claimed=len(pairs), items=items, asking=asking)

    async def _intend(self, pair: Pair, planned: object, now: int, items: list[tuple[Item, Lane]]) -> None:
        lane = Lane(pair.state.lane)
        match planned:
            case Create() | Update():
                write = await self._ledger.write_id()
                item = Item(write=write, pair=pair.id, order=planned, key=pair.state.marketo.id)
                patience = self._terms.patience(self._system)
                pair.state = intend(pair.state, self._system, planned, write=write, now=now, patience=patience)
                items.append((item, lane))
            case Delete():
                write = await self._ledger.write_id()
                pair.state = self._leased(pair.state, write, now)
                items.append((Item(write=write, pair=pair.id, order=planned), lane))
            case Nothing(refused=refused):
                pair.state = refuse(pair.state, self._system, refused)
                state = pair.state.with_fields({})
                state.due = _without(state.due, self._kind)
                pair.state = state

    def _leased(self, state: PairState, write: int, now: int) -> PairState:
        record = copy(state.record(self._system))
        record.calling, record.calling_until = write, now + self._terms.patience(self._system).call_ms
        return state.with_record(self._system, record)

    async def _ask(self, asking: Sequence[tuple[int, PairState, Lane]]) -> list[tuple[Item, Lane]]:
        """Look people up before they are created, and read records before they are written to; then plan again.

        A question that is refused is narrowed down to the pair that caused it; that one waits until it changes.
        """
        if not asking:
            return []
        try:
            readings, several = await self._readings(asking)
        except Reject as error:
            middle = len(asking) // 2
            if middle:
                return await self._ask(asking[:middle]) + await self._ask(asking[middle:])
            await self._release(asking, f"{error.code} {error}".strip())
            return []
        except BaseException:
            await asyncio.shield(self._release(asking))
            raise
        now = self._clock()
        items: list[tuple[Item, Lane]] = []
        async with self._ledger.transaction() as tx:
            judging = Judging(tx, self._terms, now)
            await judging.load(readings)
            for event in readings:
                judging.judge(event, NOWHERE)
            await judging.save()
            pairs = await tx.by_id([number for number, _, _ in asking])
            for number, leased, _ in asking:
                pair = pairs.get(number)
                if pair is not None:
                    self._resolve(pair, leased, several.get(number))
                    planned = plan(pair.state, self._system, self._terms.rules, exact=self._terms.exact_on(self._system))
                    await self._intend(pair, planned, now, items)
                    pair.state = self._terms.with_due(pair.state, now)
            await tx.save(list(pairs.values()), now)
        return items

    async def _readings(self, asking: Sequence[tuple[int, PairState, Lane]]) -> tuple[list[ChangeEvent], dict[int, int]]:
        lane = min(lane for _, _, lane in asking)
        nameless = {number: state for number, state, _ in asking if not state.record(self._system).id}
        readings: list[ChangeEvent] = []
        several: dict[int, int] = {}
        if nameless:
            for number, found in (await self._writer.candidates(nameless, lane)).items():
                several[number] = len(found)
                if len(found) == 1:
                    readings.append(found[0])
        named: dict[str, list[str]] = {}
        for _, state, _ in asking:
            if state.record(self._system).id:
                named.setdefault(state.object, []).append(state.record(self._system).id)
        for ids in named.values():
            obj = next(state.object for _, state, _ in asking if state.record(self._system).id in ids)
            readings += [event for event in (await self._writer.read(obj, ids, lane)).values() if event is not None]
        return readings, several

    def _resolve(self, pair: Pair, leased: PairState, found: int | None) -> None:
        """The lease is over; the pair is held where the answer was not one person who is free."""
        pair.state = withdrawn(pair.state, self._system, leased.record(self._system).calling)
        if not pair.state.record(self._system).id and found is not None and not pair.state.hold:
            pair.state = held(pair.state, f"{AMBIGUOUS}: {self._system} has {found} record(s) like this one, none of them free")

    async def _release(self, asking: Sequence[tuple[int, PairState, Lane]], refused: str = "") -> None:
        """Nothing was found out. `refused`: the system won't answer for these, in its own words."""
        async with self._ledger.transaction() as tx:
            pairs = await tx.by_id([number for number, _, _ in asking])
            for number, leased, _ in asking:
                if number in pairs:
                    state = withdrawn(pairs[number].state, self._system, leased.record(self._system).calling)
                    if refused:
                        state = uncreatable(state, self._system, refused)
                    pairs[number].state = self._terms.with_due(state, self._clock())
            await tx.save(list(pairs.values()), self._clock())

    async def _run(self, calls: Sequence[Sequence[tuple[Item, Lane]]], settled: Settled) -> None:
        """One call after the other. Where one ends it all, the rest were certainly not made."""
        for place, call in enumerate(calls):
            try:
                await self._call(call, settled)
            except BaseException as error:
                rest = [item for later in calls[place + 1 :] for item in later]
                await asyncio.shield(self._unsent(rest, str(error) or "interrupted", settled))
                raise

    async def _unsent(self, items: Sequence[tuple[Item, Lane]], why: str, settled: Settled) -> None:
        if items:
            await self._commit([item for item, _ in items], None, "not sent", why, settled, after_ms=_AGAIN_MS)

    async def _call(self, call: Sequence[tuple[Item, Lane]], settled: Settled) -> None:
        """One call and its outcomes. A refusal of the whole call is narrowed down to the record that caused it."""
        items = [item for item, _ in call]
        settled.calls += 1
        settled.records += len(items)
        try:
            outcomes: list[Outcome] | None = await self._writer.write(items, min(lane for _, lane in call))
        except Unknown as error:
            await self._commit(items, None, "unknown", str(error), settled)
            settled.wait_seconds = max(settled.wait_seconds, error.after_seconds)
            return
        except Retry as error:
            await self._commit(items, None, "not sent", str(error), settled, after_ms=round(error.after_seconds * 1000))
            settled.wait_seconds = max(settled.wait_seconds, error.after_seconds)
            return
        except Fatal as error:
            await self._commit(items, None, "not sent", str(error), settled, after_ms=_FATAL_MS)
            raise
        except Reject as error:
            if len(call) > 1:
                middle = len(call) // 2
                await self._run([call[:middle], call[middle:]], settled)
                return
            outcomes = [Outcome(fate=Fate.REJECTED, reason=f"{error.code} {error}".strip())]
        except BaseException:
            await asyncio.shield(self._commit(items, None, "unknown", "interrupted", settled))
            raise
        await self._commit(items, outcomes, "", "", settled)

    async def _commit(
        self,
        items: Sequence[Item],
        outcomes: Sequence[Outcome] | None,
        fate: str,
        detail: str,
        settled: Settled,
        *,
        after_ms: int = _AGAIN_MS,
    ) -> None:
        now = self._clock()
        async with self._ledger.transaction(durable=outcomes is None) as tx:
            pairs = await tx.by_id([item.pair for item in items])
            decisions = []
            for place, item in enumerate(items):
                outcome = outcomes[place] if outcomes is not None else None
                settled.fates[outcome.fate if outcome else fate] += 1
                pair = pairs.get(item.pair)
                if pair is None:
                    continue
                state = self._after(pair.state, item, outcome, fate, now)
                if fate == "not sent" or (outcome is not None and outcome.fate in (Fate.EXISTS, Fate.BUSY, Fate.GONE)):
                    state = _later(state, self._kind, now + after_ms)
                elif outcome is not None and outcome.fate is Fate.REJECTED and isinstance(item.order, Delete):
                    state = _later(state, self._kind, now + _REFUSED_DELETION_MS)
                pair.state = self._terms.with_due(state, now)
                if outcome is not None and outcome.fate is Fate.DONE and isinstance(item.order, (Create, Update)):
                    settled.since.append(
                        max((state.fields[out.key].agreed_at for out in item.order.fields if out.key in state.fields), default=0)
                    )
                result = outcome or Outcome(fate=Fate.REJECTED, reason=detail)
                decisions.append(self._decision(item, result, fate or result.fate, pair, now))
            await self._absorb(tx, items, outcomes, pairs)
            try:
                await tx.save(list(pairs.values()), now)
            except Taken as error:
                raise Retry(f"the ledger: {error}; it is tried again") from error
            await tx.record(decisions)

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
            return failed(state, self._system, item.write) if fate == "unknown" else withdrawn(state, self._system, item.write)
        match outcome.fate:
            case Fate.DONE:
                return self._done(state, item, outcome, now)
            case Fate.EXISTS | Fate.BUSY:
                return withdrawn(state, self._system, item.write)
            case Fate.GONE:
                return self._gone(withdrawn(state, self._system, item.write), item)
            case Fate.REJECTED:
                return rejected(state, self._system, item.write, outcome.reason, outcome.fields)

    def _done(self, state: PairState, item: Item, outcome: Outcome, now: int) -> PairState:
        if isinstance(item.order, Delete):
            return self._gone(withdrawn(state, self._system, item.write), item)
        state = answered(state, self._system, item.write, now, outcome.until)
        if isinstance(item.order, Update):
            return state
        record = state.record(self._system)
        if record.id and record.id != outcome.id:
            new = copy(withdrawn(state, self._system, item.write))
            if (self._system, outcome.id) not in new.retract:
                new.retract = (*new.retract, (self._system, outcome.id))
            return new
        return born(state, self._system, outcome.id, item.write, witnessed=self._system is System.MARKETO)

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
            detail=outcome.reason,
        )


def _calls(items: Sequence[tuple[Item, Lane]], most: int) -> list[list[tuple[Item, Lane]]]:
    """The items in as few calls as their kinds and objects allow."""
    groups: dict[tuple[type, str], list[tuple[Item, Lane]]] = {}
    for item, lane in items:
        groups.setdefault((type(item.order), item.order.object), []).append((item, lane))
    return [group[start : start + most] for group in groups.values() for start in range(0, len(group), most)]


def _later(state: PairState, kind: Kind, at: int) -> PairState:
    """Not before `at`."""
    new = state.with_fields({})
    new.due = tuple(at if place == kind else moment for place, moment in enumerate(state.due))  # type: ignore[assignment]
    return new


def _without(due: tuple[int, int, int, int], kind: Kind) -> tuple[int, int, int, int]:
    return tuple(0 if place == kind else moment for place, moment in enumerate(due))  # type: ignore[return-value]

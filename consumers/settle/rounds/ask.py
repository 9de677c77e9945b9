"""Ask: the system is asked before a creation whether it has this person already, and, where the configuration wants it, a record is
read before it is written to.

The order of effects: the leases stand (the claim's commit), the questions, one commit with what they came to and the intents planned
from it. A crash before that commit leaves leases that run out; after it, writes in doubt.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from consumers.judging import apart
from consumers.judging.batch import NOWHERE, Judging
from consumers.judging.meeting.candidates import ALIKE_MAX
from consumers.judging.meeting.holds import held
from consumers.ledger.faults import Fault, step
from consumers.ledger.persist import persistently
from consumers.ledger.port import Ledger, Pair, Transaction
from consumers.merge.pair.decision import Decision
from consumers.merge.pair.state import PairState
from consumers.merge.terms import Terms
from consumers.merge.writing.writes import Patience, withdrawn
from consumers.settle.conditions.later import AGAIN_MS, later
from consumers.settle.rounds.answers import Settled
from consumers.settle.rounds.intents import Intents
from consumers.settle.rounds.lookups import stands
from consumers.settle.rounds.release import Releases
from consumers.settle.rounds.work import Asking, Draft, Owed, Work
from consumers.settle.writers.port import Writer
from streams.wire.errors import Reject, Unknown
from streams.wire.events import ChangeEvent
from streams.wire.systems import Object

Found = dict[int, list[ChangeEvent]]
"""By pair: readings of those who may be meant by it."""


class Questions:
    """Asks one system about pairs that were leased for it."""

    def __init__(
        self, ledger: Ledger, writer: Writer, terms: Terms, clock: Callable[[], int], *, intents: Intents, releases: Releases
    ) -> None:
        self._ledger, self._writer, self._terms, self._clock = ledger, writer, terms, clock
        self._intents, self._releases, self._system = intents, releases, writer.system

    async def ask(self, asking: Sequence[Asking], settled: Settled) -> list[Owed]:
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
                return await self.ask(asking[:middle], settled) + await self.ask(asking[middle:], settled)
            await self._releases.unasked(asking, f"{error.code} {error}".strip())
            return []
        except BaseException:
            await asyncio.shield(self._releases.unasked(asking))
            raise
        return await self._kept(asking, readings, found, settled)

    async def _kept(self, asking: Sequence[Asking], readings: Sequence[ChangeEvent], found: Found, settled: Settled) -> list[Owed]:
        """The answers told to the ledger, again and again while others are in the way; the intents where that can't be are taken back."""
        draft = Draft()

        async def answered() -> list[Owed]:
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
            await asyncio.shield(self._releases.never_made(work, str(error) or "interrupted"))
            raise

    async def _answered(self, asking: Sequence[Asking], readings: Sequence[ChangeEvent], found: Found, draft: Draft) -> list[Owed]:
        """The readings judged, and their pairs planned again, all in one transaction."""
        now, patience = self._clock(), self._intents.patience(await self._intents.lag_ms(), len(asking))
        draft.restart()
        async with self._ledger.transaction() as tx:
            judging = Judging(tx, self._terms, now)
            numbers = [number for number, _, _ in asking]
            await judging.load([*readings, *(event for events in found.values() for event in events)], also=numbers)
            with step("judging a reading"):
                for event in readings:
                    judging.judge(event, NOWHERE)
            pairs = {number: pair for number, pair in (await tx.by_id(numbers)).items() if number not in judging.ended}
            for number, leased, _ in asking:
                if (pair := pairs.get(number)) is not None:
                    with step("resolving a look-up", number):
                        self._resolve(draft, leased, found.get(number, []), pair, now=now, judging=judging)
            await judging.save()
            parents = await self._parents(tx, pairs.values())
            for number, pair in pairs.items():
                write = await self._ledger.write_id()
                with step("planning", number):
                    self._replanned(draft, pair, write=write, now=now, patience=patience, parents=parents)
            await self._related(tx, draft)
            await tx.record(list(draft.decisions.values()))
            await tx.save(list(pairs.values()), now)
        return list(draft.items.values())

    async def _answered_singly(
        self,
        asking: Sequence[Asking],
        readings: Sequence[ChangeEvent],
        found: Found,
        draft: Draft,
        settled: Settled,
    ) -> list[Owed]:
        """The same, each reading and each pair by itself."""
        now, patience = self._clock(), self._intents.patience(await self._intents.lag_ms(), len(asking))
        settled.held += (await apart.judged(self._ledger, self._terms, readings, now, stage=f"settle.{self._system}")).dead
        draft.restart()
        async with self._ledger.transaction() as tx:
            for number, leased, _ in sorted(asking, key=lambda one: one[0]):
                write = await self._ledger.write_id()
                parents = await self._parents(tx, (await tx.by_id([number])).values())

                def replanned(pair: Pair, leased: PairState = leased, write: int = write, parents: Mapping[str, str] = parents) -> None:
                    self._resolve(draft, leased, found.get(pair.id, []), pair, now=now)
                    self._replanned(draft, pair, write=write, now=now, patience=patience, parents=parents)

                if await apart.each(tx, self._terms, [number], now, replanned):
                    draft.forget(number)
                    settled.held += 1
            await self._related(tx, draft)
            await tx.record(list(draft.decisions.values()))
        return list(draft.items.values())

    async def _parents(self, tx: Transaction, pairs: Iterable[Pair]) -> Mapping[str, str]:
        names = [self._intents.names(pair) for pair in pairs if self._intents.may_refer(pair)]
        return await self._intents.parents(tx, set().union(*names))

    async def _related(self, tx: Transaction, draft: Draft) -> None:
        if draft.references:
            await tx.relate(draft.references)

    def _replanned(self, draft: Draft, pair: Pair, *, write: int, now: int, patience: Patience, parents: Mapping[str, str]) -> None:
        if pair.id in draft.soon:
            pair.state = later(pair.state, self._intents.duty, now + AGAIN_MS)
        else:
            planned = self._intents.ready(draft, pair, parents)
            self._intents.intend(draft, pair, planned, write=write, now=now, patience=patience, parents=parents)
        pair.state = self._terms.with_due(pair.state, now)

    async def _readings(self, asking: Sequence[Asking]) -> tuple[list[ChangeEvent], Found]:
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
        named: dict[Object, list[str]] = {}
        for _, state, _ in asking:
            if state.record(self._system).id:
                named.setdefault(state.named_on(self._system), []).append(state.record(self._system).id)
        for obj, ids in named.items():
            readings += [event for event in (await self._writer.read(obj, ids, lane)).values() if event is not None]
        return readings, found

    def _resolve(
        self, draft: Draft, leased: PairState, found: Sequence[ChangeEvent], pair: Pair, *, now: int, judging: Judging | None = None
    ) -> None:
        """The lease is over; the pair is held where the answer was not one person who is free.

        Without `judging` nobody who was found is known, and nobody becomes so.
        """
        pair.state = withdrawn(pair.state, self._system, leased.record(self._system).calling)
        if pair.state.record(self._system).id or not found or pair.state.hold:
            return
        standing = stands(pair.state, found, judging.pair_of if judging else lambda _: None, self._terms)
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

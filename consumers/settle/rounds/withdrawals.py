"""Withdrawals: a record that we created while a person was creating the same one is deleted again, where nothing hangs on it.

The system is asked right before. Where anything hangs on the record it stays, in a pair of its own that is held with the names of both.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from consumers.judging import apart
from consumers.judging.batch import NOWHERE, Judging
from consumers.ledger.faults import Fault, step
from consumers.ledger.persist import unhindered
from consumers.ledger.port import Duty, Ledger, Pair
from consumers.merge.pair.decision import Decision
from consumers.merge.pair.state import PairState, shallow
from consumers.merge.terms import Terms
from consumers.merge.writing.plan import Delete, plan, sort_of_spare
from consumers.merge.writing.writes import withdrawn
from consumers.settle.conditions.later import AGAIN_MS, REFUSED_DELETION_MS, later
from consumers.settle.rounds.answers import Settled
from consumers.settle.rounds.work import Leaving, Owed
from consumers.settle.writers.port import Item, Use, Writer
from streams.wire.errors import Fatal, Reject
from streams.wire.systems import Object, System


class Withdrawals:
    """Asks one system what hangs on records of ours that are to go. `lease` marks a pair as under a call."""

    def __init__(
        self, ledger: Ledger, writer: Writer, terms: Terms, clock: Callable[[], int], lease: Callable[[PairState, int, int], PairState]
    ) -> None:
        self._ledger, self._writer, self._terms, self._clock, self._lease = ledger, writer, terms, clock, lease
        self._system = writer.system
        self._duty = Duty.write_on(writer.system)

    async def ask(self, leaving: Sequence[Leaving], settled: Settled) -> list[Owed]:
        """The deletions that may be made; what may not is settled in the ledger. A pair on which that fails is held."""
        try:
            return await self._asked(leaving) if leaving else []
        except Fault as fault:
            if len(leaving) > 1:
                return [item for each in leaving for item in await self.ask([each], settled)]
            settled.held += await apart.held(self._ledger, self._terms, leaving[0][0], fault, self._clock())
            return []
        except BaseException as error:
            after_ms = REFUSED_DELETION_MS if isinstance(error, (Reject, Fatal)) else AGAIN_MS
            await asyncio.shield(self.release(leaving, after_ms))
            raise

    async def _asked(self, leaving: Sequence[Leaving]) -> list[Owed]:
        """The leases are kept when asking fails."""
        uses = await self._uses(leaving)
        return await unhindered(lambda: self._told(leaving, uses))

    async def _told(self, leaving: Sequence[Leaving], uses: Mapping[str, Use | None]) -> list[Owed]:
        now = self._clock()
        items: list[Owed] = []
        async with self._ledger.transaction() as tx:
            judging = Judging(tx, self._terms, now)
            kept = [use.reading for use in uses.values() if use is not None and use.what]
            await judging.load(kept, also=[number for number, _, _ in leaving])
            pairs = await tx.by_id([number for number, _, _ in leaving])
            decisions: list[Decision] = []
            for number, leased, lane in leaving:
                pair, write = pairs.get(number), await self._ledger.write_id()
                with step("withdrawing a record", number):
                    spare = _spare(leased, self._system)
                    if pair is None or (self._system, spare) not in pair.state.retract:
                        continue
                    pair.state = withdrawn(pair.state, self._system, leased.record(self._system).calling)
                    use = uses.get(spare)
                    if use is not None and not use.what:
                        items.append((self._delete(pair, spare, use, write, now), lane))
                    else:
                        pair.state = _without(pair.state, self._system, spare)
                        decisions.append(self._kept(pair, spare, use, now))
                    pair.state = self._terms.with_due(pair.state, now)
            await tx.save(list(pairs.values()), now)
            with step("judging a reading"):
                for reading in kept:
                    judging.judge(reading, NOWHERE)
            await judging.save()
            await tx.record(decisions)
        return items

    async def release(self, leaving: Sequence[Leaving], after_ms: int) -> None:
        """Nothing was found out: the pairs are as they were, and asked about again after a while."""
        async with self._ledger.transaction() as tx:
            pairs = await tx.by_id([number for number, _, _ in leaving])
            for number, leased, _ in leaving:
                if number in pairs:
                    state = withdrawn(pairs[number].state, self._system, leased.record(self._system).calling)
                    pairs[number].state = self._terms.with_due(later(state, self._duty, self._clock() + after_ms), self._clock())
            await tx.save(list(pairs.values()), self._clock())

    async def _uses(self, leaving: Sequence[Leaving]) -> dict[str, Use | None]:
        by_object: dict[Object, list[str]] = {}
        for _, state, _ in leaving:
            spare = _spare(state, self._system)
            by_object.setdefault(sort_of_spare(state, self._system, spare, self._terms.rules), []).append(spare)
        uses: dict[str, Use | None] = {}
        for obj, ids in by_object.items():
            uses.update(await self._writer.uses(obj, ids, min(lane for _, _, lane in leaving)))
        return uses

    def _delete(self, pair: Pair, spare: str, use: Use, write: int, now: int) -> Item:
        order = plan(pair.state, self._system, self._terms.rules, exact=self._terms.exact_on(self._system))
        assert isinstance(order, Delete)  # noqa: S101 - for the type checker: its record is still to be withdrawn, and the lease is over
        pair.state = self._lease(pair.state, write, now)
        theirs = pair.state.record(self._system).id
        why = f"made by Tandem at the same moment as {theirs}, the same person; nothing hangs on it (asked: {use.asked})"
        begin_until = now + self._terms.patience(self._system).begin_ms
        return Item(write=write, pair=pair.id, order=replace(order, id=spare, why=why), begin_until=begin_until)

    def _kept(self, pair: Pair, spare: str, use: Use | None, now: int) -> Decision:
        what = "is gone already" if use is None else f"is kept, since others use it: {', '.join(use.what)}"
        return Decision(
            kind="held" if use is not None else "looked",
            at=now,
            pair=pair.id,
            system=self._system,
            record=spare,
            outcome="kept" if use is not None else "gone",
            detail=f"made by Tandem at the same moment as {pair.state.record(self._system).id}; it {what}",
        )


def _spare(state: PairState, system: System) -> str:
    """The first record of ours that is to go."""
    return next(record for owner, record in state.retract if owner is system)


def _without(state: PairState, system: System, spare: str) -> PairState:
    state = shallow(state)
    state.retract = tuple(entry for entry in state.retract if entry != (system, spare))
    return state

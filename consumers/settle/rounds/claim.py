"""Claim: pairs that are owed writes on one system are locked, planned and saved with their intents, in one durable commit.

No call is made before that commit. A crash after it leaves writes in doubt, which the feed or a look settles. Where nobody knows
whether it was made, whatever it may have put down is taken back.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from consumers.judging import apart
from consumers.ledger.faults import Fault, step
from consumers.ledger.port import Ledger, Pair, Transaction
from consumers.merge.lives.aside import set_aside
from consumers.merge.terms import Terms
from consumers.merge.writing.plan import Delete
from consumers.merge.writing.writes import Patience
from consumers.settle.conditions.reading_first import Ahead
from consumers.settle.rounds.gathering import Gathering
from consumers.settle.rounds.intents import Intents
from consumers.settle.rounds.release import Releases
from consumers.settle.rounds.work import Draft, Work
from streams.budget.port import Lane
from streams.wire.errors import Unknown

Paused = Callable[[Pair], int]
"""The number of the pause that keeps a pair from being written to; 0: none does."""


def never_paused(pair: Pair) -> int:
    """Nothing is paused."""
    del pair
    return 0


class Claims:
    """Claims what is owed to one system, a full call's worth at once."""

    def __init__(
        self, ledger: Ledger, terms: Terms, clock: Callable[[], int], *, intents: Intents, releases: Releases, gathering: Gathering,
        paused: Paused = never_paused,
    ) -> None:  # fmt: skip
        self._paused = paused
        self._ledger, self._terms, self._clock = ledger, terms, clock
        self._intents, self._releases, self._gathering = intents, releases, gathering

    async def claim(self, lane: Lane, reading: Ahead) -> Work:
        """Lock, plan, commit the intents. Pairs that need an answer from the system first are leased instead."""
        try:
            return await self._drafted(lane, reading, singly=False)
        except Fault:
            return await self._drafted(lane, reading, singly=True)

    async def _drafted(self, lane: Lane, reading: Ahead, *, singly: bool) -> Work:
        draft = Draft()
        try:
            return await self._claim(draft, lane, reading, singly=singly)
        except Unknown as error:
            await asyncio.shield(self._releases.never_made(draft.work(claimed=0, held=0, more=False), str(error)))
            raise

    async def _claim(self, draft: Draft, lane: Lane, reading: Ahead, *, singly: bool) -> Work:
        """`singly`: each pair is planned and saved by itself, and held where that fails."""
        now, lag_ms = self._clock(), await self._intents.lag_ms()
        async with self._ledger.transaction() as tx:
            pairs, more = await self._gathering.claim(tx, self._intents.duty, now, lane)
            pairs = await self._unpaused(tx, pairs)
            patience = self._intents.patience(lag_ms, len(pairs))
            writes = [await self._ledger.write_id() for _ in pairs]
            parents = await self._parents(tx, pairs, singly=singly)
            failed = 0
            for pair, write in zip(pairs, writes, strict=True):
                claimed = partial(self._claimed, draft, write=write, now=now, patience=patience, reading=reading, parents=parents)
                if singly and await apart.singly(tx, self._terms, pair, now, claimed):
                    draft.forget(pair.id)
                    failed += 1
                elif not singly:
                    with step("planning", pair.id):
                        claimed(pair)
            if pairs and not singly:
                await tx.save(pairs, now)
            if draft.references:
                await tx.relate(draft.references)
        return draft.work(claimed=len(pairs), held=failed, more=more)

    async def _unpaused(self, tx: Transaction, pairs: list[Pair]) -> list[Pair]:
        """Those that may be written to; the others are parked until their pause ends."""
        kept = {pair.id: number for pair in pairs if (number := self._paused(pair))}
        if not kept:
            return pairs
        parked = await tx.park(self._intents.duty, kept)
        return [pair for pair in pairs if pair.id not in parked]

    async def _parents(self, tx: Transaction, pairs: Sequence[Pair], *, singly: bool) -> Mapping[str, str]:
        """`singly`: one that can't be planned is held when its turn comes."""
        names: set[str] = set()
        for pair in pairs:
            if self._intents.may_refer(pair):
                with suppress(Exception) if singly else step("planning", pair.id):
                    names |= self._intents.names(pair)
        return await self._intents.parents(tx, names)

    def _claimed(
        self, draft: Draft, pair: Pair, *, write: int, now: int, patience: Patience, reading: Ahead, parents: Mapping[str, str]
    ) -> None:
        """The pair with its intent or its lease."""
        if self._terms.mapping(pair.state).left_out:
            pair.state = set_aside(pair.state)
            return
        planned = self._intents.ready(draft, pair, parents)
        pair_lane = Lane(pair.state.lane)
        if isinstance(planned, Delete) and planned.spare:
            pair.state = self._intents.leased(pair.state, write, now)
            draft.leaving[pair.id] = (pair.id, pair.state, pair_lane)
        elif self._intents.asks_first(pair, planned, reading):
            pair.state = self._intents.leased(pair.state, write, now)
            draft.asking[pair.id] = (pair.id, pair.state, pair_lane)
        else:
            self._intents.intend(draft, pair, planned, write=write, now=now, patience=patience, parents=parents)
        pair.state = self._terms.with_due(pair.state, now)

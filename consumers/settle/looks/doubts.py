"""Doubts: whether a record was made, where the call that was to make it was not answered.

It is looked for where it would stand. What can be made only once is looked for again and again while the call may still arrive, and made
again only when it is not there after that; what is made under a key of ours is made again at once, since that is the same record, unless
its Salesforce record was deleted meanwhile: then what may stand there has to go. While nobody can say (Marketo doesn't let its log be
read, or no search gets through it) it is not made again, and its record says why.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from consumers.judging import apart
from consumers.ledger.persist import unhindered
from consumers.ledger.port import Duty, Ledger, Pair, Taken
from consumers.merge.lives.once import Proof, Search, proved, stands
from consumers.merge.pair.decision import Decision
from consumers.merge.pair.state import PairState
from consumers.merge.terms import Terms
from consumers.settle.writers.port import Writer
from streams.budget.port import Lane
from streams.wire.errors import Fatal, Reject, Retry
from streams.wire.events import ChangeEvent
from streams.wire.systems import System


class Doubts:
    """Resolves those of one system."""

    def __init__(self, ledger: Ledger, writer: Writer, terms: Terms, clock: Callable[[], int]) -> None:
        self._ledger, self._writer, self._terms, self._clock = ledger, writer, terms, clock
        self._system = writer.system

    async def resolve(self, wanted: Mapping[int, PairState]) -> set[Duty]:
        """Found, not made, or still open: each in the ledger, and those that are over with a decision. What has become due by it.

        Raises `Fatal` and `Reject` of the system once that is noted; `Retry` leaves all as it was, to be looked for again.
        """
        if not wanted:
            return set()
        try:
            found = await self._writer.candidates(wanted, Lane.REPAIR)
        except (Fatal, Reject) as error:
            await self._tell(wanted, None, f"nobody can say whether it is: {error}")
            raise
        return await self._tell(wanted, await self._its_own(wanted, found), "")

    async def _its_own(self, wanted: Mapping[int, PairState], found: Mapping[int, Sequence[ChangeEvent]]) -> dict[int, list[str]]:
        """By pair: what was found of it. Where several were made under one name, it is that of whoever has it, or is still to have it."""
        theirs: dict[str, int] = {}
        async with self._ledger.transaction() as tx:
            for obj in {state.named_on(self._system) for state in wanted.values()}:
                ids = sorted({event.id for pair, events in found.items() if wanted[pair].named_on(self._system) == obj for event in events})
                theirs |= {record: pair.id for record, pair in (await tx.by_record(self._system, obj, ids)).items()}
        own: dict[int, list[str]] = {}
        for pair in sorted(found, key=lambda each: wanted[each].record(self._system.other).deleted):
            own[pair] = [event.id for event in found[pair] if theirs.setdefault(event.id, pair) == pair]
        return own

    async def _tell(self, wanted: Mapping[int, PairState], found: Mapping[int, Sequence[str]] | None, why: str) -> set[Duty]:
        now, due = self._clock(), set[Duty]()
        over: dict[int, Decision] = {}

        def change(pair: Pair) -> None:
            record = pair.state.record(self._system)
            if record.id or record.calling or record.creating != wanted[pair.id].record(self._system).creating:
                return
            search = Search(found=None if found is None else found.get(pair.id, ()), now=now, why=why)
            told = proved if self._terms.mapping(pair.state).written_once else stands
            state, proof = told(pair.state, self._system, search, self._terms.patience(self._system))
            pair.state = self._terms.with_due(state, now)
            due.update(duty for duty in Duty if pair.state.due[duty])
            if proof is not Proof.OPEN:
                over[pair.id] = _decision(pair, self._system, record.creating, proof, now)

        await unhindered(partial(self._change, list(wanted), now, change))
        if over:
            await unhindered(partial(self._record, list(over.values())))
        return due

    async def _change(self, pairs: Sequence[int], now: int, change: Callable[[Pair], None]) -> None:
        try:
            await apart.changed(self._ledger, self._terms, pairs, now, change)
        except Taken as error:
            raise Retry(f"the ledger: {error}; it is looked for again", after_seconds=0.1) from error

    async def _record(self, decisions: list[Decision]) -> None:
        async with self._ledger.transaction() as tx:
            await tx.record(decisions)


def _decision(pair: Pair, system: System, write: int, proof: Proof, now: int) -> Decision:
    there = proof is Proof.THERE
    told = "it was found where it would stand" if there else "it was looked for until it could not arrive any more, and is not there"
    return Decision(
        kind="written",
        at=now,
        pair=pair.id,
        system=system,
        record=pair.state.record(system).id,
        write=write,
        outcome="create confirmed" if there else "create not sent",
        detail=f"the call was not answered; {told}{'' if there else ': it is written again'}",
    )

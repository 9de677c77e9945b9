"""Release: what was committed for calls and questions that were certainly not made is taken back at once."""

from collections.abc import Awaitable, Callable, Sequence

from consumers.judging import apart
from consumers.ledger.persist import persistently
from consumers.ledger.port import Ledger, Pair
from consumers.merge.terms import Terms
from consumers.merge.writing.plan import row_mark
from consumers.merge.writing.writes import uncreatable, withdrawn
from consumers.settle.conditions.later import AGAIN_MS
from consumers.settle.rounds.answers import Answers, Settled
from consumers.settle.rounds.withdrawals import Withdrawals
from consumers.settle.rounds.work import Asking, Owed, Work
from streams.wire.systems import System


class Releases:
    """Takes back intents and leases on one system."""

    def __init__(
        self, ledger: Ledger, system: System, terms: Terms, clock: Callable[[], int], *, answers: Answers, withdrawals: Withdrawals
    ) -> None:
        self._ledger, self._system, self._terms, self._clock = ledger, system, terms, clock
        self._answers, self._withdrawals = answers, withdrawals

    async def never_made(self, work: Work, why: str) -> None:
        """Intents and leases that may have been committed, for calls that were certainly not made."""
        await self.unsent(work.items, f"not sent: {why}", Settled(), unsure=True)
        if work.asking:
            await self.unasked(work.asking)
        if work.leaving:
            await self._persist(lambda: self._withdrawals.release(work.leaving, AGAIN_MS))

    async def unsent(self, items: Sequence[Owed], why: str, settled: Settled, *, unsure: bool = False) -> None:
        """These were not written. `unsure`: nobody knows whether the ledger has been told of them at all."""
        if items:
            await self._answers.commit([item for item, _ in items], None, "not sent", why, settled, after_ms=AGAIN_MS, unsure=unsure)

    async def unasked(self, asking: Sequence[Asking], refused: str = "") -> None:
        """Nothing was found out. `refused`: the system won't answer for these, in its own words."""
        leases = {number: leased.record(self._system).calling for number, leased, _ in asking}

        def released(pair: Pair) -> None:
            state = withdrawn(pair.state, self._system, leases[pair.id])
            if refused:
                state = uncreatable(state, self._system, refused, row_mark(state, self._terms.rules))
            pair.state = self._terms.with_due(state, self._clock())

        await self._persist(lambda: apart.changed(self._ledger, self._terms, list(leases), self._clock(), released))

    async def _persist(self, step: Callable[[], Awaitable[object]]) -> None:
        seconds = self._terms.patience(self._system).call_ms / 1000
        await persistently(step, doing=f"releasing records of {self._system}", seconds=seconds)

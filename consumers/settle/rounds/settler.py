"""Settle: pairs that are owed writes on one system, drained into it in full calls.

The order of effects, each a step that a crash may follow: claim and intents (`claim`: one durable commit), the questions that must be
asked first and what they came to (`ask`, `withdrawals`: one commit), the call, its outcomes (`call`, `answers`: one commit). A crash
after the intents leaves writes in doubt, which the feed or a look settles.
"""

import asyncio
from collections.abc import Callable

from consumers.ledger.callers import Caller
from consumers.ledger.port import Ledger
from consumers.merge.terms import Terms
from consumers.merge.writing.plan import Plan
from consumers.settle.conditions.feed_lag import Lag
from consumers.settle.conditions.reading_first import Ahead
from consumers.settle.rounds.answers import Answers, Settled
from consumers.settle.rounds.ask import Questions
from consumers.settle.rounds.call import Calls
from consumers.settle.rounds.claim import Claims, Paused, never_paused
from consumers.settle.rounds.gathering import Gathering, sort_for
from consumers.settle.rounds.intents import Intents
from consumers.settle.rounds.release import Releases
from consumers.settle.rounds.withdrawals import Withdrawals
from consumers.settle.rounds.work import Work
from consumers.settle.writers.port import Writer
from streams.budget.port import Lane
from streams.wire.errors import SyncError


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
        paused: Paused = never_paused,
    ) -> None:
        """`lag`: how far behind the system's feed is read; what is written meanwhile comes back later still. `caller`: this process, so
        that others know whose its calls are. `fitting`: what is planned without the fields that can't be written at the moment. `paused`:
        which pause keeps a pair."""
        system, full = writer.system, min(batch_max, writer.batch_max)
        self._read_first = read_first
        intents = Intents(system, terms, fitting, caller=caller, lag=lag, full=full)
        answers = Answers(ledger, system, terms, clock)
        self._withdrawals = Withdrawals(ledger, writer, terms, clock, intents.leased)
        self._releases = Releases(ledger, system, terms, clock, answers=answers, withdrawals=self._withdrawals)
        gathering = Gathering(sort_for(writer), full)
        self._claims = Claims(ledger, terms, clock, intents=intents, releases=self._releases, gathering=gathering, paused=paused)
        self._questions = Questions(ledger, writer, terms, clock, intents=intents, releases=self._releases)
        self._calls = Calls(ledger, writer, clock, answers=answers, releases=self._releases, caller=caller, batch_max=full)

    async def round(self, lane: Lane = Lane.COPY) -> Settled:
        """One batch: what is due now in lanes up to `lane`. `claimed == 0`: nothing was."""
        return await self.finish(await self.claim(lane))

    async def claim(self, lane: Lane = Lane.COPY, *, read_first: Ahead | None = None) -> Work:
        """Lock, plan, commit the intents. Pairs that need an answer from the system first are leased instead.

        `read_first` overrides for this batch which records are read before they are written to.
        """
        return await self._claims.claim(lane, self._read_first if read_first is None else read_first)

    async def finish(self, work: Work) -> Settled:
        """The calls for what was claimed, and their outcomes."""
        settled = Settled(claimed=work.claimed, held=work.held)
        items = list(work.items)
        failure: SyncError | None = None
        try:
            items += await self._questions.ask(work.asking, settled)
            items += await self._withdrawals.ask(work.leaving, settled)
        except SyncError as error:
            failure = error
        except BaseException:
            await asyncio.shield(self._releases.unsent(items, "interrupted", settled))
            raise
        await self._calls.write(items, settled)
        if failure is not None:
            raise failure
        return settled

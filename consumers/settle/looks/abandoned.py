"""Calls of processes that are gone: nobody waits for the end of their leases. Each is in doubt at once, and looked for at once.

A killed worker can't say whether a call of its was sent, so all of them may arrive. What a look does not find is written again, and
what comes back after that is known for a write that was given up.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from consumers.ledger.port import Duty, Ledger, Pair
from consumers.merge.pair.state import PairState
from consumers.merge.terms import Terms
from consumers.merge.writing.writes import failed
from streams.ground.pause import pause
from streams.wire.errors import Retry
from streams.wire.systems import System

EVERY_SECONDS = 2.0
_PAGE = 300
_log = structlog.get_logger(__name__)


class Abandoned:
    """Finds calls whose caller is gone. `alive` tells the numbers of those that are not; `found` is told what has become due."""

    def __init__(
        self,
        ledger: Ledger,
        terms: Terms,
        clock: Callable[[], int],
        alive: Callable[[], Awaitable[frozenset[int]]],
        *,
        me: int,
        found: Callable[[set[Duty]], None] = lambda _: None,
    ) -> None:
        self._ledger, self._terms, self._clock, self._alive, self._me, self._found = ledger, terms, clock, alive, me, found
        self._known: frozenset[int] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Look around every few seconds until stopped."""
        while not stop.is_set():
            try:
                await self.round()
            except Retry as error:
                _log.warning("nobody knows whose calls are abandoned", error=str(error))
            await pause(EVERY_SECONDS, stop)

    async def round(self) -> int:
        """How many calls were found: once for all who were gone before, then whenever somebody is gone who was there.

        Nothing is concluded while our own beat is not heard either: then it is the ledger that was away.
        """
        alive = await self._alive()
        if self._me not in alive:
            return 0
        if self._known is not None and self._known <= alive:
            self._known = alive
            return 0
        count = sum([await self._sweep(system, alive) for system in System])
        self._known = alive
        if count:
            _log.warning("calls of a worker that is gone are looked for", calls=count)
            self._found({Duty.look_on(system) for system in System})
        return count

    async def _sweep(self, system: System, alive: frozenset[int]) -> int:
        count, last, now = 0, 0, self._clock()
        while page := await self._ledger.looked_for(Duty.look_on(system), now, last, _PAGE):
            last = page[-1]
            async with self._ledger.transaction() as tx:
                pairs: list[Pair] = []
                for pair in (await tx.by_id(page)).values():
                    if _is_abandoned(pair.state, system, alive):
                        state = failed(pair.state, system, pair.state.record(system).calling, now)
                        pair.state = self._terms.with_due(state, now)
                        pairs.append(pair)
                await tx.save(pairs, now)
                count += len(pairs)
        return count


def _is_abandoned(state: PairState, system: System, alive: frozenset[int]) -> bool:
    record = state.record(system)
    return bool(record.calling) and bool(record.caller) and record.caller not in alive

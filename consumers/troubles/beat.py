"""A worker's beat: it reads what the ledger shows to be wrong, and tells the others what it finds wrong itself."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from consumers.ledger.callers import Caller
from consumers.ledger.spent import Spent, spent
from consumers.ledger.tallies import Due, Waiting, due, waiting
from consumers.troubles.board import Board
from consumers.troubles.ledger import Expected, ledger_troubles
from consumers.troubles.recent import Recent
from consumers.troubles.trouble import Trouble
from consumers.troubles.workers import beat, forget
from streams.ground.database import away_is_retry
from streams.ground.pause import pause
from streams.wire.errors import Retry

Stands = Callable[[Sequence[Due], Waiting, Sequence[Spent], Sequence[Trouble]], None]
BEAT_SECONDS = 3.0
_PATIENCE_SECONDS = 10.0
_log = structlog.get_logger(__name__)


class Beat:
    """Beats until stopped.

    `roles`: what this worker does; `recent`: what it did of late; `stands`: is told how the whole stands; `expected`: what is to be
    expected now; `caller`: this worker, which is told when its beat was heard.
    """

    def __init__(
        self,
        pool: Any,
        board: Board,
        *,
        roles: Sequence[str],
        recent: Recent,
        stands: Stands,
        expected: Callable[[], Expected],
        caller: Caller,
    ) -> None:
        self._pool, self._board, self._roles, self._recent = pool, board, roles, recent
        self._stands, self._expected = stands, expected
        self._caller, self._name = caller, caller.worker

    async def run(self, stop: asyncio.Event) -> None:
        """Read and tell every few seconds; at the end, take leave."""
        while not stop.is_set():
            try:
                await self._once()
            except Retry as error:
                self._board.deaf(str(error))
                _log.warning("no beat", error=str(error))
            await pause(BEAT_SECONDS, stop)
        await self._leave()

    async def _once(self) -> None:
        with away_is_retry("read what is wrong"):
            async with asyncio.timeout(_PATIENCE_SECONDS), self._pool.acquire() as connection:
                now = self._expected()
                self._board.heard(await ledger_troubles(connection, now))
                counts = await due(connection, now.now_ms), await waiting(connection)
                calls = await spent(connection, now.now_ms, now.limits)
                self._stands(*counts, calls, self._board.all())
                await beat(connection, self._name, self._roles, self._board.all(), self._recent.counts())
                self._caller.beaten()

    async def _leave(self) -> None:
        try:
            with away_is_retry("take leave"):
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await forget(self._pool, self._name)
        except Retry as error:
            _log.warning("no leave taken", error=str(error))

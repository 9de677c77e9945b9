"""What is due, a row a pair and duty while there is something to do: kept in line with the states of the pairs that are saved."""

from collections.abc import Sequence
from typing import Any

import asyncpg
import structlog

from consumers.ledger.port import Duty, Pair
from consumers.ledger.postgres import sql
from consumers.ledger.postgres.border import border
from consumers.ledger.postgres.text import listed
from streams.wire.errors import Retry

_NOT_DUE = (0, 0, 0, 0)
_WRITE_MARKETO = int(Duty.WRITE_MARKETO)
_DUTIES = tuple(int(duty) for duty in Duty)


_AGAIN_SECONDS = 0.05
_log = structlog.get_logger("consumers.ledger")

_Row = tuple[int, int, int, int]
"""Duty, pair, lane, moment."""


class Queue:
    """The rows, as one ledger writes them."""

    def __init__(self) -> None:
        self._in_line = True
        """Whether no row was found so far of which its pair's state says nothing."""

    async def save(self, connection: Any, pairs: Sequence[Pair], fronts: Sequence[Pair]) -> None:
        """Only what differs from what was loaded; the pair's lock guards its rows. `fronts`: pairs that were only changed in front."""
        new: list[_Row] = [(_WRITE_MARKETO, pair.id, *pair.newly_due) for pair in fronts if pair.newly_due is not None]
        other: list[_Row] = []
        gone: list[tuple[int, int]] = []
        for pair in pairs:
            state, loaded = pair.state, pair.loaded
            before = loaded.due if loaded else _NOT_DUE
            same_lane = loaded is None or loaded.lane == state.lane
            if state.due == before and (same_lane or state.due == _NOT_DUE):
                continue
            for duty, moment, earlier in zip(_DUTIES, state.due, before, strict=True):
                if not moment:
                    if earlier:
                        gone.append((duty, pair.id))
                elif moment != earlier or not same_lane:
                    (other if earlier else new).append((duty, pair.id, state.lane, moment))
        if gone:
            with border("settle what was due"):
                await connection.execute(sql.DROP_DUE, *zip(*sorted(gone), strict=True))
        if other or new:
            await self._put(connection, sorted([*other, *new]), new=not other and self._in_line)

    async def _put(self, connection: Any, rows: list[_Row], *, new: bool) -> None:
        """A batch of edits usually makes the same thing due for all of its pairs, of which nothing was due: then only they are told one
        by one, and no row is looked for first."""
        duty, _, lane, at = rows[0]
        with border("note what is due"):
            if any(row[0] != duty or row[2] != lane or row[3] != at for row in rows):
                await connection.execute(sql.PUT_DUE, *zip(*rows, strict=True))
                return
            told = duty, listed(row[1] for row in rows), lane, at
            try:
                await connection.execute(sql.ADD_DUE_ALIKE if new else sql.PUT_DUE_ALIKE, *told)
            except asyncpg.UniqueViolationError as error:
                self._in_line = False
                _log.warning("due.out_of_line", detail="work was noted for a pair that its state says nothing of; it is noted anew")
                raise Retry("note what is due: it is noted already; it is noted anew", after_seconds=_AGAIN_SECONDS) from error

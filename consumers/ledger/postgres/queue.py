"""What is due, a row a pair and duty while there is something to do: kept in line with the states of the pairs that are saved."""

from collections.abc import Mapping, Sequence
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

_Due = tuple[int, int, int]
"""Duty, lane, moment."""


class Queue:
    """The rows, as one ledger writes them."""

    def __init__(self) -> None:
        self._in_line = True
        """Whether no row was found so far of which its pair's state says nothing."""

    async def save(self, connection: Any, pairs: Sequence[Pair], fronts: Sequence[Pair]) -> None:
        """Only what differs from what was loaded; the pair's lock guards its rows. `fronts`: pairs that were only changed in front."""
        put = _of_fronts(fronts)
        gone: list[tuple[int, int]] = []
        new = self._in_line
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
                    put.setdefault((duty, state.lane, moment), []).append(pair.id)
                    new = new and not earlier
        if gone:
            with border("settle what was due"):
                await connection.execute(sql.DROP_DUE, *zip(*sorted(gone), strict=True))
        if put:
            await self._put(connection, put, new=new)

    async def _put(self, connection: Any, put: Mapping[_Due, list[int]], *, new: bool) -> None:
        """A batch of edits usually makes the same thing due for all of its pairs, of which nothing was due: then only they are told one
        by one, and no row is looked for first."""
        with border("note what is due"):
            if len(put) > 1:
                rows = sorted((duty, pair, lane, at) for (duty, lane, at), ids in put.items() for pair in ids)
                await connection.execute(sql.PUT_DUE, *zip(*rows, strict=True))
                return
            [((duty, lane, at), ids)] = put.items()
            try:
                await connection.execute(sql.ADD_DUE_ALIKE if new else sql.PUT_DUE_ALIKE, duty, listed(sorted(ids)), lane, at)
            except asyncpg.UniqueViolationError as error:
                self._in_line = False
                _log.warning("due.out_of_line", detail="work was noted for a pair that its state says nothing of; it is noted anew")
                raise Retry("note what is due: it is noted already; it is noted anew", after_seconds=_AGAIN_SECONDS) from error


def _of_fronts(fronts: Sequence[Pair]) -> dict[_Due, list[int]]:
    """What Marketo is newly owed, with the pairs."""
    owed: dict[tuple[int, int], list[int]] = {}
    for pair in fronts:
        if (due := pair.newly_due) is not None:
            if (ids := owed.get(due)) is None:
                ids = owed[due] = []
            ids.append(pair.id)
    return {(_WRITE_MARKETO, *due): ids for due, ids in owed.items()}
